"""What every task keeps, whatever it does: found by its file, told in two languages, and walked along the one path."""

from __future__ import annotations

import msgspec
import pytest

from sightline.protocol.events import Final, Token
from sightline.protocol.language import LANGUAGES
from sightline.protocol.requests import InferRequest, Options
from sightline.tasks.base import Task, tasks
from tests.doubles import Bench

EVERY = pytest.mark.parametrize("task", tasks().values(), ids=lambda task: task.name)


def bench_for(task: Task) -> tuple[Bench, InferRequest]:
    kind = sorted(task.media.kinds)[0]
    images = ["input"] * max(1, task.media.least) if task.media.kinds else []
    return Bench(kinds={"input": kind}), InferRequest(task=task.name, images=list(images), text="what is this?")


def test_the_tasks_of_the_wire_are_there() -> None:
    assert {"vqa", "captioning", "video_qa", "doc_analyze", "chat"} <= set(tasks())


@EVERY
def test_it_is_told_in_both_languages_and_its_options_are_a_schema(task: Task) -> None:
    for language in LANGUAGES:
        assert task.title.pick(language)
        assert task.summary.pick(language)
    assert issubclass(task.Options, Options)
    assert "max_tokens" in msgspec.json.encode(msgspec.json.schema(task.Options)).decode()
    assert task.media.least <= task.media.most


@EVERY
async def test_it_ends_with_one_answer_whose_pieces_add_up(task: Task) -> None:
    bench, request = bench_for(task)
    events = [event async for event in bench.inference.stream(bench.call(request))]
    final = events[-1]
    assert isinstance(final, Final)
    assert final.answer
    assert final.metadata.task == task.name
    if task.prose:
        assert "".join(event.token for event in events if isinstance(event, Token)) == final.answer


@EVERY
async def test_it_asks_in_the_language_of_the_question(task: Task) -> None:
    bench, request = bench_for(task)
    for text, other in (("what is this?", "图"), ("这是什么？", "image")):
        asked = msgspec.structs.replace(request, text=text)
        _ = [event async for event in bench.inference.stream(bench.call(asked))]
        said = " ".join(part for message in bench.backend.prompts[-1].messages for part in message.parts if isinstance(part, str))
        assert other not in said


@EVERY
async def test_a_system_message_of_the_callers_takes_the_place_of_its_own(task: Task) -> None:
    bench, request = bench_for(task)
    asked = msgspec.structs.replace(request, options=msgspec.Raw(b'{"system":"Answer like a pirate."}'))
    _ = [event async for event in bench.inference.stream(bench.call(asked))]
    (system,) = [message for message in bench.backend.prompts[-1].messages if message.role == "system"]
    assert system.parts == ("Answer like a pirate.",)
