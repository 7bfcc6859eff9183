"""The answer as it is written. Leaving the `with` block early stops the model."""

import os
from pathlib import Path

from sightline import QwenVLClient

PICTURES = Path(__file__).parent / "pictures"
SERVER = os.environ.get("SIGHTLINE_SERVER", "http://127.0.0.1:8000")

with QwenVLClient(base_url=SERVER) as client:
    with client.ask(PICTURES / "chart.png", task="captioning", stream=True) as stream:
        for text in stream:
            print(text, end="", flush=True)
    print()
    print("confidence:", stream.final.confidence, "after", stream.final.metadata.processing_time_ms, "ms")

    # Only the first words are wanted: the connection is closed, and the model stops.
    with client.ask(PICTURES / "chart.png", task="captioning", stream=True) as stream:
        for text in stream:
            print("it begins with:", text)
            break
