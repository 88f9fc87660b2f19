"""Posterior survival beside Kaplan-Meier, with numbers at risk."""

from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from alsmodel.plots.canvas import DASHES, INK, SOFT, drawing, month_ticks, ordered_groups, panels, series_colour, to_svg, wrapped


def survival(
    posterior: pl.DataFrame,
    kaplan_meier: pl.DataFrame,
    *,
    event: str = "event",
    time_unit: str = "month",
    origin: str = "baseline",
    name: str = "survival",
) -> str:
    """Posterior curves with 95% bands, Kaplan-Meier as steps, numbers at risk below.

    Parameters
    ----------
    posterior : polars.DataFrame
        ``group``, ``time``, ``mean``, ``lower``, ``upper`` as fractions.
    kaplan_meier : polars.DataFrame
        ``group``, ``time``, ``survival``, ``at_risk`` of the same groups; others are ignored. Without rows, neither steps nor numbers
        at risk are shown.
    event : str
        What "without" refers to, with its definition.

    Notes
    -----
    Up to two groups share one panel; more get one each. Numbers at risk from 1 to 4 are printed as "<5".
    """
    groups = ordered_groups(posterior["group"].to_list())
    shared = len(groups) <= 2
    rows = len(groups) if shared else 1
    seen = kaplan_meier.height > 0
    with drawing(name):
        figure, axes = panels(
            1 if shared else len(groups), columns=2 if len(groups) == 4 else 3, height=(3.3 if shared else 2.5) + 0.16 * rows
        )
        end = float(str(posterior["time"].max()))
        ticks = month_ticks(end, 6 if shared else 4)
        for i, group in enumerate(groups):
            ax = axes[0] if shared else axes[i]
            colour = series_colour(i if shared else 0)
            _curves(ax, posterior, kaplan_meier, group, colour, DASHES[i] if shared else "-", named=shared)
            if seen:
                _numbers(ax, kaplan_meier, group, ticks, row=i if shared else 0, label=shared and len(groups) > 1)
            if not shared:
                ax.set_title(group)
        for ax in axes:
            ax.set(xlim=(0, end), ylim=(0, 1.02), xticks=ticks)
            ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            ax.tick_params(labelbottom=True)
        if seen:
            axes[0].plot([], [], color=SOFT, linewidth=1.0, drawstyle="steps-post", label="Kaplan-Meier")
        axes[0].legend(loc="lower left" if shared else "best")
        figure.supxlabel(f"{time_unit.capitalize()}s since {origin}{'; below, number at risk' if seen else ''}", fontsize=8)
        figure.supylabel(wrapped(f"Without {event}", 44), fontsize=8)
        return to_svg(figure, name, f"Survival without {event}", _description(posterior, time_unit))


def _curves(ax: Axes, posterior: pl.DataFrame, kaplan_meier: pl.DataFrame, group: str, colour: str, dash: object, *, named: bool) -> None:
    part = posterior.filter(pl.col("group") == group)
    ax.fill_between(part["time"], part["lower"], part["upper"], color=colour, alpha=0.2, linewidth=0)
    ax.plot(part["time"], part["mean"], color=colour, linestyle=dash, label=group if named and group != "all" else "Model")
    observed = kaplan_meier.filter(pl.col("group") == group)
    ax.step(observed["time"], observed["survival"], where="post", color=INK, linewidth=0.9, alpha=0.75)


def _numbers(ax: Axes, kaplan_meier: pl.DataFrame, group: str, ticks: list[float], *, row: int, label: bool) -> None:
    observed = kaplan_meier.filter(pl.col("group") == group)
    below: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "va": "top", "fontsize": 7}
    for tick, n in zip(ticks, at_risk(observed, ticks)):
        text = "<5" if 0 < n < 5 else str(n)
        ax.annotate(text, (tick, 0), (0, -17 - 10 * row), ha="center", color=SOFT, **below)
    if label:
        ax.annotate(group, (ticks[0], 0), (-16, -17 - 10 * row), ha="right", color=INK, **below)


def at_risk(kaplan_meier: pl.DataFrame, times: list[float]) -> list[int]:
    """Number at risk at each time: that of the next step at or after it, 0 past the last.

    Parameters
    ----------
    kaplan_meier : polars.DataFrame
        ``time`` and ``at_risk`` of one group.
    times : list of float
        In the unit of ``time``.
    """
    ordered = kaplan_meier.sort("time")
    steps, counts = ordered["time"].to_numpy(), ordered["at_risk"].to_numpy()
    where = np.searchsorted(steps, np.asarray(times) - 1e-9)
    return [int(counts[i]) if i < counts.size else 0 for i in where]


def _description(posterior: pl.DataFrame, time_unit: str) -> str:
    words = []
    for (group,), part in posterior.group_by("group", maintain_order=True):
        last = part.row(-1, named=True)
        words.append(
            f"{'Everybody' if group == 'all' else group}: {last['mean']:.0%} ({last['lower']:.0%} to {last['upper']:.0%}) "
            f"at {time_unit} {last['time']:g}"
        )
    return "Posterior survival with 95% credible bands, and Kaplan-Meier as steps. " + ". ".join(words) + "."
