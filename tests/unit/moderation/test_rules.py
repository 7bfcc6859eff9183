"""Rules: what is found however it is written, what is not, and what an operator is told of a rule that cannot be used."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.moderation.rules import Match, Rules, RulesFault, RuleText


def of(*lines: str) -> Rules:
    return Rules([RuleText("own", "\n".join(("[test]", *lines)))])


BOMB = of("bomb", "炸弹", "pressure cooker", "ak47", "/secret (red|blue) plan .{0,6}now/")


@pytest.mark.parametrize(
    "text",
    [
        "bomb", "a bomb!", "BOMB", "ｂｏｍｂ", "b\u200bo\u2060m\u00adb", "bоmb", "вомв", "b o m b", "b.o.m.b",
        "b-o-m-b", "b. o. m. b", "the b. o. m. b.",
        "b*o*m*b", "bo*mb", "b0mb", "8omb", "bömb",
        "b̴o̴m̴b̴", "𝐛𝐨𝐦𝐛", "𝕓𝕠𝕞𝕓", "ⓑⓞⓜⓑ", "🅱🅾🅼🅱", "🇧🇴🇲🇧", "ʙᴏᴍʙ", "b\no\nm\nb", "用bomb吧", "b\u3164o\ufe0fm\u034fb", "\u202ebomb",
        "b💣o💣m💣b",
        "炸弹", "炸彈", "炸 弹", "炸\u200b弹", "炸*弹", "炸💣弹", "炸\n弹", "有炸弹吗", "炸\U000e0100弹",
        "pressure cooker", "Pressure-Cooker", "pressure   cooker", "pressurecooker", "pressure\ncooker", "press ure coo ker",
        "AK-47", "ak47", "AK 47", "ＡＫ４７",
        "the secret red plan is now", "secret blue plan, right now", "s e c r e t red plan now",
    ],
)  # fmt: skip
def test_it_is_found_however_it_is_written(text: str) -> None:
    assert BOMB.find(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "bombs", "bombard", "aplomb", "bo mb", "b om b", "tom bought", "lo-bomber", "Bo. MB",
        "炸。弹", "轰炸. 弹药", "轰炸，弹药", "弹炸", "under pressure. Cooker sold",
        "a4 k7", "ak 4 7.", "secret red plan is for later than now", "secret. Red plan now", "8086", "0008", "b00b",
        "secret green plan now",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_let_through(text: str) -> None:
    assert BOMB.find(text) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I saw a bomb there", "bomb"),
        ("𝐈 saw a \u200b𝐛\u200b𝐨𝐦𝐛\u200b there", "𝐛\u200b𝐨𝐦𝐛"),
        ("ßß b o m b.", "b o m b"),
        ("這裏有炸 彈嗎", "炸 彈"),
        ("ﬃ" * 300 + " bomb " + "x" * 300, "bomb"),
        ("那个secret red plan 就是now。", "secret red plan 就是now"),
    ],
)
def test_a_match_stands_where_it_stands_in_the_original(text: str, found: str) -> None:
    match = BOMB.find(text)
    assert match is not None
    assert text[match.start : match.end] == found


def test_a_rule_is_named_by_its_file_and_line() -> None:
    rules = Rules([RuleText("one", "# about\n[weapons]\n\nbomb\n"), RuleText("two", "[money]\n/free .{1,4} coins/\n汇款")])
    assert rules.find("a bomb") == Match(2, 6, "weapons", "one:4")
    assert rules.find("free gold coins") == Match(0, 15, "money", "two:2")
    assert (rules.categories, rules.count) == (("money", "weapons"), 3)


def test_the_version_follows_the_rules() -> None:
    assert of("bomb").version == of("bomb").version != of("bomb", "gun").version


def test_no_rules_refuse_nothing() -> None:
    assert Rules([]).find("bomb") is None


@pytest.mark.parametrize(
    ("content", "line", "word"),
    [
        ("bomb", 1, "category"),
        ("[Not Good]\nbomb", 1, "category"),
        ("[ok]\nbomb\n?!", 3, "two letters"),
        ("[ok]\nb", 2, "two letters"),
        ("[ok]\n" + "b" * 201, 2, "at most 200"),
        ("[ok]\n\n# c\n/bo+mb/", 4, "no longest length"),
    ],
)
def test_a_rule_that_cannot_be_used_is_named(content: str, line: int, word: str) -> None:
    with pytest.raises(RulesFault, match=word) as told:
        Rules([RuleText("mine", content)])
    assert f"mine, line {line}" in told.value.say("en")
    assert f"mine 第 {line} 行" in told.value.say("zh")


@settings(deadline=None)
@given(st.text(alphabet="ab(|)?{2,}[]^-.\\\\d *+/炸#\n $@", max_size=60), st.text(max_size=60))
def test_any_file_is_taken_or_refused_with_a_reason_and_any_text_is_searched(content: str, text: str) -> None:
    try:
        rules = Rules([RuleText("any", "[ok]\n" + content)])
    except RulesFault as fault:
        assert fault.say("zh")
        assert fault.say("en").startswith("any, line ")
        return
    match = rules.find(text)
    assert match is None or 0 <= match.start < match.end <= len(text)


def test_definitions_are_written_out_where_they_are_named() -> None:
    rules = of("{make} = make|build", "{how} = how (to|do i) {make}", "/{how} (a |an )?(bomb|rocket)/")
    assert rules.find("how do I build a rocket?")
    assert rules.find("how to make bomb")
    assert not rules.find("how to buy a rocket")


@pytest.mark.parametrize("line", ["/how {to} go/", "{a} = x{b}", "{a} = x{a}"])
def test_what_is_not_defined_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(RulesFault, match=r"own, line 2: .*not defined"):
        of(line)


def test_definitions_cannot_grow_without_bound() -> None:
    doubling = [f"{{{'a' * (number + 1)}}} = {{{'a' * number}}}{{{'a' * number}}}" for number in range(1, 24)]
    with pytest.raises(RulesFault, match="too long"):
        of("{a} = xyz", *doubling)


def test_a_word_that_makes_it_something_else() -> None:
    rules = of("/make a bomb(?!shelter|disposal)/")
    assert rules.find("make a bomb")
    assert rules.find("make a bomb. Shelter comes later.")
    assert rules.find("make a bomb shelf")
    assert not rules.find("make a bomb shelter")
    assert not rules.find("make a b0mb disposal unit")
