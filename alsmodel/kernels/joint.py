r"""Likelihood of decline and survival with each participant's random effects integrated out, and its gradient.

Participant :math:`i` has random effects :math:`b \sim N(0, D)` of dimension :math:`q` (intercept, slope, optional quadratic). Time
is cut into *segments*, within which everything that treatment does is linear in :math:`d = t - s_e`:

.. math::
    m(t) = A_e + R_e d + \kappa t^2 + Z(t)^\top b, \qquad Z(t) = (1,\; P_e + Q_e d,\; t^2)

with :math:`y_j \sim N(m(t_j), \sigma^2)` and hazard
:math:`h(t) = \exp\{g_e + \log h_0 + \alpha_1 m(t) + \alpha_2 m'(t)\}`.

Given the scores, :math:`b` is Gaussian with precision :math:`\Lambda = D^{-1} + Z^\top Z / \sigma^2`; the event's own term is linear
in :math:`b`, so it only shifts that Gaussian. What remains is :math:`E[\exp\{-H(b)\}]`, taken by Gauss-Hermite quadrature recentred
and rescaled at the mode (Liu & Pierce 1994, Biometrika 81:624, doi 10.1093/biomet/81.3.624). The gradient follows from Fisher's
identity: the expectation of the complete-data score under the participant's own posterior (Wulfsohn & Tsiatis 1997, Biometrics
53:330, doi 10.2307/2533118, uses the same expectations in an EM algorithm).
"""

import math

import numpy as np
from numba import njit

from alsmodel.kernels.smallmat import cholesky, inverse_from_cholesky, invert_transpose

# Columns of the per-segment cross-products of (1, d, t^2, y).
N, SD, SU, SDD, SDU, SUU, SY, SDY, SUY, SYY = range(10)
MAX_NEWTON = 30
NEWTON_TOLERANCE = 1e-4  # squared step in posterior SDs; the quadrature corrects what is left


@njit(cache=True, fastmath=False, nogil=True)
def _positions(path, t, segment, alpha, random, zeta):
    """Association vector zeta and association of the mean path at one time; returns (mean part, d alpha1, d alpha2)."""
    start, level, rate, own_level, own_rate, quad = path
    d = t - start[segment]
    value = level[segment] + rate[segment] * d + quad * t * t
    speed = rate[segment] + 2.0 * quad * t
    zeta[0] = alpha[0]
    zeta[1] = alpha[0] * (own_level[segment] + own_rate[segment] * d) + alpha[1] * own_rate[segment]
    if random == 3:
        zeta[2] = alpha[0] * t * t + alpha[1] * 2.0 * t
    return value, speed


@njit(cache=True, fastmath=False, nogil=True)
def _visits(path, first, last, cross, random, zz, zr):
    """Cross-products of residuals with Z; fills zz (q x q) and zr (q), returns (number of visits, residual sum of squares)."""
    _, level, rate, own_level, own_rate, quad = path
    zz[:] = 0.0
    zr[:] = 0.0
    count = 0.0
    squares = 0.0
    for e in range(first, last):
        x = cross[e]
        if x[N] == 0.0:
            continue
        a, r, p, s = level[e], rate[e], own_level[e], own_rate[e]
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


@njit(cache=True, fastmath=False, nogil=True)
def _newton(mode, mu, precision, constant, zetas, nodes, random, chol, work):
    """Mode of -(b - mu)' precision (b - mu) / 2 - H(b); leaves the Cholesky factor of the curvature there in chol.

    H is a sum of exponentials of linear forms, so from mu the steps fall short rather than overshoot: no damping is needed.
    """
    hessian = work[0]
    gradient = work[1, 0]
    for _ in range(MAX_NEWTON):
        for k in range(random):
            g = 0.0
            for m in range(random):
                g -= precision[k, m] * (mode[m] - mu[m])
                hessian[k, m] = precision[k, m]
            gradient[k] = g
        for n in range(nodes):
            eta = constant[n]
            for k in range(random):
                eta += zetas[n, k] * mode[k]
            h = math.exp(min(eta, 300.0))
            for k in range(random):
                weighted = h * zetas[n, k]
                gradient[k] -= weighted
                for m in range(k + 1):
                    hessian[k, m] += weighted * zetas[n, m]
        if not cholesky(hessian, random, chol):
            return False
        # Solve chol chol' step = gradient; size is the squared step in posterior SDs.
        step = work[1, 1]
        size = 0.0
        for k in range(random):
            value = gradient[k]
            for m in range(k):
                value -= chol[k, m] * step[m]
            step[k] = value / chol[k, k]
            size += step[k] * step[k]
        for k in range(random - 1, -1, -1):
            value = step[k]
            for m in range(k + 1, random):
                value -= chol[m, k] * step[m]
            step[k] = value / chol[k, k]
        for k in range(random):
            mode[k] += step[k]
        if size < NEWTON_TOLERANCE:
            return True
    return True


