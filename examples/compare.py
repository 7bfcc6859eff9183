"""Several pictures in one question. A picture is a path, bytes, an open file, a Pillow image, or an address."""

import os
from pathlib import Path

from PIL import Image

from sightline import QwenVLClient

PICTURES = Path(__file__).parent / "pictures"
SERVER = os.environ.get("SIGHTLINE_SERVER", "http://127.0.0.1:8000")

shapes = PICTURES / "shapes.png"
turned = Image.open(shapes).rotate(180)

with QwenVLClient(base_url=SERVER) as client:
    answer = client.ask([shapes, turned, shapes.read_bytes()], "What is the difference between image 1 and image 2?")

print(answer)
print(len(answer.metadata.receipts), "pictures,", answer.metadata.input_tokens, "tokens")
