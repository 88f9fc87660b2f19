r"""Random effects of participants whose paths are sigmoid, drawn given the population parameters; and paths followed given them.

The posterior of a participant's effects is not log-concave here, so that rejection under a tangent (`alsmodel.kernels.effects`) is not
open. Proposals come from a bivariate t with five degrees of freedom at the mode with the curvature there (where the posterior is far
from a Gaussian: at its mean with its covariance, from `alsmodel.kernels.sigmoid_nodes`) and are accepted by an independence
Metropolis-Hastings step (Tierney 1994, Ann Stat 22:1701, section 2.3, doi 10.1214/aos/1176325750). After n steps the distance from the
posterior is at most :math:`(1 - 1 / W)^n`, W being the largest ratio of the posterior to the proposal (Mengersen & Tweedie 1996, Ann Stat
24:101, theorem 2.1, doi 10.1214/aos/1033066201): 1e-7 for W = 3 and the 40 steps taken.
"""

import math

import numpy as np
from numba import njit

from alsmodel.kernels.sigmoid import hazards, log_density, means_of, mode_of, place, room, shares
from alsmodel.kernels.sigmoid_nodes import like_gaussian, nodes_of
from alsmodel.kernels.smallmat import cholesky, inverse_from_cholesky

STEPS = 40
DEGREES = 5
_LEGENDRE = np.concatenate([0.5 + 0.5 * np.polynomial.legendre.leggauss(6)[0], 0.5 * np.polynomial.legendre.leggauss(6)[1]])


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _moments(mode, scale, target, tools, first, second, logw):
    """Put the posterior's mean and an upper triangular root of its covariance in the place of `mode` and `scale`."""
    (visits, points, full, log_d50, log_dx, a1, a2, inv_var, happened, prior, clock, speed, constant, score, work) = target
    count = nodes_of(mode, scale, target, _LEGENDRE, np.zeros((2, 0)), np.zeros(0), tools, first, second, logw)
    top = -np.inf
    for g in range(count):
        logw[g] += log_density(
            visits, points, full, log_d50, log_dx, first[g], second[g], a1, a2, inv_var, happened, prior, clock, speed, constant, score,
            work,
        )  # fmt: skip
        top = max(top, logw[g])
    total, m0, m1, v00, v01, v11 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for g in range(count):
        logw[g] = math.exp(logw[g] - top)
        total += logw[g]
        m0 += logw[g] * first[g]
        m1 += logw[g] * second[g]
    m0, m1 = m0 / total, m1 / total
    for g in range(count):
        weight, d0, d1 = logw[g] / total, first[g] - m0, second[g] - m1
        v00 += weight * d0 * d0
        v01 += weight * d0 * d1
        v11 += weight * d1 * d1
    left = v00 - v01 * v01 / v11
    if left > 0.0 and v11 > 0.0:
        mode[0], mode[1] = m0, m1
        scale[1, 1], scale[0, 1], scale[0, 0] = math.sqrt(v11), v01 / math.sqrt(v11), math.sqrt(left)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def draw_sigmoid_effects(path, shared, cuts, weibull, rng, out):
    """As `alsmodel.kernels.effects.draw_effects`; returns the proposals made."""
    people, full = out.shape[0], cuts.top
    clock, speed, constant, work = room(cuts)
    prior, chol = np.zeros((2, 2)), np.zeros((2, 2))
    mode, scale, tools = np.empty(2), np.empty((2, 2)), (np.empty(2), np.empty((2, 2)), np.empty((2, 2)))
    first, second, logw = np.empty(_LEGENDRE.size**2), np.empty(_LEGENDRE.size**2), np.empty(_LEGENDRE.size**2)
    fine = cholesky(shared.covariance, 2, chol)
    inverse_from_cholesky(chol, 2, prior, np.zeros((2, 2)))
    for i in range(people):
        out[i] = np.nan
        visits, points = place(i, cuts, path, shared, weibull, clock, speed, constant)
        score = cuts.score[cuts.visit_ptr[i] : cuts.visit_ptr[i + 1]]
        sd, which = shared.sigma[cuts.noise[i]], cuts.seg_alpha[cuts.seg_ptr[i]]
        inv_var, happened = 1.0 / (sd * sd), cuts.event[i] > 0.0
        a1, a2 = shared.alpha[which, 0], shared.alpha[which, 1]
        log_d50, log_dx = means_of(i, cuts, path)
        target = (visits, points, full, log_d50, log_dx, a1, a2, inv_var, happened, prior, clock, speed, constant, score, work)
        if not fine or not mode_of(target, mode, scale):
            continue
        if not like_gaussian(mode, scale, target):
            _moments(mode, scale, target, tools, first, second, logw)
        held = -np.inf
        for _ in range(STEPS):
            chi = 0.0
            for _ in range(DEGREES):
                chi += rng.standard_normal() ** 2
            wide = math.sqrt(DEGREES / chi)
            z0, z1 = rng.standard_normal() * wide, rng.standard_normal() * wide
            b0, b1 = mode[0] + scale[0, 0] * z0 + scale[0, 1] * z1, mode[1] + scale[1, 1] * z1
            found = log_density(
                visits, points, full, log_d50, log_dx, b0, b1, a1, a2, inv_var, happened, prior, clock, speed, constant, score, work
            )  # fmt: skip
            ratio = found + 0.5 * (DEGREES + 2) * math.log(1.0 + (z0 * z0 + z1 * z1) / DEGREES)
            if ratio > -1e300 and rng.random() < math.exp(min(ratio - held, 0.0)):
                out[i, 0], out[i, 1], held = b0, b1, ratio
    return people * STEPS


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def follow_sigmoid_effects(path, shared, cuts, weibull, effects, cumulative, value):
    """As `alsmodel.kernels.effects.follow_effects`."""
    clock, speed, constant, work = room(cuts)
    z, p, eta, hazard, buffer, bits = work
    for i in range(effects.shape[0]):
        visits, points = place(i, cuts, path, shared, weibull, clock, speed, constant)
        which = cuts.seg_alpha[cuts.seg_ptr[i]]
        log_d50, log_dx = means_of(i, cuts, path)
        per = shares(points, clock, log_d50 + effects[i, 0], log_dx + effects[i, 1], z, p, buffer, bits)
        a1, a2 = shared.alpha[which, 0], shared.alpha[which, 1]
        cumulative[i] = hazards(visits, points, cuts.top, per, a1, a2, speed, constant, p, eta, hazard, buffer, bits)
        value[i] = cuts.top * p[visits]
