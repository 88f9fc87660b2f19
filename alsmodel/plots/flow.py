"""From the source to the analysis: participants with who was left out and why, and the rows of each file."""

from dataclasses import dataclass
from typing import Any, Final, final

import polars as pl
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from alsmodel.plots.canvas import INK, LINE, PAGE, SERIES, SOFT, WIDTH, blank, drawing, to_svg, wrapped

# Inches: a line of text, the margin within a box, left and right edge of the two columns of boxes.
_TEXT, _PAD = 0.155, 0.09
_STEPS, _EXITS = (0.05, 3.35), (3.95, WIDTH - 0.05)
#: What becomes of a row -> colour and opacity; what needs no look is pale.
_FATES: Final = {
    "kept": (SERIES[0], 0.35),
    "repaired": (SERIES[3], 1.0),
    "rejected": (SERIES[1], 1.0),
    "set_aside": (SERIES[5], 0.55),
}


@final
@dataclass(frozen=True)
class _Box:
    """One step: its words, who was left, and the lines on those who left before it."""

    step: str
    n: int
    remark: str
    exits: tuple[str, ...]

    @property
    def height(self) -> float:
        return _TEXT * (self.step.count("\n") + 2 + bool(self.remark)) + 2 * _PAD

    @property
    def exit_height(self) -> float:
        return _TEXT * sum(line.count("\n") + 1 for line in self.exits) + 2 * _PAD if self.exits else 0.0

    @property
    def gap(self) -> float:
        """Space above the box, for the arrow and the exits beside it."""
        return max(0.3, self.exit_height + 0.2)


def participant_flow(flow: pl.DataFrame, *, name: str = "flow", unit: str = "participants") -> str:
    """Boxes of `unit` left after each step, those left out at the right.

    Parameters
    ----------
    flow : polars.DataFrame
        ``step``, ``n`` (left after the step), ``excluded`` (by the step), ``reason``; in order. Consecutive rows of the
        same step are one box with several reasons. With ``repaired`` (of the `n`, those with a repaired row), boxes say so.
    """
    boxes = _boxes(flow)
    with drawing(name):
        top, places = 0.05, []
        for i, box in enumerate(boxes):
            top += box.gap if i else 0.0
            places.append(top)
            top += box.height
        height = top + 0.05
        figure = blank(height=height)
        figure.set_layout_engine("none")
        ax = figure.add_axes((0, 0, 1, 1))
        ax.set(xlim=(0, WIDTH), ylim=(height, 0))
        ax.axis("off")
        for i, (box, place) in enumerate(zip(boxes, places, strict=True)):
            _step(ax, box, place, last=i + 1 == len(boxes) > 1)
            if i:
                _link(ax, box, places[i - 1] + boxes[i - 1].height, place)
        return to_svg(figure, name, f"Flow of {unit}", _description(boxes, unit))


def _boxes(flow: pl.DataFrame) -> list[_Box]:
    boxes: list[_Box] = []
    for row in flow.to_dicts():
        excluded = row["excluded"] or 0
        exits = (wrapped(f"{excluded:,} left out: {row['reason'] or 'no reason given'}", 52),) if excluded else ()
        touched = row.get("repaired")
        remark = f"{touched:,} of them with a repaired row" if touched else ""
        step = wrapped(row["step"][:1].upper() + row["step"][1:], 40)
        if boxes and boxes[-1].step == step:
            exits = (*boxes.pop().exits, *exits)
        boxes.append(_Box(step, row["n"], remark, exits))
    return boxes


