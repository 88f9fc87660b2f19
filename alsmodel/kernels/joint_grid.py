r"""Quadrature over the random effects of one participant, recentred and rescaled: cumulative hazards, weights, and expectations.

With :math:`b = m + S z` and S upper triangular the hazard at a node is :math:`h(t; z) = h(t; 0) \prod_k v_k(t)^{z_k}`, where
:math:`\log v_k = \sum_{r \le k} S_{rk} \zeta_r(t)`. Where one association holds for all of a participant's time, :math:`\zeta_0` does
not move, nor then does :math:`v_0`, and the first random effect is a factor outside every sum over nodes: :math:`Q^{q-1}` sums in place
of :math:`Q^q`. With the last random effect innermost, only products over those between are held for each node.
"""

import math

import numpy as np
from numba import njit

from alsmodel.kernels.joint_gap import add_gap, weigh_gap
from alsmodel.kernels.vectors import exp_into


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def exponentiate(first, last, node_ptr, random, abscissae, block):
    """Hazards at the mode, and the power of each abscissa in each dimension, for the whole block at once."""
    eta, constant, zeta, product, power, buffer, bits = (
        block.eta, block.constant, block.zeta, block.product, block.power, block.buffer, block.bits,
    )  # fmt: skip
    mode, scale, leads = block.mode, block.scale, block.leads
    q, origin = abscissae.size, node_ptr[first]
    half, count, fixed = q // 2, node_ptr[last] - origin, True
    for row in range(last - first):
        fixed = fixed and leads[row] == 1
        left, right = np.uint64(node_ptr[first + row] - origin), np.uint64(node_ptr[first + row + 1] - origin)
        m0, m1 = mode[row, 0], mode[row, 1]
        for n in range(left, right):
            eta[n] = constant[n] + zeta[0, n] * m0 + zeta[1, n] * m1
        for k in range(2, random):
            m = mode[row, k]
            for n in range(left, right):
                eta[n] += m * zeta[k, n]
    exp_into(eta, count, block.hazard, buffer, bits)
    whole = np.uint64(count)
    for k in range(1 if fixed else 0, random):
        for row in range(last - first):
            left, right = np.uint64(node_ptr[first + row] - origin), np.uint64(node_ptr[first + row + 1] - origin)
            s = scale[row, k, k]
            for n in range(left, right):
                product[n] = s * zeta[k, n]
            for r in range(k):
                s = scale[row, r, k]
                for n in range(left, right):
                    product[n] += s * zeta[r, n]
        for j in range(half):
            x, above, below = abscissae[q - half + j], k * q + q - half + j, k * q + half - 1 - j
            for n in range(np.uint64(0), whole):
                eta[n] = x * product[n]
            exp_into(eta, count, power[above], buffer, bits)
            for n in range(np.uint64(0), whole):
                power[below, n] = 1.0 / power[above, n]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def grid_hazards(left, right, lead, random, q, block_prefix, power, hazard, cumulative):
    """Cumulative hazard over the grid of all random effects that move with time; leaves the prefixes of the nodes behind."""
    prefix, size = block_prefix, 1
    for n in range(left, right):
        prefix[0, n] = hazard[n]
    for k in range(lead, random - 1):
        for p in range(size - 1, -1, -1):
            for j in range(q - 1, -1, -1):
                at, target = k * q + j, p * q + j
                for n in range(left, right):
                    prefix[target, n] = prefix[p, n] * power[at, n]
        size *= q
    final = (random - 1) * q
    for p in range(size):
        for j in range(q):
            total = 0.0
            for n in range(left, right):
                total += prefix[p, n] * power[final + j, n]
            cumulative[p * q + j] = total
    return size * q


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _tilt(row, random, scale, precision, mode, mu, shift, curve, tilt):
    """Linear and quadratic part, in z, of the scores' log density about the mode; returns its value there."""
    start = 0.0
    for m in range(random):
        tilt[m] = 0.0
        for r in range(random):
            tilt[m] += precision[row, m, r] * (mode[row, r] - mu[row, r])
        start += 0.5 * (mode[row, m] - mu[row, m]) * tilt[m]
    for k in range(random):
        shift[k] = 0.0
        for m in range(k + 1):
            shift[k] += scale[row, m, k] * tilt[m]
            value = 0.0
            for r in range(k + 1):
                for c in range(m + 1):
                    value += scale[row, r, k] * precision[row, r, c] * scale[row, c, m]
            curve[k, m] = value
    return start


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _moments(row, random, mode, scale, mean_z, mean_zz, mean_b, mean_bb):
    """Posterior mean of b and of b b' from those of z, with b = mode + scale z."""
    for k in range(random):
        mean_b[row, k] = mode[row, k]
        for m in range(k, random):
            mean_b[row, k] += scale[row, k, m] * mean_z[m]
    for k in range(random):
        for m in range(k + 1):
            value = mode[row, k] * mean_b[row, m] + mean_b[row, k] * mode[row, m] - mode[row, k] * mode[row, m]
            for r in range(k, random):
                for c in range(m, random):
                    value += scale[row, k, r] * (mean_zz[r, c] if r >= c else mean_zz[c, r]) * scale[row, m, c]
            mean_bb[row, k, m] = value
            mean_bb[row, m, k] = value


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _expectations(left, right, lead, rest, weight, factor, abscissae, grid, inner, part, prefix, power, eta, zeta):
    """Sums of h and h z over the grid, with these weights, at some nodes; those over the first random effect before anything moves."""
    q, random = abscissae.size, grid.shape[0]
    final, end = (random - 1) * q, random - 1
    for g in range(rest):
        inner[0, g], inner[1, g] = (0.0, 0.0) if lead == 1 else (weight[g], 0.0)
    if lead == 1:
        for j in range(q):
            for g in range(rest):
                w = weight[j * rest + g] * factor[j]
                inner[0, g] += w
                inner[1, g] += w * abscissae[j]
    for g in range(rest):
        inner[2, g] = inner[0, g] * grid[end, g]
    for n in range(left, right):
        eta[n] = 0.0
    for k in range(random):
        for n in range(left, right):
            zeta[k, n] = 0.0
    for p in range(rest // q):
        for n in range(left, right):
            part[n] = 0.0
        for j in range(q):
            at, a, b, c = final + j, inner[0, p * q + j], inner[2, p * q + j], inner[1, p * q + j]
            if lead == 1:
                for n in range(left, right):
                    h = prefix[p, n] * power[at, n]
                    part[n] += a * h
                    zeta[end, n] += b * h
                    zeta[0, n] += c * h
            else:
                for n in range(left, right):
                    h = prefix[p, n] * power[at, n]
                    part[n] += a * h
                    zeta[end, n] += b * h
        for n in range(left, right):
            eta[n] += part[n]
        for k in range(lead, end):
            z = grid[k, p * q]
            for n in range(left, right):
                zeta[k, n] += z * part[n]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def integrate(first, last, node_ptr, node_gap, random, rule, block, gradient, loglik):
    """Integral of each participant of the block, added to `loglik`; posterior moments of b, and expectations of h and h z at the nodes.

    The expectations, where the gradient is wanted, go into eta (h) and the rows of zeta (h z_k), which are done with. False when an
    integral is not finite.
    """
    # Arrays are taken out of their tuples once: doing so counts references, which costs more than the arithmetic.
    abscissae, grid, log_weight = rule.abscissae, rule.grid, rule.log_weight
    zeta, eta, hazard, power, part, prefix = block.zeta, block.eta, block.hazard, block.power, block.product, block.prefix
    leads, mode, mu, precision, scale, sums = block.leads, block.mode, block.mu, block.precision, block.scale, block.sums
    weight, raw, cumulative, inner, factor = block.weight, block.raw, block.cumulative, block.inner, block.factor
    buffer, bits, mean_b, mean_bb = block.buffer, block.bits, block.mean_b, block.mean_bb
    shift, tilt, mean_z = np.empty(random), np.empty(random), np.empty(random)
    curve, mean_zz = np.empty((random, random)), np.empty((random, random))
    q, points, origin = abscissae.size, np.uint64(weight.size), node_ptr[first]
    none = np.uint64(0)
    between = np.empty(weight.size)  # hazard that builds up while the event must have happened
    for row in range(last - first):
        left, right = np.uint64(node_ptr[first + row] - origin), np.uint64(node_ptr[first + row + 1] - origin)
        gap = np.uint64(node_gap[first + row] - origin)
        lead = leads[row]
        rest = grid_hazards(left, gap, lead, random, q, prefix, power, hazard, cumulative)
        if gap < right:
            grid_hazards(gap, right, lead, random, q, prefix, power, hazard, between)
        if lead == 1:
            v = scale[row, 0, 0] * zeta[0, left] if right > left else 0.0
            for j in range(q):
                factor[j] = math.exp(max(min(v * abscissae[j], 600.0), -600.0))
            for j in range(q - 1, -1, -1):
                for g in range(rest):
                    cumulative[j * rest + g] = factor[j] * cumulative[g]
                if gap < right:
                    for g in range(rest):
                        between[j * rest + g] = factor[j] * between[g]

        # Posterior weights of the grid.
        start = _tilt(row, random, scale, precision, mode, mu, shift, curve, tilt)
        for g in range(none, points):
            raw[g] = log_weight[g] - cumulative[g]
        if gap < right:
            add_gap(between, raw)
        for k in range(random):
            s, half = shift[k], 0.5 * curve[k, k]
            for g in range(none, points):
                raw[g] -= grid[k, g] * (s + half * grid[k, g])
            for m in range(k):
                both = curve[k, m]
                for g in range(none, points):
                    raw[g] -= both * grid[k, g] * grid[m, g]
        top = -np.inf
        for g in range(none, points):
            top = max(top, raw[g])
        if not (top > -1e300 and top < 1e300):
            return False
        for g in range(none, points):
            raw[g] -= top
        exp_into(raw, weight.size, weight, buffer, bits)
        total = 0.0
        for g in range(none, points):
            total += weight[g]
        loglik[first + row] = sums[row, 2] + top + math.log(total) - start + sums[row, 3]
        if not gradient:
            continue
        mean_z[:] = 0.0
        mean_zz[:] = 0.0
        for g in range(none, points):
            weight[g] /= total
            for k in range(random):
                wz = weight[g] * grid[k, g]
                mean_z[k] += wz
                for m in range(k + 1):
                    mean_zz[k, m] += wz * grid[m, g]
        _moments(row, random, mode, scale, mean_z, mean_zz, mean_b, mean_bb)

        _expectations(left, gap, lead, rest, weight, factor, abscissae, grid, inner, part, prefix, power, eta, zeta)
        if gap < right:
            weigh_gap(weight, between)
            _expectations(gap, right, lead, rest, between, factor, abscissae, grid, inner, part, prefix, power, eta, zeta)
    return True
