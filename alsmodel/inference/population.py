"""Population parameters of a posterior, in the form that a trial simulator draws truth from."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alsmodel.clinical.units import DAYS_PER_UNIT
from alsmodel.cohort.arrays import JointData
from alsmodel.errors import Fault, InvalidInput
from alsmodel.inference.paths import Draw, class_parts, draw_of
from alsmodel.inference.screening import taken_at_entry
from alsmodel.kernels.bends import bends_over
from alsmodel.models.association import kinds
from alsmodel.models.baseline import coefficient_labels, log_baseline, log_cumulative
from alsmodel.models.bends import bend_knots
from alsmodel.models.effects import Acting, exposed
from alsmodel.models.processes import Process, processes
from alsmodel.models.reach import is_wide

if TYPE_CHECKING:
    from alsmodel.inference.fit import Fit

Floats = NDArray[np.float64]
SMOOTH_PIECES = 24
#: Months of a chord of a bent path, and most of them.
CHORD, MOST_CHORDS = 0.5, 240
#: What is said of latent classes: the first and the third of every participant.
CLASSES = ("class_share", "class_intercept", "class_slope", "class_log_hazard")


def chosen_draws(fit: "Fit", n_draws: int, seed: int) -> NDArray[np.int64]:
    """Posterior draws taken at random, without replacement where there are enough; the same for the same seed."""
    total = next(iter(fit.draws.values())).size
    return np.random.default_rng([seed, 2]).choice(total, size=n_draws, replace=n_draws > total)


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
        intercept, slope (points per month), log_hazard, slope_spread (factor of the own deviation of the slope): shape (D, N);
        random_cholesky (D, 2, 2); residual_sd (D,); knots (K + 1,) months, the last infinite; log_baseline_hazard (D, K) per month;
        association_value, association_slope (D,); ``column:`` design columns and ``taken:`` background drugs of the participants, (N,),
        which a prediction at screening may know. Where paths bend in B terms random_cholesky is (D, 2 + B, 2 + B), zero for terms that are
        the same for all, and besides: bend (D, B), coefficients of the mean path; bend_months (M,) and bend_rates (B, M), what a unit of
        each adds to the slope (per month) from each month to the next, by the chord, and from the last on, which is that of the longest
        follow-up, by the tangent. Of latent classes, of sigmoid paths, of each further cause, and of what comes after one, what
        `alsmodel.trials.truth.PosteriorTruth` has as ``further``.

    Raises
    ------
    InvalidInput
        When the model has a shape that the trial generator does not: a transformed outcome, hazards from onset.
    """
    spec, data = fit.spec, fit.data
    _require(fit)
    chosen = chosen_draws(fit, n_draws, seed)
    per_month = DAYS_PER_UNIT["month"] / DAYS_PER_UNIT[spec.time_unit]  # the study's time units in a month
    people = np.arange(data.people)
    acting = exposed(spec, data)
    background = {drug.name for drug in spec.treatments if drug.source == "exposure"}
    at_entry = (acting.start <= data.entry_time[acting.person]) & (acting.stop > data.entry_time[acting.person])
    keep = at_entry & np.array([one.drug in background for one in acting.acting], bool)[acting.which] if acting.which.size else at_entry
    taken = np.zeros((len(acting.acting), data.people))
    taken[acting.which[keep], acting.person[keep]] = 1.0
    hazards = processes(spec, data, np.array(fit.provenance["knots"]))
    knots, out = _knots(fit, hazards), _empty(n_draws, data.people, len(spec.bends))
    further = _empty_hazards(hazards[1:], n_draws, data.people, knots.size - 1)
    on_further = [exposed(process.spec, data).acting for process in hazards[1:]]
    curved = spec.decline.kind == "sigmoid"
    baseline = np.empty((n_draws, knots.size - 1))
    several = 0 if spec.classes is None else spec.classes.number
    classes = {name: np.empty((n_draws, *((data.people,) if name in CLASSES[::2] else ()), several)) for name in CLASSES if several}
    for row, index in enumerate(chosen):
        draw = draw_of(fit.draws, int(index))
        ratio, own, added, hazard = _drugs(acting.acting, draw, taken)
        slope = (draw.get(spec.stem("slope")) + draw.linear(spec, data, "slope", people)) * ratio + added
        out["intercept"][row] = draw.get(spec.stem("intercept")) + draw.linear(spec, data, "intercept", people)
        out["slope"][row] = slope * per_month
        out["slope_spread"][row] = own
        if curved:  # log D50 and log dx
            out["slope"][row] = slope - np.log(per_month)
            out["intercept"][row] -= np.log(per_month)
        if spec.classes is not None:
            share, level, steeper, of_class = class_parts(spec, data, draw, people)
            for name, value in zip(CLASSES, (share, level, steeper * (ratio * per_month)[:, None], of_class), strict=True):
                classes[name][row] = value
        out["log_hazard"][row] = draw.linear(spec, data, "hazard", people) + hazard
        scale = np.array([1.0, 1.0 if curved else per_month, *(1.0 for _ in spec.effects[2:])])
        out["random_cholesky"][row][: scale.size, : scale.size] = np.linalg.cholesky(draw.covariance(spec.effects) * np.outer(scale, scale))
        if spec.bends:
            out["bend"][row] = [draw.get(name) for name in spec.bends]
        out["residual_sd"][row] = draw.get("sd:residual")
        out["association_value"][row] = draw.get("association:value")
        out["association_slope"][row] = draw.get("association:slope") / per_month
        baseline[row] = _baseline(hazards[0], draw, knots) + np.log(per_month)
        for process, drugs in zip(hazards[1:], on_further, strict=True):
            made = {name: values[row : row + 1] for name, values in further.items()}
            _further(process, drugs, data, draw.of(process.suffix), (knots, taken, per_month), made)
    known = {f"column:{name}": column for name, column in data.columns.items()}
    known |= {f"taken:{name}": taken for name, taken in taken_at_entry(fit).items()}
    further |= {f"clock{one.suffix}": np.array([1.0 if one.clock == "since event" else 2.0]) for one in spec.after}
    return {**out, **classes, **further, **_bends(fit, per_month), **known, "knots": knots / per_month, "log_baseline_hazard": baseline}


