"""An answer as data: a JSON Schema that the model cannot leave, and the answer already parsed."""

import os
from pathlib import Path

from sightline import QwenVLClient

PICTURES = Path(__file__).parent / "pictures"
SERVER = os.environ.get("SIGHTLINE_SERVER", "http://127.0.0.1:8000")
SCHEMA = {
    "type": "object",
    "properties": {"count": {"type": "integer", "minimum": 0}, "colour": {"enum": ["red", "green", "blue", "yellow"]}},
    "required": ["count", "colour"],
    "additionalProperties": False,
}

with QwenVLClient(base_url=SERVER) as client:
    answer = client.ask(PICTURES / "shapes.png", "How many shapes are there, and of which colour?", task="chat", schema=SCHEMA)

# Cut at max_tokens it would not parse; then `structured` is None.
print(answer.metadata.finish_reason, answer.structured and f"{answer.structured['count']} of {answer.structured['colour']}")
