"""`sightline models` from fetching to checking, against a stand-in of the hub."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.acceptance.services import COMMAND, surroundings
from tests.integration.backends.test_hub import REPO, files, hub

__all__ = ["files"]  # a fixture of the tests of the hub

Ran = tuple[int, str, str]


def command_in(home: Path, endpoint: str) -> Callable[..., Awaitable[Ran]]:
    kept = {name: value for name, value in surroundings().items() if not name.startswith(("HF_", "HUGGING"))}
    env = {**kept, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}

    async def run(*arguments: str) -> Ran:
        child = await asyncio.create_subprocess_exec(
            *COMMAND, "models", *arguments, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(40):
            out, err = await child.communicate()
        assert child.returncode is not None
        return child.returncode, out.decode(), err.decode()

    return run


async def test_a_model_is_fetched_listed_shown_and_checked(files: dict[str, bytes], tmp_path: Path) -> None:
    async with hub(files) as (url, _):
        run = command_in(tmp_path / "home", url)
        status, out, err = await run("pull", f"hf:{REPO}")
        assert (status, f"sightline serve --model hf:{REPO}" in out) == (0, True), err
    # From here on there is no hub.
    status, out, _ = await run("--json")
    assert [json.loads(line)["name"] for line in out.splitlines()][2:] == [f"hf:{REPO}:Eye-8B-Q4_K_M.gguf"]
    status, out, _ = await run("show", f"hf:{REPO}:Eye-8B-Q4_K_M.gguf")
    assert status == 0
    assert "4,096 tokens" in out
    assert "mmproj-Eye-8B-F16.gguf" in out
    status, out, _ = await run("verify", f"hf:{REPO}")
    assert (status, out.count("as on the hub")) == (0, 2)
    blob = next(path.resolve() for path in (tmp_path / "home").rglob("Eye-8B-Q4_K_M.gguf"))
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.chmod(0o600)
    blob.write_bytes(content)
    status, out, _ = await run("verify", f"hf:{REPO}")
    assert (status, out.count("damaged")) == (65, 1)


async def test_what_cannot_be_fetched_is_one_sentence(files: dict[str, bytes], tmp_path: Path) -> None:
    async with hub(files) as (url, _):
        run = command_in(tmp_path / "home", url)
        for arguments in (["pull", "hf:Maker/Nothing"], ["pull", "sight-nano"], ["show"], ["verify", "/nowhere.gguf"]):
            status, out, err = await run(*arguments)
            assert (status, out, err.count("\n"), "Traceback" in err) == (2, "", 1, False), err
