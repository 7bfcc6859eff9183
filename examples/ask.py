"""One question about a picture: the answer, how sure the model is, and what was done to the picture."""

import os
from pathlib import Path

from sightline import QwenVLClient

PICTURES = Path(__file__).parent / "pictures"
SERVER = os.environ.get("SIGHTLINE_SERVER", "http://127.0.0.1:8000")

with QwenVLClient(base_url=SERVER) as client:
    answer = client.ask(PICTURES / "shapes.png", "What colour is the circle?")

print(answer)
print("confidence:", answer.confidence)
for receipt in answer.metadata.receipts:
    print(f"{receipt.format} of {receipt.original_width}x{receipt.original_height}, seen as {receipt.sent_width}x{receipt.sent_height}")
for warning in answer.warnings:
    print("note:", warning.msg, warning.hint)
