r"""Where the effects of a participant with a sigmoid path are integrated: about the mode, or panel by panel where that would not do.

With many scores the posterior of (log D50, log dx) is close to a Gaussian, and the Gauss-Hermite grid about its mode will do. Somebody
seen at a few times, or at the ceiling only, leaves a curved ridge or a plateau that ends at a cliff, and there that grid misses most of the
mass. Whether the log density falls like a Gaussian's is read off eight points around the mode; where it does not, the outer integral
runs over log dx and the inner one over log D50 given it. Either is cut at its maximum into two panels, which end where the log density has
fallen by `DROP`, and each panel takes Gauss-Legendre nodes (Davis & Rabinowitz 1984, Methods of Numerical Integration, sections 2.7
and 5.6).
"""

import math

from numba import njit

from alsmodel.kernels.sigmoid import LEAST_CURVATURE, log_density, slope_and_curvature

DROP = 10.0  # fall of the log density at which a panel ends: 5e-5 of the maximum, 4.5 SDs of a Gaussian
FAR = 3.0  # SDs from the mode at which the fall is held to that of a Gaussian
ALIKE = 0.25  # relative difference from it that is taken for none
LOG_TWO_PI = math.log(2.0 * math.pi)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _ridge(b0, b1, target, tools):
    """Climb in b0 alone from where it is; returns b0, the log density there, and an SD from the curvature."""
    slope, plain, curved = tools
    (visits, points, full, log_d50, log_dx, a1, a2, inv_var, happened, prior, clock, speed, constant, score, work) = target
    value = log_density(
        visits, points, full, log_d50, log_dx, b0, b1, a1, a2, inv_var, happened, prior, clock, speed, constant, score, work
    )
    sd = 1.0
    for _ in range(30):
        slope_and_curvature(
            visits, points, full, log_d50 + b0, log_dx + b1, b0, b1, a1, a2, inv_var, happened, prior, speed, score, work,
            slope, plain, curved,
        )  # fmt: skip
        bend = curved[0, 0] if curved[0, 0] > LEAST_CURVATURE * plain[0, 0] else plain[0, 0]
        sd = 1.0 / math.sqrt(bend)
        step = slope[0] / bend
        if not step * slope[0] > 1e-4:
            break
        size, reached = min(1.0, 0.7 / abs(step)), False
        for _ in range(30):
            new = log_density(
                visits, points, full, log_d50, log_dx, b0 + size * step, b1, a1, a2, inv_var, happened, prior, clock, speed, constant,
                score, work,
            )  # fmt: skip
            if new >= value:
                b0, value, reached = b0 + size * step, new, True
                break
            size *= 0.4
        if not reached:
            break
    return b0, value, sd


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _next(length, low, high, drop):
    """Next length to try for a panel, from the fall at the end of this one."""
    guess = length * math.sqrt(DROP / max(drop, 0.3))
    if high < 0.0:
        return min(max(guess, 1.2 * length), 3.0 * length)
    return min(max(guess, low + 0.2 * (high - low)), high - 0.2 * (high - low))


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _inner_length(b0, b1, way, length, value, target):
    """How far from b0 the log density has fallen by about `DROP`."""
    (visits, points, full, log_d50, log_dx, a1, a2, inv_var, happened, prior, clock, speed, constant, score, work) = target
    low, high = 0.0, -1.0
    for _ in range(12):
        drop = value - log_density(
            visits, points, full, log_d50, log_dx, b0 + way * length, b1, a1, a2, inv_var, happened, prior, clock, speed, constant,
            score, work,
        )  # fmt: skip
        if drop < 0.8 * DROP:
            low = length
        elif drop > 1.6 * DROP:
            high = length
        else:
            break
        length = _next(length, low, high, drop)
    return length


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _outer_length(b0, b1, way, length, value, target, tools):
    """How far from b1 the ridge has fallen by about `DROP`."""
    low, high, at = 0.0, -1.0, b0
    for _ in range(12):
        at, there, _ = _ridge(at, b1 + way * length, target, tools)
        drop = value - there
        if drop < 0.8 * DROP:
            low = length
        elif drop > 1.6 * DROP:
            high, at = length, b0
        else:
            break
        length = _next(length, low, high, drop)
    return length


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def like_gaussian(mode, scale, target):
    """Whether the log density falls around its mode as its curvature there says."""
    (visits, points, full, log_d50, log_dx, a1, a2, inv_var, happened, prior, clock, speed, constant, score, work) = target
    value = log_density(
        visits, points, full, log_d50, log_dx, mode[0], mode[1], a1, a2, inv_var, happened, prior, clock, speed, constant, score, work
    )  # fmt: skip
    for k in range(8):
        z0, z1 = FAR * math.cos(0.25 * math.pi * k), FAR * math.sin(0.25 * math.pi * k)
        b0, b1 = mode[0] + scale[0, 0] * z0 + scale[0, 1] * z1, mode[1] + scale[1, 1] * z1
        fall = value - log_density(
            visits, points, full, log_d50, log_dx, b0, b1, a1, a2, inv_var, happened, prior, clock, speed, constant, score, work
        )  # fmt: skip
        if not abs(fall - 0.5 * FAR * FAR) < ALIKE * 0.5 * FAR * FAR:
            return False
    return True


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def nodes_of(mode, scale, target, legendre, grid, grid_logw, tools, first, second, logw):
    """Nodes of one participant's integral over the effects, and their log weights.

    Parameters
    ----------
    mode, scale : array
        From `alsmodel.kernels.sigmoid.mode_of`.
    target : tuple
        What `alsmodel.kernels.sigmoid.log_density` reads, without the effects.
    legendre : array, shape (2 L,)
        Gauss-Legendre nodes on (0, 1), increasing, then their weights.
    grid, grid_logw : array
        Gauss-Hermite grid, as `alsmodel.kernels.records.Rule` has it.
    first, second, logw : array, at least max(4 L^2, Q^2)
        Filled: log D50's effect, log dx's effect, log weight.

    Returns
    -------
    int
        Number of nodes.
    """
    if like_gaussian(mode, scale, target):
        width = math.log(scale[0, 0] * scale[1, 1]) + LOG_TWO_PI
        for g in range(grid_logw.size):
            first[g] = mode[0] + scale[0, 0] * grid[0, g] + scale[0, 1] * grid[1, g]
            second[g] = mode[1] + scale[1, 1] * grid[1, g]
            logw[g] = grid_logw[g] + width
        return grid_logw.size
    size, count = legendre.size // 2, 0
    start, value, _ = _ridge(mode[0], mode[1], target, tools)
    typical = math.sqrt(2.0 * DROP)
    for outer in range(2):
        way = -1.0 if outer == 0 else 1.0
        reach, b0 = _outer_length(start, mode[1], way, typical * scale[1, 1], value, target, tools), start
        for j in range(size):
            b1 = mode[1] + way * reach * legendre[j]
            b0, there, sd = _ridge(b0, b1, target, tools)
            for inner in range(2):
                side = -1.0 if inner == 0 else 1.0
                length = _inner_length(b0, b1, side, typical * sd, there, target)
                width = math.log(reach * legendre[size + j] * length)
                for k in range(size):
                    first[count], second[count] = b0 + side * length * legendre[k], b1
                    logw[count] = width + math.log(legendre[size + k])
                    count += 1
    return count
