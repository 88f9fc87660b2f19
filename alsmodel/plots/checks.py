"""Predictive checks: does the model give back what was seen?"""

import numpy as np
import polars as pl
from matplotlib.ticker import PercentFormatter

from alsmodel.plots.canvas import INK, SOFT, blank, drawing, month_ticks, series_colour, to_svg, wrapped


def score_check(check: pl.DataFrame, *, outcome: str, time_unit: str = "month", origin: str = "baseline", name: str = "score-check") -> str:
    """Observed mean and SD per time, over the 95% band of data replicated from the posterior.

    Parameters
    ----------
    check : polars.DataFrame
        ``time``, ``observed_mean``, ``predicted_mean``, ``lower``, ``upper``, ``observed_sd``, ``predicted_sd``, ``sd_lower``,
        ``sd_upper``, ``n`` (visits).
    outcome : str
        With its unit.
    """
    with drawing(name):
        figure = blank(height=2.8)
        axes = figure.subplots(1, 2)
        columns = (
            ("Mean", "observed_mean", "predicted_mean", "lower", "upper"),
            ("Standard deviation", "observed_sd", "predicted_sd", "sd_lower", "sd_upper"),
        )
        for ax, (title, observed, predicted, lower, upper) in zip(axes, columns):
            ax.fill_between(check["time"], check[lower], check[upper], color=series_colour(0), alpha=0.22, linewidth=0)
            ax.plot(check["time"], check[predicted], color=series_colour(0), label="Predicted, 95% band")
            ax.plot(check["time"], check[observed], "o", color=INK, markersize=3.8, label="Observed")
            ax.set_title(title)
        axes[1].set_ylim(bottom=0)
        for ax in axes:
            ax.set_xticks(month_ticks(float(str(check["time"].max())), 6))
        axes[0].legend(loc="best")
        axes[0].set_ylabel(outcome)
        figure.supxlabel(f"{time_unit.capitalize()}s since {origin}", fontsize=8)
        inside = int(((check["observed_mean"] >= check["lower"]) & (check["observed_mean"] <= check["upper"])).sum())
        text = f"Observed means lie inside the 95% predictive band at {inside} of {check.height} times."
        return to_svg(figure, name, f"Predictive check of {outcome}", text)


def event_check(
    check: pl.DataFrame, *, event: str = "event", time_unit: str = "month", origin: str = "baseline", name: str = "event-check"
) -> str:
    """Kaplan-Meier of the data over the 95% band of Kaplan-Meier curves of replicated data.

    Parameters
    ----------
    check : polars.DataFrame
        ``time``, ``kaplan_meier``, ``mean``, ``lower``, ``upper`` as fractions, ``n_at_risk``.
    """
    with drawing(name):
        figure = blank(height=2.9)
        ax = figure.add_subplot()
        ax.fill_between(check["time"], check["lower"], check["upper"], color=series_colour(0), alpha=0.22, linewidth=0)
        ax.plot(check["time"], check["mean"], color=series_colour(0), label="Predicted, 95% band")
        ax.plot(check["time"], check["kaplan_meier"], "o", color=INK, markersize=3.5, label="Observed (Kaplan-Meier)")
        risk = check["n_at_risk"].to_numpy()
        if np.any(risk < 20):
            thin = float(check["time"][int(np.argmax(risk < 20))])
            ax.axvline(thin, color=SOFT, linewidth=0.8, linestyle=(0, (2, 2)))
            ax.annotate(
                "fewer than 20 at risk",
                (thin, 1),
                (-3, 0),
                textcoords="offset points",
                fontsize=7,
                color=SOFT,
                va="top",
                ha="right",
            )
        ax.set_xticks(month_ticks(float(str(check["time"].max())), 8))
        ax.set(ylim=(0, 1.02), ylabel=wrapped(f"Without {event}", 40), xlabel=f"{time_unit.capitalize()}s since {origin}")
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        ax.legend(loc="lower left")
        inside = int(((check["kaplan_meier"] >= check["lower"]) & (check["kaplan_meier"] <= check["upper"])).sum())
        text = f"Observed survival lies inside the 95% predictive band at {inside} of {check.height} times."
        return to_svg(figure, name, f"Predictive check of survival without {event}", text)
