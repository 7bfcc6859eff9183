"""The header of a GGUF file: its facts, and whether the file is whole. Nothing of the weights is read.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The `gguf` package's own reader makes arrays of every token and
merge, which takes seconds for a vocabulary of 150,000; here arrays are stepped over, which takes a tenth of one.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Value = int | float | bool | str

_SCALARS: Mapping[int, struct.Struct] = {
    kind: struct.Struct("<" + code)
    for kind, code in {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}.items()
}
_STRING, _ARRAY = 8, 9
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")
_MOST_ENTRIES = 1_000_000
"""Keys or tensors in one file; the largest models have some thousands."""


class BrokenFile(ValueError):
    """A file that is no GGUF file, or not all of one."""


@dataclass(frozen=True, slots=True)
class Header:
    """The scalar facts by their keys, arrays left out."""

    facts: Mapping[str, Value]
    architecture: str

    def text(self, key: str) -> str | None:
        value = self.facts.get(key)
        return value if isinstance(value, str) else None

    def whole(self, key: str) -> int | None:
        value = self.facts.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def number(self, key: str) -> float | None:
        value = self.facts.get(key)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    def of_model(self, key: str) -> int | None:
        """A fact of the architecture, such as `context_length`."""
        return self.whole(f"{self.architecture}.{key}")


def read_header(path: Path) -> Header:
    """Reads a file's header; some milliseconds, a tenth of a second for a large vocabulary.

    Raises `BrokenFile` when it is no GGUF file of version 2 or 3 or ends before its tensors do, `OSError` when it cannot be read.
    """
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise BrokenFile("it is not a GGUF file")
        try:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Reader(data).header()
        except (struct.error, IndexError, OverflowError, UnicodeDecodeError) as error:
            raise BrokenFile("it is damaged, or not all of it is there") from error


class _Reader:
    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 4

    def header(self) -> Header:
        version = self._u32()
        if version not in (2, 3):
            raise BrokenFile(f"its GGUF version {version} is not known here")
        tensors, keys = self._u64(), self._u64()
        if max(tensors, keys) > _MOST_ENTRIES:
            raise BrokenFile("it is damaged")
        facts: dict[str, Value] = {}
        for _ in range(keys):
            key = self._string()
            value = self._value(self._u32())
            if value is not None:
                facts[key] = value
        self._check_whole(tensors, facts.get("general.alignment", 32))
        return Header(facts, str(facts.get("general.architecture", "")))

    def _check_whole(self, tensors: int, alignment: Value) -> None:
        from gguf.constants import GGML_QUANT_SIZES  # here, because it brings numpy

        sizes = {int(kind): size for kind, size in GGML_QUANT_SIZES.items()}
        end = 0
        for _ in range(tensors):
            self._string()
            elements = math.prod(self._u64() for _ in range(self._u32()))
            kind, offset = self._u32(), self._u64()
            block, size = sizes.get(kind, (1, 0))  # of a type newer than the package, the start alone is checked
            end = max(end, offset + elements // block * size)
        step = alignment if isinstance(alignment, int) and alignment > 0 else 32
        start = -(-self._at // step) * step
        if start + end > len(self._data):
            raise BrokenFile("it is not all there: it ends before its weights do")

    def _value(self, kind: int) -> Value | None:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            return self._skip_array()
        scalar = _SCALARS.get(kind)
        if scalar is None:
            raise BrokenFile("it is damaged")
        (value,) = scalar.unpack_from(self._data, self._at)
        self._at += scalar.size
        return value

    def _skip_array(self) -> None:
        kind, count = self._u32(), self._u64()
        if scalar := _SCALARS.get(kind):
            self._at += scalar.size * count
        elif kind == _STRING:
            data, at, unpack = self._data, self._at, _U64.unpack_from
            for _ in range(count):
                at += 8 + unpack(data, at)[0]
            self._at = at
        else:
            raise BrokenFile("it is damaged")

    def _string(self) -> str:
        length = self._u64()
        if length > len(self._data) - self._at:
            raise BrokenFile("it is damaged, or not all of it is there")
        self._at += length
        return self._data[self._at - length : self._at].decode()

    def _u32(self) -> int:
        (value,) = _U32.unpack_from(self._data, self._at)
        self._at += 4
        return value

    def _u64(self) -> int:
        (value,) = _U64.unpack_from(self._data, self._at)
        self._at += 8
        return value
