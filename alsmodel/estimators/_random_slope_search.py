"""The search for the REML estimate of the random-slope model, inside the parameter space or on its edge.

``fit`` and ``work`` are those of `alsmodel.estimators._random_slope_likelihood`; ``small`` is scratch of its own.
"""

import numpy as np
from numba import njit

from alsmodel.estimators._pattern_sums import residual_sums, solve
from alsmodel.estimators._random_slope_likelihood import approach, evaluate

OK, AT_BOUNDARY, NOT_CONVERGED, NOT_ESTIMABLE = 0, 1, 2, 3
MAX_EVALUATIONS = 400
TOLERANCE = 1e-12  # of the scoring decrement s' I^-1 s: squared distance to the maximum, in standard errors
CORRELATION_ROOM = 1e-7  # scoring stays where 1 - correlation^2 of the random effects exceeds this
MAX_DAMPING = 1e12
SCORING, CLIMBING, FINISHING, ARRIVED = 0, 1, 2, 3


@njit(cache=True, nogil=True, error_model="numpy")
def assign(theta, d00, d01, d11, s2):  # type: ignore[no-untyped-def]
    theta[0] = d00
    theta[1] = d01
    theta[2] = d11
    theta[3] = s2


@njit(cache=True, nogil=True, error_model="numpy")
def start_values(patterns, row, stats, theta, beta, xx, work):  # type: ignore[no-untyped-def]
    """Moments of the participants' least-squares lines, pulled inside the space, into `theta`; False if X is short."""
    count, gram, cc, ch, _, _ = stats
    factor, rs, xvy = work[0], work[1], work[2]
    p = row.shape[0]
    assign(theta, 1.0, 0.0, 1.0, 1.0)
    for a in range(p):
        xvy[a] = 0.0
        for b in range(p):
            xx[a, b] = 0.0
    for g in range(patterns):
        for a in range(p):
            xvy[a] += ch[g, a, row[a]]
            for b in range(p):
                xx[a, b] += cc[g, a, b] * gram[g, row[a] + row[b]]
    if not solve(xx, xvy, factor, beta):
        return False
    within, freedom, lines, spread, seen, squares = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    r00, r01, r11, n00, n01, n11 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for g in range(patterns):
        s00, s01, s11, rr = residual_sums(g, beta, row, stats, rs)
        spread += rr
        seen += count[g, 0] * count[g, 1]
        squares += count[g, 0] * gram[g, 2]
        g0, g1, g2 = gram[g, 0], gram[g, 1], gram[g, 2]
        det = g0 * g2 - g1 * g1
        if count[g, 1] < 3 or det <= 1e-10 * g0 * g2:
            continue
        i00, i01, i11 = g2 / det, -g1 / det, g0 / det
        within += rr - (i00 * s00 + 2 * i01 * s01 + i11 * s11)
        freedom += count[g, 0] * (count[g, 1] - 2.0)
        lines += count[g, 0]
        r00 += i00 * i00 * s00 + 2 * i00 * i01 * s01 + i01 * i01 * s11
        r01 += i00 * i01 * s00 + (i00 * i11 + i01 * i01) * s01 + i01 * i11 * s11
        r11 += i01 * i01 * s00 + 2 * i01 * i11 * s01 + i11 * i11 * s11
        n00 += count[g, 0] * i00
        n01 += count[g, 0] * i01
        n11 += count[g, 0] * i11
    if freedom <= 0.0 or within <= 0.0 or lines <= p:
        scale = max(spread / seen, 1e-8)
        assign(theta, 0.5 * scale, 0.0, 0.1 * scale * seen / max(squares, 1e-12), 0.5 * scale)
        return True
    s2 = within / freedom
    d00, d11 = max((r00 - s2 * n00) / lines, 0.05 * r00 / lines), max((r11 - s2 * n11) / lines, 0.05 * r11 / lines)
    limit = 0.9 * np.sqrt(d00 * d11)
    assign(theta, d00, min(max((r01 - s2 * n01) / lines, -limit), limit), d11, s2)
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def correlation_room(theta):  # type: ignore[no-untyped-def]
    """1 - correlation^2 of the random effects, or 0 when a variance is not positive."""
    if theta[0] <= 0.0 or theta[2] <= 0.0 or theta[3] <= 0.0:
        return 0.0
    return 1.0 - theta[1] * theta[1] / (theta[0] * theta[2])


