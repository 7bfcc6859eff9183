"""The supervised child: what becomes of answers, of the service and of the child itself when one of them is killed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from sightline.backends.local import LocalBackend, Watch
from sightline.backends.stillness import running_times
from sightline.backends.weights import find_weights
from sightline.prompt import Frame, Message, Prompt, Sampling
from sightline.protocol.errors import BackendUnavailable
from sightline.service.ports import StartupError
from sightline.service.vision import fit, visual_tokens

SHORT = Prompt((Message("user", ("What is it?",)),), Sampling(4, temperature=0.0))
# A schema keeps any model talking, whatever it was taught.
LONG = Prompt(
    (Message("user", ("Count.",)),),
    Sampling(4000, temperature=1.0),
    {"type": "array", "items": {"type": "integer"}, "minItems": 1500, "maxItems": 1500},
)


@asynccontextmanager
async def running(model: str, *, slots: int = 2, watch: Watch | None = None) -> AsyncGenerator[LocalBackend]:
    backend = LocalBackend("test", model, slots=slots, threads=1, watch=watch)
    await backend.start()
    try:
        yield backend
    finally:
        await backend.close()


async def ask(backend: LocalBackend, prompt: Prompt = SHORT) -> str:
    return "".join([delta.text async for delta in backend.generate(prompt, tenant="t")])


def pid_of(backend: LocalBackend) -> int:
    assert backend.pid is not None
    return backend.pid


def gone(pid: int) -> bool:
    """Whether no such process runs; one that has ended and is not yet waited for does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


async def wait_gone(pid: int) -> None:
    async with asyncio.timeout(10):
        while not gone(pid):  # noqa: ASYNC110 - a process of a process has no event to wait for
            await asyncio.sleep(0.02)


async def test_killed_under_load_it_breaks_off_what_ran_and_what_waited_and_comes_back(weights: str) -> None:
    async with running(weights) as backend:
        first = pid_of(backend)
        asked = [asyncio.create_task(ask(backend, LONG)) for _ in range(5)]
        await asyncio.sleep(0.3)
        assert not any(task.done() for task in asked)
        os.kill(first, signal.SIGKILL)
        ended = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(error) for error in ended] == [BackendUnavailable] * 5
        async with asyncio.timeout(10):
            while backend.ready():  # noqa: ASYNC110 - the backend says when it is ready, not when it no longer is
                await asyncio.sleep(0)
        assert await backend.wait_ready(20)
        assert pid_of(backend) != first
        assert gone(first)
        assert await ask(backend)


async def test_hanging_it_is_found_out_and_replaced(weights: str) -> None:
    async with running(weights, watch=Watch(every_s=0.1, hang_s=0.5)) as backend:
        first = pid_of(backend)
        asked = asyncio.create_task(ask(backend, LONG))
        await asyncio.sleep(0.2)
        os.kill(first, signal.SIGSTOP)
        with pytest.raises(BackendUnavailable):
            await asked
        assert await backend.wait_ready(20)
        assert gone(first)
        assert await ask(backend)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells whether a process runs")
async def test_standing_still_with_a_question_before_it_it_is_not_waited_for(weights: str) -> None:
    async with running(weights, watch=Watch(every_s=0.05, hang_s=60.0, still_s=0.2)) as backend:
        first = pid_of(backend)
        os.kill(first, signal.SIGSTOP)
        async with asyncio.timeout(30):
            while backend.pid in (first, None):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)
        assert await backend.wait_ready(20)
        assert await ask(backend)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells whether a process runs")
async def test_merely_slow_it_is_left_alone(weights: str) -> None:
    """It stands for four fifths of the time, long enough each time to miss questions, and still gets through."""
    async with running(weights, watch=Watch(every_s=0.05, hang_s=60.0, still_s=0.8)) as backend:
        first = pid_of(backend)
        asked = asyncio.create_task(ask(backend, Prompt(SHORT.messages, Sampling(16, temperature=0.0))))
        for _ in range(6):
            os.kill(first, signal.SIGSTOP)
            stood = running_times(first)
            await asyncio.sleep(0.4)
            os.kill(first, signal.SIGCONT)
            async with asyncio.timeout(20):
                while running_times(first) == stood:  # noqa: ASYNC110 - a process has no event for running
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
        assert await asked
        assert backend.pid == first
        assert backend.restarts == 0


async def test_killed_again_and_again_it_still_comes_back(weights: str) -> None:
    async with running(weights, watch=Watch(first_backoff_s=0.05)) as backend:
        for _ in range(3):
            pid = pid_of(backend)
            os.kill(pid, signal.SIGKILL)
            async with asyncio.timeout(20):
                while backend.pid in (pid, None) or not backend.ready():  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.02)
        assert await ask(backend)


async def test_closing_ends_the_child_and_what_it_was_saying(weights: str) -> None:
    async with running(weights) as backend:
        pid = pid_of(backend)
        asked = asyncio.create_task(ask(backend, LONG))
        await asyncio.sleep(0.2)
        await backend.close()
        assert gone(pid)
        with pytest.raises(BackendUnavailable):
            await asked
        assert not backend.ready()
        with pytest.raises(BackendUnavailable):
            await ask(backend)


