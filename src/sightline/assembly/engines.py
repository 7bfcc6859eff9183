"""Engines, assembled: configuration entries become backends, nothing started yet."""

from __future__ import annotations

import os
import ssl
import time
from dataclasses import replace
from pathlib import Path

from sightline.backends.asked import Features
from sightline.backends.balance import Balance
from sightline.backends.defaults import QWEN_MOST_PIXELS, QWEN_VIEW
from sightline.backends.dialects import DIALECTS
from sightline.backends.discovery import Place, dns, static
from sightline.backends.fake import FakeBackend
from sightline.backends.pool import Engine, FixedPool, Route
from sightline.backends.remote import RemoteBackend
from sightline.backends.replicas import ReplicaSet
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
        {task: Route([engines[each] for each in route.backends], route.model) for task, route in settings.routes.items()},
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
            return _build_remote(name, engine)
        case FakeEngine():
            return FakeBackend(
                name,
                prefill_tokens_per_s=engine.prefill,
                decode_tokens_per_s=engine.decode,
                slots=engine.slots,
                answer_tokens=engine.answer_tokens,
            )


def _build_remote(name: str, engine: RemoteEngine) -> Engine:
    key = os.environ.get(engine.key_env) if engine.key_env else None
    if engine.key_env and not key:
        raise StartupError(f"backends.{name}.key_env names the environment variable {engine.key_env}, which is not set.")
    tls = _trusting(name, engine.ca)
    view = replace(
        QWEN_VIEW,
        min_pixels=engine.min_pixels or QWEN_VIEW.min_pixels,
        max_pixels=max(engine.max_pixels or QWEN_VIEW.max_pixels, engine.min_pixels or 1),
    )

    def build(label: str, place: Place) -> RemoteBackend:
        return RemoteBackend(
            label,
            place.url,
            at=place.at,
            dialect=DIALECTS[engine.dialect],
            model=engine.model,
            key=key,
            view=view,
            max_view_pixels=max(engine.most_pixels or QWEN_MOST_PIXELS, view.max_pixels),
            experts=engine.experts,
            active_experts=engine.active_experts,
            features=Features(priority=engine.priorities, experts=engine.routed_experts, total_experts=engine.experts),
            connect_s=engine.connect_s,
            stall_s=engine.stall_s,
            probe_s=engine.probe_s,
            tls=tls,
        )

    if engine.discover == "no" and engine.url is not None:
        return build(name, Place(engine.url))
    discover = static(engine.replicas) if engine.url is None else dns(engine.url)
    hedge_s = engine.hedge_ms / 1000 if engine.hedge_ms else None
    balance = Balance(affinity=engine.affinity, slots=engine.slots, slow_start_s=engine.slow_start_s, hedge_s=hedge_s)
    return ReplicaSet(name, discover, build, _Monotonic(), balance)


class _Monotonic:
    """Implements `ports.Clock`."""

    def now(self) -> float:
        return time.monotonic()


def _trusting(name: str, ca: str | None) -> ssl.SSLContext | None:
    """How the server's certificate is checked: by the usual authorities, or by those in a file. Raises `StartupError`."""
    if ca is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(Path(ca).expanduser()))
    except (OSError, ssl.SSLError):
        raise StartupError(f"backends.{name}.ca: the certificates in {ca} cannot be read.") from None


def state_of(engine: Engine) -> EngineState:
    """An engine as the metrics page tells of it; only those of our own are ever started again."""
    return EngineState(engine.name, engine.ready(), getattr(engine, "restarts", 0))
