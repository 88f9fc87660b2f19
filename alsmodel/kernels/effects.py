r"""Random effects of every participant given the population parameters, drawn exactly.

Given the scores, :math:`b \sim N(\mu, \Lambda^{-1})`; the event's own term is linear in :math:`b` and only moves :math:`\mu`. What is
left is :math:`\exp\{-H(b)\}` with the cumulative hazard :math:`H(b) = \sum_n \exp(c_n + \zeta_n^\top b)`, which is convex. A convex
function lies above its tangent, so at any point :math:`m`

.. math:: e^{-H(b)} \le e^{-H(m) - H'(m)^\top (b - m)}

and draws of :math:`N(\mu - \Lambda^{-1} H'(m), \Lambda^{-1})`, accepted with probability
:math:`\exp[-\{H(b) - H(m) - H'(m)^\top (b - m)\}]`, are draws of the posterior itself: rejection sampling from a log-concave density
(von Neumann 1951; Gilks & Wild 1992, Applied Statistics 41:337, doi 10.2307/2347565). The point m is a Newton step or two from
:math:`\mu`, where few proposals are lost.

An event known only to lie on a stretch of time multiplies this by :math:`1 - e^{-D(b)}`, the hazard on the stretch adding up to
:math:`D(b) = \sum_n \exp(d_n + \zeta_n^\top b)` (`alsmodel.kernels.joint_gap`). Now :math:`D(b)` times a Gaussian is a mixture of
Gaussians, one for each n, moved by :math:`\Lambda^{-1} \zeta_n` and weighing :math:`\exp(d_n + \zeta_n^\top c + \tfrac12 \zeta_n^\top
\Lambda^{-1} \zeta_n)`, c being its mean; so one of them is chosen for each proposal, and what is left to be accepted is
:math:`(1 - e^{-D}) / D \le 1`.
"""

import math

import numpy as np
from numba import njit

from alsmodel.kernels.bends import association, bends_at, log_hazard_at, unpack
from alsmodel.kernels.joint_reach import areas_of, reach_at, reaches_further
from alsmodel.kernels.smallmat import cholesky, inverse_from_cholesky, solve_cholesky

