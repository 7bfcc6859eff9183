"""A conversation about one picture. The picture is uploaded once and shown by its id."""

import os
from pathlib import Path

from sightline import QwenVLClient

PICTURES = Path(__file__).parent / "pictures"
SERVER = os.environ.get("SIGHTLINE_SERVER", "http://127.0.0.1:8000")

with QwenVLClient(base_url=SERVER) as client:
    picture = client.upload(PICTURES / "chart.png", on_progress=lambda sent, total: print(f"{sent} of {total} bytes sent"))

    question = "Which bar is the highest?"
    first = client.ask(picture, question)
    print(question, "->", first)

    follow_up = "What is its value?"
    second = client.ask(
        [],
        follow_up,
        messages=[{"role": "user", "text": question, "images": picture}, {"role": "assistant", "text": first.answer}],
    )
    print(follow_up, "->", second)

    client.delete(picture)