@njit(cache=True, nogil=True, error_model="numpy")
def scoring_step(theta, step, size, ahead):  # type: ignore[no-untyped-def]
    """Put theta + size * step into `ahead`, halving `size` until it is inside the space; 0 when it never is."""
    while size > 0.1:
        for k in range(4):
            ahead[k] = theta[k] + size * step[k]
        if correlation_room(ahead) > CORRELATION_ROOM:
            return size
        size *= 0.5
    return 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def to_cholesky(theta, x, floor):  # type: ignore[no-untyped-def]
    """x = (log l00, l10, log l11, log sigma2) with D = L L', slightly inside; `floor` bounds the walk to a zero variance."""
    room = max(correlation_room(theta), 1e-4)
    d00, d11, s2 = max(theta[0], 1e-10), max(theta[2], 1e-10), max(theta[3], 1e-10)
    x[0], x[1], x[2], x[3] = 0.5 * np.log(d00), theta[1] / np.sqrt(d00), 0.5 * np.log(d11 * room), np.log(s2)
    floor[0], floor[1], floor[2], floor[3] = x[0] - 18.0, -np.inf, x[2] - 14.0, -np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def from_cholesky(x, theta):  # type: ignore[no-untyped-def]
    l00, l11 = np.exp(x[0]), np.exp(x[2])
    assign(theta, l00 * l00, l00 * x[1], x[1] * x[1] + l11 * l11, np.exp(x[3]))


@njit(cache=True, nogil=True, error_model="numpy")
def cholesky_curvature(x, score, expected, slope, hessian, jacobian):  # type: ignore[no-untyped-def]
    """Gradient J'score and information J' expected J on the log-Cholesky scale, J = d theta / d x."""
    l00, l11 = np.exp(x[0]), np.exp(x[2])
    for k in range(4):
        for m in range(4):
            jacobian[k, m] = 0.0
    jacobian[0, 0] = 2.0 * l00 * l00
    jacobian[1, 0] = l00 * x[1]
    jacobian[1, 1] = l00
    jacobian[2, 1] = 2.0 * x[1]
    jacobian[2, 2] = 2.0 * l11 * l11
    jacobian[3, 3] = np.exp(x[3])
    for a in range(4):
        slope[a] = 0.0
        for k in range(4):
            slope[a] += jacobian[k, a] * score[k]
        for b in range(4):
            hessian[a, b] = 0.0
            for k in range(4):
                for m in range(4):
                    hessian[a, b] += jacobian[k, a] * expected[k, m] * jacobian[m, b]


@njit(cache=True, nogil=True, error_model="numpy")
def climbing_step(x, slope, hessian, damping, floor, scratch, factor, step, trial):  # type: ignore[no-untyped-def]
    """Levenberg-Marquardt step into `trial`; returns the damping that made the system positive definite."""
    while damping < MAX_DAMPING:
        for a in range(4):
            for b in range(4):
                scratch[a, b] = hessian[a, b]
            scratch[a, a] += damping * hessian[a, a] + 1e-12
        if solve(scratch, slope, factor, step):
            break
        damping *= 10.0
    for k in range(4):
        # A variance that goes to zero never arrives on the log scale: bounded steps and a floor end the walk.
        trial[k] = max(x[k] + min(max(step[k], -3.0), 3.0), floor[k])
    return damping


