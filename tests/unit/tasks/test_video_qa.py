"""Clips: times in the answer as numbers, checked against what was seen."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sightline.protocol.events import Final
from sightline.protocol.requests import InferRequest, Media
from sightline.service.ports import Caller, MediaPolicy
from tests.doubles import Bench, Picture, ScriptedGate


class Clips(ScriptedGate):
    async def probe(self, sources: Sequence[Media], policy: MediaPolicy, caller: Caller) -> Sequence[Picture]:
        return [Picture(index, "video", seconds=8.0) for index, _ in enumerate(sources)]


@pytest.mark.parametrize(
    ("said", "within", "warned"),
    [
        (("The door opens ", "at 3.5 s", " and closes at 7 s."), [(3.5, True), (7.0, True)], False),
        (("第 3 秒打开，", "第12秒关上。"), [(3.0, True), (12.0, False)], True),
        (("No door ", "is seen."), [], False),
    ],
)
async def test_times_are_handed_out_and_checked(said: tuple[str, ...], within: list[tuple[float, bool]], warned: bool) -> None:
    bench = Bench(words=said)
    bench.gate = Clips(bench.journal)
    object.__setattr__(bench.ports, "media", bench.gate)
    request = InferRequest(task="video_qa", images=["clip"], text="When does the door open?")
    final = [event async for event in bench.inference.stream(bench.call(request))][-1]
    assert isinstance(final, Final)
    assert final.answer == "".join(said)
    assert final.metadata.lane == "C"
    assert [(moment.seconds, moment.within) for moment in final.structured["timestamps"]] == within
    assert final.structured["seconds"] == 8.0
    assert [each.type for each in final.warnings] == (["moment_outside"] if warned else [])
