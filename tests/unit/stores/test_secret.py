"""The installation's secret file."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sightline.stores.faults import StoreFault
from sightline.stores.secret import secret_in


def test_it_is_drawn_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "secret"
    with ThreadPoolExecutor(8) as threads:
        secrets = set(threads.map(lambda _: secret_in(path), range(8)))
    assert len(secrets) == 1
    assert len(secrets.pop()) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret"]
    assert secret_in(tmp_path / "other") != secret_in(path)


@pytest.mark.parametrize("content", ["", "zz" * 32, "ab" * 31, "not hex"])
def test_a_damaged_one_is_told_not_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secret"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(StoreFault) as told:
        secret_in(path)
    assert path.read_text() == content
    assert str(tmp_path) not in told.value.say("en")


def test_one_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    secret_in(path)
    path.chmod(0o604)
    with pytest.raises(StoreFault, match="chmod"):
        secret_in(path)