@njit(cache=True, fastmath=False, nogil=True)
def _hazards(mode, scale, constant, zetas, nodes, random, abscissae, table, h, cumulative):
    """Weighted hazards h[n, g] at every time n and quadrature point g = mode + scale z_g, and their sum over n.

    exp(zeta' scale z) is a product over dimensions, so a time point costs a few exponentials whatever the size of the grid.
    """
    q = abscissae.size
    half = q // 2
    size = q**random
    cumulative[:size] = 0.0
    for n in range(nodes):
        eta = constant[n]
        for k in range(random):
            eta += zetas[n, k] * mode[k]
        h0 = math.exp(min(eta, 300.0))
        for k in range(random):
            v = 0.0
            for m in range(k + 1):
                v += scale[m, k] * zetas[n, m]
            for j in range(half):
                up = math.exp(max(min(v * abscissae[q - 1 - j], 300.0), -300.0))
                table[k, q - 1 - j] = up
                table[k, j] = 1.0 / up
            if q % 2 == 1:
                table[k, half] = 1.0
        row = h[n]
        if random == 2:
            for i in range(q):
                left = h0 * table[0, i]
                for j in range(q):
                    row[i * q + j] = left * table[1, j]
        else:
            for i in range(q):
                for j in range(q):
                    left = h0 * table[0, i] * table[1, j]
                    for k in range(q):
                        row[(i * q + j) * q + k] = left * table[2, k]
        for g in range(size):
            cumulative[g] += row[g]


