"""A piece of text as its letters, each with where it stood and what stood before it. Grows as a stream does."""

from __future__ import annotations

from sightline.moderation.normalise import DOT, LEET, SPACE, STOP, Folds, coarse

_WRITTEN_FOR = {mark: {letter for letter, marks in LEET.items() if mark in marks} for marks in LEET.values() for mark in marks}
_NOTHING: set[str] = set()


def kind(letter: str) -> str:
    """`a` for letters of scripts that put spaces between words, `d` for digits, `c` for those that do not, `s` for signs."""
    if letter.isascii():
        return "a" if letter.isalpha() else "d" if letter.isdigit() else "s"
    point = ord(letter)
    # Thai to Myanmar and Khmer; Hangul letters stay with the spaced scripts; Han, kana and everything beside them do not.
    if 0x0E00 <= point <= 0x0EFF or 0x1000 <= point <= 0x109F or 0x1780 <= point <= 0x17FF or 0x2E80 <= point <= 0x9FFF or point >= 0x20000:
        return "c"
    return "a" if letter.isalpha() else "s"


class Reading:
    """Letters of a text. All lists run in parallel; `coarse` is the same as one string.

    `at` is the place of the character in the original (in code points), `gaps` what stood between a letter and the one
    before it (bits, see `normalise`), `trailing` what stands after the last one, `end` where the reading has come to.
    """

    def __init__(self, folds: Folds, *, start: int = 0) -> None:
        self._folds = folds
        self.letters: list[str] = []
        self.originals: list[str] = []
        self.signs: list[str] = []
        """The letters again, in upper case where either of two may be meant (see `either`): equal signs have equal readings."""
        self.at: list[int] = []
        self.gaps: list[int] = []
        self.coarse = ""
        self.trailing = 0
        self.end = start
        self._before = ""
        """Kind of the letter before the first one that is kept; empty where there was none."""

    def read(self, text: str) -> None:
        """Goes on with more of the text."""
        added, trailing = len(self.letters), self.trailing
        add_letter, add_original, add_place, add_gap = self.letters.append, self.originals.append, self.at.append, self.gaps.append
        add_sign = self.signs.append
        for place, (original, (letters, gap)) in enumerate(zip(text, map(self._folds.__getitem__, map(ord, text)), strict=True), self.end):
            if not letters:
                trailing |= gap
                continue
            for letter in letters:
                add_letter(letter)
                add_original(original)
                add_sign(letter.upper() if letter in "il" and original not in "ilL" else letter)
                add_place(place)
                add_gap(trailing)
                trailing = 0
        self.trailing = trailing
        self.end += len(text)
        self.coarse += coarse("".join(self.letters[added:]))

    def drop(self, count: int) -> None:
        """Forgets the first letters: nothing can begin there any more."""
        if count:
            self._before = kind(self.letters[count - 1])
            for each in (self.letters, self.originals, self.signs, self.at, self.gaps):
                del each[:count]
            self.coarse = self.coarse[count:]

    def starts_word(self, index: int) -> bool:
        """Whether a word may begin with this letter."""
        before = kind(self.letters[index - 1]) if index else self._before
        return bool(self.gaps[index]) or before != kind(self.letters[index]) or before not in "ad" or not before

    def ends_word(self, index: int, *, final: bool) -> bool | None:
        """Whether a word may end with this letter; None when only more text can tell."""
        if index + 1 < len(self.letters):
            return self.starts_word(index + 1)
        return True if final or self.trailing or kind(self.letters[index]) not in "ad" else None

    def starts_sentence(self, index: int) -> bool:
        """Whether a sentence ended before this letter: at a full-width stop, or at `.!?` with a space and nothing else
        after a word. A letter that stands alone (`b. o. m. b.`) is no word."""
        gap = self.gaps[index]
        if gap != DOT | SPACE or index == 0:
            return bool(gap & STOP)
        alone = self.gaps[index - 1] or (index == 1 and not self._before)
        return not alone

    def same(self, index: int, letter: str) -> bool | None:
        """Whether what is written here is the letter: True as it is, None as a sign for it (`0` for `o`), False otherwise."""
        written = self.letters[index]
        if written == letter:
            return True
        if letter in _WRITTEN_FOR.get(written, _NOTHING) or (letter in "il" and self.either(index)):
            return None
        return False

    def either(self, index: int) -> bool:
        """Whether this is an upright stroke that may be an i or an l: `I`, and the look-alikes of both in other scripts."""
        return self.signs[index] in "IL"

    def readings(self, index: int) -> set[str]:
        """Every letter that what is written here may stand for."""
        written = self.letters[index]
        found = {written, *_WRITTEN_FOR.get(written, _NOTHING)}
        return found | {"i", "l"} if self.either(index) else found
