"""The integrated likelihood for two or three random effects and any number of Gauss-Hermite nodes.

What is computed, and from which sources, stands in `alsmodel.kernels.joint`. Participants are taken in blocks, so that exponentials
run over long arrays; every sum runs in a fixed order.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from alsmodel.kernels.records import Floats, Ints
from alsmodel.kernels.smallmat import cholesky, invert_transpose, solve_cholesky
from alsmodel.kernels.vectors import exp_into

# Columns of the per-segment cross-products of (1, d, t^2, y).
N, SD, SU, SDD, SDU, SUU, SY, SDY, SUY, SYY = range(10)
BLOCK = 32
MAX_NEWTON = 40
# Squared length of a Newton step, in posterior SDs, below which the next one would be negligible to the quadrature (the error
# left is about the square of the step).
SMALL_STEP = 0.1


class _Block(NamedTuple):
    """Scratch for one block of participants: K is nodes of the block, B participants, G grid points."""

    value: Floats  # (K,) mean path
    speed: Floats  # (K,) its slope
    log_clock: Floats  # (K,)
    constant: Floats  # (K,) log of weight times hazard at b = 0
    zeta: Floats  # (q, K) association vector
    eta: Floats  # (K,)
    hazard: Floats  # (K,)
    up: Floats  # (q * half, K) exp of the scaled association vector at each positive abscissa
    points: Floats  # (K, G) weighted hazard at each grid point
    buffer: Floats
    bits: Ints
    mu: Floats  # (B, q)
    mode: Floats  # (B, q)
    precision: Floats  # (B, q, q)
    zz: Floats  # (B, q, q)
    zr: Floats  # (B, q)
    scale: Floats  # (B, q, q)
    sums: Floats  # (B, 4): visits, residual sum of squares, log-likelihood so far, log determinant of scale
    event_zeta: Floats  # (B, q)
    weight: Floats  # (G,)
    cumulative: Floats  # (G,)
    small: Floats  # (8, 3, 3)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _scratch(cuts, random, points, half):
    people = cuts.seg_ptr.size - 1
    most = 1
    for first in range(0, people, BLOCK):
        last = min(first + BLOCK, people)
        most = max(most, cuts.node_ptr[last] - cuts.node_ptr[first])
    buffer = np.empty(most)
    return _Block(
        np.empty(most), np.empty(most), np.empty(most), np.empty(most), np.empty((random, most)), np.empty(most), np.empty(most),
        np.empty((random * half, most)), np.empty((most, points)), buffer, buffer.view(np.int64),
        np.empty((BLOCK, random)), np.empty((BLOCK, random)), np.empty((BLOCK, random, random)),
        np.empty((BLOCK, random, random)), np.empty((BLOCK, random)), np.empty((BLOCK, random, random)), np.empty((BLOCK, 4)),
        np.empty((BLOCK, random)), np.empty(points), np.empty(points), np.zeros((8, 3, 3)),
    )  # fmt: skip


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _visits(i, cuts, path, quad, random, zz, zr):
    """Cross-products of residuals with Z over the visits of participant i; returns (visits, residual sum of squares)."""
    zz[:] = 0.0
    zr[:] = 0.0
    count, squares = 0.0, 0.0
    for e in range(cuts.seg_ptr[i], cuts.seg_ptr[i + 1]):
        x = cuts.cross[e]
        if x[N] == 0.0:
            continue
        a, r, p, s = path.level[e], path.rate[e], path.own_level[e], path.own_rate[e]
        res = x[SY] - a * x[N] - r * x[SD] - quad * x[SU]
        res_d = x[SDY] - a * x[SD] - r * x[SDD] - quad * x[SDU]
        res_u = x[SUY] - a * x[SU] - r * x[SDU] - quad * x[SUU]
        squares += x[SYY] - a * x[SY] - r * x[SDY] - quad * x[SUY] - a * res - r * res_d - quad * res_u
        count += x[N]
        zz[0, 0] += x[N]
        zz[1, 0] += p * x[N] + s * x[SD]
        zz[1, 1] += p * p * x[N] + 2.0 * p * s * x[SD] + s * s * x[SDD]
        zr[0] += res
        zr[1] += p * res + s * res_d
        if random == 3:
            zz[2, 0] += x[SU]
            zz[2, 1] += p * x[SU] + s * x[SDU]
            zz[2, 2] += x[SUU]
            zr[2] += res_u
    for k in range(random):
        for m in range(k):
            zz[m, k] = zz[k, m]
    return count, squares


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _event(i, cuts, path, shared, weibull, random, zeta):
    """Log hazard at the end of follow-up with b = 0, and its association vector; zero and nothing when censored."""
    zeta[:] = 0.0
    if cuts.event[i] == 0.0:
        return 0.0
    e, t = cuts.event_seg[i], cuts.event_time[i]
    d = t - cuts.seg_ref[e]
    a1, a2 = shared.alpha[cuts.seg_alpha[e], 0], shared.alpha[cuts.seg_alpha[e], 1]
    zeta[0] = a1
    zeta[1] = a1 * (path.own_level[e] + path.own_rate[e] * d) + a2 * path.own_rate[e]
    if random == 3:
        zeta[2] = a1 * t * t + 2.0 * a2 * t
    value = path.level[e] + path.rate[e] * d + shared.quad * t * t
    speed = path.rate[e] + 2.0 * shared.quad * t
    eta = path.offset[e] + a1 * value + a2 * speed
    if weibull:
        clock = path.clock_level[e] + path.clock_rate[e] * d
        return eta + shared.base[0] + shared.base[1] + (math.exp(shared.base[1]) - 1.0) * math.log(clock)
    return eta + shared.base[cuts.event_piece[i]]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _score_posterior(row, i, cuts, path, shared, weibull, prior_precision, half_logdet, block):
    """Gaussian posterior of b given the scores, shifted by the event; False when it does not exist."""
    random = prior_precision.shape[0]
    sd = shared.sigma[cuts.noise[i]]
    inv_var = 1.0 / (sd * sd)
    zz, zr, zeta = block.zz[row], block.zr[row], block.event_zeta[row]
    count, squares = _visits(i, cuts, path, shared.quad, random, zz, zr)
    log_hazard = _event(i, cuts, path, shared, weibull, random, zeta)
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
    """Mean path, association vector and log hazard at b = 0 at every node of the block; returns the number of nodes."""
    origin, count = cuts.node_ptr[first], cuts.node_ptr[last] - cuts.node_ptr[first]
    quad, a1, a2, before = shared.quad, 0.0, 0.0, -1
    for n in range(count):
        e, t = cuts.node_seg[origin + n], cuts.node_time[origin + n]
        if e != before:
            before, a1, a2 = e, shared.alpha[cuts.seg_alpha[e], 0], shared.alpha[cuts.seg_alpha[e], 1]
        d = t - cuts.seg_ref[e]
        value = path.level[e] + path.rate[e] * d + quad * t * t
        speed = path.rate[e] + 2.0 * quad * t
        block.value[n], block.speed[n] = value, speed
        block.zeta[0, n] = a1
        block.zeta[1, n] = a1 * (path.own_level[e] + path.own_rate[e] * d) + a2 * path.own_rate[e]
        if random == 3:
            block.zeta[2, n] = a1 * t * t + 2.0 * a2 * t
        block.constant[n] = cuts.node_logw[origin + n] + path.offset[e] + a1 * value + a2 * speed
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
    mode, mu = block.mode[row], block.mu[row]
    for k in range(random):
        g = 0.0
        for m in range(random):
            g -= block.precision[row, k, m] * (mode[m] - mu[m])
        gradient[k] = g
        for m in range(k + 1):
            hessian[k, m] = block.precision[row, k, m]
    for k in range(random):
        zk = block.zeta[k]
        for m in range(k + 1):
            zm = block.zeta[m]
            total = 0.0
            for n in range(left, right):
                total += block.hazard[n] * zk[n] * zm[n]
            hessian[k, m] += total
        total = 0.0
        for n in range(left, right):
            total += block.hazard[n] * zk[n]
        gradient[k] -= total
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
def _grid_hazards(row, left, right, random, abscissae, block):
    """Weighted hazards at every node and grid point, and their sums over nodes.

    exp(zeta' scale z) is a product over dimensions of powers that were exponentiated beforehand, one per positive abscissa.
    """
    q = abscissae.size
    half = q // 2
    cumulative = block.cumulative
    cumulative[:] = 0.0
    powers = np.ones((random, q))
    for n in range(left, right):
        for k in range(random):
            for j in range(half):
                up = block.up[k * half + j, n]
                powers[k, q - half + j] = up
                powers[k, half - 1 - j] = 1.0 / up
        out = block.points[n]
        g = 0
        for i in range(q):
            first = block.hazard[n] * powers[0, i]
            for j in range(q):
                second = first * powers[1, j]
                if random == 2:
                    out[g] = second
                    g += 1
                else:
                    for k in range(q):
                        out[g] = second * powers[2, k]
                        g += 1
        for g in range(out.size):
            cumulative[g] += out[g]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _weigh_grid(row, random, rule, block, mean_z, mean_zz):
    """Turn the grid into posterior weights and take the moments of z; returns the log of the integral, or -inf."""
    scale, precision = block.scale[row], block.precision[row]
    shift, inner, tilt = block.small[0, 0], block.small[1], block.small[0, 1]
    start = 0.0
    for m in range(random):
        tilt[m] = 0.0
        for r in range(random):
            tilt[m] += precision[m, r] * (block.mode[row, r] - block.mu[row, r])
        start += 0.5 * (block.mode[row, m] - block.mu[row, m]) * tilt[m]
    for k in range(random):
        shift[k] = 0.0
        for m in range(k + 1):
            shift[k] += scale[m, k] * tilt[m]
            value = 0.0
            for r in range(k + 1):
                for c in range(m + 1):
                    value += scale[r, k] * precision[r, c] * scale[c, m]
            inner[k, m] = value
    weight, grid = block.weight, rule.grid
    points = weight.size
    top = -np.inf
    for g in range(points):
        w = rule.log_weight[g] - block.cumulative[g]
        for k in range(random):
            z = grid[k, g]
            w -= z * (shift[k] + 0.5 * inner[k, k] * z)
            for m in range(k):
                w -= inner[k, m] * z * grid[m, g]
        weight[g] = w
        top = max(top, w)
    if not (top > -1e300 and top < 1e300):
        return -np.inf
    total = 0.0
    for g in range(points):
        weight[g] = math.exp(weight[g] - top)
        total += weight[g]
    mean_z[:] = 0.0
    mean_zz[:] = 0.0
    for g in range(points):
        weight[g] /= total
        for k in range(random):
            wz = weight[g] * grid[k, g]
            mean_z[k] += wz
            for m in range(k + 1):
                mean_zz[k, m] += wz * grid[m, g]
    for k in range(random):
        for m in range(k):
            mean_zz[m, k] = mean_zz[k, m]
    return top + math.log(total) - start + block.sums[row, 3]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _moments(row, random, block, mean_z, mean_zz, mean_b, mean_bb):
    """Posterior mean of b and of b b' from those of z, with b = mode + scale z."""
    mode, scale = block.mode[row], block.scale[row]
    for k in range(random):
        mean_b[k] = mode[k]
        for m in range(k, random):
            mean_b[k] += scale[k, m] * mean_z[m]
    for k in range(random):
        for m in range(k + 1):
            value = mode[k] * mean_b[m] + mean_b[k] * mode[m] - mode[k] * mode[m]
            for r in range(k, random):
                for c in range(m, random):
                    value += scale[k, r] * mean_zz[r, c] * scale[m, c]
            mean_bb[k, m] = value
            mean_bb[m, k] = value


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _visit_gradient(row, i, cuts, path, shared, random, block, mean_b, mean_bb, out):
    """Expected score of the visits with respect to mean path, own clock and residual SD."""
    sd = shared.sigma[cuts.noise[i]]
    inv_var, quad = 1.0 / (sd * sd), shared.quad
    ssr = block.sums[row, 1]
    for k in range(random):
        ssr -= 2.0 * mean_b[k] * block.zr[row, k]
        for m in range(random):
            ssr += block.zz[row, k, m] * mean_bb[k, m]
    out.scalars[1 + cuts.noise[i]] += (-block.sums[row, 0] + ssr * inv_var) / sd
    b0, b1, b01, b11 = mean_b[0], mean_b[1], mean_bb[0, 1], mean_bb[1, 1]
    b2 = mean_b[2] if random == 3 else 0.0
    b12 = mean_bb[1, 2] if random == 3 else 0.0
    for e in range(cuts.seg_ptr[i], cuts.seg_ptr[i + 1]):
        x = cuts.cross[e]
        if x[N] == 0.0:
            continue
        a, r, p, s = path.level[e], path.rate[e], path.own_level[e], path.own_rate[e]
        res = x[SY] - a * x[N] - r * x[SD] - quad * x[SU]
        res_d = x[SDY] - a * x[SD] - r * x[SDD] - quad * x[SDU]
        res_u = x[SUY] - a * x[SU] - r * x[SDU] - quad * x[SUU]
        own, own_d, own_u = p * x[N] + s * x[SD], p * x[SD] + s * x[SDD], p * x[SU] + s * x[SDU]
        out.level[e] += inv_var * (res - x[N] * b0 - own * b1 - x[SU] * b2)
        out.rate[e] += inv_var * (res_d - x[SD] * b0 - own_d * b1 - x[SDU] * b2)
        out.scalars[0] += inv_var * (res_u - x[SU] * b0 - own_u * b1 - x[SUU] * b2)
        out.own_level[e] += inv_var * (b1 * res - x[N] * b01 - own * b11 - x[SU] * b12)
        out.own_rate[e] += inv_var * (b1 * res_d - x[SD] * b01 - own_d * b11 - x[SDU] * b12)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _event_gradient(i, cuts, path, shared, weibull, random, mean_b, out):
    """Expected score of the log hazard at the event."""
    if cuts.event[i] == 0.0:
        return
    e, t = cuts.event_seg[i], cuts.event_time[i]
    d = t - cuts.seg_ref[e]
    which, quad = cuts.seg_alpha[e], shared.quad
    a1, a2 = shared.alpha[which, 0], shared.alpha[which, 1]
    own = path.own_level[e] + path.own_rate[e] * d
    lever = a1 * d + a2
    b2 = mean_b[2] if random == 3 else 0.0
    out.offset[e] += 1.0
    out.level[e] += a1
    out.rate[e] += lever
    out.scalars[0] += a1 * t * t + 2.0 * a2 * t
    out.own_level[e] += a1 * mean_b[1]
    out.own_rate[e] += lever * mean_b[1]
    out.alpha[which, 0] += path.level[e] + path.rate[e] * d + quad * t * t + mean_b[0] + own * mean_b[1] + t * t * b2
    out.alpha[which, 1] += path.rate[e] + 2.0 * quad * t + path.own_rate[e] * mean_b[1] + 2.0 * t * b2
    if weibull:
        shape = math.exp(shared.base[1])
        clock = path.clock_level[e] + path.clock_rate[e] * d
        out.base[0] += 1.0
        out.base[1] += 1.0 + shape * math.log(clock)
        out.clock_level[e] += (shape - 1.0) / clock
        out.clock_rate[e] += (shape - 1.0) / clock * d
    else:
        out.base[cuts.event_piece[i]] += 1.0


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _expected_hazards(row, left, right, random, rule, block):
    """Posterior expectations of h and of h b at each node, into eta (h) and the rows of zeta (h b_k), which are done with."""
    weight, grid, mode, scale = block.weight, rule.grid, block.mode[row], block.scale[row]
    s00, s01, s11 = scale[0, 0], scale[0, 1], scale[1, 1]
    for n in range(left, right):
        h = block.points[n]
        total, z0, z1, z2 = 0.0, 0.0, 0.0, 0.0
        for g in range(weight.size):
            wh = weight[g] * h[g]
            total += wh
            z0 += wh * grid[0, g]
            z1 += wh * grid[1, g]
            if random == 3:
                z2 += wh * grid[2, g]
        block.eta[n] = total
        block.zeta[0, n] = mode[0] * total + s00 * z0 + s01 * z1
        block.zeta[1, n] = mode[1] * total + s11 * z1
        if random == 3:
            block.zeta[0, n] += scale[0, 2] * z2
            block.zeta[1, n] += scale[1, 2] * z2
            block.zeta[2, n] = mode[2] * total + scale[2, 2] * z2


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _hazard_gradient(origin, count, cuts, path, shared, weibull, random, block, out):
    """Expected score of minus the cumulative hazard, over all nodes of the block."""
    shape = math.exp(shared.base[1]) if weibull else 1.0
    which, before, a1, a2 = 0, -1, 0.0, 0.0
    for n in range(count):
        e, t = cuts.node_seg[origin + n], cuts.node_time[origin + n]
        if e != before:
            before, which = e, cuts.seg_alpha[e]
            a1, a2 = shared.alpha[which, 0], shared.alpha[which, 1]
        d = t - cuts.seg_ref[e]
        h, hb0, hb1 = block.eta[n], block.zeta[0, n], block.zeta[1, n]
        hb2 = block.zeta[2, n] if random == 3 else 0.0
        own = path.own_level[e] + path.own_rate[e] * d
        lever = a1 * d + a2
        out.offset[e] -= h
        out.level[e] -= a1 * h
        out.rate[e] -= lever * h
        out.scalars[0] -= (a1 * t * t + 2.0 * a2 * t) * h
        out.own_level[e] -= a1 * hb1
        out.own_rate[e] -= lever * hb1
        out.alpha[which, 0] -= block.value[n] * h + hb0 + own * hb1 + t * t * hb2
        out.alpha[which, 1] -= block.speed[n] * h + path.own_rate[e] * hb1 + 2.0 * t * hb2
        if weibull:
            out.base[0] -= h
            out.base[1] -= h * (1.0 + shape * block.log_clock[n])
            pull = h * (shape - 1.0) * math.exp(-block.log_clock[n])
            out.clock_level[e] -= pull
            out.clock_rate[e] -= pull * d
        else:
            out.base[cuts.node_piece[origin + n]] -= h


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _exponentiate(first, last, origin, count, cuts, random, abscissae, block):
    """Hazards at the mode, and the power of each positive abscissa in each dimension, for the whole block at once."""
    q = abscissae.size
    half = q // 2
    for row in range(last - first):
        left, right = cuts.node_ptr[first + row] - origin, cuts.node_ptr[first + row + 1] - origin
        m0, m1 = block.mode[row, 0], block.mode[row, 1]
        s00, s01, s11 = block.scale[row, 0, 0], block.scale[row, 0, 1], block.scale[row, 1, 1]
        for n in range(left, right):
            z0, z1 = block.zeta[0, n], block.zeta[1, n]
            block.eta[n] = block.constant[n] + z0 * m0 + z1 * m1
            block.up[0, n] = s00 * z0
            block.up[half, n] = s01 * z0 + s11 * z1
        if random == 3:
            m2, s02, s12, s22 = block.mode[row, 2], block.scale[row, 0, 2], block.scale[row, 1, 2], block.scale[row, 2, 2]
            for n in range(left, right):
                z0, z1, z2 = block.zeta[0, n], block.zeta[1, n], block.zeta[2, n]
                block.eta[n] += z2 * m2
                block.up[2 * half, n] = s02 * z0 + s12 * z1 + s22 * z2
    exp_into(block.eta, count, block.hazard, block.buffer, block.bits)
    for k in range(random):
        for j in range(half - 1, -1, -1):
            x = abscissae[q - half + j]
            for n in range(count):
                block.eta[n] = x * block.up[k * half, n]
            exp_into(block.eta, count, block.up[k * half + j], block.buffer, block.bits)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def general_loglik(path, shared, cuts, rule, weibull, gradient, prior_precision, half_logdet, loglik, out, sum_bb):
    """`joint_loglik` for two or three random effects and any number of nodes; False when undefined anywhere."""
    people, random = cuts.seg_ptr.size - 1, shared.covariance.shape[0]
    block = _scratch(cuts, random, rule.log_weight.size, max(rule.abscissae.size // 2, 1))
    mean_z, mean_zz = np.zeros(random), np.zeros((random, random))
    mean_b, mean_bb = np.zeros(random), np.zeros((random, random))
    for first in range(0, people, BLOCK):
        last = min(first + BLOCK, people)
        origin = cuts.node_ptr[first]
        count = _place_nodes(first, last, cuts, path, shared, weibull, random, block)
        for row in range(last - first):
            i = first + row
            if not _score_posterior(row, i, cuts, path, shared, weibull, prior_precision, half_logdet, block):
                return False
            for n in range(cuts.node_ptr[i] - origin, cuts.node_ptr[i + 1] - origin):
                block.eta[n] = block.constant[n] + block.zeta[0, n] * block.mu[row, 0] + block.zeta[1, n] * block.mu[row, 1]
                if random == 3:
                    block.eta[n] += block.zeta[2, n] * block.mu[row, 2]
        exp_into(block.eta, count, block.hazard, block.buffer, block.bits)
        for row in range(last - first):
            i = first + row
            if not _recentre(row, cuts.node_ptr[i] - origin, cuts.node_ptr[i + 1] - origin, block, random):
                return False
        _exponentiate(first, last, origin, count, cuts, random, rule.abscissae, block)
        for row in range(last - first):
            i = first + row
            left, right = cuts.node_ptr[i] - origin, cuts.node_ptr[i + 1] - origin
            _grid_hazards(row, left, right, random, rule.abscissae, block)
            integral = _weigh_grid(row, random, rule, block, mean_z, mean_zz)
            loglik[i] = block.sums[row, 2] + integral
            if integral == -np.inf:
                return False
            if not gradient:
                continue
            _moments(row, random, block, mean_z, mean_zz, mean_b, mean_bb)
            sum_bb += mean_bb
            _visit_gradient(row, i, cuts, path, shared, random, block, mean_b, mean_bb, out)
            _event_gradient(i, cuts, path, shared, weibull, random, mean_b, out)
            _expected_hazards(row, left, right, random, rule, block)
        if not gradient:
            continue
        _hazard_gradient(origin, count, cuts, path, shared, weibull, random, block, out)
    return True
