"""The integrated likelihood for any number of random effects and of Gauss-Hermite nodes.

What is computed, and from which sources, stands in `alsmodel.kernels.joint`. Participants are taken in blocks, so that exponentials
run over long arrays; every sum runs in a fixed order.
"""

import math

from numba import njit

from alsmodel.kernels.bends import association, bends_at, log_hazard_at, unpack
from alsmodel.kernels.joint_block import BLOCK, scratch
from alsmodel.kernels.joint_grid import expected_hazards, exponentiate, grid_hazards, moments, weigh_grid
from alsmodel.kernels.joint_scores import baseline_scores, event_scores, hazard_scores, visit_scores
from alsmodel.kernels.smallmat import cholesky, invert_transpose, solve_cholesky
from alsmodel.kernels.vectors import exp_into

MAX_NEWTON = 40
# Squared length of a Newton step, in posterior SDs, below which the next one would be negligible to the quadrature (the error
# left is about the square of the step).
SMALL_STEP = 0.1


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _visits(i, cuts, path, shared, random, zz, zr, gram, residual):
    """Cross-products of residuals with Z over the visits of participant i; returns (visits, residual sum of squares)."""
    zz[:] = 0.0
    zr[:] = 0.0
    count, squares = 0.0, 0.0
    for e in range(cuts.seg_ptr[i], cuts.seg_ptr[i + 1]):
        x = cuts.cross[e]
        if x[0] == 0.0:
            continue
        squares += unpack(x, path, e, shared.bend, gram, residual)
        count += x[0]
        p, s = path.own_level[e], path.own_rate[e]
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
    for k in range(random):
        for m in range(k):
            zz[m, k] = zz[k, m]
    return count, squares


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _event(i, cuts, path, shared, weibull, block, zeta):
    """Log hazard at the end of follow-up with b = 0, and its association vector; zero and nothing when censored."""
    zeta[:] = 0.0
    if cuts.event[i] == 0.0:
        return 0.0
    e, t = cuts.event_seg[i], cuts.event_time[i]
    d, which, value, speed = t - cuts.seg_ref[e], cuts.seg_alpha[e], block.value, block.speed
    a1, a2 = shared.alpha[which, 0], shared.alpha[which, 1]
    association(t, d, a1, a2, path.own_level[e], path.own_rate[e], cuts.bend_knots, value, speed, zeta)
    return log_hazard_at(e, t, d, path, shared, which, weibull, cuts.event_piece[i], value, speed)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _score_posterior(row, i, cuts, path, shared, weibull, prior_precision, half_logdet, block):
    """Gaussian posterior of b given the scores, shifted by the event; False when it does not exist."""
    random = prior_precision.shape[0]
    sd = shared.sigma[cuts.noise[i]]
    inv_var = 1.0 / (sd * sd)
    zz, zr, zeta = block.zz[row], block.zr[row], block.event_zeta[row]
    count, squares = _visits(i, cuts, path, shared, random, zz, zr, block.gram, block.residual)
    log_hazard = _event(i, cuts, path, shared, weibull, block, zeta)
    block.leads[row] = 1
    for e in range(cuts.seg_ptr[i] + 1, cuts.seg_ptr[i + 1]):
        if cuts.seg_alpha[e] != cuts.seg_alpha[e - 1]:
            block.leads[row] = 0
    info, chol, mu = block.small[0, 0], block.small[1], block.mu[row]
    for k in range(random):
        info[k] = zr[k] * inv_var + zeta[k]
        for m in range(random):
            block.precision[row, k, m] = prior_precision[k, m] + zz[k, m] * inv_var
    if not cholesky(block.precision[row], random, chol):
        return False
    solve_cholesky(chol, random, info, mu)
    quadratic = 0.0
    for k in range(random):
        quadratic += mu[k] * info[k]
        block.mode[row, k] = mu[k]
    sums = block.sums[row]
    sums[0], sums[1] = count, squares
    sums[2] = log_hazard - 0.5 * count * math.log(2.0 * math.pi / inv_var) - half_logdet - 0.5 * squares * inv_var + 0.5 * quadratic
    return True


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _place_nodes(first, last, cuts, path, shared, weibull, random, block):
    """Bending terms, association vector and log hazard at b = 0 at every node of the block; returns the number of nodes."""
    origin, count = cuts.node_ptr[first], cuts.node_ptr[last] - cuts.node_ptr[first]
    knots, coefficients, value, speed = cuts.bend_knots, shared.bend, block.value, block.speed
    terms = coefficients.size
    n = 0
    while n < count:
        e = cuts.node_seg[origin + n]
        stop = n
        while stop < count and cuts.node_seg[origin + stop] == e:
            stop += 1
        a1, a2 = shared.alpha[cuts.seg_alpha[e], 0], shared.alpha[cuts.seg_alpha[e], 1]
        ref, own_level, own_rate = cuts.seg_ref[e], path.own_level[e], path.own_rate[e]
        level, rate, offset = path.level[e], path.rate[e], path.offset[e]
        for k in range(n, stop):
            t = cuts.node_time[origin + k]
            d = t - ref
            bends_at(t, knots, value, speed)
            at, on = level + rate * d, rate
            for j in range(terms):
                block.bend[j, k], block.turn[j, k] = value[j], speed[j]
                at += coefficients[j] * value[j]
                on += coefficients[j] * speed[j]
            block.zeta[0, k] = a1
            block.zeta[1, k] = a1 * (own_level + own_rate * d) + a2 * own_rate
            for j in range(2, random):
                block.zeta[j, k] = a1 * value[j - 2] + a2 * speed[j - 2]
            block.constant[k] = cuts.node_logw[origin + k] + offset + a1 * at + a2 * on
        n = stop
    if weibull:
        scale, shape = shared.base[0] + shared.base[1], math.exp(shared.base[1])
        for n in range(count):
            e = cuts.node_seg[origin + n]
            log_clock = math.log(path.clock_level[e] + path.clock_rate[e] * (cuts.node_time[origin + n] - cuts.seg_ref[e]))
            block.log_clock[n] = log_clock
            block.constant[n] += scale + (shape - 1.0) * log_clock
    else:
        for n in range(count):
            block.constant[n] += shared.base[cuts.node_piece[origin + n]]
    return count


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _newton_step(row, left, right, block, random):
    """One Newton step towards the mode of -(b - mu)' precision (b - mu) / 2 - H(b) from the hazards at the present point.

    Returns the squared length of the step in posterior SDs, or -1 when the curvature is not positive. H is a sum of exponentials of
    linear forms, so from mu the steps fall short rather than overshoot and need no damping.
    """
    hessian, chol, gradient, step = block.small[0], block.small[1], block.small[2, 0], block.small[3, 0]
    mode, mu, product, hazard = block.mode[row], block.mu[row], block.product, block.hazard
    lead = block.leads[row]
    for k in range(random):
        g = 0.0
        for m in range(random):
            g -= block.precision[row, k, m] * (mode[m] - mu[m])
        gradient[k] = g
        for m in range(k + 1):
            hessian[k, m] = block.precision[row, k, m]
    if lead == 1 and right > left:  # the first entry of the association vector is the same at every node
        a1, total = block.zeta[0, left], 0.0
        for n in range(left, right):
            total += hazard[n]
        gradient[0] -= a1 * total
        hessian[0, 0] += a1 * a1 * total
    for k in range(lead, random):
        zk, total = block.zeta[k], 0.0
        for n in range(left, right):
            product[n] = hazard[n] * zk[n]
        for n in range(left, right):
            total += product[n]
        gradient[k] -= total
        if lead == 1 and right > left:
            hessian[k, 0] += block.zeta[0, left] * total
        for m in range(lead, k + 1):
            zm, total = block.zeta[m], 0.0
            for n in range(left, right):
                total += product[n] * zm[n]
            hessian[k, m] += total
    if not cholesky(hessian, random, chol):
        return -1.0
    solve_cholesky(chol, random, gradient, step)
    size = 0.0
    for k in range(random):
        size += step[k] * gradient[k]
        mode[k] += step[k]
    return size


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _recentre(row, left, right, block, random):
    """Move to the mode and leave the Cholesky factor of the inverse curvature in `scale`; False when there is none."""
    size = _newton_step(row, left, right, block, random)
    steps = 1
    while size > SMALL_STEP and steps < MAX_NEWTON:
        for n in range(left, right):
            eta = block.constant[n]
            for k in range(random):
                eta += block.zeta[k, n] * block.mode[row, k]
            block.hazard[n] = math.exp(min(eta, 600.0))
        size = _newton_step(row, left, right, block, random)
        steps += 1
    if size < 0.0:
        return False
    chol, scale = block.small[1], block.scale[row]
    invert_transpose(chol, random, scale)  # upper triangular: scale scale' is the inverse curvature
    logdet = 0.0
    for k in range(random):
        logdet -= math.log(chol[k, k])
    block.sums[row, 3] = logdet
    return True


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def general_loglik(path, shared, cuts, rule, weibull, prior_precision, half_logdet, loglik, out, sum_bb):
    """`joint_loglik` for any number of random effects and of nodes; False when undefined anywhere."""
    people, random = cuts.seg_ptr.size - 1, shared.covariance.shape[0]
    block = scratch(cuts, random, shared.bend.size, rule.abscissae.size)
    for first in range(0, people, BLOCK):
        last = min(first + BLOCK, people)
        origin = cuts.node_ptr[first]
        count = _place_nodes(first, last, cuts, path, shared, weibull, random, block)
        for n in range(count):
            block.eta[n] = block.constant[n]
        for row in range(last - first):
            i = first + row
            if not _score_posterior(row, i, cuts, path, shared, weibull, prior_precision, half_logdet, block):
                return False
            left, right = cuts.node_ptr[i] - origin, cuts.node_ptr[i + 1] - origin
            for k in range(random):
                m, zeta = block.mu[row, k], block.zeta[k]
                for n in range(left, right):
                    block.eta[n] += zeta[n] * m
        exp_into(block.eta, count, block.hazard, block.buffer, block.bits)
        for row in range(last - first):
            i = first + row
            if not _recentre(row, cuts.node_ptr[i] - origin, cuts.node_ptr[i + 1] - origin, block, random):
                return False
        exponentiate(first, last, origin, count, cuts, random, rule.abscissae, block)
        for row in range(last - first):
            i = first + row
            left, right = cuts.node_ptr[i] - origin, cuts.node_ptr[i + 1] - origin
            grid_hazards(row, left, right, random, rule.abscissae, block)
            integral = weigh_grid(row, random, rule, block)
            loglik[i] = block.sums[row, 2] + integral
            if not integral > -1e300:
                return False
            moments(row, random, block)
            sum_bb += block.mean_bb
            visit_scores(row, i, cuts, path, shared, random, block, out)
            event_scores(i, cuts, path, shared, weibull, random, block, out)
            expected_hazards(row, left, right, random, rule, block)
            hazard_scores(row, left, right, origin, cuts, path, shared, weibull, random, block, out)
        baseline_scores(origin, count, cuts, shared, weibull, block, out)
    return True
