"""What a thousand pictures cost, by model, card and load, and what each step from 1 to 1,000 cards is made of.

    python bench/costs.py [--plots docs/images]

Arithmetic, not a measurement. Every input stands below with where it comes from: `measured` by a benchmark of this project (docs/
performance.md), `published` (its source beside it), or `assumed`. Change them and run it again.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Model:
    """Published: the models' config.json and cards (huggingface.co/Qwen). Parameters in thousands of millions; `experts` is (there are,
    of which a token uses), `kv` bytes of attention memory a token takes in BF16."""

    name: str
    total: float
    active: float
    kv: float
    experts: tuple[int, int] | None = None
    vision: float = 0.41
    cards: int = 1


@dataclass(frozen=True, slots=True)
class Card:
    """Published: NVIDIA's data sheets (dense BF16 TFLOPS, GB/s). Dollars an hour on demand: middle of the range that
    pricegpu.pages.dev/blog/h100-vs-a100-cloud-price told early in 2026 (A100 1.49 to 2.49, H100 2.49 to 3.99); L40S assumed."""

    name: str
    memory: float
    bandwidth: float
    tflops: float
    dollars: float


MODELS = (
    Model("Qwen3-VL-2B", 2.1, 1.7, 28 * 8 * 128 * 4, vision=0.3),
    Model("Qwen3-VL-8B", 8.8, 8.2, 36 * 8 * 128 * 4),
    Model("Qwen3-VL-30B-A3B", 31.1, 3.3, 48 * 4 * 128 * 4, (128, 8)),
    Model("Qwen3-VL-32B", 33.4, 32.8, 64 * 8 * 128 * 4),
    Model("Qwen3-VL-235B-A22B", 236, 22, 94 * 4 * 128 * 4, (128, 8), cards=4),
)
CARDS = (
    Card("L40S 48 GB", 48, 864, 362, 1.2),
    Card("A100 80 GB", 80, 2039, 312, 2.0),
    Card("H100 80 GB", 80, 3350, 989, 3.2),
)
READING = 0.35
"""Assumed: share of a card's BF16 arithmetic that reading a prompt gets."""
WRITING = 0.6
"""Assumed: share of its bandwidth that writing gets."""
PICTURE, QUESTION, ANSWER = 1280, 60, 120
"""Tokens of a picture at the budget of 1.3 megapixels (published: 32x32 pixels a token), and, assumed, of question and answer."""
AT_ONCE = 16
LOADS = {"a day under the chart's autoscaler": 0.43, "a pool sized for the peak": 0.35, "batch work, always full": 0.95}
"""The share of what is paid for that works. The first two come from bench/autoscale.py (lane A, diurnal trace); the third is assumed."""


def fits(model: Model, card: Card) -> bool:
    """Whether FP8 weights and the attention memory of AT_ONCE calls have room in nine tenths of the memory."""
    need = model.total + AT_ONCE * 2 * (PICTURE + QUESTION + ANSWER) * model.kv / 1e9
    return need <= 0.9 * card.memory * model.cards


def seconds(model: Model, card: Card) -> tuple[float, float]:
    """Card seconds of one picture: reading it, and writing the answer among AT_ONCE others."""
    # Four patches make a token; a parameter is two operations.
    reading = 2e9 * (model.active * (PICTURE + QUESTION) + model.vision * 4 * PICTURE) / (1e12 * card.tflops * model.cards * READING)
    touched = model.total
    if model.experts:
        there, used = model.experts
        # What AT_ONCE tokens touch of the experts, which are all but a twentieth of such a model.
        touched *= 0.05 + 0.95 * (1 - (1 - used / there) ** AT_ONCE)
    held = AT_ONCE * (PICTURE + QUESTION + ANSWER / 2) * model.kv / 1e9
    step = (touched + held) / (card.bandwidth * model.cards * WRITING)
    return reading, ANSWER * step / AT_ONCE


