r"""Integrals over a plane: one outcome's line, or the line that reaches the hazard, against a Gaussian.

A *site* is a factor of the likelihood that is not Gaussian and sees only two numbers :math:`s = (s_0, s_1)`, an intercept and a slope.
Given a Gaussian for :math:`s` (the *cavity*: everything but this factor) the integral and the moments of cavity times factor are taken
by a Gauss-Hermite rule placed at a Gaussian close to that product. Coordinates are the value at a middle time and the slope.

Factors: :math:`\Phi` of the distance to a bound in residual SDs (censored rows; Tobin 1958, Econometrica 26:24, doi 10.2307/1907382),
Student-t densities, and :math:`\exp\{-H(s)\}`.
"""

import math

from numba import njit

from alsmodel.kernels.normal_tail import log_phi, times_phi
from alsmodel.kernels.vectors import exp_into

ROW_SWEEPS = 3


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _rows_onto(i, k, outcomes, rows, sigma, df, c, s, grid, want, work):
    """Multiply the nodes by the rows' factors; adds the derivatives of their logs in sigma and df when wanted."""
    n = grid.x.size
    place = i * outcomes + k
    middle, inv = rows.middle[i, k], 1.0 / sigma
    power = 0.5 * (df + 1.0)
    censored = 0
    for r in range(rows.ptr[place], rows.ptr[place + 1]):
        d, side = rows.time[r] - middle, rows.side[r]
        if side != 0.0:  # collected, so that exponentials run over one long array
            at = side * inv * (c[0] + d * c[1] - rows.value[r])
            by_x, by_y = side * inv * s[0], side * inv * (s[1] + d * s[2])
            first = censored * n
            for q in range(n):
                work.u[first + q] = at + by_x * grid.x[q] + by_y * grid.y[q]
            censored += 1
            continue
        for q in range(n):
            z = inv * (rows.value[r] - c[0] - d * c[1] - s[0] * grid.x[q] - (s[1] + d * s[2]) * grid.y[q])
            log_term = math.log(1.0 + z * z / df)
            work.exponent[q] -= power * log_term
            if want:
                share = z * z / (df + z * z)
                work.slope[q] += inv * ((df + 1.0) * share - 1.0)
                work.slope_df[q] += power * share / df - 0.5 * log_term
    if censored > 0:
        scale = -inv if want else 0.0
        times_phi(work.u, n, censored, work.exponent, work.product, work.slope, scale, work.scratch, work.tail, work.buffer, work.bits)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _hazard_onto(i, pop, risk, c, s, middle, weight, grid, work):
    """Subtract the cumulative hazard at the nodes from their exponent. It is exp(a x) times a sum that depends on y only."""
    a1, a2 = weight * pop.alpha[0], weight * pop.alpha[1]
    axis = grid.along.size
    first, last = risk.node_ptr[i], risk.node_ptr[i + 1]
    total = 0
    for m in range(first, last):
        reach = a2 + a1 * (risk.node_time[m] - middle)
        at = risk.node_logw[m] + pop.base[risk.node_piece[m]] + pop.offset[i] + a1 * c[0] + reach * c[1]
        by_y = a1 * s[1] + reach * s[2]
        for j in range(axis):
            work.growth[total] = at + by_y * grid.along[j]
            total += 1
    exp_into(work.growth, total, work.growth_exp, work.growth_buffer, work.growth_bits)
    for j in range(axis):
        work.scratch[j] = 0.0
    for m in range(last - first):
        for j in range(axis):
            work.scratch[j] += work.growth_exp[m * axis + j]
    for k in range(grid.across.size):
        work.tail[k] = math.exp(a1 * s[0] * grid.across[k])
    for q in range(grid.x.size):
        work.hazard[q] = work.tail[grid.i[q]] * work.scratch[grid.j[q]]
        work.exponent[q] -= work.hazard[q]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _hazard_slopes(i, pop, risk, c, s, middle, weight, grid, work, out):
    """Expectation of the derivatives of minus the cumulative hazard; node weights stand in work.product, growth in work.growth_exp."""
    a1 = weight * pop.alpha[0]
    axis = grid.along.size
    for j in range(axis):
        work.u[j], work.slope_df[j] = 0.0, 0.0
    for k in range(grid.across.size):
        work.tail[k] = math.exp(a1 * s[0] * grid.across[k])
    for q in range(grid.x.size):
        p = work.product[q] * work.tail[grid.i[q]]
        work.u[grid.j[q]] += p
        work.slope_df[grid.j[q]] += p * grid.x[q]
    first = risk.node_ptr[i]
    for m in range(first, risk.node_ptr[i + 1]):
        mass, by_x, by_y = 0.0, 0.0, 0.0
        for j in range(axis):
            e = work.growth_exp[(m - first) * axis + j]
            mass += e * work.u[j]
            by_x += e * work.slope_df[j]
            by_y += e * work.u[j] * grid.along[j]
        d = risk.node_time[m] - middle
        slope = weight * (c[1] * mass + s[2] * by_y)
        value = weight * (c[0] * mass + s[0] * by_x + s[1] * by_y) + d * slope
        out.base[risk.node_piece[m]] -= mass
        out.offset[i] -= mass
        out.alpha[0] -= value
        out.alpha[1] -= slope


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def integrate(i, k, hazard_weight, middle, pop, rows, risk, cavity, place, grid, want, work, out, moments):
    """Integral and moments of cavity times factor.

    Parameters
    ----------
    k : int
        Outcome whose rows belong to the factor, or -1.
    hazard_weight : float
        Weight of the line in the hazard; 0 when the factor has no hazard.
    middle : float
        Time at which values are held.
    cavity : array, (mean value, mean slope, three elements of the precision)
    place : array, (value, slope, three elements of a covariance)
        Where the nodes go.
    want : bool
        Add the derivatives of the log integral in the parameters to `out`, the cavity held fixed.
    moments : array, shape (5,)
        Mean and covariance of the product come out here.

    Returns
    -------
    float
        Log of the integral; -inf where undefined.
    """
    n = grid.x.size
    s2 = math.sqrt(place[4])
    s1 = place[3] / s2
    s0 = math.sqrt(place[2] - s1 * s1)
    det = cavity[2] * cavity[4] - cavity[3] * cavity[3]
    if not (s0 > 0.0 and s2 > 0.0 and det > 0.0):
        return -math.inf
    c, s = (place[0], place[1]), (s0, s1, s2)
    off0, off1 = place[0] - cavity[0], place[1] - cavity[1]
    q0, q1, q2 = 0.5 * cavity[2], cavity[3], 0.5 * cavity[4]  # scalars, so that the loop need not fear that arrays overlap
    for q in range(n):
        d0 = off0 + s0 * grid.x[q] + s1 * grid.y[q]
        d1 = off1 + s2 * grid.y[q]
        work.exponent[q] = grid.log_weight[q] - q0 * d0 * d0 - q1 * d0 * d1 - q2 * d1 * d1
        work.product[q] = 1.0
    if want:
        work.slope[:n] = 0.0
        work.slope_df[:n] = 0.0
    outcomes = pop.weights.size
    if k >= 0:
        _rows_onto(i, k, outcomes, rows, pop.sigma[rows.group[i], k], pop.df, c, s, grid, want, work)
    if hazard_weight != 0.0:
        _hazard_onto(i, pop, risk, c, s, middle, hazard_weight, grid, work)
    top = -math.inf
    for q in range(n):
        top = max(top, work.exponent[q])
    if not (top > -1e300 and top < 1e300):
        return -math.inf
    for q in range(n):
        work.u[q] = work.exponent[q] - top
    exp_into(work.u, n, work.tail, work.buffer, work.bits)
    total = 0.0
    for q in range(n):
        work.product[q] *= work.tail[q]
        total += work.product[q]
    if not total > 0.0:
        return -math.inf
    mx, my, mxx, mxy, myy = 0.0, 0.0, 0.0, 0.0, 0.0
    for q in range(n):
        p = work.product[q] / total
        work.product[q] = p
        mx += p * grid.x[q]
        my += p * grid.y[q]
        mxx += p * grid.x[q] * grid.x[q]
        mxy += p * grid.x[q] * grid.y[q]
        myy += p * grid.y[q] * grid.y[q]
    mxx, mxy, myy = mxx - mx * mx, mxy - mx * my, myy - my * my
    moments[0] = c[0] + s0 * mx + s1 * my
    moments[1] = c[1] + s2 * my
    moments[2] = s0 * s0 * mxx + 2.0 * s0 * s1 * mxy + s1 * s1 * myy
    moments[3] = s2 * (s0 * mxy + s1 * myy)
    moments[4] = s2 * s2 * myy
    if want:
        if k >= 0:
            by_sigma, by_df = 0.0, 0.0
            for q in range(n):
                by_sigma += work.product[q] * work.slope[q]
                by_df += work.product[q] * work.slope_df[q]
            out.sigma[rows.group[i], k] += by_sigma
            out.alpha[2] += by_df
        if hazard_weight != 0.0:
            _hazard_slopes(i, pop, risk, c, s, middle, hazard_weight, grid, work, out)
    return top + math.log(total) + math.log(s0 * s2) + 0.5 * math.log(det)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def crude_moments(i, k, pop, rows, cavity, work, moments):
    """Mean and covariance of cavity times the factor of outcome k, near enough to place nodes.

    Censored rows: expectation propagation row by row, whose moments have a closed form (Rasmussen & Williams 2006, Gaussian
    Processes for Machine Learning, section 3.6). Student-t rows: Gaussian of the iteratively reweighted fit.
    """
    outcomes = pop.weights.size
    place = i * outcomes + k
    first, last = rows.ptr[place], rows.ptr[place + 1]
    middle, inv = rows.middle[i, k], 1.0 / pop.sigma[rows.group[i], k]
    p0, p1, p2 = cavity[2], cavity[3], cavity[4]
    h0, h1 = p0 * cavity[0] + p1 * cavity[1], p1 * cavity[0] + p2 * cavity[1]
    for r in range(last - first):
        work.row_tau[r], work.row_nu[r] = 0.0, 0.0
    for _ in range(ROW_SWEEPS):
        for r in range(first, last):
            d = rows.time[r] - middle
            det = p0 * p2 - p1 * p1
            v = (p2 - 2.0 * d * p1 + d * d * p0) / det
            m = (p2 * h0 - p1 * h1 + d * (p0 * h1 - p1 * h0)) / det
            old_tau, old_nu = work.row_tau[r - first], work.row_nu[r - first]
            if rows.side[r] == 0.0:
                z = inv * (rows.value[r] - m)
                tau = (pop.df + 1.0) / (pop.df + z * z) * inv * inv
                nu = tau * rows.value[r]
            else:
                rest = 1.0 / v - old_tau
                if not rest > 0.0:
                    continue
                v = 1.0 / rest
                m = v * ((m * (rest + old_tau)) - old_nu)
                side = rows.side[r]
                scale = math.sqrt(1.0 / (inv * inv) + v)
                u = side * (m - rows.value[r]) / scale
                ratio = log_phi(u)[1]
                shrink = min(ratio * (u + ratio), 1.0 - 1e-9)
                mean = m + side * v * ratio / scale
                var = v - v * v * shrink / (scale * scale)
                tau = 1.0 / var - rest
                nu = mean / var - m * rest
            work.row_tau[r - first], work.row_nu[r - first] = tau, nu
            tau, nu = tau - old_tau, nu - old_nu
            p0 += tau
            p1 += d * tau
            p2 += d * d * tau
            h0 += nu
            h1 += d * nu
    det = p0 * p2 - p1 * p1
    moments[0], moments[1] = (p2 * h0 - p1 * h1) / det, (p0 * h1 - p1 * h0) / det
    moments[2], moments[3], moments[4] = p2 / det, -p1 / det, p0 / det
