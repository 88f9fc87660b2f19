r"""Refits without a part of the participants, and what they say of the participants left out.

All of a participant's visits and the end of follow-up are left out together: leaving out visits alone would ask for another visit of
somebody the model knows. Comparison by importance weights (`alsmodel.inference.compare`) is quicker; its weights fail where single
participants move the posterior, and there the refits decide.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.cohort.between import require_days
from alsmodel.errors import Fault, InvalidInput
from alsmodel.inference.accuracy import accuracy, calibration
from alsmodel.inference.compare import HasData, Split, expected_table, require_same_data, split_likelihood
from alsmodel.inference.dynamic import futures
from alsmodel.inference.fit import Fit, Method, fit_data
from alsmodel.inference.sampling import Advance, Sampling
from alsmodel.models.spec import JointModel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
STREAM = 8


class LeftOut(HasData, Protocol):
    """What a model expects of participants whom it has not seen."""

    @property
    def fold(self) -> Ints:
        """The fold in which each participant is left out."""

    @property
    def expected(self) -> Split:
        """log p(y) and log p(T | y) of each; both (1, N)."""

    @property
    def passed(self) -> bool:
        """Whether every refit passed its checks."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class FoldFits:
    """One model fitted once without each fold of the participants.

    Attributes
    ----------
    spec : JointModel
    data : JointData
        Everybody.
    fold : int array, shape (N,)
        The fold in which a participant is left out.
    fits : tuple of Fit
        Fit k has not seen fold k.
    """

    spec: JointModel
    data: JointData
    fold: Ints
    fits: tuple[Fit, ...]

    @property
    def passed(self) -> bool:
        """Whether every refit passed its checks."""
        return all(fit.passed for fit in self.fits)

    def left_out(self, k: int) -> tuple[Ints, JointData]:
        """Places and data of the participants whom fit k has not seen."""
        people = np.flatnonzero(self.fold == k)
        return people, self.data.of_people(people)

    @cached_property
    def expected(self) -> Split:
        """log p(y) and log p(T | y) of each participant under the fit that has not seen them, parameters averaged over; both (1, N)."""
        scores, joint = np.empty(self.data.people), np.empty(self.data.people)
        for k, fit in enumerate(self.fits):
            people, data = self.left_out(k)
            split = split_likelihood(fit, data=data)
            scores[people] = _log_mean(split.scores)
            joint[people] = _log_mean(split.joint)
        return Split(scores=scores[None], events=(joint - scores)[None])

    def risk(self, landmark: float, horizon: float, *, draws: int = 400) -> tuple[Ints, Floats]:
        """Predicted probability of the event by `horizon` of everybody at risk at `landmark`, by the fit that has not seen them.

        Returns
        -------
        people : int array
            Their places in `data`, increasing.
        risk : array
        """
        at_risk = self.data.at_risk(landmark)
        out = np.full(self.data.people, np.nan)
        for k, fit in enumerate(self.fits):
            people, data = self.left_out(k)
            if at_risk[people].any():
                ahead = futures(fit, landmark, [horizon], data=data, draws=draws)
                out[people[ahead.people]] = 1 - ahead.survival[:, :, 0].mean(axis=0)
        found = np.flatnonzero(~np.isnan(out))
        if found.size == 0:
            raise InvalidInput([Fault("landmark", f"Nobody is in follow-up and free of the event at {landmark:g}.")])
        return found, out[found]


def _log_mean(values: Floats) -> Floats:
    """Log of the mean over draws, values (D, N)."""
    return np.asarray(np.logaddexp.reduce(values, axis=0) - np.log(values.shape[0]))


def assign_folds(data: JointData, folds: int = 10, *, seed: int = 1) -> Ints:
    """Deal participants into folds at random, those with and without the event apart, so that every fold has its share of both.

    Parameters
    ----------
    data : JointData
    folds : int
    seed : int

    Returns
    -------
    int array, shape (N,)

    Raises
    ------
    ValueError
        When there are fewer than 2 folds or fewer participants than folds.
    """
    if not 2 <= folds <= data.people:
        raise ValueError(f"folds must be from 2 to the number of participants, {data.people}; got {folds}.")
    rng = np.random.default_rng([seed, STREAM])
    order = np.concatenate([rng.permutation(np.flatnonzero(data.event == state)) for state in (0.0, 1.0)])
    fold = np.empty(data.people, np.int64)
    fold[order] = np.arange(data.people) % folds
    return fold


