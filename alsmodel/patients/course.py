"""The generator of a block of virtual trials: paths that treatment bends, events, leaving, visits.

Between two edges a participant's true score is a straight line, so that the hazard of the event and that of leaving
are exponential in time there and both times are found exactly (see `alsmodel.patients.trial`). Edges are the months
where the baseline hazard or what an arm does to slope or hazard changes, and where a bent path is cut into chords.

    value_i(t):  value_i(0) = intercept_i + b0_i,   d value_i / dt = mean_i[s] m[a,g,s] + own_i[s] d[a,g,s] + p[a,g,s]
    mean_i[s] = slope_i + sum over k of bend[k] bends[k,s],   own_i[s] = b1_i + sum over k of b_{2+k,i} bends[k,s]
    log hazard:  log_baseline[s] + log_hazard_i + h[a,g,s] + a_v value_i(t) + a_s d value_i / dt
    log leaving: log_rate + c_v (value_i(t) - centre) + c_s (d value_i / dt - centre slope)

with arm a, group g (phenotype) and segment s; the sums are empty where paths are straight. Every random number is addressed by (trial
key, participant, purpose, visit), so trials with one key share their participants whatever is done to them. Where intercurrent events can
happen, each participant has segments of the own: see `alsmodel.patients.intercurrent`.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from alsmodel.patients.intercurrent import Kinds, happen
from alsmodel.patients.streams import normal, uniform
from alsmodel.patients.trial import segment_inverse, segment_mass, skewed

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

PURPOSE_INTERCEPT = 0
PURPOSE_SLOPE = 1
PURPOSE_RESIDUAL = 2
PURPOSE_EVENT = 3
PURPOSE_DROPOUT = 4
PURPOSE_MISSING = 5
PURPOSE_WINDOW = 6
PURPOSE_BEND = 7
PURPOSE_LATER = 8


class Nature(NamedTuple):
    """How the participants of R trials decline and die when untreated; P is 1 (everyone alike) or n.

    ``intercept``, ``slope``, ``log_hazard`` (R, P): points, points per month, log hazard beside the baseline. ``spread`` (R, P): factor of
    b1, the own deviation of the slope, as of somebody whose disease clock a background drug slows.
    ``cholesky`` (R, 2, 2): lower factor of the covariance of (b0, b1). ``residual_sd``, ``association_value``,
    ``association_slope`` (R,). ``edges`` (S + 1,): months, from 0; the last may be infinite and the last level holds
    on. ``log_baseline`` (R, S): log hazard per month. ``skew``: see `alsmodel.patients.trial.skewed`.

    Bent paths have B terms: ``bends`` (B, S) is what a unit of each adds to the slope in a segment, points per month; ``bend`` (R, B) its
    coefficient in the mean path; and ``cholesky`` is then (R, 2 + B, 2 + B), of (b0, b1, b2, ...).

    Sigmoid paths are ``top`` / (1 + exp((t - centre) / scale)): ``curve`` (R, P, 2) has centre and scale of each, months; ``intercept`` and
    ``slope`` are then the score and its slope at month 0.

    C further hazards, which intercurrent events and leaving may have: ``offsets`` (R, P, 2 C) log hazard of each participant, ``bases``
    (R, 2 C, S) log baseline per month, ``reach`` (R, 2 C, 2) log hazard per point and per point per month, first of the C, then of the end
    point after each. ``clock`` (C,): 1 where months of the latter count from the event, 2 where from month 0, 0 where it has none.
    """

    intercept: Floats
    slope: Floats
    log_hazard: Floats
    cholesky: Floats
    residual_sd: Floats
    edges: Floats
    log_baseline: Floats
    association_value: Floats
    association_slope: Floats
    spread: Floats
    skew: float
    bend: Floats = np.zeros((1, 0))
    bends: Floats = np.zeros((0, 1))
    curve: Floats = np.zeros((1, 0, 2))
    top: float = 0.0
    offsets: Floats = np.zeros((1, 1, 0))
    bases: Floats = np.zeros((1, 0, 1))
    reach: Floats = np.zeros((1, 0, 2))
    clock: Floats = np.zeros(0)


class Treatments(NamedTuple):
    """What each arm does, by arm, group and segment: factor of the mean slope, factor of the deviation, points per month, log hazard."""

    mean_factor: Floats
    deviation_factor: Floats
    points: Floats
    log_ratio: Floats


class Leaving(NamedTuple):
    """How participants leave: ``log_rate`` per month (-inf: nobody does), log hazard per point and per point a month, and centres (R,).

    Or by one of the further hazards of `Nature`, where ``cause`` is its number from 0.
    """

    log_rate: float
    per_point: float
    per_slope: float
    centre_value: Floats
    centre_slope: Floats
    cause: int = -1


class Schedule(NamedTuple):
    """When and how participants are seen.

    ``months`` (V,) planned, ``window`` (V,) half-width in months, ``extra_sd`` (V,) points beside the residual,
    ``duration`` months, ``missing`` chance that a visit after month 0 is missed, ``vital_status`` whether events are
    known after leaving.
    """

    months: Floats
    window: Floats
    extra_sd: Floats
    duration: float
    missing: float
    vital_status: bool


class Own(NamedTuple):
    """What participants bring from a record in place of random numbers; empty arrays (`nobody`) where they are drawn.

    ``deviation`` (R, n): own slope less the mean slope, points per month; the intercepts of the nature are then their own. ``mass``
    (R, n): cumulative hazard along the untreated path at which the event comes. ``limit`` (R, n): month at which the record ends
    and with it everything known. ``noise`` (R, n, V): residual at each visit, points.
    """

    deviation: Floats
    mass: Floats
    limit: Floats
    noise: Floats


def nobody() -> Own:
    """No records: everyone is drawn."""
    empty = np.zeros((0, 0))
    return Own(empty, empty.copy(), empty.copy(), np.zeros((0, 0, 0)))


@njit(cache=True, fastmath=False, nogil=True)
def first_month(
    mass: float, edges: Floats, log_base: Floats, levels: Floats, rates: Floats, shifts: Floats,
    offset: float, per_point: float, per_slope: float, horizon: float,
) -> float:  # fmt: skip
    """Month at which `mass` of cumulative hazard is used up along a bent path, infinite beyond `horizon`.

    Parameters
    ----------
    mass : float
        An exponential draw with mean 1.
    edges, log_base : array, shapes (S + 1,) and (S,)
        Months, and log hazard per month in between; the last level holds on.
    levels, rates, shifts : array, shape (S,)
        True score where each segment starts, its slope there, and the log hazard added there.
    offset, per_point, per_slope : float
        Log hazard beside, per point of score, and per point per month.
    horizon : float
        Months after which nothing is looked for.
    """
    last = log_base.size - 1
    for s in range(last + 1):
        start = edges[s]
        if start >= horizon:
            return np.inf
        stop = horizon if s == last else min(edges[s + 1], horizon)
        log_rate = log_base[s] + offset + shifts[s] + per_point * levels[s] + per_slope * rates[s]
        growth = per_point * rates[s]
        wait = segment_inverse(log_rate, growth, mass)
        if start + wait <= stop:
            return float(start + wait)
        mass -= segment_mass(log_rate, growth, stop - start)
        if mass <= 0.0:
            # Only rounding at the segment's end leads here: the time is the boundary itself.
            return float(stop)
    return np.inf


@njit(cache=True, fastmath=False, nogil=True)
def hidden(key: np.uint64, person: int, cholesky: Floats, skew: float) -> tuple[float, float]:
    """Deviations (b0, b1) of one participant from the mean intercept (points) and slope (points per month)."""
    z0 = normal(key, person, PURPOSE_INTERCEPT, 0)
    z1 = skewed(normal(key, person, PURPOSE_SLOPE, 0), skew)
    return cholesky[0, 0] * z0, cholesky[1, 0] * z0 + cholesky[1, 1] * z1


@njit(cache=True, fastmath=False, nogil=True)
def hidden_block(keys: NDArray[np.uint64], first: int, n: int, cholesky: Floats, skew: float) -> tuple[Floats, Floats]:
    """Deviations of participants `first` to `first + n` of each trial; two arrays of shape (R, n)."""
    b0, b1 = np.empty((keys.size, n)), np.empty((keys.size, n))
    for r in range(keys.size):
        for i in range(n):
            b0[r, i], b1[r, i] = hidden(keys[r], first + i, cholesky[r], skew)
    return b0, b1


@njit(cache=True, fastmath=False, nogil=True)
def _turn(key: np.uint64, who: int, cholesky: Floats, bend: Floats, bends: Floats, mean: Floats, own: Floats, z: Floats) -> None:
    """Add what bends the mean path and the own deviation from it to their slopes in each segment (S,); `z` (2 + B,) is work space."""
    for j in range(z.size):
        z[j] = normal(key, who, j if j < 2 else PURPOSE_BEND, 0 if j < 2 else j - 2)
    for k in range(bend.size):
        turn = 0.0
        for j in range(3 + k):
            turn += cholesky[2 + k, j] * z[j]
        for s in range(mean.size):
            mean[s] += bend[k] * bends[k, s]
            own[s] += turn * bends[k, s]


@njit(cache=True, fastmath=False, nogil=True)
def _curve(centre: float, scale: float, top: float, edges: Floats, mean: Floats) -> None:
    """Add to the slope in each segment (S,) what a sigmoid's chords have beyond its slope at month 0, and its tangent in an endless one."""
    share = 1.0 / (1.0 + np.exp(-centre / scale))
    first = -top * share * (1.0 - share) / scale
    for s in range(mean.size):
        if edges[s + 1] < np.inf:
            following = 1.0 / (1.0 + np.exp((edges[s + 1] - centre) / scale))
            mean[s] += top * (following - share) / (edges[s + 1] - edges[s]) - first
            share = following
        else:
            mean[s] += -top * share * (1.0 - share) / scale - first


