"""A small HTTP server for measurements: raw asyncio, so that it takes little of a shared machine.

A handler gets a path and a body and says what to answer, when, or that the socket is to be closed.
Knows HTTP/1.1 with Content-Length and nothing of language models.

    python -m core.bench.answering 0.1     every question is answered after 0.1 s; prints the port
"""

import asyncio
import json
import sys
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

VERDICTS = "[1, 0, 0, 1, 0]"


class Said(NamedTuple):
    """One answer."""

    body: bytes = b"{}"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    after: float | None = 0.0  # seconds; None = never
    closing: bool = False  # the socket is closed after the body, however long it was said to be
    length: int | None = None  # Content-Length, where it is to be wrong


Handler = Callable[[str, bytes], Said]  # path, body


def as_bytes(said: Said) -> bytes:
    """The answer as it goes over the wire.

    >>> as_bytes(Said(b"no", 404, ()))
    b'HTTP/1.1 404 Not Found\\r\\nContent-Length: 2\\r\\n\\r\\nno'
    """
    length = len(said.body) if said.length is None else said.length
    lines = [f"HTTP/1.1 {said.status} {HTTPStatus(said.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in said.headers]
    lines += [f"Content-Length: {length}", "", ""]
    return "\r\n".join(lines).encode() + said.body


class Exchange(asyncio.Protocol):
    """One connection: requests in, one after the other, answers out."""

    def __init__(self, handler: Handler, connected: set["Exchange"]) -> None:
        self._handler, self._connected = handler, connected
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connected.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        del exc
        self._connected.discard(self)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._received[:end])
            whole = end + 4 + _content_length(head)
            if len(self._received) < whole:
                return
            body = bytes(self._received[end + 4 : whole])
            del self._received[:whole]
            self._answer(self._handler(head.split(b" ", 2)[1].decode(), body))

    def _answer(self, said: Said) -> None:
        if said.after is not None:
            asyncio.get_running_loop().call_later(said.after, self._write, said)

    def _write(self, said: Said) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if said.body or not said.closing:
            self._transport.write(as_bytes(said))
        if said.closing:
            self._transport.close()


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line[:15].lower() == b"content-length:":
            return int(line[15:])
    return 0


async def serve(handler: Handler, started: Callable[[int], None], port: int = 0) -> None:
    """Listen on localhost until cancelled; `started` is told the port."""
    loop, connected = asyncio.get_running_loop(), set[Exchange]()
    server = await loop.create_server(
        lambda: Exchange(handler, connected), "127.0.0.1", port, backlog=256
    )
    started(server.sockets[0].getsockname()[1])
    try:
        await server.serve_forever()
    finally:
        server.close()
        for exchange in connected:
            exchange.close()


def verdicts_after(seconds: float) -> Handler:
    """Five verdicts for every question, the same bytes each time, like a judge's endpoint."""
    message = {"role": "assistant", "content": VERDICTS}
    answer = {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "created": 0,
        "model": "made",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": 800, "completion_tokens": 11, "total_tokens": 811},
    }
    said = Said(json.dumps(answer).encode(), after=seconds)
    return lambda _path, _body: said


def _announce(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        asyncio.run(serve(verdicts_after(float(sys.argv[1])), _announce))
    except KeyboardInterrupt:
        sys.exit(130)
