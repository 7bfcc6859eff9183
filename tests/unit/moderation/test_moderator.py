"""The moderator: what is refused, what is shown before it, and what is written down."""

from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path

import pytest

from sightline.moderation.audit import AuditLog
from sightline.moderation.model import Guard, Verdict, parse, windows
from sightline.moderation.moderator import UNRECORDED, Moderation
from sightline.moderation.rules import Rules, RuleText
from sightline.moderation.verify import entries, verify
from sightline.prompt import Delta, Frame, Prompt, TokenLogprob, Usage
from sightline.protocol.errors import BackendUnavailable, SensitiveContent
from sightline.protocol.receipts import Receipt
from sightline.service.ports import Caller, Loaded, ModelInfo, Moderator

SECRET = b"s" * 32
RULES = Rules([RuleText("own", "[weapons]\nbomb\n炸弹\npipe dream machine")])
CALLER = Caller(tenant="shop", key_id="key_a", language="zh")


@pytest.fixture
def audit(tmp_path: Path) -> Iterator[AuditLog]:
    log = AuditLog(tmp_path / "audit", SECRET)
    yield log
    log.close()


class Engine:
    """A backend that answers what a function says of the prompt, and keeps what it was asked."""

    name = "guard"
    info: ModelInfo | None = None

    def __init__(self, answer: Callable[[Prompt], str]) -> None:
        self._answer = answer
        self.asked: list[Prompt] = []

    def ready(self) -> bool:
        return True

    async def wait_ready(self, seconds: float) -> bool:
        return True

    async def generate(self, prompt: Prompt, *, tenant: str) -> AsyncGenerator[Delta]:
        self.asked.append(prompt)
        for line in self._answer(prompt).splitlines(keepends=True):
            yield Delta(line)
        yield Delta(finish="stop")


def about(word: str) -> Callable[[Prompt], str]:
    """A guard that refuses whatever holds a word."""

    def answer(prompt: Prompt) -> str:
        text = "".join(part for part in prompt.messages[0].parts if isinstance(part, str))
        return "Safety: Unsafe\nCategories: Violent" if word in text else "Safety: Safe\nCategories: None"

    return answer


async def said(*texts: str) -> AsyncGenerator[Delta]:
    for text in texts:
        yield Delta(text, (TokenLogprob(text, -0.5),))
    yield Delta(finish="stop", usage=Usage(3, len(texts)))


async def shown(moderator: Moderator, *texts: str) -> tuple[list[Delta], SensitiveContent | None]:
    out: list[Delta] = []
    try:
        async for delta in moderator.screen(said(*texts), CALLER):
            out.append(delta)
    except SensitiveContent as refused:
        return out, refused
    return out, None


def text_of(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas)


async def test_a_question_is_refused_and_recorded_without_an_echo(audit: AuditLog, tmp_path: Path) -> None:
    moderator: Moderator = Moderation(RULES, audit)
    await moderator.check("what is a bombardier beetle?", CALLER)
    with pytest.raises(SensitiveContent) as refused:
        await moderator.check("I want a b-o-m-b now", CALLER)
    body = refused.value.body("req_1", "en")
    assert body.error.details["category"] == "weapons"
    assert "b-o-m-b" not in str(body)
    (entry,) = entries(tmp_path / "audit", SECRET)
    assert entry.id == body.error.details["audit_id"]
    assert (entry.where, entry.rule, entry.span, entry.tenant, entry.key_id) == ("input", "own:2", (9, 16), "shop", "key_a")


async def test_a_match_split_over_tokens_is_never_shown(audit: AuditLog) -> None:
    out, refused = await shown(Moderation(RULES, audit), "take", " a", " bo", "m", "b", " and", " run")
    assert text_of(out) == "take a "[: len(text_of(out))]
    assert text_of(out) == "take a"
    assert refused is not None
    out, refused = await shown(Moderation(RULES, audit), "有", "炸", "弹")
    assert (text_of(out), refused is None) == ("有", False)


async def test_what_is_clear_comes_out_as_it_went_in(audit: AuditLog) -> None:
    texts = ("a", " pipe", " dream", " of", " mine", ", aplomb", " bo")
    out, refused = await shown(Moderation(RULES, audit), *texts)
    assert refused is None
    assert [delta.text for delta in out] == [*texts, ""]
    assert [delta.logprobs for delta in out[:-1]] == [(TokenLogprob(text, -0.5),) for text in texts]
    assert (out[-1].finish, out[-1].usage) == ("stop", Usage(3, len(texts)))


async def test_the_last_word_is_judged_at_the_end(audit: AuditLog) -> None:
    out, refused = await shown(Moderation(RULES, audit), "a", " bomb")
    assert text_of(out) == "a"
    assert refused is not None


async def test_leaving_early_closes_the_engine(audit: AuditLog) -> None:
    closed = False

    async def endless() -> AsyncGenerator[Delta]:
        nonlocal closed
        try:
            while True:
                yield Delta("word ")
        finally:
            closed = True

    stream = Moderation(RULES, audit).screen(endless(), CALLER)
    assert (await anext(stream)).text
    await stream.aclose()
    assert closed


async def test_a_refusal_closes_the_engine(audit: AuditLog) -> None:
    closed = False

    async def bad() -> AsyncGenerator[Delta]:
        nonlocal closed
        try:
            while True:
                yield Delta("bomb ")
        finally:
            closed = True

    with pytest.raises(SensitiveContent):
        async for _ in Moderation(RULES, audit).screen(bad(), CALLER):
            pass
    assert closed


