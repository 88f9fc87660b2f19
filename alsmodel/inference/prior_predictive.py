"""What scores the priors alone expect, and how many of those paths no ALSFRS-R total could follow."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from alsmodel.clinical.units import DAYS_PER_UNIT
from alsmodel.cohort.arrays import BOUNDS, JointData, joint_data
from alsmodel.cohort.cohort import Cohort
from alsmodel.errors import Fault, InvalidInput
from alsmodel.inference.paths import Draw, draw_paths, grid_of
from alsmodel.models.bends import correlations
from alsmodel.models.evaluation import draw_prior
from alsmodel.models.parameters import derived, parameters
from alsmodel.models.priors import data_scales
from alsmodel.models.processes import hazard_knots
from alsmodel.models.spec import JointModel

Floats = NDArray[np.float64]
CELLS = 24
#: A true total that rises by more than this many points a month over follow-up is taken as impossible: sustained recoveries of one
#: point a month are unknown in ALS but for the rare reversals.
RISING = 1.0


@final
@dataclass(frozen=True, kw_only=True)
class PriorPredictive:
    """Shares of true paths drawn from the priors, over the participants' covariates and follow-up.

    Attributes
    ----------
    below, above : float
        Share of paths that leave the scale at its lower or upper end during follow-up.
    rising : float
        Share that rises by more than one point a month from the start to the end of follow-up.
    impossible : float
        Share with any of the three.
    survival : tuple of float
        2.5%, 50% and 97.5% points, over draws of the parameters, of the share alive at the end of the longest follow-up.
    draws : int
    low, high : float
        The scale's ends.
    """

    below: float
    above: float
    rising: float
    impossible: float
    survival: tuple[float, float, float]
    draws: int
    low: float
    high: float

    def __str__(self) -> str:
        low, middle, high = self.survival
        return (
            f"Of the true paths that the priors expect, {self.impossible:.0%} are impossible: {self.below:.0%} fall below {self.low:g}, "
            f"{self.above:.0%} rise above {self.high:g}, {self.rising:.0%} gain more than {RISING:g} point a month. "
            f"Share alive at the end of follow-up: {middle:.0%} (95% of draws {low:.0%} to {high:.0%}). {self.draws} draws."
        )


def prior_predictive(
    spec: JointModel, cohort: Cohort | JointData, *, draws: int = 400, people: int = 100, seed: int = 1
) -> PriorPredictive:
    """Draw parameters from the priors and true paths from the parameters, and count those that no score could follow.

    Parameters
    ----------
    spec : JointModel
        Its outcome must be a bounded ALSFRS score, not transformed.
    cohort : Cohort or JointData
        Gives covariates, exposures, follow-up, and the units of priors that were left out.
    draws, people : int
        Draws of the parameters, and participants followed in each.
    seed : int

    Returns
    -------
    PriorPredictive

    Raises
    ------
    InvalidInput
        When the outcome has no bounds to be outside of, or the population is incident.
    """
    data = joint_data(cohort, spec.selection) if isinstance(cohort, Cohort) else cohort
    low, high = _bounds(spec)
    rng = np.random.default_rng(seed)
    knots = hazard_knots(spec, data)
    blocks = parameters(spec, data, data_scales(data), knots)
    made = derived(spec, data, knots)
    chosen = np.unique(np.linspace(0, data.people - 1, min(people, data.people)).astype(np.int64))
    grid = grid_of(spec, data, chosen, max(float(data.event_time.max()), 1e-9), CELLS)
    # Everyone is followed for as long as they were, or for a third of the longest follow-up where that is more: death is no reason
    # for a prior path to be possible.
    until = np.maximum(data.event_time[chosen], grid.edges[-1] / 3)
    inside = grid.edges[None, :] <= until[:, None]
    last = inside.sum(axis=1) - 1
    per_month = DAYS_PER_UNIT["month"] / DAYS_PER_UNIT[spec.time_unit]
    counts, alive = np.zeros(4), []
    for _ in range(draws):
        values = {label: value for block in blocks for label, value in zip(block.labels, draw_prior(block, rng), strict=True)}
        for one in made:
            values[one.label] = (values[one.common] if one.common else 0.0) + values[one.scale] * values[one.deviation]
        paths = draw_paths(spec, data, Draw(values=_with_correlations(values)), grid, chosen, knots, rng)
        below = (inside & (paths.value < low)).any(axis=1)
        above = (inside & (paths.value > high)).any(axis=1)
        gain = (paths.value[np.arange(chosen.size), last] - paths.value[:, 0]) / grid.edges[last] * per_month
        counts += [x.mean() for x in (below, above, gain > RISING, below | above | (gain > RISING))]
        alive.append(float(np.exp(-paths.cumulative[:, -1]).mean()))
    shares = counts / draws
    points = np.quantile(alive, [0.025, 0.5, 0.975])
    return PriorPredictive(
        below=float(shares[0]), above=float(shares[1]), rising=float(shares[2]), impossible=float(shares[3]),
        survival=(float(points[0]), float(points[1]), float(points[2])), draws=draws, low=low, high=high,
    )  # fmt: skip


def _bounds(spec: JointModel) -> tuple[float, float]:
    faults = []
    if spec.outcome not in BOUNDS or spec.transform != "identity":
        known = ", ".join(sorted(BOUNDS))
        faults.append(Fault("model.outcome", "A path is impossible when it leaves its scale.", f"Scales known: {known}, untransformed."))
    if spec.population == "incident":
        faults.append(Fault("model.population", "Paths are drawn from enrolment on.", 'Look at the same priors with "enrolled".'))
    if faults:
        raise InvalidInput(faults)
    low, high = BOUNDS[spec.outcome]
    return float(low), float(high)


def _with_correlations(values: dict[str, float]) -> dict[str, float]:
    """Correlations from canonical partial correlations, which are drawn as (r + 1) / 2."""
    partial = {label: 2 * value - 1 for label, value in values.items() if label.startswith("partial:")}
    return values | correlations(partial)
