"""From visits, follow-up and exposure intervals to the flat arrays that `alsmodel.kernels.joint.joint_loglik` reads.

Each participant's time is cut where an exposure starts or stops (*segments*), and follow-up is cut again at the knots of the
baseline hazard; Gauss-Legendre nodes lie inside each of these pieces, so nothing that is integrated has a kink.
"""

from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from alsmodel.kernels.bends import bends_at

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@final
@dataclass(frozen=True, eq=False)
class Layout:
    """Flat arrays of one data set under one model structure; S segments, M nodes, N participants.

    Attributes
    ----------
    seg_ptr, seg_person, seg_start, seg_end : array
        Segments of each participant, their participant and their bounds (time from the origin; -inf and inf outside).
    seg_row : int array, shape (S,)
        Row of the hazard's linear predictor that holds on each segment: the participant, unless there are several causes; then N times
        the place of the cause more, and a participant's segments of one cause follow each other.
    seg_ref : array, shape (S,)
        Time at which a segment's level is held.
    seg_alpha : int array, shape (S,)
        Row of the association that holds on each segment; all 0 unless the model says otherwise.
    noise : int array, shape (N,)
        Which residual SD is a participant's; all 0 unless the model says otherwise.
    exposed : array, shape (S, drugs)
        Exposure to each drug on each segment.
    cross : array, shape (S, (3 + K)(4 + K) / 2)
        Cross-products of (1, t - seg_ref, K bending terms, y) over the segment's visits, as in `alsmodel.kernels.records.Cuts`.
    bend_knots : array
        Knots of the natural spline along which paths bend; empty: they bend with the square of time.
    node_ptr, node_seg, node_time, node_logw, node_piece : array
        Nodes of the cumulative hazard.
    event_seg, event_time, event_piece, event : array, shape (N,)
        End of follow-up; where the event lies somewhere on a stretch of time, the start of that stretch, as if censored.
    node_gap : int array, shape (N,)
        First of a participant's nodes on such a stretch; the end of the participant's nodes without one.
    pieces : int
        Pieces of the baseline hazard.
    causes : int
        How often a participant's time is laid out: once for each cause.
    of_causes : tuple of Layout
        That of each cause alone, where there are several.
    top, origin, visit_ptr, visit_seg, visit_time, score
        Of sigmoid paths, as in `alsmodel.kernels.records.Cuts`.
    """

    seg_ptr: Ints
    seg_person: Ints
    seg_row: Ints
    seg_start: Floats
    seg_end: Floats
    seg_ref: Floats
    seg_alpha: Ints
    noise: Ints
    exposed: Floats
    cross: Floats
    bend_knots: Floats
    node_ptr: Ints
    node_seg: Ints
    node_time: Floats
    node_logw: Floats
    node_piece: Ints
    event_seg: Ints
    event_time: Floats
    event_piece: Ints
    event: Floats
    node_gap: Ints
    pieces: int
    causes: int = 1
    of_causes: "tuple[Layout, ...]" = ()
    top: float = 0.0
    origin: Floats = field(default_factory=lambda: np.zeros(0))
    visit_ptr: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    visit_seg: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    visit_time: Floats = field(default_factory=lambda: np.zeros(0))
    score: Floats = field(default_factory=lambda: np.zeros(0))


def hermite_grid(per_dimension: int, dimensions: int) -> tuple[Floats, Floats, Floats]:
    """Gauss-Hermite rule of the standard normal and its product grid.

    Returns
    -------
    abscissae : array, shape (Q,)
    grid : array, shape (Q**q, q)
        Last dimension runs fastest.
    log_weight : array, shape (Q**q,)
        Log weights plus half the squared norm of the point.
    """
    x, w = np.polynomial.hermite_e.hermegauss(per_dimension)
    x = (x - x[::-1]) / 2  # exactly symmetric, so that exp(-v x) is 1 / exp(v x)
    logw = np.log(w) - np.log(np.sqrt(2 * np.pi))
    axes = np.meshgrid(*([np.arange(per_dimension)] * dimensions), indexing="ij")
    index = np.stack([a.ravel() for a in axes], axis=1)
    grid = np.ascontiguousarray(x[index])
    return x, grid, logw[index].sum(axis=1) + 0.5 * (grid**2).sum(axis=1)


MORE = 3  # Gauss-Legendre nodes of a panel beyond the Gauss-Hermite nodes of a dimension: half a Gaussian needs more than a whole one


def legendre_panel(hermite: int) -> Floats:
    """Gauss-Legendre nodes on (0, 1) and then their weights, as `alsmodel.kernels.sigmoid_nodes` takes them; for so many Hermite nodes."""
    x, w = np.polynomial.legendre.leggauss(hermite + MORE)
    return np.concatenate([0.5 + 0.5 * x, 0.5 * w])


