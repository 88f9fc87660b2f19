r"""What else of a path reaches the hazard: its mean since time zero, and the participant's random effects themselves.

With :math:`s_e` the reference time of the segment that holds t and :math:`d = t - s_e`, the mean of a path since time zero is

.. math::
    \frac1t \int_0^t m(s)\,ds = \frac1t \Big\{ C_e + A_e d + \tfrac12 R_e d^2 + \sum_k \kappa_k \int_0^t B_k \Big\}, \qquad
    C_e = \int_0^{s_e} (\text{the line, segment after segment})

and the same of the participant's own clock multiplies the random slope: linear in :math:`b` like value and slope, so that it adds to the
association vector and to the log hazard at :math:`b = 0`. Random effects that are shared add their coefficients to the association vector
and nothing else. The gradient in :math:`C_e` is handed on to the segments before (`hand_back`).
"""

import numpy as np
from numba import njit

from alsmodel.kernels.bends import bend_areas

# Columns of the association: after value and slope the mean since time zero, then one for each random effect.
MEAN, SHARED = 2, 3
SOON = 1e-6  # times below count as this: the mean since time zero is then the value there


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def reaches_further(shared):
    """Whether anything but value and slope of a path reaches the hazard."""
    return shared.alpha.shape[1] > MEAN


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _stretches(seg_ref, e, last):
    """Time from a segment's reference time to the next one's, and the part of it before time zero."""
    inside = seg_ref[e + 1] - seg_ref[e] if e + 1 < last else 0.0
    before = max((min(seg_ref[e + 1], 0.0) if e + 1 < last else 0.0) - seg_ref[e], 0.0)
    return inside, before


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def areas_of(cuts, level, rate, area):
    """Integral of a line that is broken at segments, from time zero to the reference time of each, into `area`, shape (S,)."""
    seg_ptr, seg_ref = cuts.seg_ptr, cuts.seg_ref
    for i in range(seg_ptr.size - 1):
        each = (seg_ptr[i + 1] - seg_ptr[i]) // cuts.causes
        for first in range(seg_ptr[i], seg_ptr[i + 1], max(each, 1)):
            last, now = first + each, 0.0
            for e in range(first, last):
                before = _stretches(seg_ref, e, last)[1]
                now -= (level[e] + 0.5 * rate[e] * before) * before
            for e in range(first, last):
                inside = _stretches(seg_ref, e, last)[0]
                area[e] = now
                now += (level[e] + 0.5 * rate[e] * inside) * inside


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _pull_back(cuts, pull, d_level, d_rate):
    """From the gradient in `areas_of` to that in the lines, added."""
    seg_ptr, seg_ref = cuts.seg_ptr, cuts.seg_ref
    for i in range(seg_ptr.size - 1):
        each = (seg_ptr[i + 1] - seg_ptr[i]) // cuts.causes
        for first in range(seg_ptr[i], seg_ptr[i + 1], max(each, 1)):
            last, total = first + each, 0.0
            for e in range(first, last):
                total += pull[e]
            later = total
            for e in range(first, last):
                later -= pull[e]
                inside, before = _stretches(seg_ref, e, last)
                d_level[e] += later * inside - total * before
                d_rate[e] += 0.5 * (later * inside * inside - total * before * before)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def reach_at(e, t, which, path, shared, cuts, area, own_area, grown, zeta):
    """Add to the association vector at time t; returns what is added to the log hazard at b = 0.

    Parameters
    ----------
    e, which : int
        Segment, and row of the association.
    t : float
    path, shared, cuts : Path, Shared, Cuts
    area, own_area : array, shape (S,)
        From `areas_of`, of the mean path and of the participant's own clock.
    grown : array, shape (K,)
        Filled with the means of the bending terms since time zero.
    zeta : array, shape (q,)
    """
    alpha, now = shared.alpha, max(t, SOON)
    d, strength = now - cuts.seg_ref[e], alpha[which, MEAN]
    bend_areas(now, cuts.bend_knots, grown)
    mean = (area[e] + (path.level[e] + 0.5 * path.rate[e] * d) * d) / now
    zeta[0] += strength
    zeta[1] += strength * (own_area[e] + (path.own_level[e] + 0.5 * path.own_rate[e] * d) * d) / now
    for k in range(grown.size):
        grown[k] /= now
        mean += shared.bend[k] * grown[k]
    for k in range(2, zeta.size):
        zeta[k] += strength * grown[k - 2]
    for k in range(zeta.size):
        zeta[k] += alpha[which, SHARED + k]
    return strength * mean


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def reach_nodes(first, last, cuts, path, shared, random, block):
    """`reach_at` for every node of the block, added to its association vectors and log hazards."""
    node_ptr, node_seg, node_time, seg_alpha = cuts.node_ptr, cuts.node_seg, cuts.node_time, cuts.seg_alpha
    zeta, own, grown = block.zeta, np.empty(random), np.empty(shared.bend.size)
    origin = node_ptr[first]
    for n in range(node_ptr[last] - origin):
        e = node_seg[origin + n]
        own[:] = 0.0
        block.constant[n] += reach_at(
            e, node_time[origin + n], seg_alpha[e], path, shared, cuts, block.area, block.own_area, grown, own
        )  # fmt: skip
        for k in range(random):
            zeta[k, n] += own[k]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _add_score(e, t, which, h, hb, path, shared, cuts, grown, block, out):
    """Add h times the derivative of the log hazard at time t, `hb` being h times the random effects."""
    now = max(t, SOON)
    d, strength = now - cuts.seg_ref[e], shared.alpha[which, MEAN] / now
    mean = h * (block.area[e] + (path.level[e] + 0.5 * path.rate[e] * d) * d)
    mean += hb[1] * (block.own_area[e] + (path.own_level[e] + 0.5 * path.own_rate[e] * d) * d)
    mean = mean / now + hb[0]
    bend_areas(now, cuts.bend_knots, grown)
    for k in range(grown.size):
        mean += (h * shared.bend[k] + (hb[2 + k] if hb.size > 2 else 0.0)) * grown[k] / now
        out.scalars[k] += strength * h * grown[k]
    out.alpha[which, MEAN] += mean
    for k in range(hb.size):
        out.alpha[which, SHARED + k] += hb[k]
    block.pull_area[e] += strength * h
    block.pull_own_area[e] += strength * hb[1]
    out.level[e] += strength * h * d
    out.rate[e] += 0.5 * strength * h * d * d
    out.own_level[e] += strength * hb[1] * d
    out.own_rate[e] += 0.5 * strength * hb[1] * d * d


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def reach_scores(first, last, cuts, path, shared, random, block, out):
    """Expected score of the log hazard at the events, and of minus the cumulative hazard, in what reaches the hazard here.

    Reads the expectations of h and of h z at every node, as `alsmodel.kernels.joint_scores.hazard_scores` does.
    """
    node_ptr, node_seg, node_time, seg_alpha = cuts.node_ptr, cuts.node_seg, cuts.node_time, cuts.seg_alpha
    expected, zeta, mode, scale, means = block.eta, block.zeta, block.mode, block.scale, block.mean_b
    grown, hb, origin = np.empty(shared.bend.size), np.empty(random), node_ptr[first]
    for row in range(last - first):
        i = first + row
        if cuts.event[i] > 0.0:
            for k in range(random):
                hb[k] = means[row, k]
            e = cuts.event_seg[i]
            _add_score(e, cuts.event_time[i], seg_alpha[e], 1.0, hb, path, shared, cuts, grown, block, out)
        for n in range(node_ptr[i] - origin, node_ptr[i + 1] - origin):
            for k in range(random):
                hb[k] = -mode[row, k] * expected[n]
                for r in range(k, random):
                    hb[k] -= scale[row, k, r] * zeta[r, n]
            e = node_seg[origin + n]
            _add_score(e, node_time[origin + n], seg_alpha[e], -expected[n], hb, path, shared, cuts, grown, block, out)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def hand_back(cuts, block, out):
    """Hand the gradient in the areas on to the lines of which they are made."""
    _pull_back(cuts, block.pull_area, out.level, out.rate)
    _pull_back(cuts, block.pull_own_area, out.own_level, out.own_rate)
