"""Figures as inline SVG text: frames in, one string out, the same bytes every time.

Every figure is drawn in placeholder colours that become CSS variables, so that one drawing serves light, dark and print. The page
that shows it defines ``--ink``, ``--soft``, ``--line``, ``--page``, ``--sans`` and the series ``--c1`` to ``--c8``.
"""

from alsmodel.plots.canvas import COLOUR_VARIABLES
from alsmodel.plots.checks import event_check, score_check
from alsmodel.plots.effects import PriorCurve, effects_forest, prior_posterior
from alsmodel.plots.flow import participant_flow, row_fates
from alsmodel.plots.incidence import incidence
from alsmodel.plots.power import power
from alsmodel.plots.power_along import power_along
from alsmodel.plots.survival import at_risk, survival
from alsmodel.plots.traces import traces
from alsmodel.plots.trajectories import trajectories

__all__ = [
    "COLOUR_VARIABLES",
    "PriorCurve",
    "at_risk",
    "effects_forest",
    "event_check",
    "incidence",
    "participant_flow",
    "power",
    "power_along",
    "prior_posterior",
    "row_fates",
    "score_check",
    "survival",
    "traces",
    "trajectories",
]
