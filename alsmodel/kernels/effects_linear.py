r"""Random intercepts and slopes drawn given the population parameters, for lines on a hazard with one cause: the case drawn most.

Same draws in distribution as `alsmodel.kernels.effects`, whose tangent they are proposed and accepted under. What makes it fast: the
posteriors given the scores, the nodes and the modes are those of `alsmodel.kernels.joint_linear`, block by block, and the first proposal
of everybody in a block is judged by vectorised exponentials; the few whom it fails go on one by one.
"""

import math

import numpy as np
from numba import njit

from alsmodel.kernels.effects import MOST_TRIES
from alsmodel.kernels.joint import prior_of
from alsmodel.kernels.joint_linear import A1, BLOCK, COLUMNS, M0, M1, MU0, MU1, P00, P01, P11, _place_nodes, _recentre, _score_posteriors
from alsmodel.kernels.vectors import exp_into

# Columns of what is proposed: centre, Cholesky factor of the precision, the tangent as a number and two slopes, the proposal.
C0, C1, L00, L10, L11, LINE, G0, G1, B0, B1 = range(10)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _propose(row, rng, made):
    """A draw of the Gaussian under the tangent."""
    first, second = rng.standard_normal(), rng.standard_normal()
    along = second / made[row, L11]
    made[row, B1] = made[row, C1] + along
    made[row, B0] = made[row, C0] + (first - made[row, L10] * along) / made[row, L00]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _propose_all(first, last, node_ptr, state, constant, slope_zeta, hazard, rng, made, eta):
    """Tangents at the modes, a first proposal of everybody, and the log hazards there in `eta`."""
    origin = node_ptr[first]
    for row in range(last - first):
        left, right = np.uint64(node_ptr[first + row] - origin), np.uint64(node_ptr[first + row + 1] - origin)
        total, tilted = 0.0, 0.0
        for n in range(left, right):
            total += hazard[n]
            tilted += hazard[n] * slope_zeta[n]
        a1, m0, m1, p00, p01, p11 = state[row, A1], state[row, M0], state[row, M1], state[row, P00], state[row, P01], state[row, P11]
        g0, g1, det = a1 * total, tilted, p00 * p11 - p01 * p01
        made[row, C0] = state[row, MU0] - (p11 * g0 - p01 * g1) / det
        made[row, C1] = state[row, MU1] - (p00 * g1 - p01 * g0) / det
        root = math.sqrt(p00)
        made[row, L00], made[row, L10], made[row, L11] = root, p01 / root, math.sqrt(det) / root
        made[row, LINE], made[row, G0], made[row, G1] = total - g0 * m0 - g1 * m1, g0, g1
        _propose(row, rng, made)
        level, slope = a1 * made[row, B0], made[row, B1]
        for n in range(left, right):
            eta[n] = constant[n] + level + slope_zeta[n] * slope


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _accept_all(first, last, node_ptr, state, constant, slope_zeta, hazard, rng, made, out):
    """Accept, or propose again until one is accepted; returns the further proposals."""
    origin, further = node_ptr[first], 0
    for row in range(last - first):
        left, right = np.uint64(node_ptr[first + row] - origin), np.uint64(node_ptr[first + row + 1] - origin)
        total = 0.0
        for n in range(left, right):
            total += hazard[n]
        out[first + row, 0] = out[first + row, 1] = np.nan
        for _ in range(MOST_TRIES):
            line = made[row, LINE] + made[row, G0] * made[row, B0] + made[row, G1] * made[row, B1]
            if rng.random() < math.exp(min(line - total, 0.0)):
                out[first + row, 0], out[first + row, 1] = made[row, B0], made[row, B1]
                break
            further += 1
            _propose(row, rng, made)
            level, slope = state[row, A1] * made[row, B0], made[row, B1]
            total = 0.0
            for n in range(left, right):
                total += math.exp(min(constant[n] + level + slope_zeta[n] * slope, 600.0))
    return further


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def draw_linear_effects(path, shared, cuts, weibull, rng, out):
    """As `alsmodel.kernels.effects.draw_effects`, with two random effects, no spline, one cause and events with a time.

    Returns
    -------
    int
        Proposals made, for all participants together; -1 where somebody's posterior does not exist, and then `out` means nothing.
    """
    people, node_ptr = cuts.seg_ptr.size - 1, cuts.node_ptr
    defined, prior, half_logdet = prior_of(shared)
    if not defined:
        return -1
    most = 1
    for first in range(0, people, BLOCK):
        most = max(most, node_ptr[min(first + BLOCK, people)] - node_ptr[first])
    state, made = np.empty((BLOCK, COLUMNS)), np.empty((BLOCK, 10))
    constant, slope_zeta, log_clock, hazard, eta, buffer = (
        np.empty(most), np.empty(most), np.empty(most), np.empty(most), np.empty(most), np.empty(most),
    )  # fmt: skip
    bits = buffer.view(np.int64)
    proposals = people
    for first in range(0, people, BLOCK):
        last = min(first + BLOCK, people)
        count = node_ptr[last] - node_ptr[first]
        if not _score_posteriors(first, last, path, shared, cuts, weibull, prior, half_logdet, state):
            return -1
        _place_nodes(first, last, path, shared, cuts, weibull, state, constant, slope_zeta, log_clock, eta)
        exp_into(eta, count, hazard, buffer, bits)
        if not _recentre(first, last, node_ptr, state, constant, slope_zeta, hazard, eta):
            return -1
        exp_into(eta, count, hazard, buffer, bits)
        _propose_all(first, last, node_ptr, state, constant, slope_zeta, hazard, rng, made, eta)
        exp_into(eta, count, hazard, buffer, bits)
        proposals += _accept_all(first, last, node_ptr, state, constant, slope_zeta, hazard, rng, made, out)
    return proposals
