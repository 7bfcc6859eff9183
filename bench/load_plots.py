"""Plots of a load measurement as SVG, from the very figures that its table was made of."""

from __future__ import annotations

from pathlib import Path

from load_client import Load
from load_faults import Story

_COLOURS = ("#2a9d8f", "#264653", "#e76f51")


def draw_times(folder: Path | None, name: str, title: str, curves: dict[str, list[float]]) -> None:
    """For each of the sorted lists of seconds, the share that was done by then."""
    if folder is None:
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    for (label, times), colour in zip(curves.items(), _COLOURS, strict=False):
        shares = [(rank + 1) / len(times) for rank in range(len(times))]
        axes.step([1000 * seconds for seconds in times], shares, where="post", label=label, color=colour, linewidth=2)
    axes.set(xscale="log", xlabel="milliseconds", ylabel="share of requests", title=title, ylim=(0, 1.02))
    axes.axhline(0.99, color="#bbbbbb", linewidth=0.8)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, loc="lower right")
    _save(figure, folder, name)


def draw_overload(folder: Path | None, load: Load, capacity: float) -> None:
    """Answers and refusals of each second, and the memory of the service."""
    if folder is None:
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.6), layout="constrained")
    above, below = figure.subplots(2, sharex=True, height_ratios=[3, 1])
    seconds = range(int(load.seconds))
    ends = [(int(each.sent + each.total), each.answered) for each in load.outcomes]
    above.plot(
        seconds, [sum(end == (second, True) for end in ends) for second in seconds], color=_COLOURS[0], label="answered", linewidth=2
    )
    above.plot(seconds, [sum(end == (second, False) for end in ends) for second in seconds], color=_COLOURS[2], label="refused at once")
    above.axhline(capacity, color=_COLOURS[1], linestyle=":", label="capacity")
    above.set(ylabel="requests/s", title="Five times the capacity", ylim=(0, None))
    above.legend(frameon=False, loc="center right")
    below.plot([at for at, _ in load.memory], [rss / 2**20 for _, rss in load.memory], color=_COLOURS[1])
    below.set(xlabel="seconds", ylabel="MiB", ylim=(0, None))
    for axes in (above, below):
        axes.grid(alpha=0.25)
    _save(figure, folder, "load-overload")


def draw_faults(folder: Path | None, stories: list[Story]) -> None:
    """For each fault, every answer where it came, as high as it took long; and what was no answer."""
    if folder is None:
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.4 * -(-len(stories) // 2)), layout="constrained")
    panels = figure.subplots(-(-len(stories) // 2), 2, squeeze=False).ravel()
    for axes, story in zip(panels, stories, strict=False):
        for answered, colour, mark, label in ((True, _COLOURS[0], ".", "answered"), (False, _COLOURS[2], "x", "failed or cut")):
            chosen = [each for each in story.outcomes if each.answered is answered]
            ends = [each.sent + each.total for each in chosen]
            axes.plot(ends, [max(each.total, 0.001) for each in chosen], mark, color=colour, label=label, markersize=4, rasterized=True)
        axes.axvspan(0, max(story.mended, 0.02), color="#e76f51", alpha=0.15, linewidth=0)
        axes.axvline(story.normal, color=_COLOURS[1], linestyle=":", label=f"as usual after {story.normal:.1f} s")
        axes.set(yscale="log", title=story.name, xlabel="seconds from the fault", ylabel="seconds")
        axes.title.set_fontsize(9)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize=7)
    for axes in panels[len(stories) :]:
        axes.set_visible(False)
    _save(figure, folder, "load-faults")


def _save(figure: object, folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})  # pyright: ignore[reportAttributeAccessIssue] - matplotlib is optional here
