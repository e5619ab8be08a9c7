"""What the console makes of a terminal's bytes."""

import pytest

from appliance.console.keys import Key, KeyReader, Stroke


def typed(*pieces: bytes) -> list[Stroke]:
    reader = KeyReader()
    return [stroke for piece in pieces for stroke in reader.read(piece)]


@pytest.mark.parametrize(
    ("data", "strokes"),
    [
        (b"a1 ~", ["a", "1", " ", "~"]),
        (b"\r\n", [Key.ENTER, Key.ENTER]),
        (b"\x08\x7f", [Key.BACKSPACE, Key.BACKSPACE]),
        (b"\x15\x0c", [Key.CLEAR, Key.REDRAW]),
        (b"\x00\x01\x03\x04\x1a\x1c\x11\x13", []),
        ("é€".encode(), []),
        (b"\x9b5n\x85", ["5", "n"]),
    ],
    ids=["text", "enter", "backspace", "line and screen", "signals", "not ASCII", "C1"],
)
def test_bytes_are_the_few_keys_or_nothing(data: bytes, strokes: list[Stroke]) -> None:
    assert typed(data) == strokes


@pytest.mark.parametrize(
    "sequence",
    [
        b"\x1b[A",
        b"\x1bOP",
        b"\x1b[[A",
        b"\x1b[24;80R",
        b"\x1b[15~",
        b"\x1b[200~",
        b"\x1b]0;title\x07",
        b"\x1b]52;c;cm0gLXJmIC8=\x1b\\",
        b"\x1bP1$r0m\x1b\\",
        b"\x1bc",
    ],
)
def test_a_sequence_is_no_text_however_it_arrives(sequence: bytes) -> None:
    pieces = [sequence[n : n + 1] for n in range(len(sequence))]

    assert typed(b"a" + sequence + b"b") == ["a", "b"]
    assert typed(b"a", *pieces, b"b") == ["a", "b"]


def test_a_sequence_without_an_end_is_given_up() -> None:
    assert typed(b"\x1b]" + b"x" * 200)[-1] == "x"
    assert typed(b"\x1b[" + b"1" * 200)[-1] == "1"


def test_an_escape_alone_goes_back_and_an_unfinished_sequence_does_nothing() -> None:
    alone, unfinished = KeyReader(), KeyReader()

    assert alone.read(b"\x1b") == []
    assert alone.is_inside
    assert alone.pause() == [Key.BACK]
    assert unfinished.read(b"\x1b[") == []
    assert unfinished.pause() == []
    assert unfinished.read(b"a") == ["a"]
