"""The database's address, and what an operator is told when it cannot be used."""

from pathlib import Path

import pytest

from sightline.stores.database import Database
from sightline.stores.faults import StoreFault
from sightline.stores.keys import KeyStore


@pytest.mark.parametrize(
    "address", ["", "mysql://u:p@h/d", "nonsense", "oracle://x", "http://127.0.0.1/", "sqlite://", "sqlite:///:memory:"]
)
def test_other_addresses_are_refused_with_the_forms_there_are(address: str) -> None:
    with pytest.raises(StoreFault, match="sqlite:///file"):
        Database(address)


def test_an_unusable_file_is_told_without_its_path_or_the_statement(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(b"not a database at all" * 100)
    database = Database(f"sqlite:///{tmp_path}/db")
    with pytest.raises(StoreFault) as told:
        database.migrate()
    for language in ("zh", "en"):
        assert str(tmp_path) not in told.value.say(language)
        assert "CREATE" not in told.value.say(language)


def test_all_of_a_change_is_kept_or_none(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/db")
    database.migrate()
    keys = KeyStore(database, b"p" * 32)
    keys.create("kept")

    def half(connection):
        connection.exec_driver_sql("DELETE FROM api_keys")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.write(half)
    assert [record.name for record in keys.all()] == ["kept"]
    database.close()


def test_only_its_owner_reads_the_file(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/state/db")
    database.migrate()
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "state").iterdir()} == {0}
    database.close()


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFault, match="cannot be opened") as told:
        Database(f"sqlite:///{tmp_path}/file/db")
    assert str(tmp_path) not in told.value.say("en")


def test_a_server_that_is_away_is_told_without_the_password() -> None:
    pytest.importorskip("psycopg", reason="PostgreSQL's driver is not installed: pip install 'sightline[scale]'")
    with pytest.raises(StoreFault) as told:
        Database("postgresql://user:hunter2@127.0.0.1:1/name").migrate()
    assert "hunter2" not in told.value.say("en") + told.value.say("zh")
