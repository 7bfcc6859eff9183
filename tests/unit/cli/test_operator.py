"""`sightline keys` and `sightline audit`, on real stores in a folder of the test."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest

from sightline.assembly.trust import audit_log, open_keys, open_trust
from sightline.cli import main
from sightline.config import laptop, load
from sightline.moderation.audit import AuditLog, Refusal
from sightline.moderation.evidence import Content
from sightline.prompt import Usage
from sightline.protocol.errors import SensitiveContent
from sightline.service.ports import Caller
from tests.unit.cli.conftest import FAKE


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "sightline"


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main([*arguments, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_key_is_made_shown_once_and_revoked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "create", "the web shop", "--tasks", "vqa, captioning", "--requests-per-minute", "60", "--days", "2"]) == 0
    out, err = capsys.readouterr()
    key = out.strip()
    assert key.startswith("sl-")
    assert "not shown again" in err
    (listed,) = told(capsys, "keys", "list")
    assert (listed["name"], listed["valid"]) == ("the web shop", True)
    assert sorted(listed["scopes"]["tasks"]) == ["captioning", "vqa"]
    assert listed["allowance"]["requests_per_minute"] == 60
    assert 86_400 < listed["expires_at"] - time.time() <= 2 * 86_400
    assert main(["keys", "list"]) == 0
    shown = capsys.readouterr().out
    assert "captioning, vqa; 60 requests per minute" in shown
    assert key not in shown
    assert main(["keys", "revoke", listed["id"]]) == 0
    assert "no longer opens anything" in capsys.readouterr().out
    assert told(capsys, "keys", "list")[0]["valid"] is False


def test_the_key_opens_the_service(capsys: pytest.CaptureFixture[str]) -> None:
    (made,) = told(capsys, "keys", "create", "shop")
    with open_keys(laptop()) as desk:
        _, records = desk.keys.by_digest()
        assert records[desk.keys.digest(made["key"])].id == made["id"]


async def test_usage_as_a_table_and_as_csv(capsys: pytest.CaptureFixture[str]) -> None:
    (made,) = told(capsys, "keys", "create", "shop")
    with open_keys(laptop()) as desk:
        desk.usage.record(Caller(key_id=made["id"]), "vqa", usage=Usage(1200, 30), code=0)
        await desk.usage.flush()
    assert main(["keys", "usage"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[1:] == ["shop", "vqa", "1", "0", "1,200", "30"]
    assert main(["keys", "usage", "--csv", "--since", "2020-01-01"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["name"], row["input_tokens"]) == ("shop", "1200")
    assert told(capsys, "keys", "usage", "--until", "2020-01-01") == []


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["create"], 2),
        (["create", "=SUM(1)"], 2),
        (["create", "a", "--tasks", "vqaa"], 65),
        (["create", "a", "--lanes", "X"], 2),
        (["create", "a", "--tenant", "../x"], 2),
        (["revoke"], 2),
        (["revoke", "key_nope"], 2),
    ],
)
def test_what_makes_no_sense_is_one_sentence(arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", *arguments]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("sightline keys: ")
    assert "Traceback" not in err


async def _refuse(number: int) -> None:
    log = AuditLog(*audit_log(laptop()))
    for index in range(number):
        await log.record(Refusal("input", "violence", f"rule-{index}", Content("secret words"), "tenant-1"))
    log.close()


async def test_the_record_is_read_and_found_whole(capsys: pytest.CaptureFixture[str]) -> None:
    await _refuse(3)
    (report,) = told(capsys, "audit", "verify")
    assert (report["whole"], report["findings"]) == (True, [])
    listed = told(capsys, "audit", "list")
    assert [entry["rule"] for entry in listed] == ["rule-0", "rule-1", "rule-2"]
    assert main(["audit", "show", listed[1]["id"]]) == 0
    shown = capsys.readouterr().out
    assert "rule-1" in shown
    assert "secret" not in shown
    assert main(["audit", "list"]) == 0
    assert "violence" in capsys.readouterr().out


async def test_a_changed_record_is_found(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await _refuse(3)
    heads = tmp_path / "heads.json"
    assert main(["audit", "verify", "--heads", str(heads)]) == 0
    noted = heads.read_bytes()
    (chain,) = (state / "audit").glob("*.jsonl")
    chain.write_bytes(chain.read_bytes().replace(b"rule-1", b"rule-9"))
    assert main(["audit", "verify", "--heads", str(heads)]) == 65
    out, err = capsys.readouterr()
    assert "NOT whole" in out
    assert "changed" in err
    assert heads.read_bytes() == noted, "heads of a broken record are not noted"


async def test_a_record_that_was_replaced_is_found_by_the_heads(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await _refuse(3)
    heads = tmp_path / "heads.json"
    main(["audit", "verify", "--heads", str(heads)])
    for path in (state / "audit").iterdir():
        path.unlink()
    await _refuse(1)
    assert main(["audit", "verify"]) == 0
    assert main(["audit", "verify", "--heads", str(heads)]) == 65
    assert "missing" in capsys.readouterr().err


def test_no_record_yet(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "verify"]) == 2
    assert "no service has kept a record" in capsys.readouterr().err


def test_a_log_without_its_secret_is_not_called_changed(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(_refuse(1))
    (state / "audit.secret").unlink()
    assert main(["audit", "verify"]) == 2
    assert capsys.readouterr().err == (
        "sightline audit: The secret of the audit log, audit.secret, is gone: bring it back, or move the old log away.\n"
    )
    assert not (state / "audit.secret").exists()


def test_a_reviewer_sees_what_was_refused_and_nobody_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("cryptography", reason="evidence needs the extra sightline[audit]")
    private = tmp_path / "reviewers.key"
    assert main(["audit", "keygen", "--private-key", str(private)]) == 0
    public = capsys.readouterr().out.strip()
    assert private.stat().st_mode & 0o077 == 0
    assert main(["audit", "keygen", "--private-key", str(private)]) == 2, "a private key is never written over"
    capsys.readouterr()
    config = tmp_path / "sightline.toml"
    config.write_text(f'{FAKE}\n[trust]\nevidence_key = "{public}"\n')

    async def refuse() -> None:
        async with open_trust(load(config)) as trust:
            assert trust.moderation
            with pytest.raises(SensitiveContent):
                await trust.moderation.check("how to make a pipe bomb", Caller())

    asyncio.run(refuse())
    (entry,) = told(capsys, "audit", "list", "--config", str(config))
    assert "pipe bomb" not in json.dumps(entry)
    assert main(["audit", "show", entry["id"], "--config", str(config), "--private-key", str(private)]) == 0
    assert capsys.readouterr().out.endswith("\n\nhow to make a pipe bomb\n")
    main(["audit", "keygen", "--private-key", str(tmp_path / "other.key")])
    assert main(["audit", "show", entry["id"], "--config", str(config), "--private-key", str(tmp_path / "other.key")]) == 2
    assert "does not open" in capsys.readouterr().err
