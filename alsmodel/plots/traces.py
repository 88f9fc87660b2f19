"""Draws in order and their ranks by chain: what mixing looks like."""

from typing import Any

import numpy as np

from alsmodel.plots.canvas import LINE, blank, drawing, series_colour, to_svg

Array = np.ndarray[Any, np.dtype[Any]]


def traces(draws: dict[str, Array], labels: dict[str, str], *, points: int = 160, bins: int = 20, name: str = "traces") -> str:
    """Trace at the left, rank histogram per chain at the right, one row per parameter.

    Parameters
    ----------
    draws : dict of str to array, each of shape (chain, draw)
        A handful: those with the highest R-hat, say.
    labels : dict of str to str
        Heading with unit per parameter.
    points : int
        Draws shown per chain, evenly picked.
    bins : int
        Of the rank histogram; equal heights mean that the chains agree.
    """
    with drawing(name):
        figure = blank(height=1.15 * len(draws) + 0.3)
        axes = figure.subplots(len(draws), 2, squeeze=False, width_ratios=[1.7, 1])
        for (left, right), (parameter, values) in zip(axes, draws.items()):
            chains, length = values.shape
            shown = np.linspace(0, length - 1, min(points, length)).astype(int)
            ranks = np.argsort(np.argsort(values, axis=None, kind="stable"), kind="stable").reshape(values.shape)
            edges = np.linspace(0, values.size, bins + 1)
            for chain in range(chains):
                colour = series_colour(chain)
                left.plot(shown, values[chain, shown], color=colour, linewidth=0.5, alpha=0.75)
                counts = np.histogram(ranks[chain], edges)[0] / (length / bins)
                right.stairs(counts, np.linspace(0, 1, bins + 1), color=colour, linewidth=0.9, baseline=None)
            left.set_title(labels.get(parameter, parameter), fontsize=7.5)
            left.locator_params(axis="y", nbins=3)
            right.axhline(1.0, color=LINE, linewidth=1.0)
            right.set(ylim=(0, 2), yticks=[0, 1, 2], xlim=(0, 1))
            left.set_xlim(0, length)
        axes[-1][0].set_xlabel("Draw")
        axes[-1][1].set_xlabel("Rank (fraction of all draws)")
        axes[0][1].set_title("Rank density by chain", fontsize=7.5)
        text = "Traces overlap and rank densities lie near 1 when the chains agree: " + ", ".join(
            labels.get(parameter, parameter) for parameter in draws
        )
        return to_svg(figure, name, "Traces and ranks", text + ".")
