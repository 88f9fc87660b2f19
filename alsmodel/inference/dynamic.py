"""Prediction of single participants from what is known at a landmark: score path, survival, restricted mean.

Only what lies before the landmark is used: the risk set, the scores, and exposure up to there. What is taken later is a stated policy.
Scores are given alive, with the probability of being alive beside them.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.clinical.units import DAYS_PER_UNIT
from alsmodel.cohort.arrays import JointData
from alsmodel.errors import Fault, InvalidInput
from alsmodel.estimators.psis import weighted_quantile
from alsmodel.inference.classes import require_one_population
from alsmodel.inference.effects import draw_given, follow_given, path_at
from alsmodel.inference.fit import Fit
from alsmodel.inference.sampling import evenly
from alsmodel.kernels.posterior import Segments
from alsmodel.kernels.records import Cuts
from alsmodel.models.association import kinds
from alsmodel.models.groups import members
from alsmodel.models.parameters import nested
from alsmodel.models.priors import data_scales
from alsmodel.models.processes import with_nodes
from alsmodel.models.program import Program, cuts_of_layout, program, segments_of
from alsmodel.models.spec import JointModel
from alsmodel.models.structure import layout_of

Floats = NDArray[np.float64]
LaterExposure = Literal["continue", "stop"]
STREAM = 6
LEAST_NODES = 5  # per piece of a stretch between two times of prediction
STEPS = 8  # of the integral that a restricted mean is, at least
INTERVAL = np.array([0.025, 0.975])


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Futures:
    """Predicted futures of the participants at risk at the landmark.

    Attributes
    ----------
    people : int array, shape (R,)
        Their places in the data.
    landmark : float
    times : array, shape (T,)
        After the landmark.
    survival : array, shape (D, R, T)
        Probability of no event by each time given that of none by the landmark, for each posterior draw.
    value : array, shape (D, R, T)
        True transformed outcome, were the participant alive.
    """

    people: NDArray[np.int64]
    landmark: float
    times: Floats
    survival: Floats
    value: Floats


def times_after(landmark: float, times: Sequence[float] | Floats) -> Floats:
    """Return the times of a prediction as an array.

    Raises
    ------
    ValueError
        When they do not increase from the landmark on.
    """
    at = np.asarray(times, dtype=float)
    if at.size == 0 or at[0] <= landmark or (np.diff(at) <= 0).any():
        raise ValueError(f"times must increase and lie after the landmark, {landmark:g}.")
    return at


def finer(landmark: float, times: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return times that Simpson's rule needs from the landmark on, those asked for among them, and the places of these."""
    step = 2 * (times[-1] - landmark) / STEPS
    stretches = zip(np.concatenate([[landmark], times[:-1]]), times, strict=True)
    parts = [np.linspace(start, stop, 1 + 2 * max(1, int(np.ceil((stop - start) / step - 1e-9))))[1:] for start, stop in stretches]
    return np.concatenate(parts), np.cumsum([part.size for part in parts]) - 1


