"""Partial likelihood with Efron's ties, its derivatives, Firth's penalty, and the search for the maximum.

Columns arrive centred and scaled, rows sorted by stratum and then by time. The tuple ``sums`` holds the moments of
the risk set and of the deaths at one time: weights, weights x, weights x x', and (for Firth) weights x x x.
"""

import numpy as np
from numba import njit

from alsmodel.estimators._events import arm_table
from alsmodel.estimators._pattern_sums import invert, solve

OK, AT_LIMIT, NO_FINITE_ESTIMATE, NOT_ESTIMABLE, NOT_CONVERGED = 0, 1, 2, 3, 4
WALD, SCORE, LIKELIHOOD_RATIO = 0, 1, 2
MAX_EVALUATIONS = 100
TOLERANCE = 1e-17  # of the decrement U' I^-1 U: squared distance to the maximum, in standard errors
SPREAD = 25.0  # of the linear predictor: hazards e^25 apart within one trial mean that the likelihood has no maximum
ARM_LIMIT = 12.0  # a log hazard ratio of the arm beyond this, when the spread is reached, is on its way to infinity
PENALISED_TOLERANCE = 1e-16


@njit(cache=True, nogil=True, error_model="numpy")
def _add(x, i, weight, third, s1, s2, s3):  # type: ignore[no-untyped-def]
    """Add row `i` to the moments."""
    for a in range(x.shape[1]):
        wa = weight * x[i, a]
        s1[a] += wa
        for b in range(a + 1):
            wab = wa * x[i, b]
            s2[a, b] += wab
            if third:
                for c in range(b + 1):
                    s3[a, b, c] += wab * x[i, c]


@njit(cache=True, nogil=True, error_model="numpy")
def _clear(third, s1, s2, s3):  # type: ignore[no-untyped-def]
    """Set moments to zero."""
    for a in range(s1.shape[0]):
        s1[a] = 0.0
        for b in range(a + 1):
            s2[a, b] = 0.0
            if third:
                for c in range(b + 1):
                    s3[a, b, c] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _subtract(share, total, firth, sums, mean, score, information, slant):  # type: ignore[no-untyped-def]
    """What one death takes from the score, and adds to the information and its derivative."""
    r1, r2, r3, d1, d2, d3 = sums
    inverse = 1.0 / total
    for a in range(mean.shape[0]):
        mean[a] = (r1[a] - share * d1[a]) * inverse
        score[a] -= mean[a]
        for b in range(a + 1):
            information[a, b] += (r2[a, b] - share * d2[a, b]) * inverse - mean[a] * mean[b]
    if firth:
        for a in range(mean.shape[0]):
            for b in range(a + 1):
                ab = (r2[a, b] - share * d2[a, b]) * inverse
                for c in range(b + 1):
                    ac, bc = (r2[a, c] - share * d2[a, c]) * inverse, (r2[b, c] - share * d2[b, c]) * inverse
                    abc = (r3[a, b, c] - share * d3[a, b, c]) * inverse
                    slant[a, b, c] += abc - ab * mean[c] - ac * mean[b] - bc * mean[a] + 2.0 * mean[a] * mean[b] * mean[c]


@njit(cache=True, nogil=True, error_model="numpy")
def evaluate(beta, x, time, event, stratum, firth, sums, mean, weight, score, information, slant):  # type: ignore[no-untyped-def]
    """Log partial likelihood; fills score, information and, for Firth, its derivative `slant`. Also the spread of x beta."""
    r1, r2, r3, d1, d2, d3 = sums
    people, p = x.shape
    _clear(firth, score, information, slant)
    _clear(firth, r1, r2, r3)
    _clear(firth, d1, d2, d3)
    value, risk, deaths, first = 0.0, 0.0, 0, people - 1
    low, high = np.inf, -np.inf
    for i in range(people - 1, -1, -1):
        eta = 0.0
        for a in range(p):
            eta += beta[a] * x[i, a]
        low, high = min(low, eta), max(high, eta)
        weight[i] = np.exp(eta)
        risk += weight[i]
        if firth:
            _add(x, i, weight[i], firth, r1, r2, r3)
        else:  # written out: half of the time is spent here
            for a in range(p):
                moment = weight[i] * x[i, a]
                r1[a] += moment
                for b in range(a + 1):
                    r2[a, b] += moment * x[i, b]
        if event[i] > 0:
            value += eta
            deaths += 1
            for a in range(p):
                score[a] += x[i, a]
        last_of_stratum = i == 0 or stratum[i - 1] != stratum[i]
        if last_of_stratum or time[i - 1] != time[i]:
            if deaths == 1:
                value -= np.log(risk)
                _subtract(0.0, risk, firth, sums, mean, score, information, slant)
            elif deaths > 1:
                dead = 0.0
                for j in range(i, first + 1):
                    if event[j] > 0:
                        dead += weight[j]
                        _add(x, j, weight[j], firth, d1, d2, d3)
                for k in range(deaths):
                    share = k / deaths
                    value -= np.log(risk - share * dead)
                    _subtract(share, risk - share * dead, firth, sums, mean, score, information, slant)
                _clear(firth, d1, d2, d3)
            deaths, first = 0, i - 1
            if last_of_stratum:
                risk = 0.0
                _clear(firth, r1, r2, r3)
    for a in range(p):
        for b in range(a):
            information[b, a] = information[a, b]
    return value, high - low


