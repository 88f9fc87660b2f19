r"""How well predicted probabilities of an event tell who has it and how often: time-dependent AUC, Brier score, calibration.

Participants who were censored before the horizon are stood for by those who were not: everybody whose state at the horizon is known has
the weight :math:`1 / \hat G`, with :math:`\hat G` the Kaplan-Meier estimate of staying uncensored, up to the event or the horizon (Graf
et al. 1999, Stat Med 18:2529; Gerds & Schumacher 2006, Biom J 48:1029, doi 10.1002/bimj.200610301; Blanche et al. 2015, Biometrics
71:102, doi 10.1111/biom.12232). Where censoring depends on a covariate, :math:`\hat G` is estimated in each of its groups.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Accuracy of predictions made at a landmark for one horizon.

    Attributes
    ----------
    auc : float
        Probability that a participant with the event by the horizon was given a higher risk than one without; NaN without both kinds.
    brier : float
        Mean squared distance of the risk from what happened; 0.25 for a risk of one half for everybody.
    brier_null : float
        The same for the Kaplan-Meier risk of everybody, which knows no participant.
    observed, expected : float
        Risk as it came, and mean predicted risk.
    at_risk, events, censored : int
        At the landmark; with the event by the horizon; censored before.
    """

    auc: float
    brier: float
    brier_null: float
    observed: float
    expected: float
    at_risk: int
    events: int
    censored: int

    @property
    def explained(self) -> float:
        """Share of the null Brier score that the predictions take away."""
        return 1 - self.brier / self.brier_null if self.brier_null > 0 else float("nan")


def censoring_weights(time: Floats, event: Floats, horizon: float, groups: Sequence[object] | None = None) -> Floats:
    """Weights of those whose state at the horizon is known; zero for those censored before it.

    Parameters
    ----------
    time, event : array, shape (n,)
        Time from the landmark to the end of follow-up, and whether it was the event.
    horizon : float
        From the landmark.
    groups : sequence, optional
        Levels within which censoring is estimated; everybody together without it.
    """
    levels = np.zeros(time.size, int) if groups is None else np.unique([str(g) for g in groups], return_inverse=True)[1]
    weight = np.zeros(time.size)
    for level in np.unique(levels):
        own = levels == level
        t, censored = time[own], 1.0 - event[own]
        last = np.minimum(t, horizon)
        with np.errstate(divide="ignore"):
            w = 1 / _uncensored_before(t, censored, last)
        known = (t > horizon) | ((event[own] > 0) & (t <= horizon))
        weight[own] = np.where(known, w, 0.0)
    return weight


def _uncensored_before(time: Floats, censored: Floats, at: Floats) -> Floats:
    """Kaplan-Meier probability of being uncensored just before each of `at`; events come before censoring at the same time."""
    moments, counts = np.unique(time[censored > 0], return_counts=True)
    events_there = np.array([((time == m) & (censored == 0)).sum() for m in moments], dtype=float)
    risk = time.size - np.searchsorted(np.sort(time), moments, side="left") - events_there
    steps = np.concatenate([[1.0], np.cumprod(1 - counts / np.maximum(risk, 1))])
    return np.asarray(steps[np.searchsorted(moments, at, side="left")])


def accuracy(
    risk: Floats, time: Floats, event: Floats, *, landmark: float, horizon: float, groups: Sequence[object] | None = None
) -> Accuracy:
    """Hold predicted risks to what happened between a landmark and a horizon.

    Parameters
    ----------
    risk : array, shape (n,)
        Predicted probability of the event by the horizon, of those at risk at the landmark.
    time, event : array, shape (n,)
        End of follow-up, on the landmark's clock, and whether it was the event.
    landmark, horizon : float
    groups : sequence, optional
        Levels on which censoring depends.

    Raises
    ------
    ValueError
        When somebody is not at risk at the landmark, the horizon does not lie after it, or a risk is no probability.
    """
    if not horizon > landmark:
        raise ValueError(f"horizon must lie after the landmark; got {horizon:g} and {landmark:g}.")
    if risk.size == 0 or (time <= landmark).any():
        raise ValueError("accuracy is judged among those at risk at the landmark: every time must lie after it.")
    if not ((risk >= 0) & (risk <= 1)).all():
        raise ValueError("risk must be probabilities, from 0 to 1.")
    ahead, width = time - landmark, horizon - landmark
    weight = censoring_weights(ahead, event, width, groups)
    case = (ahead <= width) & (event > 0)
    cases, controls = weight * case, weight * (ahead > width)
    total = weight.sum()
    observed = float(cases.sum() / total)
    return Accuracy(
        auc=concordance(risk, cases, controls),
        brier=float((weight * np.square(case - risk)).sum() / total),
        brier_null=observed * (1 - observed),
        observed=observed,
        expected=float(risk.mean()),
        at_risk=int(risk.size),
        events=int(case.sum()),
        censored=int(((ahead <= width) & (event == 0)).sum()),
    )


def concordance(risk: Floats, cases: Floats, controls: Floats) -> float:
    """Weighted probability that a case has a higher risk than a control, ties counting one half; NaN without both."""
    if not (cases.sum() > 0 and controls.sum() > 0):
        return float("nan")
    order = np.argsort(risk, kind="stable")
    values, first = np.unique(risk[order], return_index=True)
    case, control = np.add.reduceat(cases[order], first), np.add.reduceat(controls[order], first)
    below = np.cumsum(control) - control
    return float((case * (below + control / 2)).sum() / (cases.sum() * controls.sum())) if values.size else float("nan")


def calibration(
    risk: Floats,
    time: Floats,
    event: Floats,
    *,
    landmark: float,
    horizon: float,
    bins: int = 5,
    groups: Sequence[object] | None = None,
) -> pl.DataFrame:
    """Predicted and observed risk in groups of predicted risk of about the same size.

    Parameters
    ----------
    risk, time, event, landmark, horizon, groups
        As in `accuracy`.
    bins : int

    Returns
    -------
    polars.DataFrame
        bin, n, expected, observed, standard_error of the observed (from the weights as they are).
    """
    weight = censoring_weights(time - landmark, event, horizon - landmark, groups)
    case = ((time <= horizon) & (event > 0)).astype(float)
    place = np.minimum((np.argsort(np.argsort(risk, kind="stable"), kind="stable") * bins) // risk.size, bins - 1)
    rows = []
    for k in range(bins):
        w, y = weight[place == k], case[place == k]
        seen = float((w * y).sum() / w.sum()) if w.sum() > 0 else float("nan")
        error = float(np.sqrt((np.square(w) * np.square(y - seen)).sum()) / w.sum()) if w.sum() > 0 else float("nan")
        rows.append({"bin": k + 1, "n": int(w.size), "expected": float(risk[place == k].mean()), "observed": seen, "standard_error": error})
    return pl.DataFrame(rows)
