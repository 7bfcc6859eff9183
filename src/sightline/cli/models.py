"""`sightline models`: the models on this machine or of a service; fetching one, looking at one, checking that its files are whole."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sightline.cli.base import Command, UsageError, add_server_arguments, server_of
from sightline.cli.terminal import Terminal, bytes_of

if TYPE_CHECKING:
    from sightline.cli.machine import FoundModel

_ACTIONS = ("list", "pull", "show", "verify")
_DAMAGED = 65


class Models(Command):
    name = "models"
    summary = "list, fetch, show and verify models"
    description = (
        "list: the models on this machine, or with --server those of a service\n"
        "pull: fetch a model from the hub, so that it starts without network later\n"
        "show: what a model's files say of it\n"
        "verify: read a model's files and compare them with the hub's checksums"
    )
    examples = (
        "sightline models",
        "sightline models pull hf:Qwen/Qwen3-VL-8B-Instruct-GGUF",
        "sightline models show sight-nano",
        "sightline models verify hf:Qwen/Qwen3-VL-8B-Instruct-GGUF",
        "sightline models --server http://127.0.0.1:8000",
    )

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("action", choices=_ACTIONS, nargs="?", default="list", help="what to do (default: list)")
        parser.add_argument(
            "model", metavar="MODEL", nargs="?", help="a model's name as `models list` shows it, or the path of a GGUF file"
        )
        parser.add_argument("--mmproj", metavar="FILE", help="its vision part, where it is not found beside the model")
        add_server_arguments(parser)

    def run(self, arguments: Any, terminal: Terminal) -> int:
        if arguments.action == "list":
            server = server_of(arguments)
            if server:
                _of_service(server, arguments, terminal)
            else:
                _of_machine(terminal)
            return 0
        if not arguments.model:
            raise UsageError(f"which model? For example: sightline models {arguments.action} sight-nano")
        act = {"pull": _pull, "show": _show, "verify": _verify}[arguments.action]
        return act(arguments.model, arguments.mmproj, terminal)


def _of_service(server: str, arguments: Any, terminal: Terminal) -> None:
    from sightline.client import QwenVLClient

    with QwenVLClient(arguments.key, server, arguments.timeout, language=terminal.language) as client:
        models = client.ready().models
    if terminal.as_json:
        for model in models:
            terminal.json(model)
    else:
        rows = [(model.name, _number(model.context_tokens), "simulated, for tests" if model.fake else "") for model in models]
        terminal.table(rows, ("MODEL", "CONTEXT", ""))


def _of_machine(terminal: Terminal) -> None:
    from sightline.cli.machine import find_models

    models = find_models()
    if terminal.as_json:
        for model in models:
            terminal.json(model)
    else:
        show_models(models, terminal)


def show_models(models: Sequence[FoundModel], terminal: Terminal) -> None:
    """The models of a machine, as a table."""
    rows = [
        (
            model.name,
            bytes_of(model.bytes),
            f"{model.active_experts} of {model.experts}" if model.experts else "-",
            _number(model.context_tokens),
            model.problem,
        )
        for model in models
    ]
    terminal.table(rows, ("MODEL", "SIZE", "EXPERTS", "CONTEXT", ""))


def _pull(model: str, mmproj: str | None, terminal: Terminal) -> int:
    if not model.startswith("hf:"):
        raise UsageError(f"only models of a hub are fetched; write hf:organisation/repository, not '{model}'.")
    from sightline.backends.weights import find_weights

    weights = find_weights(model, mmproj)  # the hub's client shows its own progress
    if terminal.as_json:
        terminal.json({"model": str(weights.model), "mmproj": str(weights.mmproj)})
    else:
        terminal.line(f"{model} is here; to serve it: sightline serve --model {model}")
    return 0


def _show(model: str, mmproj: str | None, terminal: Terminal) -> int:
    from sightline.cli.machine import describe

    found = describe(model, mmproj)
    if terminal.as_json:
        terminal.json(found)
        return 0
    experts = f"{found.experts}, of which {found.active_experts} are active for a token" if found.experts else "none: a dense model"
    rows = [
        ("model", found.model),
        ("architecture", found.architecture),
        ("files", *[f"{name} ({bytes_of(size)})" for name, size in found.files.items()][:1]),
        *[("", f"{name} ({bytes_of(size)})") for name, size in list(found.files.items())[1:]],
        ("experts", experts),
        ("context", f"{_number(found.context_tokens)} tokens"),
        ("a picture", f"{found.min_view_tokens} to {found.max_view_tokens} tokens of {found.grid}x{found.grid} pixels"),
        ("sampling", ", ".join(f"{name} {value:g}" for name, value in found.sampling.items()) or "as the engine does by default"),
    ]
    terminal.table(rows)
    if found.card:
        _show_card(found.card, terminal)
    return 0


def _show_card(card: dict[str, Any], terminal: Terminal) -> None:
    """The card of a bundled model: what it can be asked, how often it is right, and what it took."""
    compute = card["compute"]
    terminal.line()
    terminal.line(card["limits"][terminal.language])
    terminal.line()
    settings = {"SKILL": "skills", "HELD OUT": "skills_held_out", "MATPLOTLIB": "skills_matplotlib"}
    measured = [card[key] for key in settings.values() if card.get(key)]
    skills = sorted({skill for found in measured for skill in found if ":" not in skill})
    titles = ("SKILL", "RIGHT", *list(settings)[1:])[: 1 + len(measured)]
    terminal.table([(skill, *[_right(found.get(skill)) for found in measured]) for skill in skills], titles)
    terminal.line()
    terminal.line(card["skills_note"])
    for fact in card_facts(card):
        terminal.line(fact)
    terminal.line(f"Data: {card['training_data']}")
    terminal.line(
        f"Training: {compute['pictures']:,} pictures, {compute['questions']:,} questions, {compute['cpu_seconds']:,} s of processor time "
        f"on {compute['machine']}."
    )


def card_facts(card: dict[str, Any]) -> list[str]:
    """What was measured beside the share of right answers, a sentence each."""
    facts: list[str] = []
    if reading := card.get("reading"):
        trained, held_out = (100 * reading[setting]["all"]["character_error_rate"] for setting in ("trained", "held_out"))
        facts.append(f"Letters read wrongly: {trained:.0f} %, held out {held_out:.0f} %.")
    if calibration := card.get("calibration"):
        facts.append(
            f"Confidence: off by {100 * calibration['error']:.1f} points on average; a right answer is the surer of two "
            f"{100 * calibration['auroc']:.0f} times in a hundred ({calibration['of']:,} answers)."
        )
    if card.get("without_eyes"):
        swapped, blank, guessed = (
            round(100 * card[key]["share"]) for key in ("with_swapped_picture", "with_blank_picture", "without_eyes")
        )
        facts.append(
            f"With another picture in its place {swapped} % of the wanted answers still come, with blank paper {blank} %; guessing from "
            f"the wording of the question alone gives {guessed} %."
        )
    if seconds := card.get("seconds_per_question"):
        facts.append(f"Speed: {1000 * seconds:.0f} ms a question over HTTP, one at a time, where it was measured.")
    if load := card.get("expert_load"):
        shares = [100 * share for layer in load for share in layer]
        facts.append(f"Experts: the busiest of a layer works on {max(shares):.0f} % of the assignments, the idlest on {min(shares):.0f} %.")
    if agreement := card.get("agreement_with_pytorch"):
        alike = f"llama.cpp and PyTorch answer {agreement['same_answers']} of {agreement['of']} questions alike"
        half = card.get("agreement_in_half_precision")
        facts.append(f"{alike}, {half['same_answers']} with weights in half precision instead of 8 bits." if half else f"{alike}.")
    return facts


def _right(skill: dict[str, Any] | None) -> str:
    return f"{100 * skill['share']:.0f} % of {skill['of']}" if skill else ""


def _verify(model: str, mmproj: str | None, terminal: Terminal) -> int:
    from sightline.cli.machine import verify

    checked = list(verify(model, mmproj, terminal.passing))
    for file in checked:
        if terminal.as_json:
            terminal.json(file)
    if not terminal.as_json:
        terminal.table([(file.name, bytes_of(file.bytes), file.said) for file in checked], ("FILE", "SIZE", ""))
    return 0 if all(file.ok for file in checked) else _DAMAGED


def _number(number: int | None) -> str:
    return f"{number:,}" if number else "-"
