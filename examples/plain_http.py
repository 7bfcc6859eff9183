"""No SDK at all: the wire, with nothing but the standard library."""

import base64
import json
import os
from pathlib import Path
from urllib.request import Request, urlopen

PICTURES = Path(__file__).parent / "pictures"
SERVER = os.environ.get("SIGHTLINE_SERVER", "http://127.0.0.1:8000").rstrip("/")

picture = base64.b64encode((PICTURES / "shapes.png").read_bytes()).decode()
body = {
    "task": "vqa",
    "images": [f"data:image/png;base64,{picture}"],
    "text": "What colour is the circle?",
    "options": {"max_tokens": 64, "temperature": 0},
}
headers = {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ.get('SIGHTLINE_API_KEY', '')}"}

with urlopen(Request(f"{SERVER}/infer", json.dumps(body).encode(), headers)) as response:
    envelope = json.load(response)
print(envelope["code"], envelope["result"]["answer"], envelope["result"]["confidence"])

with urlopen(Request(f"{SERVER}/infer_stream", json.dumps(body).encode(), headers)) as response:
    for line in response:
        print(line.decode().rstrip())
