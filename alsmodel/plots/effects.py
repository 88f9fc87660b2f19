"""Effects with their intervals, and posteriors beside their priors."""

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from alsmodel.plots.canvas import INK, LINE, PAGE, SOFT, blank, drawing, ordered_groups, series_colour, to_svg, wrapped

Array = np.ndarray[Any, np.dtype[Any]]


@final
@dataclass(frozen=True)
class PriorCurve:
    """Density of a prior: normal around `location`, or half-normal from 0; `scale` in the parameter's unit."""

    kind: Literal["normal", "half-normal"]
    location: float
    scale: float

    def density(self, x: Array) -> Array:
        """Density at `x`; shape (n,)."""
        bell = np.exp(-0.5 * ((x - self.location) / self.scale) ** 2) / (self.scale * np.sqrt(2 * np.pi))
        return np.asarray(bell if self.kind == "normal" else np.where(x < 0, 0.0, 2 * bell))


def effects_forest(effects: pl.DataFrame, *, name: str = "effects") -> str:
    """Posterior means and 95% intervals, one row each, panels side by side by scale.

    Parameters
    ----------
    effects : polars.DataFrame
        ``panel`` (heading with unit), ``label``, ``mean``, ``lower``, ``upper``, ``reference`` (value of no effect),
        ``informed``, and optionally ``n``. Hollow where not informed or n is below 10: the prior speaks. A panel whose
        reference is 1 has a log scale.
    """
    titles = ordered_groups(effects["panel"].to_list())
    longest = max(effects.group_by("panel").len()["len"])
    with drawing(name):
        figure = blank(height=1.1 + 0.27 * int(longest))
        axes = figure.subplots(1, len(titles), squeeze=False)[0]
        for ax, title in zip(axes, titles):
            _forest_panel(ax, effects.filter(pl.col("panel") == title), title)
        words = [f"{r['panel']}, {r['label']}: {_span(r)}" for r in effects.iter_rows(named=True)]
        return to_svg(figure, name, "Effects with 95% credible intervals", ". ".join(words) + ".")


def _span(row: dict[str, Any]) -> str:
    return f"{row['mean']:.2f} ({row['lower']:.2f} to {row['upper']:.2f})"


def _forest_panel(ax: Axes, part: pl.DataFrame, title: str) -> None:
    reference = part["reference"][0]
    if reference is not None:
        ax.axvline(reference, color=SOFT, linewidth=0.8)
    if reference == 1:
        ax.set_xscale("log")
    for y, row in enumerate(part.iter_rows(named=True)):
        colour = series_colour(0)
        ax.plot([row["lower"], row["upper"]], [y, y], color=colour, linewidth=1.5, solid_capstyle="butt")
        few = row.get("n") is not None and row["n"] < 10
        ax.plot(row["mean"], y, "o", color=colour, markersize=5, markerfacecolor=PAGE if few or not row["informed"] else colour)
    ax.set(yticks=range(part.height), ylim=(part.height - 0.4, -0.6))
    ax.set_yticklabels(part["label"].to_list(), color=INK)
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    if reference == 1:
        _ratio_ticks(ax, part)
    ax.set_title(wrapped(title, 26))


def _ratio_ticks(ax: Axes, part: pl.DataFrame) -> None:
    """Ratios that people say, as many as the panel spans."""
    low, high = min(float(str(part["lower"].min())), 0.9), max(float(str(part["upper"].max())), 1.1)
    near, far = [0.3, 0.4, 0.5, 0.7, 1, 1.5, 2, 3], [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]
    said = near if high < 6 * low else far
    ax.set_xlim(low * 0.95, high * 1.05)
    ax.xaxis.set_major_locator(FixedLocator([t for t in said if low * 0.95 <= t <= high * 1.05]))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(NullLocator())


def prior_posterior(
    draws: dict[str, Array],
    priors: dict[str, PriorCurve],
    labels: dict[str, str],
    *,
    name: str = "priors",
) -> str:
    """Posterior densities filled, priors as lines; one small panel per parameter.

    Parameters
    ----------
    draws : dict of str to array
        Posterior draws per parameter, any shape.
    priors : dict of str to PriorCurve
        Where missing, only the posterior is drawn.
    labels : dict of str to str
        Heading with unit per parameter.
    """
    names = list(draws)
    columns = 3
    rows = -(-len(names) // columns)
    with drawing(name):
        figure = blank(height=1.35 * rows + 0.2)
        axes = figure.subplots(rows, min(columns, len(names)), squeeze=False).ravel()
        for ax, parameter in zip(axes, names):
            _density_panel(ax, np.ravel(draws[parameter]), priors.get(parameter))
            ax.set_title(wrapped(labels.get(parameter, parameter), 40), fontsize=7.5)
        for spare in axes[len(names) :]:
            spare.set_visible(False)
        text = "Posterior densities (filled) and prior densities (lines) of " + ", ".join(labels.get(n, n) for n in names)
        return to_svg(figure, name, "Priors and posteriors", text + ".")


def _density_panel(ax: Axes, values: Array, prior: PriorCurve | None) -> None:
    low, high = np.quantile(values, [0.001, 0.999])
    room = 0.6 * max(high - low, 1e-9)
    grid = np.linspace(low - room, high + room, 121)
    ax.fill_between(grid, _smooth(values, grid), color=series_colour(0), alpha=0.35, linewidth=0)
    if prior is not None:
        ax.plot(grid, prior.density(grid), color=INK, linewidth=1.1, linestyle=(0, (4, 2)))
    ax.set(yticks=[], ylim=(0, None), xlim=(grid[0], grid[-1]))
    ax.spines["left"].set_visible(False)
    ax.locator_params(axis="x", nbins=4)
    ax.grid(False)
    ax.axhline(0, color=LINE, linewidth=0.8)


def _smooth(values: Array, grid: Array) -> Array:
    """Gaussian kernel density with Silverman's bandwidth, on at most 2,000 evenly picked draws."""
    kept = values[np.linspace(0, values.size - 1, min(values.size, 2000)).astype(int)]
    spread = min(kept.std(), (np.quantile(kept, 0.75) - np.quantile(kept, 0.25)) / 1.349) or 1e-9
    width = 0.9 * spread * kept.size ** (-0.2)
    kernel = np.exp(-0.5 * ((grid[:, None] - kept[None, :]) / width) ** 2)
    return np.asarray(kernel.mean(axis=1) / (width * np.sqrt(2 * np.pi)))
