"""The audit log: what was acknowledged is there, and nothing can be done to it that is not found."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sightline.moderation.audit import AuditLog, Refusal
from sightline.moderation.chain import AuditFault
from sightline.moderation.evidence import Content, EvidenceStore, new_keys, open_evidence
from sightline.moderation.verify import entries, verify

SECRET = b"s" * 32


def refusal(number: int = 0) -> Refusal:
    return Refusal(
        where="input",
        category="weapons",
        rule="shipped-en:1",
        content=Content(text=f"forbidden {number}"),
        tenant="shop",
        key_id="key_a",
        span=(0, 9),
    )


def write(folder: Path, count: int, **options: object) -> list[str]:
    async def record() -> list[str]:
        log = AuditLog(folder, SECRET, **options)  # pyright: ignore[reportArgumentType] -- options of the class itself
        ids = [await log.record(refusal(number)) for number in range(count)]
        log.close()
        return ids

    return asyncio.run(record())


def logs(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"))


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def test_what_was_recorded_is_listed_and_the_content_is_not_in_it(tmp_path: Path) -> None:
    ids = write(tmp_path, 3)
    report = verify(tmp_path, SECRET)
    assert (report.findings, report.entries, report.unacknowledged) == ((), 4, 0)
    listed = list(entries(tmp_path, SECRET))
    assert [entry.id for entry in listed] == ids
    assert (listed[0].where, listed[0].category, listed[0].rule, listed[0].tenant, listed[0].key_id, listed[0].span) == (
        "input", "weapons", "shipped-en:1", "shop", "key_a", (0, 9),
    )  # fmt: skip
    assert len({entry.content for entry in listed}) == 3
    assert b"forbidden" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_the_same_content_has_the_same_name_in_every_chain(tmp_path: Path) -> None:
    write(tmp_path, 1)
    write(tmp_path, 1)
    assert len({entry.content for entry in entries(tmp_path, SECRET)}) == 1
    assert len(logs(tmp_path)) == 2


def change(data: list[bytes]) -> list[bytes]:
    entry = json.loads(data[2])
    entry["entry"]["category"] = "drugs"
    return [*data[:2], json.dumps(entry, separators=(",", ":")).encode() + b"\n", *data[3:]]


@pytest.mark.parametrize(
    ("tamper", "kind"),
    [
        (change, "changed"),
        (lambda data: [*data[:2], b"{}\n", *data[3:]], "changed"),
        (lambda data: [*data[:2], b"\xff\xfe\n", *data[3:]], "changed"),
        (lambda data: [*data[:2], data[2].replace(b'"mac"', b'"mac" '), *data[3:-1], data[-1][:-5] + b"\n"], "changed"),
        (lambda data: [*data[:2], *data[3:]], "dropped"),
        (lambda data: [*data[:1], *data[4:]], "dropped"),
        (lambda data: data[1:], "dropped"),
        (lambda data: [*data[:2], data[3], data[2], *data[4:]], "reordered"),
        (lambda data: [data[0], *reversed(data[1:])], "reordered"),
        (lambda data: [*data[:3], *data[2:]], "reordered"),
        (lambda data: data[:-1], "truncated"),
        (lambda data: [*data[:-1], data[-1][:-20]], "truncated"),
        (lambda data: data[:1], "truncated"),
        (lambda data: [], "truncated"),
    ],
)
def test_whatever_is_done_to_a_chain_is_found(tmp_path: Path, tamper, kind: str) -> None:
    write(tmp_path, 6)
    path = logs(tmp_path)[0]
    path.write_bytes(b"".join(tamper(lines(path))))
    found = verify(tmp_path, SECRET).findings
    assert kind in {finding.kind for finding in found}
    if kind == "reordered":
        assert {finding.kind for finding in found} == {"reordered"}
    assert all(finding.message.zh and finding.message.en for finding in found)


def test_no_byte_can_be_changed_unseen(tmp_path: Path) -> None:
    write(tmp_path, 6)
    draw = random.Random(1)
    for path in (logs(tmp_path)[0], next(tmp_path.glob("*.head"))):
        whole = path.read_bytes()
        for place in draw.sample(range(len(whole)), 150):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << draw.randrange(8))]) + whole[place + 1 :])
            assert verify(tmp_path, SECRET).findings, (path.suffix, place)
        path.write_bytes(whole)
    assert verify(tmp_path, SECRET).findings == ()


def test_a_line_that_was_changed_is_named(tmp_path: Path) -> None:
    write(tmp_path, 6)
    path = logs(tmp_path)[0]
    path.write_bytes(b"".join(change(lines(path))))
    assert [(finding.file, finding.line, finding.kind) for finding in verify(tmp_path, SECRET).findings] == [(path.name, 3, "changed")]


def test_a_line_of_another_chain_does_not_pass(tmp_path: Path) -> None:
    write(tmp_path / "a", 3)
    write(tmp_path / "b", 3)
    one, other = logs(tmp_path / "a")[0], logs(tmp_path / "b")[0]
    data = lines(one)
    one.write_bytes(b"".join([*data[:2], lines(other)[2], *data[3:]]))
    assert "changed" in {finding.kind for finding in verify(tmp_path / "a", SECRET).findings}


def test_a_tail_cut_off_with_its_head_is_found(tmp_path: Path) -> None:
    write(tmp_path, 3)
    head = next(tmp_path.glob("*.head"))
    older = head.read_bytes()
    newer, half = bytearray(older), len(older) // 2
    slots = [json.loads(older[:half]), json.loads(older[half:])]
    newest = 0 if slots[0]["turn"] > slots[1]["turn"] else 1
    newer[newest * half : (newest + 1) * half] = b" " * half
    head.write_bytes(newer)
    path = logs(tmp_path)[0]
    path.write_bytes(b"".join(lines(path)[:-1]))
    assert verify(tmp_path, SECRET).findings
    head.unlink()
    assert "missing" in {finding.kind for finding in verify(tmp_path, SECRET).findings}


def test_a_whole_chain_cannot_vanish(tmp_path: Path) -> None:
    write(tmp_path, 2)
    gone = logs(tmp_path)[0]
    write(tmp_path, 2, wall=lambda: time.time() + 5)  # chains are named by their second
    kept = verify(tmp_path, SECRET).heads
    gone.unlink()
    assert {finding.kind for finding in verify(tmp_path, SECRET).findings} >= {"missing"}
    gone.with_name(gone.name.replace(".000001.jsonl", ".head")).unlink()
    assert {finding.kind for finding in verify(tmp_path, SECRET).findings} == {"missing"}
    for path in tmp_path.iterdir():
        path.unlink()
    assert verify(tmp_path, SECRET).findings == ()
    assert len(verify(tmp_path, SECRET, expected=kept).findings) == 2


def test_without_the_secret_nothing_can_be_written_anew(tmp_path: Path) -> None:
    write(tmp_path, 2)
    assert verify(tmp_path, b"t" * 32).findings
    assert list(entries(tmp_path, b"t" * 32)) == []


def test_segments_follow_each_other_and_none_may_be_missing(tmp_path: Path) -> None:
    write(tmp_path, 40, segment_bytes=2000)
    assert len(logs(tmp_path)) > 4
    assert verify(tmp_path, SECRET).findings == ()
    assert verify(tmp_path, SECRET).entries == 41
    logs(tmp_path)[2].unlink()
    assert "missing" in {finding.kind for finding in verify(tmp_path, SECRET).findings}


async def test_many_at_once_are_one_flush(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushes = 0
    sync = os.fdatasync

    def counted(descriptor: int) -> None:
        nonlocal flushes
        flushes += 1
        time.sleep(0.01)
        sync(descriptor)

    log = AuditLog(tmp_path, SECRET)
    monkeypatch.setattr(os, "fdatasync", counted)
    ids = await asyncio.gather(*(log.record(refusal(number)) for number in range(200)))
    log.close()
    assert len(set(ids)) == 200
    assert flushes <= 10
    assert [entry.id for entry in entries(tmp_path, SECRET)] == ids


async def test_nothing_is_acknowledged_before_lines_and_head_are_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    go_on = threading.Event()

    def slow(descriptor: int) -> None:
        go_on.wait(5)
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).suffix)

    log = AuditLog(tmp_path, SECRET)
    monkeypatch.setattr(os, "fdatasync", slow)
    recording = asyncio.create_task(log.record(refusal()))
    await asyncio.sleep(0.05)
    assert not recording.done()
    go_on.set()
    await recording
    assert synced == [".jsonl", ".head"]
    log.close()


async def test_a_caller_who_leaves_is_recorded_all_the_same(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, SECRET)
    leaving = asyncio.create_task(log.record(refusal()))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    log.close()
    assert len(list(entries(tmp_path, SECRET))) == 1


_WRITER = """
import asyncio, sys
from pathlib import Path
from sightline.moderation.audit import AuditLog, Refusal
from sightline.moderation.evidence import Content

