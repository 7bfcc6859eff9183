"""`hf:org/repo[:file]` against a stand-in of the hub: the hub's own client, over real HTTP, in a process of its own."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from sightline.backends.hub import choose
from sightline.service.ports import StartupError
from tests.unit.backends.ggufs import write_mmproj, write_model

REPO = "Maker/Eye-8B-GGUF"


@asynccontextmanager
async def hub(files: dict[str, bytes]) -> AsyncGenerator[tuple[str, list[str]]]:
    """A hub with one repository; yields its address and the names of the files that were sent."""
    sent: list[str] = []

    async def info(_: web.Request) -> web.Response:
        return web.json_response({"id": REPO, "sha": "c" * 40, "siblings": [{"rfilename": name} for name in files]})

    async def resolve(request: web.Request) -> web.Response:
        data = files.get(request.match_info["file"])
        if data is None:
            return web.Response(status=404, headers={"X-Error-Code": "EntryNotFound"})
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": "c" * 40}
        if request.method == "GET":
            sent.append(request.match_info["file"])
        return web.Response(body=data, headers=headers)

    async def absent(_: web.Request) -> web.Response:
        return web.Response(status=404, headers={"X-Error-Code": "RepoNotFound"})

    app = web.Application()
    app.router.add_get(f"/api/models/{REPO}", info)
    app.router.add_route("*", f"/{REPO}/resolve/{{revision}}/{{file:.+}}", resolve)
    app.router.add_route("*", "/{rest:.*}", absent)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", sent
    finally:
        await runner.cleanup()


async def find(reference: str, endpoint: str, home: Path) -> dict[str, str]:
    """What `find_weights` finds, or the sentence with which it refuses, in a process that knows the stand-in alone."""
    script = (
        "import json, sys\n"
        "from sightline.backends.weights import find_weights\n"
        "from sightline.service.ports import StartupError\n"
        "try:\n"
        "    found = find_weights(sys.argv[1])\n"
        "    print(json.dumps({'model': found.model.name, 'mmproj': found.mmproj.name, 'name': found.info.name}))\n"
        "except StartupError as error:\n"
        "    print(json.dumps({'refused': str(error)}))\n"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    env = {**kept, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
    command = (sys.executable, "-c", script, reference)
    child = await asyncio.create_subprocess_exec(*command, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    async with asyncio.timeout(40):
        out, err = await child.communicate()
    assert child.returncode == 0, err.decode()
    return json.loads(out)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    model = write_model(tmp_path / "m.gguf").read_bytes()
    mmproj = write_mmproj(tmp_path / "p.gguf").read_bytes()
    names = ("Eye-8B-Q4_K_M.gguf", "Eye-8B-F16.gguf")
    return {"README.md": b"#", **dict.fromkeys(names, model), "mmproj-Eye-8B-F16.gguf": mmproj}


async def test_a_model_is_fetched_once_and_found_again_without_network(files: dict[str, bytes], tmp_path: Path) -> None:
    home = tmp_path / "home"
    fetched = {"model": "Eye-8B-Q4_K_M.gguf", "mmproj": "mmproj-Eye-8B-F16.gguf", "name": "Eye-8B-Q4_K_M"}
    async with hub(files) as (url, sent):
        assert await find(f"hf:{REPO}", url, home) == fetched
        assert sorted(sent) == ["Eye-8B-Q4_K_M.gguf", "mmproj-Eye-8B-F16.gguf"]
    assert await find(f"hf:{REPO}", url, home) == fetched


async def test_a_hub_that_cannot_be_reached_or_does_not_have_it(files: dict[str, bytes], tmp_path: Path) -> None:
    async with hub(files) as (url, _):
        missing = await find("hf:Maker/Nothing", url, tmp_path / "home")
        wrong = await find(f"hf:{REPO}:Eye-8B-Q2_K.gguf", url, tmp_path / "home")
    away = await find(f"hf:{REPO}", url, tmp_path / "home")
    assert missing["refused"].startswith("There is no model Maker/Nothing on the hub")
    assert "it has Eye-8B-F16.gguf, Eye-8B-Q4_K_M.gguf" in wrong["refused"]
    assert away["refused"].startswith("The hub cannot be reached")


@pytest.mark.parametrize("reference", ["hf:", "hf:justaname", "hf:a/b/c", "hf:a/b:../../etc/passwd?", "hf:a b/c"])
async def test_what_is_no_reference(reference: str, tmp_path: Path) -> None:
    from sightline.backends.weights import find_weights

    with pytest.raises(StartupError, match="names no model"):
        find_weights(reference)


class TestChoice:
    def test_the_usual_quantisation_comes_first(self) -> None:
        names = ["a-F16.gguf", "a-Q8_0.gguf", "a-Q4_K_M.gguf", "mmproj-F16.gguf"]
        assert choose("r", names, None).model == ("a-Q4_K_M.gguf",)
        assert choose("r", [name for name in names if "K_M" not in name], None).model == ("a-Q8_0.gguf",)
        assert choose("r", ["odd.gguf", "mmproj.gguf"], None).model == ("odd.gguf",)

    def test_a_model_in_several_files_is_taken_whole(self) -> None:
        names = [f"Q4_K_M/a-Q4_K_M-0000{part}-of-00003.gguf" for part in (1, 2, 3)]
        assert choose("r", [*names, "a-Q8_0.gguf", "mmproj.gguf"], None).model == tuple(names)

    @pytest.mark.parametrize(
        ("names", "reason"), [(["README.md"], "holds no GGUF"), (["a.gguf"], "cannot see"), (["mmproj.gguf"], "holds no GGUF")]
    )
    def test_a_repository_that_cannot_serve(self, names: list[str], reason: str) -> None:
        with pytest.raises(StartupError, match=reason):
            choose("r", names, None)
