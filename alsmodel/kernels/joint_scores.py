"""Expected scores of one participant, by Fisher's identity: what visits, event and cumulative hazard add to the gradient."""

import math

from numba import njit

from alsmodel.kernels.bends import bends_at, unpack


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def visit_scores(row, i, cuts, path, shared, random, block, out):
    """Expected score of the visits with respect to mean path, own clock and residual SD."""
    sd = shared.sigma[cuts.noise[i]]
    inv_var, terms = 1.0 / (sd * sd), shared.bend.size
    mean_b, mean_bb, gram, residual = block.mean_b, block.mean_bb, block.gram, block.residual
    ssr = block.sums[row, 1]
    for k in range(random):
        ssr -= 2.0 * mean_b[k] * block.zr[row, k]
        for m in range(random):
            ssr += block.zz[row, k, m] * mean_bb[k, m]
    out.scalars[terms + cuts.noise[i]] += (-block.sums[row, 0] + ssr * inv_var) / sd
    b0, b1, b01, b11 = mean_b[0], mean_b[1], mean_bb[0, 1], mean_bb[1, 1]
    for e in range(cuts.seg_ptr[i], cuts.seg_ptr[i + 1]):
        if cuts.cross[e, 0] == 0.0:
            continue
        unpack(cuts.cross[e], path, e, shared.bend, gram, residual)
        p, s = path.own_level[e], path.own_rate[e]
        for j in range(2 + terms):
            own = p * gram[0, j] + s * gram[1, j]
            left = residual[j] - gram[0, j] * b0 - own * b1
            for k in range(2, random):
                left -= gram[k, j] * mean_b[k]
            if j == 0:
                out.level[e] += inv_var * left
            elif j == 1:
                out.rate[e] += inv_var * left
            else:
                out.scalars[j - 2] += inv_var * left
            if j < 2:
                turned = b1 * residual[j] - gram[0, j] * b01 - own * b11
                for k in range(2, random):
                    turned -= gram[k, j] * mean_bb[1, k]
                if j == 0:
                    out.own_level[e] += inv_var * turned
                else:
                    out.own_rate[e] += inv_var * turned


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def event_scores(i, cuts, path, shared, weibull, random, block, out):
    """Expected score of the log hazard at the event."""
    if cuts.event[i] == 0.0:
        return
    e, t = cuts.event_seg[i], cuts.event_time[i]
    d = t - cuts.seg_ref[e]
    which, mean_b, value, speed = cuts.seg_alpha[e], block.mean_b, block.value, block.speed
    a1, a2 = shared.alpha[which, 0], shared.alpha[which, 1]
    own = path.own_level[e] + path.own_rate[e] * d
    lever = a1 * d + a2
    bends_at(t, cuts.bend_knots, value, speed)
    level, rate = path.level[e] + path.rate[e] * d + mean_b[0] + own * mean_b[1], path.rate[e] + path.own_rate[e] * mean_b[1]
    for k in range(value.size):
        coefficient = shared.bend[k] + (mean_b[2 + k] if random > 2 else 0.0)
        level += coefficient * value[k]
        rate += coefficient * speed[k]
        out.scalars[k] += a1 * value[k] + a2 * speed[k]
    out.offset[e] += 1.0
    out.level[e] += a1
    out.rate[e] += lever
    out.own_level[e] += a1 * mean_b[1]
    out.own_rate[e] += lever * mean_b[1]
    out.alpha[which, 0] += level
    out.alpha[which, 1] += rate
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
def _back_to_b(row, first, start, mode_part, sums, random, block):
    """Sum of w h b_first over nodes, from the sum of w h and those of w h z_r (r >= start): b = mode + scale z."""
    total = block.mode[row, first] * mode_part
    for r in range(start, random):
        total += block.scale[row, first, r] * sums[r]
    return total


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def hazard_scores(row, left, right, origin, cuts, path, shared, weibull, random, block, out):
    """Expected score of minus the cumulative hazard, segment after segment.

    Reads the expectations of h and of h z at every node; on a segment everything but the bending terms is linear in time.
    """
    time, node_seg, expected = cuts.node_time, cuts.node_seg, block.eta
    plain, moved, bent, turned = block.small[0, 0], block.small[1, 0], block.small[2, 0], block.small[3, 0]
    n = left
    while n < right:
        e = node_seg[origin + n]
        stop = n
        while stop < right and node_seg[origin + stop] == e:
            stop += 1
        which, ref = cuts.seg_alpha[e], cuts.seg_ref[e]
        a1, a2 = shared.alpha[which, 0], shared.alpha[which, 1]
        h_sum, h_d = 0.0, 0.0
        for k in range(n, stop):
            h_sum += expected[k]
            h_d += (time[origin + k] - ref) * expected[k]
        for r in range(random):
            zeta, total, later = block.zeta[r], 0.0, 0.0
            for k in range(n, stop):
                total += zeta[k]
                later += (time[origin + k] - ref) * zeta[k]
            plain[r], moved[r] = total, later
        hb0 = _back_to_b(row, 0, 0, h_sum, plain, random, block)
        hb1 = _back_to_b(row, 1, 1, h_sum, plain, random, block)
        hb1_d = _back_to_b(row, 1, 1, h_d, moved, random, block)
        through_value = path.level[e] * h_sum + path.rate[e] * h_d + hb0 + path.own_level[e] * hb1 + path.own_rate[e] * hb1_d
        through_slope = path.rate[e] * h_sum + path.own_rate[e] * hb1
        for j in range(shared.bend.size):
            bend, turn, at, on = block.bend[j], block.turn[j], 0.0, 0.0
            for k in range(n, stop):
                at += bend[k] * expected[k]
                on += turn[k] * expected[k]
            out.scalars[j] -= a1 * at + a2 * on
            through_value += shared.bend[j] * at
            through_slope += shared.bend[j] * on
            if random > 2:
                for r in range(2 + j, random):
                    zeta, total, later = block.zeta[r], 0.0, 0.0
                    for k in range(n, stop):
                        total += bend[k] * zeta[k]
                        later += turn[k] * zeta[k]
                    bent[r], turned[r] = total, later
                through_value += _back_to_b(row, 2 + j, 2 + j, at, bent, random, block)
                through_slope += _back_to_b(row, 2 + j, 2 + j, on, turned, random, block)
        out.offset[e] -= h_sum
        out.level[e] -= a1 * h_sum
        out.rate[e] -= a1 * h_d + a2 * h_sum
        out.own_level[e] -= a1 * hb1
        out.own_rate[e] -= a1 * hb1_d + a2 * hb1
        out.alpha[which, 0] -= through_value
        out.alpha[which, 1] -= through_slope
        n = stop


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def baseline_scores(origin, count, cuts, shared, weibull, block, out):
    """Expected score of minus the cumulative hazard in the baseline, over all nodes of the block."""
    expected = block.eta
    if not weibull:
        for n in range(count):
            out.base[cuts.node_piece[origin + n]] -= expected[n]
        return
    shape = math.exp(shared.base[1])
    for n in range(count):
        h, e = expected[n], cuts.node_seg[origin + n]
        out.base[0] -= h
        out.base[1] -= h * (1.0 + shape * block.log_clock[n])
        pull = h * (shape - 1.0) * math.exp(-block.log_clock[n])
        out.clock_level[e] -= pull
        out.clock_rate[e] -= pull * (cuts.node_time[origin + n] - cuts.seg_ref[e])
