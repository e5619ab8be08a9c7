"""Hand-written stand-ins that tests share."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from numpy.typing import NDArray

from appliance.api import agent_pb2


class FakeAgent:
    """Answers the local API over a real Unix socket with what a test lays down, by method."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.asked: list[tuple[str, Message]] = []
        # Without peers, unless a test says otherwise.
        self._answers: dict[str, list[Message | Refusal]] = {
            "Peers/ListPeers": [agent_pb2.ListPeersReply()]
        }
        self._server = grpc.server(ThreadPoolExecutor(max_workers=4))
        for service in agent_pb2.DESCRIPTOR.services_by_name.values():
            handlers = {method.name: self._handler(method) for method in service.methods}
            generic = grpc.method_handlers_generic_handler(service.full_name, handlers)
            self._server.add_generic_rpc_handlers((generic,))
        self._server.add_insecure_port(f"unix:{state / 'api.sock'}")
        self._server.start()

    def lay(self, method: str, *answers: "Message | Refusal") -> None:
        """Answer calls in turn, the last answer again and again; a stream sends them all."""
        self._answers[method] = list(answers)

    def asked_for(self, method: str) -> list[Any]:
        return [request for name, request in self.asked if name == method]

    def stop(self) -> None:
        self._server.stop(None).wait()

    def _handler(self, method: Any) -> Any:
        name = f"{method.containing_service.name}/{method.name}"

        def single(request: Message, context: grpc.ServicerContext) -> Message:
            self.asked.append((name, request))
            answers = self._answers[name]
            return _given(answers.pop(0) if len(answers) > 1 else answers[0], context)

        def stream(request: Message, context: grpc.ServicerContext) -> Iterator[Message]:
            self.asked.append((name, request))
            yield from (_given(answer, context) for answer in self._answers[name])

        read = GetMessageClass(method.input_type).FromString
        write = GetMessageClass(method.output_type).SerializeToString
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(stream, read, write)
        return grpc.unary_unary_rpc_method_handler(single, read, write)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """How a FakeAgent refuses a call."""

    what: str
    remedy: str = ""
    error: str = "ConfigError"
    code: grpc.StatusCode = grpc.StatusCode.FAILED_PRECONDITION


def _given(answer: "Message | Refusal", context: grpc.ServicerContext) -> Message:
    if isinstance(answer, Refusal):
        context.set_trailing_metadata(
            (("coffer-error", answer.error), ("coffer-remedy-bin", answer.remedy.encode()))
        )
        context.abort(answer.code, answer.what)
    return answer


class Seeded:
    """Randomness that a seed fixes, so that transcripts repeat."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawn = 0

    def draw(self, count: int) -> bytes:
        self._drawn += 1
        return hashlib.shake_256(b"%d/%d" % (self._seed, self._drawn)).digest(count)


class MemoryScratch:
    """Scratch files in memory; a later run may be given the same one."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def append(self, name: str, data: NDArray[Any]) -> None:
        self.files[name] = self.files.get(name, b"") + data.tobytes()

    def keep(self, name: str, data: NDArray[Any]) -> None:
        self.files[name] = data.tobytes()

    def load(self, name: str) -> NDArray[np.uint8] | None:
        data = self.files.get(name)
        return None if data is None else np.frombuffer(data, np.uint8)

    def drop(self, name: str) -> None:
        self.files.pop(name, None)


class Watched:
    """Progress that remembers the stages entered, their totals and how far each came."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int, int]] = []

    def stage(self, name: str, total: int) -> None:
        self.stages.append((name, total, 0))

    def advance(self, count: int) -> None:
        name, total, done = self.stages[-1]
        self.stages[-1] = (name, total, done + count)
