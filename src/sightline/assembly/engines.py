"""Engines, assembled: configuration entries become backends, nothing started yet."""

from __future__ import annotations

import os

from sightline.backends.dialects import DIALECTS
from sightline.backends.fake import FakeBackend
from sightline.backends.pool import Engine, FixedPool
from sightline.backends.remote import RemoteBackend
from sightline.backends.smaller import SmallerBackend
from sightline.config import FakeEngine, LocalEngine, RemoteEngine, Settings, SmallerEngine
from sightline.server.metrics import EngineState
from sightline.service.ports import StartupError


def build_pool(settings: Settings) -> FixedPool:
    """The engines of every lane. Raises `StartupError`."""
    engines = build_engines(settings)
    return FixedPool(
        {name: [engines[each] for each in lane.backends] for name, lane in settings.lanes.items()},
        {name: [engines[each] for each in lane.lighter] for name, lane in settings.lanes.items()},
    )


def build_engines(settings: Settings) -> dict[str, Engine]:
    """Every engine of the configuration, by its name. Raises `StartupError`."""
    engines = {name: build_engine(name, engine) for name, engine in settings.backends.items() if not isinstance(engine, SmallerEngine)}
    for name, engine in settings.backends.items():
        if isinstance(engine, SmallerEngine):
            engines[name] = SmallerBackend(name, engines[engine.of], engine.max_pixels)
    return engines


def build_engine(name: str, engine: LocalEngine | RemoteEngine | FakeEngine) -> Engine:
    """The backend that a configuration entry describes; nothing is started yet. Raises `StartupError`."""
    match engine:
        case LocalEngine():
            # llama.cpp and the readers of its files are only needed here.
            from sightline.backends.local import LocalBackend

            return LocalBackend(
                name,
                engine.model,
                mmproj=engine.mmproj,
                slots=engine.slots,
                threads=engine.threads,
                context=engine.context,
                background=engine.background,
            )
        case RemoteEngine():
            if engine.dialect not in DIALECTS:
                raise StartupError(f"backends.{name}.dialect is '{engine.dialect}'; allowed are: {', '.join(sorted(DIALECTS))}.")
            key = os.environ.get(engine.key_env) if engine.key_env else None
            if engine.key_env and not key:
                raise StartupError(f"backends.{name}.key_env names the environment variable {engine.key_env}, which is not set.")
            dialect = DIALECTS[engine.dialect]
            return RemoteBackend(name, engine.url, dialect=dialect, model=engine.model, key=key, stall_s=engine.stall_s)
        case FakeEngine():
            return FakeBackend(
                name,
                prefill_tokens_per_s=engine.prefill,
                decode_tokens_per_s=engine.decode,
                slots=engine.slots,
                answer_tokens=engine.answer_tokens,
            )


def state_of(engine: Engine) -> EngineState:
    """An engine as the metrics page tells of it; only those of our own are ever started again."""
    return EngineState(engine.name, engine.ready(), getattr(engine, "restarts", 0))
