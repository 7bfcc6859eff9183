"""An engine that dies, stalls, crawls or goes away: what the caller sees, and that the service is as before afterwards."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from aiohttp import web

from sightline.backends.fake import FakeBackend
from sightline.backends.remote import RemoteBackend
from sightline.protocol.errors import DamagedMedia, DeadlineExceeded
from sightline.protocol.events import Token
from sightline.service.lanes import LaneLimits
from tests.contract.backends.servers import DONE, Handler, chunk, fake_server, sending, serving, usage
from tests.faults.conftest import colour, service

GOOD = (chunk("all "), chunk("well"), chunk(finish="stop"), usage(5, 2), DONE)


class Upstream:
    """A server that behaves as it is told, one behaviour a request, the last one again and again."""

    def __init__(self, *behaviours: Handler) -> None:
        self.behaviours = list(behaviours)
        self.asked = 0
        self.up = True

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        if not self.up:
            assert request.transport
            request.transport.close()
            return web.Response()
        behave = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
        return await behave(request)

    async def models(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"data": [{"id": "m", "max_model_len": 4096}]}) if self.up else web.Response(status=503)


def cut(*pieces: bytes | float) -> Handler:
    """Sends the pieces and breaks the connection."""

    async def chat(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in pieces:
            if isinstance(piece, bytes):
                await response.write(piece)
            else:
                await asyncio.sleep(piece)
        assert request.transport
        request.transport.abort()
        return response

    return chat


async def test_killed_before_the_first_word_the_caller_notices_nothing() -> None:
    upstream = Upstream(cut(), sending(*GOOD))
    async with serving(upstream.chat, models=upstream.models) as url, service(RemoteBackend("x", url)) as running:
        heard = await running.ask()
        assert (heard.words, heard.code, upstream.asked) == ("all well", 0, 2)
        assert running.idle


async def test_killed_in_the_middle_the_words_so_far_are_followed_by_5001_and_nothing_is_asked_twice() -> None:
    upstream = Upstream(cut(chunk("half "), 0.02), sending(*GOOD))
    async with serving(upstream.chat, models=upstream.models) as url, service(RemoteBackend("x", url)) as running:
        heard = await running.ask()
        assert (heard.words, heard.code, upstream.asked) == ("half ", 5001, 1)
        assert (await running.ask()).code == 0
        assert running.idle


async def test_an_engine_that_hangs_in_the_middle_is_given_up_after_the_stall_time() -> None:
    upstream = Upstream(sending(chunk("half "), 30.0), sending(*GOOD))
    async with serving(upstream.chat, models=upstream.models) as url, service(RemoteBackend("x", url, stall_s=0.2)) as running:
        heard = await running.ask()
        assert (heard.words, heard.code) == ("half ", 5001)
        assert (await running.ask()).words == "all well"
        assert running.idle


async def test_an_engine_that_hangs_before_the_first_word_is_asked_once_more() -> None:
    upstream = Upstream(sending(30.0), sending(*GOOD))
    async with serving(upstream.chat, models=upstream.models) as url, service(RemoteBackend("x", url, stall_s=0.2)) as running:
        assert (await running.ask()).words == "all well"
        assert upstream.asked == 2


async def test_a_slow_engine_costs_its_callers_their_time_and_nobody_more() -> None:
    left = asyncio.Event()

    async def crawl(request: web.Request) -> web.StreamResponse:
        try:
            return await sending(*[chunk("s l o w "), 0.1] * 100)(request)
        finally:
            left.set()

    upstream = Upstream(crawl, sending(*GOOD))
    async with serving(upstream.chat, models=upstream.models) as url, service(RemoteBackend("x", url)) as running:
        heard = await running.ask(running.call(timeout_ms=300))
        assert isinstance(heard.error, DeadlineExceeded)
        assert heard.words.startswith("s l o w")
        await asyncio.wait_for(left.wait(), 10)  # its generation was stopped, not left to crawl on
        assert (await running.ask()).code == 0
        assert running.idle


async def test_an_engine_that_is_away_is_said_to_be_and_answers_when_it_is_back() -> None:
    upstream = Upstream(sending(*GOOD))
    async with serving(upstream.chat, models=upstream.models) as url, service(RemoteBackend("x", url, probe_s=0.05)) as running:
        upstream.up = False
        backend = running.pool.backends()[0]
        async with asyncio.timeout(10):
            while backend.ready():  # noqa: ASYNC110 - the backend says when it is ready, not when it no longer is
                await asyncio.sleep(0.01)
        asked = asyncio.create_task(running.ask())
        await asyncio.sleep(0.1)
        upstream.up = True
        assert (await asked).words == "all well"  # who came during a short absence never learns of it
        assert running.idle


async def test_while_the_engine_is_away_the_lighter_one_answers_and_says_so() -> None:
    away, lighter = FakeBackend("x"), FakeBackend("y", decode_tokens_per_s=10_000)
    async with service(away, lighter=[lighter]) as running:
        away.set_up(False)
        heard = await running.ask()
        assert heard.code == 2001
        strict = await running.ask(running.call(allow_degraded=False, timeout_ms=100))
        assert strict.code in {2002, 5001}
        away.set_up(True)
        assert (await running.ask()).code == 0
        assert running.idle


async def test_engines_of_a_lane_stand_in_for_each_other() -> None:
    upstream = Upstream(cut())
    good = FakeBackend("y", decode_tokens_per_s=10_000)
    async with serving(upstream.chat, models=upstream.models) as url, service(RemoteBackend("x", url), good) as running:
        assert (await running.ask()).code == 0
        assert upstream.asked == 1


class Fragile(FakeBackend):
    """Dies of one picture, with everything that it has under way; comes back by itself."""

    def __init__(self, poison: str) -> None:
        super().__init__("fragile", decode_tokens_per_s=300, prefill_tokens_per_s=20_000, answer_tokens=30)
        self.poison = poison
        self.deaths = 0

    async def generate(self, prompt, *, tenant):  # type: ignore[no-untyped-def, override]
        if prompt.frames[0].digest == self.poison:
            await asyncio.sleep(0.02)
            self.deaths += 1
            self.set_up(False)
            asyncio.get_running_loop().call_later(0.05, self.set_up, True)
        async with aclosing(super().generate(prompt, tenant=tenant)) as deltas:
            async for delta in deltas:
                yield delta


async def test_an_input_that_kills_the_engine_is_tried_twice_and_takes_nobody_elses_with_it() -> None:
    fragile = Fragile("")
    async with service(fragile, limits=LaneLimits(slots=4, waiting=64)) as running:
        fragile.poison = await _digest(running, colour(1))
        poisoned = asyncio.create_task(running.ask(running.call(colour(1))))
        others = [asyncio.create_task(running.ask(running.call(colour(number)))) for number in range(2, 14)]
        assert (await poisoned).code == 5001
        assert fragile.deaths == 2
        heard = await asyncio.gather(*others)
        # Who had heard a word learns that the engine died; everybody else is answered, and no picture but one is kept away.
        assert {each.code for each in heard} <= {0, 5001}
        assert all(each.words for each in heard if each.code == 5001)
        again = await running.ask(running.call(colour(1)))
        assert isinstance(again.error, DamagedMedia)
        assert fragile.deaths == 2
        assert {each.code for each in await asyncio.gather(*(running.ask(running.call(colour(number))) for number in range(2, 14)))} == {0}
        assert running.idle


async def _digest(running, image: str) -> str:  # type: ignore[no-untyped-def]
    """The name of the picture's pixels as the engine sees them."""
    seen: list[str] = []
    backend = running.pool.backends()[0]
    plain = backend.generate

    async def look(prompt, *, tenant):  # type: ignore[no-untyped-def]
        seen.append(prompt.frames[0].digest)
        async with aclosing(plain(prompt, tenant=tenant)) as deltas:
            async for delta in deltas:
                yield delta

    backend.generate = look
    await running.ask(running.call(image))
    backend.generate = plain
    return seen[0]


