r"""One participant's sigmoid path: its values, the log density of scores and event given the random effects, and the mode of that.

.. math:: m(t) = \frac{M}{1 + \exp\{(u - D_{50}) / d_x\}}, \qquad \log D_{50} = A + b_0, \quad \log d_x = C + b_1

with M the full score and :math:`u = o + P_e + Q_e (t - s_e)` the time since onset on the participant's disease clock, o being the time
from onset to time zero (the D50 model: Steinbach et al. 2020, NeuroImage Clin 25:102094, doi 10.1016/j.nicl.2019.102094; see
`alsmodel.clinical.d50`). With :math:`z = (u - D_{50}) / d_x` and :math:`p = 1 / (1 + e^z)`: :math:`\partial m / \partial z = -M p (1 - p)`,
:math:`\partial z / \partial b_0 = -D_{50} / d_x`, :math:`\partial z / \partial b_1 = -z`.

A segment's mean path arrives as it does for a line, :math:`A_e = A + C P_e` and :math:`R_e = C Q_e` (`alsmodel.kernels.records.Path`), so
A and C are read off the participant's first segment.
"""

import math

import numpy as np
from numba import njit

from alsmodel.kernels.vectors import exp_into

MOST_STEPS = 60
SETTLED = 1e-9  # squared length of a Newton step in posterior SDs
LEAST_CURVATURE = 0.05  # determinant of the curvature over that without second derivatives of the path, below which the latter is taken


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def means_of(i, cuts, path):
    """Mean log D50 and mean log dx of participant i."""
    e = cuts.seg_ptr[i]
    log_dx = path.rate[e] / path.own_rate[e]
    return path.level[e] - path.own_level[e] * log_dx, log_dx


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def log_baseline_of(e, d, path, shared, weibull, piece):
    """Log hazard without the path's part, d after the reference time of segment e."""
    if weibull:
        clock = path.clock_level[e] + path.clock_rate[e] * d
        return path.offset[e] + shared.base[0] + shared.base[1] + (math.exp(shared.base[1]) - 1.0) * math.log(clock)
    return path.offset[e] + shared.base[piece]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def place(i, cuts, path, shared, weibull, clock, speed, constant):
    """Lay out the points of participant i: visits, end of follow-up, and nodes of the cumulative hazard.

    Parameters
    ----------
    clock, speed, constant : array
        Filled: time since onset on the disease clock; its rate; log hazard (with a node's weight) without the path's part.

    Returns
    -------
    visits, points : int
        The end of follow-up stands at place `visits`, nodes after it.
    """
    visits = 0
    for j in range(cuts.visit_ptr[i], cuts.visit_ptr[i + 1]):
        e = cuts.visit_seg[j]
        clock[visits] = cuts.origin[i] + path.own_level[e] + path.own_rate[e] * (cuts.visit_time[j] - cuts.seg_ref[e])
        speed[visits], constant[visits] = path.own_rate[e], 0.0
        visits += 1
    e = cuts.event_seg[i]
    d = cuts.event_time[i] - cuts.seg_ref[e]
    clock[visits], speed[visits] = cuts.origin[i] + path.own_level[e] + path.own_rate[e] * d, path.own_rate[e]
    constant[visits] = log_baseline_of(e, d, path, shared, weibull, cuts.event_piece[i]) if cuts.event[i] > 0.0 else 0.0
    points = visits + 1
    for n in range(cuts.node_ptr[i], cuts.node_ptr[i + 1]):
        e = cuts.node_seg[n]
        d = cuts.node_time[n] - cuts.seg_ref[e]
        clock[points], speed[points] = cuts.origin[i] + path.own_level[e] + path.own_rate[e] * d, path.own_rate[e]
        constant[points] = log_baseline_of(e, d, path, shared, weibull, cuts.node_piece[n]) + cuts.node_logw[n]
        points += 1
    return visits, points


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def shares(points, clock, log_d50, log_dx, z, p, buffer, bits):
    """z and the share p of the full score at every point."""
    d50, per = math.exp(log_d50), math.exp(-log_dx)
    for k in range(points):
        z[k] = min(max((clock[k] - d50) * per, -500.0), 500.0)
    exp_into(z, points, p, buffer, bits)
    for k in range(points):
        p[k] = 1.0 / (1.0 + p[k])
    return per


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def hazards(visits, points, full, per, a1, a2, speed, constant, p, eta, hazard, buffer, bits):
    """Log hazard from the end of follow-up on into `eta`, and the hazards of the nodes into `hazard`; returns their sum."""
    for k in range(visits, points):
        eta[k] = constant[k] + a1 * full * p[k] - a2 * full * p[k] * (1.0 - p[k]) * per * speed[k]
    exp_into(eta, points, hazard, buffer, bits)
    total = 0.0
    for k in range(visits + 1, points):
        total += hazard[k]
    return total


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def log_density(visits, points, full, log_d50, log_dx, b0, b1, a1, a2, inv_var, happened, prior, clock, speed, constant, score, work):
    """Log density of scores and event given the effects, plus that of the effects, up to constants; leaves z, p, hazards in `work`."""
    z, p, eta, hazard, buffer, bits = work
    per = shares(points, clock, log_d50 + b0, log_dx + b1, z, p, buffer, bits)
    squares = 0.0
    for k in range(visits):
        left = score[k] - full * p[k]
        squares += left * left
    total = hazards(visits, points, full, per, a1, a2, speed, constant, p, eta, hazard, buffer, bits)
    value = -0.5 * squares * inv_var - total + (eta[visits] if happened else 0.0)
    return value - 0.5 * (prior[0, 0] * b0 * b0 + 2.0 * prior[0, 1] * b0 * b1 + prior[1, 1] * b1 * b1)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def slope_and_curvature(visits, points, full, a, c, b0, b1, a1, a2, inv_var, happened, prior, speed, score, work, slope, plain, curved):
    """Gradient and minus the Hessian of `log_density` where it was last taken, for log D50 = a and log dx = c.

    `plain` leaves the second derivatives of the path out (Gauss-Newton); `curved` has those of its value.
    """
    z, p, _, hazard, _, _ = work
    per, lead = math.exp(-c), -math.exp(a - c)
    slope[0], slope[1] = -prior[0, 0] * b0 - prior[0, 1] * b1, -prior[1, 0] * b0 - prior[1, 1] * b1
    for r in range(2):
        for s in range(2):
            plain[r, s] = prior[r, s]
    x00, x01, x11 = 0.0, 0.0, 0.0
    for k in range(points):
        w = p[k] * (1.0 - p[k])
        m_z, m_zz = -full * w, full * w * (1.0 - 2.0 * p[k])
        m0, m1 = m_z * lead, -m_z * z[k]
        if k < visits:
            pull, weight = (score[k] - full * p[k]) * inv_var, inv_var
        elif k == visits:
            if not happened:
                continue
            pull, weight = a1, 0.0
        else:
            pull, weight = -a1 * hazard[k], hazard[k]
        if k >= visits:
            rise = a2 * per * speed[k]
            v0, v1 = rise * m_zz * lead, -rise * (m_zz * z[k] + m_z)
            eta0, eta1 = a1 * m0 + v0, a1 * m1 + v1
            times = 1.0 if k == visits else -hazard[k]
            slope[0] += times * eta0
            slope[1] += times * eta1
        else:
            eta0, eta1 = m0, m1
            slope[0] += pull * m0
            slope[1] += pull * m1
        plain[0, 0] += weight * eta0 * eta0
        plain[1, 0] += weight * eta0 * eta1
        plain[1, 1] += weight * eta1 * eta1
        x00 -= pull * (m_zz * lead * lead + m_z * lead)
        x01 -= pull * (-m_zz * lead * z[k] - m_z * lead)
        x11 -= pull * (m_zz * z[k] * z[k] + m_z * z[k])
    plain[0, 1] = plain[1, 0]
    curved[0, 0], curved[1, 1] = plain[0, 0] + x00, plain[1, 1] + x11
    curved[1, 0] = plain[1, 0] + x01
    curved[0, 1] = curved[1, 0]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _chosen(plain, curved, chol):
    """Lower Cholesky factor of the curvature, or of that without second derivatives where it is far from convex; False without one."""
    det = curved[0, 0] * curved[1, 1] - curved[1, 0] * curved[1, 0]
    least = plain[0, 0] * plain[1, 1] - plain[1, 0] * plain[1, 0]
    use = curved if curved[0, 0] > 0.0 and det > LEAST_CURVATURE * least else plain
    det = use[0, 0] * use[1, 1] - use[1, 0] * use[1, 0]
    if not (use[0, 0] > 0.0 and det > 0.0 and det < 1e300):
        return False
    chol[0, 0] = math.sqrt(use[0, 0])
    chol[1, 0] = use[1, 0] / chol[0, 0]
    chol[1, 1] = math.sqrt(det) / chol[0, 0]
    return True


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def mode_of(target, mode, scale):
    """Climb to the mode of `log_density` in the effects by damped Newton steps; `scale` scale' is the inverse curvature there.

    Parameters
    ----------
    target : tuple
        What `log_density` reads, without the effects.
    mode, scale : array, shapes (2,) and (2, 2)
        Filled; `scale` is upper triangular.

    Returns
    -------
    bool
        False when there is no curvature to scale by.
    """
    (visits, points, full, log_d50, log_dx, a1, a2, inv_var, happened, prior, clock, speed, constant, score, work) = target
    slope, plain, curved, chol = np.empty(2), np.empty((2, 2)), np.empty((2, 2)), np.zeros((2, 2))
    b0, b1 = 0.0, 0.0
    value = log_density(
        visits, points, full, log_d50, log_dx, b0, b1, a1, a2, inv_var, happened, prior, clock, speed, constant, score, work
    )
    for _ in range(MOST_STEPS):
        slope_and_curvature(
            visits, points, full, log_d50 + b0, log_dx + b1, b0, b1, a1, a2, inv_var, happened, prior, speed, score, work,
            slope, plain, curved,
        )  # fmt: skip
        if not _chosen(plain, curved, chol):
            return False
        y0 = slope[0] / chol[0, 0]
        y1 = (slope[1] - chol[1, 0] * y0) / chol[1, 1]
        if y0 * y0 + y1 * y1 < SETTLED:
            break
        step1 = y1 / chol[1, 1]
        step0 = (y0 - chol[1, 0] * step1) / chol[0, 0]
        size, reached = min(1.0, 1.0 / max(abs(step0), abs(step1))), False
        for _ in range(40):
            n0, n1 = b0 + size * step0, b1 + size * step1
            new = log_density(
                visits, points, full, log_d50, log_dx, n0, n1, a1, a2, inv_var, happened, prior, clock, speed, constant, score, work
            )  # fmt: skip
            if new >= value:
                b0, b1, value, reached = n0, n1, new, True
                break
            size *= 0.5
        if not reached:  # rounding hides the rest of the way; what `work` holds is of another point, and is taken again
            log_density(
                visits, points, full, log_d50, log_dx, b0, b1, a1, a2, inv_var, happened, prior, clock, speed, constant, score, work
            )  # fmt: skip
            break
    mode[0], mode[1] = b0, b1
    scale[0, 0], scale[1, 1], scale[1, 0] = 1.0 / chol[0, 0], 1.0 / chol[1, 1], 0.0
    scale[0, 1] = -chol[1, 0] / (chol[0, 0] * chol[1, 1])
    return True


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def room(cuts):
    """Scratch for the participant with most points: clock, speed, constant; and what `log_density` works in."""
    most = 2
    for i in range(cuts.seg_ptr.size - 1):
        own = cuts.visit_ptr[i + 1] - cuts.visit_ptr[i] + cuts.node_ptr[i + 1] - cuts.node_ptr[i] + 1
        most = max(most, own)
    buffer = np.empty(most)
    work = (np.zeros(most), np.zeros(most), np.zeros(most), np.zeros(most), buffer, buffer.view(np.int64))
    return np.empty(most), np.empty(most), np.empty(most), work
