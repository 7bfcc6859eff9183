"""Stands in for `sightline.media.pdf` in a decoder process: the content says how it goes wrong."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from sightline.media.orders import PagesFound, SurveyPages


def survey_pages(data: bytes, order: SurveyPages) -> Any:
    what, *rest = data.decode().split()
    match what:
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "once":  # only where the folder it leaves is not there yet
            if not os.path.exists(rest[0]):
                os.mkdir(rest[0])
                os.abort()
        case "hang":
            time.sleep(60)
        case "spin":
            while True:
                pass
        case "eat":
            _ = bytearray(10**10)  # at once: filling memory bit by bit may meet the time limit first on a busy machine
        case "lie":
            return {"type": "PagesFound", "sizes": "many"}
        case "environment":
            return PagesFound(((len(os.environ), int("SECRET" in os.environ)),))
        case "write":
            with open(rest[0], "w") as file:
                file.write("x")
    return PagesFound(((os.getpid(), os.nice(0)),))