@njit(cache=True, nogil=True, error_model="numpy")
def maximise(patterns, row, stats, fit, work, small, theta, climb_first):  # type: ignore[no-untyped-def]
    """Find the maximum, into `theta` with `fit` evaluated there; returns (log likelihood, evaluations, status).

    Fisher scoring on theta; when it would leave the space, Levenberg-Marquardt steps on the log-Cholesky scale
    ("climbing"), then scoring again if the maximum turns out to be inside. The way is gone with `approach`; `evaluate`
    has the last word.
    """
    score, expected = fit[3], fit[4]
    ahead, step, x, trial, floor, slope, hessian, jacobian, scratch, factor = small
    if not start_values(patterns, row, stats, theta, fit[2], fit[1], work):
        return np.nan, 0, NOT_ESTIMABLE
    mode = CLIMBING if climb_first else SCORING
    value, size, decrement, before, damping, quiet, polished, done = -np.inf, 1.0, np.inf, np.inf, 1e-3, 0, False, False
    for k in range(4):
        ahead[k] = theta[k]
    if mode == CLIMBING:
        to_cholesky(theta, trial, floor)
        from_cholesky(trial, ahead)
    for used in range(1, MAX_EVALUATIONS + 1):
        if mode in (SCORING, CLIMBING):
            new = approach(ahead, patterns, row, stats, fit, work)
        else:
            new = evaluate(ahead, patterns, row, stats, fit, work)
        if not np.isfinite(new) and (value == -np.inf or mode in (FINISHING, ARRIVED)):
            return np.nan, used, NOT_ESTIMABLE
        if mode == ARRIVED:
            return new, used, OK
        if mode == SCORING:
            if new >= value - 1e-9 * (1.0 + abs(value)) or value == -np.inf:
                value = new
                for k in range(4):
                    theta[k] = ahead[k]
                size, before = 1.0 if solve(expected, score, factor, step) else 0.0, decrement
                decrement = step[0] * score[0] + step[1] * score[1] + step[2] * score[2] + step[3] * score[3]
            else:
                size *= 0.5
            size = scoring_step(theta, step, size, ahead)
            if size == 1.0 and decrement * (min(1.0, decrement / before) if before < np.inf else 1.0) < TOLERANCE:
                # Scoring converges linearly: after this step the decrement is about this one times the last ratio.
                mode = ARRIVED
                for k in range(4):
                    theta[k] = ahead[k]
            elif size == 0.0 and polished:
                mode = FINISHING
                from_cholesky(x, ahead)
            elif size == 0.0:
                mode, value = CLIMBING, -np.inf
                to_cholesky(theta, trial, floor)
                from_cholesky(trial, ahead)
        elif mode == CLIMBING:
            if new >= value:
                quiet = quiet + 1 if new - value < 1e-11 * (1.0 + abs(new)) else 0
                value, damping = new, max(damping * 0.1, 1e-12)
                for k in range(4):
                    x[k] = trial[k]
                cholesky_curvature(x, score, expected, slope, hessian, jacobian)
            else:
                damping *= 10.0
            damping = climbing_step(x, slope, hessian, damping, floor, scratch, factor, step, trial)
            done = quiet >= 3
            if done or damping >= MAX_DAMPING:
                # No uphill step left: the top, unless the gradient says otherwise.
                done = done or max(abs(slope[0]), abs(slope[1]), abs(slope[2]), abs(slope[3])) < 1e-3
                mode = FINISHING
                from_cholesky(x, ahead)
            else:
                from_cholesky(trial, ahead)
        else:
            value = new
            for k in range(4):
                theta[k] = ahead[k]
            if polished or not solve(expected, score, factor, step):
                return value, used, AT_BOUNDARY if done else NOT_CONVERGED
            decrement = step[0] * score[0] + step[1] * score[1] + step[2] * score[2] + step[3] * score[3]
            # The gradient vanishes at a maximum inside the space and not at one on its edge.
            if decrement > 1e-3 or scoring_step(theta, step, 1.0, ahead) == 0.0:
                return value, used, AT_BOUNDARY if done else NOT_CONVERGED
            mode, polished, size = SCORING, True, 1.0
    return value, MAX_EVALUATIONS, NOT_CONVERGED