def fit_folds(
    spec: JointModel,
    data: JointData,
    fold: Ints | None = None,
    sampling: Sampling | None = None,
    *,
    method: Method = "auto",
    seed: int = 1,
    progress: Advance | None = None,
) -> FoldFits:
    """Fit a model once without each fold.

    Weak priors are scaled by, and knots placed in, the data that each refit has: nothing of a participant left out is used.

    Parameters
    ----------
    spec : JointModel
    data : JointData
        From `alsmodel.cohort.arrays.joint_data` with ``spec.selection``.
    fold : int array, shape (N,), optional
        As `assign_folds` gives it, which is used with ten folds where it is left out. Models that are to be compared need the same.
    sampling : Sampling, optional
    method : {"auto", "nuts", "psis"}
        As in `alsmodel.inference.fit.fit`: weighted draws where they do, the no-U-turn sampler elsewhere.
    seed : int
    progress : callable, optional
        Told (folds done, folds in all).

    Raises
    ------
    InvalidInput
        When a covariate of a participant is imputed by the model, since nobody left out may lack one; or the population is
        "incident", whose likelihood does not come apart.
    ValueError
        When `fold` does not say a fold from 0 on for each participant.
    """
    faults = []
    if spec.population == "incident":
        fault = 'The likelihood comes apart only for population = "enrolled".'
        faults.append(Fault("model.population", fault, "Compare the joint likelihood, from Fit.loglik."))
    for name in (name for name, absent in data.missing.items() if absent.any()):
        fault = f"{int(data.missing[name].sum())} participants lack {name}, and somebody left out needs every covariate recorded."
        faults.append(Fault(f"model.covariates.{name}", fault, 'Choose missing = "complete-case", or compare by importance weights.'))
    if faults:
        raise InvalidInput(faults)
    fold = assign_folds(data, min(10, data.people), seed=seed) if fold is None else np.asarray(fold)
    used = np.unique(fold)
    if fold.shape != (data.people,) or used.size < 2 or not np.array_equal(used, np.arange(used.size)):
        raise ValueError("fold must hold one number per participant, from 0 on without gaps and at least two.")
    fits = []
    for k in used:
        training = data.of_people(np.flatnonzero(fold != k))
        fits.append(fit_data(spec, training, sampling or Sampling(), method=method, seed=seed + int(k)))
        if progress is not None:
            progress(int(k) + 1, used.size)
    return FoldFits(spec=spec, data=data, fold=fold, fits=tuple(fits))


def compare_folds(models: Mapping[str, LeftOut]) -> pl.DataFrame:
    r"""Expected log density of a new participant under each model, by participants left out in folds.

    .. math:: \sum_i \log \frac1D \sum_d p(y_i, T_i \mid \theta^{(d)}_{-k(i)})

    with :math:`\theta_{-k(i)}` drawn without the fold of i, random effects integrated out, and split as in
    `alsmodel.inference.compare.compare` (Vehtari & Lampinen 2002, doi 10.1162/08997660260293292).

    Parameters
    ----------
    models : mapping of str to FoldFits
        Or to what was kept of them.

    Returns
    -------
    polars.DataFrame
        model, elpd, elpd_scores, elpd_events (their sum is elpd), difference to the best and its standard error over participants,
        the same two for scores and for events alone, passed (every refit's checks). Best first.

    Raises
    ------
    InvalidInput
        When the models do not describe the same data, or their folds differ.
    """
    require_same_data(models)
    first, *others = models
    if uneven := [name for name in others if not np.array_equal(models[name].fold, models[first].fold)]:
        fault = f"Its folds are not those of {first}."
        raise InvalidInput([Fault(f"models.{name}", fault, "Give both the same fold.") for name in uneven])
    rows = expected_table({name: model.expected for name, model in models.items()})
    return pl.DataFrame([row | {"passed": models[row["model"]].passed} for row in rows])


def validated_accuracy(
    model: FoldFits, landmark: float, horizons: tuple[float, ...], *, by: str | None = None, draws: int = 400
) -> pl.DataFrame:
    """Accuracy of dynamic predictions of participants whom the model has not seen.

    Everybody at risk at the landmark is predicted by the refit without their fold, and all are judged together.

    Parameters
    ----------
    model : FoldFits
    landmark : float
    horizons : tuple of float
        After the landmark.
    by : str, optional
        Group on whose levels censoring depends.
    draws : int
        Posterior draws per refit.

    Returns
    -------
    polars.DataFrame
        horizon, then the fields of `alsmodel.inference.accuracy.Accuracy` with explained.
    """
    rows = []
    for horizon in horizons:
        people, risk = model.risk(landmark, horizon, draws=draws)
        found = accuracy(risk, *_outcome(model, people), landmark=landmark, horizon=horizon, groups=_groups(model, by, people))
        rows.append({"landmark": landmark, "horizon": horizon} | vars(found) | {"explained": found.explained})
    return pl.DataFrame(rows)


def validated_calibration(
    model: FoldFits, landmark: float, horizon: float, *, bins: int = 5, by: str | None = None, draws: int = 400
) -> pl.DataFrame:
    """Predicted and observed risk of participants whom the model has not seen; columns as in `alsmodel.inference.accuracy.calibration`."""
    people, risk = model.risk(landmark, horizon, draws=draws)
    groups = _groups(model, by, people)
    return calibration(risk, *_outcome(model, people), landmark=landmark, horizon=horizon, bins=bins, groups=groups)


def _outcome(model: FoldFits, people: Ints) -> tuple[Floats, Floats]:
    require_days(model.data, "whether it had happened by the horizon is not known of all.")
    return model.data.event_time[people], model.data.event[people]


def _groups(model: FoldFits, by: str | None, people: Ints) -> list[str | None] | None:
    return None if by is None else [model.data.groups[by][i] for i in people]
