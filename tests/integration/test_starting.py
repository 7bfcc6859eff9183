"""A start that fails: engines load beside everything else, and whatever fails first or last, one sentence is told and nothing stays."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sightline import assembly
from sightline.assembly import open_service, starting
from sightline.assembly.trust import Trust
from sightline.backends.fake import FakeBackend
from sightline.backends.pool import FixedPool
from sightline.cli import main
from sightline.config import LocalEngine, Settings, TrustSettings, laptop
from sightline.server import logs
from sightline.service.ports import StartupError


class Children:
    """Every process that is started."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: list[Process] = []
        self.every = asyncio.Event()
        """All three are."""
        self._start = asyncio.create_subprocess_exec
        monkeypatch.setattr(asyncio, "create_subprocess_exec", self._start_and_note)

    async def _start_and_note(self, *arguments: Any, **options: Any) -> Process:
        self.begun.append(await self._start(*arguments, **options))
        if len(self.begun) == 3:
            self.every.set()
        return self.begun[-1]

    @property
    def alive(self) -> list[Process]:
        return [child for child in self.begun if child.returncode is None]


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Children:
    return Children(monkeypatch)


def settings(folder: Path, **changes: Any) -> Settings:
    return msgspec.structs.replace(laptop(), **{"state": str(folder / "state"), **changes})


async def test_engines_that_load_end_when_something_else_fails(children: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def failing(_: Settings) -> AsyncGenerator[Trust]:
        await children.every.wait()
        raise StartupError("The rule file cannot be read.")
        yield Trust()

    monkeypatch.setattr(assembly, "open_trust", failing)
    with pytest.raises(StartupError, match="The rule file cannot be read"):
        async with open_service(settings(tmp_path)):
            pass
    assert len(children.begun) == 3
    assert not children.alive


async def test_an_engine_that_cannot_start_ends_the_others_and_what_was_opened(
    children: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    @asynccontextmanager
    async def noting(_: Settings) -> AsyncGenerator[Trust]:
        opened.append("opened")
        yield Trust()
        opened.append("left in order")

    @asynccontextmanager
    async def trust(settings: Settings) -> AsyncGenerator[Trust]:
        try:
            async with noting(settings) as found:
                yield found
        finally:
            opened.append("closed")

    monkeypatch.setattr(assembly, "open_trust", trust)
    broken = {**laptop().backends, "background": LocalEngine(model=str(tmp_path / "none.gguf"))}
    with pytest.raises(StartupError, match=r"There is no file .*none\.gguf\."):
        async with open_service(settings(tmp_path, backends=broken)):
            pass
    assert opened == ["opened", "closed"]
    assert len(children.begun) == 2  # all but the broken one
    assert not children.alive


class Slow(FakeBackend):
    """An engine that is never done starting, and notes how it ended."""

    def __init__(self) -> None:
        super().__init__("slow")
        self.begun = asyncio.Event()
        self.given_up = self.closed = False

    async def start(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.given_up = True

    async def close(self) -> None:
        self.closed = True


class Broken(FakeBackend):
    async def start(self) -> None:
        raise StartupError("The engine cannot start.")


async def start_and_fail(engine: FakeBackend, begun: asyncio.Event) -> None:
    async with starting(FixedPool({"A": [engine]})):
        await begun.wait()
        raise StartupError("The cache is elsewhere.")


async def test_who_leaves_while_engines_start_waits_until_they_have_ended() -> None:
    engine = Slow()
    with pytest.raises(StartupError, match="The cache"):
        await start_and_fail(engine, engine.begun)
    assert engine.given_up
    assert engine.closed


async def test_the_first_failure_is_told_where_engines_failed_too() -> None:
    begun = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, begun.set)
    with pytest.raises(StartupError, match="The cache"):
        await start_and_fail(Broken("broken"), begun)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('[trust]\nrules = ["none.txt"]\n', "The rule file none.txt cannot be read."),
        ('[tasks]\ncalibration = "none"\n', "tasks.calibration none"),
        ('[backends.y]\nkind = "local"\nmodel = "none.gguf"\n[routes.vqa]\nbackends = ["y"]\n', "There is no file none.gguf."),
    ],
)
def test_a_failed_start_is_one_sentence_and_status_2(
    change: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logs, "configure", lambda **_: None)  # the log of the tests stays as it is
    lanes = "".join(f'[lanes.{name}]\nbackends = ["x"]\n' for name in "ABC")
    Path("a.toml").write_text(f'state = "{tmp_path}/state"\n[backends.x]\nkind = "fake"\n{lanes}{change}')
    assert main(["serve", "--config", "a.toml", "--port", "0"]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert said in told[0]


async def test_a_service_that_wants_a_key_ends_its_engines_too(children: Children, tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="sightline keys create"):
        async with open_service(settings(tmp_path, trust=TrustSettings(keys="required", moderation=False))):
            pass
    assert not children.alive
