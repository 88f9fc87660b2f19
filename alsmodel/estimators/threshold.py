"""Time to a drop of the score by k points, as arrays that log-rank and Cox take.

A drop is seen at a visit; when it happened is known only to lie between that visit and the last one before. The rule says which time
stands for it: the visit (as trials report), the middle of the interval, or where a straight line between the two scores crosses.
"""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import numpy.typing as npt

from alsmodel.estimators._inputs import scores_of

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
TimeRule = Literal["visit", "midpoint", "linear"]


@final
@dataclass(frozen=True, kw_only=True)
class ThresholdEvents:
    """Events of every participant; arrays have shape (R, n).

    Attributes
    ----------
    time, event : array
        Month by the rule, and 1 for a drop (or death, if it counts); censored at the last score otherwise.
    left, right : array
        The event lies in (left, right]; right is infinite without one.
    included : array of bool
        False without a baseline score: give such a participant arm -1.
    """

    time: Floats
    event: Integers
    left: Floats
    right: Floats
    included: npt.NDArray[np.bool_]

    def arms(self, arm: npt.ArrayLike) -> Integers:
        """Arm codes (R, n) with -1 for participants who cannot be analysed."""
        return np.where(self.included, np.broadcast_to(np.asarray(arm, dtype=np.int64), self.included.shape), -1)


def threshold_events(
    scores: npt.ArrayLike,
    times: npt.ArrayLike,
    event_time: npt.ArrayLike | None = None,
    event: npt.ArrayLike | None = None,
    *,
    drop: float,
    rule: TimeRule = "visit",
    deaths: Literal["event", "censor"] = "event",
    confirmed: bool = False,
) -> ThresholdEvents:
    """Find each participant's first drop by `drop` points from the first visit.

    Parameters
    ----------
    scores : array, shape (R, n, V) or (n, V)
        The first visit is baseline; NaN where not observed.
    times : array, shape (V,), (n, V) or (R, n, V)
        Months, rising.
    event_time, event : array, shape (R, n) or (n,), optional
        Death or the end of observation, and 1 for death.
    drop : float
        Points, above 0: the event is score <= baseline - drop.
    rule : "visit", "midpoint" or "linear"
        Which time stands for the drop.
    deaths : "event" or "censor"
        Death without a drop before is an event at its day, or censors at the last score. Censoring treats the dead as if they
        might have gone on without a drop, and favours an arm that dies.
    confirmed : bool
        The next score must be below too; a drop at the last score, with no other after it, is taken as confirmed only by death.

    Returns
    -------
    ThresholdEvents

    Raises
    ------
    ValueError
        Shapes that do not fit, a drop that is not above 0, months that do not rise, or an unknown rule.

    Examples
    --------
    >>> found = threshold_events([[40.0, 38.0, 33.0]], [0.0, 3.0, 6.0], drop=6.0, rule="linear")
    >>> found.time.round(2).tolist(), found.event.tolist()
    ([[5.4]], [[1]])
    """
    y = scores_of(scores)
    replicates, people = y.shape[:2]
    given = np.asarray(times, dtype=np.float64)
    if given.shape not in (y.shape[2:], y.shape[1:], y.shape) or (np.diff(given, axis=-1) <= 0.0).any() or not np.isfinite(given).all():
        raise ValueError(f"times needs rising, finite months of shape (V,), (n, V) or (R, n, V) for scores {y.shape}; got {given.shape}.")
    if not drop > 0.0:
        raise ValueError(f"drop is a number of points above 0; got {drop}.")
    if rule not in ("visit", "midpoint", "linear") or deaths not in ("event", "censor"):
        raise ValueError(f"rule {rule!r} or deaths {deaths!r} is not known; see the docstring for the choices.")
    if (event_time is None) != (event is None):
        raise ValueError("Give event_time and event together, or neither.")
    t = np.broadcast_to(given, y.shape)
    shape = (replicates, people)
    try:
        end = np.broadcast_to(np.asarray(np.inf if event_time is None else event_time, dtype=np.float64), shape)
        died = np.broadcast_to(np.asarray(0 if event is None else event, dtype=np.int64), shape) > 0
    except ValueError:
        raise ValueError(f"event_time and event need the shape {shape} or ({people},).") from None
    return _scan(y, t, end, died, drop, rule, deaths == "event", confirmed)


def _scan(
    y: Floats, t: Floats, end: Floats, died: npt.NDArray[np.bool_], drop: float, rule: TimeRule, count_deaths: bool, confirmed: bool
) -> ThresholdEvents:
    """Walk through the visits, carrying the last score of everybody."""
    visits = y.shape[2]
    included = ~np.isnan(y[:, :, 0])
    limit = y[:, :, 0] - drop
    low = y <= limit[..., None]
    holds = _confirmed(y, low, died) if confirmed else low
    before_time, before_score = t[:, :, 0].copy(), y[:, :, 0].copy()
    found = np.zeros(included.shape, dtype=bool)
    left, right, time = before_time.copy(), np.full(included.shape, np.inf), before_time.copy()
    for v in range(1, visits):
        seen = ~np.isnan(y[:, :, v]) & ~found & included
        now = seen & holds[:, :, v]
        share = np.divide(before_score - limit, before_score - y[:, :, v], out=np.ones_like(limit), where=now & (before_score > limit))
        by_rule = {
            "visit": t[:, :, v],
            "midpoint": 0.5 * (before_time + t[:, :, v]),
            "linear": before_time + np.clip(share, 0.0, 1.0) * (t[:, :, v] - before_time),
        }[rule]
        time, left, right = np.where(now, by_rule, time), np.where(now, before_time, left), np.where(now, t[:, :, v], right)
        found |= now
        going = seen & ~now
        before_time, before_score = np.where(going, t[:, :, v], before_time), np.where(going, y[:, :, v], before_score)
    time, left = np.where(found, time, before_time), np.where(found, left, before_time)
    dead = died & ~found & included if count_deaths else np.zeros(found.shape, dtype=bool)
    time, right = np.where(dead, end, time), np.where(dead, end, right)
    left = np.where(dead, np.minimum(before_time, end), left)
    return ThresholdEvents(
        time=np.where(included, time, 0.0), event=(found | dead).astype(np.int64), left=left, right=right, included=included
    )


def _confirmed(y: Floats, low: npt.NDArray[np.bool_], died: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Drops that the next score repeats; after the last score only death confirms."""
    holds = np.zeros_like(low)
    following = died.copy()
    for v in range(y.shape[2] - 1, -1, -1):
        seen = ~np.isnan(y[:, :, v])
        holds[:, :, v] = low[:, :, v] & following
        following = np.where(seen, low[:, :, v], following)
    return holds