async def test_a_refusal_that_cannot_be_recorded_is_still_one(audit: AuditLog, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    moderator = Moderation(RULES, audit)
    assert not moderator.unrecorded
    monkeypatch.setattr("os.write", full)
    with pytest.raises(SensitiveContent) as refused:
        await moderator.check("bomb", CALLER)
    assert refused.value.details["audit_id"] == UNRECORDED
    assert moderator.unrecorded
    assert any("could not be audited" in record.message for record in caplog.records)


async def test_a_long_text_is_searched_to_its_end(audit: AuditLog) -> None:
    moderator = Moderation(RULES, audit)
    await moderator.check("a harmless word " * 12_000, CALLER)
    with pytest.raises(SensitiveContent):
        await moderator.check("a harmless word " * 12_000 + "bomb", CALLER)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("Safety: Safe\nCategories: None", Verdict("safe")),
        ("Safety: Unsafe\nCategories: Violent, Suicide & Self-Harm\nRefusal: No", Verdict("unsafe", ("violent", "self_harm"))),
        ("Safety: Controversial\nCategories: Politically Sensitive Topics", Verdict("controversial", ("political",))),
        ("<think>\n\n</think>\n\nSafety: Unsafe\nCategories: Non-violent Illegal Acts\n", Verdict("unsafe", ("illegal_acts",))),
        ("Safety: Unsafe", Verdict("unsafe")),
        ("I cannot help with that.", None),
        ("Safety: Maybe", None),
        ("Safety: Unsafely", None),
        ("Safety: Safe\nSafety: Unsafe", None),
        ("", None),
    ],
)
def test_a_guards_answer_is_read(answer: str, verdict: Verdict | None) -> None:
    assert parse(answer) == verdict


@pytest.mark.parametrize(("length", "size", "overlap"), [(0, 5, 2), (5, 5, 2), (6, 5, 2), (23, 5, 2), (23, 5, 0)])
def test_windows_cover_a_text(length: int, size: int, overlap: int) -> None:
    found = windows(length, size, overlap)
    assert set().union(*(range(begin, end) for begin, end in found)) == set(range(length))
    assert all(end - begin <= size + overlap for begin, end in found)


async def test_a_guard_model_refuses_what_rules_do_not_know(audit: AuditLog, tmp_path: Path) -> None:
    moderator = Moderation(RULES, audit, text_guard=Guard(Engine(about("poison"))))
    await moderator.check("a kind word", CALLER)
    with pytest.raises(SensitiveContent) as refused:
        await moderator.check("x" * 4500 + " poison", CALLER)
    assert refused.value.details["category"] == "violent"
    (entry,) = entries(tmp_path / "audit", SECRET)
    assert entry.rule == "model:guard"
    assert moderator.version != Moderation(RULES, audit).version


async def test_with_a_guard_nothing_is_shown_unjudged(audit: AuditLog) -> None:
    engine = Engine(about("poison"))
    moderator = Moderation(RULES, audit, text_guard=Guard(engine, window=20, overlap=8))
    texts = [f"word{number} " for number in range(12)]
    out, refused = await shown(moderator, *texts)
    assert (text_of(out), refused) == ("".join(texts), None)
    assert len(engine.asked) == 3  # windows of at least 20 characters
    out, refused = await shown(moderator, *texts, "poi", "son", " in the cup")
    assert refused is not None
    assert "poi" not in text_of(out)
    out, refused = await shown(moderator, "poison at once " * 1000)
    assert (out, refused is None) == ([], False)


async def test_a_guard_that_does_not_answer_in_its_form_lets_nothing_pass(audit: AuditLog) -> None:
    moderator = Moderation(RULES, audit, text_guard=Guard(Engine(lambda _: "As a language model...")))
    with pytest.raises(BackendUnavailable):
        await moderator.check("anything", CALLER)


async def test_what_is_controversial_is_refused_only_where_the_operator_says_so(audit: AuditLog) -> None:
    answer = Engine(lambda _: "Safety: Controversial\nCategories: Unethical Acts")
    await Moderation(RULES, audit, text_guard=Guard(answer)).check("a", CALLER)
    with pytest.raises(SensitiveContent):
        await Moderation(RULES, audit, text_guard=Guard(answer, refuse_controversial=True)).check("a", CALLER)


def loaded(count: int) -> Loaded:
    frames = tuple(Frame(b"pixels%d" % number, "image/jpeg", 32, 32, 1, f"{number}") for number in range(count))
    receipt = Receipt(0, "video", "mp4", "00", 1, 32, 32, 32, 32, 1)
    return Loaded("video", frames, receipt)


async def test_every_picture_is_looked_at(audit: AuditLog, tmp_path: Path) -> None:
    seen: list[str] = []

    def answer(prompt: Prompt) -> str:
        seen.extend(frame.digest for frame in prompt.frames)
        bad = any(frame.digest == "18" for frame in prompt.frames)
        return "Safety: Unsafe\nCategories: Sexual Content or Sexual Acts" if bad else "Safety: Safe\nCategories: None"

    engine = Engine(answer)
    moderator = Moderation(RULES, audit, image_guard=Guard(engine))
    assert moderator.looks
    await moderator.look(loaded(18), CALLER)
    assert seen == [str(number) for number in range(18)]
    assert "Safety:" in str(engine.asked[0].messages[0].parts[-1])
    with pytest.raises(SensitiveContent) as refused:
        await moderator.look(loaded(19), CALLER)
    assert refused.value.details["category"] == "sexual_content"
    assert [entry.where for entry in entries(tmp_path / "audit", SECRET)] == ["image"]
    assert verify(tmp_path / "audit", SECRET).findings == ()


async def test_without_an_image_guard_it_says_that_it_does_not_look(audit: AuditLog) -> None:
    moderator = Moderation(RULES, audit)
    await moderator.look(loaded(1), CALLER)
    assert not moderator.looks
