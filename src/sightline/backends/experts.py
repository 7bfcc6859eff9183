"""Which experts of a mixture were at work, from what vLLM tells of an answer (`routed_experts`): base64 of a .npy array, whole numbers,
[tokens - 1, layers, experts at a time]. Source: vLLM, `--enable-return-routed-experts`.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pybase64
from numpy.typing import NDArray

from sightline.protocol.events import ExpertUsage

_MOST_BYTES = 256 * 2**20


def read_experts(encoded: str, experts: int | None) -> ExpertUsage | None:
    """What the array says; None where it is none, or all zero, which some kernels answer instead of the truth.

    `experts` is how many a layer has, as the operator says.
    """
    if len(encoded) > _MOST_BYTES:
        return None
    try:
        data = pybase64.b64decode(encoded, validate=True)
        array: Any = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, OSError, EOFError):
        return None
    if array.ndim != 3 or 0 in array.shape or array.dtype.kind not in "iu":
        return None
    return summarise(array, experts)


def summarise(routed: NDArray[Any], experts: int | None) -> ExpertUsage | None:
    """`routed` as [tokens, layers, experts at a time]. None where it cannot be true: all zero, or beyond `experts`."""
    most = int(routed.max())
    if not routed.any() or int(routed.min()) < 0 or (experts is not None and most >= experts) or most > 65_535:
        return None
    layers = routed.shape[1]
    # Some models have layers without experts, which are told as zeros: they are no layers of the mixture.
    mixed = [layer for layer in range(layers) if routed[:, layer].any()]
    distinct, entropy = 0, 0.0
    for layer in mixed:
        counts = np.bincount(routed[:, layer].ravel().astype(np.int64))
        shares = counts[counts > 0] / counts.sum()
        distinct += len(shares)
        entropy -= float((shares * np.log2(shares)).sum())
    total = None if experts is None else experts * len(mixed)
    return ExpertUsage(distinct=distinct, total=total, layers=len(mixed), entropy=round(entropy / len(mixed), 3))
