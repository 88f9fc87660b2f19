r"""Likelihood of several outcomes and survival with each participant's lines integrated out, and its gradient.

Participant i has a line for each outcome k, :math:`m_{ik}(t) = a_{ik0} + a_{ik1} t`, with all lines together
:math:`a_i \sim N(\mu_i, D)`. Scores are the line plus noise: Gaussian, censored Gaussian or Student-t. The hazard is
:math:`h_i(t) = \exp\{\log h_0 + o_i + \alpha_1 M_i(t) + \alpha_2 M_i'(t)\}` with the projection :math:`M_i = \sum_k c_k m_{ik}`.

Gaussian rows and the event's own term, which is linear in a, are exact. What is left are *sites* (`alsmodel.kernels.outcome_sites`): one
for each outcome with other rows, and :math:`\exp\{-H\}` on the projection. Each is replaced by a Gaussian factor such that the mean and
covariance of its line agree with those of the exact factor in the presence of the others: expectation propagation (Minka 2001, UAI 17:362;
Rasmussen & Williams 2006, section 3.6) with sites of two dimensions. With one site this is plain quadrature.

.. math:: \log Z = \log \int N(a; \mu, D)\, e^{\ldots} \prod_s \tilde f_s \,da + \sum_s \left\{ \log \hat Z_s - \log \tilde Z_s \right\}

where :math:`\hat Z_s` integrates cavity times exact factor and :math:`\tilde Z_s` cavity times Gaussian factor. At the fixed point log Z
is stationary in the Gaussian factors, so its gradient is the explicit one: :math:`D^{-1} E[a - \mu]` for the mean,
:math:`(D^{-1} E[(a-\mu)(a-\mu)'] D^{-1} - D^{-1}) / 2` for the covariance, and for what stands in a factor the expectation of the
derivative of its log.
"""

import math

import numpy as np
from numba import njit

from alsmodel.kernels.outcome_records import Slopes
from alsmodel.kernels.outcome_sites import crude_moments, integrate
from alsmodel.kernels.smallmat import cholesky