@njit(cache=True, nogil=True, error_model="numpy")
def _penalise(inverse, slant, score):  # type: ignore[no-untyped-def]
    """Add half the derivative of log|I| to the score: tr(I^-1 dI/dbeta) / 2 (Firth 1993)."""
    p = score.shape[0]
    for a in range(p):
        for b in range(p):
            for c in range(p):
                high, low = max(a, b, c), min(a, b, c)
                score[a] += 0.5 * inverse[b, c] * slant[high, a + b + c - high - low, low]


@njit(cache=True, nogil=True, error_model="numpy")
def _log_determinant(matrix, factor, unit, out):  # type: ignore[no-untyped-def]
    """log|matrix| by Cholesky; NaN when it is not positive definite."""
    unit[:] = 0.0
    if not solve(matrix, unit, factor, out):
        return np.nan
    total = 0.0
    for a in range(matrix.shape[0]):
        total += 2.0 * np.log(factor[a, a])
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def maximise(beta, x, time, event, stratum, first, firth, sums, mean, weight, score, information, slant, inverse):  # type: ignore[no-untyped-def]
    """Newton steps on coefficients `first` and later, the earlier ones held; returns (status, log likelihood, evaluations).

    With Firth's penalty the likelihood returned is the penalised one. `inverse` is that of the information on all
    coefficients at the maximum.
    """
    p = beta.shape[0]
    free = p - first
    factor, unit, out, step = np.empty((p, p)), np.empty(p), np.empty(p), np.zeros(p)
    best, previous = -np.inf, beta.copy()
    for trial in range(MAX_EVALUATIONS):
        value, spread = evaluate(beta, x, time, event, stratum, firth, sums, mean, weight, score, information, slant)
        regular = True
        if firth:
            value += 0.5 * _log_determinant(information, factor, unit, out)
            regular = invert(information, unit, factor, inverse)
            if regular:
                _penalise(inverse, slant, score)
        if not value >= best - 1e-9 * (1.0 + abs(best)) or not regular:
            if trial == 0:
                return NOT_ESTIMABLE, value, 1
            for a in range(p):  # the step overshot: halve it
                step[a] *= 0.5
                beta[a] = previous[a] + step[a]
            continue
        best = max(best, value)
        if free == 0:
            if p > 0 and not invert(information, unit, factor, inverse):
                return NOT_ESTIMABLE, value, trial + 1
            return OK, value, trial + 1
        block, gradient = information[first:, first:], score[first:]
        if not solve(block, gradient, factor[first:, first:], out[first:]):
            return NOT_ESTIMABLE if trial == 0 else NOT_CONVERGED, value, trial + 1
        decrement, longest = 0.0, 0.0
        for a in range(first, p):
            decrement += out[a] * score[a]
            longest = max(longest, abs(out[a]))
        shrink = min(1.0, 4.0 / longest) if longest > 0.0 else 1.0
        for a in range(p):
            previous[a] = beta[a]
            step[a] = shrink * out[a] if a >= first else 0.0
            beta[a] += step[a]
        finished = decrement < (PENALISED_TOLERANCE if firth else TOLERANCE)
        if finished or (spread > SPREAD and not firth):
            if not invert(information, unit, factor, inverse):
                return NOT_ESTIMABLE if finished else NO_FINITE_ESTIMATE, value, trial + 1
            return OK if finished else AT_LIMIT, value, trial + 1
    return NOT_CONVERGED, best, MAX_EVALUATIONS


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(order, arm, stratum, covariates, time, event, levels, starts, rows, x):  # type: ignore[no-untyped-def]
    """Positions by stratum, then time, into `rows`; design into `x`; returns the number of participants."""
    starts[:] = 0
    for i in range(order.shape[0]):
        if arm[i] >= 0:
            starts[stratum[i] + 1] += 1
    for s in range(levels):
        starts[s + 1] += starts[s]
    people = starts[levels]
    for i in range(order.shape[0]):
        who = order[i]
        if arm[who] >= 0:
            rows[starts[stratum[who]]] = who
            starts[stratum[who]] += 1
    for k in range(people):
        x[k, 0] = arm[rows[k]]
        for a in range(covariates.shape[1]):
            x[k, a + 1] = covariates[rows[k], a]
    return people


