"""Several servers as one: who gets the work, and what happens when one of them fails, dies, hangs, comes or goes."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from sightline.backends.balance import Balance
from sightline.backends.dialects import VLLM
from sightline.backends.discovery import Place, dns, static
from sightline.backends.fake import FAKE_INFO, FakeBackend
from sightline.backends.openai import OpenAIClient
from sightline.backends.pool import Engine
from sightline.backends.replicas import ReplicaSet
from sightline.prompt import Delta, Frame, Message, Prompt, Sampling
from sightline.protocol.errors import BackendUnavailable
from tests.contract.backends.servers import sending, serving
from tests.doubles import Wall

AT_ONCE = Balance(slow_start_s=0, discover_s=0.02)


class Scripted(FakeBackend):
    """A fake engine that notes what it was asked, and fails, dies or hangs when it is told to."""

    def __init__(self, name: str, *, speed: float = math.inf, words: int = 4) -> None:
        super().__init__(name, FAKE_INFO, prefill_tokens_per_s=speed, decode_tokens_per_s=speed, answer_tokens=words)
        self.asked: list[str] = []
        self.failing = False
        self.poison = ""
        """A digest that kills it."""
        self.closed = False

    async def close(self) -> None:
        self.closed = True

    async def generate(self, prompt: Prompt, *, tenant: str) -> AsyncGenerator[Delta]:
        digest = prompt.frames[0].digest if prompt.frames else ""
        self.asked.append(digest)
        await asyncio.sleep(0)
        if self.failing:
            raise BackendUnavailable(cause="told to")
        if self.poison and digest == self.poison:
            self.set_up(False)
        async for delta in super().generate(prompt, tenant=tenant):
            yield delta


def question(picture: str | None = None, tokens: int = 16) -> Prompt:
    shown = (Frame(b"", "image/png", 32, 32, 64, digest=picture),) if picture else ()
    return Prompt((Message("user", (*shown, "What is it?")),), Sampling(tokens))


@asynccontextmanager
async def replicas(*engines: Scripted, balance: Balance = AT_ONCE) -> AsyncGenerator[ReplicaSet]:
    by_url = {f"http://{engine.name}": engine for engine in engines}

    def build(_: str, place: Place) -> Engine:
        return by_url[place.url]

    made = ReplicaSet("set", static(list(by_url)), build, Wall(), balance)
    await made.start()
    try:
        yield made
    finally:
        await made.close()


async def whole(backend: ReplicaSet, prompt: Prompt) -> str:
    return "".join([delta.text async for delta in backend.generate(prompt, tenant="t")])


async def test_work_goes_where_there_is_least_of_it() -> None:
    engines = [Scripted(name, speed=400) for name in "abc"]
    async with replicas(*engines) as backend:
        await asyncio.gather(*(whole(backend, question()) for _ in range(12)))
    assert [len(engine.asked) for engine in engines] == [4, 4, 4]


async def test_a_slow_replica_gets_less_once_it_is_known_to_be_slow() -> None:
    fast, slow = Scripted("fast", speed=4000), Scripted("slow", speed=200)
    async with replicas(fast, slow) as backend:

        async def client() -> None:
            for _ in range(8):
                await whole(backend, question())

        await asyncio.gather(*(client() for _ in range(4)))
    assert len(slow.asked) < len(fast.asked) / 2


async def test_a_picture_goes_where_it_was_seen_before() -> None:
    engines = [Scripted(name) for name in "abcd"]
    async with replicas(*engines) as backend:
        for _ in range(5):
            for picture in range(20):
                await whole(backend, question(f"{picture:064x}"))
    homes = [{name for engine in engines for name in [engine.name] if f"{picture:064x}" in engine.asked} for picture in range(20)]
    assert all(len(home) == 1 for home in homes)
    assert len(set.union(*homes)) >= 3


async def test_only_the_pictures_of_a_replica_that_is_gone_move() -> None:
    engines = [Scripted(name) for name in "abcd"]
    async with replicas(*engines) as backend:
        for picture in range(40):
            await whole(backend, question(f"{picture:064x}"))
        before = {digest: engine.name for engine in engines for digest in engine.asked}
        engines[0].set_up(False)
        for picture in range(40):
            await whole(backend, question(f"{picture:064x}"))
        after = {digest: engine.name for engine in engines[1:] for digest in engine.asked}
    assert all(after[digest] == name for digest, name in before.items() if name != "a")
    assert "a" in before.values()


async def test_a_loaded_home_gives_its_pictures_away() -> None:
    engines = [Scripted(name, speed=300) for name in "ab"]
    async with replicas(*engines) as backend:
        await asyncio.gather(*(whole(backend, question("f" * 64)) for _ in range(8)))
    assert all(len(engine.asked) >= 2 for engine in engines)


async def test_a_failure_before_the_first_token_is_hidden_by_another_replica() -> None:
    good, bad = Scripted("good"), Scripted("bad")
    bad.failing = True
    async with replicas(bad, good) as backend:
        for _ in range(6):
            assert (await whole(backend, question())).startswith("Simulated:")
    assert len(good.asked) == 6


async def test_a_replica_that_keeps_failing_is_left_alone() -> None:
    good, bad = Scripted("good"), Scripted("bad")
    bad.failing = True
    async with replicas(bad, good) as backend:
        for _ in range(20):
            await whole(backend, question())
    assert len(bad.asked) <= 3


async def test_what_fails_everywhere_is_told_once() -> None:
    engines = [Scripted(name) for name in "abc"]
    for engine in engines:
        engine.failing = True
    async with replicas(*engines) as backend:
        with pytest.raises(BackendUnavailable) as failure:
            await whole(backend, question())
    assert (failure.value.retried, failure.value.fatal) == (True, False)
    assert sum(len(engine.asked) for engine in engines) == 2


async def test_a_request_that_takes_two_replicas_down_is_named_and_its_neighbours_are_not() -> None:
    engines = [Scripted(name, speed=500) for name in "abcd"]
    for engine in engines:
        engine.poison = "b" * 64
    async with replicas(*engines) as backend:
        outcomes = await asyncio.gather(
            *(whole(backend, question(("b" if number == 3 else "a") * 64)) for number in range(8)), return_exceptions=True
        )
    fatal = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, BackendUnavailable) and outcome.fatal]
    assert fatal == [3]
    assert sum(not engine.ready() for engine in engines) == 2


async def test_a_token_that_was_seen_is_never_followed_by_another_answer() -> None:
    engines = [Scripted(name, speed=100, words=1000) for name in "ab"]
    async with replicas(*engines) as backend:
        deltas = backend.generate(question(tokens=1000), tenant="t")
        await anext(deltas)
        for engine in engines:
            if engine.asked:
                engine.set_up(False)
        with pytest.raises(BackendUnavailable):
            async for _ in deltas:
                pass
    assert sum(len(engine.asked) for engine in engines) == 1


async def test_without_a_replica_it_says_why() -> None:
    engine = Scripted("a")
    engine.set_up(False)
    async with replicas(engine) as backend:
        assert not backend.ready()
        assert not await backend.wait_ready(0.01)
        assert backend.trouble == "a: away"
        with pytest.raises(BackendUnavailable):
            await whole(backend, question())


async def test_a_replica_that_comes_up_starts_slowly() -> None:
    old, new = Scripted("old", speed=2000), Scripted("new", speed=2000)
    new.set_up(False)
    async with replicas(old, new, balance=Balance(slow_start_s=5, discover_s=9)) as backend:
        await whole(backend, question())
        new.set_up(True)
        await asyncio.gather(*(whole(backend, question()) for _ in range(40)))
    assert 0 < len(new.asked) < 10


async def test_replicas_come_and_go_and_who_goes_finishes_first() -> None:
    engines = {name: Scripted(name, speed=60) for name in "ab"}
    there = ["a"]

    async def discover() -> Sequence[Place]:
        return [Place(f"http://{name}") for name in there]

    backend = ReplicaSet("set", discover, lambda _, place: engines[place.url[-1]], Wall(), AT_ONCE)
    await backend.start()
    last = asyncio.create_task(whole(backend, question()))
    await asyncio.sleep(0.01)
    there[:] = ["b"]
    await asyncio.sleep(0.1)
    assert not engines["a"].closed
    assert (await last).startswith("Simulated:")
    await asyncio.sleep(0.05)
    assert engines["a"].closed
    assert [replica.engine.name for replica in backend.members()] == ["b"]
    await whole(backend, question())
    assert engines["b"].asked
    await backend.close()


async def test_a_look_up_that_fails_changes_nothing() -> None:
    engine, away = Scripted("a"), False

    async def discover() -> Sequence[Place]:
        if away:
            raise OSError("no resolver")
        return [Place("http://a")]

    backend = ReplicaSet("set", discover, lambda _n, _p: engine, Wall(), AT_ONCE)
    await backend.start()
    away = True
    await asyncio.sleep(0.06)
    assert backend.ready()
    assert (await whole(backend, question())).startswith("Simulated:")
    await backend.close()


async def test_a_name_stands_for_its_addresses() -> None:
    assert [place.at for place in await dns("http://127.0.0.1:8000")()] == ["127.0.0.1"]
    found = await dns("http://localhost:8000")()
    assert {place.url for place in found} == {"http://localhost:8000"}
    assert Counter(place.at in ("127.0.0.1", "::1") for place in found)[False] == 0


async def test_what_servers_have_to_do_for_others_is_asked_of_them() -> None:
    class Telling(Scripted):
        others = 3

        async def under_way(self) -> int | None:
            return self.others

    busy, idle = Telling("busy"), Telling("idle")
    idle.others = 0
    async with replicas(busy, idle, balance=Balance(slow_start_s=0, report_s=0.01)) as backend:
        async with asyncio.timeout(20):
            while not any(member.load.others for member in backend.members()):  # noqa: ASYNC110 - reports are heard by the clock
                await asyncio.sleep(0.01)
        await whole(backend, question())
    assert (len(busy.asked), len(idle.asked)) == (0, 1)


@pytest.mark.parametrize(
    ("page", "told"),
    [
        (
            '# TYPE vllm:num_requests_running x\nvllm:num_requests_running{engine="0"} 3.0\nvllm:num_requests_waiting{engine="0"} 2.0\n',
            5,
        ),
        ("vllm:num_requests_running_total 9\nprocess_open_fds 4\n", None),
    ],
    ids=["told", "not told"],
)
async def test_a_server_s_own_gauges_are_read(page: str, told: int | None) -> None:
    async def metrics(_: web.Request) -> web.StreamResponse:
        return web.Response(text=page)

    async with serving(sending(), metrics=metrics) as url:
        client = OpenAIClient(url, dialect=VLLM, model="m")
        assert await client.under_way() == told
        await client.close()
