r"""The integrated likelihood where paths are sigmoid: scores as well as events are taken by quadrature, about each participant's mode.

The path is not linear in the random effects, so the scores leave no Gaussian behind. With f the log density of scores, event and
effects, nodes :math:`b_g` and log weights :math:`\omega_g` of `alsmodel.kernels.sigmoid_nodes`,

.. math:: \log L = \log \int e^{f(b)} db \approx \log \sum_g e^{\omega_g + f(b_g)}

which about the mode m, with :math:`S S^\top` the inverse of the curvature there, is adaptive Gauss-Hermite quadrature,
:math:`b_g = m + S z_g` (Liu & Pierce 1994, Biometrika 81:624, doi 10.1093/biomet/81.3.624; of non-linear mixed models, Pinheiro & Bates
1995, J Comput Graph Stat 4:12, doi 10.1080/10618600.1995.10474663). The density is exact wherever the nodes lie. The gradient is the
expectation of the complete-data score under the same weights (Fisher's identity), as in `alsmodel.kernels.joint`.
"""

import math

import numpy as np
from numba import njit

from alsmodel.kernels.baseline import extend, extend_gradient
from alsmodel.kernels.joint import covariance_score, nothing, prior_of
from alsmodel.kernels.posterior import add_gradient, constrain, paths
from alsmodel.kernels.sigmoid import log_density, means_of, mode_of, place, room
from alsmodel.kernels.sigmoid_nodes import LOG_TWO_PI, nodes_of


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _spread(i, cuts, path, visits, points, g_clock, g_speed, expected, weibull, shared, out):
    """From gradients at a participant's points to those in clocks, offsets and baseline."""
    for k in range(points):
        if k < visits:
            j = cuts.visit_ptr[i] + k
            e, t = cuts.visit_seg[j], cuts.visit_time[j]
        elif k == visits:
            e, t = cuts.event_seg[i], cuts.event_time[i]
        else:
            n = cuts.node_ptr[i] + k - visits - 1
            e, t = cuts.node_seg[n], cuts.node_time[n]
        d = t - cuts.seg_ref[e]
        out.own_level[e] += g_clock[k]
        out.own_rate[e] += d * g_clock[k] + g_speed[k]
        if k < visits:
            continue
        out.offset[e] += expected[k]
        if weibull:
            now, shape = path.clock_level[e] + path.clock_rate[e] * d, math.exp(shared.base[1])
            out.base[0] += expected[k]
            out.base[1] += expected[k] * (1.0 + shape * math.log(now))
            out.clock_level[e] += expected[k] * (shape - 1.0) / now
            out.clock_rate[e] += expected[k] * (shape - 1.0) / now * d
        else:
            piece = cuts.event_piece[i] if k == visits else cuts.node_piece[cuts.node_ptr[i] + k - visits - 1]
            out.base[piece] += expected[k]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _expect(weight, a, c, visits, points, full, a1, a2, inv_var, happened, speed, score, z, p, hazard, g_clock, g_speed, expected, totals):
    """Add the score at one point of the grid, times its weight.

    `totals` takes the derivatives in log D50, log dx, the residual sum of squares, and those in both associations.
    """
    per, lead = math.exp(-c), -math.exp(a - c)
    g_a, g_c, squares, g1, g2 = 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(visits):
        w = p[k] * (1.0 - p[k])
        left = score[k] - full * p[k]
        pull = -left * inv_var * full * w  # times dz
        squares += left * left
        g_a += pull * lead
        g_c -= pull * z[k]
        g_clock[k] += weight * pull * per
    for k in range(visits, points):
        w = p[k] * (1.0 - p[k])
        times = -hazard[k] if k > visits else (1.0 if happened else 0.0)
        m_z, m_zz, rise = -full * w, full * w * (1.0 - 2.0 * p[k]), a2 * per * speed[k]
        pull = times * (a1 * m_z + rise * m_zz)
        g_a += pull * lead
        g_c -= pull * z[k] + times * rise * m_z
        g_clock[k] += weight * pull * per
        g_speed[k] += weight * times * a2 * m_z * per
        expected[k] += weight * times
        g1 += times * full * p[k]
        g2 += times * m_z * per * speed[k]
    totals[0] += weight * g_a
    totals[1] += weight * g_c
    totals[2] += weight * squares
    totals[3] += weight * g1
    totals[4] += weight * g2


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def sigmoid_loglik(path, shared, cuts, rule, weibull, gradient):
    """`alsmodel.kernels.joint.joint_loglik` of sigmoid paths; ``cuts.top`` is the full score."""
    people, out, sum_bb = cuts.seg_ptr.size - 1, nothing(shared, cuts), np.zeros((2, 2))
    loglik = np.full(people, -np.inf)
    defined, prior, half_logdet = prior_of(shared)
    if defined:
        if not _people(path, shared, cuts, rule, weibull, gradient, prior, half_logdet, loglik, out, sum_bb):
            loglik[:] = -np.inf
        out.covariance[:] = covariance_score(prior, sum_bb, people)
    return loglik, out


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _people(path, shared, cuts, rule, weibull, gradient, prior, half_logdet, loglik, out, sum_bb):
    """Fill `loglik`, add to the gradient `out` and to the sum of E[bb']; False when undefined anywhere.

    `prior` is the inverse of D, shape (2, 2), and `half_logdet` half the log of its determinant.
    """
    people, full, legendre = cuts.seg_ptr.size - 1, cuts.top, rule.abscissae
    clock, speed, constant, work = room(cuts)
    z, p, _, hazard, _, _ = work
    most, nodes = clock.size, max(legendre.size * legendre.size, rule.log_weight.size)
    first, second, raw = np.empty(nodes), np.empty(nodes), np.empty(nodes)
    mode, scale, totals, tools = np.empty(2), np.empty((2, 2)), np.empty(5), (np.empty(2), np.empty((2, 2)), np.empty((2, 2)))
    kept = (nodes, most) if gradient else (1, 1)
    all_z, all_p, all_hazard = np.empty(kept), np.empty(kept), np.empty(kept)
    g_clock, g_speed, expected = np.empty(most), np.empty(most), np.empty(most)
    for i in range(people):
        visits, points = place(i, cuts, path, shared, weibull, clock, speed, constant)
        score = cuts.score[cuts.visit_ptr[i] : cuts.visit_ptr[i + 1]]
        sd, e0 = shared.sigma[cuts.noise[i]], cuts.seg_ptr[i]
        inv_var, happened, which = 1.0 / (sd * sd), cuts.event[i] > 0.0, cuts.seg_alpha[e0]
        a1, a2 = shared.alpha[which, 0], shared.alpha[which, 1]
        log_d50, log_dx = means_of(i, cuts, path)
        target = (visits, points, full, log_d50, log_dx, a1, a2, inv_var, happened, prior, clock, speed, constant, score, work)
        if not mode_of(target, mode, scale):
            return False
        count = nodes_of(mode, scale, target, legendre, rule.grid, rule.log_weight, tools, first, second, raw)
        top = -np.inf
        for g in range(count):
            found = raw[g] + log_density(
                visits, points, full, log_d50, log_dx, first[g], second[g], a1, a2, inv_var, happened, prior, clock, speed, constant,
                score, work,
            )  # fmt: skip
            raw[g] = found if found > -1e300 else -1e300
            top = max(top, raw[g])
            if gradient:
                for k in range(points):
                    all_z[g, k], all_p[g, k], all_hazard[g, k] = z[k], p[k], hazard[k]
        if not (top > -1e290 and top < 1e300):
            return False
        total = 0.0
        for g in range(count):
            raw[g] = math.exp(raw[g] - top)
            total += raw[g]
        loglik[i] = top + math.log(total) - LOG_TWO_PI - half_logdet - visits * math.log(math.sqrt(2.0 * math.pi) * sd)
        if not gradient:
            continue
        g_clock[:points], g_speed[:points], expected[:points], totals[:] = 0.0, 0.0, 0.0, 0.0
        for g in range(count):
            weight, b0, b1 = raw[g] / total, first[g], second[g]
            if weight < 1e-12:
                continue
            sum_bb[0, 0] += weight * b0 * b0
            sum_bb[1, 0] += weight * b0 * b1
            sum_bb[0, 1] += weight * b0 * b1
            sum_bb[1, 1] += weight * b1 * b1
            _expect(
                weight, log_d50 + b0, log_dx + b1, visits, points, full, a1, a2, inv_var, happened, speed, score,
                all_z[g], all_p[g], all_hazard[g], g_clock, g_speed, expected, totals,
            )  # fmt: skip
        _spread(i, cuts, path, visits, points, g_clock, g_speed, expected, weibull, shared, out)
        # log dx = rate / own_rate and log D50 = level - own_level log dx, of the first segment.
        into_dx = (totals[1] - path.own_level[e0] * totals[0]) / path.own_rate[e0]
        out.level[e0] += totals[0]
        out.rate[e0] += into_dx
        out.own_level[e0] -= totals[0] * log_dx
        out.own_rate[e0] -= into_dx * log_dx
        out.scalars[shared.bend.size + cuts.noise[i]] += (totals[2] * inv_var - visits) / sd
        out.alpha[which, 0] += totals[3]
        out.alpha[which, 1] += totals[4]
    return True


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def sigmoid_log_posterior(points, priors, wiring, segments, cuts, rule, weibull, wanted):
    """`alsmodel.kernels.posterior.log_posterior` of sigmoid paths in an enrolled population.

    A kernel of its own, so that who fits other paths does not compile it.
    """
    n, size = points.shape
    density, gradient, loglik = np.empty(n), np.zeros((n, size)), np.zeros(wiring.shift.size)
    value, slope = np.empty(size), np.empty(size)
    for r in range(n):
        prior = constrain(points[r], priors, value, slope, gradient[r])
        whole = extend(value, wiring.derived)
        path, shared, between = paths(whole, wiring, segments)
        loglik, g = sigmoid_loglik(path, shared, cuts, rule, weibull, wanted)
        if wanted:
            d = np.zeros(whole.size)
            add_gradient(1.0, g, np.zeros(between.hazard.size), whole, wiring, segments, between, d)
            extend_gradient(d, whole, wiring.derived)
            for k in range(size):
                gradient[r, k] += d[k] * slope[k]
        total = prior + loglik.sum()
        density[r] = total if total > -1e300 and total < 1e300 else -np.inf
    return density, gradient, loglik
