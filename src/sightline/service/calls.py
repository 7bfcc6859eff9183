"""A request, once it is understood: the task it names, its typed options, its turns. Both doors of the service make one."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from sightline.protocol.decode import decode
from sightline.protocol.errors import MalformedRequest, UnknownTask
from sightline.protocol.language import Bilingual, Language, of_text
from sightline.protocol.requests import InferRequest, Media, Options, Turn
from sightline.service.ports import Caller, Probed
from sightline.tasks.base import Given, Look, Task
from sightline.tasks.catalog import Catalog, shipped
from sightline.tasks.personas import Persona

_MOST_TIME_MS = 3_600_000


class Call(msgspec.Struct, frozen=True):
    """What one caller wants. `turns` ends with the new question; `arrived` is a time of the service's clock."""

    request_id: str
    task: Task
    options: Options
    turns: tuple[Turn, ...]
    caller: Caller
    arrived: float
    batch: bool = False
    whole: bool = False
    """Whether the answer is told at its end alone."""
    persona: Persona | None = None
    most_ms: int = _MOST_TIME_MS
    """What it may take at most: its lane's bound, once that is known."""
    looks: tuple[Look, ...] | None = None
    """The parts of the inputs that each have a generation of their own; known once the inputs are, see `survey`."""

    @property
    def sources(self) -> list[Media]:
        """The media of all turns, in order."""
        return [source for turn in self.turns for source in turn.images]

    @property
    def text(self) -> str:
        return self.turns[-1].text

    @property
    def timeout_ms(self) -> int:
        grown = self.task.timeout_ms + self.task.timeout_ms_per_look * len(self.looks or ())
        return min(self.options.timeout_ms or grown, self.most_ms)

    def within(self, most_ms: int) -> Call:
        """The same call with no more time than that."""
        return replace(self, most_ms=min(self.most_ms, most_ms))

    @property
    def language(self) -> Language:
        """The language to answer in: as asked, else that of the text, else that of the caller."""
        return self.options.language or of_text(self.text) or self.caller.language


def understand(
    request: InferRequest, caller: Caller, request_id: str, arrived: float, catalog: Catalog | None = None, *, whole: bool = False
) -> Call:
    """The call behind a request, by what the service can be asked (without a `catalog`, what ships).

    Raises `UnknownTask`, and `MalformedRequest` for options the task does not take, missing text, too few or too many media.
    """
    catalog = catalog or shipped()
    task = catalog.tasks.get(request.task)
    if task is None:
        raise UnknownTask(request.task, sorted(catalog.tasks))
    options = decode(request.options, task.Options, at="options")
    call = Call(
        request_id=request_id,
        task=task,
        options=options,
        turns=(*request.messages, Turn("user", request.text, request.images)),
        caller=caller,
        arrived=arrived,
        whole=whole,
        persona=catalog.persona(options.persona, task.name),
    )
    check(call)
    return call


def check(call: Call) -> None:
    """Raises `MalformedRequest` unless text and media fit the task."""
    rule, count = call.task.media, len(call.sources)
    call.task.check(call.options, call.text)
    if count < rule.least:
        raise MalformedRequest(
            "images",
            Bilingual(f"该任务至少需要 {rule.least} 个输入", f"this task needs at least {rule.least} input(s)"),
            f"{rule.least}..{rule.most}",
        )
    if count > rule.most:
        raise MalformedRequest(
            "images",
            Bilingual(f"该任务至多接受 {rule.most} 个输入，收到 {count} 个", f"this task takes at most {rule.most} input(s), not {count}"),
            f"{rule.least}..{rule.most}",
        )


def given(probed: Sequence[Probed]) -> tuple[Given, ...]:
    """The inputs as a task knows them."""
    return tuple(Given(item.kind, item.width, item.height, item.pages, item.seconds) for item in probed)


def survey(call: Call, probed: Sequence[Probed]) -> Call:
    """The call, now that its inputs are known: with the parts that it looks at, and so the time that it needs.

    Raises `MalformedRequest` and `TooLarge` for options that do not fit the inputs.
    """
    looks = call.task.looks(call.options, given(probed))
    return call if looks is None else replace(call, looks=looks)
