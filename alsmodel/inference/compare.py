"""Which of several models predicts new participants better: scores and events apart, random effects integrated out.

The likelihood of a participant is integrated over that participant's own effects, so leaving one participant out by importance weights
asks for the prediction of somebody new; the likelihood given the effects would ask for another visit of the same person, and its
weights fail.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.errors import Fault, InvalidInput
from alsmodel.estimators.psis import highest_k_hat, normalised, smooth
from alsmodel.inference.dynamic import placed, program_for, unconstrained_for
from alsmodel.inference.fit import Fit
from alsmodel.inference.sampling import evenly

Floats = NDArray[np.float64]


class HasData(Protocol):
    """A model with the data that it was fitted to."""

    @property
    def data(self) -> JointData:
        """Arrays of the participants."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Log-likelihoods of each participant at some posterior draws; both (D, N).

    Attributes
    ----------
    scores : array
        log p(y): of the scores.
    events : array
        log p(T | y): of follow-up and event, given the scores.
    """

    scores: Floats
    events: Floats

    @property
    def joint(self) -> Floats:
        """log p(y, T), shape (D, N)."""
        return self.scores + self.events


def split_likelihood(fit: Fit, draws: int = 1000, *, data: JointData | None = None) -> Split:
    """Split the integrated likelihood of each participant into log p(y) + log p(T | y).

    log p(y) is the same density for a participant whose follow-up has no length.

    Parameters
    ----------
    fit : Fit
    draws : int
        Posterior draws, taken evenly.
    data : JointData, optional
        Other participants than those fitted, with the same outcome, unit and covariates.

    Raises
    ------
    InvalidInput
        For an incident population, where scores are seen only of those who lived to be enrolled, and the two do not come apart.
    """
    if fit.spec.population == "incident":
        fault = 'The likelihood comes apart only for population = "enrolled".'
        raise InvalidInput([Fault("model.population", fault, "Compare the joint likelihood, from Fit.loglik.")])
    made, source = (fit.program, fit.data) if data is None else program_for(fit, data)
    unseen = replace(source, event_time=source.entry_time, event=np.zeros(source.people))
    segments, cuts = placed(fit.spec, made, unseen)
    alone = replace(made, segments=segments, cuts=cuts)
    flat = fit.x.reshape(-1, fit.program.size)
    chosen = flat[evenly(len(flat), draws)]
    if data is not None:
        chosen = unconstrained_for(fit, made, chosen)
    scores = np.array([alone.loglik(x) for x in chosen])
    return Split(scores=scores, events=np.array([made.loglik(x) for x in chosen]) - scores)


def compare(fits: dict[str, Fit], draws: int = 1000) -> pl.DataFrame:
    """Expected log density of a new participant under each model, by leaving out one participant at a time.

    Parameters
    ----------
    fits : dict of str to Fit
        Models of the same participants, scores and events, by name.
    draws : int
        Posterior draws, taken evenly.

    Returns
    -------
    polars.DataFrame
        model, elpd, elpd_scores, elpd_events (their sum is elpd), difference to the best and its standard error over participants,
        the same two for scores and for events alone, high_k (participants whose weights cannot be trusted), passed (the fit's own
        checks). Best first.

    Raises
    ------
    InvalidInput
        When the models do not describe the same data: another outcome, transformation, participants, scores or events.

    Notes
    -----
    Pareto-smoothed importance sampling (Vehtari, Gelman & Gabry 2017, Stat Comput 27:1413, doi 10.1007/s11222-016-9696-4) of the joint
    likelihood; the weights that leave a participant out are used for both parts.
    """
    require_same_data(fits)
    parts = {name: _left_out(split_likelihood(fit, draws)) for name, fit in fits.items()}
    rows = expected_table({name: Split(scores=scores[None], events=events[None]) for name, (scores, events, _) in parts.items()})
    for row in rows:
        fit, k_hat = fits[row["model"]], parts[row["model"]][2]
        row["high_k"] = int((k_hat > highest_k_hat(min(draws, fit.x.shape[0] * fit.x.shape[1]))).sum())
        row["passed"] = fit.passed
    return pl.DataFrame(rows)


def expected_table(expected: Mapping[str, Split]) -> list[dict[str, Any]]:
    """Sums over participants of what models expect, and differences to the best with their standard errors; best first.

    Parameters
    ----------
    expected : mapping of str to Split
        log p(y) and log p(T | y) of each participant, parameters averaged over; both (1, N).
    """
    best = max(expected, key=lambda name: float(expected[name].joint.sum()))
    rows = []
    for name, part in expected.items():
        row: dict[str, Any] = {"model": name, "elpd": float(part.joint.sum())}
        row |= {"elpd_scores": float(part.scores.sum()), "elpd_events": float(part.events.sum())}
        for suffix in ("", "_scores", "_events"):
            kind = suffix.removeprefix("_") or "joint"
            away = (getattr(part, kind) - getattr(expected[best], kind)).ravel()
            row |= {f"difference{suffix}": float(away.sum()), f"standard_error{suffix}": float(np.sqrt(away.size) * away.std(ddof=1))}
        rows.append(row)
    return sorted(rows, key=lambda row: -row["elpd"])


def _left_out(split: Split) -> tuple[Floats, Floats, Floats]:
    """log p(y_i | others), log p(T_i | y_i, others), and k-hat, each (N,)."""
    joint = split.joint
    scores, whole, k_hat = np.empty(joint.shape[1]), np.empty(joint.shape[1]), np.empty(joint.shape[1])
    for i in range(joint.shape[1]):
        smoothed = smooth(-joint[:, i])
        weight = normalised(smoothed.log_weight)
        whole[i] = np.logaddexp.reduce(weight + joint[:, i])
        scores[i] = np.logaddexp.reduce(weight + split.scores[:, i])
        k_hat[i] = smoothed.k_hat
    return scores, whole - scores, k_hat


def require_same_data(fits: Mapping[str, HasData]) -> None:
    """Refuse models whose likelihoods are of different things: other participants, scores, events, scale or unit.

    Raises
    ------
    InvalidInput
        With everything that differs.
    """
    if len(fits) < 2:
        raise InvalidInput([Fault("fits", f"A comparison needs at least two models; got {len(fits)}.")])
    first, *others = fits.items()
    faults = []
    for name, fit in others:
        one, two = first[1].data, fit.data
        for attribute in ("outcome_name", "transform", "upper", "time_unit"):
            mine, theirs = getattr(one, attribute), getattr(two, attribute)
            if mine != theirs:
                faults.append(Fault(f"fits.{name}", f"Its {attribute} is {theirs!r}; {first[0]} has {mine!r}."))
        if one.participant_ids != two.participant_ids:
            faults.append(Fault(f"fits.{name}", f"It was fitted to other participants than {first[0]}.", "Fit both to the same."))
            continue
        for attribute in (
            "outcome", "visit_person", "visit_time", "entry_time", "event_time", "event", "free_until", "cause", "later_time",
            "later_event",
        ):  # fmt: skip
            a, b = getattr(one, attribute), getattr(two, attribute)
            if a.shape != b.shape or not np.array_equal(a, b):
                faults.append(Fault(f"fits.{name}", f"Its {attribute.replace('_', ' ')}s are not those of {first[0]}."))
    if faults:
        raise InvalidInput(faults)
