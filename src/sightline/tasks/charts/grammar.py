"""The form in which a model says what a chart shows: compact JSON with a fixed order of members, bounded so that it always ends.

    {"chart_type":"bar","title":"Sales","x_axis":"","y_axis":"","unit":"","series":[{"name":"","points":[{"label":"A","value":12}]}]}

`GRAMMAR` says it in GBNF (llama.cpp grammars/README.md; vLLM's xgrammar reads the same) and leaves no room for blanks, which a
JSON Schema does: a blank costs a token, and a model that never wrote one goes astray after it. `SCHEMA` is for engines that read
schemas only.
"""

from __future__ import annotations

from typing import Any

CHART_TYPES = ("bar", "grouped_bar", "stacked_bar", "line", "area", "pie", "scatter", "table", "other")
MOST_SERIES = 24
MOST_POINTS = 200
"""Of one series."""
MOST_TEXT = 160
MOST_LABEL = 80
"""Characters of a title or an axis, and of a label or a name."""


_FORM = r"""
root ::= "{\"chart_type\":" kind ",\"title\":" text axes ",\"unit\":" text ",\"series\":[" series ("," series){0,SERIES} "]}"
axes ::= ",\"x_axis\":" text ",\"y_axis\":" text
series ::= "{\"name\":" label ",\"points\":[" point ("," point){0,POINTS} "]}"
point ::= "{\"label\":" label ",\"value\":" value "}"
kind ::= "\"" ( KINDS ) "\""
text ::= "\"" char{0,TEXT} "\""
label ::= "\"" char{0,LABEL} "\""
char ::= [^"\\\x00-\x1F\x7F] | "\\" ["\\/nt]
value ::= number | "null"
number ::= "-"? ("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,9})?
""".strip()


def _with_bounds(form: str) -> str:
    bounds = {
        "SERIES": str(MOST_SERIES - 1),
        "POINTS": str(MOST_POINTS - 1),
        "TEXT": str(MOST_TEXT),
        "LABEL": str(MOST_LABEL),
        "KINDS": " | ".join(f'"{kind}"' for kind in CHART_TYPES),
    }
    for name, bound in bounds.items():
        form = form.replace(name, bound)
    return form


GRAMMAR = _with_bounds(_FORM)

_TEXT = {"type": "string", "maxLength": MOST_TEXT}
_LABEL = {"type": "string", "maxLength": MOST_LABEL}


def _object(members: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}


SCHEMA: dict[str, Any] = _object(
    {
        "chart_type": {"type": "string", "enum": list(CHART_TYPES)},
        "title": _TEXT,
        "x_axis": _TEXT,
        "y_axis": _TEXT,
        "unit": _TEXT,
        "series": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_SERIES,
            "items": _object(
                {
                    "name": _LABEL,
                    "points": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": MOST_POINTS,
                        "items": _object({"label": _LABEL, "value": {"type": ["number", "null"]}}),
                    },
                }
            ),
        },
    }
)
