"""Typing on a console whose port takes what is typed slowly, and says things meanwhile."""

import socket
import threading
import time
from pathlib import Path

from image.keyboard import type_on


def test_typing_ends_when_all_of_it_was_taken(tmp_path: Path) -> None:
    taken = bytearray()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "console.socket"))
    listening.listen()

    def take_slowly() -> None:
        wire, _ = listening.accept()
        with wire:
            wire.sendall(b"said" * 10_000)
            while piece := wire.recv(4):
                taken.extend(piece)
                time.sleep(0.01)

    slow = threading.Thread(target=take_slowly)
    slow.start()
    type_on(tmp_path / "console.socket", "erase everything\r")
    taken_at_return = bytes(taken)
    slow.join()
    listening.close()

    assert taken_at_return.startswith(b"erase everyth")
    assert bytes(taken) == b"erase everything\r"