@njit(cache=True, fastmath=False, error_model="numpy")
def _segments(people, first_time, last_time, person, drug, start, stop, drugs):
    """Segments of each participant, cut at exposure starts and stops strictly inside [first_time, last_time]."""
    order_ptr = np.zeros(people + 1, np.int64)
    for r in range(person.size):
        order_ptr[person[r] + 1] += 1
    for i in range(people):
        order_ptr[i + 1] += order_ptr[i]
    most = people + 2 * person.size
    seg_person, seg_start, seg_end = np.empty(most, np.int64), np.empty(most), np.empty(most)
    exposed = np.zeros((most, drugs))
    seg_ptr = np.zeros(people + 1, np.int64)
    total = 0
    for i in range(people):
        a, b = order_ptr[i], order_ptr[i + 1]
        cuts = np.empty(2 * (b - a) + 2)
        cuts[0] = -np.inf
        used = 1
        for r in range(a, b):
            for c in (start[r], stop[r]):
                if first_time[i] < c < last_time[i]:
                    cuts[used] = c
                    used += 1
        cuts[used] = np.inf
        ordered = np.unique(cuts[: used + 1])
        for s in range(ordered.size - 1):
            left, right = ordered[s], ordered[s + 1]
            inside = max(left, first_time[i]) * 0.5 + min(right, last_time[i]) * 0.5
            seg_person[total], seg_start[total], seg_end[total] = i, left, right
            for r in range(a, b):
                if start[r] <= inside < stop[r] or (start[r] <= left and right <= stop[r]):
                    exposed[total, drug[r]] = 1.0
            total += 1
        seg_ptr[i + 1] = total
    return seg_ptr, seg_person[:total], seg_start[:total], seg_end[:total], exposed[:total]


@njit(cache=True, fastmath=False, error_model="numpy")
def _locate(seg_ptr, seg_end, i, t):
    """Segment of participant i that holds time t (a boundary belongs to the earlier one)."""
    e = seg_ptr[i]
    while t > seg_end[e]:
        e += 1
    return e


