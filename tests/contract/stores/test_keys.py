"""Keys over both databases: who is let in, and what is kept of a key."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from sightline.protocol.errors import NotAllowed, Unauthenticated
from sightline.service.ports import Allowance, Scopes
from sightline.stores.database import Database
from sightline.stores.faults import StoreFault
from sightline.stores.keyring import KeyRing
from sightline.stores.keys import KeyStore

PEPPER = b"p" * 32


class Wall:
    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def keys(database: Database, wall: Wall) -> KeyStore:
    return KeyStore(database, PEPPER, wall=wall)


async def test_a_key_opens_with_what_it_was_made_with(keys: KeyStore) -> None:
    scopes = Scopes(tasks=frozenset({"vqa"}), lanes=frozenset({"A"}), models=frozenset({"pico"}))
    allowance = Allowance(requests_per_minute=60, tokens_per_month=10**12)
    record, bearer = keys.create("Shop, web", tenant="shop", scopes=scopes, allowance=allowance)
    ring = KeyRing(keys)
    await ring.refresh()
    caller = await ring.authenticate(bearer)
    assert (caller.tenant, caller.key_id, caller.scopes, caller.allowance) == ("shop", record.id, scopes, allowance)
    caller.scopes.permit(task="vqa", lane="A", model="pico")
    for wrong in ({"task": "captioning"}, {"lane": "B"}, {"model": "other"}):
        with pytest.raises(NotAllowed):
            caller.scopes.permit(**wrong)


async def test_keys_without_a_tenant_share_nothing(keys: KeyStore) -> None:
    ring = KeyRing(keys)
    bearers = [keys.create("one")[1], keys.create("two")[1]]
    await ring.refresh()
    assert len({(await ring.authenticate(bearer)).tenant for bearer in bearers}) == 2


async def test_everything_wrong_is_the_same_refusal(keys: KeyStore, wall: Wall) -> None:
    _, good = keys.create("good")
    revoked, revoked_bearer = keys.create("revoked")
    _, expired = keys.create("expired", expires_at=int(wall.now) + 10)
    foreign = "sk-proj-" + "a" * 40
    ring = KeyRing(keys, wall=wall)
    await ring.refresh()
    await ring.authenticate(expired)
    assert keys.revoke(revoked.id) is not None
    await ring.refresh()
    wall.now += 10
    flipped = good[:-1] + ("A" if good[-1] != "A" else "B")
    for bearer in (None, "", " ", good + " ", good.upper(), flipped, good[:-1], revoked_bearer, expired, foreign, "\udc80", "x" * 100_000):
        with pytest.raises(Unauthenticated) as refused:
            await ring.authenticate(bearer)
        assert refused.value.details == {}
    await ring.authenticate(good)


async def test_whatever_is_wrong_costs_the_same_work(keys: KeyStore, wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    """One HMAC and one look-up by it, whatever is wrong: there is nothing whose time could tell. bench/moderation.py measures it."""
    _, good = keys.create("good")
    revoked, gone = keys.create("revoked")
    keys.revoke(revoked.id)
    ring = KeyRing(keys, wall=wall)
    await ring.refresh()
    work: list[str] = []
    digest = keys.digest
    monkeypatch.setattr(keys, "digest", lambda bearer: work.append("hmac") or digest(bearer))
    for asked in ("revision", "by_digest"):
        monkeypatch.setattr(keys, asked, lambda asked=asked: work.append(asked))
    done: set[tuple[str, ...]] = set()
    for bearer in (None, "", "sl-" + "A" * 43, good[:10] + "A" * 36, good[:-1] + ("A" if good[-1] != "A" else "B"), gone, "x" * 9000):
        work.clear()
        with pytest.raises(Unauthenticated):
            await ring.authenticate(bearer)
        done.add(tuple(work))
    assert done == {("hmac",)}


async def test_what_another_process_did_is_followed(keys: KeyStore, database: Database) -> None:
    here, there = KeyRing(keys, refresh_s=0.02), KeyStore(database, PEPPER)
    await here.start()
    try:
        record, bearer = there.create("new")
        assert await _in_time(here, bearer, known=True)
        there.revoke(record.prefix)
        assert await _in_time(here, bearer, known=False)
    finally:
        await here.close()


async def _in_time(ring: KeyRing, bearer: str, *, known: bool) -> bool:
    import asyncio

    for _ in range(200):
        try:
            await ring.authenticate(bearer)
            found = True
        except Unauthenticated:
            found = False
        if found is known:
            return True
        await asyncio.sleep(0.02)
    return False


def test_no_key_is_ever_stored(keys: KeyStore, database: Database) -> None:
    record, bearer = keys.create("kept")
    rows = database.read(lambda connection: [tuple(row) for row in connection.execute(text("SELECT * FROM api_keys"))])
    stored = " ".join(str(value) for row in rows for value in row)
    assert bearer not in stored
    assert bearer[len(record.prefix) :] not in stored
    assert bearer.startswith(record.prefix)
    assert len(bearer) - len(record.prefix) >= 36


def test_keys_are_listed_and_revoked_once(keys: KeyStore, wall: Wall) -> None:
    first, _ = keys.create("first")
    wall.now += 1
    second, _ = keys.create("second")
    assert [record.name for record in keys.all()] == ["second", "first"]
    assert keys.any_valid()
    ended = keys.revoke(first.id)
    assert ended == replace(first, revoked_at=int(wall.now))
    wall.now += 5
    assert keys.revoke(first.id) == ended
    assert keys.revoke("key_unknown") is None
    keys.revoke(second.prefix)
    assert not keys.any_valid()


def test_another_secret_is_told_at_the_start(keys: KeyStore, database: Database) -> None:
    keys.create("made")
    with pytest.raises(StoreFault, match="secret"):
        KeyStore(database, b"q" * 32)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "=cmd()"},
        {"name": "a\nb"},
        {"name": "n" * 65},
        {"name": "n", "tenant": "a b"},
        {"name": "n", "scopes": Scopes(lanes=frozenset({"D"}))},  # pyright: ignore[reportArgumentType] -- what a careless caller sends
        {"name": "n", "allowance": Allowance(concurrent=0)},
        {"name": "n", "allowance": Allowance(tokens_per_day=-1)},
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(keys: KeyStore, wrong: dict) -> None:
    with pytest.raises(StoreFault):
        keys.create(**wrong)
    assert keys.all() == []


def test_migrating_twice_or_at_once_changes_nothing(address: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    databases = [Database(address) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        versions = list(threads.map(lambda database: database.migrate(), databases))
    assert len(set(versions)) == 1
    KeyStore(databases[0], PEPPER).create("still works")
    assert databases[1].migrate() == versions[0]
    assert len(KeyStore(databases[1], PEPPER).all()) == 1
    for database in databases:
        database.close()


def test_a_newer_database_is_refused(database: Database) -> None:
    database.write(lambda connection: connection.execute(text("INSERT INTO schema_version (version) VALUES (9999)")))
    with pytest.raises(StoreFault, match="newer"):
        database.migrate()
