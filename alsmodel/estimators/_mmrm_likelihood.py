"""Restricted likelihood of the MMRM, its gradient in the covariance of the visits, and the information.

All per-pattern matrices are kept at full size T x T with zero rows and columns at the missing visits. ``P_g`` is the
inverse of the observed block of Sigma: from Sigma^-1 by sweeping out the missing visits one by one, so that
``P_g = Sigma^-1 - sum_j w_j w_j'`` with few w. Derivation: ``docs/methods/mmrm.md``.
"""

from typing import NamedTuple

import numpy as np

from alsmodel.estimators._mmrm_algebra import add_trace, copy, cross_sum, factorise, fill, gram, inner, invert_factor, pack, product
from alsmodel.estimators._mmrm_sums import Floats

PIVOT = 1e-10  # smallest share of a visit's variance that the others may leave unexplained


class Fit(NamedTuple):
    """What `evaluate` leaves: precision matrices per pattern, coefficients, and the gradient."""

    precision: Floats  # (n, T * T) P_g
    square: Floats  # (n, T, T) the same memory
    packed: Floats  # (n, K) the same, packed
    sweeps: Floats  # (n, T, T) w_j
    whole: Floats  # (T, T) Sigma^-1
    factor: Floats  # (p, p) upper factor of X'V^-1X
    root: Floats  # (p, p) lower, root' root = phi
    phi: Floats  # (p, p) inverse of X'V^-1X
    beta: Floats  # (p,)
    by_visit: Floats  # (q, T) beta at its places
    spread: Floats  # (q (q + 1) / 2, T * T) phi at its places
    gradient: Floats  # (T, T) derivative of the log likelihood by Sigma


class Work(NamedTuple):
    """Scratch of the likelihood."""

    a: Floats  # (T, T), as b to f
    b: Floats
    c: Floats
    d: Floats
    e: Floats
    f: Floats
    flat: Floats  # (T * T,)
    square: Floats  # (T, T) the same memory
    blocks: Floats  # (q (q + 1) / 2, T * T)
    rows: Floats  # (q, T)
    more: Floats  # (q, T)
    vector: Floats  # (p,)
    weight: Floats  # (n,)
    cross: Floats  # (K, K)


@inner
def find_precisions(sigma, patterns, sums, fit, work):  # type: ignore[no-untyped-def]
    """Fill `fit.precision`, `packed`, `sweeps`; sum of log|Sigma_g|, NaN when Sigma is not positive definite."""
    visits = sigma.shape[0]
    copy(sigma, work.a)
    base = factorise(work.a, visits, PIVOT)
    if np.isnan(base):
        return np.nan
    invert_factor(work.a, visits, work.b)
    gram(work.b, visits, fit.whole)
    total = 0.0
    for g in range(patterns):
        here = fit.square[g]
        copy(fit.whole, here)
        log_det = base
        for m in range(sums.n_missing[g]):
            out, w = sums.missing[g, m], fit.sweeps[g, m]
            pivot = here[out, out]
            log_det += np.log(pivot)
            scale = 1.0 / np.sqrt(pivot)
            for j in range(visits):
                w[j] = here[out, j] * scale
            for i in range(visits):
                factor, row = w[i], here[i]
                for j in range(visits):
                    row[j] -= factor * w[j]
            for i in range(visits):
                here[i, out] = 0.0
                here[out, i] = 0.0
        total += sums.count[g] * log_det
        pack(here, visits, fit.packed[g])
    return total


