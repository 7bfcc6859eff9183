"""Everything that is counted of the answers to one setting's questions."""

from __future__ import annotations

from typing import Any

from sightline.evaluation.calibration import Pair, auroc, calibration_error
from training.scenes.boxes import found_right
from training.scenes.qa import QA
from training.scoring import Said, interval, points_right, same, table_right
from training.text_scores import READING_SKILLS, character_errors, fields_right, reading_of

GROUPS = {
    "scenes": ("colour", "shape", "size", "count", "position", "existence"),
    "scenes_core": ("colour", "shape", "count", "position"),
    "clips": (
        *("clip_direction", "clip_moves", "clip_appears", "clip_disappears", "clip_when", "clip_colour"),
        *("clip_count", "clip_counter", "clip_touch", "clip_absent"),
    ),
    "chart_lookup_extremes": ("chart_value", "chart_highest", "chart_lowest", "chart_extreme_value"),
    "chart_lookup": ("chart_value", "chart_value_series"),
    "chart_order": (
        *("chart_highest", "chart_lowest", "chart_extreme_value", "chart_compare"),
        *("chart_highest_series", "chart_lowest_series"),
    ),
}


def share_of(hits: list[bool]) -> dict[str, Any]:
    """How many are right, and the 95 % interval of their share."""
    low, high = interval(sum(hits), len(hits))
    return {
        "right": sum(hits),
        "of": len(hits),
        "share": round(sum(hits) / max(1, len(hits)), 4),
        "low": round(low, 4),
        "high": round(high, 4),
    }


class Tally:
    """Judges answers and keeps count: by skill, by kind and size of picture, by language, and in parts where an answer has parts."""

    def __init__(self) -> None:
        self._hits: dict[str, list[bool]] = {}
        self._errors: dict[str, list[tuple[int, int]]] = {}  # of every kind: wrong characters and all characters of every text read
        self._believed: list[Pair] = []

    def judge(self, qa: QA, size: tuple[str, int, int], said: Said) -> bool:
        """Whether the answer is right, and counts it. `size` is the picture's kind, width and height."""
        kind, width, height = size
        right = self._right(qa, kind, said.text)
        if said.confidence is not None:
            self._believed.append((said.confidence, right))
        groups = [name for name, skills in GROUPS.items() if qa.skill in skills]
        keys = (f"kind:{kind}", f"language:{qa.language}", f"size:{kind}-{width}x{height}")
        self._count([right], qa.skill, "all", *keys, *(key for name in groups for key in (f"group:{name}", f"group:{name}:{kind}")))
        return right

    def _right(self, qa: QA, kind: str, said: str) -> bool:
        if qa.skill in READING_SKILLS and qa.answer:
            wrong = (character_errors(said, qa.answer), len(qa.answer))
            for key in ("all", kind):
                self._errors.setdefault(key, []).append(wrong)
        if qa.skill == "fields":
            filled = fields_right(said, qa.answer)
            self._count(filled, "points:fields")
            return all(filled)
        if qa.task == "grounding":
            found = found_right(said, qa.answer)
            self._count(found, f"iou:{qa.skill}", "iou:boxes")
            return all(found)
        if qa.task == "chart_parse":
            table = table_right(said, qa.answer)
            self._count([table], "table:chart_parse", f"table:chart_parse:{kind}")
            self._count(points_right(said, qa.answer), "points:chart_parse", f"points:chart_parse:{kind}")
            return table
        return same(said, qa.answer, qa.skill)

    def _count(self, hits: list[bool], *keys: str) -> None:
        for key in keys:
            self._hits.setdefault(key, []).extend(hits)

    def result(self) -> dict[str, Any]:
        """All counts; how well letters were read and how far confidence can be believed, where something tells."""
        result: dict[str, Any] = {"skills": {key: share_of(hits) for key, hits in sorted(self._hits.items())}}
        if self._errors:
            result["reading"] = {kind: reading_of(texts) for kind, texts in sorted(self._errors.items())}
        if self._believed:
            error, ranked = calibration_error(self._believed), auroc(self._believed)
            result["calibration"] = {"error": round(error, 4), "auroc": ranked and round(ranked, 4), "of": len(self._believed)}
        return result