@njit(cache=True, nogil=True, error_model="numpy")
def _standardise(x, scale):  # type: ignore[no-untyped-def]
    """Centre and scale the columns in place; False when one is constant."""
    people, p = x.shape
    for a in range(p):
        total = 0.0
        for i in range(people):
            total += x[i, a]
        centre, square = total / people, 0.0
        for i in range(people):
            x[i, a] -= centre
            square += x[i, a] * x[i, a]
        scale[a] = np.sqrt(square / people)
        if not scale[a] > 1e-12 * (1.0 + abs(centre)):
            return False
        for i in range(people):
            x[i, a] /= scale[a]
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _fit_one(x, time, event, stratum, firth, test, work, coefficients, covariance, numbers):  # type: ignore[no-untyped-def]
    """One replicate on standardised columns; returns (status, evaluations). Numbers: statistic, log likelihood."""
    sums, mean, weight, score, information, slant, inverse, beta, null, scale = work
    p = beta.shape[0]
    under_null = np.nan
    if test in (SCORE, LIKELIHOOD_RATIO):
        null[:] = 0.0
        status, under_null, _ = maximise(
            null, x, time, event, stratum, 1, firth, sums, mean, weight, score, information, slant, inverse
        )  # fmt: skip
        if status > AT_LIMIT:
            return status, 0
        if test == SCORE:
            numbers[0] = score[0] * np.sqrt(inverse[0, 0])
    beta[:] = 0.0
    status, value, evaluations = maximise(
        beta, x, time, event, stratum, 0, firth, sums, mean, weight, score, information, slant, inverse
    )  # fmt: skip
    # Back from standardised columns: |I| is that of the coefficients as reported.
    numbers[1] = value + np.sum(np.log(scale)) if firth else value
    if status in (NOT_ESTIMABLE, NOT_CONVERGED):
        numbers[0] = np.nan
        return status, evaluations
    if test == LIKELIHOOD_RATIO:
        numbers[0] = np.sign(beta[0]) * np.sqrt(max(0.0, 2.0 * (value - under_null)))
    if status == NO_FINITE_ESTIMATE or (status == AT_LIMIT and abs(beta[0] / scale[0]) > ARM_LIMIT):
        return NO_FINITE_ESTIMATE, evaluations
    for a in range(p):
        coefficients[a] = beta[a] / scale[a]
        for b in range(p):
            covariance[a, b] = inverse[a, b] / (scale[a] * scale[b])
    if test == WALD:
        numbers[0] = coefficients[0] / np.sqrt(covariance[0, 0])
    return status, evaluations


