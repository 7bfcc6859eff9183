"""Servers of named versions, as they were recorded: how they say no, streams that break off, and what happens when our client drifts.

The contract itself runs over the recordings in `backends/test_backend.py`.
"""

from __future__ import annotations

import json

import pytest

from sightline.backends.dialects import DIALECTS
from sightline.backends.openai import OpenAIClient
from sightline.protocol.errors import BackendUnavailable
from tests.contract.backends.test_backend import question
from tests.contract.cases import Case, Place, ask, cases_of, refusal
from tests.contract.exchanges import RECORDINGS, Exchange, Replay, Server, load_case, load_server, normalise, replaying, servers

SERVERS = {folder: load_server(folder) for folder in servers()}
ENGINES = [folder for folder, server in SERVERS.items() if server.name in DIALECTS]
SAID_NO = [(folder, case) for folder, server in SERVERS.items() for case in cases_of(server.name)]
STREAMED = "test_an_answer_ends_with_its_reason_and_its_cost"
MOST_BYTES = 300_000


def place(server: Server, url: str) -> Place:
    return Place(url, DIALECTS[server.dialect], server.model)


@pytest.mark.parametrize(("folder", "case"), SAID_NO, ids=lambda value: getattr(value, "__name__", value))
async def test_what_it_says_is_understood(folder: str, case: Case) -> None:
    async with replaying(Replay(folder, load_case(folder, case.__name__))) as url:
        await case(place(SERVERS[folder], url))


@pytest.mark.parametrize("folder", ENGINES)
async def test_half_a_stream_is_no_answer(folder: str) -> None:
    async with replaying(Replay(folder, load_case(folder, STREAMED), cut=True)) as url:
        error = await refusal(place(SERVERS[folder], url).client(), question())
    assert type(error) is BackendUnavailable
    assert error.cause


@pytest.mark.parametrize("folder", ENGINES)
@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_an_answer_is_the_same_however_the_network_cuts_it(folder: str, size: int) -> None:
    """Into single bytes, into pieces that end in the middle of a token, and in one."""
    exchanges = [exchange for exchange in load_case(folder, STREAMED) if exchange.method == "POST" and "completions" in exchange.path]
    said: list[str] = []
    for pieces in (exchanges[0].pieces, _cut("".join(exchanges[0].pieces), size)):
        again = Exchange(**{**vars(exchanges[0]), "pieces": pieces})
        async with replaying(Replay(folder, [again])) as url:
            deltas = await ask(place(SERVERS[folder], url).client(), question())
        said.append(json.dumps(["".join(delta.text for delta in deltas), deltas[-1].finish, str(deltas[-1].usage)]))
        assert deltas[-1].finish
    assert said[0] == said[1]


def _cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@pytest.mark.parametrize("folder", ENGINES)
async def test_a_client_that_asks_otherwise_than_it_did_is_noticed(folder: str) -> None:
    with pytest.raises(AssertionError, match=r"otherwise than .* was asked, in max_tokens; record it again with python -m"):
        async with replaying(Replay(folder, load_case(folder, STREAMED))) as url:
            await refusal(place(SERVERS[folder], url).client(), question(tokens=25))
    replay = Replay(folder, load_case(folder, "test_it_says_what_it_is"))
    with pytest.raises(AssertionError, match=r"GET /metrics, of which the recording of .* holds nothing"):
        async with replaying(replay) as url:
            await count(place(SERVERS[folder], url).client())


async def count(client: OpenAIClient) -> None:
    with pytest.raises(BackendUnavailable):
        await client.decoded_tokens()
    await client.close()


@pytest.mark.parametrize("folder", ENGINES)
def test_a_case_that_was_never_recorded_is_named(folder: str) -> None:
    with pytest.raises(LookupError, match=r"holds no recording of test_something_new: record it again"):
        load_case(folder, "test_something_new")


def test_a_picture_and_a_long_text_are_no_part_of_a_recording() -> None:
    """Encoders of pictures differ from version to version, which is no drift of ours."""
    sent = {"messages": [{"content": "word " * 5000}, {"image_url": {"url": "data:image/png;base64,AAAA"}}], "seed": 1}
    kept = {
        "messages": [{"content": f"{'word ' * 8}... (25000 characters)"}, {"image_url": {"url": "data:image/png;base64,(a picture)"}}],
        "seed": 1,
    }
    assert normalise(sent) == kept


def test_recordings_stay_small_and_name_no_machine() -> None:
    files = [path for path in RECORDINGS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    for path in files:
        text = path.read_text("utf-8")
        for private in ("/tmp/", "/home/", "/root/", "/opt/", "/work/"):
            assert private not in text, f"{path.name} holds {private}"
