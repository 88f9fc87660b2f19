"""Participants from the source to the analysis, with who was left out and why."""

import polars as pl

from alsmodel.plots.canvas import INK, LINE, SOFT, blank, drawing, to_svg, wrapped


def participant_flow(flow: pl.DataFrame, *, name: str = "flow", unit: str = "participants") -> str:
    """Boxes of `unit` left after each step, exclusions at the right.

    Parameters
    ----------
    flow : polars.DataFrame
        ``step``, ``n`` (left after the step), ``excluded`` (by the step), ``reason``; in order.
    """
    rows = [_row(step) for step in flow.select("step", "n", "excluded", "reason").to_dicts()]
    lines = max((step.count("\n") + 2 for step, _, _ in rows), default=2)
    box = 0.15 * lines + 0.14
    row = max(box + 0.26, 0.14 * max((reason.count("\n") + 1 for _, _, reason in rows), default=1) + 0.2)
    halves = [0.5 * (0.15 * (step.count("\n") + 2) + 0.14) / row for step, _, _ in rows]
    with drawing(name):
        figure = blank(height=row * len(rows) + 0.1)
        ax = figure.add_subplot()
        ax.set(xlim=(0, 10), ylim=(0.5 - len(rows), 0.5))
        ax.axis("off")
        for i, (step, n, reason) in enumerate(rows):
            y = -i
            ax.text(
                2.3, y, f"{step}\nn = {n:,}", ha="center", va="center", linespacing=1.35,
                bbox={"boxstyle": "round,pad=0.55", "facecolor": "none", "edgecolor": SOFT, "linewidth": 0.8},
            )  # fmt: skip
            if i:
                ax.annotate(
                    "", (2.3, y + halves[i]), (2.3, y + 1 - halves[i - 1]),
                    arrowprops={"arrowstyle": "-|>", "color": SOFT, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0},
                )  # fmt: skip
            if reason:
                middle = y + 0.5
                ax.plot([2.3, 4.7], [middle, middle], color=LINE, linewidth=0.9)
                ax.text(4.85, middle, reason, ha="left", va="center", color=INK, fontsize=7.5, linespacing=1.3)
        return to_svg(figure, name, "Flow of participants", _description(rows, unit))


def _row(step: dict[str, object]) -> tuple[str, int, str]:
    excluded = step["excluded"]
    n = step["n"]
    assert isinstance(n, int)
    if not isinstance(excluded, int) or excluded == 0:
        return wrapped(str(step["step"]), 34), n, ""
    reason = f"{excluded:,} left out: {step['reason'] or 'no reason given'}"
    return wrapped(str(step["step"]), 34), n, wrapped(reason, 58)


def _description(rows: list[tuple[str, int, str]], unit: str) -> str:
    parts = [f"{' '.join(step.split())}: {n} {unit}{'; ' + ' '.join(why.split()) if why else ''}" for step, n, why in rows]
    return ". ".join(parts) + "."
