"""A stand-in for NDIF: unpacks requests, runs them on a model of its own, sends back what is saved.

It speaks as much of the protocol as nnsight's client does: a websocket that gives a session id and
later the result, and a POST with the packed request. What arrives is kept for the test.
"""

import asyncio
import io
import threading
from contextlib import contextmanager
from email.parser import BytesParser
from types import SimpleNamespace

import tiny
import torch
import uvicorn
import zstandard
from nnsight import TransformersModel
from nnsight.schema.request import RequestModel
from nnsight.schema.response import ResponseModel, Status
from nnsight.tracing import tracer as tracing
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket


def run(model: TransformersModel, blob: bytes) -> bytes:
    """Run a packed request as the server does; give the packed values that it saved."""
    restored = RequestModel.deserialize(blob, model._remoteable_persistent_objects(), compress=True)
    with torch.inference_mode():
        tracing.inc()
        try:
            restored.execute(restored.info.code)
        finally:
            tracing.dec()
    file = io.BytesIO()
    torch.save({"found": restored.info.frame.f_locals["found"]}, file)
    return zstandard.ZstdCompressor().compress(file.getvalue())


@contextmanager
def served(family: str = "gpt-neox"):
    """Serve a tiny model; yields the address and the requests seen."""
    hosted = TransformersModel(
        tiny.model(family), tokenizer=tiny.tokenizer(), task="text-generation"
    )
    seen = SimpleNamespace(address="", metadata=[], keys=[], reply=None)
    replies: asyncio.Queue = asyncio.Queue()

    async def subscribe(socket: WebSocket) -> None:
        await socket.accept()
        seen.keys.append(socket.headers.get("ndif-api-key"))
        await socket.send_json({"session_id": "s"})
        await socket.send_bytes(await replies.get())

    async def request(asked: Request) -> JSONResponse:
        body = await asked.body()
        head = f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode()
        parts = BytesParser().parsebytes(head + body).get_payload()
        data, blob = (part.get_payload(decode=True) for part in parts)
        seen.metadata.append(data.decode())
        result = seen.reply or run(hosted, blob)
        done = ResponseModel(id="1", status=Status.COMPLETED, data=result)
        replies.put_nowait(done.pickle())
        return JSONResponse({"id": "1", "status": "RECEIVED"})

    app = Starlette(routes=[
        WebSocketRoute("/subscribe", subscribe), Route("/request", request, methods=["POST"]),
    ])  # fmt: skip
    config = uvicorn.Config(app, port=0, log_level="error", ws="websockets-sansio", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        threading.Event().wait(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    seen.address = f"http://127.0.0.1:{port}"
    try:
        yield seen
    finally:
        server.should_exit = True
        thread.join()
