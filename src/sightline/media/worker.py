"""A decoder process: `python -m sightline.media.worker FD`. It decodes what native code may crash or hang on, one order at a time.

It has no environment worth reading, bounded memory and processor time, and ends when its socket closes or nobody has
asked for a while. Its codecs are imported when they are first needed.
"""

from __future__ import annotations

import importlib
import mmap
import os
import resource
import socket
import sys
from collections.abc import Iterator
from typing import Protocol, cast

import msgspec
import numpy as np

from sightline.media.headers import Still, read_header
from sightline.media.orders import (
    Drawings,
    Drawn,
    EncodeDrawings,
    EncodeStill,
    Finish,
    Order,
    RenderPages,
    Reply,
    SampleClip,
    SurveyClip,
    SurveyPages,
    WasBroken,
    WasOver,
    Writings,
    Written,
)
from sightline.media.picture import Encoded, Picture
from sightline.media.refusals import Broken, Over

_MOST_ORDER_BYTES = 256_000


class PageDecoder(Protocol):
    """A module that reads documents of pages."""

    def survey_pages(self, data: bytes, order: SurveyPages) -> Reply: ...
    def render_pages(self, data: bytes, order: RenderPages) -> Iterator[Picture]: ...


class ClipDecoder(Protocol):
    """A module that reads videos."""

    def survey_clip(self, data: bytes, order: SurveyClip) -> Reply: ...
    def sample_clip(self, data: bytes, order: SampleClip) -> Iterator[Picture]: ...


class Encoder(Protocol):
    """The module that decodes still pictures and encodes."""

    def encode_still(self, data: bytes, order: EncodeStill, header: Still) -> Encoded: ...
    def encode_all(self, pictures: Iterator[Picture], how: Finish) -> Iterator[Encoded]: ...


_PAGES = {"pdf": "pdf", "tiff": "tiff", "dicom": "dicom", "heic": "heic"}


def main() -> None:
    """Serves orders on the socket named by its first argument: descriptor, address space (bytes), patience (s), priority, role."""
    descriptor, address_space, patience, niceness = (int(argument) for argument in sys.argv[1:5])
    _confine(address_space, niceness)
    if sys.argv[5] == "encode":
        _encoder()  # everything that it will ever need
    decoder = msgspec.json.Decoder(cast("type[Order]", Order))
    with socket.socket(fileno=descriptor) as peer:
        peer.settimeout(patience)
        while True:
            try:
                message, descriptors, _, _ = socket.recv_fds(peer, _MOST_ORDER_BYTES, 2)
            except TimeoutError:
                return
            if not message or len(descriptors) != 2:
                return
            try:
                reply = _obey(decoder.decode(message), *descriptors)
            finally:
                for received in descriptors:
                    os.close(received)
            peer.sendall(msgspec.json.encode(reply))


def _confine(address_space: int, niceness: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # a mapped file in memory is not written, so pixels still pass
    os.nice(niceness)


def _obey(order: Order, source: int, target: int) -> Reply:
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime)
    resource.setrlimit(resource.RLIMIT_CPU, (spent + order.limits.cpu_seconds, resource.RLIM_INFINITY))
    try:
        if isinstance(order, EncodeDrawings):
            return _write(_encoder().encode_all(_drawn(order, source), order.finish), target)
        with mmap.mmap(source, 0, access=mmap.ACCESS_READ) as mapped:
            data = mapped[:]
        match order:
            case EncodeStill():
                return _write(iter((_encoder().encode_still(data, order, read_header(order.form, data)),)), target)
            case SurveyPages():
                return _pages(order.form).survey_pages(data, order)
            case SurveyClip():
                return _clips().survey_clip(data, order)
            case RenderPages():
                return _draw(_pages(order.form).render_pages(data, order), target)
            case SampleClip():
                return _draw(_clips().sample_clip(data, order), target)
    except Broken as error:
        return WasBroken(error.reason, error.cause)
    except Over as error:
        return WasOver(error.bound, error.actual, error.limit)
    except MemoryError:
        return WasBroken("memory")


def _draw(pictures: Iterator[Picture], target: int) -> Drawings:
    drawn: list[Drawn] = []
    with mmap.mmap(target, 0) as mapped:
        at = 0
        for picture in pictures:
            height, width = picture.pixels.shape[:2]
            size = height * width * 3
            np.frombuffer(mapped, np.uint8, size, at)[:] = picture.pixels.reshape(-1)
            at += size
            drawn.append(Drawn(width, height, picture.changes, picture.page, picture.timestamp))
    return Drawings(tuple(drawn))


def _drawn(order: EncodeDrawings, source: int) -> Iterator[Picture]:
    """What another process has drawn. It stays where it is: pixels are only looked at."""
    mapped = mmap.mmap(source, 0, access=mmap.ACCESS_READ)
    at = 0
    for each in order.pictures:
        size = each.height * each.width * 3
        pixels = np.frombuffer(mapped, np.uint8, size, at).reshape(each.height, each.width, 3)
        at += size
        yield Picture(pixels, each.changes, each.page, each.timestamp)


def _write(pictures: Iterator[Encoded], target: int) -> Writings:
    written: list[Written] = []
    with mmap.mmap(target, 0) as mapped:
        for each in pictures:
            if len(each.data) > len(mapped) - mapped.tell():
                raise MemoryError
            mapped.write(each.data)
            written.append(Written(len(each.data), each.width, each.height, each.found, each.changes, each.page, each.timestamp))
    return Writings(tuple(written))


def _encoder() -> Encoder:
    return cast("Encoder", importlib.import_module("sightline.media.encode"))


def _pages(form: str) -> PageDecoder:
    return cast("PageDecoder", importlib.import_module(f"sightline.media.{_PAGES[form]}"))


def _clips() -> ClipDecoder:
    return cast("ClipDecoder", importlib.import_module("sightline.media.video"))


if __name__ == "__main__":
    main()