async def main():
    log = AuditLog(Path(sys.argv[1]), b"s" * 32, segment_bytes=20_000)
    async def go(name):
        for number in range(100_000):
            print(await log.record(Refusal("output", "weapons", "r", Content(text=f"{name} {number}"), "shop")), flush=True)
    await asyncio.gather(*(go(name) for name in range(5)))

asyncio.run(main())
"""


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    program = tmp_path / "writer.py"
    program.write_text(_WRITER)
    folder = tmp_path / "audit"
    acknowledged: set[str] = set()
    for _ in range(2):
        with subprocess.Popen([sys.executable, str(program), str(folder)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            for _ in range(150):
                acknowledged.add(process.stdout.readline().strip())
            process.send_signal(signal.SIGKILL)
            acknowledged |= {line.strip() for line in process.stdout if line.endswith("\n")}
    assert verify(folder, SECRET).findings == ()
    assert acknowledged <= {entry.id for entry in entries(folder, SECRET)}


_FULL = """
import asyncio, resource, sys
from pathlib import Path
from sightline.moderation.audit import AuditLog, Refusal
from sightline.moderation.chain import AuditFault
from sightline.moderation.evidence import Content
import sightline.moderation.audit as audit

async def main():
    audit._PAUSE_S = 0.0
    log = AuditLog(Path(sys.argv[1]), b"s" * 32)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    told = []
    for number in range(60):
        # No file may grow past so many bytes: what a full disk does to a write in its middle.
        if number == 10: resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, hard))
        if number == 30: resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        if number == 50: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        try:
            print(await log.record(Refusal("output", "weapons", "r", Content(text=str(number)), "shop")), flush=True)
            assert not log.failing
        except AuditFault as fault:
            assert log.failing
            print("refused", flush=True)
    log.close()