MOST_SWEEPS = 30
CRUDE_SWEEPS = 1
PLACED = 0.3  # with a single site the nodes have only to lie well: within this of its own moments, in SDs


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _invert(chol, n, root, out):
    """Inverse of chol chol' into `out`; `root` holds the inverse of chol. Returns the log determinant of chol chol'."""
    logdet = 0.0
    for k in range(n):
        logdet += 2.0 * math.log(chol[k, k])
        root[k, k] = 1.0 / chol[k, k]
        for m in range(k):
            value = 0.0
            for r in range(m, k):
                value -= chol[k, r] * root[r, m]
            root[k, m] = value * root[k, k]
    for k in range(n):
        for m in range(k + 1):
            value = 0.0
            for r in range(k, n):
                value += root[r, k] * root[r, m]
            out[k, m] = value
            out[m, k] = value
    return logdet


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _gaussian_part(i, pop, rows, risk, prior, precision, linear):
    """Precision and linear term of b = a - mu from the prior, the Gaussian rows and the event; returns the constant."""
    n, outcomes = prior.shape[0], pop.weights.size
    for k in range(n):
        linear[k] = 0.0
        for m in range(n):
            precision[k, m] = prior[k, m]
    constant = 0.0
    for k in range(outcomes):
        x = rows.cross[i, k]
        if x[0] == 0.0:
            continue
        sigma = pop.sigma[rows.group[i], k]
        w = 1.0 / (sigma * sigma)
        m0, m1 = pop.mean[i, 2 * k], pop.mean[i, 2 * k + 1]
        r0 = x[3] - m0 * x[0] - m1 * x[1]
        r1 = x[4] - m0 * x[1] - m1 * x[2]
        squares = x[5] - 2.0 * m0 * x[3] - 2.0 * m1 * x[4] + m0 * m0 * x[0] + 2.0 * m0 * m1 * x[1] + m1 * m1 * x[2]
        constant -= 0.5 * x[0] * math.log(2.0 * math.pi / w) + 0.5 * w * squares
        linear[2 * k] += w * r0
        linear[2 * k + 1] += w * r1
        precision[2 * k, 2 * k] += w * x[0]
        precision[2 * k, 2 * k + 1] += w * x[1]
        precision[2 * k + 1, 2 * k] += w * x[1]
        precision[2 * k + 1, 2 * k + 1] += w * x[2]
    if risk.event[i] > 0.0:
        t = risk.event_time[i]
        f0, f1 = pop.alpha[0], pop.alpha[0] * t + pop.alpha[1]
        constant += pop.offset[i] + pop.base[risk.event_piece[i]]
        for k in range(outcomes):
            c = pop.weights[k]
            linear[2 * k] += c * f0
            linear[2 * k + 1] += c * f1
            constant += c * (f0 * pop.mean[i, 2 * k] + f1 * pop.mean[i, 2 * k + 1])
    return constant


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _marginal(cover, middle, c, half, out):
    """Mean and covariance of the site's (s0, s1): `c` weighs the outcomes; `half` (n, 2) gets covariance times projection."""
    n = middle.size
    m0, m1, v00, v01, v11 = 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(n):
        half[k, 0], half[k, 1] = 0.0, 0.0
    for k in range(c.size):
        if c[k] == 0.0:
            continue
        m0 += c[k] * middle[2 * k]
        m1 += c[k] * middle[2 * k + 1]
        for r in range(n):
            half[r, 0] += c[k] * cover[r, 2 * k]
            half[r, 1] += c[k] * cover[r, 2 * k + 1]
    for k in range(c.size):
        v00 += c[k] * half[2 * k, 0]
        v01 += c[k] * half[2 * k, 1]
        v11 += c[k] * half[2 * k + 1, 1]
    out[0], out[1], out[2], out[3], out[4] = m0, m1, v00, v01, v11


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _cavity(marginal, site, shift0, shift1, middle, cavity, place):
    """Cavity and marginal in coordinates (value at `middle`, slope) of a itself; False when the cavity is no distribution."""
    det = marginal[2] * marginal[4] - marginal[3] * marginal[3]
    if not det > 0.0:
        return False
    q0, q1, q2 = marginal[4] / det, -marginal[3] / det, marginal[2] / det
    h0 = q0 * marginal[0] + q1 * marginal[1] - site[3]
    h1 = q1 * marginal[0] + q2 * marginal[1] - site[4]
    q0, q1, q2 = q0 - site[0], q1 - site[1], q2 - site[2]
    det = q0 * q2 - q1 * q1
    if not (det > 0.0 and q0 > 0.0):
        return False
    m0, m1 = (q2 * h0 - q1 * h1) / det + shift0, (q0 * h1 - q1 * h0) / det + shift1
    cavity[0], cavity[1] = m0 + middle * m1, m1
    cavity[2], cavity[3], cavity[4] = q0, q1 - middle * q0, q2 - 2.0 * middle * q1 + middle * middle * q0
    slope = marginal[1] + shift1
    place[0], place[1] = marginal[0] + shift0 + middle * slope, slope
    place[2] = marginal[2] + 2.0 * middle * marginal[3] + middle * middle * marginal[4]
    place[3], place[4] = marginal[3] + middle * marginal[4], marginal[4]
    return True


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _apart(one, other):
    """Largest difference of two Gaussians of the plane: means in SDs, variances relative."""
    by_mean = max(abs(one[0] - other[0]) / math.sqrt(other[2]), abs(one[1] - other[1]) / math.sqrt(other[4]))
    return max(by_mean, abs(one[2] / other[2] - 1.0), abs(one[4] / other[4] - 1.0))


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _new_site(moments, cavity, shift0, shift1, middle, site):
    """Site such that cavity times site has these moments, in coordinates of b; False when they are no distribution."""
    det = moments[2] * moments[4] - moments[3] * moments[3]
    if not (det > 0.0 and moments[4] > 0.0):
        return False
    p0, p1, p2 = moments[4] / det - cavity[2], -moments[3] / det - cavity[3], moments[2] / det - cavity[4]
    # Linear term about the cavity's mean, then back to an intercept at time zero and to b.
    d0, d1 = moments[0] - cavity[0], moments[1] - cavity[1]
    g0 = (moments[4] * d0 - moments[3] * d1) / det
    g1 = (moments[2] * d1 - moments[3] * d0) / det
    at1 = cavity[1] - shift1
    at0 = cavity[0] - middle * cavity[1] - shift0
    p1 += middle * p0
    p2 += 2.0 * middle * p1 - middle * middle * p0
    g1 += middle * g0
    site[0], site[1], site[2] = p0, p1, p2
    site[3] = g0 + p0 * at0 + p1 * at1
    site[4] = g1 + p1 * at0 + p2 * at1
    return True


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _exchange(change, c, marginal, half, cover, middle, linear):
    """Add `change` to a site: precision and linear term of b; covariance by a rank-two update."""
    n = middle.size
    d0, d1, d2 = change[0], change[1], change[2]
    v0, v1, v2 = marginal[2], marginal[3], marginal[4]
    # (I + d v)^-1 d, symmetric.
    a, b, e, f = 1.0 + d0 * v0 + d1 * v1, d0 * v1 + d1 * v2, d1 * v0 + d2 * v1, 1.0 + d1 * v1 + d2 * v2
    det = a * f - b * e
    if not det > 0.0:
        return False
    k0, k1, k2 = (f * d0 - b * d1) / det, (f * d1 - b * d2) / det, (a * d2 - e * d1) / det
    for r in range(n):
        u0 = k0 * half[r, 0] + k1 * half[r, 1]
        u1 = k1 * half[r, 0] + k2 * half[r, 1]
        for q in range(r + 1):
            value = cover[r, q] - u0 * half[q, 0] - u1 * half[q, 1]
            cover[r, q] = value
            cover[q, r] = value
    for k in range(c.size):
        linear[2 * k] += c[k] * change[3]
        linear[2 * k + 1] += c[k] * change[4]
    for r in range(n):
        value = 0.0
        for q in range(n):
            value += cover[r, q] * linear[q]
        middle[r] = value
    return True


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _digamma(x):
    value = 0.0
    while x < 10.0:
        value -= 1.0 / x
        x += 1.0
    y = 1.0 / (x * x)
    series = y * (1.0 / 12.0 - y * (1.0 / 120.0 - y * (1.0 / 252.0 - y * (1.0 / 240.0 - y * (1.0 / 132.0 - y * 691.0 / 32760.0)))))
    return value + math.log(x) - 0.5 / x - series


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _student_constant(i, k, outcomes, pop, rows, out):
    """Normalising constants of the Student-t rows of one outcome, and their derivative in df."""
    count = 0.0
    place = i * outcomes + k
    for r in range(rows.ptr[place], rows.ptr[place + 1]):
        count += 1.0 if rows.side[r] == 0.0 else 0.0
    if count == 0.0:
        return 0.0
    df = pop.df
    out.alpha[2] += count * (0.5 * _digamma(0.5 * (df + 1.0)) - 0.5 * _digamma(0.5 * df) - 0.5 / df)
    one = math.lgamma(0.5 * (df + 1.0)) - math.lgamma(0.5 * df) - 0.5 * math.log(math.pi * df)
    return count * (one - math.log(pop.sigma[rows.group[i], k]))


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def outcomes_loglik(pop, rows, risk, grid, event_grid, tolerance, work):
    r"""Log-likelihood of each participant, and the gradient of their sum.

    Parameters
    ----------
    pop : Population
    rows : Rows
    risk : Risk
    grid, event_grid : Grid
        Nodes of an outcome's line, and of the projection.
    tolerance : float
        Expectation propagation ends when no line moves by more than this, in SDs.
    work : Work

    Returns
    -------
    loglik : array, shape (N,)
        -inf where undefined, and then the gradient means nothing.
    gradient : Slopes
    """
    people, n = pop.mean.shape
    outcomes = pop.weights.size
    loglik = np.full(people, -np.inf)
    out = Slopes(np.zeros((people, n)), np.zeros(people), np.zeros((n, n)), np.zeros(pop.sigma.shape), np.zeros(pop.base.size), np.zeros(3))
    chol, root, prior = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n))
    if not cholesky(pop.covariance, n, chol):
        return loglik, out
    prior_logdet = _invert(chol, n, root, prior)
    precision, cover, sum_bb = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n))
    linear, middle, half = np.zeros(n), np.zeros(n), np.zeros((n, 2))
    sites, seen, old = np.zeros((outcomes + 1, 5)), np.ones((outcomes + 1, 5)), np.zeros(5)
    marginal, cavity, place, moments = np.zeros(5), np.zeros(5), np.zeros(5), np.zeros(5)
    projections = np.zeros((outcomes + 1, outcomes))
    for k in range(outcomes):
        projections[k, k] = 1.0
        projections[outcomes, k] = pop.weights[k]
    which = np.zeros(outcomes + 1, np.int64)
    change = np.zeros(5)
    for i in range(people):
        constant = _gaussian_part(i, pop, rows, risk, prior, precision, linear)
        if not cholesky(precision, n, chol):
            return loglik, out
        _invert(chol, n, root, cover)
        for r in range(n):
            value = 0.0
            for q in range(n):
                value += cover[r, q] * linear[q]
            middle[r] = value
        used = 0
        for k in range(outcomes):
            sites[k, :] = 0.0
            if rows.ptr[i * outcomes + k + 1] > rows.ptr[i * outcomes + k]:
                which[used] = k
                used += 1
                constant += _student_constant(i, k, outcomes, pop, rows, out)
        sites[outcomes, :] = 0.0
        at_risk = risk.node_ptr[i + 1] > risk.node_ptr[i]
        merged = at_risk and outcomes == 1 and used == 1
        scored = used
        if at_risk and not merged:
            which[used] = outcomes
            used += 1
        # Sites are exchanged until they agree; the first sweep is a crude one that only places the nodes, the last one changes nothing.
        crude = CRUDE_SWEEPS if scored > 0 else 0
        sweep, final, total = 0, False, 0.0
        while True:
            if final:  # from the precision itself, which sheds the rounding of the updates
                _add_sites(which, used, projections, sites, precision)
                if not cholesky(precision, n, chol):
                    return loglik, out
                total = constant - 0.5 * prior_logdet - 0.5 * _invert(chol, n, root, cover)
                for r in range(n):
                    value = 0.0
                    for q in range(n):
                        value += cover[r, q] * linear[q]
                    middle[r] = value
                    total += 0.5 * value * linear[r]
            moved = 0.0
            for number in range(scored if sweep < crude else used):
                s = which[number]
                c = projections[s]
                shift0, shift1 = 0.0, 0.0
                for k in range(outcomes):
                    shift0 += c[k] * pop.mean[i, 2 * k]
                    shift1 += c[k] * pop.mean[i, 2 * k + 1]
                at = rows.middle[i, s] if s < outcomes else 0.0
                _marginal(cover, middle, c, half, marginal)
                if sweep > crude and not final and _apart(marginal, seen[s]) < 0.5 * tolerance:
                    continue  # nothing has changed for this site since it was last exchanged
                if not _cavity(marginal, sites[s], shift0, shift1, at, cavity, place):
                    return loglik, out
                if sweep < crude:
                    crude_moments(i, s, pop, rows, cavity, work, moments)
                else:
                    hazard = pop.weights[0] if merged else (1.0 if s == outcomes else 0.0)
                    rule = grid if s < outcomes else event_grid
                    outcome = s if s < outcomes else -1
                    value = integrate(i, outcome, hazard, at, pop, rows, risk, cavity, place, rule, final, work, out, moments)
                    if not value > -1e300:
                        return loglik, out
                    if final:
                        total += value - _approximate(marginal, sites[s])
                        continue
                old[:] = sites[s]
                if not _new_site(moments, cavity, shift0, shift1, at, sites[s]):
                    sites[s] = old
                    continue
                moved = max(moved, _apart(moments, place))
                change[:] = sites[s] - old
                if not _exchange(change, c, marginal, half, cover, middle, linear):
                    return loglik, out
                _marginal(cover, middle, c, half, seen[s])
            if final:
                break
            final = sweep >= crude and (moved < (PLACED if used == 1 else tolerance) or sweep >= MOST_SWEEPS)
            sweep += 1
        loglik[i] = total
        _collect(i, pop, rows, risk, prior, cover, middle, sum_bb, out)
    for r in range(n):
        for q in range(n):
            value = -people * prior[r, q]
            for k in range(n):
                for m in range(n):
                    value += prior[r, k] * sum_bb[k, m] * prior[m, q]
            out.covariance[r, q] = 0.5 * value
    return loglik, out


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _add_sites(which, used, projections, sites, precision):
    """Add the Gaussian factors of all sites to the precision of all lines."""
    outcomes = projections.shape[1]
    for number in range(used):
        s = which[number]
        for k in range(outcomes):
            for m in range(outcomes):
                w = projections[s, k] * projections[s, m]
                precision[2 * k, 2 * m] += w * sites[s, 0]
                precision[2 * k, 2 * m + 1] += w * sites[s, 1]
                precision[2 * k + 1, 2 * m] += w * sites[s, 1]
                precision[2 * k + 1, 2 * m + 1] += w * sites[s, 2]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _approximate(marginal, site):
    """Log integral of cavity times Gaussian factor, from their product (the marginal) and the factor."""
    det = marginal[2] * marginal[4] - marginal[3] * marginal[3]
    q0, q1, q2 = marginal[4] / det, -marginal[3] / det, marginal[2] / det
    h0, h1 = q0 * marginal[0] + q1 * marginal[1], q1 * marginal[0] + q2 * marginal[1]
    whole = 0.5 * (h0 * marginal[0] + h1 * marginal[1]) + 0.5 * math.log(det)
    q0, q1, q2, h0, h1 = q0 - site[0], q1 - site[1], q2 - site[2], h0 - site[3], h1 - site[4]
    det = q0 * q2 - q1 * q1
    return whole - 0.5 * (h0 * (q2 * h0 - q1 * h1) + h1 * (q0 * h1 - q1 * h0)) / det + 0.5 * math.log(det)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _collect(i, pop, rows, risk, prior, cover, middle, sum_bb, out):
    """Add one participant's share of the gradient that comes from moments of all lines."""
    n, outcomes = middle.size, pop.weights.size
    for r in range(n):
        value = 0.0
        for q in range(n):
            value += prior[r, q] * middle[q]
            sum_bb[r, q] += cover[r, q] + middle[r] * middle[q]
        out.mean[i, r] = value
    for k in range(outcomes):
        x = rows.cross[i, k]
        if x[0] == 0.0:
            continue
        g, u, v = rows.group[i], 2 * k, 2 * k + 1
        a0, a1 = pop.mean[i, u] + middle[u], pop.mean[i, v] + middle[v]
        squares = x[5] - 2.0 * a0 * x[3] - 2.0 * a1 * x[4] + a0 * a0 * x[0] + 2.0 * a0 * a1 * x[1] + a1 * a1 * x[2]
        squares += cover[u, u] * x[0] + 2.0 * cover[u, v] * x[1] + cover[v, v] * x[2]
        sigma = pop.sigma[g, k]
        out.sigma[g, k] += (squares / (sigma * sigma) - x[0]) / sigma
    if risk.event[i] > 0.0:
        s0, s1 = 0.0, 0.0
        for k in range(outcomes):
            s0 += pop.weights[k] * (pop.mean[i, 2 * k] + middle[2 * k])
            s1 += pop.weights[k] * (pop.mean[i, 2 * k + 1] + middle[2 * k + 1])
        out.alpha[0] += s0 + risk.event_time[i] * s1
        out.alpha[1] += s1
        out.offset[i] += 1.0
        out.base[risk.event_piece[i]] += 1.0
