"""What trust costs and what moderation catches. One command: `python bench/moderation.py [--clean FOLDER ...]`.

Prints the time per request and per streamed token with 100,000 terms beside the shipped rules, the audit log's entries per
second alone and together, and recall and false positives by language. Pass folders of ordinary text files (UTF-8, also .gz)
to count refusals in them paragraph by paragraph. Also prints what authenticating and admitting a call costs, and whether the
time of a wrong key says how wrong it is. Times are of one core; read them as ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.unit.moderation.evasion_corpus import composed_evasions, evasions, lines, second_evasions

from sightline.moderation.audit import AuditLog, Refusal
from sightline.moderation.classifier import Classifier, Watch
from sightline.moderation.evidence import Content
from sightline.moderation.rules import Rules, RuleText, shipped
from sightline.moderation.screen import Screen
from sightline.protocol.errors import Unauthenticated
from sightline.service.ports import Allowance, Caller, Limits
from sightline.stores.database import Database
from sightline.stores.keyring import KeyRing
from sightline.stores.keys import KeyStore
from sightline.stores.limits import MemoryLimits
from sightline.stores.shared_limits import SharedLimits

_COMMON = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经"
_SYLLABLES = [consonant + vowel for consonant in "bcdfghjklmnprstvw" for vowel in "aeio"]
_ENGLISH = """What is shown in this picture? Please describe every object, its colour and where it stands, and read the text on the
sign near the door. I would like a table of the values in the bar chart, with one row for each bar, and a short summary of the
trend. How to make the answer shorter: use at most three sentences. If a number cannot be read, say so instead of guessing. """
_CHINESE = """请描述这张图片里的内容：有哪些物体，它们是什么颜色，分别在什么位置？请把门旁边招牌上的文字读出来，并把柱状图里的数值
整理成表格，每根柱子一行，最后用不超过三句话总结趋势。如何让回答更简短：如果有看不清的数字，请直接说明，不要猜测。"""


def terms(count: int, draw: random.Random) -> list[str]:
    """Made-up terms, half of them Chinese, that begin as ordinary words do."""
    han = _COMMON + "".join(chr(point) for point in range(0x4E00, 0x5B00))
    found: set[str] = set()
    while len(found) < count:
        if len(found) % 2:
            found.add("".join(draw.choices(han, k=draw.randint(3, 6))))
        else:
            found.add(" ".join("".join(draw.choices(_SYLLABLES, k=draw.randint(3, 5))) for _ in range(draw.randint(1, 3))))
    return sorted(found)


def percentiles(work: Callable[[], object], times: int) -> tuple[float, float]:
    """Median and 99th percentile of a call in microseconds."""
    taken: list[float] = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        taken.append((time.perf_counter() - begin) * 1e6)
    taken.sort()
    return statistics.median(taken), taken[int(len(taken) * 0.99)]


def speed() -> None:
    draw = random.Random(1)
    begin = time.perf_counter()
    few = Rules(shipped())
    built_few = time.perf_counter() - begin
    begin = time.perf_counter()
    many = Rules([*shipped(), RuleText("many", "[test]\n" + "\n".join(terms(100_000, draw)))])
    print(f"{few.count} shipped rules, loaded in {built_few:.2f} s; {many.count} with the terms, in {time.perf_counter() - begin:.2f} s\n")
    print("| request | characters | shipped p50 us | p99 us | 100,000 terms p50 us | p99 us |\n|---|---|---|---|---|---|")
    for name, unit in (("English", _ENGLISH), ("Chinese", _CHINESE)):
        for length in (100, 500, 2000, 20_000):
            text = (unit * (length // len(unit) + 1))[:length]
            assert few.find(text) is None
            assert many.find(text) is None
            times = max(50, 200_000 // length)
            first, second = percentiles(lambda text=text: few.find(text), times), percentiles(lambda text=text: many.find(text), times)
            print(f"| {name} | {length} | {first[0]:.0f} | {first[1]:.0f} | {second[0]:.0f} | {second[1]:.0f} |")
    print("\n| stream | tokens | shipped us a token | p99 us | 100,000 terms us a token | p99 us | most held back | mean held back |")
    print("|---|---|---|---|---|---|---|---|")
    for name, unit in (("English", _ENGLISH), ("Chinese", _CHINESE)):
        tokens = [
            unit[begin : begin + 4 if name == "English" else begin + 2] for begin in range(0, len(unit), 4 if name == "English" else 2)
        ] * 20
        row: list[str] = []
        for rules in (few, many):
            screen, said, taken, held = Screen(rules), 0, [], []
            for token in tokens:
                begin = time.perf_counter()
                match = screen.feed(token)
                taken.append((time.perf_counter() - begin) * 1e6)
                assert match is None
                said += len(token)
                held.append(said - screen.clear)
            taken.sort()
            row += [f"{statistics.mean(taken):.1f}", f"{taken[int(len(taken) * 0.99)]:.1f}"]
        print(f"| {name} | {len(tokens)} | {' | '.join(row)} | {max(held)} | {statistics.mean(held):.1f} |")


def classifying() -> None:
    classifier = Classifier.load()
    print("\n| classifier: request | characters | p50 us | p99 us | us a streamed token |\n|---|---|---|---|---|")
    for name, unit, size in (("English", _ENGLISH, 4), ("Chinese", _CHINESE, 2)):
        for length in (100, 500, 2000, 20_000):
            text = (unit * (length // len(unit) + 1))[:length]
            assert classifier.find(text) is None
            p50, p99 = percentiles(lambda text=text: classifier.find(text), max(50, 200_000 // length))
            watch = Watch(classifier)
            tokens = [text[begin : begin + size] for begin in range(0, len(text), size)]
            begin = time.perf_counter()
            for token in tokens:
                assert watch.feed(token) is None
            each = (time.perf_counter() - begin) / len(tokens) * 1e6
            print(f"| {name} | {length} | {p50:.0f} | {p99:.0f} | {each:.1f} |")
    asked = "Please tell me how people make a bomb shelter in the garden"  # which has words that matter, so that all of it is weighed
    p50, p99 = percentiles(lambda: classifier.find(asked), 2000)
    print(f"| with words that matter | {len(asked)} | {p50:.0f} | {p99:.0f} | - |")


async def _audit(count: int, at_once: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        log = AuditLog(Path(folder), b"s" * 32)
        refusal = Refusal("output", "weapons", "bench:1", Content(text="x" * 200), "bench", "key_bench", (0, 10))
        begin = time.perf_counter()
        for _ in range(count // at_once):
            await asyncio.gather(*(log.record(refusal) for _ in range(at_once)))
        taken = time.perf_counter() - begin
        log.close()
        return count / taken


def audit() -> None:
    print("\n| audit entries at once | acknowledged entries/s | ms until acknowledged |\n|---|---|---|")
    for at_once, count in ((1, 200), (10, 1000), (200, 4000)):
        rate = asyncio.run(_audit(count, at_once))
        print(f"| {at_once} | {rate:.0f} | {1000 * at_once / rate:.2f} |")


async def doors(folder: Path) -> None:
    database = Database(f"sqlite:///{folder}/keys.db")
    database.migrate()
    store = KeyStore(database, b"p" * 32)
    _, good = store.create("good")
    for number in range(1000):
        store.create(f"other {number}")
    revoked, gone = store.create("revoked")
    store.revoke(revoked.id)
    ring = KeyRing(store)
    await ring.refresh()
    kinds = {
        "the key itself": good,
        "another altogether": "sl-" + "A" * 43,
        "right in its first 10": good[:10] + "A" * 36,
        "right but for its last": good[:-1] + ("A" if good[-1] != "A" else "B"),
        "revoked": gone,
        "none": "",
    }
    taken: dict[str, list[int]] = {kind: [] for kind in kinds}
    for _ in range(20_000):  # in turn, so that a slow moment of the machine falls on all of them
        for kind, bearer in kinds.items():
            begin = time.perf_counter_ns()
            with contextlib.suppress(Unauthenticated):
                await ring.authenticate(bearer)
            taken[kind].append(time.perf_counter_ns() - begin)
    print("\n| key (of 1,001) | p50 ns | p90 ns |\n|---|---|---|")
    for kind, times in taken.items():
        times.sort()
        print(f"| {kind} | {times[10_000]} | {times[18_000]} |")
    database.close()
    caller = Caller(key_id="key_bench", allowance=Allowance(10**9, 10**15, 10**6, 10**9, 10**15, 10**9, 10**15))
    print("\n| limits | us an admitted and released call |\n|---|---|")
    print(f"| memory | {await _admitting(MemoryLimits(), caller, 20_000):.1f} |")
    server = shutil.which("valkey-server") or shutil.which("redis-server")
    if not server:
        print("| Valkey/Redis | neither is installed here |")
        return
    options = ["--port", "0", "--unixsocket", f"{folder}/s", "--save", ""]
    process = await asyncio.create_subprocess_exec(server, *options, stdout=asyncio.subprocess.DEVNULL)
    try:
        await asyncio.sleep(1)  # it comes up in a few milliseconds
        limits = SharedLimits(f"unix://{folder}/s")
        print(f"| {Path(server).name}, one after the other | {await _admitting(limits, caller, 2000):.1f} |")
        await limits.close()
    finally:
        process.terminate()
        await process.wait()


async def _admitting(limits: Limits, caller: Caller, times: int) -> float:
    begin = time.perf_counter()
    for _ in range(times):
        (await limits.admit(caller, 1000)).release(900)
    return (time.perf_counter() - begin) / times * 1e6


def catches(folders: list[Path]) -> None:
    rules = Rules(shipped())
    print("\n| disguised requests | language | tried | refused | recall | weakest |\n|---|---|---|---|---|---|")
    for name, drawn in (("first set", evasions), ("second set", second_evasions), ("two at a time", composed_evasions)):
        for language in ("en", "zh"):
            tried, missed = 0, defaultdict[str, int](int)
            for asked, trick, text in drawn():
                if asked == language:
                    tried += 1
                    missed[trick] += rules.find(text) is None
            gone = sum(missed.values())
            weakest = max(missed, key=lambda trick: missed[trick])
            print(f"| {name} | {language} | {tried} | {tried - gone} | {1 - gone / tried:.1%} | {weakest if gone else '-'} |")
    print("\n| harmless text | paragraphs | refused | share |\n|---|---|---|---|")
    for language in ("en", "zh"):
        close = lines(f"close-{language}")
        refused = sum(rules.find(text) is not None for text in close)
        print(f"| chosen to come close, {language} | {len(close)} | {refused} | {refused / len(close):.1%} |")
    for folder in folders:
        count = refused = 0
        for path in folder.rglob("*"):
            try:
                text = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode("utf-8")
            except (OSError, UnicodeDecodeError, EOFError):
                continue
            for paragraph in text.split("\n\n"):
                if len(paragraph) > 20:
                    count += 1
                    refused += rules.find(paragraph) is not None
        print(f"| {folder} | {count} | {refused} | {refused / max(1, count):.3%} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clean", nargs="*", type=Path, default=[], help="folders of ordinary text")
    folders = parser.parse_args().clean
    speed()
    classifying()
    audit()
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(doors(Path(scratch)))
    catches(folders)
