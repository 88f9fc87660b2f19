"""Population parameters of a posterior, in the form that a trial simulator draws truth from."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alsmodel.clinical.units import DAYS_PER_UNIT
from alsmodel.errors import Fault, InvalidInput
from alsmodel.inference.paths import Draw, draw_of

if TYPE_CHECKING:
    from alsmodel.inference.fit import Fit

Floats = NDArray[np.float64]
WEIBULL_PIECES = 24


def population(fit: "Fit", n_draws: int, seed: int) -> dict[str, Floats]:
    """Parameters of new participants, months as the unit of time.

    Background drugs act as they did at entry and stay so.

    Parameters
    ----------
    fit : Fit
    n_draws : int
        Posterior draws, D, chosen at random without replacement where there are enough.
    seed : int

    Returns
    -------
    dict of array
        intercept, slope (points per month), log_hazard: shape (D, N); random_cholesky (D, 2, 2); residual_sd (D,); knots (K + 1,)
        months, the last infinite; log_baseline_hazard (D, K) per month; association_value, association_slope (D,).

    Raises
    ------
    InvalidInput
        When the model has a shape that the trial generator does not: quadratic paths, a transformed outcome, hazards from onset.
    """
    spec, data = fit.spec, fit.data
    _require(fit)
    rng = np.random.default_rng([seed, 2])
    total = next(iter(fit.draws.values())).size
    chosen = rng.choice(total, size=n_draws, replace=n_draws > total)
    per_month = DAYS_PER_UNIT["month"] / DAYS_PER_UNIT[spec.time_unit]  # the study's time units in a month
    people = np.arange(data.people)
    exposed = np.zeros((len(spec.treatments), data.people))
    at_entry = (data.exposure_start <= data.entry_time[data.exposure_person]) & (data.exposure_stop > data.entry_time[data.exposure_person])
    background = np.array([drug.source == "exposure" for drug in spec.treatments], bool)
    keep = at_entry & background[data.exposure_drug] if data.exposure_drug.size else at_entry
    exposed[data.exposure_drug[keep], data.exposure_person[keep]] = 1.0
    knots, out = _knots(fit), _empty(n_draws, data.people)
    baseline = np.empty((n_draws, knots.size - 1))
    for row, index in enumerate(chosen):
        draw = draw_of(fit.draws, int(index))
        ratio, added, hazard = _drugs(fit, draw, exposed)
        slope = (draw.get("slope") + draw.linear(data, "slope", spec.slope, people)) * ratio + added
        out["intercept"][row] = draw.get("intercept") + draw.linear(data, "intercept", spec.intercept, people)
        out["slope"][row] = slope * per_month
        out["log_hazard"][row] = draw.linear(data, "hazard", spec.hazard, people) + hazard
        covariance = draw.covariance(False) * np.outer([1.0, per_month], [1.0, per_month])
        out["random_cholesky"][row] = np.linalg.cholesky(covariance)
        out["residual_sd"][row] = draw.get("sd:residual")
        out["association_value"][row] = draw.get("association:value")
        out["association_slope"][row] = draw.get("association:slope") / per_month
        baseline[row] = _baseline(fit, draw, knots) + np.log(per_month)
    return {**out, "knots": knots / per_month, "log_baseline_hazard": baseline}


def _require(fit: "Fit") -> None:
    spec = fit.spec
    faults = []
    if spec.random_effects != "linear" or spec.fixed_quadratic:
        faults.append(Fault("trial.truth", "Trials are drawn from straight lines; this fit has quadratic paths.", "Fit a linear one."))
    if spec.transform != "identity":
        faults.append(Fault("trial.truth", f"Trials are drawn on the outcome's own scale; this fit is of its {spec.transform}."))
    if spec.population != "enrolled":
        faults.append(Fault("trial.truth", "Trials start at enrolment; this fit describes people from onset.", 'Use "enrolled".'))
    if faults:
        raise InvalidInput(faults)


def _empty(draws: int, people: int) -> dict[str, Floats]:
    return {
        "intercept": np.empty((draws, people)),
        "slope": np.empty((draws, people)),
        "log_hazard": np.empty((draws, people)),
        "random_cholesky": np.empty((draws, 2, 2)),
        "residual_sd": np.empty(draws),
        "association_value": np.empty(draws),
        "association_slope": np.empty(draws),
    }


def _drugs(fit: "Fit", draw: Draw, exposed: Floats) -> tuple[Floats, Floats, Floats]:
    """Ratio of slopes, addition to the slope, and log hazard ratio of each participant's background drugs."""
    log_ratio, added, hazard = np.zeros(exposed.shape[1]), np.zeros(exposed.shape[1]), np.zeros(exposed.shape[1])
    for k, drug in enumerate(fit.spec.treatments):
        theta = draw.get(f"theta:{drug.name}")
        log_ratio += theta * exposed[k]
        if drug.score == "additive":
            added += draw.get(f"slope:{drug.name}") * exposed[k]
        hazard += {"ratio": draw.get(f"hazard:{drug.name}"), "DRR": theta}.get(drug.hazard, 0.0) * exposed[k]
    return np.exp(log_ratio), added, hazard


def _knots(fit: "Fit") -> Floats:
    if fit.spec.baseline_hazard.kind == "weibull":
        return np.append(np.linspace(0.0, float(fit.data.event_time.max()), WEIBULL_PIECES + 1)[:-1], np.inf)
    return np.concatenate([[0.0], np.array(fit.provenance["knots"]), [np.inf]])


def _baseline(fit: "Fit", draw: Draw, knots: Floats) -> Floats:
    """Log baseline hazard of each piece; of a Weibull its mean over the piece, the last one as wide as the one before."""
    if fit.spec.baseline_hazard.kind != "weibull":
        return np.array([draw.get(f"log_hazard[{k + 1}]") for k in range(knots.size - 1)])
    ends = knots.copy()
    ends[-1] = 2 * knots[-2] - knots[-3]
    shape = np.exp(draw.get("log_shape"))
    return np.asarray(draw.get("log_scale") + np.log(np.diff(ends**shape) / np.diff(ends)))
