"""What can go wrong, and how to catch it. Every error has a code, details for a program and advice for a person."""

import os
from pathlib import Path

from sightline import QwenVLClient, errors

PICTURES = Path(__file__).parent / "pictures"
SERVER = os.environ.get("SIGHTLINE_SERVER", "http://127.0.0.1:8000")

with QwenVLClient(base_url=SERVER) as client:
    try:
        client.ask(PICTURES / "shapes.png", "What is this?", temperature=7)
    except errors.MalformedRequest as error:
        print(f"{error.code}: {error.details['field']} may be {error.details['allowed']}")

    try:
        client.ask(b"not a picture", "What is this?")
    except errors.UnsupportedMedia as error:
        print(f"{error.code}: {error.say('en')} {error.advise('en')}")

    try:
        client.ask(PICTURES / "not-there.png", "What is this?")
    except errors.InputUnreadable as error:
        print(error)

    # Busy services are asked again by themselves (`retries`); this is what is left when that did not help.
    try:
        client.ask(PICTURES / "shapes.png", "What is this?", timeout=0.001)
    except (errors.Overloaded, errors.RateLimited) as error:
        print("come back in", error.retry_after_ms, "ms")
    except errors.DeadlineExceeded as error:
        print("not within", error.details["timeout_ms"], "ms")

with QwenVLClient(base_url="http://127.0.0.1:1", retries=0) as nobody:
    try:
        nobody.ask(PICTURES / "shapes.png", "What is this?")
    except errors.Error as error:  # all of them
        print(type(error).__name__, "-", error)
