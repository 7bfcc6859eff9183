"""A service that says what a test tells it to, over real sockets: for the SDK and the command line."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

METADATA = {
    "processing_time_ms": 12,
    "activated_experts": 2,
    "input_tokens": 70,
    "output_tokens": 3,
    "model": "sight-nano",
    "task": "vqa",
    "lane": "A",
    "finish_reason": "stop",
    "receipts": [
        {
            "index": 0,
            "kind": "image",
            "format": "png",
            "sha256": "0" * 64,
            "bytes": 70,
            "original_width": 8,
            "original_height": 8,
            "sent_width": 32,
            "sent_height": 32,
            "visual_tokens": 1,
            "changes": ["resized"],
        }
    ],
}
RESULT = {"answer": "a red circle", "confidence": 0.94, "metadata": METADATA}
ENVELOPE = {"request_id": "req_1", "code": 0, "msg": "success", "result": RESULT}


def failure(code: int, kind: str, **error: Any) -> dict[str, Any]:
    return {"request_id": "req_9", "code": code, "msg": f"It is {kind}.", "error": {"type": kind, "hint": "Do this.", **error}}


def event(name: str, data: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


ACCEPTED = event("accepted", {"request_id": "req_1", "lane": "A", "model": "sight-nano", "predicted_wait_ms": 5})
FINAL = event("final", {**RESULT, "request_id": "req_1", "code": 0, "msg": "success"})


def tokens(*texts: str) -> list[bytes]:
    return [event("token", {"token": text, "index": index}) for index, text in enumerate(texts)]


STREAM = [ACCEPTED, *tokens("a ", "red ", "circle"), FINAL]


@dataclass
class Reply:
    """One answer. A number among the `chunks` is a pause in seconds; `cut` closes the socket in the middle of the body."""

    chunks: Iterable[bytes | float] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    silent: bool = False
    """Close the connection without a word."""


def as_json(body: Any, status: int = 200, **headers: str) -> Reply:
    return Reply([json.dumps(body).encode()], status, {"Content-Type": "application/json", **headers})


def as_stream(chunks: Iterable[bytes | float] = STREAM, *, cut: bool = False) -> Reply:
    return Reply(chunks, 200, {"Content-Type": "text/event-stream"}, cut)


@dataclass
class Received:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


class ScriptedService:
    """Gives the replies in order, the last one again and again; `script` may also be a function of the request."""

    def __init__(self, *script: Reply | Callable[[Received], Reply]) -> None:
        self.requests: list[Received] = []
        self.left = threading.Event()
        """Set once a client closed its connection in the middle of a reply."""
        self.asked = threading.Event()
        """Set once a request has come."""
        self._script: Iterator[Reply | Callable[[Received], Reply]] = iter(script)
        self._last: Reply | Callable[[Received], Reply] = as_json(ENVELOPE)
        self._lock = threading.Lock()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                # A client may go away at any time; that is what some tests are about.
                try:
                    super().handle_one_request()
                except OSError:
                    service.left.set()
                    self.close_connection = True

            def answer(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                service.say(self, Received(self.command, self.path, headers, raw))

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def say(self, handler: BaseHTTPRequestHandler, request: Received) -> None:
        with self._lock:
            self.requests.append(request)
            self._last = next(self._script, self._last)
            step = self._last
        self.asked.set()
        reply = step(request) if callable(step) else step
        if reply.silent:
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
            return
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for chunk in reply.chunks:
            if isinstance(chunk, float):
                time.sleep(chunk)
            else:
                handler.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        if reply.cut:
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
            return
        handler.wfile.write(b"0\r\n\r\n")

    def __enter__(self) -> ScriptedService:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
