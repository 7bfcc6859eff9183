"""A thousand questions at once from one process, and what that costs in memory."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from tests.acceptance.services import surroundings
from tests.scripted import ENVELOPE

ASKS = 1000
MOST_MEGABYTES = 200

CLIENT = f"""
import asyncio, resource, sys
from sightline import AsyncQwenVLClient

async def main():
    picture = b"\\xff\\xd8\\xff" + bytes(100_000)
    async with AsyncQwenVLClient(base_url=sys.argv[1], max_connections={ASKS}, timeout=100) as client:
        answers = await asyncio.gather(*(client.ask(picture, f"Question {{number}}?") for number in range({ASKS})))
    print(len({{answer.request_id for answer in answers}}), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)

asyncio.run(main())
"""


@pytest.mark.full
@pytest.mark.timeout(180)
async def test_a_thousand_questions_at_once_are_under_200_mb() -> None:
    arrived = 0
    everybody = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Reads the whole request, and answers nobody before all have asked."""
        nonlocal arrived
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        arrived += 1
        number = arrived
        if arrived == ASKS:
            everybody.set()
        await everybody.wait()
        body = json.dumps({**ENVELOPE, "request_id": f"req_{number}"}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, backlog=ASKS) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CLIENT, url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=surroundings()
        )
        out, err = await client.communicate()
    assert client.returncode == 0, err.decode()
    answers, megabytes = map(int, out.split())
    assert answers == ASKS
    assert megabytes < MOST_MEGABYTES
