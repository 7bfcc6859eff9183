"""What a person should be told beside an answer for how it was asked: the persona's caveat, the medical one, a better question."""

from __future__ import annotations

from collections.abc import Sequence

from sightline.protocol.language import Bilingual
from sightline.protocol.receipts import Notice
from sightline.service.calls import Call
from sightline.service.ports import Probed
from sightline.tasks.vague import advise

_NO_DIAGNOSIS = Notice(
    "not_a_diagnosis",
    Bilingual("以上内容不是诊断。", "This is not a diagnosis."),
    Bilingual("作出任何决定之前，请由医师阅片。", "Have the images read by a physician before anything is decided."),
)


def caveats(call: Call, probed: Sequence[Probed]) -> list[Notice]:
    """The notices for a call, each kind once. A medical image brings its own, whoever is asked about it."""
    said = [call.persona.notice] if call.persona and call.persona.notice else []
    medical = any(item.format == "dicom" for item in probed)
    if medical and all(notice.type != _NO_DIAGNOSIS.type for notice in said):
        said.append(_NO_DIAGNOSIS)
    if vague := advise(call.task, call.options, call.text):
        said.append(vague)
    return said