@njit(cache=True, fastmath=False, nogil=True)
def _later(
    key: np.uint64, who: int, since: float, from_zero: bool, edges: Floats, base: Floats, offset: float, watched: float,
    own_edges: Floats, own_base: Floats, nothing: Floats,
) -> float:  # fmt: skip
    """Month of the end point after an event at month `since`, infinite beyond `watched`; `own_edges` and `own_base` are work space."""
    first = 0
    if from_zero:
        while first + 1 < base.size and edges[first + 1] <= since:
            first += 1
    size = base.size - first
    for s in range(size):
        own_base[s] = base[first + s]
        own_edges[s] = edges[first + s] if from_zero else since + edges[s]
    own_edges[0], own_edges[size] = since, np.inf
    mass, none = -np.log(uniform(key, who, PURPOSE_LATER, 0)), nothing[:size]
    return first_month(mass, own_edges[: size + 1], own_base[:size], none, none, none, offset, 0.0, 0.0, watched)


@njit(cache=True, fastmath=False, nogil=True)
def _bend(
    a: int, g: int, start: float, mean: Floats, own: Floats, edges: Floats, treatments: Treatments, levels: Floats, rates: Floats
) -> None:
    """Fill the true score where each segment starts and its slope there, from the score at month 0: arm a, group g."""
    level = start
    for s in range(levels.size):
        levels[s] = level
        rates[s] = mean[s] * treatments.mean_factor[a, g, s] + own[s] * treatments.deviation_factor[a, g, s] + treatments.points[a, g, s]
        if s + 1 < levels.size:
            level += rates[s] * (edges[s + 1] - edges[s])


