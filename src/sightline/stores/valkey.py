"""The connection to Valkey or Redis that several gateways share: bounded, and quick to say that it is away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from sightline.protocol.language import Bilingual
from sightline.stores.faults import StoreFault

if TYPE_CHECKING:
    from redis.asyncio import Redis


def connect(address: str) -> Redis:
    """A client for `redis://`, `rediss://` or `unix://`; nothing is sent yet.

    Raises `StoreFault` for an address that is none, and where the client library is not installed.
    """
    try:
        from redis.asyncio import BlockingConnectionPool, Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ModuleNotFoundError:
        raise StoreFault(
            Bilingual("共享状态需要安装 sightline[scale]。", "What gateways share needs the extra sightline[scale].")
        ) from None
    try:
        # An answer that comes late is worse than none.
        pool = cast("Any", BlockingConnectionPool).from_url(
            address,
            max_connections=64,
            timeout=0.5,
            socket_timeout=0.5,
            socket_connect_timeout=0.5,
            retry=Retry(NoBackoff(), 1),
        )
    except ValueError:
        raise StoreFault(
            Bilingual(
                "共享服务的地址须以 redis://、rediss:// 或 unix:// 开头。",
                "The address of what is shared starts with redis://, rediss:// or unix://.",
            )
        ) from None
    return Redis(connection_pool=pool)


def away() -> tuple[type[Exception], ...]:
    """What is raised where the server cannot be reached or does not answer in time."""
    from redis.exceptions import RedisError

    return (RedisError, OSError, TimeoutError)
