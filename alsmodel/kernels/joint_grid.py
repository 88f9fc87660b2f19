r"""Quadrature over the random effects of one participant, recentred and rescaled: cumulative hazards, weights, and expectations.

With :math:`b = m + S z` and S upper triangular the hazard at a node is :math:`h(t; z) = h(t; 0) \prod_k v_k(t)^{z_k}`, where
:math:`\log v_k = \sum_{r \le k} S_{rk} \zeta_r(t)`. Where one association holds for all of a participant's time, :math:`\zeta_0` does
not move, nor then does :math:`v_0`, and the first random effect is a factor outside every sum over nodes: :math:`Q^{q-1}` sums in place
of :math:`Q^q`. With the last random effect innermost, only products over those between are held for each node.
"""

import math

import numpy as np
from numba import njit

from alsmodel.kernels.vectors import exp_into


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def exponentiate(first, last, origin, count, cuts, random, abscissae, block):
    """Hazards at the mode, and the power of each abscissa in each dimension, for the whole block at once."""
    q = abscissae.size
    half = q // 2
    fixed = True
    for row in range(last - first):
        fixed = fixed and block.leads[row] == 1
        left, right = cuts.node_ptr[first + row] - origin, cuts.node_ptr[first + row + 1] - origin
        for n in range(left, right):
            block.eta[n] = block.constant[n]
        for k in range(random):
            m, zeta = block.mode[row, k], block.zeta[k]
            for n in range(left, right):
                block.eta[n] += m * zeta[n]
    exp_into(block.eta, count, block.hazard, block.buffer, block.bits)
    for k in range(1 if fixed else 0, random):
        for row in range(last - first):
            left, right = cuts.node_ptr[first + row] - origin, cuts.node_ptr[first + row + 1] - origin
            for n in range(left, right):
                block.product[n] = block.scale[row, k, k] * block.zeta[k, n]
            for r in range(k):
                s, zeta = block.scale[row, r, k], block.zeta[r]
                for n in range(left, right):
                    block.product[n] += s * zeta[n]
        for j in range(half):
            x = abscissae[q - half + j]
            for n in range(count):
                block.eta[n] = x * block.product[n]
            up, down = block.power[k * q + q - half + j], block.power[k * q + half - 1 - j]
            exp_into(block.eta, count, up, block.buffer, block.bits)
            for n in range(count):
                down[n] = 1.0 / up[n]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def grid_hazards(row, left, right, random, abscissae, block):
    """Cumulative hazard at every point of the grid; leaves the prefixes of the participant's nodes behind."""
    q, lead = abscissae.size, block.leads[row]
    prefix, size = block.prefix, 1
    for n in range(left, right):
        prefix[0, n] = block.hazard[n]
    for k in range(lead, random - 1):
        for p in range(size - 1, -1, -1):
            for j in range(q - 1, -1, -1):
                power, source, target = block.power[k * q + j], prefix[p], prefix[p * q + j]
                for n in range(left, right):
                    target[n] = source[n] * power[n]
        size *= q
    for p in range(size):
        for j in range(q):
            power, source = block.power[(random - 1) * q + j], prefix[p]
            total = 0.0
            for n in range(left, right):
                total += source[n] * power[n]
            block.cumulative[p * q + j] = total
    if lead == 1:
        rest = size * q
        v = block.scale[row, 0, 0] * block.zeta[0, left] if right > left else 0.0
        for j in range(q):
            block.factor[j] = math.exp(max(min(v * abscissae[j], 600.0), -600.0))
        for j in range(q - 1, -1, -1):
            for g in range(rest):
                block.cumulative[j * rest + g] = block.factor[j] * block.cumulative[g]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def weigh_grid(row, random, rule, block):
    """Turn the grid into posterior weights and take the moments of z; returns the log of the integral, or -inf."""
    scale, precision, mean_z, mean_zz = block.scale[row], block.precision[row], block.mean_z, block.mean_zz
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
    weight, raw, grid = block.weight, block.raw, rule.grid
    points = weight.size
    for g in range(points):
        raw[g] = rule.log_weight[g] - block.cumulative[g]
    for k in range(random):
        along, s, half = grid[k], shift[k], 0.5 * inner[k, k]
        for g in range(points):
            raw[g] -= along[g] * (s + half * along[g])
        for m in range(k):
            across, both = grid[m], inner[k, m]
            for g in range(points):
                raw[g] -= both * along[g] * across[g]
    top = -np.inf
    for g in range(points):
        top = max(top, raw[g])
    if not (top > -1e300 and top < 1e300):
        return -np.inf
    for g in range(points):
        raw[g] -= top
    exp_into(raw, points, weight, block.buffer, block.bits)
    total = 0.0
    for g in range(points):
        total += weight[g]
    mean_z[:] = 0.0
    mean_zz[:] = 0.0
    for g in range(points):
        weight[g] /= total
    for g in range(points):
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
def moments(row, random, block):
    """Posterior mean of b and of b b' from those of z, with b = mode + scale z."""
    mode, scale, mean_z, mean_zz = block.mode[row], block.scale[row], block.mean_z, block.mean_zz
    mean_b, mean_bb = block.mean_b, block.mean_bb
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
def expected_hazards(row, left, right, random, rule, block):
    """Posterior expectations of h and of h z_k at each node, into eta (h) and the rows of zeta (h z_k), which are done with."""
    abscissae, weight, grid, inner = rule.abscissae, block.weight, rule.grid, block.inner
    q, lead = abscissae.size, block.leads[row]
    rest = weight.size // q if lead == 1 else weight.size
    for g in range(rest):
        inner[0, g], inner[1, g] = weight[g], 0.0
    if lead == 1:
        for g in range(rest):
            inner[0, g] = 0.0
        for j in range(q):
            for g in range(rest):
                w = weight[j * rest + g] * block.factor[j]
                inner[0, g] += w
                inner[1, g] += w * abscissae[j]
    for g in range(rest):
        inner[2, g] = inner[0, g] * grid[random - 1, g]
    for n in range(left, right):
        block.eta[n] = 0.0
    for k in range(random):
        zeta = block.zeta[k]
        for n in range(left, right):
            zeta[n] = 0.0
    final, summed, part = block.zeta[random - 1], block.eta, block.product
    for p in range(rest // q):
        source = block.prefix[p]
        for n in range(left, right):
            part[n] = 0.0
        for j in range(q):
            power, a, b = block.power[(random - 1) * q + j], inner[0, p * q + j], inner[2, p * q + j]
            for n in range(left, right):
                h = source[n] * power[n]
                part[n] += a * h
                final[n] += b * h
            if lead == 1:
                c, zeta = inner[1, p * q + j], block.zeta[0]
                for n in range(left, right):
                    zeta[n] += c * source[n] * power[n]
        for n in range(left, right):
            summed[n] += part[n]
        for k in range(lead, random - 1):
            z, zeta = grid[k, p * q], block.zeta[k]
            for n in range(left, right):
                zeta[n] += z * part[n]
