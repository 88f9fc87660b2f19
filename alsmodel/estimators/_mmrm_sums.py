"""What the MMRM keeps of the data: sums over participants with the same visits missing.

The row of the design at visit t is ``x_it = (c_i placed at visit t)``: a participant's covariates c (1, arm indicators,
further covariates) times one coefficient per visit and covariate. ``effect[t, u]`` is the number of the coefficient of
covariate u at visit t, the same number at all visits for a coefficient that they share, -1 for none. Then all that the
restricted likelihood needs per pattern is the number of participants and the sums of c c', y c' and y y'.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from alsmodel.estimators._mmrm_algebra import fill, inner

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[Any]


class Sums(NamedTuple):
    """Sums per visit pattern (first axis, as many as there are participants)."""

    count: Floats  # type: ignore[assignment]  # (n,) participants; no use for tuple.count
    missing: Integers  # (n, T) visits without score, the first n_missing of a row
    n_missing: Integers  # (n,)
    cc: Floats  # (n, q (q + 1) / 2) c c', upper triangle by rows
    cy: Floats  # (n, q, T) c y', zero at missing visits
    yy: Floats  # (n, T * T) y y', zero at missing visits
    row: Floats  # (T,) centred scores of one participant
    table: Integers  # hash table from mask to pattern
    masks: Integers  # (n,)
    design: Floats  # (n, q) standardised covariates of one replicate
    centre: Floats  # (T + q,) mean of the scores by visit; mean of the covariates
    scale: Floats  # (q,) SD of the covariates
    seen: Floats  # (T, T) participants seen at both visits
    arms: Floats  # (T, arms) scores by visit and arm


@inner
def standardise(y, arm, extra, arms, sums):  # type: ignore[no-untyped-def]
    """Design of one replicate, its centre and scale; returns (participants, scores). Nobody used has arm -1 there.

    Scores are centred by visit and covariates centred and scaled, which changes the intercepts alone and keeps
    the sums well conditioned.
    """
    people, visits = y.shape
    q = arms + extra.shape[1]
    design, centre, scale = sums.design, sums.centre, sums.scale
    for t in range(visits + q):
        centre[t] = 0.0
    for t in range(visits):
        for a in range(arms):
            sums.arms[t, a] = 0.0
        for s in range(visits):
            sums.seen[t, s] = 0.0
    used, observations = 0, 0
    for i in range(people):
        design[i, 0] = -1.0
        if arm[i] < 0:
            continue
        here = 0
        for t in range(visits):
            if not np.isnan(y[i, t]):
                here += 1
                centre[t] += y[i, t]
                sums.arms[t, arm[i]] += 1.0
        if here == 0:
            continue
        used += 1
        observations += here
        for a in range(arms):
            design[i, a] = 1.0 if a == 0 or arm[i] == a else 0.0
        for u in range(arms, q):
            centre[visits + u] += extra[i, u - arms]
    for t in range(visits):
        total = 0.0
        for a in range(arms):
            total += sums.arms[t, a]
        centre[t] /= max(total, 1.0)
    for u in range(arms, q):
        mean, square = centre[visits + u] / max(used, 1), 0.0
        for i in range(people):
            if design[i, 0] > 0.0:
                design[i, u] = extra[i, u - arms] - mean
                square += design[i, u] * design[i, u]
        scale[u] = np.sqrt(square / max(used, 1))
        if not scale[u] > 1e-12 * (1.0 + abs(mean)):
            scale[u] = 0.0
        centre[visits + u] = mean
        for i in range(people):
            if design[i, 0] > 0.0 and scale[u] > 0.0:
                design[i, u] /= scale[u]
    return used, observations


@inner
def centre_once(visits, observations, sums):  # type: ignore[no-untyped-def]
    """One centre for all visits: with a mean that the visits share, a centre by visit would be another model."""
    total = 0.0
    for t in range(visits):
        for a in range(sums.arms.shape[1]):
            total += sums.centre[t] * sums.arms[t, a]
    for t in range(visits):
        sums.centre[t] = total / max(observations, 1)


@inner
def summarise(y, sums):  # type: ignore[no-untyped-def]
    """Group the participants of the standardised design by the visits that they miss; returns the number of patterns."""
    people, visits = y.shape
    q = sums.design.shape[1]
    slots = sums.table.shape[0]
    for j in range(slots):
        sums.table[j] = -1
    row = sums.row
    patterns = 0
    for i in range(people):
        if sums.design[i, 0] < 0.0:
            continue
        mask, absent = np.uint64(0), 0
        for t in range(visits):
            if np.isnan(y[i, t]):
                row[t] = 0.0
                mask |= np.uint64(1) << np.uint64(t)
                absent += 1
            else:
                row[t] = y[i, t] - sums.centre[t]
        slot = np.int64((mask * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)) & (slots - 1)
        while sums.table[slot] >= 0 and sums.masks[sums.table[slot]] != mask:
            slot = (slot + 1) & (slots - 1)
        g = sums.table[slot]
        if g < 0:
            g = patterns
            sums.table[slot] = g
            sums.masks[g] = mask
            sums.count[g] = 0.0
            sums.n_missing[g] = absent
            for k in range(sums.cc.shape[1]):
                sums.cc[g, k] = 0.0
            for k in range(visits * visits):
                sums.yy[g, k] = 0.0
            fill(sums.cy[g], 0.0)
            m = 0
            for t in range(visits):
                if np.isnan(y[i, t]):
                    sums.missing[g, m] = t
                    m += 1
            patterns += 1
        sums.count[g] += 1.0
        c, cc, yy = sums.design[i], sums.cc[g], sums.yy[g]
        k = 0
        for u in range(q):
            cy = sums.cy[g, u]
            for t in range(visits):
                cy[t] += c[u] * row[t]
            for v in range(u, q):
                cc[k] += c[u] * c[v]
                k += 1
        for t in range(visits):
            for s in range(visits):
                yy[t * visits + s] += row[t] * row[s]
    for g in range(patterns):
        count_pairs(sums, g, visits)
    return patterns


@inner
def count_pairs(sums, g, visits):  # type: ignore[no-untyped-def]
    """Add pattern `g` to the participants seen at both of two visits."""
    for t in range(visits):
        if sums.masks[g] >> np.uint64(t) & np.uint64(1):
            continue
        for s in range(visits):
            if not sums.masks[g] >> np.uint64(s) & np.uint64(1):
                sums.seen[t, s] += sums.count[g]