@njit(cache=True, fastmath=False, nogil=True)
def true_paths(
    keys: NDArray[np.uint64],
    person: Integers,
    arm: Integers,
    group: Integers,
    nature: Nature,
    treatments: Treatments,
    months: Floats,
    own: Own,
    kinds: Kinds,
    centre_value: Floats,
    centre_slope: Floats,
) -> tuple[Floats, Floats]:
    """True scores at `months` (V,), increasing, of the participants of R trials, as if nobody could die; shape (R, n, V).

    And the months of intercurrent events up to the last of `months`, infinite without one; shape (R, n, K).
    """
    trials, n = person.shape
    segments, size, last = nature.edges.size - 1, kinds.log_rate.size, nature.reach.shape[0] - 1
    values, happened = np.empty((trials, n, months.size)), np.empty((trials, n, size))
    room = segments + size + 2
    edges, base, levels, rates, shifts = np.empty(room), np.empty(room), np.empty(room), np.empty(room), np.empty(room)
    edges[: segments + 1] = nature.edges
    mean, own_slope, z = np.empty(segments), np.empty(segments), np.empty(2 + nature.bends.shape[0])
    left_over, place = np.empty(size), np.zeros(room, dtype=np.int64)
    recorded, bent, curved = own.mass.size > 0, nature.bends.shape[0] > 0, nature.curve.shape[1] > 0
    for r in range(trials):
        for i in range(n):
            p = i if nature.slope.shape[1] > 1 else 0
            b0, b1 = hidden(keys[r], person[r, i], nature.cholesky[r], nature.skew)
            b1 *= nature.spread[r, p]
            if recorded:
                b0, b1 = 0.0, own.deviation[r, i]
            a, g = max(arm[r, i], 0), group[r, i]
            mean[:], own_slope[:] = nature.slope[r, p], b1
            if bent:
                _turn(keys[r], person[r, i], nature.cholesky[r], nature.bend[r], nature.bends, mean, own_slope, z)
            if curved:
                _curve(nature.curve[r, p, 0], nature.curve[r, p, 1], nature.top, nature.edges, mean)
            if size > 0:
                segments = happen(
                    keys[r], person[r, i], a, g, nature.intercept[r, p] + b0, mean, own_slope, centre_value[r], centre_slope[r],
                    months[-1], nature.edges, treatments.mean_factor, treatments.deviation_factor, treatments.points, treatments.log_ratio,
                    nature.log_baseline[r], kinds, nature.bases[min(r, last)],
                    nature.offsets[min(r, last), min(p, nature.offsets.shape[1] - 1)], nature.reach[min(r, last)],
                    edges, base, place, levels, rates, shifts, happened[r, i], left_over,
                )  # fmt: skip
            else:
                _bend(a, g, nature.intercept[r, p] + b0, mean, own_slope, nature.edges, treatments, levels[:segments], rates[:segments])
            v = 0
            for s in range(segments):
                while v < months.size and (months[v] <= edges[s + 1] or s + 1 == segments):
                    values[r, i, v] = levels[s] + rates[s] * (months[v] - edges[s])
                    v += 1
    return values, happened


