"""Many questions at once: eight are under way at any time, answers come as they are ready, an error spoils nothing else."""

import os
from pathlib import Path

from sightline import Ask, QwenVLClient

PICTURES = Path(__file__).parent / "pictures"
SERVER = os.environ.get("SIGHTLINE_SERVER", "http://127.0.0.1:8000")

questions = [
    Ask(PICTURES / name, f"How many {thing} are there?", options={"max_tokens": 16})
    for name in ("shapes.png", "chart.png", "not-there.png")
    for thing in ("shapes", "bars", "circles", "words")
]

with QwenVLClient(base_url=SERVER) as client:
    for done in client.ask_many(questions, concurrency=8, progress=True):
        name = Path(str(done.ask.images)).name
        print(f"{name}: {done.ask.question} -> {done.error or done.answer}")
