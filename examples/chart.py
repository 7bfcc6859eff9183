"""A chart as data: the numbers, how sure each is, and what they add up to."""

import os
from pathlib import Path

from sightline import QwenVLClient

PICTURES = Path(__file__).parent / "pictures"
SERVER = os.environ.get("SIGHTLINE_SERVER", "http://127.0.0.1:8000")

with QwenVLClient(base_url=SERVER) as client:
    answer = client.ask(PICTURES / "chart.png", task="chart_parse")
print(answer)
print("confidence:", answer.confidence)
for warning in answer.warnings:
    print("note:", warning.msg)
