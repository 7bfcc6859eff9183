"""A question about a PDF: the answer, and on which pages it stands. The pages are read one by one; progress is told as they are."""

import os
from pathlib import Path

from sightline import Answer, Progress, QwenVLClient

PICTURES = Path(__file__).parent / "pictures"
SERVER = os.environ.get("SIGHTLINE_SERVER", "http://127.0.0.1:8000")

with QwenVLClient(base_url=SERVER) as client:
    with client.ask(PICTURES / "report.pdf", "What is the value of Tue?", task="doc_analyze", stream=True) as stream:
        for event in stream.events():
            if isinstance(event, Progress):
                print(f"{event.stage}: {event.done} of {event.total}")
            elif isinstance(event, Answer):
                print(event)
                for citation in event.structured["citations"]:
                    print(f"page {citation['page']} says: {citation['snippet']}")

    # The same pages, written out.
    text = client.ask(PICTURES / "report.pdf", task="doc_analyze", output="markdown", pages="1")
    print(text.answer.splitlines()[0])