@inner
def find_coefficients(patterns, effect, sums, fit, work):  # type: ignore[no-untyped-def]
    """Generalised least squares into `fit.beta`, `phi`; returns (log|X'V^-1X|, y'V^-1y - beta'X'V^-1y)."""
    visits, q = effect.shape
    p = fit.beta.shape[0]
    squares = visits * visits
    ones = work.weight
    for g in range(patterns):
        ones[g] = 1.0
    cross_sum(sums.cc, fit.precision, ones, patterns, q * (q + 1) // 2, squares, False, work.blocks)
    fill(work.square, 0.0)
    fill(work.rows, 0.0)
    for g in range(patterns):
        flat, yy = fit.precision[g], sums.yy[g]
        for j in range(squares):
            work.flat[j] += flat[j] * yy[j]
        for u in range(q):
            target, cy = work.rows[u], sums.cy[g, u]
            for s in range(visits):
                factor = cy[s]
                for t in range(visits):
                    target[t] += factor * flat[s * visits + t]
    quadratic = 0.0
    for j in range(squares):
        quadratic += work.flat[j]
    for a in range(p):
        fit.beta[a] = 0.0
        for b in range(p):
            fit.factor[a, b] = 0.0
    k = 0
    for u in range(q):
        for t in range(visits):
            if effect[t, u] >= 0:
                fit.beta[effect[t, u]] += work.rows[u, t]
        for v in range(u, q):
            for t in range(visits):
                for s in range(visits):
                    a, b = effect[t, u], effect[s, v]
                    if a >= 0 and b >= 0:
                        fit.factor[a, b] += work.blocks[k, t * visits + s]
                        if u != v:
                            fit.factor[b, a] += work.blocks[k, t * visits + s]
            k += 1
    log_det = factorise(fit.factor, p, 1e-9)
    if np.isnan(log_det):
        return np.nan, np.nan
    invert_factor(fit.factor, p, fit.root)
    gram(fit.root, p, fit.phi)
    for a in range(p):
        work.vector[a] = fit.beta[a]
    for a in range(p):
        fit.beta[a] = 0.0
        for b in range(p):
            fit.beta[a] += fit.phi[a, b] * work.vector[b]
        quadratic -= fit.beta[a] * work.vector[a]
    return log_det, quadratic


@inner
def place_coefficients(effect, fit):  # type: ignore[no-untyped-def]
    """Put beta and phi where the products with c need them."""
    visits, q = effect.shape
    k = 0
    for u in range(q):
        for t in range(visits):
            fit.by_visit[u, t] = fit.beta[effect[t, u]] if effect[t, u] >= 0 else 0.0
        for v in range(u, q):
            row = fit.spread[k]
            for t in range(visits):
                for s in range(visits):
                    value = 0.0
                    if effect[t, u] >= 0 and effect[s, v] >= 0:
                        value = fit.phi[effect[t, u], effect[s, v]]
                    if u != v and effect[t, v] >= 0 and effect[s, u] >= 0:
                        value += fit.phi[effect[t, v], effect[s, u]]
                    row[t * visits + s] = value
            k += 1


@inner
def weighted_rows(cc, values, subtract_from, half, out):  # type: ignore[no-untyped-def]
    """out[u] = subtract_from[u] - half * sum over v of (sum c c')[u, v] values[v]."""
    q, visits = values.shape
    for u in range(q):
        for t in range(visits):
            out[u, t] = subtract_from[u, t]
    k = 0
    for u in range(q):
        for v in range(u, q):
            factor = half * cc[k]
            for t in range(visits):
                out[u, t] -= factor * values[v, t]
            if u != v:
                for t in range(visits):
                    out[v, t] -= factor * values[u, t]
            k += 1


@inner
def residual_squares(g, sums, fit, work, out):  # type: ignore[no-untyped-def]
    """Add the sum of r r' over pattern `g`, r = y - X beta, to `out` (T * T). Right at observed visits only."""
    q, visits = fit.by_visit.shape
    yy = sums.yy[g]
    for j in range(visits * visits):
        out[j] += yy[j]
    weighted_rows(sums.cc[g], fit.by_visit, sums.cy[g], 0.5, work.rows)
    for u in range(q):
        left, right = work.rows[u], fit.by_visit[u]
        for t in range(visits):
            f, h, start = left[t], right[t], t * visits
            for s in range(visits):
                out[start + s] -= f * right[s] + h * left[s]


@inner
def fitted_spread(g, sums, fit, out):  # type: ignore[no-untyped-def]
    """out (T * T) = sum over pattern `g` of X phi X'."""
    blocks, squares = fit.spread.shape
    for j in range(squares):
        out[j] = 0.0
    for k in range(blocks):
        factor, row = sums.cc[g, k], fit.spread[k]
        for j in range(squares):
            out[j] += factor * row[j]


@inner
def make_symmetric(matrix):  # type: ignore[no-untyped-def]
    """Take the rounding out of a matrix that is symmetric but for it."""
    for t in range(matrix.shape[0]):
        for s in range(t):
            mean = 0.5 * (matrix[t, s] + matrix[s, t])
            matrix[t, s] = mean
            matrix[s, t] = mean


@inner
def find_gradient(patterns, sums, fit, work):  # type: ignore[no-untyped-def]
    """fit.gradient = 1/2 sum over g of P_g (R_g + A_g) P_g - n_g P_g; R: residual squares, A: X phi X'.

    With P_g = P - D_g, D_g = sum of w_j w_j', the products of full size are needed once, not once per pattern.
    """
    visits = fit.whole.shape[0]
    middle, cross, doubly, counted = work.a, work.b, work.c, work.d
    fill(middle, 0.0)
    fill(cross, 0.0)
    fill(doubly, 0.0)
    fill(counted, 0.0)
    flat, here, y = work.flat, work.square, work.e
    for g in range(patterns):
        fitted_spread(g, sums, fit, flat)
        residual_squares(g, sums, fit, work, flat)
        count, precision = sums.count[g], fit.square[g]
        for t in range(visits):
            for s in range(visits):
                middle[t, s] += here[t, s]
                counted[t, s] += count * precision[t, s]
        absent = sums.n_missing[g]
        for m in range(absent):
            w, ym = fit.sweeps[g, m], y[m]
            for t in range(visits):
                ym[t] = 0.0
            for s in range(visits):
                factor, row = w[s], here[s]
                for t in range(visits):
                    ym[t] += factor * row[t]
            for t in range(visits):
                factor, row = ym[t], cross[t]
                for s in range(visits):
                    row[s] += factor * w[s]
        for m in range(absent):
            w = fit.sweeps[g, m]
            for n in range(absent):
                inner, other = 0.0, fit.sweeps[g, n]
                for t in range(visits):
                    inner += w[t] * y[n, t]
                for t in range(visits):
                    factor, row = inner * w[t], doubly[t]
                    for s in range(visits):
                        row[s] += factor * other[s]
    # sum P_g M_g P_g = P M P - P C - C'P + sum D_g M_g D_g with M = sum M_g, C = sum M_g D_g.
    product(fit.whole, cross, visits, visits, visits, work.f)
    product(fit.whole, middle, visits, visits, visits, work.e)
    product(work.e, fit.whole, visits, visits, visits, middle)
    for t in range(visits):
        for s in range(visits):
            both = middle[t, s] - work.f[t, s] - work.f[s, t] + doubly[t, s]
            fit.gradient[t, s] = 0.5 * (both - counted[t, s])
    make_symmetric(fit.gradient)


@inner
def evaluate(sigma, patterns, effect, sums, fit, work):  # type: ignore[no-untyped-def]
    """Restricted log likelihood without its 2 pi constant, filling `fit` but for the gradient; NaN when Sigma or X'V^-1X is singular."""
    log_det = find_precisions(sigma, patterns, sums, fit, work)
    if np.isnan(log_det):
        return np.nan
    log_det_x, quadratic = find_coefficients(patterns, effect, sums, fit, work)
    if np.isnan(log_det_x):
        return np.nan
    place_coefficients(effect, fit)
    return -0.5 * (log_det + log_det_x + quadratic)


@inner
def quick_information(patterns, used, sums, fit, place, work, out):  # type: ignore[no-untyped-def]
    """Expected information as if X phi X' were the same share of Sigma in every pattern: good for steps, not for df."""
    visits = fit.whole.shape[0]
    packed = visits * (visits + 1) // 2
    share = 0.5 * (1.0 - min(sums.design.shape[1] / used, 0.5))
    for g in range(patterns):
        work.weight[g] = share * sums.count[g]
    cross_sum(fit.packed, fit.packed, work.weight, patterns, packed, packed, True, work.cross)
    for k in range(packed):
        for j in range(k, packed):
            out[k, j] = 0.0
    add_trace(work.cross, True, place, visits, 1.0, out)


@inner
def sandwich(precision, visits, inner, first, out):  # type: ignore[no-untyped-def]
    """out = P inner P for one pattern."""
    product(precision, inner, visits, visits, visits, first)
    product(first, precision, visits, visits, visits, out)


@inner
def curved_information(patterns, used, place, sums, fit, work, other, out):  # type: ignore[no-untyped-def]
    """Observed information but for what an uneven loss of visits adds to the terms in phi: near the maximum, better steps.

    Sum of tr E_k P_g E_l {P_g (R_g + A_g) P_g - (1 + q / n) n_g P_g / 2}; exact for complete data. May be indefinite. The gradient is
    made of the same products and comes with it, in `fit.gradient`.
    """
    visits = fit.whole.shape[0]
    packed = visits * (visits + 1) // 2
    share = 0.5 * (1.0 + min(sums.design.shape[1] / used, 0.5))
    fill(fit.gradient, 0.0)
    for g in range(patterns):
        work.weight[g] = 1.0
        fitted_spread(g, sums, fit, work.flat)
        residual_squares(g, sums, fit, work, work.flat)
        sandwich(fit.square[g], visits, work.square, work.a, work.b)
        precision, whole = fit.square[g], sums.count[g]
        for t in range(visits):
            for s in range(visits):
                fit.gradient[t, s] += 0.5 * (work.b[t, s] - whole * precision[t, s])
        target, count, row = other[g], share * sums.count[g], fit.packed[g]
        pack(work.b, visits, target)
        for k in range(packed):
            target[k] -= count * row[k]
    make_symmetric(fit.gradient)
    cross_sum(fit.packed, other, work.weight, patterns, packed, packed, False, work.cross)
    for k in range(packed):
        for j in range(k, packed):
            out[k, j] = 0.0
    add_trace(work.cross, False, place, visits, 1.0, out)
