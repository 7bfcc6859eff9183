"""A caption as alternative text: one line, without the words that a screen reader says anyway, short enough to be heard in one go.

Source: W3C WAI, "Images Tutorial: Tips and Tricks" (no "image of"; short). The bound of 125 characters is the one that screen readers'
users are usually advised by.
"""

from __future__ import annotations

import re

MOST_CHARACTERS = 125
_OPENING = re.compile(
    r"^(?:(?:this|the|an?)\s+(?:image|picture|photo|photograph|chart image)\s+(?:of|showing|with|shows|depicts)\s+"
    r"|(?:这是)?(?:一张|这张|一幅|这幅)?(?:图片|照片|图像|图)(?:中)?(?:显示了?|展示了?|是|上是|里是)[：:，,]?)",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r".+?[.!?。！？](?=\s|$|[^\d.])", re.DOTALL)


def shorten(caption: str) -> str:
    """The caption within `MOST_CHARACTERS`: whole sentences as far as they fit, else cut between words."""
    line = " ".join(caption.split())
    opening = _OPENING.match(line)
    if opening and (bare := line[opening.end() :]):
        line = bare[:1].upper() + bare[1:]
    if len(line) <= MOST_CHARACTERS:
        return line
    kept = ""
    for sentence in _SENTENCE.finditer(line):
        if sentence.end() > MOST_CHARACTERS:
            break
        kept = line[: sentence.end()]
    if kept:
        return kept
    room = line[: MOST_CHARACTERS - 1]
    head, space, _ = room.rpartition(" ")
    # Chinese has no blanks to cut at.
    return (head if space and len(head) > MOST_CHARACTERS // 2 else room).rstrip(",;:，；、 ") + "…"
