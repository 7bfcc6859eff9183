"""One browser and one service for all tests of the page; a fresh profile for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.page.results import clip as clip_of_four_seconds
from tests.acceptance.page.scripted import Books, Engine, ScriptedService, Shelf, serve

PATIENCE_MS = 20_000
OPEN = Callable[..., Any]
RUNNING = tuple[str, ScriptedService, Engine, Shelf, Books]


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    # Here and not above: a test module that needs the browser is then skipped with a sentence, instead of all failing.
    from tests.acceptance.page.chromium import FLAGS, executable, sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def running() -> Iterator[RUNNING]:
    service, engine, shelf, books = ScriptedService(), Engine(), Shelf(), Books()
    with serve(service, engine, shelf, "/qwen-vl", books) as address:
        yield address, service, engine, shelf, books


@pytest.fixture
def address(running: RUNNING) -> str:
    return running[0]


@pytest.fixture
def service(running: RUNNING) -> ScriptedService:
    """The scripted service, as if nothing had been asked of it."""
    service = running[1]
    service.__init__()
    return service


@pytest.fixture
def engine(running: RUNNING) -> Iterator[Engine]:
    engine = running[2]
    yield engine
    engine.up = True


@pytest.fixture
def shelf(running: RUNNING) -> Shelf:
    """Uploads of the service, as if nothing had been uploaded."""
    shelf = running[3]
    shelf.__init__()
    return shelf


@pytest.fixture
def books(running: RUNNING) -> Iterator[Books]:
    """What the console's desk shows."""
    yield running[4]
    running[4].whole = True
    for lane in running[4].lanes.values():
        lane.pause(False)
        lane.drain(False)


@pytest.fixture
def visit(browser: Any, address: str, service: ScriptedService, shelf: Shelf) -> Iterator[OPEN]:
    """Opens the page as a new visitor: `visit(locale="zh-CN", color_scheme="dark", viewport=..., path="docs")`.

    Whatever a visitor does, these hold: nothing breaks in a script, nothing violates the Content-Security-Policy, no part
    of the page is missing, and no other host is asked for anything.
    """
    problems: list[str] = []
    contexts: list[Any] = []

    def open_page(path: str = "", **settings: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "en-US", **settings})
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(
            "addEventListener('securitypolicyviolation', (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`))"
        )
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(f"script: {error}"))
        # Chromium reports every refused call in its console; what the page makes of those is what the tests look at.
        refused = "Failed to load resource"
        page.on(
            "console", lambda said: problems.append(said.text) if said.type in {"error", "warning"} and refused not in said.text else None
        )
        page.on("request", lambda request: None if _ours(request.url, address) else problems.append(f"foreign: {request.url}"))
        page.on(
            "response",
            lambda response: (
                problems.append(f"{response.status}: {response.url}") if response.status >= 400 and "/static/" in response.url else None
            ),
        )
        page.goto(address + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


def _ours(url: str, address: str) -> bool:
    return url.startswith((address, "blob:", "data:"))


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """A visitor's own document; the scripted service finds five pages in everything."""
    path = tmp_path / "contract.pdf"
    path.write_bytes(b"%PDF-1.4 stands for one")
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A visitor's own clip of four seconds."""
    path = tmp_path_factory.mktemp("clip") / "garden.webm"
    path.write_bytes(clip_of_four_seconds())
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A visitor's own picture, 320x240."""
    from PIL import Image

    path = tmp_path / "my photo.png"
    Image.new("RGB", (320, 240), "teal").save(path)
    return path


AXE = Path(__file__).with_name("axe")


@pytest.fixture
def check_access() -> Callable[[Any], None]:
    """axe-core's verdict on the page as it stands: nothing found, however slight."""
    source = (AXE / "axe.min.js").read_text(encoding="utf-8")

    def check(page: Any) -> None:
        page.evaluate(source)
        found = page.evaluate("async () => (await axe.run()).violations")
        assert [f"{one['id']} ({one['impact']}): {one['help']}: {[node['target'] for node in one['nodes']]}" for one in found] == []

    return check
