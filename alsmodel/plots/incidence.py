"""Cumulative incidence of each cause beside the Aalen-Johansen estimate."""

import polars as pl
from matplotlib.ticker import PercentFormatter

from alsmodel.plots.canvas import DASHES, INK, SOFT, drawing, month_ticks, ordered_groups, panels, series_colour, to_svg, wrapped

MOST_STEPS = 3  # groups beyond which steps in one panel could not be told apart


def incidence(frame: pl.DataFrame, *, time_unit: str = "month", origin: str = "baseline", name: str = "incidence") -> str:
    """One panel for each cause; posterior curves with 95% bands by group, Aalen-Johansen as steps.

    Parameters
    ----------
    frame : polars.DataFrame
        ``group``, ``cause``, ``time``, ``mean``, ``lower``, ``upper``, ``observed`` (null where nobody is followed), as fractions.
    """
    causes, groups = ordered_groups(frame["cause"].to_list()), ordered_groups(frame["group"].to_list())
    with drawing(name):
        figure, axes = panels(len(causes), columns=3, height=2.7)
        end = float(str(frame["time"].max()))
        for ax, cause in zip(axes, causes, strict=True):
            for i, group in enumerate(groups):
                part = frame.filter((pl.col("cause") == cause) & (pl.col("group") == group))
                label = "Model" if group == "all" else group
                ax.fill_between(part["time"], part["lower"], part["upper"], color=series_colour(i), alpha=0.2, linewidth=0)
                ax.plot(part["time"], part["mean"], color=series_colour(i), linestyle=DASHES[i % len(DASHES)], label=label)
                if len(groups) <= MOST_STEPS:
                    seen = part.drop_nulls("observed")
                    ax.step(seen["time"], seen["observed"], where="post", color=INK, linewidth=0.9, alpha=0.75)
            ax.set(xlim=(0, end), ylim=(0, None), xticks=month_ticks(end, 4))
            ax.set_title(wrapped(cause, 30))
            ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            ax.tick_params(labelbottom=True)
        if len(groups) <= MOST_STEPS:
            axes[0].plot([], [], color=SOFT, linewidth=1.0, drawstyle="steps-post", label="Aalen-Johansen")
        axes[0].legend(loc="upper left")
        figure.supxlabel(f"{time_unit.capitalize()}s since {origin}", fontsize=8)
        figure.supylabel("Came first, share of everybody", fontsize=8)
        return to_svg(figure, name, "Cumulative incidence of each cause", _description(frame, time_unit))


def _description(frame: pl.DataFrame, time_unit: str) -> str:
    last = frame.filter(pl.col("time") == frame["time"].max())
    words = [
        f"{row['cause']}{'' if row['group'] == 'all' else ', ' + row['group']}: {row['mean']:.0%} "
        f"({row['lower']:.0%} to {row['upper']:.0%})"
        for row in last.iter_rows(named=True)
    ]
    return f"Share in whom each cause has come first by {time_unit} {last['time'][0]:g}: {'; '.join(words)}."
