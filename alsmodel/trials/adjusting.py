"""What one analysis of a real trial adjusts for: missing baseline values, words as indicators, who is in the comparison.

In a randomised comparison a missing number gets the pooled mean after its transformation, beside an indicator of being missing
(White & Thompson, Stat Med 2005;24:993, doi:10.1002/sim.1981); a missing word is a level of its own. Nobody is dropped for a
missing covariate.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from alsmodel.trials.analyses import AbstractAnalysis, RandomSlope, TrialData
from alsmodel.trials.comparison import ComparisonPlan, Transformation
from alsmodel.trials.conditions import Column
from alsmodel.trials.indicators import indicators_of
from alsmodel.trials.observed import BASELINE, ObservedTrial

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: Analyses that have the baseline score in them already, as a covariate or as an outcome.
_HAVE_BASELINE = ("mmrm", "reference_based", "ancova", "random_slope")


def prepared(
    trial: ObservedTrial, plan: ComparisonPlan, analysis: AbstractAnalysis, keep: Bools | None = None
) -> tuple[AbstractAnalysis, TrialData]:
    """Give an analysis the data and the columns that it takes.

    Parameters
    ----------
    trial : ObservedTrial
    plan : ComparisonPlan
    analysis : AbstractAnalysis
    keep : array of bool, shape (n,), optional
        Participants of a subgroup; all without it.

    Returns
    -------
    analysis, data : AbstractAnalysis, TrialData
        Arm 1 against control; its covariates name columns without missing values.
    """
    actual = isinstance(analysis, RandomSlope) and analysis.time == "actual"
    data = (trial.every if actual else trial.data).against_control(analysis.arm)
    if keep is not None:
        data = replace(data, arm=np.where(keep[None], data.arm, -1))
    inside = data.arm[0] >= 0
    changes: dict[str, Any] = {"arm": 1}
    strata = analysis.strata or plan.strata
    names: list[str] = []
    if analysis.takes("strata"):
        changes["strata"] = strata
    elif analysis.takes("covariates"):  # an analysis without strata takes their levels as covariates
        names += strata
    columns: dict[str, Column] = dict(data.columns)
    if analysis.takes("covariates"):
        names = [*(analysis.covariates or plan.covariates), *names]
        if getattr(analysis, "kind", "") in _HAVE_BASELINE:
            names = [name for name in names if name != BASELINE]
        made = _design(data, names, plan, inside)
        columns |= {name: column[None] for name, column in made.items()}
        changes["covariates"] = tuple(made)
    return replace(analysis, **changes), replace(data, columns=columns)  # type: ignore[type-var]


def _design(data: TrialData, names: list[str], plan: ComparisonPlan, inside: Bools) -> dict[str, Floats]:
    """Columns without missing values, each different from the others and from a constant among those inside."""
    made: dict[str, Floats] = {}
    for name in dict.fromkeys(names):
        column = data.columns.get(name)
        if isinstance(column, np.ndarray):
            values = transformed(column[0], plan.transforms.get(name))
            known = ~np.isnan(values)
            mean = values[known & inside].mean() if (known & inside).any() else 0.0
            made[f"design: {name}"] = np.where(known, values, mean)
            made[f"design: {name} missing"] = (~known).astype(np.float64)
        else:
            coded = indicators_of(name, data.columns, inside[None])
            made |= {f"design: {label}": values[0] for label, values, used in coded if used[0]}
    kept: dict[str, Floats] = {}
    for name, values in made.items():
        seen = values[inside]
        constant = seen.size == 0 or bool((seen == seen[0]).all())
        if not constant and not any(np.array_equal(seen, other[inside]) for other in kept.values()):
            kept[name] = values
    return kept


def transformed(values: Floats, transform: Transformation | None) -> Floats:
    """Values after their transformation; NaN stays."""
    with np.errstate(invalid="ignore", divide="ignore"):
        if transform == "log":
            return np.asarray(np.log(values))
        return np.asarray(np.sqrt(values)) if transform == "sqrt" else values
