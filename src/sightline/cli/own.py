"""An engine of the command's own: a service without its HTTP face, for one question or a few, on this machine."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sightline.assembly import Service, open_service
from sightline.client import Image, encode_request
from sightline.config import LaneSettings, LocalEngine, Settings, TrustSettings
from sightline.protocol.decode import decode
from sightline.protocol.events import Envelope, Event
from sightline.protocol.language import Language
from sightline.protocol.requests import InferRequest
from sightline.service.infer import collect
from sightline.service.ports import Caller


class Own:
    """A service to be asked from within this process."""

    def __init__(self, service: Service, language: Language = "en") -> None:
        self._service = service
        self._language: Language = language

    def ask(self, request: InferRequest) -> AsyncGenerator[Event]:
        """The events of one answer. Raises a class of `protocol.errors`."""
        return self._service.stream(self._service.call(request, Caller(language=self._language)))

    async def answer(self, request: InferRequest) -> Envelope:
        """One answer in one piece. Raises a class of `protocol.errors`."""
        return await collect(self.ask(request))


def read_request(images: Iterable[Image], question: str, task: str, options: Mapping[str, Any]) -> InferRequest:
    """The request with everything local read. Raises `InputUnreadable`, `MalformedRequest`."""
    return decode(encode_request(images, question, task, options), InferRequest)


@asynccontextmanager
async def open_own(settings: Settings, language: Language = "en") -> AsyncGenerator[Own]:
    """Starts the engines of the settings and ends them at the close. Raises `StartupError`."""
    async with open_service(settings) as service:
        yield Own(service, language)


def one_engine(model: str, mmproj: str | None) -> Settings:
    """One engine for all lanes, since nobody else is waiting. A person's own questions to their own machine go on no record."""
    lane = LaneSettings(backends=["own"])
    return Settings(
        backends={"own": LocalEngine(model=model, mmproj=mmproj)},
        lanes={"A": lane, "B": lane, "C": lane},
        trust=TrustSettings(moderation=False),
    )
