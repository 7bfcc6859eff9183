"""Remembered answers in memory and through Valkey/Redis: the same contract; and a server that is away is no error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import msgspec
import pytest

from sightline.protocol.events import Degraded, Final, Metadata
from sightline.protocol.receipts import Advice, Receipt
from sightline.protocol.requests import InferRequest
from sightline.service.ports import AnswerCache
from sightline.stores.cache import MemoryCache
from sightline.stores.faults import StoreFault
from sightline.stores.shared_cache import SharedCache
from tests.contract.stores.conftest import RedisServer
from tests.doubles import Bench
from tests.unit.service.test_infer import gather

KEY, OTHER = b"k" * 32, b"o" * 32
ANSWER = Final(
    answer="三条 bars",
    confidence=0.91,
    request_id="req_1",
    structured={"cells": [["a", 1.5, None], [True, {"x": []}]]},
    warnings=(Advice(code=0, type="blurry", msg="It is blurred.", hint="", input=0),),
    metadata=Metadata(
        processing_time_ms=12,
        activated_experts=2,
        input_tokens=70,
        output_tokens=3,
        model="sight-nano",
        task="vqa",
        lane="A",
        finish_reason="stop",
        receipts=(Receipt(0, "image", "png", "0" * 64, 70, 8, 8, 32, 32, 1, pages=(1, 2)),),
        degraded=Degraded("a", "b", "overloaded"),
    ),
)


@pytest.fixture(params=["memory", "shared"])
async def cache(request: pytest.FixtureRequest) -> AsyncGenerator[AnswerCache]:
    if request.param == "memory":
        yield MemoryCache(20_000_000)
        return
    shared = SharedCache(request.getfixturevalue("redis_server").address)
    yield shared
    await shared.close()


async def test_what_is_put_comes_back_whole_and_under_its_own_key_alone(cache: AnswerCache) -> None:
    assert await cache.get(KEY) is None
    await cache.put(KEY, ANSWER)
    assert await cache.get(KEY) == ANSWER
    assert await cache.get(OTHER) is None
    newer = msgspec.structs.replace(ANSWER, answer="newer")
    await cache.put(KEY, newer)
    assert await cache.get(KEY) == newer


async def test_what_is_too_large_is_not_kept(cache: AnswerCache) -> None:
    await cache.put(KEY, msgspec.structs.replace(ANSWER, answer="x" * 3_000_000))
    assert await cache.get(KEY) is None


async def test_a_call_is_answered_from_it(cache: AnswerCache) -> None:
    asked = InferRequest(task="vqa", images=["a"], text="?", options=msgspec.Raw(b'{"temperature":0}'))
    first, second = Bench(cache=cache), Bench(cache=cache)
    await gather(first, first.call(asked))
    final = (await gather(second, second.call(asked)))[-1]
    assert isinstance(final, Final)
    assert (final.metadata.cache, second.backend.started) == ("hit", 0)


async def test_answers_are_forgotten_after_their_time(redis_server: RedisServer) -> None:
    cache = SharedCache(redis_server.address, seconds=1)
    await cache.put(KEY, ANSWER)
    assert await cache.get(KEY) == ANSWER
    await asyncio.sleep(1.1)
    assert await cache.get(KEY) is None
    await cache.close()


async def test_while_the_server_is_away_everything_is_a_miss_and_afterwards_as_before(redis_server: RedisServer) -> None:
    now = 100.0
    cache = SharedCache(redis_server.address, monotonic=lambda: now)
    await cache.put(KEY, ANSWER)
    redis_server.stop()
    assert await cache.get(KEY) is None
    await cache.put(OTHER, ANSWER)
    assert not cache.shared
    redis_server.start()
    assert await cache.get(KEY) is None  # asked again after a pause, not at every call
    now += 2
    assert await cache.get(KEY) is None  # the server came back empty
    assert cache.shared
    await cache.put(KEY, ANSWER)
    assert await cache.get(KEY) == ANSWER
    await cache.close()


async def test_what_another_version_left_is_a_miss(redis_server: RedisServer) -> None:
    from redis.asyncio import Redis

    cache = SharedCache(redis_server.address)
    async with Redis.from_url(redis_server.address) as redis:
        for content in (b"", b"0" + b"old", b"1" + b"\xff\x00nonsense", b"1" + msgspec.msgpack.encode({"answer": 3})):
            await redis.set(b"sightline:answer:" + KEY, content)
            assert await cache.get(KEY) is None
    await cache.close()


def test_an_address_that_is_none_is_told_at_once() -> None:
    with pytest.raises(StoreFault):
        SharedCache("localhost:6379")
