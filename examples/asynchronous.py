"""The same from asyncio: one client, shared by all tasks."""

import asyncio
import os
from pathlib import Path

from sightline import AsyncQwenVLClient

PICTURES = Path(__file__).parent / "pictures"
SERVER = os.environ.get("SIGHTLINE_SERVER", "http://127.0.0.1:8000")


async def main() -> None:
    async with AsyncQwenVLClient(base_url=SERVER) as client:
        shapes, chart = await asyncio.gather(
            client.ask(PICTURES / "shapes.png", "What colour is the square?"),
            client.ask(PICTURES / "chart.png", "What is the value of Jun?"),
        )
        print(shapes, "|", chart)

        async with await client.ask(PICTURES / "chart.png", task="captioning", stream=True) as stream:
            async for text in stream:
                print(text, end="", flush=True)
        print()


asyncio.run(main())