@njit(cache=True, fastmath=False, nogil=True)
def follow(
    keys: NDArray[np.uint64],
    person: Integers,
    arm: Integers,
    group: Integers,
    nature: Nature,
    treatments: Treatments,
    leaving: Leaving,
    schedule: Schedule,
    own: Own,
    kinds: Kinds,
) -> tuple[Floats, Floats, Floats, Integers, Floats, Floats]:
    """Simulate the participants of a block of trials from randomisation to the end of their follow-up.

    Parameters
    ----------
    keys : array of uint64, shape (R,)
        Stream key of each trial.
    person, arm, group : array of int, shape (R, n)
        Number of the participant in the trial's stream, assigned arm, and group (phenotype); an arm below 0 is followed as arm 0.
    nature, treatments, leaving, schedule, own, kinds
        See the classes of these names; intercurrent events have the centres of `leaving`.

    Returns
    -------
    scores, months : array, shape (R, n, V)
        Scores in points, unrounded and unbounded, NaN where none was taken; and the months at which visits fall.
    event_time : array, shape (R, n)
        Month of the event or of the end of observation.
    event : array of int, shape (R, n)
        1 if `event_time` is an event.
    left : array, shape (R, n)
        Month of leaving, infinite if never.
    happened : array, shape (R, n, K)
        Month of each intercurrent event up to the end of observation, infinite without one.
    """
    trials, n = person.shape
    visits = schedule.months.size
    segments, size = nature.edges.size - 1, kinds.log_rate.size
    scores = np.full((trials, n, visits), np.nan)
    months = np.empty((trials, n, visits))
    event_time = np.empty((trials, n))
    event = np.zeros((trials, n), dtype=np.int64)
    left = np.full((trials, n), np.inf)
    happened = np.empty((trials, n, size))
    room = segments + size + 2
    own_edges, own_base, left_over = np.empty(room), np.empty(room), np.empty(size)
    late_edges, late_base, place = np.empty(room), np.empty(room), np.arange(room)
    causes, last = nature.clock.size, nature.reach.shape[0] - 1
    all_levels, all_rates, all_shifts = np.empty(room), np.empty(room), np.empty(room)
    all_steady, all_nothing = np.full(room, leaving.log_rate), np.zeros(room)
    edges, levels, rates, shifts = nature.edges, all_levels[:segments], all_rates[:segments], all_shifts[:segments]
    steady, nothing = all_steady[:segments], all_nothing[:segments]
    mean, own_slope, z = np.empty(segments), np.empty(segments), np.empty(2 + nature.bends.shape[0])
    recorded, bent, curved = own.mass.size > 0, nature.bends.shape[0] > 0, nature.curve.shape[1] > 0
    for r in range(trials):
        key = keys[r]
        av, as_ = nature.association_value[r], nature.association_slope[r]
        residual = nature.residual_sd[r]
        base = nature.log_baseline[r]
        bases, reach = nature.bases[min(r, last)], nature.reach[min(r, last)]
        for i in range(n):
            who = person[r, i]
            p = i if nature.slope.shape[1] > 1 else 0
            b0, b1 = hidden(key, who, nature.cholesky[r], nature.skew)
            b1 *= nature.spread[r, p]
            if recorded:
                b0, b1 = 0.0, own.deviation[r, i]
            a, g = max(arm[r, i], 0), group[r, i]
            end, quiet, after, since = schedule.duration, np.inf, -1, np.inf
            offsets = nature.offsets[min(r, last), min(p, nature.offsets.shape[1] - 1)]
            mean[:], own_slope[:] = nature.slope[r, p], b1
            if bent:
                _turn(key, who, nature.cholesky[r], nature.bend[r], nature.bends, mean, own_slope, z)
            if curved:
                _curve(nature.curve[r, p, 0], nature.curve[r, p, 1], nature.top, nature.edges, mean)
            if size > 0:
                segments = happen(
                    key, who, a, g, nature.intercept[r, p] + b0, mean, own_slope, leaving.centre_value[r], leaving.centre_slope[r],
                    end, nature.edges, treatments.mean_factor, treatments.deviation_factor, treatments.points, treatments.log_ratio,
                    nature.log_baseline[r], kinds, bases, offsets, reach, own_edges, own_base, place, all_levels, all_rates, all_shifts,
                    happened[r, i], left_over,
                )  # fmt: skip
                edges, base = own_edges[: segments + 1], own_base[:segments]
                levels, rates, shifts = all_levels[:segments], all_rates[:segments], all_shifts[:segments]
                steady, nothing = all_steady[:segments], all_nothing[:segments]
                for k in range(size):
                    if kinds.ends_scores[k] == 1:
                        quiet = min(quiet, happened[r, i, k])
                    if kinds.cause[k] >= 0 and nature.clock[kinds.cause[k]] > 0.0 and happened[r, i, k] < since:
                        after, since = k, happened[r, i, k]
            else:
                _bend(a, g, nature.intercept[r, p] + b0, mean, own_slope, nature.edges, treatments, levels, rates)
                shifts[:] = treatments.log_ratio[a, g]
            if leaving.log_rate > -np.inf:
                mass = -np.log(uniform(key, who, PURPOSE_DROPOUT, 0))
                offset = -leaving.per_point * leaving.centre_value[r] - leaving.per_slope * leaving.centre_slope[r]
                left[r, i] = first_month(
                    mass, edges, steady, levels, rates, nothing, offset, leaving.per_point, leaving.per_slope, schedule.duration
                )
            elif leaving.cause >= 0:
                c = leaving.cause
                mass = -np.log(uniform(key, who, PURPOSE_DROPOUT, 0))
                for s in range(levels.size):
                    steady[s] = bases[c, place[s]]
                left[r, i] = first_month(
                    mass, edges, steady, levels, rates, nothing, offsets[c], reach[c, 0], reach[c, 1], schedule.duration
                )
            watched = end if schedule.vital_status else min(end, left[r, i])
            if recorded and own.limit[r, i] < end:
                # Beyond the record nothing is known, vital status included.
                left[r, i] = min(left[r, i], own.limit[r, i])
                watched = min(watched, own.limit[r, i])
            mass = own.mass[r, i] if recorded else -np.log(uniform(key, who, PURPOSE_EVENT, 0))
            died = first_month(mass, edges, base, levels, rates, shifts, nature.log_hazard[r, p], av, as_, min(watched, since))
            if since < watched and died > since:
                c = causes + kinds.cause[after]
                died = _later(
                    key, who, since, nature.clock[kinds.cause[after]] == 2.0, nature.edges, bases[c], offsets[c] + kinds.log_hazard[after],
                    watched, late_edges, late_base, all_nothing,
                )  # fmt: skip
            if died <= watched:
                event[r, i] = 1
                watched = died
                if left[r, i] >= died:
                    left[r, i] = np.inf
            event_time[r, i] = watched
            for k in range(size):
                if happened[r, i, k] > watched:
                    happened[r, i, k] = np.inf
            seen = min(watched, left[r, i], quiet)
            s = 0
            for v in range(visits):
                t = schedule.months[v]
                if schedule.window[v] > 0.0 and t > 0.0:
                    # Whoever would come after follow-up has ended comes when it ends.
                    t = min(t + schedule.window[v] * (2.0 * uniform(key, who, PURPOSE_WINDOW, v) - 1.0), schedule.duration)
                months[r, i, v] = t
                if t > seen:
                    continue
                if schedule.missing > 0.0 and t > 0.0 and uniform(key, who, PURPOSE_MISSING, v) < schedule.missing:
                    continue
                while s + 1 < segments and t > edges[s + 1]:
                    s += 1
                noise = residual if schedule.extra_sd[v] == 0.0 else np.sqrt(residual**2 + schedule.extra_sd[v] ** 2)
                score = levels[s] + rates[s] * (t - edges[s])
                if recorded:
                    scores[r, i, v] = score + own.noise[r, i, v]
                    if schedule.extra_sd[v] > 0.0:
                        scores[r, i, v] += schedule.extra_sd[v] * normal(key, who, PURPOSE_RESIDUAL, v)
                else:
                    scores[r, i, v] = score + noise * normal(key, who, PURPOSE_RESIDUAL, v)
    return scores, months, event_time, event, left, happened


