"""Expected scores by Fisher's identity: what visits, events and cumulative hazards of a block of participants add to the gradient."""

import math

import numpy as np
from numba import njit

from alsmodel.kernels.bends import bends_at, unpack


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def visit_scores(first, last, cuts, path, shared, random, block, out):
    """Expected score of the visits with respect to mean path, own clock and residual SD."""
    means, squares, sums, zz, zr = block.mean_b, block.mean_bb, block.sums, block.zz, block.zr
    seg_ptr, cross, noise, sigma, coefficients = cuts.seg_ptr, cuts.cross, cuts.noise, shared.sigma, shared.bend
    level, rate, own_level, own_rate = path.level, path.rate, path.own_level, path.own_rate
    g_level, g_rate, g_own_level, g_own_rate, g_scalars = out.level, out.rate, out.own_level, out.own_rate, out.scalars
    terms = coefficients.size
    gram, residual = np.empty((2 + terms, 2 + terms)), np.empty(2 + terms)
    for row in range(last - first):
        i = first + row
        sd = sigma[noise[i]]
        inv_var = 1.0 / (sd * sd)
        ssr = sums[row, 1]
        for k in range(random):
            ssr -= 2.0 * means[row, k] * zr[row, k]
            for m in range(random):
                ssr += zz[row, k, m] * squares[row, k, m]
        g_scalars[terms + noise[i]] += (-sums[row, 0] + ssr * inv_var) / sd
        b0, b1, b01, b11 = means[row, 0], means[row, 1], squares[row, 0, 1], squares[row, 1, 1]
        for e in range(seg_ptr[i], seg_ptr[i + 1]):
            if cross[e, 0] == 0.0:
                continue
            unpack(cross, e, level[e], rate[e], coefficients, gram, residual)
            p, s = own_level[e], own_rate[e]
            for j in range(2 + terms):
                own = p * gram[0, j] + s * gram[1, j]
                left = residual[j] - gram[0, j] * b0 - own * b1
                for k in range(2, random):
                    left -= gram[k, j] * means[row, k]
                if j == 0:
                    g_level[e] += inv_var * left
                elif j == 1:
                    g_rate[e] += inv_var * left
                else:
                    g_scalars[j - 2] += inv_var * left
                if j < 2:
                    turned = b1 * residual[j] - gram[0, j] * b01 - own * b11
                    for k in range(2, random):
                        turned -= gram[k, j] * squares[row, 1, k]
                    if j == 0:
                        g_own_level[e] += inv_var * turned
                    else:
                        g_own_rate[e] += inv_var * turned


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def event_scores(first, last, cuts, path, shared, weibull, random, block, out):
    """Expected score of the log hazard at the events."""
    means, coefficients, alpha, knots = block.mean_b, shared.bend, shared.alpha, cuts.bend_knots
    event, event_seg, event_time, event_piece = cuts.event, cuts.event_seg, cuts.event_time, cuts.event_piece
    seg_ref, seg_alpha = cuts.seg_ref, cuts.seg_alpha
    value, speed = np.empty(coefficients.size), np.empty(coefficients.size)
    shape = math.exp(shared.base[1]) if weibull else 1.0
    for row in range(last - first):
        i = first + row
        if event[i] == 0.0:
            continue
        e, t = event_seg[i], event_time[i]
        d, which = t - seg_ref[e], seg_alpha[e]
        a1, a2 = alpha[which, 0], alpha[which, 1]
        own, b1 = path.own_level[e] + path.own_rate[e] * d, means[row, 1]
        lever = a1 * d + a2
        bends_at(t, knots, value, speed)
        level, rate = path.level[e] + path.rate[e] * d + means[row, 0] + own * b1, path.rate[e] + path.own_rate[e] * b1
        for k in range(value.size):
            coefficient = coefficients[k] + (means[row, 2 + k] if random > 2 else 0.0)
            level += coefficient * value[k]
            rate += coefficient * speed[k]
            out.scalars[k] += a1 * value[k] + a2 * speed[k]
        out.offset[e] += 1.0
        out.level[e] += a1
        out.rate[e] += lever
        out.own_level[e] += a1 * b1
        out.own_rate[e] += lever * b1
        out.alpha[which, 0] += level
        out.alpha[which, 1] += rate
        if weibull:
            clock = path.clock_level[e] + path.clock_rate[e] * d
            out.base[0] += 1.0
            out.base[1] += 1.0 + shape * math.log(clock)
            out.clock_level[e] += (shape - 1.0) / clock
            out.clock_rate[e] += (shape - 1.0) / clock * d
        else:
            out.base[event_piece[i]] += 1.0


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def hazard_scores(first, last, cuts, path, shared, random, block, out):
    """Expected score of minus the cumulative hazard, segment after segment.

    Reads the expectations of h and of h z at every node, and turns them into those of h b (b = mode + scale z). On a segment everything
    but the bending terms is linear in time.
    """
    time, node_seg, node_ptr, seg_ref, seg_alpha = cuts.node_time, cuts.node_seg, cuts.node_ptr, cuts.seg_ref, cuts.seg_alpha
    expected, zeta, bend, turn, mode, scale = block.eta, block.zeta, block.bend, block.turn, block.mode, block.scale
    level, rate, own_level, own_rate, alpha, coefficients = (
        path.level, path.rate, path.own_level, path.own_rate, shared.alpha, shared.bend,
    )  # fmt: skip
    g_level, g_rate, g_own_level, g_own_rate = out.level, out.rate, out.own_level, out.own_rate
    g_offset, g_alpha, g_scalars = out.offset, out.alpha, out.scalars
    origin, one = np.uint64(node_ptr[first]), np.uint64(1)
    for row in range(last - first):
        n, right = np.uint64(node_ptr[first + row]) - origin, np.uint64(node_ptr[first + row + 1]) - origin
        while n < right:
            e = node_seg[origin + n]
            stop = n
            while stop < right and node_seg[origin + stop] == e:
                stop += one
            which, ref = seg_alpha[e], seg_ref[e]
            a1, a2 = alpha[which, 0], alpha[which, 1]
            h_sum, h_d, z0, z1, z1_d = 0.0, 0.0, 0.0, 0.0, 0.0
            for k in range(n, stop):
                d = time[origin + k] - ref
                h_sum += expected[k]
                h_d += d * expected[k]
                z0 += zeta[0, k]
                z1 += zeta[1, k]
                z1_d += d * zeta[1, k]
            hb0 = mode[row, 0] * h_sum + scale[row, 0, 0] * z0 + scale[row, 0, 1] * z1
            hb1 = mode[row, 1] * h_sum + scale[row, 1, 1] * z1
            hb1_d = mode[row, 1] * h_d + scale[row, 1, 1] * z1_d
            for r in range(2, random):
                total, later = 0.0, 0.0
                for k in range(n, stop):
                    total += zeta[r, k]
                    later += (time[origin + k] - ref) * zeta[r, k]
                hb0 += scale[row, 0, r] * total
                hb1 += scale[row, 1, r] * total
                hb1_d += scale[row, 1, r] * later
            through_value = level[e] * h_sum + rate[e] * h_d + hb0 + own_level[e] * hb1 + own_rate[e] * hb1_d
            through_slope = rate[e] * h_sum + own_rate[e] * hb1
            for j in range(coefficients.size):
                at, on = 0.0, 0.0
                for k in range(n, stop):
                    at += bend[j, k] * expected[k]
                    on += turn[j, k] * expected[k]
                g_scalars[j] -= a1 * at + a2 * on
                through_value += coefficients[j] * at
                through_slope += coefficients[j] * on
                if random > 2:
                    through_value += mode[row, 2 + j] * at
                    through_slope += mode[row, 2 + j] * on
                    for r in range(2 + j, random):
                        total, later = 0.0, 0.0
                        for k in range(n, stop):
                            total += bend[j, k] * zeta[r, k]
                            later += turn[j, k] * zeta[r, k]
                        through_value += scale[row, 2 + j, r] * total
                        through_slope += scale[row, 2 + j, r] * later
            g_offset[e] -= h_sum
            g_level[e] -= a1 * h_sum
            g_rate[e] -= a1 * h_d + a2 * h_sum
            g_own_level[e] -= a1 * hb1
            g_own_rate[e] -= a1 * hb1_d + a2 * hb1
            g_alpha[which, 0] -= through_value
            g_alpha[which, 1] -= through_slope
            n = stop


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def baseline_scores(origin, count, cuts, shared, weibull, block, out):
    """Expected score of minus the cumulative hazard in the baseline, over all nodes of the block."""
    expected, piece, seg, base = block.eta, cuts.node_piece, cuts.node_seg, out.base
    if not weibull:
        for n in range(count):
            base[piece[origin + n]] -= expected[n]
        return
    log_clock, time, ref, g_level, g_rate = block.log_clock, cuts.node_time, cuts.seg_ref, out.clock_level, out.clock_rate
    shape = math.exp(shared.base[1])
    for n in range(count):
        h, e = expected[n], seg[origin + n]
        base[0] -= h
        base[1] -= h * (1.0 + shape * log_clock[n])
        pull = h * (shape - 1.0) * math.exp(-log_clock[n])
        g_level[e] -= pull
        g_rate[e] -= pull * (time[origin + n] - ref[e])
