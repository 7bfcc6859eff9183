"""Sightline: vision-language models as a service.

`from sightline import QwenVLClient` is all that a product needs; `sightline serve` starts a service of its own.
"""

from __future__ import annotations

__version__ = "0.1.0"