def dollars(model: Model, card: Card, load: float) -> float:
    """A thousand pictures."""
    return 1000 * sum(seconds(model, card)) * model.cards * card.dollars / 3600 / load


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit cost and where it comes from."""

    value: float
    source: str


CALLS = Unit(
    1 / sum(seconds(MODELS[2], CARDS[2])), "the table above: Qwen3-VL-30B-A3B on the fastest card asks most of what stands around it"
)
CPU_MS = Unit(2.7, "measured: bench/gateway.py, a call with a small picture, everything on")
PHOTO_MS = Unit(53, "measured: bench/media.py, a 12-megapixel JPEG to 1.3 megapixels")
PHOTO_MB = Unit(4.0, "assumed: a photo of a telephone; in a data URI a third more")
FITTED_MB = Unit(0.35, "assumed: the same at 1.3 megapixels, quality 90, as engines get it")
CORES = Unit(2, "the chart's request for one gateway")
BUSY = Unit(0.6, "the chart: cpuPercent of the gateways' autoscaler")
UNITS = {
    "calls/s of a card": CALLS,
    "ms of a core for a call": CPU_MS,
    "ms of a core for a photo": PHOTO_MS,
    "MB of a photo": PHOTO_MB,
    "MB of it to an engine": FITTED_MB,
    "cores of a gateway": CORES,
    "share of them used": BUSY,
}


def steps() -> None:
    """From 1 to 1,000 cards: what the rest must do."""
    core_ms = CPU_MS.value + PHOTO_MS.value
    columns = f"{'cores':>7} {'gateways':>9} {'in, Gbit/s':>11} {'to engines':>11} {'usage tx/s':>11} {'limits/s':>9}"
    print(f"\n{'cards':>6} {'calls/s':>8} {'megapixels/s':>13} {columns}")
    for cards in (1, 3, 10, 30, 100, 300, 1000):
        calls = cards * CALLS.value
        cores = calls * core_ms / 1000
        gateways = max(3, math.ceil(cores / (CORES.value * BUSY.value)))
        into = calls * PHOTO_MB.value * 4 / 3 * 8 / 1000
        onward = calls * FITTED_MB.value * 4 / 3 * 8 / 1000
        cells = f"{cores:>7.1f} {gateways:>9} {into:>11.1f} {onward:>11.2f} {gateways:>11} {2 * calls:>9,.0f}"
        print(f"{cards:>6} {calls:>8,.0f} {12 * calls:>13,.0f} {cells}")
    for name, unit in UNITS.items():
        print(f"  {name:<30} {unit.value:>6.3g}   {unit.source}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw dollars against load")
    arguments = parser.parse_args()
    print(f"Card seconds and dollars of a thousand pictures ({PICTURE} + {QUESTION} tokens in, {ANSWER} out, {AT_ONCE} at once, FP8)")
    print(f"{'':<34} {'reading':>9} {'writing':>9} " + " ".join(f"{name[:24]:>24}" for name in LOADS))
    for model in MODELS:
        for card in CARDS:
            name = f"{model.name}, {model.cards} x {card.name}" if model.cards > 1 else f"{model.name}, {card.name}"
            if not fits(model, card):
                print(f"{name:<34} {'does not fit':>19}")
                continue
            reading, writing = seconds(model, card)
            told = " ".join(f"{dollars(model, card, load):>24.3f}" for load in LOADS.values())
            print(f"{name:<34} {1000 * reading:>6.0f} ms {1000 * writing:>6.0f} ms {told}")
    if arguments.plots:
        draw(arguments.plots)
    steps()


def draw(folder: Path) -> None:
    """Dollars against load, for the model of the chart and its neighbours."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    loads = [share / 100 for share in range(5, 101)]
    for model, card, colour, style in (
        (MODELS[1], CARDS[0], "#2a9d8f", "--"),
        (MODELS[2], CARDS[0], "#264653", "-"),
        (MODELS[2], CARDS[2], "#264653", "--"),
        (MODELS[3], CARDS[2], "#e76f51", "-"),
    ):
        label = f"{model.name}, {card.name}"
        axes.plot([100 * load for load in loads], [dollars(model, card, load) for load in loads], style, color=colour, label=label)
    axes.set(xlabel="share of what is paid for that works, %", ylabel="dollars for 1,000 pictures", yscale="log")
    axes.set_title("Idle cards are the dearest part")
    axes.grid(alpha=0.25, which="both")
    axes.legend(frameon=False)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "costs.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
