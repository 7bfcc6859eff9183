"""Code written for OpenAI, with another address: text, a picture, a stream. Needs `pip install openai`."""

import base64
import os
from pathlib import Path

from openai import BadRequestError, OpenAI

PICTURES = Path(__file__).parent / "pictures"
SERVER = os.environ.get("SIGHTLINE_SERVER", "http://127.0.0.1:8000").rstrip("/")

client = OpenAI(base_url=f"{SERVER}/v1", api_key=os.environ.get("SIGHTLINE_API_KEY", "none"))
picture = base64.b64encode((PICTURES / "shapes.png").read_bytes()).decode()
question = {
    "role": "user",
    "content": [
        {"type": "text", "text": "What colour is the circle?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
    ],
}

completion = client.chat.completions.create(model="default", messages=[question])
print("answer:", completion.choices[0].message.content)
print("confidence:", completion.model_extra["sightline"]["confidence"])

for chunk in client.chat.completions.create(model="default", messages=[question], stream=True):
    print(chunk.choices[0].delta.content or "", end="", flush=True)
print()

try:
    client.chat.completions.create(model="default", messages=[question], logit_bias={"1": 1})
except BadRequestError as error:
    print("refused by name:", error.param)
