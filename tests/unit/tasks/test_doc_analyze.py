"""Documents: every page is read alone, the answer cites its pages, and a bad page sinks no other."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from sightline.prompt import Prompt
from sightline.protocol.errors import DamagedMedia, DeadlineExceeded, MalformedRequest, TooLarge
from sightline.protocol.events import Accepted, Final, Progress, Token
from sightline.protocol.requests import InferRequest
from sightline.service.lanes import LaneLimits
from sightline.tasks.documents.evidence import believable
from tests.doubles import Bench
from tests.unit.tasks.documents import Written, ask, library

ABSENT = "not on this page"


def asking(*images: str, text: str = "Who signed?", **options: Any) -> InferRequest:
    return InferRequest(task="doc_analyze", images=list(images), text=text, options=msgspec.Raw(json.dumps(options).encode()))


async def final_of(documents: dict[str, Written], request: InferRequest, reply: str = "") -> Final:
    bench, _ = library(documents, reply)
    final = (await ask(bench, request))[-1]
    assert isinstance(final, Final)
    return final


async def test_the_answer_is_that_of_the_one_page_that_knows_it() -> None:
    bench, reader = library({"a.pdf": Written([ABSENT, ABSENT, "Ada Lovelace", ABSENT])})
    events = await ask(bench, asking("a.pdf"))
    final = events[-1]
    assert isinstance(final, Final)
    assert final.answer == "Ada Lovelace" == "".join(event.token for event in events if isinstance(event, Token))
    assert final.structured["citations"] == [{"page": 3, "input": 0, "snippet": "Ada Lovelace", "confidence": pytest.approx(0.9048)}]
    assert final.confidence == pytest.approx(0.9048)
    assert final.structured["pages"] == [1, 2, 3, 4]
    assert final.metadata.lane == "B"
    assert final.metadata.receipts[0].pages == (1, 2, 3, 4)
    assert reader.started == 4, "a page that answers alone needs no further generation"


async def test_progress_counts_the_pages() -> None:
    bench, _ = library({"a.pdf": Written([ABSENT] * 3)})
    told = [event for event in await ask(bench, asking("a.pdf")) if isinstance(event, Progress)]
    assert [(each.stage, each.done, each.total) for each in told] == [("pages", done, 3) for done in range(4)]


async def test_a_page_is_asked_as_the_model_was_trained() -> None:
    bench, reader = library({"a.pdf": Written(["x"])})
    await ask(bench, asking("a.pdf", text="谁签的字？"))
    system, user = reader.prompts[0].messages
    assert system.parts == ("根据文档的这一页回答。如果这一页没有说明，请回答：本页没有。",)
    assert len(user.parts) == 2
    assert user.parts[1] == "谁签的字？"


@pytest.mark.parametrize(("text", "answer"), [("Who?", "The document does not say."), ("谁？", "文档中没有说明。")])
async def test_a_document_that_does_not_say_it(text: str, answer: str) -> None:
    final = await final_of({"a.pdf": Written(["Not on this page.", "本页没有。", ""])}, asking("a.pdf", text=text))
    assert final.answer == answer
    assert final.structured["found"] is False
    assert final.structured["citations"] == []


async def test_pages_that_agree_need_no_judge() -> None:
    bench, reader = library({"a.pdf": Written(["12 May.", ABSENT, "12 may"])}, reply="never")
    final = (await ask(bench, asking("a.pdf")))[-1]
    assert isinstance(final, Final)
    assert final.answer in {"12 May.", "12 may"}
    assert [each["page"] for each in final.structured["citations"]] == [1, 3]
    assert reader.started == 3


async def test_pages_that_differ_are_put_together_by_the_model() -> None:
    bench, reader = library({"a.pdf": Written(["Ada signed", ABSENT, "Bob signed too"])}, reply="Ada and Bob (pages 1 and 3)")
    events = await ask(bench, asking("a.pdf"))
    final = events[-1]
    assert isinstance(final, Final)
    assert final.answer == "Ada and Bob (pages 1 and 3)" == "".join(event.token for event in events if isinstance(event, Token))
    last = reader.prompts[-1]
    assert not last.frames
    assert last.messages[-1].parts == ("Page 1: Ada signed\nPage 3: Bob signed too\n\nWho signed?",)


async def test_an_answer_that_was_not_made_from_the_pages_is_not_given() -> None:
    final = await final_of({"a.pdf": Written(["Ada", "Bob"])}, asking("a.pdf"), reply="purple")
    assert final.answer == "Page 1: Ada\nPage 2: Bob"
    assert final.confidence == pytest.approx(0.9048 / 2, abs=1e-3), "of two that differ, one at most is right"


async def test_many_notes_are_put_together_in_groups_that_fit() -> None:
    pages = [f"page {number} says " + " ".join(f"word{other}" for other in range(90)) for number in range(60)]
    bench, reader = library({"a.pdf": Written(pages)}, reply="word7")
    final = (await ask(bench, asking("a.pdf")))[-1]
    assert isinstance(final, Final)
    assert final.answer == "word7"
    texts = [part for prompt in reader.prompts if not prompt.frames for part in prompt.messages[-1].parts if isinstance(part, str)]
    assert len(texts) > 3
    assert max(len(text.encode()) for text in texts) < 9000
    assert len(final.structured["citations"]) == 60
    assert all(len(each["snippet"]) <= 300 for each in final.structured["citations"])


async def test_a_damaged_page_is_named_and_sinks_no_other() -> None:
    final = await final_of({"a.pdf": Written([ABSENT, None, "Ada", None])}, asking("a.pdf"))
    assert final.answer == "Ada"
    assert final.structured["failed_pages"] == [2, 4]
    (warning,) = [each for each in final.warnings if each.type == "pages_failed"]
    assert "2, 4" in warning.msg
    assert warning.code == 1005


async def test_where_no_page_can_be_read_the_call_fails_as_they_did() -> None:
    bench, _ = library({"a.pdf": Written([None, None])})
    with pytest.raises(DamagedMedia):
        await ask(bench, asking("a.pdf"))


async def test_pages_are_counted_over_all_inputs_and_chosen_by_number() -> None:
    documents = {"a.pdf": Written([ABSENT, "one"]), "b.png": Written(["two"], "image"), "c.pdf": Written([ABSENT, "three"])}
    final = await final_of(documents, asking("a.pdf", "b.png", "c.pdf", pages="3, 5-"), reply="two three")
    assert [(each["page"], each["input"], each["snippet"]) for each in final.structured["citations"]] == [(3, 1, "two"), (5, 2, "three")]
    assert final.structured["pages"] == [3, 5]


@pytest.mark.parametrize(("pages", "allowed"), [("4", "1-3"), ("0", "1-3"), ("2-9", "1-3"), ("3-1", "1-3"), ("one", None), ("1,,2", None)])
async def test_a_range_outside_the_document_is_refused_with_the_pages_there_are(pages: str, allowed: str | None) -> None:
    bench, reader = library({"a.pdf": Written(["x"] * 3)})
    with pytest.raises(MalformedRequest) as raised:
        await ask(bench, asking("a.pdf", pages=pages))
    assert raised.value.details["field"] == "options.pages"
    assert allowed is None or raised.value.details["allowed"] == allowed
    assert raised.value.details["allowed"]
    assert reader.started == 0


async def test_more_pages_than_are_read_at_all() -> None:
    bench, _ = library({"a.pdf": Written(["x"] * 150), "b.pdf": Written(["x"] * 60)})
    with pytest.raises(TooLarge):
        await ask(bench, asking("a.pdf", "b.pdf"))
    assert isinstance((await ask(bench, asking("a.pdf", "b.pdf", pages="1-5")))[-1], Final)


async def test_no_document_is_ever_in_memory_as_a_whole() -> None:
    bench, reader = library({"a.pdf": Written([ABSENT] * 200)}, bench=Bench(limits=LaneLimits(slots=2, waiting_tokens=10_000_000)))
    final = (await ask(bench, asking("a.pdf")))[-1]
    assert isinstance(final, Final)
    assert reader.started == 200
    assert reader.shelf.most_held <= 4


async def test_the_time_grows_with_the_pages_and_the_caller_is_told() -> None:
    bench, _ = library({"a.pdf": Written([ABSENT] * 30), "b.pdf": Written([ABSENT])})
    told = [(await ask(bench, asking(name)))[0] for name in ("b.pdf", "a.pdf")]
    assert [each.timeout_ms for each in told if isinstance(each, Accepted)] == [70_000, 360_000]
    asked = (await ask(bench, asking("a.pdf", timeout_ms=9000)))[0]
    assert isinstance(asked, Accepted)
    assert asked.timeout_ms == 9000


async def test_time_that_is_over_ends_it_and_nothing_runs_on() -> None:
    bench, reader = library({"a.pdf": Written(["a b c d e"] * 20)})
    reader.pause = 0.02
    with pytest.raises(DeadlineExceeded):
        await ask(bench, asking("a.pdf", timeout_ms=60))
    assert reader.started == reader.closed < 20
    assert bench.lanes["B"].running == 0


async def test_who_leaves_stops_every_page() -> None:
    bench, reader = library({"a.pdf": Written(["a b c d e"] * 20)})
    reader.pause = 0.01
    events = bench.inference.stream(bench.call(asking("a.pdf")))
    async for event in events:
        if isinstance(event, Progress) and event.done == 1:
            break
    await events.aclose()
    assert reader.started == reader.closed < 20
    assert bench.lanes["B"].running == 0


async def test_markdown_tells_the_pages_in_order_as_they_come() -> None:
    bench, reader = library({"a.pdf": Written(["first page of many words", "two", None, "four"])})
    reader.pause = 0.001
    events = await ask(bench, asking("a.pdf", text="", output="markdown"))
    final = events[-1]
    assert isinstance(final, Final)
    assert final.answer == "## Page 1\n\nfirst page of many words\n\n## Page 2\n\ntwo\n\n## Page 4\n\nfour"
    tokens = [event.token for event in events if isinstance(event, Token)]
    assert "".join(tokens) == final.answer
    assert len(tokens) == 3
    assert [(each["page"], each["markdown"]) for each in final.structured["pages"]][2] == (4, "four")
    assert final.structured["failed_pages"] == [3]


SCHEMA = {
    "type": "object",
    "properties": {
        "total": {"type": "number", "description": "amount to pay"},
        "signed_by": {"type": "array", "items": {"type": "string"}},
    },
}


async def test_fields_are_taken_from_the_page_that_is_surest() -> None:
    pages = ['{"total":12.5,"signed_by":null}', '{"total":null,"signed_by":["Ada",', '{"total":"much","signed_by":["Bob"]}', "no JSON"]
    bench, reader = library({"a.pdf": Written(pages)})
    final = (await ask(bench, asking("a.pdf", output="fields", schema=SCHEMA, text="")))[-1]
    assert isinstance(final, Final)
    fields = final.structured["fields"]
    assert fields["total"] == {"value": 12.5, "page": 1, "input": 0, "confidence": pytest.approx(0.9048), "pages": [1]}
    assert (fields["signed_by"]["value"], fields["signed_by"]["page"]) == (["Bob"], 3), "neither what was cut nor what breaks the schema"
    assert json.loads(final.answer) == {"total": 12.5, "signed_by": ["Bob"]}
    asked = reader.prompts[0]
    assert asked.schema is not None
    assert asked.schema["properties"]["total"] == {"anyOf": [SCHEMA["properties"]["total"], {"type": "null"}]}
    assert "- total: amount to pay; number" in str(asked.messages[-1].parts[-1])


async def test_a_field_that_no_page_holds_is_null() -> None:
    final = await final_of({"a.pdf": Written(['{"total":null,"signed_by":[]}'])}, asking("a.pdf", output="fields", schema=SCHEMA))
    assert final.structured["fields"]["total"] == {"value": None, "page": None, "confidence": None, "pages": []}
    assert final.confidence is None


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"output": "fields"}, "options.schema"),
        ({"schema": SCHEMA}, "options.schema"),
        ({"output": "fields", "schema": {"type": "array"}}, "options.schema"),
        ({"output": "fields", "schema": {"properties": {}}}, "options.schema"),
        ({"output": "fields", "schema": {"properties": {"a": {"type": "text"}}}}, "options.schema.properties.a.type"),
        ({"output": "fields", "schema": {"properties": {"a": {"$ref": "http://example.com/x"}}}}, "options.schema.properties.a.$ref"),
        ({"output": "fields", "schema": {"properties": {f"f{n}": {} for n in range(65)}}}, "options.schema.properties"),
        ({"output": "poem"}, "options.output"),
        ({"text": ""}, "text"),
    ],
)
async def test_what_cannot_be_asked_is_named(options: dict[str, Any], field: str) -> None:
    bench, reader = library({"a.pdf": Written(["x"])})
    with pytest.raises(MalformedRequest) as raised:
        await ask(bench, asking("a.pdf", **options))
    assert raised.value.details["field"] == field
    assert reader.started == 0


async def test_of_many_pages_that_claim_an_answer_those_that_hold_its_words_are_believed() -> None:
    """A model that guesses on every page: the pages' own text gives it away."""
    said = {f"page {number}": (f"{number} apples", f"{number} apples, pears") for number in range(1, 8)}
    said["page 5"] = ("55 plums", "prices of plums")
    bench, reader = library({"a.pdf": Written(list(said))})

    def reply(prompt: Prompt) -> str:
        (page,) = [frame.data.decode() for frame in prompt.frames]
        return said[page][prompt.messages[-1].parts[-1] == "Read all the text in the image, line by line."]

    reader.answer = reply
    events = await ask(bench, asking("a.pdf", text="What do plums cost?"))
    final = events[-1]
    assert isinstance(final, Final)
    assert final.answer == "55 plums"
    assert [each["page"] for each in final.structured["citations"]] == [5]
    assert final.structured["set_aside"] == [1, 2, 3, 4, 6, 7]
    assert [each.type for each in final.warnings] == ["pages_set_aside"]
    assert [event.done for event in events if isinstance(event, Progress) and event.stage == "evidence"] == list(range(8))


async def test_where_nothing_tells_many_claims_apart_the_caller_is_told() -> None:
    final = await final_of({"a.pdf": Written([f"{number} apples" for number in range(5)])}, asking("a.pdf", text="What do plums cost?"))
    assert final.structured["set_aside"] == []
    assert [each.type for each in final.warnings] == ["pages_disagree"]
    assert final.confidence is not None
    assert final.confidence < 0.2


@pytest.mark.parametrize(
    ("question", "texts", "pages"),
    [
        ("What is the value of Jan?", {1: "Sales Jan 5", 2: "Sales Feb 6", 3: "Cost Mar"}, {1}),
        ("三月的数值是多少？", {1: "一月 二月", 2: "三月 四月", 3: "东 西"}, {2}),
        ("How did it change from 2021 to 2022?", {1: "2021: 5", 2: "2022: 7", 3: "2030"}, {1, 2}),
        ("Who signed?", {1: "a", 2: "b"}, {1, 2}),
        ("Total?", {1: "total 5", 2: "Total 6"}, {1, 2}),
        ("Total?", {}, set()),
    ],
)
def test_rare_words_of_the_question_tell_pages_apart(question: str, texts: dict[int, str], pages: set[int]) -> None:
    assert believable(question, texts) == pages