MOST_NEWTON = 20
MOST_TRIES = 10_000
CLOSE = 1e-2  # squared Newton step in posterior SDs; the draws are exact wherever the search stops


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _scores(i, path, shared, cuts, prior, precision, pull, gram, residual):
    """Precision of b given the scores, and precision times mean."""
    random = prior.shape[0]
    sd = shared.sigma[cuts.noise[i]]
    inv_var = 1.0 / (sd * sd)
    for r in range(random):
        pull[r] = 0.0
        for c in range(random):
            precision[r, c] = prior[r, c]
    for e in range(cuts.seg_ptr[i], cuts.seg_ptr[i + 1]):
        if cuts.cross[e, 0] == 0.0:
            continue
        unpack(cuts.cross, e, path.level[e], path.rate[e], shared.bend, gram, residual)
        p, s = path.own_level[e], path.own_rate[e]
        pull[0] += residual[0] * inv_var
        pull[1] += (p * residual[0] + s * residual[1]) * inv_var
        precision[0, 0] += gram[0, 0] * inv_var
        precision[0, 1] += (p * gram[0, 0] + s * gram[0, 1]) * inv_var
        precision[1, 1] += (p * p * gram[0, 0] + 2.0 * p * s * gram[0, 1] + s * s * gram[1, 1]) * inv_var
        for k in range(2, random):
            pull[k] += residual[k] * inv_var
            precision[0, k] += gram[0, k] * inv_var
            precision[1, k] += (p * gram[0, k] + s * gram[1, k]) * inv_var
            for m in range(2, k + 1):
                precision[m, k] += gram[m, k] * inv_var
    for r in range(random):
        for c in range(r):
            precision[r, c] = precision[c, r]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _hazards(i, path, shared, cuts, weibull, area, own_area, constant, zeta, value, speed):
    """Log hazard at b = 0 with its weight, and the association with b, at each node of a participant."""
    first, further, grown = cuts.node_ptr[i], reaches_further(shared), np.empty(value.size)
    for n in range(first, cuts.node_ptr[i + 1]):
        e, t = cuts.node_seg[n], cuts.node_time[n]
        d, which = t - cuts.seg_ref[e], cuts.seg_alpha[e]
        a1, a2 = shared.alpha[which, 0], shared.alpha[which, 1]
        association(t, d, a1, a2, path.own_level[e], path.own_rate[e], cuts.bend_knots, value, speed, zeta[n - first])
        log_hazard = log_hazard_at(e, t, d, path, shared, which, weibull, cuts.node_piece[n], value, speed)
        if further:
            log_hazard += reach_at(e, t, which, path, shared, cuts, area, own_area, grown, zeta[n - first])
        constant[n - first] = log_hazard + cuts.node_logw[n]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _areas(path, shared, cuts):
    """Areas as `alsmodel.kernels.joint_reach.reach_at` takes them; empty where they do not reach the hazard."""
    segments = cuts.seg_ref.size if reaches_further(shared) else 0
    area, own_area = np.empty(segments), np.empty(segments)
    if segments > 0:
        areas_of(cuts, path.level, path.rate, area)
        areas_of(cuts, path.own_level, path.own_rate, own_area)
    return area, own_area


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _cumulative(nodes, constant, zeta, b, slope, bend):
    """H(b), its gradient and its Hessian."""
    random = b.size
    total = 0.0
    slope[:] = 0.0
    bend[:] = 0.0
    for n in range(nodes):
        eta = constant[n]
        for r in range(random):
            eta += zeta[n, r] * b[r]
        h = math.exp(min(eta, 600.0))
        total += h
        for r in range(random):
            slope[r] += h * zeta[n, r]
            for c in range(r + 1):
                bend[r, c] += h * zeta[n, r] * zeta[n, c]
    for r in range(random):
        for c in range(r):
            bend[c, r] = bend[r, c]
    return total


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _hazard_at(first, last, constant, zeta, b):
    """Hazard that some nodes add up to."""
    total = 0.0
    for n in range(first, last):
        eta = constant[n]
        for r in range(b.size):
            eta += zeta[n, r] * b[r]
        total += math.exp(min(eta, 600.0))
    return total


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _shares(first, last, constant, zeta, centre, chol, step, share):
    """Chances, added up, of the Gaussians that make up the hazard on a stretch times the Gaussian around `centre`."""
    random, top = centre.size, -np.inf
    for n in range(first, last):
        solve_cholesky(chol, random, zeta[n], step)
        share[n] = constant[n]
        for r in range(random):
            share[n] += zeta[n, r] * (centre[r] + 0.5 * step[r])
        top = max(top, share[n])
    total = 0.0
    for n in range(first, last):
        total += math.exp(share[n] - top)
        share[n] = total
    for n in range(first, last):
        share[n] /= total


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _back(chol, out):
    """Solve chol' out = out, in place."""
    random = out.size
    for k in range(random):
        r = random - 1 - k
        total = out[r]
        for c in range(r + 1, random):
            total -= chol[c, r] * out[c]
        out[r] = total / chol[r, r]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def draw_effects(path, shared, cuts, weibull, rng, out):
    """One draw of the random effects of every participant given the parameters.

    Parameters
    ----------
    path : Path
    shared : Shared
    cuts : Cuts
        As in `alsmodel.kernels.joint.joint_loglik`.
    weibull : bool
    rng : numpy.random.Generator
    out : array, shape (N, q)
        Filled with the draws; NaN where the posterior does not exist.

    Returns
    -------
    int
        Proposals made, for all participants together.
    """
    people, random = out.shape
    most = 1
    for i in range(people):
        most = max(most, cuts.node_ptr[i + 1] - cuts.node_ptr[i])
    constant, zeta = np.empty(most), np.empty((most, random))
    prior, chol_prior = np.zeros((random, random)), np.zeros((random, random))
    precision, chol, bent, chol_bent = prior.copy(), prior.copy(), prior.copy(), prior.copy()
    slope, bend, pull, b, m = np.zeros(random), prior.copy(), np.zeros(random), np.zeros(random), np.zeros(random)
    step, down, centre, at_event = np.zeros(random), np.zeros(random), np.zeros(random), np.zeros(random)
    cholesky(shared.covariance, random, chol_prior)
    inverse_from_cholesky(chol_prior, random, prior, np.zeros((random, random)))
    terms = shared.bend.size
    near, speed, gram, residual = np.empty(terms), np.empty(terms), np.empty((2 + terms, 2 + terms)), np.empty(2 + terms)
    share, (area, own_area) = np.empty(most), _areas(path, shared, cuts)
    proposals = 0
    for i in range(people):
        _scores(i, path, shared, cuts, prior, precision, pull, gram, residual)
        if cuts.event[i] > 0.0:
            e = cuts.event_seg[i]
            t, alpha = cuts.event_time[i], shared.alpha[cuts.seg_alpha[e]]
            own_level, own_rate = path.own_level[e], path.own_rate[e]
            association(t, t - cuts.seg_ref[e], alpha[0], alpha[1], own_level, own_rate, cuts.bend_knots, near, speed, at_event)
            if reaches_further(shared):
                reach_at(e, t, cuts.seg_alpha[e], path, shared, cuts, area, own_area, speed, at_event)
            pull += at_event
        if not cholesky(precision, random, chol):
            out[i] = np.nan
            continue
        solve_cholesky(chol, random, pull, m)
        nodes, end = cuts.node_gap[i] - cuts.node_ptr[i], cuts.node_ptr[i + 1] - cuts.node_ptr[i]
        _hazards(i, path, shared, cuts, weibull, area, own_area, constant, zeta, near, speed)
        total = _cumulative(nodes, constant, zeta, m, slope, bend)
        for _ in range(MOST_NEWTON):
            down[:] = pull - slope
            for r in range(random):
                for c in range(random):
                    down[r] -= precision[r, c] * m[c]
                    bent[r, c] = precision[r, c] + bend[r, c]
            if not cholesky(bent, random, chol_bent):
                break
            solve_cholesky(chol_bent, random, down, step)
            m += step
            total = _cumulative(nodes, constant, zeta, m, slope, bend)
            if (step * down).sum() < CLOSE:
                break
        solve_cholesky(chol, random, pull - slope, centre)
        if nodes < end:
            _shares(nodes, end, constant, zeta, centre, chol, step, share)
        out[i] = np.nan
        for _ in range(MOST_TRIES):
            proposals += 1
            for r in range(random):
                b[r] = rng.standard_normal()
            _back(chol, b)
            b += centre
            kept = 1.0
            if nodes < end:
                at, n = rng.random(), nodes
                while n < end - 1 and share[n] < at:
                    n += 1
                solve_cholesky(chol, random, zeta[n], step)
                b += step
                between = _hazard_at(nodes, end, constant, zeta, b)
                kept = -math.expm1(-between) / between if between > 0.0 else 1.0
            line = total
            for r in range(random):
                line += slope[r] * (b[r] - m[r])
            if rng.random() < kept * math.exp(min(line - _hazard_at(0, nodes, constant, zeta, b), 0.0)):
                out[i] = b
                break
    return proposals


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def follow_effects(path, shared, cuts, weibull, effects, cumulative, value):
    """Cumulative hazard of each participant over the stretch that `cuts` cover, and the path's value at its end, given the effects.

    Parameters
    ----------
    path, shared, cuts, weibull
        As in `draw_effects`; `cuts` without visits.
    effects : array, shape (N, q)
    cumulative, value : array, shape (N,)
        Filled.
    """
    people, random = effects.shape
    most = 1
    for i in range(people):
        most = max(most, cuts.node_ptr[i + 1] - cuts.node_ptr[i])
    constant, zeta = np.empty(most), np.empty((most, random))
    near, speed, (area, own_area) = np.empty(shared.bend.size), np.empty(shared.bend.size), _areas(path, shared, cuts)
    for i in range(people):
        _hazards(i, path, shared, cuts, weibull, area, own_area, constant, zeta, near, speed)
        cumulative[i] = _hazard_at(0, cuts.node_ptr[i + 1] - cuts.node_ptr[i], constant, zeta, effects[i])
        e, t = cuts.event_seg[i], cuts.event_time[i]
        d = t - cuts.seg_ref[e]
        bends_at(t, cuts.bend_knots, near, speed)
        value[i] = path.level[e] + path.rate[e] * d + effects[i, 0]
        value[i] += (path.own_level[e] + path.own_rate[e] * d) * effects[i, 1]
        for k in range(near.size):
            value[i] += (shared.bend[k] + (effects[i, 2 + k] if random > 2 else 0.0)) * near[k]
