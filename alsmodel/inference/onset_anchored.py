r"""The onset-anchored hierarchical line: a prediction of scores that a model has to beat.

Karanevich, Statland, Gajewski & He (2018, BMC Med Res Methodol 18:19, doi 10.1186/s12874-018-0479-9) add one artificial point to each
participant's scores, the full score on the day of symptom onset, and fit a Bayesian hierarchical linear model to the whole,

.. math:: y_{ij} = \beta_0 + b_{0i} + (\beta_1 + b_{1i})\, t_{ij} + \epsilon_{ij},

with t the time since onset, :math:`y_{i0}` the full score at :math:`t_{i0} = 0`, :math:`(b_{0i}, b_{1i})` bivariate normal and
:math:`\epsilon_{ij}` normal, the same for the anchor as for a score. One early score then gives a slope. The abstract fixes the anchor and
the hierarchical line; the origin of time and the priors are chosen here: onset, since a line whose intercept lies at enrolment would take a
high score of somebody with a recent onset for slow decline, and the weak priors of `alsmodel.models.priors.Priors`. The line is the
package's own model of decline without covariates, treatments and association, random effects integrated out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.clinical.units import DAYS_PER_UNIT
from alsmodel.cohort import Cohort
from alsmodel.cohort.arrays import BOUNDS, JointData
from alsmodel.errors import Fault, InvalidInput
from alsmodel.inference.compare import require_same_data
from alsmodel.inference.dynamic import futures
from alsmodel.inference.fit import Fit, Method
from alsmodel.inference.folds import FoldFits, fit_folds
from alsmodel.inference.sampling import Sampling, evenly
from alsmodel.models.decline import Linear
from alsmodel.models.spec import JointModel
from alsmodel.models.survival import Exponential

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
STEPS = 24  # times at which scores are predicted; paths between them are straight but for the weights of the living


def onset_times(cohort: Cohort, data: JointData) -> Floats:
    """Time of symptom onset of each participant in the unit of `data`, from the time origin; NaN where it is not recorded."""
    known = dict(cohort.participants.select("participant_id", "onset_day").iter_rows())
    days = [known.get(name) for name in data.participant_ids]
    return np.array([np.nan if day is None else day for day in days], dtype=float) / DAYS_PER_UNIT[data.time_unit]


def anchored(data: JointData, onset: Floats, full_score: float | None = None) -> JointData:
    """`data` on a clock that starts at onset, with the full score there as one more score of each participant.

    Parameters
    ----------
    data : JointData
    onset : array, shape (N,)
        Time of onset from the time origin.
    full_score : float, optional
        Score of somebody without the disease; the upper bound of the scale where it is known.

    Raises
    ------
    InvalidInput
        When the full score is not known, the outcome is transformed, or an onset is missing or lies after a participant's first score.
    """
    full = full_score if full_score is not None else BOUNDS.get(data.outcome_name, (0.0, np.nan))[1]
    first = np.full(data.people, np.inf)
    np.minimum.at(first, data.visit_person, data.visit_time)
    faults = []
    if not np.isfinite(full):
        faults.append(Fault("full_score", f"The full score of {data.outcome_name!r} is not known.", "Give full_score."))
    if data.transform != "identity":
        faults.append(Fault("model.transform", f"The anchor is a score on its own scale; the outcome is its {data.transform}."))
    if onset.shape != (data.people,):
        faults.append(Fault("onset", f"Expected one time per participant, {data.people}; got shape {onset.shape}."))
    else:
        if unknown := int(np.isnan(onset).sum()):
            faults.append(Fault("onset", f"{unknown} participants have no onset day.", "Compare among those who have one."))
        if late := int((onset >= np.minimum(first, data.entry_time)).sum()):
            fault = f"{late} participants have a score, or were enrolled, on or before the day of onset."
            faults.append(Fault("onset", fault, "Check their onset days."))
    if faults:
        raise InvalidInput(faults)
    person = np.concatenate([np.arange(data.people), data.visit_person])
    time = np.concatenate([np.zeros(data.people), data.visit_time - onset[data.visit_person]])
    order = np.lexsort((time, person))
    return replace(
        data,
        visit_person=person[order],
        visit_time=time[order],
        outcome=np.concatenate([np.full(data.people, full), data.outcome])[order],
        entry_time=data.entry_time - onset,
        event_time=data.event_time - onset,
        free_until=data.free_until - onset,
    )


def anchored_spec(spec: JointModel) -> JointModel:
    """The line to which the anchor is added: outcome, unit and events of `spec`, with no covariate, treatment or association."""
    return JointModel(
        outcome=spec.outcome, time_unit=spec.time_unit, events=spec.events, end_point=spec.end_point, population="enrolled",
        decline=Linear(), survival=Exponential(), association=(), gaussian_at_bounds=spec.gaussian_at_bounds,
    )  # fmt: skip


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Anchored:
    """The onset-anchored line, fitted once without each fold.

    Attributes
    ----------
    refits : FoldFits
        On scores and anchors, on the clock that starts at onset.
    data : JointData
        As recorded: the scores that predictions are held to.
    onset : array, shape (N,)
    """

    refits: FoldFits
    data: JointData
    onset: Floats


def fit_anchored_folds(
    spec: JointModel,
    data: JointData,
    onset: Floats,
    fold: Ints,
    sampling: Sampling | None = None,
    *,
    full_score: float | None = None,
    method: Method = "auto",
    seed: int = 1,
) -> Anchored:
    """Fit the onset-anchored line once without each fold of the participants.

    Parameters
    ----------
    spec : JointModel
        The model that it is the baseline of.
    data, onset, full_score
        As for `anchored`.
    fold : int array, shape (N,)
        As `alsmodel.inference.folds.assign_folds` gives it; the same for both models.
    sampling, method, seed
        As for `alsmodel.inference.folds.fit_folds`.
    """
    with_anchor = anchored(data, onset, full_score)
    refits = fit_folds(anchored_spec(spec), with_anchor, fold, sampling, method=method, seed=seed)
    return Anchored(refits=refits, data=data, onset=onset)


def predicted_scores(model: FoldFits | Anchored, landmark: float, horizon: float, *, draws: int = 200) -> pl.DataFrame:
    """Each score between a landmark and a horizon, and what was predicted for it at the landmark by a fit without its participant.

    Parameters
    ----------
    model : FoldFits or Anchored
    landmark, horizon : float
    draws : int
        Posterior draws per refit.

    Returns
    -------
    polars.DataFrame
        person (place in the data), time, observed, predicted: the mean true score of the participant if alive.
    """
    refits, data = (model.refits, model.data) if isinstance(model, Anchored) else (model, model.data)
    at_risk = data.at_risk(landmark)
    later = (data.visit_time > landmark) & (data.visit_time <= horizon) & at_risk[data.visit_person]
    if not later.any():
        raise InvalidInput([Fault("landmark", f"Nobody has a score between {landmark:g} and {horizon:g} {data.time_unit}s.")])
    predicted = np.full(data.outcome.size, np.nan)
    for k, fit in enumerate(refits.fits):
        here = later & (refits.fold == k)[data.visit_person]
        if not here.any():
            continue
        if isinstance(model, Anchored):
            predicted[here] = _by_lines(model, fit, landmark, here, draws)
        else:
            predicted[here] = _by_futures(model, k, landmark, horizon, here, draws)
    return pl.DataFrame(
        {"person": data.visit_person[later], "time": data.visit_time[later], "observed": data.outcome[later], "predicted": predicted[later]}
    )


def _by_futures(model: FoldFits, k: int, landmark: float, horizon: float, here: NDArray[np.bool_], draws: int) -> Floats:
    """Predictions of fold k at the visits `here`."""
    people, left_out = model.left_out(k)
    times = np.linspace(landmark, horizon, STEPS + 1)[1:]
    ahead = futures(model.fits[k], landmark, times, data=left_out, draws=draws)
    mean = (ahead.survival * ahead.value).sum(axis=0) / np.maximum(ahead.survival.sum(axis=0), 1e-300)
    # Straight on back from the first two times to the landmark.
    path = np.column_stack([2 * mean[:, 0] - mean[:, 1], mean])
    row = {int(person): r for r, person in enumerate(people[ahead.people])}
    visits = zip(model.data.visit_person[here], model.data.visit_time[here], strict=True)
    return np.array([np.interp(t, np.concatenate([[landmark], times]), path[row[int(i)]]) for i, t in visits])


def _by_lines(model: Anchored, fit: Fit, landmark: float, here: NDArray[np.bool_], draws: int) -> Floats:
    r"""Conditional mean of each line given anchor and scores up to the landmark, averaged over the parameters.

    .. math:: E[b \mid y] = (D^{-1} + Z^\top Z / \sigma^2)^{-1} Z^\top (y - Z\beta) / \sigma^2

    The hazard knows nothing of the line, so that being alive adds nothing to it.
    """
    flat = {name: fit.flat(name) for name in ("intercept", "slope", "sd:intercept", "sd:slope", "corr:intercept,slope", "sd:residual")}
    chosen = evenly(flat["slope"].size, draws)
    beta0, beta1, sd0, sd1, corr, sigma = (value[chosen] for value in flat.values())
    beta = np.stack([beta0, beta1], axis=-1)
    off = corr * sd0 * sd1
    prior = np.linalg.inv(np.stack([np.stack([sd0**2, off], axis=-1), np.stack([off, sd1**2], axis=-1)], axis=-2))
    made, data = model.refits.data, model.data
    person, time = data.visit_person[here], data.visit_time[here]
    out = np.empty(time.size)
    for i in np.unique(person):
        known = (made.visit_person == i) & (made.visit_time + model.onset[i] <= landmark)
        z = np.column_stack([np.ones(known.sum()), made.visit_time[known]])
        weight = sigma[:, None, None] ** -2
        pull = ((made.outcome[known] - beta @ z.T) @ z)[:, :, None] * weight
        line = beta + np.linalg.solve(prior + z.T @ z * weight, pull)[:, :, 0]
        own = person == i
        out[own] = line[:, 0].mean() + line[:, 1].mean() * (time[own] - model.onset[i])
    return out


def compare_scores(models: Mapping[str, FoldFits | Anchored], landmark: float, horizon: float, *, draws: int = 200) -> pl.DataFrame:
    """Errors of predicted scores of the same participants, who were left out of each fit, side by side.

    Parameters
    ----------
    models : mapping of str to FoldFits or Anchored
        With the same folds. The first is what the others are held to.
    landmark, horizon, draws
        As for `predicted_scores`.

    Returns
    -------
    polars.DataFrame
        model, participants, scores, mse, mae, bias (predicted minus observed), difference (mean squared error minus that of the first
        model) and standard_error, over participants as clusters.

    Raises
    ------
    InvalidInput
        When the models do not describe the same data, or their folds differ.
    """
    require_same_data(models)
    folds = [model.refits.fold if isinstance(model, Anchored) else model.fold for model in models.values()]
    if any(not np.array_equal(folds[0], fold) for fold in folds[1:]):
        raise InvalidInput([Fault("models", "Their folds differ.", "Give every model the same fold.")])
    found = {name: predicted_scores(model, landmark, horizon, draws=draws) for name, model in models.items()}
    error = {name: (frame["predicted"] - frame["observed"]).to_numpy() for name, frame in found.items()}
    first = next(iter(found))
    person = np.unique(found[first]["person"].to_numpy(), return_inverse=True)[1]
    rows = []
    for name, e in error.items():
        away = e**2 - error[first] ** 2
        # Sums over each participant's scores around their share of the mean: the scores of one participant are not independent.
        cluster = np.bincount(person, away - away.mean())
        rows.append(
            {
                "model": name,
                "participants": cluster.size,
                "scores": e.size,
                "mse": float(np.square(e).mean()),
                "mae": float(np.abs(e).mean()),
                "bias": float(e.mean()),
                "difference": float(away.mean()),
                "standard_error": float(np.sqrt(cluster.size / max(cluster.size - 1, 1) * np.square(cluster).sum()) / e.size),
            }
        )
    return pl.DataFrame(rows)