@njit(cache=True, fastmath=False, nogil=True)
def cut(
    scores: Floats, months: Floats, event_time: Floats, event: Integers, arm: Integers, enrolled: Floats, cutoff: Floats
) -> tuple[Floats, Floats, Integers, Integers]:
    """What is known of R trials at a calendar month each: later scores and events are taken away.

    Parameters
    ----------
    scores, months, event_time, event, arm
        As from `follow`.
    enrolled : array, shape (R, n)
        Calendar month of randomisation.
    cutoff : array, shape (R,)
        Calendar month at which the data are closed.

    Returns
    -------
    scores, event_time, event, arm
        As given, up to the cutoff; arm -1 for those not randomised by then.
    """
    trials, n, visits = scores.shape
    out, time = np.full(scores.shape, np.nan), np.empty((trials, n))
    seen, who = np.zeros((trials, n), dtype=np.int64), np.full((trials, n), -1, dtype=np.int64)
    for r in range(trials):
        for i in range(n):
            known = cutoff[r] - enrolled[r, i]
            if known < 0.0:
                time[r, i] = 0.0
                continue
            who[r, i] = arm[r, i]
            for v in range(visits):
                if enrolled[r, i] + months[r, i, v] <= cutoff[r]:
                    out[r, i, v] = scores[r, i, v]
            # Compared on the calendar, not as months followed: the event that opens a look is known at it, to the bit.
            if enrolled[r, i] + event_time[r, i] <= cutoff[r]:
                time[r, i], seen[r, i] = event_time[r, i], event[r, i]
            else:
                time[r, i] = known
    return out, time, seen, who


@njit(cache=True, fastmath=False, nogil=True)
def draws(keys: NDArray[np.uint64], first: int, n: int, purpose: int, gaussian: bool) -> Floats:
    """Uniform or standard normal numbers of participants `first` to `first + n` of each trial; shape (R, n)."""
    table = np.empty((keys.size, n))
    for r in range(keys.size):
        for i in range(n):
            table[r, i] = normal(keys[r], first + i, purpose, 0) if gaussian else uniform(keys[r], first + i, purpose, 0)
    return table


@njit(cache=True, fastmath=False, nogil=True)
def draws_by_visit(keys: NDArray[np.uint64], n: int, purpose: int, visits: int) -> Floats:
    """Uniform numbers of the first `n` participants of each trial at each visit; shape (R, n, V)."""
    table = np.empty((keys.size, n, visits))
    for r in range(keys.size):
        for i in range(n):
            for v in range(visits):
                table[r, i, v] = uniform(keys[r], i, purpose, v)
    return table
