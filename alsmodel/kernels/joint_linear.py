r"""The integrated likelihood for a random intercept and slope with three Gauss-Hermite nodes each: the case that is fitted most.

Same quantity as `alsmodel.kernels.joint`, to which it is compared in the tests. What makes it fast: the association vector is
:math:`\zeta(t) = (\alpha_1, \zeta_1(t))`, whose first entry does not move with time, so with :math:`b = m + S z`, S upper triangular,

.. math:: h(t; z) = h(t; 0)\, u^{z_0} v(t)^{z_1}, \qquad u = e^{s_{00}\alpha_1},\; v(t) = e^{s_{01}\alpha_1 + s_{11}\zeta_1(t)}

and the cumulative hazards at all nine points of the grid are :math:`u^{i} \sum_t h(t) v(t)^{j}`: three sums.

Each step runs over a block of participants and works in scalars; rows of `state` carry a participant's numbers between steps.
"""

import math

import numpy as np
from numba import njit

from alsmodel.kernels.vectors import exp_into

ROOT3 = math.sqrt(3.0)
LOG_MIDDLE, LOG_RATIO = math.log(2.0 / 3.0), math.log(1.0 / 4.0)  # Gauss-Hermite weights of the standard normal, three nodes: 2/3, 1/6
BLOCK = 64
ONE = np.uint64(1)  # unsigned positions spare the compiler the check for negative ones, which keeps loops from vectorising
MAX_NEWTON = 40
SMALL_STEP = 0.1  # as in alsmodel.kernels.joint