@njit(cache=True, fastmath=False, nogil=True)
def joint_loglik(
    mean_level, mean_rate, quad, own_level, own_rate, clock_level, clock_rate, offset, base, alpha, sigma, covariance,
    seg_ptr, seg_start, cross, node_ptr, node_seg, node_time, node_logw, node_piece,
    event_seg, event_time, event_piece, event, abscissae, grid, grid_logw, weibull,
):  # fmt: skip
    r"""Log-likelihood of each participant and the gradient of their sum.

    Parameters
    ----------
    mean_level, mean_rate, own_level, own_rate : array, shape (S,)
        :math:`A_e, R_e` (outcome, outcome per time) and :math:`P_e, Q_e` (time, unitless) of each segment.
    quad : float
        :math:`\kappa`, outcome per squared time.
    clock_level, clock_rate : array, shape (S,)
        Time on the hazard's clock at the segment's start, and its rate; used by the Weibull baseline only.
    offset : array, shape (S,)
        :math:`g_e`, covariates and treatment on the log hazard.
    base : array
        Log hazard of each piece; or (log scale, log shape) of the Weibull.
    alpha : array, shape (2,)
        Association through the current value and the current slope.
    sigma : float
        Residual SD.
    covariance : array, shape (q, q)
        :math:`D`; q is 2 or 3.
    seg_ptr, node_ptr : int array, shape (N + 1,)
        Where each participant's segments and hazard quadrature nodes begin.
    seg_start, cross : array, shape (S,), (S, 10)
        Reference time of each segment; cross-products of (1, d, t^2, y) over its visits.
    node_seg, node_time, node_logw, node_piece : array
        Segment, time, log weight and piece of each node of the cumulative hazard.
    event_seg, event_time, event_piece, event : array, shape (N,)
        The end of follow-up, and whether it was the event (1.0) or censoring (0.0).
    abscissae, grid, grid_logw : array, shape (Q,), (Q**q, q), (Q**q,)
        Gauss-Hermite rule of the standard normal: nodes, their product grid, log weights plus half the squared norm.
    weibull : bool
        Whether `base` is (log scale, log shape).

    Returns
    -------
    tuple
        Log-likelihoods (N,), -inf where undefined; then gradients of the sum with respect to mean_level, mean_rate, quad, own_level,
        own_rate, clock_level, clock_rate, offset, base, alpha, sigma, covariance.
    """
    people = seg_ptr.size - 1
    random = covariance.shape[0]
    total_segments = mean_level.size
    size = grid_logw.size
    most = 1
    for i in range(people):
        most = max(most, node_ptr[i + 1] - node_ptr[i])
    loglik = np.zeros(people)
    g_level, g_rate = np.zeros(total_segments), np.zeros(total_segments)
    g_own_level, g_own_rate = np.zeros(total_segments), np.zeros(total_segments)
    g_clock_level, g_clock_rate = np.zeros(total_segments), np.zeros(total_segments)
    g_offset = np.zeros(total_segments)
    g_base = np.zeros(base.size)
    g_alpha = np.zeros(2)
    g_cov = np.zeros((random, random))
    g_sigma = 0.0
    g_quad = 0.0

    zz, zr = np.zeros((random, random)), np.zeros(random)
    precision, prior_precision = np.zeros((random, random)), np.zeros((random, random))
    chol, scale, work = np.zeros((random, random)), np.zeros((random, random)), np.zeros((2, 3, 3))
    inner, shift = np.zeros((random, random)), np.zeros(random)
    mu, mode, info = np.zeros(random), np.zeros(random), np.zeros(random)
    mean_b, mean_bb, hb = np.zeros(random), np.zeros((random, random)), np.zeros(random)
    mean_z, mean_zz = np.zeros(random), np.zeros((random, random))
    zeta_event, zeta = np.zeros(3), np.zeros(3)
    constant, values, speeds, clocks = np.zeros(most), np.zeros(most), np.zeros(most), np.zeros(most)
    zetas = np.zeros((most, random))
    table = np.zeros((random, abscissae.size))
    h, cumulative, weight = np.zeros((most, size)), np.zeros(size), np.zeros(size)
    gz = np.ascontiguousarray(grid.T)
    sum_cov = np.zeros((random, random))

    path = (seg_start, mean_level, mean_rate, own_level, own_rate, quad)
    fine = sigma > 0.0 and cholesky(covariance, random, chol)
    if not fine:
        loglik[:] = -np.inf
        return (loglik, g_level, g_rate, g_quad, g_own_level, g_own_rate, g_clock_level, g_clock_rate, g_offset, g_base, g_alpha, g_sigma, g_cov)  # fmt: skip
    half_logdet = 0.0
    for k in range(random):
        half_logdet += math.log(chol[k, k])
    inverse_from_cholesky(chol, random, prior_precision, work[0])
    inv_var = 1.0 / (sigma * sigma)
    shape = math.exp(base[1]) if weibull else 1.0
    log_shape = base[1] if weibull else 0.0

    for i in range(people):
        first, last = seg_ptr[i], seg_ptr[i + 1]
        n0, nodes = node_ptr[i], node_ptr[i + 1] - node_ptr[i]
        count, squares = _visits(path, first, last, cross, random, zz, zr)
        delta = event[i]
        es = event_seg[i]
        te = event_time[i]
        value_e, speed_e = _positions(path, te, es, alpha, random, zeta_event)
        clock_e = 1.0
        for k in range(random):
            info[k] = zr[k] * inv_var + delta * zeta_event[k]
            for m in range(random):
                precision[k, m] = prior_precision[k, m] + zz[k, m] * inv_var
        if not cholesky(precision, random, chol):
            loglik[i] = -np.inf
            continue
        quadratic = 0.0
        for k in range(random):  # mu = precision^-1 info, by forward and back substitution
            value = info[k]
            for m in range(k):
                value -= chol[k, m] * mu[m]
            mu[k] = value / chol[k, k]
            quadratic += mu[k] * mu[k]
        for k in range(random - 1, -1, -1):
            value = mu[k]
            for m in range(k + 1, random):
                value -= chol[m, k] * mu[m]
            mu[k] = value / chol[k, k]
        ll = -0.5 * count * math.log(2.0 * math.pi / inv_var) - half_logdet - 0.5 * squares * inv_var + 0.5 * quadratic
        if delta > 0.0:
            ll += delta * (offset[es] + alpha[0] * value_e + alpha[1] * speed_e)
            if weibull:
                clock_e = clock_level[es] + clock_rate[es] * (te - seg_start[es])
                ll += delta * (base[0] + log_shape + (shape - 1.0) * math.log(clock_e))
            else:
                ll += delta * base[event_piece[i]]

        for n in range(nodes):
            e, t = node_seg[n0 + n], node_time[n0 + n]
            values[n], speeds[n] = _positions(path, t, e, alpha, random, zeta)
            for k in range(random):
                zetas[n, k] = zeta[k]
            eta = node_logw[n0 + n] + offset[e] + alpha[0] * values[n] + alpha[1] * speeds[n]
            if weibull:
                clocks[n] = math.log(clock_level[e] + clock_rate[e] * (t - seg_start[e]))
                eta += base[0] + log_shape + (shape - 1.0) * clocks[n]
            else:
                eta += base[node_piece[n0 + n]]
            constant[n] = eta

        for k in range(random):
            mode[k] = mu[k]
        if not _newton(mode, mu, precision, constant, zetas, nodes, random, chol, work):
            loglik[i] = -np.inf
            continue
        invert_transpose(chol, random, scale)  # scale scale' = curvature^-1, scale upper triangular
        logdet_scale = 0.0
        for k in range(random):
            logdet_scale -= math.log(chol[k, k])
        _hazards(mode, scale, constant, zetas, nodes, random, abscissae, table, h, cumulative)

        # Weights of the grid: shift = scale' precision (mode - mu), inner = scale' precision scale.
        start_value = 0.0
        for k in range(random):
            s = 0.0
            for m in range(random):
                pm = 0.0
                for r in range(random):
                    pm += precision[m, r] * (mode[r] - mu[r])
                s += scale[m, k] * pm
                if k == 0:
                    start_value += 0.5 * (mode[m] - mu[m]) * pm
            shift[k] = s
            for m in range(k + 1):
                s = 0.0
                for r in range(random):
                    for c in range(random):
                        s += scale[r, k] * precision[r, c] * scale[c, m]
                inner[k, m] = s
                inner[m, k] = s
        top = -np.inf
        if random == 2:
            a0, a1, m00, m01, m11 = shift[0], shift[1], 0.5 * inner[0, 0], inner[0, 1], 0.5 * inner[1, 1]
            for g in range(size):
                z0, z1 = gz[0, g], gz[1, g]
                w = grid_logw[g] - a0 * z0 - a1 * z1 - m00 * z0 * z0 - m01 * z0 * z1 - m11 * z1 * z1 - cumulative[g]
                weight[g] = w
                top = max(top, w)
        else:
            for g in range(size):
                w = grid_logw[g] - cumulative[g]
                for k in range(random):
                    w -= shift[k] * gz[k, g]
                    for m in range(random):
                        w -= 0.5 * inner[k, m] * gz[k, g] * gz[m, g]
                weight[g] = w
                top = max(top, w)
        if not top > -1e300:
            loglik[i] = -np.inf
            continue
        total = 0.0
        for g in range(size):
            weight[g] = math.exp(weight[g] - top)
            total += weight[g]
        ll += top + math.log(total) - start_value + logdet_scale
        loglik[i] = ll

        for k in range(random):
            mean_z[k] = 0.0
            for m in range(random):
                mean_zz[k, m] = 0.0
        for g in range(size):
            weight[g] /= total
            for k in range(random):
                wz = weight[g] * gz[k, g]
                mean_z[k] += wz
                for m in range(k + 1):
                    mean_zz[k, m] += wz * gz[m, g]
        for k in range(random):
            for m in range(k + 1, random):
                mean_zz[k, m] = mean_zz[m, k]
        for k in range(random):
            s = mode[k]
            for m in range(random):
                s += scale[k, m] * mean_z[m]
            mean_b[k] = s
        for k in range(random):
            for m in range(k + 1):
                s = mode[k] * mean_b[m] + mean_b[k] * mode[m] - mode[k] * mode[m]
                for r in range(random):
                    for c in range(random):
                        s += scale[k, r] * mean_zz[r, c] * scale[m, c]
                mean_bb[k, m] = s
                mean_bb[m, k] = s

        # Fisher's identity, part by part: residual SD and random-effect covariance ...
        ssr = squares
        for k in range(random):
            ssr -= 2.0 * mean_b[k] * zr[k]
            for m in range(random):
                ssr += zz[k, m] * mean_bb[k, m]
                sum_cov[k, m] += mean_bb[k, m]
        g_sigma += (-count + ssr * inv_var) / sigma
        b2 = mean_b[2] if random == 3 else 0.0
        b12 = mean_bb[1, 2] if random == 3 else 0.0
        # ... the visits ...
        for e in range(first, last):
            x = cross[e]
            if x[N] == 0.0:
                continue
            a, r, p, s = mean_level[e], mean_rate[e], own_level[e], own_rate[e]
            res = x[SY] - a * x[N] - r * x[SD] - quad * x[SU]
            res_d = x[SDY] - a * x[SD] - r * x[SDD] - quad * x[SDU]
            res_u = x[SUY] - a * x[SU] - r * x[SDU] - quad * x[SUU]
            own = p * x[N] + s * x[SD]
            own_d = p * x[SD] + s * x[SDD]
            own_u = p * x[SU] + s * x[SDU]
            g_level[e] += inv_var * (res - x[N] * mean_b[0] - own * mean_b[1] - x[SU] * b2)
            g_rate[e] += inv_var * (res_d - x[SD] * mean_b[0] - own_d * mean_b[1] - x[SDU] * b2)
            g_quad += inv_var * (res_u - x[SU] * mean_b[0] - own_u * mean_b[1] - x[SUU] * b2)
            g_own_level[e] += inv_var * (mean_b[1] * res - x[N] * mean_bb[0, 1] - own * mean_bb[1, 1] - x[SU] * b12)
            g_own_rate[e] += inv_var * (mean_b[1] * res_d - x[SD] * mean_bb[0, 1] - own_d * mean_bb[1, 1] - x[SDU] * b12)
        # ... the event ...
        if delta > 0.0:
            d = te - seg_start[es]
            own = own_level[es] + own_rate[es] * d
            g_offset[es] += delta
            g_level[es] += delta * alpha[0]
            g_rate[es] += delta * (alpha[0] * d + alpha[1])
            g_quad += delta * (alpha[0] * te * te + 2.0 * alpha[1] * te)
            g_own_level[es] += delta * alpha[0] * mean_b[1]
            g_own_rate[es] += delta * (alpha[0] * d + alpha[1]) * mean_b[1]
            g_alpha[0] += delta * (value_e + mean_b[0] + own * mean_b[1] + te * te * b2)
            g_alpha[1] += delta * (speed_e + own_rate[es] * mean_b[1] + 2.0 * te * b2)
            if weibull:
                g_base[0] += delta
                g_base[1] += delta * (1.0 + shape * math.log(clock_e))
                g_clock_level[es] += delta * (shape - 1.0) / clock_e
                g_clock_rate[es] += delta * (shape - 1.0) / clock_e * d
            else:
                g_base[event_piece[i]] += delta
        # ... and the cumulative hazard.
        for n in range(nodes):
            row = h[n]
            hbar = 0.0
            hz0, hz1, hz2 = 0.0, 0.0, 0.0
            for g in range(size):
                wh = weight[g] * row[g]
                hbar += wh
                hz0 += wh * gz[0, g]
                hz1 += wh * gz[1, g]
                if random == 3:
                    hz2 += wh * gz[2, g]
            for k in range(random):
                hb[k] = hbar * mode[k] + scale[k, 0] * hz0 + scale[k, 1] * hz1
                if random == 3:
                    hb[k] += scale[k, 2] * hz2
            e, t = node_seg[n0 + n], node_time[n0 + n]
            d = t - seg_start[e]
            own = own_level[e] + own_rate[e] * d
            hb2 = hb[2] if random == 3 else 0.0
            lever = alpha[0] * d + alpha[1]
            g_offset[e] -= hbar
            g_level[e] -= alpha[0] * hbar
            g_rate[e] -= lever * hbar
            g_quad -= (alpha[0] * t * t + 2.0 * alpha[1] * t) * hbar
            g_own_level[e] -= alpha[0] * hb[1]
            g_own_rate[e] -= lever * hb[1]
            g_alpha[0] -= values[n] * hbar + hb[0] + own * hb[1] + t * t * hb2
            g_alpha[1] -= speeds[n] * hbar + own_rate[e] * hb[1] + 2.0 * t * hb2
            if weibull:
                g_base[0] -= hbar
                g_base[1] -= hbar * (1.0 + shape * clocks[n])
                pull = hbar * (shape - 1.0) * math.exp(-clocks[n])
                g_clock_level[e] -= pull
                g_clock_rate[e] -= pull * d
            else:
                g_base[node_piece[n0 + n]] -= hbar

    # d/dD of the sum: (D^-1 E[bb'] D^-1 - D^-1) / 2 for each participant.
    for k in range(random):
        for m in range(random):
            s = -people * prior_precision[k, m]
            for r in range(random):
                for c in range(random):
                    s += prior_precision[k, r] * sum_cov[r, c] * prior_precision[c, m]
            g_cov[k, m] = 0.5 * s
    return (loglik, g_level, g_rate, g_quad, g_own_level, g_own_rate, g_clock_level, g_clock_rate, g_offset, g_base, g_alpha, g_sigma, g_cov)  # fmt: skip
