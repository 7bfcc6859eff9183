"""What every match of a pattern ends with: letters to look for before a pattern is tried at all; see `pattern`."""

from __future__ import annotations

from collections.abc import Sequence

from sightline.moderation.normalise import coarse

_MOST, _LONGEST = 128, 4
"""Tails of a pattern, and letters of each."""


def find_tails(first: int, last: int, follow: Sequence[int], letters: Sequence[frozenset[str] | None]) -> frozenset[str]:
    """The coarse letters with which matches end; empty where they may be any.

    A pattern is its positions: masks of those that come first and last, for each the mask of those that may follow it, and the
    letters that it takes (None for all but a few).
    """
    before = _turn_round(follow)
    best: frozenset[str] = frozenset()
    growing: dict[str, int] = {"": last}
    done: set[str] = set()
    for _ in range(_LONGEST):
        longer: dict[str, int] = {}
        for tail, positions in growing.items():
            for position in bits(positions):
                taken = letters[position]
                if taken is None:
                    return best
                for letter in taken:
                    grown = coarse(letter) + tail
                    if first >> position & 1:
                        done.add(grown)
                    if before[position]:
                        longer[grown] = longer.get(grown, 0) | before[position]
        tails = frozenset(longer) | done
        if len(tails) > _MOST:
            break
        best, growing = tails, longer
    return best


def _turn_round(follow: Sequence[int]) -> list[int]:
    """For each position the mask of those that may come before it."""
    # The ends of alternatives are followed alike: they are looked through together.
    alike: dict[int, int] = {}
    for position, after in enumerate(follow):
        alike[after] = alike.get(after, 0) | 1 << position
    before = [0] * len(follow)
    for after, positions in alike.items():
        for other in bits(after):
            before[other] |= positions
    return before


def bits(mask: int) -> list[int]:
    """The places of the ones."""
    found: list[int] = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found
