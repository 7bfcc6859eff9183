"""Structured results as the tasks give them, and the inputs that they are about."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, ImageDraw, ImageFont

CHART: dict[str, Any] = {
    "charts": [
        {
            "image_index": 0,
            "chart_type": "bar",
            "title": "Sales",
            "x_axis": "Month",
            "y_axis": "",
            "unit": "kUSD",
            "series": [
                {
                    "name": "",
                    "points": [
                        {"label": "Jan", "value": 42, "confidence": 0.98},
                        {"label": "Feb", "value": 17, "confidence": 0.91},
                        {
                            "label": "Mar",
                            "value": 83,
                            "confidence": 0.44,
                            "second_look": {"value": 88, "agrees": False, "box": [660, 280, 860, 740], "confidence": 0.9},
                        },
                        {
                            "label": "Apr",
                            "value": 63,
                            "confidence": 0.72,
                            "second_look": {"value": 63, "agrees": True, "box": [890, 380, 1090, 740], "confidence": 0.9},
                        },
                    ],
                }
            ],
            "confidence": 0.76,
            "checks": [
                {"type": "monotone", "passed": True},
                {"type": "total", "passed": False, "msg": "The parts do not add up to the total."},
            ],
            "complete": True,
        }
    ],
    "question": "How much higher is Mar than Jan?",
    "derived": {
        "operation": "difference",
        "formula": "83 - 42 = 41",
        "result": 41,
        "text": "Mar is higher than Jan by 41 kUSD.",
        "answer": "41 kUSD",
        "unit": "kUSD",
        "inputs": [],
        "confidence": 0.43,
    },
    "looked_again": 2,
    "agreed": 1,
}
LINES = {
    **CHART["charts"][0],
    "chart_type": "line",
    "series": [
        {"name": name, "points": [{"label": str(2015 + year), "value": start + step * year, "confidence": 0.9} for year in range(10)]}
        for name, start, step in (("Solar", 4, 3), ("Wind", 11, 1.5), ("Coal", 40, -2))
    ],
    "unit": "%",
    "x_axis": "Year",
    "title": "Electricity by source, as a share of all that was generated in the country",
    "checks": [],
}
PIE = {
    **CHART["charts"][0],
    "chart_type": "pie",
    "title": "",
    "unit": "%",
    "series": [
        {"name": "", "points": [{"label": label, "value": value} for label, value in (("Rent", 41), ("Food", 24.5), ("Travel", 34.5))]}
    ],
    "checks": [],
}
STACKED = {**LINES, "chart_type": "stacked_bar", "title": "Stacked"}
MANY = {"charts": [LINES, PIE, STACKED], "question": None, "derived": None, "looked_again": 0, "agreed": 0}
BOXES = {
    "objects": [
        {"label": "the red circle", "box": [80, 60, 330, 310], "image_index": 0, "confidence": 0.95},
        {"label": "a star", "box": [430, 280, 700, 560], "image_index": 0, "confidence": 0.52},
    ]
}
TEXT: dict[str, Any] = {
    "lines": [
        {"text": "Invoice 2026-114", "box": [60, 40, 700, 110], "image_index": 0, "confidence": 0.99},
        {"text": "Total: 1,280.00 EUR", "box": [60, 160, 700, 230], "image_index": 0, "confidence": 0.47},
    ]
}
PAGES = {
    "output": "answer",
    "found": True,
    "pages": [1, 2, 3, 4, 5],
    "citations": [
        {"page": 2, "input": 0, "quote": "Signed in Lisbon on 4 May 2026 by both parties.", "confidence": 0.93},
        {"page": 5, "input": 0, "quote": "The term ends on 31 December 2029.", "confidence": 0.55},
    ],
    "failed_pages": [4],
}
FIELDS = {
    "output": "fields",
    "fields": {
        "total": {"value": 1280.5, "page": 2, "confidence": 0.97},
        "signed_by": {"value": None, "page": None, "confidence": None},
    },
    "pages": [1, 2],
    "failed_pages": [],
}
MOMENTS = {
    "timestamps": [
        {"seconds": 1.0, "text": "A red square comes in from the left.", "confidence": 0.9},
        {"start": 2.5, "end": 3.5, "text": "It stops.", "confidence": 0.5},
        {"seconds": 3.0, "text": "second 3", "within": True},
        {"seconds": 90.0, "text": "second 90", "within": False},
    ]
}
MARKDOWN = """## Summary

The chart shows **four months**:

1. January is *modest*
2. March leads

| Month | Sales |
|---|---:|
| Jan | 42 |
| Mar | 88 |

See [the report](https://example.com/report), not [this](javascript:alert(1)).
![a picture](https://example.com/x.png) <b onclick="x()">raw</b>

```python
print("hello")
```"""


def page_picture(number: int) -> bytes:
    """A page of a document as the service draws it."""
    page = Image.new("RGB", (424, 600), "white")
    pen = ImageDraw.Draw(page)
    pen.text((40, 36), f"Page {number}", fill="#222222", font=ImageFont.load_default(34))
    for line in range(16):
        pen.rectangle((40, 110 + 27 * line, 384 - (line * 37 + number * 53) % 150, 118 + 27 * line), fill="#c9c5ba")
    out = io.BytesIO()
    page.save(out, "JPEG", quality=80)
    return out.getvalue()


def clip() -> bytes:
    """Four seconds in which a square crosses the picture, as every browser plays it."""
    import av
    import numpy as np

    out = io.BytesIO()
    with av.open(out, "w", format="webm") as container:
        stream = container.add_stream("libvpx", rate=8)
        stream.width, stream.height, stream.pix_fmt = 192, 128, "yuv420p"
        for number in range(32):
            picture = np.full((128, 192, 3), 245, np.uint8)
            left = min(number, 20) * 7
            picture[44:84, left : left + 40] = (190, 50, 40)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return out.getvalue()
