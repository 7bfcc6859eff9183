"""Clips between the generator and what answers: the frames as a model sees them, and a real video for the service."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.scenes.qa import Film, Sample

Picture = NDArray[np.uint8]


class Frames(tuple[Picture, ...]):
    """The frames of a clip with their `times` (s), and the `film` that they were taken from."""

    times: tuple[float, ...]
    film: Film

    @staticmethod
    def make(pictures: Iterable[Picture], times: tuple[float, ...], film: Film) -> Frames:
        frames = Frames(pictures)
        frames.times, frames.film = times, film
        return frames

    def blank(self) -> Frames:
        """The same clip with nothing to be seen."""
        white = np.full_like(self.film.draw(0.0), 255)
        return Frames.make((np.full_like(p, 255) for p in self), self.times, Film(self.film.seconds, self.film.rate, lambda _: white))


def pictures_of(sample: Sample) -> tuple[Picture, ...]:
    """The pictures of a sample; those of a clip know their times."""
    return sample.images if sample.film is None else Frames.make(sample.images, sample.times, sample.film)


def encode(film: Film) -> bytes:
    """The film as MP4 (H.264), from its first to its last frame.

    As phones record it: every picture serves the next as a reference. Of others the service, which leaves out pictures that no other
    needs, may take one that is a few hundredths of a second older, and then says so in the time before it.
    """
    import av  # only a service takes videos

    held = io.BytesIO()
    container: Any = av.open(held, "w", format="mp4")
    stream = container.add_stream("libx264", rate=film.rate)
    stream.height, stream.width = film.draw(0.0).shape[:2]
    stream.pix_fmt, stream.options = "yuv420p", {"preset": "veryfast", "crf": "20", "bf": "0"}

    def packets() -> Iterator[Any]:
        for number in range(round(film.seconds * film.rate)):
            pixels = np.ascontiguousarray(film.draw(number / film.rate))
            yield from stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24"))
        yield from stream.encode()

    for packet in packets():
        container.mux(packet)
    container.close()
    return held.getvalue()
