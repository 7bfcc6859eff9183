"""A stand-in for an engine's server, in a process of its own: `python -m tests.replica --model big --speed 2`.

It has what sharing work among servers needs: slots that are given in order, a speed, vLLM's gauges, a memory of pictures, and it dies of
a question that says POISON. Its answers say which model it is. `/asked` tells what came; a number posted to `/speed` changes its speed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

Started = list[tuple["subprocess.Popen[str]", str]]
"""Processes and their URLs."""
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_PICTURE = re.compile(rb'"uuid": *"([^"]+)"')
BASE = 120.0
"""Tokens/s of a slot at speed 1."""


class Replica:
    """What the server is and has done."""

    def __init__(self, model: str, speed: float, slots: int, context: int) -> None:
        self.model, self.speed, self.context = model, speed, context
        self.slots = asyncio.Semaphore(slots)
        self.running = self.waiting = 0
        self.pictures: set[bytes] = set()
        self.asked = self.again = self.shown = 0

    def page(self, path: str) -> tuple[str, bytes]:
        """The type and body of a GET."""
        if path == "/metrics":
            label = f'{{model_name="{self.model}"}}'
            return "text/plain", (
                f"# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{label} {self.running}.0\n"
                f"# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting{label} {self.waiting}.0\n"
            ).encode()
        if path == "/asked":
            told = {"asked": self.asked, "again": self.again, "shown": self.shown, "pictures": len(self.pictures)}
            return "application/json", json.dumps(told).encode()
        return "application/json", json.dumps({"data": [{"id": self.model, "max_model_len": self.context}]}).encode()

    async def answer(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        """A streamed completion of as many tokens as were asked for: the first when it has a slot, the others at its end."""
        if b"POISON" in body:
            os._exit(1)
        self.asked += 1
        if found := _PICTURE.search(body):
            self.shown += 1
            self.again += found[1] in self.pictures
            self.pictures.add(found[1])
        tokens = int(json.loads(body)["max_tokens"])
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        self.waiting += 1
        try:
            await self.slots.acquire()
        finally:
            self.waiting -= 1
        self.running += 1
        try:
            writer.write(_chunk(f"I am {self.model}."))
            await asyncio.sleep(tokens / BASE / self.speed)
        finally:
            self.running -= 1
            self.slots.release()
        usage = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": tokens}}
        writer.write(_chunk(None, "stop") + _piece(b"data: " + json.dumps(usage).encode() + b"\n\ndata: [DONE]\n\n") + b"0\r\n\r\n")


def _chunk(text: str | None, finish: str | None = None) -> bytes:
    choice: dict[str, Any] = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    if text:
        choice["logprobs"] = {"content": [{"token": text, "logprob": -0.1, "top_logprobs": []}]}
    return _piece(b"data: " + json.dumps({"object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n")


def _piece(line: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(line), line)


async def serve(replica: Replica, port: int) -> None:
    """Until it is killed, or whoever started it is gone."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                method, path, _ = head.split(b" ", 2)
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                if method == b"POST" and path == b"/v1/chat/completions":
                    answering = asyncio.create_task(replica.answer(body, writer))
                    leaving = asyncio.create_task(reader.read(1))
                    await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
                    if not answering.done():  # the caller left
                        answering.cancel()
                        return
                    if leaving.done():
                        return
                    leaving.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await leaving
                    continue
                if method == b"POST":
                    replica.speed = float(body)
                kind, page = replica.page(path.decode())
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n" % (kind.encode(), len(page)) + page)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", port, limit=1 << 26)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)


@contextlib.contextmanager
def replicas(*settings: Sequence[str]) -> Generator[Started]:
    """Starts one for each list of arguments, side by side; their processes and URLs. They are killed at the end."""
    command = [sys.executable, "-m", "tests.replica"]
    root = Path(__file__).parents[1]
    started = [subprocess.Popen([*command, *each], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for each in settings]
    try:
        yield [(process, f"http://127.0.0.1:{process.stdout.readline().strip()}") for process in started if process.stdout]
    finally:
        for process in started:
            process.kill()
            process.communicate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="big")
    parser.add_argument("--speed", type=float, default=2.0)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--context", type=int, default=8192)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    replica = Replica(arguments.model, arguments.speed, arguments.slots, arguments.context)
    asyncio.run(serve(replica, arguments.port))


if __name__ == "__main__":
    main()
