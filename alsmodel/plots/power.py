"""Power over sample size, with Monte Carlo error."""

import polars as pl
from matplotlib.ticker import PercentFormatter

from alsmodel.plots.canvas import DASHES, SOFT, drawing, ordered_groups, panels, series_colour, to_svg


def power(table: pl.DataFrame, *, effect_label: str = "Effect", analysis_labels: dict[str, str] | None = None, name: str = "power") -> str:
    """Power curves over participants per arm: a panel per analysis, a line per effect, bars of 1.96 MCSE.

    Parameters
    ----------
    table : polars.DataFrame
        ``n_per_arm``, ``effect``, ``analysis``, ``power``, ``mcse`` (fractions).
    effect_label : str
        What the effect is, with its unit; heading of the legend.
    analysis_labels : dict of str to str, optional
        Panel titles.
    """
    analyses = ordered_groups(table["analysis"].to_list())
    effects = ordered_groups(table["effect"].to_list())
    with drawing(name):
        figure, axes = panels(len(analyses), height=3.1)
        for ax, analysis in zip(axes, analyses):
            for level in (0.8, 0.9):
                ax.axhline(level, color=SOFT, linewidth=0.7, linestyle=(0, (2, 2)))
            for i, effect in enumerate(effects):
                part = table.filter((pl.col("analysis") == analysis) & (pl.col("effect") == effect)).sort("n_per_arm")
                bars = ax.errorbar(
                    part["n_per_arm"],
                    part["power"],
                    yerr=1.96 * part["mcse"],
                    color=series_colour(i),
                    marker="o",
                    markersize=3.2,
                    linewidth=1.4,
                    elinewidth=0.9,
                    capsize=2,
                    label=_effect(effect),
                )
                bars.lines[0].set_linestyle(DASHES[i % len(DASHES)])
            ax.set(ylim=(0, 1.02), xlabel="Participants per arm", title=(analysis_labels or {}).get(analysis, analysis))
            ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes[0].set_ylabel("Power")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, title=effect_label, title_fontsize=7.5, loc="outside right upper", alignment="left")
        best = table.sort("power").row(-1, named=True)
        text = (
            f"Power against participants per arm for {len(effects)} effects and {len(analyses)} analyses; highest "
            f"{best['power']:.0%} with {best['n_per_arm']} per arm, {best['analysis']}, {effect_label.lower()} "
            f"{_effect(best['effect'])}."
        )
        return to_svg(figure, name, "Power curves", text)


def _effect(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
