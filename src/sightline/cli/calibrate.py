"""`sightline calibrate`: judged answers to calibrators, which serving applies to its confidences."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec

from sightline.cli.base import Command, UsageError
from sightline.cli.terminal import Terminal


class Calibrate(Command):
    name = "calibrate"
    summary = "make confidences honest, from answers that were judged"
    description = (
        "Reads judged answers (JSON lines with confidence, right, task, model and what), fits one calibrator for every task, model\n"
        "and kind of field with at least 50 of them, and writes it as a small file. Point `calibration` of the configuration to the folder."
    )
    examples = ("sightline calibrate results.jsonl --out calibration/",)

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("results", metavar="RESULTS", type=Path, nargs="+", help="files with judged answers")
        parser.add_argument("--out", metavar="FOLDER", type=Path, default=Path("calibration"), help="where to write (default: calibration)")

    def run(self, arguments: Any, terminal: Terminal) -> int:
        from sightline.evaluation.calibration import make_calibrators, read_judged, save

        try:
            judged = [one for path in arguments.results for one in read_judged(path)]
        except OSError as error:
            raise UsageError(f"{error.filename} cannot be read: {error.strerror}.") from None
        except (ValueError, msgspec.MsgspecError) as error:
            raise UsageError(f"There are no judged answers in it: {error}") from None
        made = make_calibrators(judged)
        if not made:
            raise UsageError(f"{len(judged)} judged answers are too few: 50 of one task, model and kind are the least.")
        for calibrator in made:
            path = save(calibrator, arguments.out)
            if terminal.as_json:
                terminal.json(calibrator)
            else:
                before, after = calibrator.error_before, calibrator.error_after
                terminal.line(f"{path}: {calibrator.samples} answers, calibration error {before} -> {after}")
        return 0