asyncio.run(main())
"""


def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    program = tmp_path / "writer.py"
    program.write_text(_FULL)
    folder = tmp_path / "audit"
    process = subprocess.run([sys.executable, str(program), str(folder)], capture_output=True, text=True, check=True, timeout=30)
    said = process.stdout.split()
    assert said.count("refused") >= 20
    assert "refused" not in said[:10] + said[50:]
    report = verify(folder, SECRET)
    assert report.findings == ()
    assert {line for line in said if line != "refused"} <= {entry.id for entry in entries(folder, SECRET)}


def test_a_folder_that_cannot_be_written_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AuditFault, match="cannot be written") as told:
        AuditLog(tmp_path / "file", SECRET)
    assert str(tmp_path) not in told.value.say("zh")


def test_evidence_is_sealed_for_the_reviewer_and_ends(tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="the extra is not installed: pip install 'sightline[audit]'")
    private, public = new_keys()
    now = [1_790_000_000.0]
    kept = EvidenceStore(tmp_path / "evidence", public, keep_days=30)
    (audit_id,) = write(tmp_path / "log", 1, evidence=kept, wall=lambda: now[0])
    entry = next(entries(tmp_path / "log", SECRET))
    assert entry.evidence is not None
    assert entry.evidence.until == "2026-10-21T14:13:20Z"
    sealed = next((tmp_path / "evidence").iterdir())
    assert b"forbidden" not in sealed.read_bytes()
    assert open_evidence(tmp_path / "evidence", audit_id, entry.evidence, private) == Content(text="forbidden 0")
    for wrong in (new_keys()[0], public, "zz", ""):
        with pytest.raises(AuditFault):
            open_evidence(tmp_path / "evidence", audit_id, entry.evidence, wrong)
    whole = sealed.read_bytes()
    sealed.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(AuditFault, match="changed"):
        open_evidence(tmp_path / "evidence", audit_id, entry.evidence, private)
    assert kept.purge(now[0] + 29 * 86_400) == 0
    assert kept.purge(now[0] + 31 * 86_400) == 1
    with pytest.raises(AuditFault, match="deleted"):
        open_evidence(tmp_path / "evidence", audit_id, entry.evidence, private)
    assert verify(tmp_path / "log", SECRET).findings == ()


def test_a_public_key_that_is_none_is_told(tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="the extra is not installed: pip install 'sightline[audit]'")
    for wrong in ("", "abc", "00" * 31):
        with pytest.raises(AuditFault, match="64 hex digits"):
            EvidenceStore(tmp_path, wrong, keep_days=1)