@njit(cache=True, fastmath=False, error_model="numpy")
def _cross_products(seg_ptr, seg_end, seg_ref, visit_person, visit_time, outcome, knots):
    terms = max(knots.size - 2, 1)
    size = 2 + terms
    cross = np.zeros((seg_end.size, (size + 1) * (size + 2) // 2))
    column, speed = np.ones(size + 1), np.empty(terms)
    for j in range(visit_person.size):
        t = visit_time[j]
        e = _locate(seg_ptr, seg_end, visit_person[j], t)
        column[1], column[size] = t - seg_ref[e], outcome[j]
        bends_at(t, knots, column[2:size], speed)
        at = 0
        for a in range(size):
            for b in range(a, size):
                cross[e, at] += column[a] * column[b]
                at += 1
        for a in range(size + 1):
            cross[e, at + a] += column[a] * column[size]
    return cross


@njit(cache=True, fastmath=False, error_model="numpy")
def _piece(knots, u):
    k = 0
    while k < knots.size and u > knots[k]:
        k += 1
    return k


@njit(cache=True, fastmath=False, error_model="numpy")
def _nodes(seg_ptr, seg_end, begin, end, shift, knots, kinks, x, w, weibull):
    """Gauss-Legendre nodes of each participant on [begin, end], split at segments, kinks and knots (on the hazard's clock, t + shift)."""
    people = begin.size
    per = x.size
    most = 0
    for i in range(people):
        most += (seg_ptr[i + 1] - seg_ptr[i] + knots.size + kinks.size) * per
    seg, time, logw, piece = np.empty(most, np.int64), np.empty(most), np.empty(most), np.empty(most, np.int64)
    ptr = np.zeros(people + 1, np.int64)
    total = 0
    for i in range(people):
        left = begin[i]
        e = seg_ptr[i]
        while left < end[i]:
            while left >= seg_end[e]:
                e += 1
            k = 0
            while k < knots.size and left + shift[i] >= knots[k]:
                k += 1
            right = min(end[i], seg_end[e])
            if k < knots.size:
                right = min(right, knots[k] - shift[i])
            for kink in kinks:
                if left < kink < right:
                    right = kink
            if not right > left:
                break
            width = right - left
            from_zero = weibull and left + shift[i] <= 0.0
            for r in range(per):
                v = 0.5 * (x[r] + 1.0)
                if from_zero:  # t = T v^4 tames t^(shape - 1) at zero: v^(4 shape - 1), for shapes down to a quarter
                    time[total], logw[total] = left + width * v**4, np.log(2.0 * width * v**3 * w[r])
                else:
                    time[total], logw[total] = left + width * v, np.log(0.5 * width * w[r])
                seg[total], piece[total] = e, k
                total += 1
            left = right
        ptr[i + 1] = total
    return ptr, seg[:total], time[:total], logw[:total], piece[:total]


def lay_out(
    *,
    people: int,
    visit_person: Ints,
    visit_time: Floats,
    outcome: Floats,
    begin: Floats,
    end: Floats,
    event: Floats,
    shift: Floats,
    knots: Floats,
    nodes: int,
    weibull: bool,
    exposure_person: Ints,
    exposure_drug: Ints,
    exposure_start: Floats,
    exposure_stop: Floats,
    drugs: int,
    bend_knots: Floats | None = None,
    kinks: Floats | None = None,
    free_until: Floats | None = None,
    top: float = 0.0,
    origin: Floats | None = None,
) -> Layout:
    """Cut every participant's time and collect what the likelihood needs.

    Parameters
    ----------
    people : int
        Participants, N.
    visit_person, visit_time, outcome : array
        One entry per visit: participant, time from the origin, transformed outcome.
    begin, end, event : array, shape (N,)
        Follow-up for the hazard, and whether it ended with the event.
    shift : array, shape (N,)
        The hazard's clock minus the score's clock.
    knots : array
        Inner knots of a piecewise baseline, on the hazard's clock; empty for a Weibull baseline.
    nodes : int
        Gauss-Legendre nodes per piece.
    weibull : bool
        Whether the baseline is Weibull.
    exposure_person, exposure_drug, exposure_start, exposure_stop : array
        One entry per exposure interval, sorted by participant; -inf and inf where open.
    drugs : int
        Number of drugs.
    bend_knots : array, optional
        Knots of a natural spline along which paths bend, in place of the square of time.
    kinks : array, optional
        Further times, on the score's clock, at which follow-up is cut.
    free_until : array, shape (N,), optional
        Where it lies before the `end` of somebody with the event, the event happened somewhere between the two.
    top : float
        Full score of sigmoid paths; 0 for others.
    origin : array, shape (N,), optional
        Time from onset to time zero, of sigmoid paths.
    """
    kinks = np.empty(0) if kinks is None else kinks
    bend_knots = np.empty(0) if bend_knots is None else bend_knots
    first = np.minimum(begin, 0.0)
    last = end.copy()
    np.minimum.at(first, visit_person, visit_time)
    np.maximum.at(last, visit_person, visit_time)
    seg_ptr, seg_person, seg_start, seg_end, exposed = _segments(
        people, first, last, exposure_person, exposure_drug, exposure_start, exposure_stop, drugs
    )
    alone = np.diff(seg_ptr)[seg_person] == 1
    seg_ref = np.where(alone, 0.0, np.where(np.isinf(seg_start), first[seg_person], seg_start))
    x, w = np.polynomial.legendre.leggauss(nodes)
    known = end if free_until is None else np.where(event > 0, free_until, end)
    ptr, *nodes_of = _nodes(seg_ptr, seg_end, begin, known, shift, knots, kinks, x, w, weibull)
    gap = ptr[1:]
    if (somewhere := known < end).any():
        more_ptr, *more = _nodes(seg_ptr, seg_end, known, end, shift, knots, kinks, x, w, weibull)
        order = np.argsort(np.concatenate([np.repeat(np.arange(people), np.diff(p)) for p in (ptr, more_ptr)]), kind="stable")
        nodes_of = [np.concatenate(both)[order] for both in zip(nodes_of, more, strict=True)]
        gap, ptr = ptr[1:] + more_ptr[:-1], ptr + more_ptr
    seg, time, logw, piece = nodes_of
    event_seg = np.array([_locate(seg_ptr, seg_end, i, known[i]) for i in range(people)], np.int64)
    event_piece = np.array([_piece(knots, known[i] + shift[i]) for i in range(people)], np.int64)
    return Layout(
        seg_ptr=seg_ptr,
        seg_person=seg_person,
        seg_row=seg_person,
        seg_start=seg_start,
        seg_end=seg_end,
        seg_ref=seg_ref,
        seg_alpha=np.zeros(seg_ref.size, np.int64),
        noise=np.zeros(people, np.int64),
        exposed=exposed,
        cross=_cross_products(seg_ptr, seg_end, seg_ref, visit_person, visit_time, outcome, bend_knots),
        bend_knots=bend_knots,
        node_ptr=ptr,
        node_seg=seg,
        node_time=time,
        node_logw=logw,
        node_piece=piece,
        event_seg=event_seg,
        event_time=known,
        event_piece=event_piece,
        event=np.where(somewhere, 0.0, event),
        node_gap=np.ascontiguousarray(gap),
        pieces=knots.size + 1,
        **(_one_by_one(seg_ptr, seg_end, visit_person, visit_time, outcome, top, origin) if top > 0 else {}),
    )


def _one_by_one(
    seg_ptr: Ints, seg_end: Floats, visit_person: Ints, visit_time: Floats, outcome: Floats, top: float, origin: Floats | None
) -> dict[str, Any]:
    """What sigmoid paths need beyond cross-products: every visit."""
    assert origin is not None
    count = np.bincount(visit_person, minlength=seg_ptr.size - 1)
    return {
        "top": float(top),
        "origin": origin.astype(float),
        "visit_ptr": np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
        "visit_seg": np.array([_locate(seg_ptr, seg_end, i, t) for i, t in zip(visit_person, visit_time, strict=True)], np.int64),
        "visit_time": visit_time.astype(float),
        "score": outcome.astype(float),
    }