def _require(fit: "Fit") -> None:
    spec = fit.spec
    faults = []
    if spec.transform != "identity":
        faults.append(Fault("trial.truth", f"Trials are drawn on the outcome's own scale; this fit is of its {spec.transform}."))
    if spec.population != "enrolled":
        faults.append(Fault("trial.truth", "Trials start at enrolment; this fit describes people from onset.", 'Use "enrolled".'))
    if spec.survival.strata is not None:
        faults.append(Fault("trial.truth", "Trials have one baseline hazard; this fit has strata.", "Fit one without survival.strata."))
    if spec.decline.residual_by is not None:
        faults.append(Fault("trial.truth", "Trials have one residual SD; in this fit it differs by group.", "Fit one without residual_by."))
    if is_wide(spec):
        fault = "Trials have hazards that depend on the current value and slope; in this fit one depends on the area or on random effects."
        faults.append(Fault("trial.truth", fault, 'Fit one with association = ["value"] or ["value", "slope"].'))
    if any(kinds(spec.association).values()):
        faults.append(Fault("trial.truth", "Trials have one association; in this fit it differs by group.", "Fit one without its `by`."))
    if aging := [drug.name for drug in spec.treatments if drug.hazard == "clock" and drug.source == "exposure"]:
        fault = f"Trials have one baseline hazard for all; in this fit that of who takes {', '.join(aging)} runs on a clock of its own."
        faults.append(Fault("trial.truth", fault, 'Fit one with hazard = "ratio" for it.'))
    if any(drug.hazard_periods and drug.source == "exposure" for drug in spec.treatments):
        faults.append(Fault("trial.truth", "Trials keep a background drug's hazard ratio constant; this fit has periods."))
    if faults:
        raise InvalidInput(faults)


def _bends(fit: "Fit", per_month: float) -> dict[str, Floats]:
    """Months at which bent paths are cut into chords, and what each term adds to the slope from one to the next; nothing for lines."""
    part = fit.spec.decline
    if part.kind == "sigmoid":
        months = np.arange(0.0, CHORD * MOST_CHORDS, CHORD)
        curve = {"since_onset": fit.data.since_onset / per_month, "top": np.array([part.top])}
        return curve | {"bend_months": months, "bend_rates": np.zeros((0, months.size))}
    if not fit.spec.bends:
        return {}
    longest = float(fit.data.event_time.max()) / per_month
    step = CHORD * max(1.0, np.ceil(longest / (CHORD * MOST_CHORDS)))
    months = np.arange(0.0, max(longest, step) + 1e-9, step)
    value, speed = bends_over(months * per_month, bend_knots(fit.spec, fit.data))
    return {"bend_months": months, "bend_rates": np.concatenate([np.diff(value, axis=0) / step, speed[-1:] * per_month]).T}


