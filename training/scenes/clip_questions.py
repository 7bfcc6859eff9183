"""Questions about clips, as the task video_qa puts them; times are told as they stand before the frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from training.scenes.clips import DIRECTIONS, ClipScene, things_at
from training.scenes.draw import COLOURS, SHAPES
from training.scenes.naming import name_in
from training.scenes.qa import NOTHING, QA, Groups, Language, absent, article, ask, clock, counting, told, upper_first
from training.scenes.shapes import Thing

Parts = list[tuple[str, Groups]]


class Reel:
    """A clip as its frames show it: at which `times` (s), and which number each mark has."""

    def __init__(self, scene: ClipScene, times: Sequence[float]) -> None:
        self.scene, self.times = scene, times
        self.things = [things_at(scene, seconds) for seconds in times]
        self.first = [0]  # number of the first mark of each frame
        for things in self.things:
            self.first.append(self.first[-1] + len(things) + (scene.story == "counter"))

    def frames_with(self, thing: Thing) -> list[int]:
        """The frames that show a shape; no two in a clip are of one kind."""
        return [index for index, things in enumerate(self.things) if any(o.shape == thing.shape for o in things)]

    def mark(self, thing: Thing, frame: int) -> int:
        return self.first[frame] + next(i for i, o in enumerate(self.things[frame]) if o.shape == thing.shape)

    def counter(self, frame: int) -> int:
        """The mark of the counter, which is the last of its frame."""
        return self.first[frame + 1] - 1

    def in_frame(self, frame: int) -> range:
        return range(self.first[frame], self.first[frame + 1])

    def way(self, thing: Thing) -> Groups:
        """A shape wherever it was seen, and where last: to find it by its name alone is easy, and its mean place tells enough."""
        marks = tuple(self.mark(thing, frame) for frame in self.frames_with(thing))
        return (marks, (marks[-1],), (marks[-1], NOTHING))

    def both_ends(self, thing: Thing) -> Groups:
        """A shape where it was first seen, and where last."""
        frames = self.frames_with(thing)
        a, b = self.mark(thing, frames[0]), self.mark(thing, frames[-1])
        return ((a,), (b,), (a, b, NOTHING))

    def told_time(self, frame: int, seen: int, lang: Language) -> Parts:
        """The time of a frame, copied sign by sign, with the eyes on the mark `seen`."""
        look: Groups = ((seen,), (), (seen, NOTHING))
        digits = [(char, ((seen,), (clock(frame, i),), (seen, NOTHING))) for i, char in enumerate(f"{self.times[frame]:.1f}")]
        return [("第" if lang == "zh" else "at ", look), *digits, ("秒" if lang == "zh" else " s", look)]


Maker = Callable[[Random, Reel, Language], QA | None]


def _only(mark: int) -> Groups:
    return ((mark,), (), (mark, NOTHING))


def _name(rng: Random, thing: Thing, lang: Language, short: bool = False) -> str:
    return name_in(thing.shape_name if short or rng.random() < 0.6 else thing.full_name, lang)


def _event(reel: Reel) -> tuple[int, int]:
    """Of a clip in which something happens at once: the first frame after it, and a mark of the actor next to it."""
    scene = reel.scene
    if scene.story == "recolour":
        frame = next(i for i, seconds in enumerate(reel.times) if seconds >= scene.event - 1e-6)
        return frame, reel.mark(scene.actor, frame)
    frames = reel.frames_with(scene.actor)
    if scene.story == "appear":
        return frames[0], reel.mark(scene.actor, frames[0])
    return frames[-1] + 1, reel.mark(scene.actor, frames[-1])


def direction(rng: Random, reel: Reel, lang: Language) -> QA | None:
    scene = reel.scene
    mover = scene.mover
    if mover is None:
        return None
    name, _, _ = DIRECTIONS[scene.direction]
    return ask(
        rng,
        lang,
        "clip_direction",
        {
            "en": ("Which direction does the {x} move?", "In which direction does the {x} move?", "Which way does the {x} move?"),
            "zh": ("{x}向哪个方向移动？", "{x}往哪个方向移动？", "{x}朝哪边移动？"),
        },
        f"向{name.zh}" if lang == "zh" else name.en,
        reel.way(mover),
        x=_name(rng, mover, lang),
    )


def moving(rng: Random, reel: Reel, lang: Language) -> QA | None:
    """Which shape moves, or whether one does."""
    scene = reel.scene
    mover = scene.mover
    if mover is not None and rng.random() < 0.5:
        return ask(
            rng,
            lang,
            "clip_moves",
            {"en": ("Which shape moves?", "What moves?"), "zh": ("哪个图形在移动？", "什么在移动？")},
            name_in(mover.full_name, lang),
            reel.way(mover),
        )
    if mover is None or not scene.still:
        return None
    thing = rng.choice((mover, rng.choice(scene.still)))
    yes = thing is mover
    return ask(
        rng,
        lang,
        "clip_moves",
        {"en": ("Does the {x} move?", "Is the {x} moving?"), "zh": ("{x}有没有移动？",)},
        {("en", True): "yes", ("en", False): "no", ("zh", True): "有", ("zh", False): "没有"}[lang, yes],
        reel.way(thing),
        x=_name(rng, thing, lang),
    )


def what(rng: Random, reel: Reel, lang: Language) -> QA | None:
    """What appears or disappears."""
    scene = reel.scene
    if scene.story not in ("appear", "disappear"):
        return None
    came = scene.story == "appear"
    verb = "appear" if came else "disappear"
    return ask(
        rng,
        lang,
        f"clip_{verb}s",
        {
            "en": (f"What {verb}s?", f"Which shape {verb}s?", f"What {verb}s in the video?"),
            "zh": ("出现了什么？", "哪个图形出现了？") if came else ("消失了什么？", "哪个图形消失了？"),
        },
        name_in(scene.actor.full_name, lang),
        _only(_event(reel)[1]),
    )


def when(rng: Random, reel: Reel, lang: Language) -> QA | None:
    """The time of the first frame after something happened."""
    scene = reel.scene
    if scene.story not in ("appear", "disappear", "recolour"):
        return None
    en, zh = {"appear": ("appear", "出现"), "disappear": ("disappear", "消失"), "recolour": ("change colour", "变色")}[scene.story]
    answer, focus = told(reel.told_time(*_event(reel), lang))
    qa = ask(
        rng,
        lang,
        "clip_when",
        {
            "en": ("At which second does the {x} {v}?", "When does the {x} {v}?"),
            "zh": ("{x}在第几秒{v}？", "{x}什么时候{v}？"),
        },
        answer,
        x=_name(rng, scene.actor, lang, short=scene.story == "recolour"),
        v=zh if lang == "zh" else en,
    )
    return replace(qa, focus=focus)


def colour(rng: Random, reel: Reel, lang: Language) -> QA | None:
    """Which colour something becomes, had at first, or has all the time."""
    scene = reel.scene
    changes = scene.story == "recolour"
    if changes and rng.random() < 0.75:
        became = rng.random() < 0.7
        look = reel.both_ends(scene.actor)
        return ask(
            rng,
            lang,
            "clip_colour",
            {
                "en": ("What colour does the {x} become?", "What colour does the {x} turn?", "What colour is the {x} at the end?")
                if became
                else ("What colour is the {x} at the beginning?",),
                "zh": ("{x}变成了什么颜色？", "{x}变成什么颜色？", "{x}最后是什么颜色？") if became else ("{x}一开始是什么颜色？",),
            },
            name_in(COLOURS[scene.colour if became else scene.actor.colour][0], lang),
            look if not became else (look[1], look[0], look[2]),
            x=name_in(scene.actor.shape_name, lang),
        )
    choices = [*scene.still, *([scene.actor] if scene.story in ("move", "meet", "appear") else ())]
    if not choices:
        return None
    thing = rng.choice(choices)
    return ask(
        rng,
        lang,
        "clip_colour",
        {"en": ("What colour is the {x}?",), "zh": ("{x}是什么颜色？", "{x}是什么颜色的？")},
        name_in(thing.colour_name, lang),
        reel.way(thing),
        x=name_in(thing.shape_name, lang),
    )


def count(rng: Random, reel: Reel, lang: Language) -> QA | None:
    """How many shapes there are at the end or at the beginning."""
    if reel.scene.story == "counter":
        return None
    last = rng.random() < 0.65
    frame = len(reel.times) - 1 if last else 0
    return ask(
        rng,
        lang,
        "clip_count",
        {
            "en": ("How many shapes are there at the {w}?", "How many shapes are in the video at the {w}?"),
            "zh": ("{w}有几个图形？", "{w}有多少个图形？"),
        },
        str(len(reel.things[frame])),
        counting(reel.in_frame(frame)),
        w=("最后" if last else "一开始") if lang == "zh" else ("end" if last else "beginning"),
    )


def counter(rng: Random, reel: Reel, lang: Language) -> QA | None:
    scene = reel.scene
    if scene.story != "counter":
        return None
    last = rng.random() < 0.7
    frame = len(reel.times) - 1 if last else 0
    return ask(
        rng,
        lang,
        "clip_counter",
        {
            "en": ("What does the counter show at the {w}?", "What number does the counter show at the {w}?")
            + (("What does the counter show last?",) if last else ()),
            "zh": ("计数器{w}显示多少？", "计数器{w}是多少？", "{w}的数字是多少？"),
        },
        str(scene.count(reel.times[frame])),
        _only(reel.counter(frame)),
        w=("最后" if last else "一开始") if lang == "zh" else ("end" if last else "beginning"),
    )


def touching(rng: Random, reel: Reel, lang: Language) -> QA | None:
    scene = reel.scene
    if scene.story != "meet" or scene.other is None:
        return None
    a, b = (scene.actor, scene.other) if rng.random() < 0.5 else (scene.other, scene.actor)
    x, y = (reel.mark(thing, len(reel.times) - 1) for thing in (a, b))
    return ask(
        rng,
        lang,
        "clip_touch",
        {
            "en": ("Do the {x} and the {y} touch?", "Does the {x} touch the {y}?", "Do the {x} and the {y} collide?"),
            "zh": ("{x}和{y}有没有碰到一起？", "{x}有没有碰到{y}？", "{x}和{y}有没有相撞？"),
        },
        {("en", True): "yes", ("en", False): "no", ("zh", True): "有", ("zh", False): "没有"}[lang, scene.touch],
        ((x,), (y,), (x, y, NOTHING)),
        x=_name(rng, a, lang),
        y=_name(rng, b, lang),
    )


def missing(rng: Random, reel: Reel, lang: Language) -> QA:
    """A question that takes for granted what never comes."""
    there = {thing.shape for things in reel.things for thing in things}
    x = name_in(rng.choice([shape for index, shape in enumerate(SHAPES) if index not in there]), lang)
    return ask(
        rng,
        lang,
        "clip_absent",
        {
            "en": ("Which direction does the {x} move?", "When does the {x} appear?", "What colour does the {x} become?"),
            "zh": ("{x}向哪个方向移动？", "{x}在第几秒出现？", "{x}变成了什么颜色？"),
        },
        absent(lang, x),
        counting(()),
        x=x,
    )


def happening(rng: Random, reel: Reel, lang: Language) -> QA:
    """What happens, in a sentence."""
    scene, zh = reel.scene, lang == "zh"

    def one(thing: Thing) -> str:
        return f"一个{thing.full_name.zh}" if zh else article(thing.full_name.en)

    if scene.story == "counter":
        ends = [(str(scene.count(reel.times[frame])), _only(reel.counter(frame))) for frame in (0, len(reel.times) - 1)]
        parts: Parts = [
            ("计数器从" if zh else "A counter goes from ", ends[0][1]),
            ends[0],
            ("变到" if zh else " to ", ends[1][1]),
            ends[1],
        ]
    elif scene.story == "move":
        look, name = reel.way(scene.actor), DIRECTIONS[scene.direction][0]
        where = {"left": "to the left", "right": "to the right"}.get(name.en, name.en)
        parts = [(one(scene.actor), look), (f"向{name.zh}移动" if zh else f" moves {where}", look)]
    elif scene.story == "meet" and scene.other is not None:
        x, y = (reel.mark(thing, len(reel.times) - 1) for thing in (scene.actor, scene.other))
        both: Groups = ((x,), (y,), (x, y, NOTHING))
        end = ("相遇" if scene.touch else "互相靠近") if zh else (" meet" if scene.touch else " come near each other")
        parts = [(one(scene.actor), _only(x)), ("和" if zh else " and ", both), (one(scene.other), _only(y)), (end, both)]
    else:
        frame, mark = _event(reel)
        look, clocked = _only(mark), reel.told_time(frame, mark, lang)
        became = name_in(COLOURS[scene.colour][0], lang)
        end = {
            "appear": "出现" if zh else " appears ",
            "disappear": "消失" if zh else " disappears ",
            "recolour": f"变成{became}" if zh else f" turns {became} ",
        }[scene.story]
        parts = [(one(scene.actor), look if scene.story != "recolour" else _only(reel.mark(scene.actor, 0)))]
        parts += [("在", look), *clocked, (end, look)] if zh else [(end, look), *clocked]
    parts[0] = (upper_first(parts[0][0]), parts[0][1])
    answer, focus = told([*parts, ("。" if zh else ".", ())])
    qa = ask(
        rng,
        lang,
        "clip_caption",
        {
            "en": ("What happens in the video?", "What happens?", "Describe the video in one sentence."),
            "zh": ("视频里发生了什么？", "发生了什么？", "用一句话描述这段视频。"),
        },
        answer,
    )
    return replace(qa, focus=focus)


_MAKERS: tuple[tuple[Maker, float], ...] = (
    (direction, 3.0),
    (moving, 0.8),
    (what, 1.6),
    (when, 2.0),
    (colour, 1.0),
    (count, 1.2),
    (counter, 3.0),
    (touching, 2.4),
    (missing, 0.12),
    (happening, 0.7),
)


def about(rng: Random, reel: Reel, lang: Language) -> QA | None:
    """A question about the clip at random; the maker may find nothing to ask."""
    qa = rng.choices([maker for maker, _ in _MAKERS], [weight for _, weight in _MAKERS])[0](rng, reel, lang)
    return replace(qa, task="video_qa") if qa is not None else None
