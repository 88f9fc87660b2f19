"""Intercurrent events of virtual participants: when each comes, and how it bends the path that follows.

Event k comes once at most, at a hazard that hangs on the hidden path (a is the arm, g the phenotype, s the segment of time):

    log hazard_k(t) = log_rate[k] + per_point[k] (value_i(t) - centre) + per_slope[k] (d value_i / dt - centre slope) + log_ratio[k,a,g,s]

from month `from_month` on and while value_i(t) lies below a threshold, if it has one. Between two edges the path is straight, so the
time at which it crosses the threshold and the time of the event are exact. Kind k may have one of the further hazards of
`alsmodel.patients.course.Nature` in its place, with a baseline that changes over time.

An event may move the score at once, change the slope and the hazard of the end point, end the treatment, and end the taking of scores.
Death and leaving stop none of it here: what they hide is taken away later.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from alsmodel.patients.streams import uniform
from alsmodel.patients.trial import segment_inverse, segment_mass

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Kinds(NamedTuple):
    """How K kinds of intercurrent event arise, and what each does; all arrays (K,) unless said.

    ``purpose``: purpose of its random numbers. ``log_rate``: log hazard per month at the centre. ``per_point``, ``per_slope``: log
    hazard per point and per point per month. ``below``: score, infinite for none. ``from_month``: months. ``log_ratio``
    (K, A, G, S): log hazard by arm, group and segment. ``cause``: number of the further hazard that it has beside that,
    from 0; -1 for none, and the rates are then as above. ``points``: added to the score at once. ``slope``: points per month added
    afterwards. ``log_hazard``: log hazard of the end point added afterwards. ``ends_treatment``, ``ends_scores``: 1 if it does.
    """

    purpose: Integers
    log_rate: Floats
    per_point: Floats
    per_slope: Floats
    below: Floats
    from_month: Floats
    log_ratio: Floats
    points: Floats
    slope: Floats
    log_hazard: Floats
    ends_treatment: Integers
    ends_scores: Integers
    cause: Integers


def no_kinds() -> Kinds:
    """Nothing intercurrent happens."""
    whole, numbers = (np.zeros(0, dtype=np.int64) for _ in range(2)), [np.zeros(0) for _ in range(8)]
    first, second = whole
    log_rate, per_point, per_slope, below, from_month, points, slope, log_hazard = numbers
    ratio = np.zeros((0, 1, 1, 1))
    return Kinds(
        first, log_rate, per_point, per_slope, below, from_month, ratio, points, slope, log_hazard, second,
        np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64),
    )  # fmt: skip


@njit(cache=True, fastmath=False, nogil=True)
def reached(start: float, stop: float, level: float, rate: float, from_month: float, below: float) -> tuple[float, float]:
    """Part (low, high) of a straight piece that lies after a month and below a score, empty unless low < high.

    The piece is at `level` where it starts and goes on by `rate` per month.
    """
    low, high = max(start, from_month), stop
    if below < np.inf:
        if rate == 0.0:
            if level >= below:
                high = low
        else:
            crossing = start + (below - level) / rate
            if rate < 0.0:
                low = max(low, crossing)
            else:
                high = min(high, crossing)
    return low, high


@njit(cache=True, fastmath=False, nogil=True)
def happen(
    key: np.uint64, who: int, a: int, g: int, start: float, mean: Floats, own: Floats, centre_value: float, centre_slope: float,
    horizon: float, edges: Floats, mean_factor: Floats, deviation_factor: Floats, points: Floats, log_ratio: Floats, log_base: Floats,
    kinds: Kinds, bases: Floats, offsets: Floats, reach: Floats, own_edges: Floats, own_base: Floats, place: Integers,
    levels: Floats, rates: Floats, shifts: Floats, month: Floats, left_over: Floats,
) -> int:  # fmt: skip
    """Walk one participant from month 0 to a horizon and let events happen; returns the number of segments of the own course.

    Parameters
    ----------
    key, who
        Address of the random numbers.
    a, g : int
        Arm and group.
    start : float
        True score at month 0.
    mean, own : array, shape (S,)
        Untreated slope of the mean path in each segment, and own deviation from it.
    centre_value, centre_slope : float
        Where the rates of the kinds are meant.
    horizon : float
        Months.
    edges : array, shape (S + 1,)
        Months where anything about time or treatment changes.
    mean_factor, deviation_factor, points, log_ratio : array, shape (A, G, S)
        What arms do; see `alsmodel.patients.course.Treatments`.
    log_base : array, shape (S,)
        Log of the baseline hazard.
    kinds : Kinds
    bases, offsets, reach : array, shapes (2 C, S), (2 C,) and (2 C, 2)
        Further hazards; see `alsmodel.patients.course.Nature`.
    own_edges, own_base, place, levels, rates, shifts : array, at least S + K + 1 long
        Filled with the own course: edges, log baseline hazard, number of the segment, true
        score where each segment starts, its slope there, and log
        hazard added there.
    month : array, shape (K,)
        Filled with the month of each event, infinite for none up to the horizon.
    left_over : array, shape (K,)
        Work space.
    """
    size, last = month.size, log_base.size - 1
    for k in range(size):
        month[k] = np.inf
        left_over[k] = -np.log(uniform(key, who, kinds.purpose[k], 0))
    s, count, t, level, gain, harm, treated = 0, 0, 0.0, start, 0.0, 0.0, True
    while True:
        rate, shift = mean[s] + own[s], 0.0
        if treated:
            rate = mean[s] * mean_factor[a, g, s] + own[s] * deviation_factor[a, g, s] + points[a, g, s]
            shift = log_ratio[a, g, s]
        rate += gain
        own_edges[count], own_base[count], levels[count], rates[count], shifts[count] = t, log_base[s], level, rate, shift + harm
        place[count] = s
        count += 1
        stop = horizon if s == last else min(edges[s + 1], horizon)
        first, which = np.inf, -1
        for k in range(size):
            if month[k] < np.inf:
                continue
            low, high = reached(t, stop, level, rate, kinds.from_month[k], kinds.below[k])
            if low >= high:
                continue
            log_rate, growth = _log_rate(
                kinds, k, a, g, s, treated, level + rate * (low - t), rate, centre_value, centre_slope, bases, offsets, reach
            )
            at = low + segment_inverse(log_rate, growth, left_over[k])
            if at <= high and at < first:
                first, which = at, k
        upto = first if which >= 0 else stop
        for k in range(size):
            low, high = reached(t, upto, level, rate, kinds.from_month[k], kinds.below[k])
            if k != which and month[k] == np.inf and low < high:
                log_rate, growth = _log_rate(
                    kinds, k, a, g, s, treated, level + rate * (low - t), rate, centre_value, centre_slope, bases, offsets, reach
                )
                # Rounding may leave nothing: the event then comes with the next piece.
                left_over[k] = max(left_over[k] - segment_mass(log_rate, growth, high - low), 0.0)
        level += rate * (upto - t)
        t = upto
        if which >= 0:
            month[which] = t
            level += kinds.points[which]
            gain += kinds.slope[which]
            harm += kinds.log_hazard[which]
            treated = treated and kinds.ends_treatment[which] == 0
        else:
            s += 1
            if s > last or t >= horizon:
                own_edges[count] = np.inf
                return count


@njit(cache=True, fastmath=False, nogil=True)
def _log_rate(
    kinds: Kinds, k: int, a: int, g: int, s: int, treated: bool, level: float, rate: float, centre_value: float, centre_slope: float,
    bases: Floats, offsets: Floats, reach: Floats,
) -> tuple[float, float]:  # fmt: skip
    """Log hazard of event k at a score of `level` and a slope of `rate`, and its change per month."""
    own = kinds.log_ratio[k, a, g, s] if treated else 0.0
    c = kinds.cause[k]
    if c >= 0:
        return float(bases[c, s] + offsets[c] + reach[c, 0] * level + reach[c, 1] * rate + own), float(reach[c, 0] * rate)
    log_rate = kinds.log_rate[k] + kinds.per_point[k] * (level - centre_value) + kinds.per_slope[k] * (rate - centre_slope) + own
    return float(log_rate), float(kinds.per_point[k] * rate)