def _empty(draws: int, people: int, bends: int) -> dict[str, Floats]:
    return {
        "intercept": np.empty((draws, people)),
        "slope": np.empty((draws, people)),
        "slope_spread": np.empty((draws, people)),
        "log_hazard": np.empty((draws, people)),
        "random_cholesky": np.zeros((draws, 2 + bends, 2 + bends)),
        "residual_sd": np.empty(draws),
        "association_value": np.empty(draws),
        "association_slope": np.empty(draws),
        **({"bend": np.empty((draws, bends))} if bends else {}),
    }


def _drugs(acting: tuple[Acting, ...], draw: Draw, taken: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Ratio of mean slopes, that of own deviations, addition to the slope, and log hazard ratio, of everybody's background drugs."""
    log_ratio, own, added, hazard = np.zeros((4, taken.shape[1]))
    for one, x in zip(acting, taken, strict=True):
        log_ratio += draw.get(one.theta) * x
        own += draw.get(one.psi) * x
        added += draw.get(one.additive) * x
        hazard += draw.get(one.ratio) * x
    return np.exp(log_ratio), np.exp(own), added, hazard


def _empty_hazards(hazards: Sequence[Process], draws: int, people: int, pieces: int) -> dict[str, Floats]:
    """Room for the hazards of further causes and of what comes after them."""
    found: dict[str, Floats] = {}
    for process in hazards:
        shapes: dict[str, tuple[int, ...]] = {"log_hazard": (people,), "log_baseline_hazard": (pieces,)}
        if process.kind == "cause":
            shapes |= {"association_value": (), "association_slope": ()}
        found |= {f"{name}{process.suffix}": np.empty((draws, *shape)) for name, shape in shapes.items()}
    return found


def _further(
    process: Process, acting: tuple[Acting, ...], data: JointData, draw: Draw, how: tuple[Floats, Floats, float], out: dict[str, Floats]
) -> None:
    """Fill one draw of a further hazard; `how` has knots, background drugs taken and time units in a month."""
    knots, taken, per_month = how
    spec, people = process.spec, np.arange(data.people)
    out[f"log_baseline_hazard{process.suffix}"][:] = _baseline(process, draw, knots) + np.log(per_month)
    if process.kind == "after":
        names, design = data.design(spec.hazard)
        out[f"log_hazard{process.suffix}"][:] = design @ np.array([draw.get(f"hazard:{name}") for name in names])
        return
    out[f"log_hazard{process.suffix}"][:] = draw.linear(spec, data, "hazard", people) + _drugs(acting, draw, taken)[3]
    out[f"association_value{process.suffix}"][:] = draw.get("association:value")
    out[f"association_slope{process.suffix}"][:] = draw.get("association:slope") / per_month


def _knots(fit: "Fit", hazards: Sequence[Process]) -> Floats:
    """Where pieces of any hazard begin and, last, infinity."""
    inner = [
        np.linspace(0.0, float(fit.data.event_time.max()), SMOOTH_PIECES + 1)[1:-1] if _smooth(process) else process.knots
        for process in hazards
    ]
    return np.concatenate([[0.0], np.unique(np.concatenate(inner)), [np.inf]])


def _smooth(process: Process) -> bool:
    return process.spec.survival.kind in ("weibull", "m-spline", "royston-parmar")


def _baseline(process: Process, draw: Draw, knots: Floats) -> Floats:
    """Log baseline hazard of each piece; of a smooth one its mean over the piece, the last one as wide as the one before."""
    spec, held = process.spec, process.knots
    if spec.survival.kind in ("exponential", "piecewise"):
        own = np.searchsorted(held, knots[:-1], side="right")
        return np.array([draw.get(f"log_hazard[{k + 1}]") for k in own])
    ends = knots.copy()
    ends[-1] = 2 * knots[-2] - knots[-3]
    if spec.survival.kind == "weibull":
        shape, at = np.exp(draw.get("log_shape")), held[0]
        mass = at * np.exp(draw.get("log_level")) / shape * np.diff((ends / at) ** shape)
        return np.asarray(np.log(mass / np.diff(ends)))
    if spec.survival.kind == "royston-parmar":
        names = coefficient_labels(spec, held, ())[0]
        total = np.exp(log_cumulative(held, np.array([draw.get(name) for name in names]), ends))
        return np.asarray(np.log(np.diff(total) / np.diff(ends)))
    x, w = np.polynomial.legendre.leggauss(6)
    middle, half = (ends[1:] + ends[:-1]) / 2, np.diff(ends) / 2
    rates = np.exp(log_baseline(spec, held, draw.get, middle[:, None] + half[:, None] * x))
    return np.asarray(np.log(rates @ w / 2))
