"""What each key used, over both databases."""

import asyncio
import csv
import io

import pytest

from sightline.prompt import Usage
from sightline.protocol.language import Bilingual
from sightline.service.ports import Caller
from sightline.stores.database import Database
from sightline.stores.faults import StoreFault
from sightline.stores.keys import KeyStore
from sightline.stores.usage import Spent, UsageStore, write_csv

NOON = 1_790_000_000.0  # 2026-09-21T14:13:20Z


async def test_use_is_added_up_by_day_key_and_task(database: Database) -> None:
    record, _ = KeyStore(database, b"p" * 32).create("shop")
    now = [NOON]
    usage = UsageStore(database, wall=lambda: now[0])
    caller = Caller(key_id=record.id)
    usage.record(caller, "vqa", usage=Usage(100, 20), code=0)
    await usage.flush()
    usage.record(caller, "vqa", usage=Usage(50, 5), code=0)
    usage.record(caller, "vqa", usage=None, code=5001)
    usage.record(Caller(tenant="local"), "captioning", usage=Usage(7, 1), code=0)
    now[0] += 86_400
    usage.record(caller, "vqa", usage=Usage(1, 1), code=0)
    await usage.close()
    to = io.StringIO()
    write_csv(usage.rows("2026-09-21", "2026-09-21"), to)
    assert list(csv.reader(io.StringIO(to.getvalue()))) == [
        ["day", "key_id", "name", "task", "requests", "failed", "input_tokens", "output_tokens"],
        ["2026-09-21", record.id, "shop", "vqa", "3", "1", "150", "25"],
        ["2026-09-21", "tenant:local", "", "captioning", "1", "0", "7", "1"],
    ]
    assert [row.day for row in usage.rows("2026-09-22", "2026-12-31")] == ["2026-09-22"]
    assert await usage.spent(record.id, "2026-09-01") == Spent(4, 177)
    assert await usage.spent(record.id, "2026-09-22") == Spent(1, 2)
    assert await usage.spent("key_other", "2026-09-01") == Spent()


async def test_several_gateways_add_up(database: Database, address: str) -> None:
    others = [Database(address) for _ in range(3)]
    stores = [UsageStore(each, wall=lambda: NOON, flush_s=0.01) for each in others]
    for store in stores:
        await store.start()
    for step in range(60):
        for number, store in enumerate(stores):
            store.record(Caller(key_id=f"key_{(step + number) % 7}"), "vqa", usage=Usage(1, 1), code=0)
        await asyncio.sleep(0.001)
    for store in stores:
        await store.close()
    rows = stores[0].rows("2026-01-01", "2026-12-31")
    assert sum(row.requests for row in rows) == 180
    assert sum(row.input_tokens for row in rows) == 180
    for each in others:
        each.close()


async def test_nothing_is_lost_while_the_database_is_away(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = UsageStore(database, wall=lambda: NOON)
    caller = Caller(key_id="key_a")
    usage.record(caller, "vqa", usage=Usage(1, 1), code=0)

    async def away(_work: object) -> None:
        raise StoreFault(Bilingual("", ""))

    with monkeypatch.context() as patched:
        patched.setattr(database, "writing", away)
        with pytest.raises(StoreFault):
            await usage.flush()
    usage.record(caller, "vqa", usage=Usage(1, 1), code=0)
    await usage.flush()
    assert [(row.requests, row.output_tokens) for row in usage.rows("2026-09-21", "2026-09-21")] == [(2, 2)]
