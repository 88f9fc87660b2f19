"""Power along a treatment effect, over the quantiles of what is believed of it."""

import polars as pl
from matplotlib.ticker import PercentFormatter

from alsmodel.plots.canvas import DASHES, SOFT, drawing, ordered_groups, panels, series_colour, to_svg

_SCALES = {"slowing": "Slowing of decline (share of the slope)", "hazard_ratio": "Hazard ratio"}


def power_along(strata: pl.DataFrame, *, name: str = "power-along") -> str:
    """Power along the effect: a panel per analysis, a line per size, a point for each stratum of the same probability.

    Parameters
    ----------
    strata : polars.DataFrame
        ``analysis``, ``n_per_arm``, ``slowing``, ``hazard_ratio``, ``power``, ``mcse``. The axis is slowing where it varies, the hazard
        ratio elsewhere.
    """
    analyses, sizes = (ordered_groups(strata[column].to_list()) for column in ("analysis", "n_per_arm"))
    scale = "slowing" if strata["slowing"].n_unique() > 1 else "hazard_ratio"
    with drawing(name):
        figure, axes = panels(len(analyses), height=2.9)
        for ax, analysis in zip(axes, analyses):
            ax.axvline(0.0 if scale == "slowing" else 1.0, color=SOFT, linewidth=0.7)
            for i, size in enumerate(sizes):
                part = strata.filter((pl.col("analysis") == analysis) & (pl.col("n_per_arm") == size)).sort(scale)
                bars = ax.errorbar(
                    part[scale],
                    part["power"],
                    yerr=1.96 * part["mcse"],
                    color=series_colour(i),
                    marker="o",
                    markersize=3.0,
                    linewidth=1.2,
                    elinewidth=0.8,
                    label=f"{size:,}",
                )
                bars.lines[0].set_linestyle(DASHES[i % len(DASHES)])
            ax.set(ylim=(0, 1.02), xlabel=_SCALES[scale], title=analysis)
            ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes[0].set_ylabel("Power")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, title="Per arm", title_fontsize=7.5, loc="outside right upper", alignment="left")
        low, high = float(str(strata["power"].min())), float(str(strata["power"].max()))
        text = f"Power along the effect for {len(sizes)} sizes and {len(analyses)} analyses, from {low:.0%} to {high:.0%}."
        return to_svg(figure, name, "Power along the effect", text)
