"""Frames of a video by PyAV (FFmpeg). Runs in a decoder process only.

Sampled evenly in time, told with the time at which each frame really stands (variable frame rates), upright (display
matrix), in square pixels (sample aspect ratio), one field of interlaced material, without repetitions.

No level of `av.logging` is ever set: PyAV then passes FFmpeg's messages over in C. With one, whatever it is, every message asks for the
interpreter lock first, and a decoder's thread that has something to say waits for ever for the one that waits for it to end.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast

import av
import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation

from sightline.media.orders import ClipFound, Limits, Reply, SampleClip, SurveyClip
from sightline.media.picture import Picture, Pixels
from sightline.media.refusals import Broken, Over

_DEMUXERS = {"mp4": "mov", "mov": "mov", "webm": "matroska", "mkv": "matroska"}
_BLOCK = 8
_SAME = 2.0
"""Two frames repeat each other when no block of 8x8 pixels differs by more than this (of 255) in its mean."""
_DENSE = 4.0
"""From this many frames for each that is wanted, those that no other frame needs are not decoded."""


def survey_clip(data: bytes, order: SurveyClip) -> Reply:
    """Size and length, from the header, the first frame, and, where the header tells no length, every packet's time."""
    with _opened(data, order.form) as container:
        stream = _stream(container)
        stream.codec_context.thread_count = 1
        first = next(_frames(container, stream, order.limits), None)
        if first is None:
            raise Broken("pixels")
        width, height = _displayed(first, stream)
        if stream.duration and stream.time_base:
            seconds = float(stream.duration * stream.time_base)
        elif container.duration:
            seconds = container.duration / av.time_base
        else:
            seconds = _last_time(container, stream)
    return ClipFound(width, height, max(seconds, 0.001))


def sample_clip(data: bytes, order: SampleClip) -> Iterator[Picture]:
    """At most `order.frames` pictures, each the one that was on screen at its moment."""
    with _opened(data, order.form) as container:
        stream = _stream(container)
        stream.codec_context.thread_count = order.threads
        stream.thread_type = "FRAME" if order.threads > 1 else "AUTO"
        if float(stream.average_rate or 0) * order.spacing >= _DENSE:
            stream.codec_context.skip_frame = "NONREF"
        kept: Pixels | None = None
        for frame, seconds in _on_screen(_frames(container, stream, order.limits), order.spacing, order.frames, order.used):
            pixels, changes = _draw(frame, order.width, order.height)
            blocks = _blocks(pixels)
            if kept is not None and float(np.abs(blocks - kept).max()) <= _SAME:
                continue
            kept = blocks
            yield Picture(pixels, changes, timestamp=round(seconds, 3))
    if kept is None:
        raise Broken("pixels")


def _on_screen(frames: Iterator[VideoFrame], spacing: float, count: int, used: float) -> Iterator[tuple[VideoFrame, float]]:
    """The last frame at or before each of `count` moments `spacing` seconds apart, once, with its own time from the start."""
    moment = 0
    start: float | None = None
    previous: tuple[VideoFrame, float] | None = None
    for frame in frames:
        if frame.pts is None:
            continue
        time = frame.time
        start = time if start is None else start
        seconds = time - start
        taken = False
        while moment < count and previous is not None and seconds > moment * spacing + 1e-6:
            if not taken:
                yield previous
            taken = True
            moment += 1
        if moment >= count or seconds >= used:
            return
        previous = (frame, seconds)
    if previous is not None and moment < count:
        yield previous


def _draw(frame: VideoFrame, width: int, height: int) -> tuple[Pixels, tuple[str, ...]]:
    """One frame at exactly `width` x `height` as displayed."""
    changes: list[str] = []
    turns = round(frame.rotation / 90) % 4
    stored = (height, width) if turns % 2 else (width, height)
    if frame.interlaced_frame:
        changes.append("deinterlaced")
        whole = frame.reformat(format="rgb24").to_ndarray()
        frame = VideoFrame.from_ndarray(cast("Any", np.ascontiguousarray(whole[::2])), format="rgb24")
    pixels: Any = frame.reformat(*stored, format="rgb24", interpolation=Interpolation.AREA).to_ndarray()
    if turns:
        changes.append("rotated")
        pixels = np.ascontiguousarray(np.rot90(pixels, turns))
    return pixels, tuple(changes)


def _blocks(pixels: Pixels) -> Pixels:
    """Means of blocks of 8x8 pixels; what is left over at the edges is left out."""
    rows, columns = pixels.shape[0] // _BLOCK, pixels.shape[1] // _BLOCK
    whole = pixels[: rows * _BLOCK, : columns * _BLOCK]
    return whole.reshape(rows, _BLOCK, columns, _BLOCK, 3).mean(axis=(1, 3), dtype=np.float32)


def _opened(data: bytes, form: str) -> Any:
    try:
        return av.open(io.BytesIO(data), format=_DEMUXERS[form], options={"protocol_whitelist": ""}, metadata_errors="ignore")
    except (FFmpegError, ValueError, OSError) as error:
        raise Broken("header", type(error).__name__) from None


def _stream(container: Any) -> Any:
    if not container.streams.video:
        raise Broken("empty")
    return container.streams.video[0]


def _frames(container: Any, stream: Any, limits: Limits) -> Iterator[VideoFrame]:
    """Frames in order. What cannot be decoded is passed over; a file that breaks off ends there."""
    with suppress(FFmpegError, ValueError):
        for packet in container.demux(stream):
            with suppress(FFmpegError):
                for frame in packet.decode():
                    if frame.width * frame.height > limits.pixels:
                        raise Over("pixels", frame.width * frame.height, limits.pixels)
                    yield frame


def _displayed(frame: VideoFrame, stream: Any) -> tuple[int, int]:
    ratio = float(stream.sample_aspect_ratio or 1) or 1.0
    width = max(1, round(frame.width * ratio)) if 1 / 8 <= ratio <= 8 else frame.width
    return (frame.height, width) if round(frame.rotation / 90) % 2 else (width, frame.height)


def _last_time(container: Any, stream: Any) -> float:
    """The end of the last packet, by reading them all; live recordings of browsers tell no length."""
    end = start = None
    with suppress(FFmpegError):
        container.seek(0)
        for packet in container.demux(stream):
            if packet.pts is not None:
                start = packet.pts if start is None else min(start, packet.pts)
                end = max(end or 0, packet.pts + (packet.duration or 0))
    return float((end - start) * stream.time_base) if end is not None and start is not None else 0.0
