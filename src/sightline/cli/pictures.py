"""Showing a picture in the terminal, where it can: the protocols of kitty (and Ghostty, Konsole) and of iTerm2 (and WezTerm).

kitty   https://sw.kovidgoyal.net/kitty/graphics-protocol/     PNG in base64, in pieces of 4096
iTerm2  https://iterm2.com/documentation-images.html           any common format in base64
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from sightline.cli.terminal import Terminal

Protocol = Literal["kitty", "iterm2"]
ROWS = 12
"""Height on the terminal, in lines."""
MOST_BYTES = 4 * 2**20
"""Larger pictures would keep a person waiting, over a slow line above all."""
_MOST = 4
_PIECE = 4096
_PNG = b"\x89PNG\r\n\x1a\n"
_KNOWN = (_PNG, b"\xff\xd8\xff", b"GIF8")


def protocol_of(environment: Mapping[str, str]) -> Protocol | None:
    """What the terminal understands, by what it says of itself; nothing inside tmux and screen, which pass nothing on."""
    if environment.get("TMUX") or environment.get("TERM", "").startswith(("screen", "tmux", "dumb")):
        return None
    program = environment.get("TERM_PROGRAM", "")
    if environment.get("KITTY_WINDOW_ID") or environment.get("TERM") in {"xterm-kitty", "xterm-ghostty"} or program == "ghostty":
        return "kitty"
    return "iterm2" if program in {"iTerm.app", "WezTerm"} else None


def drawn(data: bytes, protocol: Protocol) -> str | None:
    """What draws a picture, `ROWS` lines high; None for one that the terminal would not understand."""
    if len(data) > MOST_BYTES or not data.startswith(_KNOWN):
        return None
    encoded = base64.b64encode(data).decode()
    if protocol == "iterm2":
        return f"\x1b]1337;File=inline=1;height={ROWS};preserveAspectRatio=1;size={len(data)}:{encoded}\a\n"
    return "".join(_kitty(encoded)) + "\n" if data.startswith(_PNG) else None


def show(sources: Sequence[str | bytes], terminal: Terminal) -> None:
    """Shows the first pictures of this machine, where a person looks at a terminal that can. What cannot be shown is left out."""
    protocol = protocol_of(os.environ) if terminal.out.isatty() and not terminal.as_json else None
    if protocol is None:
        return
    for source in sources[:_MOST]:
        drawing = drawn(source if isinstance(source, bytes) else _head(source), protocol)
        if drawing:
            terminal.draw(drawing)


def _head(name: str) -> bytes:
    """The content of a small file; nothing where it cannot be read, which the question itself will tell."""
    try:
        path = Path(name)
        return path.read_bytes() if path.stat().st_size <= MOST_BYTES else b""
    except (OSError, ValueError):
        return b""


def _kitty(encoded: str) -> Iterator[str]:
    # a=T: send and show; f=100: PNG; r: rows; q=2: say nothing back, which nobody would read.
    keys = f"a=T,f=100,r={ROWS},q=2,"
    for start in range(0, len(encoded), _PIECE):
        more = int(start + _PIECE < len(encoded))
        yield f"\x1b_G{keys}m={more};{encoded[start : start + _PIECE]}\x1b\\"
        keys = ""
