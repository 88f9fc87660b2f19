"""Mean paths of the outcome with credible bands, faded where few people are expected to be alive."""

from typing import Final

import numpy as np
import polars as pl
from matplotlib.axes import Axes

from alsmodel.plots.canvas import DASHES, LINE, SOFT, drawing, month_ticks, ordered_groups, panels, series_colour, to_svg, wrapped

# Strength of the drawing from this probability of being alive upwards.
FADING: Final = ((0.5, 1.0), (0.2, 0.5), (0.0, 0.18))


def trajectories(
    paths: pl.DataFrame,
    *,
    outcome: str,
    time_unit: str = "month",
    origin: str = "baseline",
    counts: dict[str, int] | None = None,
    name: str = "trajectories",
) -> str:
    """Posterior mean and 95% band per group, one panel each, the other groups' means behind it.

    Parameters
    ----------
    paths : polars.DataFrame
        ``group``, ``time``, ``mean``, ``lower``, ``upper``, ``p_alive``; with a column ``panel`` (say phenotype) the groups
        (say arms) share a panel.
    outcome : str
        Label of the vertical axis, with its unit.
    time_unit, origin : str
        For the horizontal axis.
    counts : dict of str to int, optional
        Participants per panel, for its title.
    """
    paired = "panel" in paths.columns
    frame = paths if paired else paths.with_columns(pl.col("group").alias("panel"))
    titles = ordered_groups(frame["panel"].to_list())
    groups = ordered_groups(frame["group"].to_list())
    with drawing(name):
        columns = 4 if len(titles) in (4, 7, 8) else 3
        figure, axes = panels(len(titles), columns=columns, height=2.35)
        for ax, title in zip(axes, titles):
            if not paired:
                _others(ax, frame.filter(pl.col("panel") != title))
            for (group,), part in frame.filter(pl.col("panel") == title).group_by("group", maintain_order=True):
                i = groups.index(str(group)) if paired else 0
                _path(ax, part, series_colour(i), DASHES[i % len(DASHES)] if paired else "-", str(group))
            n = (counts or {}).get(title)
            title = "Everybody" if title == "all" else title
            ax.set_title(wrapped(title if n is None else f"{title} (n = {n:,})", 96 // min(len(axes), columns)))
        axes[0].set_xticks(month_ticks(float(str(frame["time"].max())), 6 if len(titles) < 4 else 4))
        if paired and len(groups) > 1:
            axes[0].legend(loc="best")
        figure.supxlabel(f"{time_unit.capitalize()}s since {origin}", fontsize=8)
        figure.supylabel(outcome, fontsize=8)
        return to_svg(figure, name, f"{outcome} over time", _description(frame, outcome, time_unit))


def _others(ax: Axes, frame: pl.DataFrame) -> None:
    for _, part in frame.group_by("group", maintain_order=True):
        ax.plot(part["time"], part["mean"], color=SOFT, linewidth=0.7, alpha=0.35)


def _path(ax: Axes, part: pl.DataFrame, colour: str, dash: object, label: str) -> None:
    time, mean, lower, upper = (part[column].to_numpy() for column in ("time", "mean", "lower", "upper"))
    alive = part["p_alive"].to_numpy() if "p_alive" in part.columns else np.ones(time.size)
    for i, (floor, strength) in enumerate(FADING):
        ceiling = 2.0 if i == 0 else FADING[i - 1][0]
        inside = np.flatnonzero((alive >= floor) & (alive < ceiling))
        if inside.size == 0:
            continue
        # One point further, so that neighbouring pieces meet.
        piece = slice(inside[0], inside[-1] + 2)
        ax.fill_between(time[piece], lower[piece], upper[piece], color=colour, alpha=0.2 * strength, linewidth=0)
        ax.plot(
            time[piece], mean[piece], color=colour, alpha=strength, linestyle=dash, label=label if i == 0 else None
        )  # fmt: skip
    if np.any(alive < 0.5):
        ax.axvline(time[np.argmax(alive < 0.5)], color=LINE, linewidth=1.0, linestyle=(0, (2, 2)))


def _description(frame: pl.DataFrame, outcome: str, time_unit: str) -> str:
    words = []
    for (panel, group), part in frame.group_by("panel", "group", maintain_order=True):
        first, last = part.row(0, named=True), part.row(-1, named=True)
        who = str(panel) if panel == group else f"{panel}, {group}"
        words.append(
            f"{who}: {first['mean']:.1f} at {time_unit} {first['time']:g}, {last['mean']:.1f} ({last['lower']:.1f} to "
            f"{last['upper']:.1f}) at {time_unit} {last['time']:g}"
        )
    return f"{outcome}, posterior mean and 95% credible band. " + ". ".join(words) + "."