def _step(ax: Axes, box: _Box, top: float, *, last: bool) -> None:
    left, right = _STEPS
    edge: dict[str, Any] = {"edgecolor": SERIES[0], "linewidth": 1.5} if last else {"edgecolor": SOFT, "linewidth": 0.8}
    ax.add_patch(_rounded(left, top, right - left, box.height, **edge))
    middle = (left + right) / 2
    lines = [(line, "normal", INK) for line in box.step.split("\n")] + [(f"n = {box.n:,}", "bold", INK)]
    if box.remark:
        lines.append((box.remark, "normal", SOFT))
    for i, (line, weight, colour) in enumerate(lines):
        ax.text(middle, top + _PAD + _TEXT * (i + 0.5), line, ha="center", va="center", weight=weight, color=colour)


def _link(ax: Axes, box: _Box, start: float, end: float) -> None:
    """The arrow down to `box`, and those who left on the way."""
    middle = sum(_STEPS) / 2
    arrow = {"arrowstyle": "-|>", "color": SOFT, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (middle, end), (middle, start), arrowprops=arrow)
    if not box.exits:
        return
    left, right = _EXITS
    centre = (start + end) / 2
    top = centre - box.exit_height / 2
    ax.add_patch(_rounded(left, top, right - left, box.exit_height, edgecolor=LINE, linewidth=0.9))
    ax.annotate("", (left, centre), (middle, centre), arrowprops=arrow)
    ax.text(left + 0.1, centre, "\n".join(box.exits), ha="left", va="center", fontsize=7.5, linespacing=1.35)


def _rounded(x: float, y: float, width: float, height: float, **edge: Any) -> FancyBboxPatch:
    return FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=0.06", facecolor="none", **edge)


def _description(boxes: list[_Box], unit: str) -> str:
    parts = []
    for box in boxes:
        left_out = "".join(f"; {' '.join(line.split())}" for line in box.exits)
        remark = f" ({box.remark})" if box.remark else ""
        parts.append(f"{' '.join(box.step.split())}: {box.n:,} {unit}{remark}{left_out}")
    return ". ".join(parts) + "."


def row_fates(flow: pl.DataFrame, *, name: str = "rows") -> str:
    """One bar per file: which share of its rows was kept, repaired, rejected and set aside, with the counts beside it.

    Parameters
    ----------
    flow : polars.DataFrame
        ``file``, ``read``, ``kept``, ``repaired``, ``rejected``, ``set_aside``.
    """
    rows = flow.to_dicts()
    words = [f"{row['read']:,} rows" + "".join(f" · {row[fate]:,} {_said(fate)}" for fate in _FATES if row[fate]) for row in rows]
    with drawing(name):
        figure = blank(height=0.24 * len(rows) + 0.55)
        ax = figure.add_subplot()
        start = [0.0] * len(rows)
        for fate, (colour, opacity) in _FATES.items():
            shares = [row[fate] / row["read"] if row["read"] else 0.0 for row in rows]
            ax.barh(range(len(rows)), shares, left=start, height=0.62, color=colour, alpha=opacity, edgecolor=PAGE, label=_said(fate))
            start = [done + share for done, share in zip(start, shares, strict=True)]
        for place, text in enumerate(words):
            ax.text(1.015, place, text, va="center", fontsize=7, color=SOFT)
        ax.set_yticks(range(len(rows)), [_short(row["file"]) for row in rows])
        ax.set(xlim=(0, 2.05), ylim=(len(rows) - 0.5, -0.5))
        ax.set_xticks([0, 0.5, 1], ["0", "50%", "100%"])
        ax.grid(False)
        ax.tick_params(left=False)
        ax.spines["left"].set_visible(False)
        ax.spines["bottom"].set_bounds(0, 1)
        ax.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=len(_FATES), handlelength=1.1, columnspacing=1.4, borderaxespad=0.2)
        described = ". ".join(f"{row['file']}: {text}" for row, text in zip(rows, words, strict=True))
        return to_svg(figure, name, "What became of the rows of each file", f"{described}.")


def _said(fate: str) -> str:
    return fate.replace("_", " ")


def _short(file: str, most: int = 34) -> str:
    return file if len(file) <= most else f"{file[: most - 12]}…{file[-11:]}"
