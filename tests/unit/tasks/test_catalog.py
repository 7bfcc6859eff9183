"""Tasks and personas: those that ship, and those of a folder; mistakes are told with file, line and key."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.protocol.errors import MalformedRequest
from sightline.protocol.events import Final
from sightline.protocol.language import LANGUAGES
from sightline.protocol.requests import InferRequest
from sightline.service.calls import understand
from sightline.service.ports import Caller
from sightline.tasks.base import Look
from sightline.tasks.catalog import read_catalog, shipped
from sightline.tasks.described import describe
from sightline.tasks.personas import FileMistake, read_personas
from sightline.tasks.written import read_task
from tests.doubles import Bench, Picture

TASK = """
name = "count_bars"
title = { en = "Count bars", zh = "数柱子" }
max_tokens = 16
temperature = 0.0

[prompt]
en = "How many bars?"
zh = "有几根柱子？"
"""
PERSONA = "---\ntitle: Pirate\ntasks: vqa, count_bars\ncaveat: A pirate is no captain.\n---\nYou are a pirate.\n"


def folder(tmp_path: Path, **files: str) -> Path:
    for name, content in files.items():
        (tmp_path / name.replace("__", ".")).write_text(content, "utf-8")
    return tmp_path


async def final_of(bench: Bench, tmp_path: Path, request: InferRequest, language: str = "en") -> Final:
    call = understand(request, Caller(language="zh" if language == "zh" else "en"), "req_t", bench.clock.now(), read_catalog(tmp_path))
    final = [event async for event in bench.inference.stream(call)][-1]
    assert isinstance(final, Final)
    return final


async def test_a_file_is_a_task(tmp_path: Path) -> None:
    folder(tmp_path, count_bars__toml=TASK)
    bench = Bench(words=("7",))
    final = await final_of(bench, tmp_path, InferRequest(task="count_bars", images=["a"]), "zh")
    assert (final.answer, final.metadata.task) == ("7", "count_bars")
    prompt = bench.backend.prompts[0]
    assert prompt.messages[-1].parts[-1] == "有几根柱子？"
    assert (prompt.sampling.max_tokens, prompt.sampling.temperature) == (16, 0.0)
    told = {task["name"]: task for task in describe(read_catalog(tmp_path))["tasks"]}["count_bars"]
    assert told["title"] == {"zh": "数柱子", "en": "Count bars"}
    assert "count_bars" not in shipped().tasks, "two services in one process do not share their tasks"


@pytest.mark.parametrize(
    ("prompt", "text", "asked"),
    [("Count.", "", "Count."), ("Count.", "Only red ones.", "Count.\nOnly red ones."), ("How many {text}?", "cats", "How many cats?")],
)
async def test_the_callers_words_stand_where_the_prompt_wants_them(tmp_path: Path, prompt: str, text: str, asked: str) -> None:
    folder(tmp_path, a__toml=f'name = "a"\nprompt = {{ en = "{prompt}" }}')
    bench = Bench()
    await final_of(bench, tmp_path, InferRequest(task="a", images=["x"], text=text))
    assert bench.backend.prompts[0].messages[-1].parts[-1] == asked


@pytest.mark.parametrize("schema", ["""schema = '{"type": "object"}'""", '[schema]\ntype = "object"'])
async def test_an_answer_by_a_schema_is_parsed(tmp_path: Path, schema: str) -> None:
    folder(tmp_path, a__toml=f'name = "a"\noutput = "json"\nprompt = {{ en = "x" }}\n{schema}')
    bench = Bench(words=('{"n":', "7}"))
    final = await final_of(bench, tmp_path, InferRequest(task="a", images=["x"]))
    assert final.structured == {"n": 7}
    assert bench.backend.prompts[0].schema == {"type": "object"}


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ('name = "a"\nprompt = {en = "x"}\nmax_tokens = "many"', 3, ["max_tokens = 'many'", "1..32768"]),
        ('name = "a"\n[prompt]\nen = 5', 3, ["prompt.en = '5'", "a string"]),
        ('name = "a"\nprompt = {en = "x"}\n\nlanes = "A"', 4, ["lanes = 'A'", "no such field"]),
        ('name = "a"\nprompt = {en = "x"}\nmedia = ["image", "sound"]', 3, ["media", "document, image, video"]),
        ('name = "No Name"\nprompt = {en = "x"}', 1, ["name = 'No Name'"]),
        ('name = "a"', 1, ["prompt", "missing"]),
        ('name = "a"\nprompt = {}', 2, ["prompt", "zh or en"]),
        ('name = "a"\nprompt = {en = "x"}\noutput = "json"', 1, ["schema", "output=json"]),
        (
            'name = "a"\nprompt = {en = "x"}\noutput = "json"\n[schema.properties.n]\ntype = "numbr"',
            5,
            ["schema.properties.n.type", "number"],
        ),
        ('name = "a"\nprompt = {en = "x"}\nleast = 5\nmost = 2', 4, ["most = '2'", "5..200"]),
        ('name = "a"\nprompt = ', 2, ["TOML"]),
    ],
)
def test_a_mistake_is_told_with_its_line_key_and_value(content: str, line: int, words: list[str]) -> None:
    with pytest.raises(FileMistake) as raised:
        read_task("a.toml", content)
    assert str(raised.value).startswith(f"a.toml, line {line}: ")
    for word in words:
        assert word in str(raised.value)


def test_a_task_may_not_take_the_name_of_another(tmp_path: Path) -> None:
    with pytest.raises(FileMistake, match="already"):
        read_catalog(folder(tmp_path, vqa__toml='name = "vqa"\nprompt = {en = "x"}'))


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    folder(tmp_path, README__md="# Ours", count_bars__toml=TASK)
    assert set(read_catalog(tmp_path).tasks) - set(shipped().tasks) == {"count_bars"}


def test_a_word_that_changes_makes_another_version() -> None:
    assert read_task("a.toml", TASK).version != read_task("a.toml", TASK.replace("many", "few")).version


async def test_a_persona_speaks_before_the_task_and_its_caveat_stands_beside_the_answer(tmp_path: Path) -> None:
    folder(tmp_path, pirate__en__txt=PERSONA, count_bars__toml=TASK)
    bench = Bench()
    request = InferRequest(task="vqa", images=["a"], text="How many bars?", options=msgspec.Raw(b'{"persona":"pirate"}'))
    final = await final_of(bench, tmp_path, request)
    (system,) = bench.backend.prompts[0].messages[0].parts
    assert system == "You are a pirate.\nAnswer from what the images show. If they do not show it, say so."
    assert [(each.type, each.msg) for each in final.warnings] == [("caveat", "A pirate is no captain.")]


async def test_medical_answers_say_that_they_are_no_diagnosis_but_not_in_the_answer() -> None:
    bench = Bench()
    request = InferRequest(task="vqa", images=["a"], text="肺结节有多大？", options=msgspec.Raw(b'{"persona":"radiologist"}'))
    final = [event async for event in bench.inference.stream(bench.call(request, caller=Caller(language="zh")))][-1]
    assert isinstance(final, Final)
    assert [each.type for each in final.warnings] == ["not_a_diagnosis"]
    assert "不是诊断" in final.warnings[0].msg
    assert final.answer == "hello"


@pytest.mark.parametrize(
    ("task", "persona", "allowed"),
    [
        ("vqa", "wizard", ["accessibility", "accountant", "financial_analyst", "inspector", "lawyer", "radiologist", "teacher"]),
        ("captioning", "lawyer", ["accessibility", "inspector", "radiologist"]),
        ("ocr", "lawyer", None),
    ],
)
def test_a_persona_that_is_unknown_or_does_not_suit_is_refused_with_those_that_do(
    task: str, persona: str, allowed: list[str] | None
) -> None:
    request = InferRequest(task=task, images=["a"], text="x", options=msgspec.Raw(f'{{"persona":"{persona}"}}'.encode()))
    with pytest.raises(MalformedRequest) as raised:
        understand(request, Caller(), "req_t", 0.0)
    assert raised.value.details["field"] == "options.persona"
    assert raised.value.details["allowed"] == allowed


def test_every_persona_that_ships_speaks_both_languages_and_suits_tasks_that_there_are() -> None:
    for persona in shipped().personas.values():
        assert persona.tasks <= set(shipped().tasks)
        assert persona.text.zh != persona.text.en
        assert all(persona.title.pick(language) for language in LANGUAGES)
        if persona.notice:
            assert persona.notice.msg.zh != persona.notice.msg.en


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("pirate.en.txt", "You are a pirate.", "pirate.en.txt, line 1: head"),
        ("pirate.en.txt", "---\ntitle: P\nmood: bad\n---\nx", "pirate.en.txt, line 3: mood: there is no such key"),
        ("pirate.en.txt", "---\ntitle: P\n---\nx", "pirate.en.txt, line 3: tasks: it is missing"),
        ("pirate.en.txt", "---\ntitle: P\ntasks: vqa\n", "pirate.en.txt, line 3: head: its end"),
        ("pirate.en.txt", "---\ntitle: P\ntasks: vqa\n---\n", "pirate.en.txt, line 5: text: 0 characters"),
        ("pirate.txt", PERSONA, "pirate.txt, line 1: name"),
    ],
)
def test_a_mistake_in_a_persona_is_told_with_its_line(file: str, content: str, message: str) -> None:
    with pytest.raises(FileMistake) as raised:
        read_personas({file: content})
    assert str(raised.value).startswith(message)


def test_a_persona_for_a_task_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileMistake, match="there is no task 'count_bars'"):
        read_catalog(folder(tmp_path, pirate__en__txt=PERSONA))


@given(st.text(max_size=300))
def test_no_text_upsets_the_readers(content: str) -> None:
    for read in (lambda: read_task("a.toml", content), lambda: read_personas({"a.en.txt": content})):
        try:
            read()
        except FileMistake as mistake:
            assert str(mistake).startswith(("a.toml, line ", "a.en.txt, line "))


def test_what_can_be_asked_is_told_whole() -> None:
    told = describe(shipped())
    assert msgspec.json.decode(msgspec.json.encode(told)) == told
    personas = {persona["name"] for persona in told["personas"]}
    for task in told["tasks"]:
        assert set(task["personas"]) <= personas
        properties = task["options"]["$defs"][task["options"]["$ref"].rpartition("/")[2]]["properties"]
        for example in task["examples"]:
            assert set(example["options"]) <= set(properties)
            assert example["text"]["zh"] or example["options"]
    document = next(task for task in told["tasks"] if task["name"] == "doc_analyze")
    assert document["media"] == {"kinds": ["document", "image"], "least": 1, "most": 200, "most_pages": 200}
    assert document["timeout_ms_per_page"] == 10_000


@pytest.mark.parametrize("task", shipped().tasks.values(), ids=lambda task: task.name)
def test_every_option_is_described_in_both_languages(task) -> None:  # type: ignore[no-untyped-def]
    schema = msgspec.json.schema(task.Options)
    for name, field in schema["$defs"][task.Options.__name__]["properties"].items():
        parts = [field, *field.get("anyOf", [])]
        assert any("description" in part for part in parts), name
        assert any("x-description-zh" in part for part in parts), name


@pytest.mark.parametrize("task", shipped().tasks.values(), ids=lambda task: task.name)
def test_the_examples_of_a_task_can_be_asked(task) -> None:  # type: ignore[no-untyped-def]
    for example in task.examples:
        for text in example.text:
            options = msgspec.Raw(msgspec.json.encode(dict(example.options)))
            call = understand(InferRequest(task=task.name, images=["a"], text=text, options=options), Caller(), "req_t", 0.0)
            assert call.looks is None or isinstance(call.looks[0], Look)


async def test_a_medical_image_brings_the_note_whoever_is_asked_about_it() -> None:
    bench = Bench()

    async def probe(*_: object) -> list[Picture]:
        return [Picture(0, format="dicom")]

    bench.gate.probe = probe  # type: ignore[method-assign, assignment]
    request = InferRequest(task="vqa", images=["a"], text="How large is the nodule?")
    final = [event async for event in bench.inference.stream(bench.call(request))][-1]
    assert isinstance(final, Final)
    assert [each.type for each in final.warnings] == ["not_a_diagnosis"]
