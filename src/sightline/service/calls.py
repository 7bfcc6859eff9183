"""A request, once it is understood: the task it names, its typed options, its turns. Both doors of the service make one."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.protocol.decode import decode
from sightline.protocol.errors import MalformedRequest, TooLarge, UnknownTask
from sightline.protocol.language import Bilingual, Language, of_text
from sightline.protocol.requests import InferRequest, Media, Options, Turn
from sightline.service.ports import Caller
from sightline.tasks.base import Task, tasks


@dataclass(frozen=True, slots=True)
class Call:
    """What one caller wants. `turns` ends with the new question; `arrived` is a time of the service's clock."""

    request_id: str
    task: Task
    options: Options
    turns: tuple[Turn, ...]
    caller: Caller
    arrived: float
    batch: bool = False

    @property
    def sources(self) -> list[Media]:
        """The media of all turns, in order."""
        return [source for turn in self.turns for source in turn.images]

    @property
    def text(self) -> str:
        return self.turns[-1].text

    @property
    def timeout_ms(self) -> int:
        return self.options.timeout_ms or self.task.timeout_ms

    @property
    def language(self) -> Language:
        """The language to answer in: as asked, else that of the text, else that of the caller."""
        return self.options.language or of_text(self.text) or self.caller.language


def understand(request: InferRequest, caller: Caller, request_id: str, arrived: float) -> Call:
    """The call behind a request.

    Raises `UnknownTask`, and `MalformedRequest` for options the task does not take, missing text, too few or too many media.
    """
    known = tasks()
    task = known.get(request.task)
    if task is None:
        raise UnknownTask(request.task, sorted(known))
    options = decode(request.options, task.Options, at="options")
    call = Call(
        request_id=request_id,
        task=task,
        options=options,
        turns=(*request.messages, Turn("user", request.text, request.images)),
        caller=caller,
        arrived=arrived,
    )
    check(call)
    return call


def check(call: Call) -> None:
    """Raises `MalformedRequest` or `TooLarge` unless text and media fit the task."""
    rule, count = call.task.media, len(call.sources)
    if call.task.needs_text and not call.text.strip():
        raise MalformedRequest("text", Bilingual("该任务需要问题文字", "this task needs a question"))
    if count < rule.least:
        raise MalformedRequest(
            "images",
            Bilingual(f"该任务至少需要 {rule.least} 个输入", f"this task needs at least {rule.least} input(s)"),
            f"{rule.least}..{rule.most}",
        )
    if count > rule.most:
        raise TooLarge(Bilingual("输入数量", "The number of inputs"), count, rule.most, "")