async def test_the_child_does_not_outlive_a_parent_that_is_killed(weights: str) -> None:
    script = (
        "import asyncio, sys\n"
        "from sightline.backends.local import LocalBackend\n"
        "async def main():\n"
        f"    backend = LocalBackend('test', {weights!r}, slots=1, threads=1)\n"
        "    await backend.start()\n"
        "    print(backend.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert not gone(pid)
    parent.kill()
    await parent.wait()
    await wait_gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the end is noticed only once the model is loaded")
async def test_the_child_ends_with_its_parent_even_while_the_interpreter_is_busy() -> None:
    """Loading a model holds the interpreter lock; the kernel ends the child all the same."""
    script = (
        "import re, sys\n"
        "from sightline.backends.engine import _end_with_parent\n"
        "_end_with_parent()\n"
        "print('busy', flush=True)\n"
        "re.match(r'(a+)+$', 'a' * 60 + 'b')\n"  # one call that never lets go of the lock
    )
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdin is not None
    assert await child.stdout.readline() == b"busy\n"
    await asyncio.sleep(0.1)
    child.stdin.close()
    async with asyncio.timeout(10):
        assert await child.wait() != 0


async def test_its_key_is_asked_for_and_shown_nowhere(weights: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    backend = LocalBackend("test", weights, slots=1, threads=1, new_key=lambda: "a-key-for-this-test")
    await backend.start()
    try:
        await ask(backend)
        process = Path(f"/proc/{pid_of(backend)}")
        assert b"a-key-for-this-test" not in process.joinpath("cmdline").read_bytes()
        assert b"a-key-for-this-test" not in process.joinpath("environ").read_bytes()
        assert "a-key-for-this-test" not in caplog.text
        async with aiohttp.ClientSession() as session:
            for path in ("/metrics", "/slots", "/props"):
                async with session.get(f"http://127.0.0.1:{_port_of(pid_of(backend))}{path}") as answer:
                    assert answer.status == 401
    finally:
        await backend.close()


async def test_its_log_comes_through_ours_without_what_was_asked(weights: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="sightline.engine")
    async with running(weights) as backend:
        await ask(backend, Prompt((Message("user", ("pomegranate orchard",)),), Sampling(4, temperature=0.0)))
    assert any(record.name == "sightline.engine" and "listening" in record.message for record in caplog.records)
    assert "pomegranate" not in caplog.text


async def test_a_model_that_its_header_does_not_give_away(weights: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that looks whole and is not: one sentence for the operator, the engine's own words in the log."""
    found = await asyncio.to_thread(find_weights, weights)
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(found.model.read_bytes().replace(b"blk.0.attn_norm.weight", b"blk.0.attn_mrow.weight"))
    with pytest.raises(StartupError, match="could not start"):
        await LocalBackend("test", str(broken), mmproj=str(found.mmproj), threads=1).start()
    assert "blk.0.attn_norm.weight" in caplog.text


async def test_starting_can_be_given_up(weights: str) -> None:
    backend = LocalBackend("test", weights, threads=1)
    starting = asyncio.create_task(backend.start())
    await asyncio.sleep(0.1)
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await starting
    await backend.close()
    assert _children() == []


async def test_a_picture_costs_what_was_foretold(weights: str) -> None:
    """The engine shows the model exactly the pixels that it was given: the smallest and the largest that the view allows."""
    async with running(weights) as backend:
        assert backend.info is not None
        view = backend.info.view
        costs: dict[int, int] = {}
        for pixels in (view.min_pixels, view.max_pixels):
            width, height = fit(math.isqrt(pixels), math.isqrt(pixels), view)
            data = b"P6 %d %d 255\n" % (width, height) + bytes(3 * width * height)
            shown = Frame(data, "image/x-portable-pixmap", width, height, visual_tokens(width, height, view), "d")
            deltas = backend.generate(Prompt((Message("user", (shown,)),), Sampling(1)), tenant="t")
            usage = [delta.usage async for delta in deltas][-1]
            assert usage is not None
            costs[shown.visual_tokens] = usage.input_tokens
        (least, cost_of_least), (most, cost_of_most) = costs.items()
        assert cost_of_most - cost_of_least == most - least


async def test_a_background_engine_steps_back(weights: str) -> None:
    async with running(weights) as people:
        background = LocalBackend("background", weights, slots=1, threads=1, background=True)
        await background.start()
        assert os.getpriority(os.PRIO_PROCESS, pid_of(background)) > os.getpriority(os.PRIO_PROCESS, pid_of(people))
        # Linux weighs sessions against each other before it looks at priorities, so that these only count within one.
        assert os.getsid(pid_of(background)) == os.getsid(pid_of(people)) == os.getsid(0)
        # And yet Ctrl-C, which goes to a group, is not for them.
        assert os.getpgid(pid_of(people)) == pid_of(people)
        await background.close()


def _port_of(pid: int) -> int:
    """The loopback port on which a process listens, from the kernel's own table."""
    inodes: set[str] = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(entry).removeprefix("socket:[").removesuffix("]"))
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and fields[9] in inodes:
            return int(fields[1].split(":")[1], 16)
    raise AssertionError("it listens nowhere")


def _children() -> list[str]:
    """Engines that are children of this process."""
    mine: list[str] = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            stat = entry.joinpath("stat").read_text().rsplit(")", 1)[1].split()
            if (
                stat[1] == str(os.getpid())
                and stat[0] not in "ZX"
                and b"sightline.backends.engine" in entry.joinpath("cmdline").read_bytes()
            ):
                mine.append(entry.name)
    return mine
