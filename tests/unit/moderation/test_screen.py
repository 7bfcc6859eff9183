"""The screen: a stream shows nothing of a match and holds nothing back without a reason."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.moderation.rules import Match, Rules, RuleText
from sightline.moderation.screen import Held, Screen
from sightline.prompt import Delta, TokenLogprob, Usage

RULES = Rules(
    [RuleText("own", "[test]\nbomb\nbomb shelter plans\nabracadabra\n炸弹\n炸药配方\n/how to (make|do) .{0,5}it/\n/如何.{0,3}制作/")]
)

_words = st.sampled_from(
    ["bomb", "bom", "b o m b", "b.o.m.b", "aplomb", "炸", "弹", "炸弹", "炸药", "配方", "如何", "制作", "how to ", "make ", "it"]
) | st.sampled_from(["abra", "cadabra", " ", ". ", "\u200b", "x", "shelter plans", "ｂ", "0"])
_texts = st.lists(_words, max_size=12).map("".join)


def pieces(text: str, cuts: list[int]) -> list[str]:
    edges = [0, *sorted({cut % (len(text) + 1) for cut in cuts}), len(text)]
    return [text[begin:end] for begin, end in pairwise(edges)]


def stream(rules: Rules, parts: list[str]) -> tuple[Match | None, list[int]]:
    screen, clear = Screen(rules), []
    for part in parts:
        if match := screen.feed(part):
            return match, clear
        clear.append(screen.clear)
    match = screen.feed("", final=True)
    return match, [*clear, screen.clear]


@settings(max_examples=400, deadline=None)
@given(_texts, st.lists(st.integers(0, 100), max_size=12))
def test_a_stream_in_any_pieces_is_refused_where_the_whole_is(text: str, cuts: list[int]) -> None:
    match, clear = stream(RULES, pieces(text, cuts))
    whole = RULES.find(text)
    assert (match is None) == (whole is None)
    if match:
        assert all(shown <= match.start for shown in clear)
        assert RULES.find(text[match.start : match.end]) is not None
    else:
        assert clear[-1] == len(text)


@settings(deadline=None)
@given(_texts, st.lists(st.integers(0, 100), max_size=12))
def test_what_is_shown_grows_and_is_never_ahead_of_what_was_said(text: str, cuts: list[int]) -> None:
    parts = pieces(text, cuts)
    _, clear = stream(RULES, parts)
    said = 0
    for part, shown, before in zip(parts, clear, [0, *clear], strict=False):
        said += len(part)
        assert before <= shown <= said


def test_only_what_may_become_a_match_is_held() -> None:
    rules = Rules([RuleText("own", "[test]\nbomb\nbomb shelter plans\n炸弹\n炸药配方\n/how to (make|do) .{0,5}it/")])
    text = "A bo bomba aplomb how to make a cake 炸鸡 炸药厂 ok"
    screen, held = Screen(rules), []
    for said, character in enumerate(text, start=1):
        assert screen.feed(character) is None
        held.append(said - screen.clear)
    #                   A  ␣  b  o  ␣  b  o  m  b  a  ␣  a  p  l  o  m  b  ␣
    assert held[:18] == [0, 0, 1, 2, 3, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert held[-1] == 0
    assert max(held) == len("how to make a cake ")  # "how to make acakeit" is what it still waits for


def test_a_match_that_waits_for_its_words_end_is_not_shown() -> None:
    screen = Screen(RULES)
    assert screen.feed("a bomb") is None
    assert screen.clear == 2
    match = screen.feed(".")
    assert match is not None
    assert (match.start, match.end) == (2, 6)
    screen = Screen(RULES)
    screen.feed("a bomb")
    assert screen.feed("", final=True) is not None


def tokens(*texts: str) -> tuple[TokenLogprob, ...]:
    return tuple(TokenLogprob(text, -float(number + 1)) for number, text in enumerate(texts))


def test_deltas_part_between_their_tokens() -> None:
    held = Held()
    held.add(Delta("say bo", tokens("say", " bo"), reasoning="hm"))
    held.add(Delta("at", tokens("at"), finish="stop", usage=Usage(1, 3)))
    first = held.release(4)
    assert [(delta.text, delta.logprobs, delta.reasoning) for delta in first] == [("say", tokens("say", " bo")[:1], "hm")]
    rest = held.release(8)
    assert [(delta.text, delta.logprobs, delta.reasoning, delta.finish) for delta in rest] == [
        (" bo", tokens("say", " bo")[1:], "", None),
        ("at", tokens("at"), "", "stop"),
    ]


def test_deltas_without_logprobs_part_anywhere_and_odd_ones_stay_whole() -> None:
    held = Held()
    held.add(Delta("abcd"))
    held.add(Delta("efgh", tokens("e?", "gh")))
    assert [delta.text for delta in held.release(2)] == ["ab"]
    assert [delta.text for delta in held.release(6)] == ["cd"]
    assert [delta.text for delta in held.release(8)] == ["efgh"]


def test_what_has_no_text_keeps_its_place() -> None:
    held = Held()
    held.add(Delta("bo"))
    held.add(Delta(reasoning="thinking"))
    held.add(Delta(finish="stop"))
    assert held.release(0) == []
    assert [(delta.text, delta.reasoning, delta.finish) for delta in held.release(2)] == [
        ("bo", "", None),
        ("", "thinking", None),
        ("", "", "stop"),
    ]


@settings(deadline=None)
@given(st.lists(st.lists(st.text("ab炸", min_size=1, max_size=3), max_size=4), max_size=6), st.lists(st.integers(0, 60), max_size=6))
def test_nothing_is_lost_or_doubled(deltas: list[list[str]], steps: list[int]) -> None:
    held, out = Held(), []
    for texts in deltas:
        held.add(Delta("".join(texts), tokens(*texts)))
    for step in sorted(steps):
        out += held.release(step)
        assert sum(len(delta.text) for delta in out) <= step
    out += held.release(1000)
    assert "".join(delta.text for delta in out) == "".join(map("".join, deltas))
    assert [token.token for delta in out for token in delta.logprobs or ()] == [text for texts in deltas for text in texts]
    assert all("".join(token.token for token in delta.logprobs or ()) == delta.text for delta in out)