# Columns of state.
MU0, MU1, P00, P01, P11, BASE_LL, COUNT, SQUARES, Z00, Z01, Z11, R0, R1, M0, M1, S00, S01, S11, ROOT_DET, A1, A2, SD, INV_VAR = range(23)
COLUMNS = 23


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _score_posteriors(first, last, path, shared, cuts, weibull, prior, half_logdet, state):
    """Gaussian posterior of b given the scores, shifted by the event; False when one does not exist."""
    ptr, cross, ref = cuts.seg_ptr, cuts.cross, cuts.seg_ref
    event, event_seg, event_time, event_piece = cuts.event, cuts.event_seg, cuts.event_time, cuts.event_piece
    level, rate, own_level, own_rate, offset = path.level, path.rate, path.own_level, path.own_rate, path.offset
    base, quad = shared.base, shared.bend[0]
    alpha, seg_alpha, noise, sigma = shared.alpha, cuts.seg_alpha, cuts.noise, shared.sigma
    inv_vars, log_vars = np.empty(sigma.size), np.empty(sigma.size)
    for k in range(sigma.size):
        inv_vars[k] = 1.0 / (sigma[k] * sigma[k])
        log_vars[k] = math.log(2.0 * math.pi / inv_vars[k])
    q00, q01, q11 = prior[0, 0], prior[0, 1], prior[1, 1]
    shape = math.exp(base[1]) if weibull else 1.0
    for row in range(last - first):
        i = first + row
        which, own = np.uint64(seg_alpha[ptr[i]]), np.uint64(noise[i])
        a1, a2, inv_var = alpha[which, 0], alpha[which, 1], inv_vars[own]
        state[row, A1], state[row, A2], state[row, SD], state[row, INV_VAR] = a1, a2, sigma[own], inv_var
        count, squares, z00, z01, z11, r0, r1 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for e in range(ptr[i], ptr[i + 1]):
            n = cross[e, 0]
            if n == 0.0:
                continue
            sd, su, sdd, sdu, suu = cross[e, 1], cross[e, 2], cross[e, 3], cross[e, 4], cross[e, 5]
            sy, sdy, suy, syy = cross[e, 6], cross[e, 7], cross[e, 8], cross[e, 9]
            a, r, p, s = level[e], rate[e], own_level[e], own_rate[e]
            res = sy - a * n - r * sd - quad * su
            res_d = sdy - a * sd - r * sdd - quad * sdu
            res_u = suy - a * su - r * sdu - quad * suu
            squares += syy - a * sy - r * sdy - quad * suy - a * res - r * res_d - quad * res_u
            count += n
            z00 += n
            z01 += p * n + s * sd
            z11 += p * p * n + 2.0 * p * s * sd + s * s * sdd
            r0 += res
            r1 += p * res + s * res_d
        f0, f1, ll = r0 * inv_var, r1 * inv_var, 0.0
        if event[i] > 0.0:
            e, t = event_seg[i], event_time[i]
            d = t - ref[e]
            f0 += a1
            f1 += a1 * (own_level[e] + own_rate[e] * d) + a2 * own_rate[e]
            ll = offset[e] + a1 * (level[e] + rate[e] * d + quad * t * t) + a2 * (rate[e] + 2.0 * quad * t)
            if weibull:
                clock = path.clock_level[e] + path.clock_rate[e] * d
                ll += base[0] + base[1] + (shape - 1.0) * math.log(clock)
            else:
                ll += base[event_piece[i]]
        p00, p01, p11 = q00 + z00 * inv_var, q01 + z01 * inv_var, q11 + z11 * inv_var
        det = p00 * p11 - p01 * p01
        if not det > 0.0:
            return False
        mu0, mu1 = (p11 * f0 - p01 * f1) / det, (p00 * f1 - p01 * f0) / det
        state[row, MU0], state[row, MU1] = mu0, mu1
        state[row, P00], state[row, P01], state[row, P11] = p00, p01, p11
        state[row, COUNT], state[row, SQUARES] = count, squares
        state[row, Z00], state[row, Z01], state[row, Z11] = z00, z01, z11
        state[row, R0], state[row, R1] = r0, r1
        state[row, M0], state[row, M1] = mu0, mu1
        quadratic = mu0 * f0 + mu1 * f1
        state[row, BASE_LL] = ll - 0.5 * count * log_vars[own] - half_logdet - 0.5 * squares * inv_var + 0.5 * quadratic
    return True


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _place_nodes(first, last, path, shared, cuts, weibull, state, constant, slope_zeta, log_clock, eta):
    """Log hazard at b = 0, association with the random slope, and log hazard at the score posterior's mean, at every node."""
    node_ptr, seg, time, ref = cuts.node_ptr, cuts.node_seg, cuts.node_time, cuts.seg_ref
    level, rate, own_level, own_rate, offset = path.level, path.rate, path.own_level, path.own_rate, path.offset
    quad = shared.bend[0]
    base, piece, logw = shared.base, cuts.node_piece, cuts.node_logw
    origin = np.uint64(node_ptr[first])
    scale, shape = 0.0, 1.0
    if weibull:
        scale, shape = base[0] + base[1], math.exp(base[1])
    for row in range(last - first):
        m0, m1, a1, a2 = state[row, MU0], state[row, MU1], state[row, A1], state[row, A2]
        k, end = np.uint64(node_ptr[first + row]), np.uint64(node_ptr[first + row + 1])
        while k < end:
            e = seg[k]
            stop = end  # most have one segment
            if seg[end - ONE] != e:
                stop = k
                while seg[stop] == e:
                    stop += ONE
            # Everything is linear in time on a segment, but for the quadratic mean.
            reference, own = ref[e], own_rate[e]
            c0 = offset[e] + a1 * level[e] + a2 * rate[e]
            c1 = a1 * rate[e]
            z0 = a1 * own_level[e] + a2 * own
            z1 = a1 * own
            for n in range(k, stop):
                t = time[n]
                d = t - reference
                c = logw[n] + c0 + c1 * d + quad * t * (a1 * t + 2.0 * a2)
                z = z0 + z1 * d
                constant[n - origin], slope_zeta[n - origin] = c, z
                eta[n - origin] = c + a1 * m0 + z * m1
            if weibull:
                for n in range(k, stop):
                    lc = math.log(path.clock_level[e] + path.clock_rate[e] * (time[n] - reference))
                    log_clock[n - origin] = lc
                    constant[n - origin] += scale + (shape - 1.0) * lc
                    eta[n - origin] += scale + (shape - 1.0) * lc
            k = stop
    if not weibull:
        for n in range(origin, np.uint64(node_ptr[last])):
            constant[n - origin] += base[piece[n]]
            eta[n - origin] += base[piece[n]]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _recentre(first, last, node_ptr, state, constant, slope_zeta, hazard, eta):
    """Newton steps to each participant's mode, and the Cholesky factor of the inverse curvature; leaves the exponents at the mode.

    The hazards at the score posterior's mean come in `hazard`; where the first step is long, further ones follow.
    """
    origin = node_ptr[first]
    for row in range(last - first):
        left, right = np.uint64(node_ptr[first + row] - origin), np.uint64(node_ptr[first + row + 1] - origin)
        mu0, mu1, p00, p01, p11 = state[row, MU0], state[row, MU1], state[row, P00], state[row, P01], state[row, P11]
        m0, m1, a1 = mu0, mu1, state[row, A1]
        h00, h01, h11 = p00, p01, p11
        for step in range(MAX_NEWTON):
            s0, s1, s2 = 0.0, 0.0, 0.0
            for n in range(left, right):
                h = hazard[n] if step == 0 else math.exp(min(constant[n] + a1 * m0 + slope_zeta[n] * m1, 600.0))
                hz = h * slope_zeta[n]
                s0 += h
                s1 += hz
                s2 += hz * slope_zeta[n]
            h00, h01, h11 = p00 + a1 * a1 * s0, p01 + a1 * s1, p11 + s2
            g0 = -p00 * (m0 - mu0) - p01 * (m1 - mu1) - a1 * s0
            g1 = -p01 * (m0 - mu0) - p11 * (m1 - mu1) - s1
            det = h00 * h11 - h01 * h01
            if not det > 0.0:
                return False
            d0, d1 = (h11 * g0 - h01 * g1) / det, (h00 * g1 - h01 * g0) / det
            m0 += d0
            m1 += d1
            if d0 * g0 + d1 * g1 < SMALL_STEP:
                break
        c00 = math.sqrt(h00)
        c10 = h01 / c00
        c11 = math.sqrt(h11 - c10 * c10)
        state[row, M0], state[row, M1] = m0, m1
        state[row, S00], state[row, S01], state[row, S11] = 1.0 / c00, -c10 / (c00 * c11), 1.0 / c11
        state[row, ROOT_DET] = c00 * c11
        for n in range(left, right):
            eta[n] = constant[n] + a1 * m0 + slope_zeta[n] * m1
    return True


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _powers(first, last, node_ptr, state, slope_zeta, eta):
    """Exponents of v at each node, then of each participant's u, times the positive abscissa."""
    origin, count = node_ptr[first], node_ptr[last] - node_ptr[first]
    for row in range(last - first):
        fixed, moving = ROOT3 * state[row, S01] * state[row, A1], ROOT3 * state[row, S11]
        eta[count + row] = ROOT3 * state[row, S00] * state[row, A1]
        for n in range(np.uint64(node_ptr[first + row] - origin), np.uint64(node_ptr[first + row + 1] - origin)):
            eta[n] = fixed + moving * slope_zeta[n]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _weigh(first, last, node_ptr, state, hazard, up, down, powers, eta, weight, buffer, bits, loglik):
    """Each participant's posterior weights of the nine points, in rows of `weight`, and log-likelihood; False when one is not finite.

    `powers` holds each participant's u.
    """
    origin = node_ptr[first]
    rows = last - first
    for row in range(rows):
        left, right = np.uint64(node_ptr[first + row] - origin), np.uint64(node_ptr[first + row + 1] - origin)
        low, middle, high = 0.0, 0.0, 0.0
        for n in range(left, right):
            low += down[n]
            middle += hazard[n]
            high += up[n]
        u = powers[row]
        s00, s01, s11 = state[row, S00], state[row, S01], state[row, S11]
        p00, p01, p11 = state[row, P00], state[row, P01], state[row, P11]
        e0, e1 = state[row, M0] - state[row, MU0], state[row, M1] - state[row, MU1]
        t0, t1 = p00 * e0 + p01 * e1, p01 * e0 + p11 * e1
        shift0, shift1 = ROOT3 * s00 * t0, ROOT3 * (s01 * t0 + s11 * t1)
        side0 = LOG_RATIO + 1.5 * (1.0 - s00 * p00 * s00)
        side1 = LOG_RATIO + 1.5 * (1.0 - (p00 * s01 * s01 + 2.0 * p01 * s01 * s11 + p11 * s11 * s11))
        cross = 3.0 * s00 * (p00 * s01 + p01 * s11)
        k = 9 * row
        v0 = side0 + side1 - cross + shift0 + shift1 - low / u
        v1 = side0 + shift0 - middle / u
        v2 = side0 + side1 + cross + shift0 - shift1 - high / u
        v3 = side1 + shift1 - low
        v4 = -middle
        v5 = side1 - shift1 - high
        v6 = side0 + side1 + cross - shift0 + shift1 - low * u
        v7 = side0 - shift0 - middle * u
        v8 = side0 + side1 - cross - shift0 - shift1 - high * u
        top = max(max(max(v0, v1), max(v2, v3)), max(max(v4, v5), max(max(v6, v7), v8)))
        if not (top > -1e300 and top < 1e300):
            return False
        eta[k], eta[k + 1], eta[k + 2] = v0 - top, v1 - top, v2 - top
        eta[k + 3], eta[k + 4], eta[k + 5] = v3 - top, v4 - top, v5 - top
        eta[k + 6], eta[k + 7], eta[k + 8] = v6 - top, v7 - top, v8 - top
        loglik[first + row] = state[row, BASE_LL] + 2.0 * LOG_MIDDLE + top - 0.5 * (e0 * t0 + e1 * t1)
    exp_into(eta, 9 * rows, weight, buffer, bits)
    for row in range(rows):
        k = 9 * row
        total = 0.0
        for j in range(9):
            total += weight[k + j]
        loglik[first + row] += math.log(total / state[row, ROOT_DET])
        total = 1.0 / total
        for j in range(9):
            weight[k + j] *= total
    return True


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _integrate(first, last, path, shared, cuts, weibull, state, hazard, up, down, powers, weight, expected, log_clock, out, sum_bb):
    """By Fisher's identity, everything that the quadrature adds to the gradient.

    `hazard`, `up` and `down` hold h, h v and h / v at every node, `powers` u; `expected` receives the posterior mean of h.
    """
    # Arrays are taken out of their tuples once: doing so counts references, which costs more than the arithmetic.
    node_ptr, seg, time, ref, node_piece = cuts.node_ptr, cuts.node_seg, cuts.node_time, cuts.seg_ref, cuts.node_piece
    seg_ptr, cross = cuts.seg_ptr, cuts.cross
    event_seg, event_time, event_piece, event = cuts.event_seg, cuts.event_time, cuts.event_piece, cuts.event
    level, rate, own_level, own_rate = path.level, path.rate, path.own_level, path.own_rate
    clock_level, clock_rate = path.clock_level, path.clock_rate
    g_level, g_rate, g_own_level, g_own_rate = out.level, out.rate, out.own_level, out.own_rate
    g_clock_level, g_clock_rate, g_offset, g_base = out.clock_level, out.clock_rate, out.offset, out.base
    seg_alpha, g_alpha, quad = cuts.seg_alpha, out.alpha, shared.bend[0]
    noise, g_scalars = cuts.noise, out.scalars
    origin = node_ptr[first]
    start_node = np.uint64(origin)
    g_sigma, g_quad, g_a1, g_a2, bb00, bb01, bb11 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    which, whose = seg_alpha[seg_ptr[first]], noise[first]  # whose association and residual SD the sums are of
    shape = math.exp(shared.base[1]) if weibull else 1.0
    for row in range(last - first):
        i = first + row
        left, right = np.uint64(node_ptr[i] - origin), np.uint64(node_ptr[i + 1] - origin)
        m0, m1, s00, s01, s11 = state[row, M0], state[row, M1], state[row, S00], state[row, S01], state[row, S11]
        a1, a2, sd, inv_var = state[row, A1], state[row, A2], state[row, SD], state[row, INV_VAR]
        if seg_alpha[seg_ptr[i]] != which:
            g_alpha[which, 0] += g_a1
            g_alpha[which, 1] += g_a2
            which, g_a1, g_a2 = seg_alpha[seg_ptr[i]], 0.0, 0.0
        if noise[i] != whose:
            g_scalars[1 + whose] += g_sigma
            whose, g_sigma = noise[i], 0.0
        u, j = powers[row], 9 * row
        w00, w01, w02 = weight[j], weight[j + 1], weight[j + 2]
        w10, w11, w12 = weight[j + 3], weight[j + 4], weight[j + 5]
        w20, w21, w22 = weight[j + 6], weight[j + 7], weight[j + 8]

        # Moments of z, then of b = m + S z.
        r0, r2 = w00 + w01 + w02, w20 + w21 + w22
        c0, c2 = w00 + w10 + w20, w02 + w12 + w22
        z0, z1, z00, z11 = ROOT3 * (r2 - r0), ROOT3 * (c2 - c0), 3.0 * (r2 + r0), 3.0 * (c2 + c0)
        z01 = 3.0 * (w22 + w00 - w02 - w20)
        b0, b1 = m0 + s00 * z0 + s01 * z1, m1 + s11 * z1
        v00 = s00 * s00 * (z00 - z0 * z0) + 2.0 * s00 * s01 * (z01 - z0 * z1) + s01 * s01 * (z11 - z1 * z1)
        v01 = s11 * (s00 * (z01 - z0 * z1) + s01 * (z11 - z1 * z1))
        v11 = s11 * s11 * (z11 - z1 * z1)
        b00, b01, b11 = v00 + b0 * b0, v01 + b0 * b1, v11 + b1 * b1
        bb00 += b00
        bb01 += b01
        bb11 += b11
        ssr = state[row, SQUARES] - 2.0 * (b0 * state[row, R0] + b1 * state[row, R1])
        ssr += state[row, Z00] * b00 + 2.0 * state[row, Z01] * b01 + state[row, Z11] * b11
        g_sigma += (-state[row, COUNT] + ssr * inv_var) / sd

        # Visits.
        for e in range(seg_ptr[i], seg_ptr[i + 1]):
            n = cross[e, 0]
            if n == 0.0:
                continue
            sd, su, sdd, sdu, suu = cross[e, 1], cross[e, 2], cross[e, 3], cross[e, 4], cross[e, 5]
            a, r, p, s = level[e], rate[e], own_level[e], own_rate[e]
            res = cross[e, 6] - a * n - r * sd - quad * su
            res_d = cross[e, 7] - a * sd - r * sdd - quad * sdu
            res_u = cross[e, 8] - a * su - r * sdu - quad * suu
            own, own_d, own_u = p * n + s * sd, p * sd + s * sdd, p * su + s * sdu
            g_level[e] += inv_var * (res - n * b0 - own * b1)
            g_rate[e] += inv_var * (res_d - sd * b0 - own_d * b1)
            g_own_level[e] += inv_var * (b1 * res - n * b01 - own * b11)
            g_own_rate[e] += inv_var * (b1 * res_d - sd * b01 - own_d * b11)
            g_quad += inv_var * (res_u - su * b0 - own_u * b1)

        # The event.
        if event[i] > 0.0:
            e, t = event_seg[i], event_time[i]
            d = t - ref[e]
            lever = a1 * d + a2
            g_offset[e] += 1.0
            g_level[e] += a1
            g_rate[e] += lever
            g_own_level[e] += a1 * b1
            g_own_rate[e] += lever * b1
            g_quad += a1 * t * t + 2.0 * a2 * t
            g_a1 += level[e] + rate[e] * d + quad * t * t + b0 + (own_level[e] + own_rate[e] * d) * b1
            g_a2 += rate[e] + 2.0 * quad * t + own_rate[e] * b1
            if weibull:
                clock = clock_level[e] + clock_rate[e] * d
                g_base[0] += 1.0
                g_base[1] += 1.0 + shape * math.log(clock)
                g_clock_level[e] += (shape - 1.0) / clock
                g_clock_rate[e] += (shape - 1.0) / clock * d
            else:
                g_base[event_piece[i]] += 1.0

        # The cumulative hazard: E[h z0^a z1^b] at a node is h times a polynomial in v and 1/v.
        wl, wm, wh = w00 / u + w10 + w20 * u, w01 / u + w11 + w21 * u, w02 / u + w12 + w22 * u
        xl, xm, xh = ROOT3 * (w20 * u - w00 / u), ROOT3 * (w21 * u - w01 / u), ROOT3 * (w22 * u - w02 / u)
        n = left
        while n < right:
            e = seg[start_node + n]
            stop = right
            if seg[start_node + right - ONE] != e:
                stop = n
                while seg[start_node + stop] == e:
                    stop += ONE
            h_sum, h_d, h_t, h_tt, hz0, hz1, hz1_d = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            reference = ref[e]
            for k in range(n, stop):
                t = time[start_node + k]
                d = t - reference
                hd, h, hu = down[k], hazard[k], up[k]
                hbar = wl * hd + wm * h + wh * hu
                along = wh * hu - wl * hd
                expected[k] = hbar
                h_sum += hbar
                h_d += d * hbar
                h_t += t * hbar
                h_tt += t * t * hbar
                hz0 += xl * hd + xm * h + xh * hu
                hz1 += along
                hz1_d += d * along
            hz1 *= ROOT3
            hz1_d *= ROOT3
            if weibull:
                for k in range(n, stop):
                    lc = log_clock[k]
                    pull = expected[k] * (shape - 1.0) * math.exp(-lc)
                    g_base[1] -= expected[k] * (1.0 + shape * lc)
                    g_clock_level[e] -= pull
                    g_clock_rate[e] -= pull * (time[start_node + k] - reference)
            n = stop
            hb1, hb1_d = m1 * h_sum + s11 * hz1, m1 * h_d + s11 * hz1_d
            p, s = own_level[e], own_rate[e]
            g_offset[e] -= h_sum
            g_level[e] -= a1 * h_sum
            g_rate[e] -= a1 * h_d + a2 * h_sum
            g_own_level[e] -= a1 * hb1
            g_own_rate[e] -= a1 * hb1_d + a2 * hb1
            g_quad -= a1 * h_tt + 2.0 * a2 * h_t
            g_a1 -= level[e] * h_sum + rate[e] * h_d + quad * h_tt + m0 * h_sum + s00 * hz0 + s01 * hz1 + p * hb1 + s * hb1_d
            g_a2 -= rate[e] * h_sum + 2.0 * quad * h_t + s * hb1
    # the Weibull's nodes are all of piece 0, its log scale
    for n in range(np.uint64(node_ptr[last] - origin)):
        g_base[node_piece[start_node + n]] -= expected[n]
    out.scalars[0] += g_quad
    g_scalars[1 + whose] += g_sigma
    g_alpha[which, 0] += g_a1
    g_alpha[which, 1] += g_a2
    sum_bb[0, 0] += bb00
    sum_bb[0, 1] += bb01
    sum_bb[1, 0] += bb01
    sum_bb[1, 1] += bb11


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy", inline="always")
def linear_loglik(path, shared, cuts, weibull, gradient, prior, half_logdet, loglik, out, sum_bb):
    """Fill `loglik`, add to the gradient `out` and to the sum of E[bb']; False when undefined anywhere.

    Parameters
    ----------
    path, shared, cuts, weibull, gradient
        As in `alsmodel.kernels.joint.joint_loglik`.
    prior, half_logdet
        Inverse of D, and half the log of its determinant.
    """
    people, node_ptr = cuts.seg_ptr.size - 1, cuts.node_ptr
    most = 1
    for first in range(0, people, BLOCK):
        most = max(most, node_ptr[min(first + BLOCK, people)] - node_ptr[first])
    state = np.empty((BLOCK, COLUMNS))
    constant, slope_zeta, log_clock, hazard, down = np.empty(most), np.empty(most), np.empty(most), np.empty(most), np.empty(most)
    room = max(most + BLOCK, 9 * BLOCK)
    eta, up, weight, buffer = np.empty(room), np.empty(most + BLOCK), np.empty(9 * BLOCK), np.empty(room)
    bits = buffer.view(np.int64)
    for first in range(0, people, BLOCK):
        last = min(first + BLOCK, people)
        count = node_ptr[last] - node_ptr[first]
        if not _score_posteriors(first, last, path, shared, cuts, weibull, prior, half_logdet, state):
            return False
        _place_nodes(first, last, path, shared, cuts, weibull, state, constant, slope_zeta, log_clock, eta)
        exp_into(eta, count, hazard, buffer, bits)
        if not _recentre(first, last, node_ptr, state, constant, slope_zeta, hazard, eta):
            return False
        exp_into(eta, count, hazard, buffer, bits)
        _powers(first, last, node_ptr, state, slope_zeta, eta)
        exp_into(eta, count + last - first, up, buffer, bits)
        powers = up[count:]
        for n in range(count):
            down[n] = hazard[n] / up[n]
        for n in range(count):
            up[n] *= hazard[n]
        if not _weigh(first, last, node_ptr, state, hazard, up, down, powers, eta, weight, buffer, bits, loglik):
            return False
        if gradient:
            _integrate(first, last, path, shared, cuts, weibull, state, hazard, up, down, powers, weight, eta, log_clock, out, sum_bb)
    return True