async def test_a_caller_who_leaves_stops_the_engine_wherever_the_call_is() -> None:
    engine = FakeBackend(decode_tokens_per_s=200, answer_tokens=400)
    async with serving(**fake_server(engine)) as url, service(RemoteBackend("x", url), limits=LaneLimits(slots=1)) as running:
        async with aclosing(running.stream()) as events:
            async for event in events:
                if isinstance(event, Token):
                    break
        queued = running.stream()
        running_one = asyncio.create_task(running.ask())
        await asyncio.sleep(0.05)
        assert (await anext(queued)) is not None
        waiting = asyncio.ensure_future(anext(queued))
        await asyncio.sleep(0.02)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        running_one.cancel()
        await asyncio.gather(running_one, return_exceptions=True)
        spoken = await engine.decoded_tokens()
        await asyncio.sleep(0.2)
        assert await engine.decoded_tokens() - spoken <= 1
        assert spoken < 200
        assert running.idle


@pytest.mark.parametrize("jump", [86_400.0, -86_400.0])
async def test_a_wall_clock_that_jumps_changes_nothing(jump: float, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    real = time.time
    async with service(FakeBackend(decode_tokens_per_s=200, answer_tokens=20)) as running:
        asked = [asyncio.create_task(running.ask(running.call(timeout_ms=20_000))) for _ in range(3)]
        await asyncio.sleep(0.05)
        monkeypatch.setattr(time, "time", lambda: real() + jump)
        heard = await asyncio.gather(*asked, running.ask())
        assert [each.code for each in heard] == [0] * 4
        assert all(each.final and each.final.metadata.processing_time_ms < 20_000 for each in heard)
        assert running.idle
