"""The integrated likelihood for any number of random effects and of Gauss-Hermite nodes.

What is computed, and from which sources, stands in `alsmodel.kernels.joint`. Participants are taken in blocks, so that exponentials
run over long arrays; every sum runs in a fixed order.
"""

import math

import numpy as np
from numba import njit

from alsmodel.kernels.bends import association, bends_at, log_hazard_at, unpack
from alsmodel.kernels.joint_block import BLOCK, scratch
from alsmodel.kernels.joint_gap import pull_of_gap
from alsmodel.kernels.joint_grid import exponentiate, integrate
from alsmodel.kernels.joint_reach import areas_of, hand_back, reach_at, reach_nodes, reach_scores, reaches_further
from alsmodel.kernels.joint_scores import baseline_scores, event_scores, hazard_scores, visit_scores
from alsmodel.kernels.smallmat import cholesky, invert_transpose, solve_cholesky
from alsmodel.kernels.vectors import exp_into

MAX_NEWTON = 40
# Squared length of a Newton step, in posterior SDs, below which the next one would be negligible to the quadrature (the error
# left is about the square of the step).
SMALL_STEP = 0.1


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _score_posteriors(first, last, cuts, path, shared, weibull, prior_precision, half_logdet, block):
    """Gaussian posterior of b given the scores, shifted by the event, of each participant; False when one does not exist."""
    random, terms = prior_precision.shape[0], shared.bend.size
    seg_ptr, cross, noise, seg_alpha, sigma, bend = cuts.seg_ptr, cuts.cross, cuts.noise, cuts.seg_alpha, shared.sigma, shared.bend
    level, rate, own_level, own_rate = path.level, path.rate, path.own_level, path.own_rate
    event, event_seg, event_time, event_piece = cuts.event, cuts.event_seg, cuts.event_time, cuts.event_piece
    seg_ref, alpha, knots = cuts.seg_ref, shared.alpha, cuts.bend_knots
    precision, all_zz, all_zr, leads, mu, mode, sums = (
        block.precision, block.zz, block.zr, block.leads, block.mu, block.mode, block.sums,
    )  # fmt: skip
    gram, residual, value, speed = np.empty((2 + terms, 2 + terms)), np.empty(2 + terms), np.empty(terms), np.empty(terms)
    zz, zr, chol, matrix = np.empty((random, random)), np.empty(random), np.zeros((random, random)), np.empty((random, random))
    info, found, zeta = np.empty(random), np.empty(random), np.empty(random)
    further, grown = reaches_further(shared), np.empty(terms)
    for row in range(last - first):
        i = first + row
        sd = sigma[noise[i]]
        inv_var = 1.0 / (sd * sd)
        zz[:] = 0.0
        zr[:] = 0.0
        count, squares, leads[row] = 0.0, 0.0, 1
        for e in range(seg_ptr[i], seg_ptr[i + 1]):
            if seg_alpha[e] != seg_alpha[seg_ptr[i]]:
                leads[row] = 0
            if cross[e, 0] == 0.0:
                continue
            squares += unpack(cross, e, level[e], rate[e], bend, gram, residual)
            count += cross[e, 0]
            p, s = own_level[e], own_rate[e]
            zz[0, 0] += gram[0, 0]
            zz[1, 0] += p * gram[0, 0] + s * gram[0, 1]
            zz[1, 1] += p * p * gram[0, 0] + 2.0 * p * s * gram[0, 1] + s * s * gram[1, 1]
            zr[0] += residual[0]
            zr[1] += p * residual[0] + s * residual[1]
            for k in range(2, random):
                zz[k, 0] += gram[0, k]
                zz[k, 1] += p * gram[0, k] + s * gram[1, k]
                for m in range(2, k + 1):
                    zz[k, m] += gram[k, m]
                zr[k] += residual[k]
        log_hazard = 0.0
        zeta[:] = 0.0
        if event[i] > 0.0:
            e, t = event_seg[i], event_time[i]
            d, which = t - seg_ref[e], seg_alpha[e]
            association(t, d, alpha[which, 0], alpha[which, 1], own_level[e], own_rate[e], knots, value, speed, zeta)
            log_hazard = log_hazard_at(e, t, d, path, shared, which, weibull, event_piece[i], value, speed)
            if further:
                log_hazard += reach_at(e, t, which, path, shared, cuts, block.area, block.own_area, grown, zeta)
        for k in range(random):
            info[k] = zr[k] * inv_var + zeta[k]
            all_zr[row, k] = zr[k]
            for m in range(k + 1):
                all_zz[row, k, m] = zz[k, m]
                all_zz[row, m, k] = zz[k, m]
                matrix[k, m] = prior_precision[k, m] + zz[k, m] * inv_var
                precision[row, k, m] = matrix[k, m]
                precision[row, m, k] = prior_precision[m, k] + zz[k, m] * inv_var
        if not cholesky(matrix, random, chol):
            return False
        solve_cholesky(chol, random, info, found)
        quadratic = 0.0
        for k in range(random):
            quadratic += found[k] * info[k]
            mu[row, k] = found[k]
            mode[row, k] = found[k]
        sums[row, 0], sums[row, 1] = count, squares
        constant = log_hazard - 0.5 * count * math.log(2.0 * math.pi / inv_var) - half_logdet
        sums[row, 2] = constant - 0.5 * squares * inv_var + 0.5 * quadratic
    return True


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _place_nodes(first, last, cuts, path, shared, weibull, random, block):
    """Bending terms, association vector, log hazard at b = 0 and at the scores' posterior mean at every node of the block."""
    node_ptr, node_seg, node_time, node_logw, node_piece = cuts.node_ptr, cuts.node_seg, cuts.node_time, cuts.node_logw, cuts.node_piece
    seg_ref, seg_alpha, knots, alpha, coefficients = cuts.seg_ref, cuts.seg_alpha, cuts.bend_knots, shared.alpha, shared.bend
    level, rate, own_level, own_rate, offset = path.level, path.rate, path.own_level, path.own_rate, path.offset
    bend, turn, zeta, constant, eta, mu, base = block.bend, block.turn, block.zeta, block.constant, block.eta, block.mu, shared.base
    terms = coefficients.size
    value, speed = np.empty(terms), np.empty(terms)
    origin, one = np.uint64(node_ptr[first]), np.uint64(1)
    count = np.uint64(node_ptr[last]) - origin
    n = np.uint64(0)
    while n < count:
        e = node_seg[origin + n]
        stop = n
        while stop < count and node_seg[origin + stop] == e:
            stop += one
        a1, a2, ref = alpha[seg_alpha[e], 0], alpha[seg_alpha[e], 1], seg_ref[e]
        fixed, rising = offset[e] + a1 * level[e] + a2 * rate[e], a1 * rate[e]
        own, own_rising = a1 * own_level[e] + a2 * own_rate[e], a1 * own_rate[e]
        for k in range(n, stop):
            t = node_time[origin + k]
            d = t - ref
            bends_at(t, knots, value, speed)
            total = node_logw[origin + k] + fixed + rising * d
            for j in range(terms):
                bend[j, k], turn[j, k] = value[j], speed[j]
                total += coefficients[j] * (a1 * value[j] + a2 * speed[j])
            zeta[0, k] = a1
            zeta[1, k] = own + own_rising * d
            for j in range(2, random):
                zeta[j, k] = a1 * value[j - 2] + a2 * speed[j - 2]
            constant[k] = total
        n = stop
    if reaches_further(shared):
        reach_nodes(first, last, cuts, path, shared, random, block)
    if weibull:
        scale, shape, log_clocks, clock_level, clock_rate = (
            base[0] + base[1],
            math.exp(base[1]),
            block.log_clock,
            path.clock_level,
            path.clock_rate,
        )
        for n in range(np.uint64(0), count):
            e = node_seg[origin + n]
            log_clock = math.log(clock_level[e] + clock_rate[e] * (node_time[origin + n] - seg_ref[e]))
            log_clocks[n] = log_clock
            constant[n] += scale + (shape - 1.0) * log_clock
    else:
        for n in range(np.uint64(0), count):
            constant[n] += base[node_piece[origin + n]]
    for row in range(last - first):
        left, right = np.uint64(node_ptr[first + row]) - origin, np.uint64(node_ptr[first + row + 1]) - origin
        m0, m1 = mu[row, 0], mu[row, 1]
        for n in range(left, right):
            eta[n] = constant[n] + zeta[0, n] * m0 + zeta[1, n] * m1
        for k in range(2, random):
            m = mu[row, k]
            for n in range(left, right):
                eta[n] += zeta[k, n] * m


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _recentre(first, last, node_ptr, node_gap, random, block):
    """Newton steps to each participant's mode of -(b - mu)' precision (b - mu) / 2 - H(b), and the curvature there; False without one.

    The hazards at mu come in; `scale` receives an upper triangular factor of the inverse curvature. H is a sum of exponentials of linear
    forms, so from mu the steps fall short rather than overshoot and need no damping. Where the event lies somewhere on a stretch of time,
    H(b) is that up to the stretch, and `pull_of_gap` adds the log chance of an event on it.
    """
    precision, modes, mu, scale, sums, leads = block.precision, block.mode, block.mu, block.scale, block.sums, block.leads
    zeta, hazard, constant, product = block.zeta, block.hazard, block.constant, block.product
    hessian, chol, factor = np.zeros((random, random)), np.zeros((random, random)), np.zeros((random, random))
    gradient, step, mode = np.empty(random), np.empty(random), np.empty(random)
    origin = node_ptr[first]
    for row in range(last - first):
        left, right = np.uint64(node_ptr[first + row] - origin), np.uint64(node_ptr[first + row + 1] - origin)
        gap = np.uint64(node_gap[first + row] - origin)
        lead = leads[row] if right > left else 0
        for k in range(random):
            mode[k] = mu[row, k]
        for steps in range(MAX_NEWTON):
            if steps > 0:
                for n in range(left, right):
                    eta = constant[n]
                    for k in range(random):
                        eta += zeta[k, n] * mode[k]
                    hazard[n] = math.exp(min(eta, 600.0))
            for k in range(random):
                g = 0.0
                for m in range(random):
                    g -= precision[row, k, m] * (mode[m] - mu[row, m])
                gradient[k] = g
                for m in range(k + 1):
                    hessian[k, m] = precision[row, k, m]
            a1 = zeta[0, left] if lead == 1 else 0.0
            if lead == 1:  # the first entry of the association vector is the same at every node
                total = 0.0
                for n in range(left, gap):
                    total += hazard[n]
                gradient[0] -= a1 * total
                hessian[0, 0] += a1 * a1 * total
            for k in range(lead, random):
                total, square = 0.0, 0.0
                for n in range(left, gap):
                    hz = hazard[n] * zeta[k, n]
                    product[n] = hz
                    total += hz
                    square += hz * zeta[k, n]
                gradient[k] -= total
                hessian[k, k] += square
                hessian[k, 0] += a1 * total
                for m in range(lead, k):
                    total = 0.0
                    for n in range(left, gap):
                        total += product[n] * zeta[m, n]
                    hessian[k, m] += total
            if gap < right:
                pull_of_gap(gap, right, random, zeta, hazard, gradient, hessian)
            if not cholesky(hessian, random, chol):
                return False
            solve_cholesky(chol, random, gradient, step)
            size = 0.0
            for k in range(random):
                size += step[k] * gradient[k]
                mode[k] += step[k]
            if not size > SMALL_STEP:
                break
        invert_transpose(chol, random, factor)  # upper triangular: factor factor' is the inverse curvature
        logdet = 0.0
        for k in range(random):
            logdet -= math.log(chol[k, k])
            modes[row, k] = mode[k]
            for m in range(random):
                scale[row, k, m] = factor[k, m]
        sums[row, 3] = logdet
    return True


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy", inline="always")
def general_loglik(path, shared, cuts, rule, weibull, gradient, prior_precision, half_logdet, loglik, out, sum_bb):
    """`joint_loglik` for any number of random effects and of nodes; False when undefined anywhere."""
    people, random, node_ptr = cuts.seg_ptr.size - 1, shared.covariance.shape[0], cuts.node_ptr
    further = reaches_further(shared)
    block = scratch(cuts, random, shared.bend.size, rule.abscissae.size, cuts.seg_ref.size if further else 0)
    if further:
        areas_of(cuts, path.level, path.rate, block.area)
        areas_of(cuts, path.own_level, path.own_rate, block.own_area)
    for first in range(0, people, BLOCK):
        last = min(first + BLOCK, people)
        count = node_ptr[last] - node_ptr[first]
        if not _score_posteriors(first, last, cuts, path, shared, weibull, prior_precision, half_logdet, block):
            return False
        _place_nodes(first, last, cuts, path, shared, weibull, random, block)
        exp_into(block.eta, count, block.hazard, block.buffer, block.bits)
        if not _recentre(first, last, node_ptr, cuts.node_gap, random, block):
            return False
        exponentiate(first, last, node_ptr, random, rule.abscissae, block)
        if not integrate(first, last, node_ptr, cuts.node_gap, random, rule, block, gradient, loglik):
            return False
        if not gradient:
            continue
        for row in range(last - first):
            sum_bb += block.mean_bb[row]
        visit_scores(first, last, cuts, path, shared, random, block, out)
        event_scores(first, last, cuts, path, shared, weibull, random, block, out)
        hazard_scores(first, last, cuts, path, shared, random, block, out)
        baseline_scores(node_ptr[first], count, cuts, shared, weibull, block, out)
        if further:
            reach_scores(first, last, cuts, path, shared, random, block, out)
    if further and gradient:
        hand_back(cuts, block, out)
    return True