def restricted_mean(survival: Floats, landmark: float, times: Floats, asked: NDArray[np.int64]) -> Floats:
    """Integral of survival from the landmark to the times asked for, the last axis, by Simpson's rule; times and places from `finer`."""
    whole = np.concatenate([np.ones((*survival.shape[:-1], 1)), survival], axis=-1)
    width = np.diff(np.concatenate([[landmark], times]))[::2]
    pairs = (whole[..., :-2:2] + 4.0 * whole[..., 1:-1:2] + whole[..., 2::2]) * width / 3.0
    return np.asarray(np.cumsum(pairs, axis=-1)[..., asked // 2])


def people_at(data: JointData, landmark: float) -> NDArray[np.int64]:
    """Return the places of those who are in follow-up and free of the event at a landmark.

    Raises
    ------
    InvalidInput
        When nobody is.
    """
    people = np.flatnonzero(data.at_risk(landmark))
    if people.size == 0:
        raise InvalidInput([Fault("landmark", f"Nobody is in follow-up and free of the event at {landmark:g} {data.time_unit}s.")])
    return people


def futures(
    fit: Fit,
    landmark: float,
    times: Sequence[float] | Floats,
    *,
    data: JointData | None = None,
    later_exposure: LaterExposure = "continue",
    draws: int = 400,
    seed: int = 1,
    cores: int = 2,
) -> Futures:
    """Draw futures of everybody who is in follow-up and free of the event at `landmark`.

    Parameters
    ----------
    fit : Fit
    landmark : float
        In the fit's time unit, from the time origin.
    times : array
        Increasing, after the landmark.
    data : JointData, optional
        Other participants than those fitted, with the same outcome, unit and covariates.
    later_exposure : {"continue", "stop"}
        What is taken at the landmark goes on for good, or ends there. Nothing new is started.
    draws : int
        Posterior draws, taken evenly; each brings one draw of every participant's random effects given the data before the landmark.
    seed, cores : int

    Raises
    ------
    ValueError
        When the times do not increase from the landmark on.
    InvalidInput
        When nobody is at risk, the new data are of another kind than those fitted, or the model has latent classes.
    """
    require_one_population(fit.spec, "Predictions of single participants")
    at = times_after(landmark, times)
    source = fit.data if data is None else data
    _require_alike(fit, source)
    people = people_at(source, landmark)
    spec = fit.spec
    source = as_fitted(fit, source)
    made = program(spec, source, fit.program.knots)
    before = placed(spec, made, _known(spec, source, landmark))
    stretches = [
        placed(replace(spec, population="enrolled"), made, _ahead(spec, source, landmark, start, stop, later_exposure), LEAST_NODES)
        for start, stop in zip(np.concatenate([[landmark], at[:-1]]), at, strict=True)
    ]
    flat = fit.x.reshape(-1, fit.program.size)
    places = evenly(len(flat), draws)
    values = _values(fit, made, flat[places])
    survival, score = np.empty((places.size, people.size, at.size)), np.empty((places.size, people.size, at.size))

    def one(k: int) -> None:
        path, shared = path_at(made, values[k], *before)
        effects = np.empty((source.people, made.wiring.sds.size))
        draw_given(path, shared, before[1], made.weibull, np.random.default_rng([seed, STREAM, int(places[k])]), effects)
        hazard, value = np.zeros(source.people), np.empty(source.people)
        passed = np.empty(source.people)
        for j, (segments, cuts) in enumerate(stretches):
            ahead, there = path_at(made, values[k], segments, cuts)
            follow_given(ahead, there, cuts, made.weibull, effects, passed, value)
            hazard += passed
            survival[k, :, j], score[k, :, j] = np.exp(-hazard[people]), value[people]

    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(one, range(places.size)))
    return Futures(people=people, landmark=landmark, times=at, survival=survival, value=score)


def predict_participants(
    fit: Fit, landmark: float, times: Sequence[float] | Floats, *, data: JointData | None = None, **settings: object
) -> pl.DataFrame:
    """What is to be expected of each participant at risk at a landmark.

    Parameters
    ----------
    fit, landmark, times, data, **settings
        As in `futures`.

    Returns
    -------
    polars.DataFrame
        participant_id, time; p_alive with lower and upper (95% over posterior draws of parameters and of the participant's own
        path); score, score_lower, score_upper: the true outcome of the participant if alive, draws weighted by their probability of being
        alive; restricted_mean: expected time without the event from the landmark to that time, with lower and upper; beyond_follow_up:
        whether the time lies past the longest follow-up of those fitted, where nothing but the shape of the model speaks.
    """
    at = times_after(landmark, times)
    fine, asked = finer(landmark, at)
    made = futures(fit, landmark, fine, data=data, **settings)  # type: ignore[arg-type]
    source = fit.data if data is None else data
    restricted = restricted_mean(made.survival, landmark, fine, asked)
    longest = float(fit.data.event_time.max())
    frames = []
    for r, person in enumerate(made.people):
        alive, value = made.survival[:, r, asked], made.value[:, r, asked]
        bands = np.array([weighted_quantile(value[:, j], alive[:, j], INTERVAL) for j in range(at.size)])
        low, high = np.quantile(alive, INTERVAL, axis=0)
        low_mean, high_mean = np.quantile(restricted[:, r], INTERVAL, axis=0)
        frames.append(
            pl.DataFrame(
                {
                    "participant_id": [source.participant_ids[person]] * at.size,
                    "time": at,
                    "p_alive": alive.mean(axis=0),
                    "p_alive_lower": low,
                    "p_alive_upper": high,
                    "score": (alive * value).sum(axis=0) / np.maximum(alive.sum(axis=0), 1e-300),
                    "score_lower": bands[:, 0],
                    "score_upper": bands[:, 1],
                    "restricted_mean": restricted[:, r].mean(axis=0),
                    "restricted_mean_lower": low_mean,
                    "restricted_mean_upper": high_mean,
                    "beyond_follow_up": at > longest,
                }
            )
        )
    return pl.concat(frames)


def as_fitted(fit: Fit, data: JointData) -> JointData:
    """`data` with the levels and the centre of the fit, so that participants of one site alone can be predicted."""
    if data is fit.data:
        return data
    asked = [*nested(fit.spec), *((name,) for name in fit.spec.groups if name not in fit.spec.hierarchy)]
    apart = (
        fit.spec.survival.strata,
        *(t.by for t in fit.spec.treatments),
        *kinds(fit.spec.association).values(),
        fit.spec.decline.residual_by,
    )
    asked += [(name,) for name in apart if name is not None]
    levels = {"/".join(names): members(fit.data, names, where="model")[0] for names in asked}
    return replace(data, levels=levels, centre=data_scales(fit.data).centre)


def program_for(fit: Fit, data: JointData) -> tuple[Program, JointData]:
    """The density of other participants than those fitted, with the baseline, groups and levels of the fit; and their data.

    Raises
    ------
    InvalidInput
        When the new data are of another kind than those fitted.
    """
    _require_alike(fit, data)
    source = as_fitted(fit, data)
    return program(fit.spec, source, fit.program.knots), source


def unconstrained_for(fit: Fit, made: Program, x: Floats) -> Floats:
    """Unconstrained draws of the fit in the order of the parameters of `made`."""
    place = {label: k for k, label in enumerate(fit.program.labels)}
    return np.ascontiguousarray(x[..., [place[label] for label in made.labels]])


def _require_alike(fit: Fit, data: JointData) -> None:
    faults = []
    for name in ("outcome_name", "time_unit", "transform", "upper"):
        if getattr(data, name) != getattr(fit.data, name):
            faults.append(Fault(f"data.{name}", f"Expected {getattr(fit.data, name)!r} as fitted; got {getattr(data, name)!r}."))
    if set(data.columns) != set(fit.data.columns):
        faults.append(Fault("data.columns", f"Expected the covariates fitted: {', '.join(sorted(fit.data.columns))}."))
    if data is not fit.data and any(absent.any() for absent in data.missing.values()):
        faults.append(Fault("data.missing", "New participants need every covariate recorded.", "Leave out those without."))
    if faults:
        raise InvalidInput(faults)


def _known(spec: JointModel, data: JointData, landmark: float) -> JointData:
    """What is known at the landmark; of those who are not at risk there, nothing."""
    at_risk = data.at_risk(landmark)
    seen = (data.visit_time <= landmark) & at_risk[data.visit_person]
    entry = np.where(at_risk, data.entry_time, landmark)
    return replace(
        _exposed(spec, data, landmark, "stop"),
        visit_person=data.visit_person[seen],
        visit_time=data.visit_time[seen],
        outcome=data.outcome[seen],
        entry_time=entry,
        event_time=np.full(data.people, landmark),
        event=np.zeros(data.people),
    )


def _ahead(spec: JointModel, data: JointData, landmark: float, start: float, stop: float, policy: LaterExposure) -> JointData:
    nothing = np.zeros(0)
    return replace(
        _exposed(spec, data, landmark, policy),
        visit_person=np.zeros(0, np.int64),
        visit_time=nothing,
        outcome=nothing,
        entry_time=np.full(data.people, start),
        event_time=np.full(data.people, stop),
        event=np.zeros(data.people),
    )


def _exposed(spec: JointModel, data: JointData, landmark: float, policy: LaterExposure) -> JointData:
    """Exposure intervals as they stand at the landmark, those that are open there closed or left open for good.

    An assigned arm stays assigned.
    """
    assigned = np.array([drug.source == "arm" for drug in spec.treatments] or [False])[data.exposure_drug]
    # What acts begins some time after what is taken, and outlasts it: the policy is about what is taken.
    per_month = DAYS_PER_UNIT["month"] / DAYS_PER_UNIT[spec.time_unit]
    delay = np.array([drug.onset_delay_months * per_month for drug in spec.treatments] or [0.0])[data.exposure_drug]
    washout = np.array([drug.washout_months * per_month for drug in spec.treatments] or [0.0])[data.exposure_drug]
    taken_there = (data.exposure_start - delay <= landmark) & (data.exposure_stop - washout >= landmark) & ~assigned
    stop = np.where(taken_there, np.inf if policy == "continue" else landmark + washout, data.exposure_stop)
    kept = assigned | ((data.exposure_start - delay <= landmark) & (stop > data.exposure_start))
    return replace(
        data,
        exposure_person=data.exposure_person[kept],
        exposure_drug=data.exposure_drug[kept],
        exposure_start=data.exposure_start[kept],
        exposure_stop=stop[kept],
    )


def placed(spec: JointModel, made: Program, data: JointData, least_nodes: int = 1) -> tuple[Segments, Cuts]:
    """Segments and nodes of `data` for the parameters of `made`."""
    finer = with_nodes(spec, lambda survival: max(survival.nodes, least_nodes))
    layout = layout_of(finer, data, made.knots)
    return segments_of(finer, data, made.knots, layout), cuts_of_layout(layout)


def _values(fit: Fit, made: Program, x: Floats) -> Floats:
    """Parameters on their own scale in the order of `made`; numbers imputed for the participants fitted are no one else's."""
    found = dict(zip(fit.program.labels, fit.program.constrained(x).T, strict=True))
    return np.column_stack([found[label] for label in made.labels])
