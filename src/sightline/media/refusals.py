"""How the gate says no: two exceptions that decoders raise, in words of ours, and their sentences for a caller.

A decoder knows neither the request nor its reader, and may run in another process; so it names only a reason or a bound.
The gate turns both into errors of `protocol.errors`. A decoder library's own words go no further than the log.
"""

from __future__ import annotations

from typing import Literal

from sightline.protocol.errors import DamagedMedia, Error, TooLarge
from sightline.protocol.language import Bilingual

Reason = Literal["truncated", "header", "pixels", "encrypted", "empty", "slow", "memory", "crash", "variant"]
Bound = Literal["bytes", "pixels", "pages", "seconds", "aspect"]

_REASONS: dict[Reason, Bilingual] = {
    "truncated": Bilingual("文件不完整，内容提前结束", "the file is cut off"),
    "header": Bilingual("文件头已损坏", "its header is broken"),
    "pixels": Bilingual("图像数据已损坏", "its image data is broken"),
    "encrypted": Bilingual("文件受密码保护", "it is protected by a password"),
    "empty": Bilingual("其中没有可用的画面", "there is no picture in it"),
    "slow": Bilingual("解码时间超出上限", "decoding took longer than allowed"),
    "memory": Bilingual("解码所需内存超出上限", "decoding needs more memory than allowed"),
    "crash": Bilingual("该文件会使解码器崩溃，已被隔离", "it crashes the decoder and is kept out"),
    "variant": Bilingual("使用了不支持的编码方式", "it is encoded in a way that is not supported"),
}

_BOUNDS: dict[Bound, tuple[Bilingual, Bilingual]] = {
    "bytes": (Bilingual("文件", "The file"), Bilingual("字节", "bytes")),
    "pixels": (Bilingual("图像", "The picture"), Bilingual("像素", "pixels")),
    "pages": (Bilingual("文档", "The document"), Bilingual("页", "pages")),
    "seconds": (Bilingual("视频", "The video"), Bilingual("秒", "s")),
    "aspect": (Bilingual("图像的长宽比", "The picture's aspect ratio"), Bilingual(": 1", ": 1")),
}

_CROP_IT = Bilingual("请裁剪为更接近方形的图像后重试。", "Cut it into pictures that are closer to a square.")


class Broken(Exception):
    """An input of a known format that cannot be decoded. `cause` is for the log alone."""

    def __init__(self, reason: Reason, cause: str | None = None) -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        self.cause = cause

    def told(self, index: int, title: str) -> Error:
        return DamagedMedia(index, title, _REASONS[self.reason], cause=self.cause)


class Over(Exception):
    """An input over a bound, found before the work that the bound guards."""

    def __init__(self, bound: Bound, actual: float, limit: float) -> None:
        super().__init__(bound)
        self.bound: Bound = bound
        self.actual = actual
        self.limit = limit

    def told(self, index: int) -> Error:
        what, unit = _BOUNDS[self.bound]
        advice = _CROP_IT if self.bound == "aspect" else None
        return TooLarge(what, _short(self.actual), _short(self.limit), unit, input=index, advice=advice)


def _short(number: float) -> float:
    return int(number) if number == int(number) else round(number, 1)