@njit(cache=True, nogil=True, error_model="numpy")
def fit_batch(
    time, order, event, arm, stratum, covariates, levels, firth, test, coefficients, covariance, numbers, counts
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Fill coefficients (R, p), covariance, numbers (R, 2: statistic, log likelihood), counts (R, 3: events, status, evaluations)."""
    replicates, n = time.shape
    p = coefficients.shape[1]
    q = p if firth else 0
    sums = (np.zeros(p), np.zeros((p, p)), np.zeros((q, q, q)), np.zeros(p), np.zeros((p, p)), np.zeros((q, q, q)))
    scale = np.ones(p)
    scratch = (np.zeros(p), np.empty(n), np.zeros(p), np.zeros((p, p)), np.zeros((q, q, q)), np.zeros((p, p)))
    work = (sums, *scratch, np.zeros(p), np.zeros(p), scale)
    design, rows, starts = np.empty((n, p)), np.empty(n, dtype=np.int64), np.zeros(levels + 1, dtype=np.int64)
    when, died, layer = np.empty(n), np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    for r in range(replicates):
        groups = arm[r if arm.shape[0] > 1 else 0]
        layers = stratum[r if stratum.shape[0] > 1 else 0]
        people = _gather(
            order[r], groups, layers, covariates[r if covariates.shape[0] > 1 else 0], time[r], event[r], levels, starts, rows, design
        )  # fmt: skip
        events = 0
        for k in range(people):
            when[k], died[k], layer[k] = time[r, rows[k]], event[r, rows[k]], layers[rows[k]]
            events += died[k]
        counts[r, 0], counts[r, 1] = events, NOT_ESTIMABLE
        x = design[:people]
        if events > 0 and _standardise(x, scale):
            counts[r, 1], counts[r, 2] = _fit_one(
                x, when[:people], died[:people], layer[:people], firth, test, work, coefficients[r], covariance[r], numbers[r]
            )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def evaluate_arm(beta, table, rows):  # type: ignore[no-untyped-def]
    """Log partial likelihood, score and information of a binary arm alone, from the counts at each event time."""
    ratio, value, score, information = np.exp(beta), 0.0, 0.0, 0.0
    for j in range(rows):
        deaths, active, at_risk, risk_active = table[j, 0], table[j, 1], table[j, 2], table[j, 3]
        value += active * beta
        score += active
        for k in range(int(deaths)):
            share = k / deaths
            exposed = (risk_active - share * active) * ratio
            total = exposed + at_risk - risk_active - share * (deaths - active)
            mean = exposed / total
            value -= np.log(total)
            score -= mean
            information += mean * (1.0 - mean)
    return value, score, information


@njit(cache=True, nogil=True, error_model="numpy")
def _fit_arm(table, rows, test, numbers):  # type: ignore[no-untyped-def]
    """Newton steps from 0; fills numbers (estimate, SE, statistic, log likelihood); returns (status, evaluations)."""
    at_null, score, information = evaluate_arm(0.0, table, rows)
    if not information > 1e-10:
        return NOT_ESTIMABLE, 1
    if test == SCORE:
        numbers[2] = score / np.sqrt(information)
    beta, status, value = 0.0, NOT_CONVERGED, at_null
    evaluations = 1
    while evaluations < MAX_EVALUATIONS:
        step = score / information
        beta += min(max(step, -1.5), 1.5)
        if abs(beta) > ARM_LIMIT or not information > 0.0:
            status = NO_FINITE_ESTIMATE
        elif step * score < TOLERANCE:
            status = OK
        if status != NOT_CONVERGED:
            break
        value, score, information = evaluate_arm(beta, table, rows)
        evaluations += 1
    numbers[3] = value
    if status == NOT_CONVERGED:
        numbers[2] = np.nan
    elif test == LIKELIHOOD_RATIO:
        numbers[2] = np.sign(beta) * np.sqrt(max(0.0, 2.0 * (value - at_null)))
    if status == OK:
        numbers[0], numbers[1] = beta, 1.0 / np.sqrt(information)
        if test == WALD:
            numbers[2] = numbers[0] / numbers[1]
    return status, evaluations


@njit(cache=True, nogil=True, error_model="numpy")
def fit_arm_batch(time, order, event, arm, stratum, levels, test, numbers, counts):  # type: ignore[no-untyped-def]
    """The same as `fit_batch` when the arm is the only term: no participant is visited after the counts are made."""
    table, state = np.empty((time.shape[1], 5)), np.empty((levels, 5))
    for r in range(time.shape[0]):
        groups = arm[r if arm.shape[0] > 1 else 0]
        layers = stratum[r if stratum.shape[0] > 1 else 0]
        rows = arm_table(time[r], order[r], event[r], groups, layers, state, table)
        events = 0.0
        for j in range(rows):
            events += table[j, 0]
        counts[r, 0] = int(events)
        counts[r, 1], counts[r, 2] = _fit_arm(table, rows, test, numbers[r])
