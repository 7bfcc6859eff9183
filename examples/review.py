"""Sorting by confidence: what is certain and comes from a good picture passes, the rest is looked at by a person."""

import os
from pathlib import Path

from PIL import Image, ImageFilter

from sightline import Ask, QwenVLClient

PICTURES = Path(__file__).parent / "pictures"
SERVER = os.environ.get("SIGHTLINE_SERVER", "http://127.0.0.1:8000")
ENOUGH = 0.6  # not the same for every task and model: look at your own answers before you choose it

pictures = {
    "shapes": PICTURES / "shapes.png",
    "chart": PICTURES / "chart.png",
    "chart, blurred": Image.open(PICTURES / "chart.png").convert("RGB").filter(ImageFilter.GaussianBlur(6)),
}
questions = [Ask(picture, "How many shapes or bars are there?", options={"temperature": 0}) for picture in pictures.values()]

with QwenVLClient(base_url=SERVER) as client:
    for done in client.ask_many(questions, concurrency=3):
        answer, name = done.result(), list(pictures)[done.index]
        doubts = [warning.type for warning in answer.warnings if warning.input is not None]
        if answer.confidence is None or answer.confidence < ENOUGH:
            doubts.append("not sure")
        print(f"{name}: {'look at it: ' + ', '.join(doubts) if doubts else f'accepted: {answer}'}")
