r"""The likelihood where nothing of the path reaches the hazard, for a random intercept and slope: a closed form, no quadrature.

The same quantity as `alsmodel.kernels.joint` with :math:`\alpha = 0`. Scores and survival then share parameters only, so the random
effects' posterior is the Gaussian that the scores give (Laird & Ware 1982, Biometrics 38:963, eq. 3.3, doi 10.2307/2529876), and

.. math::
    \log L_i = d_i \log h_i(T_i) - H_i - \tfrac{1}{2} \{ n_i \log 2\pi\sigma^2 + \log|D| + \log|\Lambda| + r'r / \sigma^2
    - \mu' \Lambda \mu \}, \qquad \Lambda = D^{-1} + Z'Z / \sigma^2, \quad \Lambda \mu = Z'r / \sigma^2.
"""

import math

import numpy as np
from numba import njit

from alsmodel.kernels.vectors import exp_into

BLOCK = 256
ONE = np.uint64(1)  # as in alsmodel.kernels.joint_linear


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _scores(first, last, path, shared, cuts, gradient, weight, prior, half_logdet, loglik, out, sum_bb):
    """Marginal likelihood of the scores and its weighted gradient; False when a posterior does not exist."""
    ptr, cross, noise, sigma, quad = cuts.seg_ptr, cuts.cross, cuts.noise, shared.sigma, shared.bend[0]
    level, rate, own_level, own_rate = path.level, path.rate, path.own_level, path.own_rate
    g_level, g_rate, g_own_level, g_own_rate, g_scalars = out.level, out.rate, out.own_level, out.own_rate, out.scalars
    inv_vars, log_vars, g_sigma = np.empty(sigma.size), np.empty(sigma.size), np.zeros(sigma.size)
    for k in range(sigma.size):
        inv_vars[k] = 1.0 / (sigma[k] * sigma[k])
        log_vars[k] = math.log(2.0 * math.pi / inv_vars[k])
    q00, q01, q11 = prior[0, 0], prior[0, 1], prior[1, 1]
    g_quad, bb00, bb01, bb11 = 0.0, 0.0, 0.0, 0.0
    for i in range(first, last):
        own = np.uint64(noise[i])
        inv_var = inv_vars[own]
        begin, end = np.uint64(ptr[i]), np.uint64(ptr[i + 1])
        count, squares, z00, z01, z11, r0, r1 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for e in range(begin, end):
            n, sd, su, sdd, sdu, suu = cross[e, 0], cross[e, 1], cross[e, 2], cross[e, 3], cross[e, 4], cross[e, 5]
            a, r, p, s = level[e], rate[e], own_level[e], own_rate[e]
            res = cross[e, 6] - a * n - r * sd - quad * su
            res_d = cross[e, 7] - a * sd - r * sdd - quad * sdu
            res_u = cross[e, 8] - a * su - r * sdu - quad * suu
            squares += cross[e, 9] - a * cross[e, 6] - r * cross[e, 7] - quad * cross[e, 8] - a * res - r * res_d - quad * res_u
            count += n
            z00 += n
            z01 += p * n + s * sd
            z11 += p * p * n + 2.0 * p * s * sd + s * s * sdd
            r0 += res
            r1 += p * res + s * res_d
        p00, p01, p11 = q00 + z00 * inv_var, q01 + z01 * inv_var, q11 + z11 * inv_var
        det = p00 * p11 - p01 * p01
        if not det > 0.0:
            return False
        inv_det = 1.0 / det
        v00, v01, v11 = p11 * inv_det, -p01 * inv_det, p00 * inv_det
        f0, f1 = r0 * inv_var, r1 * inv_var
        b0, b1 = v00 * f0 + v01 * f1, v01 * f0 + v11 * f1
        twice = count * log_vars[own] + math.log(det) + squares * inv_var - b0 * f0 - b1 * f1
        loglik[i] = -half_logdet - 0.5 * twice
        if not gradient:
            continue
        counted = 1.0 if weight is None else weight[i]
        b00, b01, b11 = v00 + b0 * b0, v01 + b0 * b1, v11 + b1 * b1
        bb00 += counted * b00
        bb01 += counted * b01
        bb11 += counted * b11
        ssr = squares - 2.0 * (b0 * r0 + b1 * r1) + z00 * b00 + 2.0 * z01 * b01 + z11 * b11
        g_sigma[own] += counted * (-count + ssr * inv_var) / sigma[own]
        pull = counted * inv_var
        for e in range(begin, end):
            n, sd, su, sdd, sdu = cross[e, 0], cross[e, 1], cross[e, 2], cross[e, 3], cross[e, 4]
            a, r, p, s = level[e], rate[e], own_level[e], own_rate[e]
            res = cross[e, 6] - a * n - r * sd - quad * su
            res_d = cross[e, 7] - a * sd - r * sdd - quad * sdu
            res_u = cross[e, 8] - a * su - r * sdu - quad * cross[e, 5]
            mine, mine_d = p * n + s * sd, p * sd + s * sdd
            g_level[e] += pull * (res - n * b0 - mine * b1)
            g_rate[e] += pull * (res_d - sd * b0 - mine_d * b1)
            g_own_level[e] += pull * (b1 * res - n * b01 - mine * b11)
            g_own_rate[e] += pull * (b1 * res_d - sd * b01 - mine_d * b11)
            g_quad += pull * (res_u - su * b0 - (p * su + s * sdu) * b1)
    g_scalars[0] += g_quad
    for k in range(sigma.size):
        g_scalars[1 + k] += g_sigma[k]
    sum_bb[0, 0] += bb00
    sum_bb[0, 1] += bb01
    sum_bb[1, 0] += bb01
    sum_bb[1, 1] += bb11
    return True


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _survival(first, last, path, shared, cuts, weibull, weight, loglik, out, log_clock, hazard, eta, buffer, bits):
    """Log-likelihood of follow-up and its weighted gradient, added."""
    node_ptr, seg, time, logw, piece, ref = cuts.node_ptr, cuts.node_seg, cuts.node_time, cuts.node_logw, cuts.node_piece, cuts.seg_ref
    event, event_seg, event_time, event_piece = cuts.event, cuts.event_seg, cuts.event_time, cuts.event_piece
    clock_level, clock_rate, offset, base = path.clock_level, path.clock_rate, path.offset, shared.base
    g_offset, g_base, g_clock_level, g_clock_rate = out.offset, out.base, out.clock_level, out.clock_rate
    origin = np.uint64(node_ptr[first])
    total = np.uint64(node_ptr[last]) - origin
    scale, shape = 0.0, 1.0
    if weibull:
        scale, shape = base[0] + base[1], math.exp(base[1])
        for k in range(total):
            e = seg[origin + k]
            log_clock[k] = math.log(clock_level[e] + clock_rate[e] * (time[origin + k] - ref[e]))
            eta[k] = logw[origin + k] + offset[e] + scale + (shape - 1.0) * log_clock[k]
    else:
        for k in range(total):
            eta[k] = logw[origin + k] + offset[seg[origin + k]] + base[piece[origin + k]]
    exp_into(eta, total, hazard, buffer, bits)
    for i in range(first, last):
        ll, counted = 0.0, 1.0 if weight is None else weight[i]
        for k in range(np.uint64(node_ptr[i]) - origin, np.uint64(node_ptr[i + 1]) - origin):
            ll -= hazard[k]
            hazard[k] *= counted
        if event[i] > 0.0:
            e = event_seg[i]
            g_offset[e] += counted
            ll += offset[e]
            if weibull:
                d = event_time[i] - ref[e]
                clock = clock_level[e] + clock_rate[e] * d
                log_at = math.log(clock)
                ll += scale + (shape - 1.0) * log_at
                g_base[0] += counted
                g_base[1] += counted * (1.0 + shape * log_at)
                g_clock_level[e] += counted * (shape - 1.0) / clock
                g_clock_rate[e] += counted * (shape - 1.0) / clock * d
            else:
                ll += base[event_piece[i]]
                g_base[event_piece[i]] += counted
        loglik[i] += ll
    for k in range(total):
        g_offset[seg[origin + k]] -= hazard[k]
        g_base[piece[origin + k]] -= hazard[k]  # the Weibull's nodes are all of piece 0, its log scale
    if weibull:
        for k in range(total):
            e = seg[origin + k]
            pull = hazard[k] * (shape - 1.0) * math.exp(-log_clock[k])
            g_base[1] -= hazard[k] * (1.0 + shape * log_clock[k])
            g_clock_level[e] -= pull
            g_clock_rate[e] -= pull * (time[origin + k] - ref[e])


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy", inline="always")
def apart_loglik(path, shared, cuts, weibull, gradient, weight, prior, half_logdet, loglik, out, sum_bb):
    """Fill `loglik`, add to the gradient `out` and to the sum of E[bb']; False when undefined anywhere.

    Parameters
    ----------
    path, shared, cuts, weibull, gradient
        As in `alsmodel.kernels.joint.joint_loglik`; the association is not read.
    weight : array, shape (N,), or None
        How often each participant counts in the gradient and in the sum of E[bb']; once each for None, which is compiled apart.
    prior, half_logdet
        Inverse of D, shape (2, 2), and half the log of its determinant.
    """
    people, node_ptr = cuts.seg_ptr.size - 1, cuts.node_ptr
    most = 1
    for first in range(0, people, BLOCK):
        most = max(most, node_ptr[min(first + BLOCK, people)] - node_ptr[first])
    log_clock, hazard, eta, buffer = np.empty(most), np.empty(most), np.empty(most), np.empty(most)
    bits = buffer.view(np.int64)
    for first in range(0, people, BLOCK):
        last = min(first + BLOCK, people)
        if not _scores(first, last, path, shared, cuts, gradient, weight, prior, half_logdet, loglik, out, sum_bb):
            return False
        _survival(first, last, path, shared, cuts, weibull, weight, loglik, out, log_clock, hazard, eta, buffer, bits)
    return True
