"""Log posterior density of a joint model and its gradient in one compiled function for every model structure.

A model is data here: which parameter plays which role, its transformation and prior, its design columns. So nothing is compiled
when a model is declared, and one cached function serves every study. `alsmodel.models.joint.build` declares the same density
in PyMC; the two are compared in the tests.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from alsmodel.kernels.baseline import baseline, baseline_gradient, extend, extend_gradient
from alsmodel.kernels.causes import Further, Later, add_later, further_bases, further_gradients
from alsmodel.kernels.correlations import partial_factor, partial_gradient
from alsmodel.kernels.joint import joint_loglik
from alsmodel.kernels.records import Path, Shared

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

IDENTITY, LOG, LOGODDS = 0, 1, 2
NORMAL, HALF_NORMAL, BETA = 0, 1, 2
HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


class Priors(NamedTuple):
    """Transformation and prior of each of P parameters.

    Attributes
    ----------
    transform : int array
        IDENTITY, LOG or LOGODDS: parameter = x, exp(x) or 1 / (1 + exp(-x)).
    kind : int array
        NORMAL (mean a, SD b), HALF_NORMAL (scale b) or BETA (both shapes a).
    a, b : array
    """

    transform: Ints
    kind: Ints
    a: Floats
    b: Floats


class Wiring(NamedTuple):
    """Which parameter, or value derived from parameters, plays which role; -1 where there is none.

    Places below P are parameters; P + j is row j of `derived`.

    Attributes
    ----------
    one : int array, shape (2 + K,)
        Intercept, slope, and coefficients of the K terms that bend the mean path.
    sigma : int array, shape (R,)
        Residual SDs.
    alpha : int array, shape (A, 2) or (A, 3 + q)
        Association as in `alsmodel.kernels.records.Shared`; one row for each group of participants between which it differs.
    sds, partials : int array
        SDs of the random effects and canonical partial correlations (as (r + 1) / 2), in the order 10, 20, 21, 30.
    base : int array, shape (strata, C)
        Coefficients of the baseline hazard.
    base_kind : int
        As in `alsmodel.kernels.baseline`.
    base_reference : array
    derived : int array, shape (J, 3)
        Places of common value, scale and deviation.
    drugs : int array, shape (drugs, 5)
        theta, psi, additive, log hazard ratio, theta on the hazard's clock.
    intercept, slope, hazard : int array
        Coefficients of the design columns.
    x_intercept, x_slope, x_hazard : array, shape (N, columns)
        The last has N rows for each hazard of the model: of each cause, and of what comes after one.
    imputed : int array, shape (m, 5)
        Parameter, participant, column in each of the three designs.
    shift : array, shape (N,)
        The hazard's clock minus the score's clock.
    further : Further
        Baselines of the further hazards.
    """

    one: Ints
    sigma: Ints
    alpha: Ints
    sds: Ints
    partials: Ints
    base: Ints
    base_kind: int
    base_reference: Floats
    derived: Ints
    drugs: Ints
    intercept: Ints
    slope: Ints
    hazard: Ints
    x_intercept: Floats
    x_slope: Floats
    x_hazard: Floats
    imputed: Ints
    shift: Floats
    further: Further


class Segments(NamedTuple):
    """Exposure and lengths of segments.

    Attributes
    ----------
    person, row : int array, shape (S,)
        Participant, and row of the hazard's linear predictor.
    walk : int array, shape (W + 1,)
        Where each run of segments along a participant's time begins: one for each participant and cause.
    exposed : array, shape (S, drugs)
    inside, before : array, shape (S,)
        Time to the next segment's reference time, and the part of it before time zero.
    basis, stratum : array, shapes (R, C - 1) and (R,)
        Of the baseline at every node and then at every end of follow-up, where each has a log hazard of its own; else empty.
    further_basis, further_stratum, further_ptr : array
        The same of the further hazards, one after the other, `further_ptr` saying where the rows of each begin.
    later : Later
        What is followed after a cause.
    """

    person: Ints
    row: Ints
    walk: Ints
    exposed: Floats
    inside: Floats
    before: Floats
    basis: Floats
    stratum: Ints
    further_basis: Floats
    further_stratum: Ints
    further_ptr: Ints
    later: Later


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def constrain(x, priors, value, slope, gradient):
    """Parameters, their derivatives in x, and the log prior with log Jacobian (gradient in x added to `gradient`)."""
    total = 0.0
    for k in range(x.size):
        if priors.transform[k] == LOG:
            v = math.exp(min(x[k], 300.0))
            jump, d_jump, dv = x[k], 1.0, v
        elif priors.transform[k] == LOGODDS:
            v = 1.0 / (1.0 + math.exp(-max(min(x[k], 300.0), -300.0)))
            dv = v * (1.0 - v)
            jump, d_jump = (math.log(dv) if dv > 0.0 else -np.inf), 1.0 - 2.0 * v
        else:
            v, dv, jump, d_jump = x[k], 1.0, 0.0, 0.0
        a, b = priors.a[k], priors.b[k]
        if priors.kind[k] == BETA:
            inner = max(v * (1.0 - v), 1e-300)
            density = (a - 1.0) * math.log(inner) - 2.0 * math.lgamma(a) + math.lgamma(2.0 * a)
            d_density = (a - 1.0) * (1.0 - 2.0 * v) / inner
        else:
            centre = a if priors.kind[k] == NORMAL else 0.0
            z = (v - centre) / b
            density = -0.5 * z * z - math.log(b) - HALF_LOG_TWO_PI + (math.log(2.0) if priors.kind[k] == HALF_NORMAL else 0.0)
            d_density = -z / b
        value[k], slope[k] = v, dv
        gradient[k] += d_density * dv + d_jump
        total += density + jump
    return total


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _at(value, index):
    return value[index] if index >= 0 else 0.0


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def correlation_factor(value, partials, random):
    """Cholesky factor of the correlation matrix from canonical partial correlations, which `value` holds as (r + 1) / 2."""
    return partial_factor(2.0 * value[partials] - 1.0, random)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _covariance_gradient(d_cov, value, wiring, factor, lower, out):
    """From the gradient in D to that in SDs and partial correlations; D = lower lower', lower = diag(SD) factor."""
    random = wiring.sds.size
    d_lower = 2.0 * (d_cov @ lower)
    d_factor = np.zeros((random, random))
    for k in range(random):
        for m in range(k + 1):
            out[wiring.sds[k]] += d_lower[k, m] * factor[k, m]
            d_factor[k, m] = d_lower[k, m] * value[wiring.sds[k]]
    d_partials = partial_gradient(d_factor, 2.0 * value[wiring.partials] - 1.0)
    for k in range(d_partials.size):
        out[wiring.partials[k]] += 2.0 * d_partials[k]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _linear(value, start, coefficients, design, imputed, columns):
    """start + design @ coefficients for each participant, imputed numbers in place of the means that stand in for them."""
    people = design.shape[0]
    out = np.full(people, start)
    for k in range(coefficients.size):
        beta = value[coefficients[k]]
        for i in range(people):
            out[i] += design[i, k] * beta
    for r in range(imputed.shape[0]):
        k = columns[r]
        if k >= 0:
            i = imputed[r, 1]
            out[i] += (value[imputed[r, 0]] - design[i, k]) * value[coefficients[k]]
    return out


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _linear_gradient(person_gradient, value, coefficients, design, imputed, columns, out):
    people = design.shape[0]
    for k in range(coefficients.size):
        total = 0.0
        for i in range(people):
            total += design[i, k] * person_gradient[i]
        out[coefficients[k]] += total
    for r in range(imputed.shape[0]):
        k = columns[r]
        if k >= 0:
            i = imputed[r, 1]
            out[coefficients[k]] += (value[imputed[r, 0]] - design[i, k]) * person_gradient[i]
            out[imputed[r, 0]] += value[coefficients[k]] * person_gradient[i]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _clock(value, effects, segments, seg_ptr, rate, reading):
    """Rate of a clock on each segment and its reading at the reference time; exposure to drug d multiplies the rate by exp(effect)."""
    # Arrays are taken out of their tuples once: doing so counts references, which costs more than the arithmetic.
    exposed, inside, before = segments.exposed, segments.inside, segments.before
    for e in range(rate.size):
        log_rate = 0.0
        for d in range(effects.size):
            log_rate += _at(value, effects[d]) * exposed[e, d]
        rate[e] = math.exp(log_rate) if log_rate != 0.0 else 1.0
    for i in range(seg_ptr.size - 1):
        now = 0.0
        for e in range(seg_ptr[i], seg_ptr[i + 1]):
            now -= rate[e] * before[e]
        for e in range(seg_ptr[i], seg_ptr[i + 1]):
            reading[e] = now
            now += rate[e] * inside[e]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _clock_gradient(d_rate, d_reading, effects, segments, seg_ptr, rate, out):
    """From gradients in a clock's rate and reading to those in the drugs' effects."""
    exposed, inside, before = segments.exposed, segments.inside, segments.before
    for i in range(seg_ptr.size - 1):
        first, last = seg_ptr[i], seg_ptr[i + 1]
        total = 0.0
        for e in range(first, last):
            total += d_reading[e]
        later = total
        for e in range(first, last):
            later -= d_reading[e]
            d = (d_rate[e] + inside[e] * later - before[e] * total) * rate[e]
            for k in range(effects.size):
                if effects[k] >= 0:
                    out[effects[k]] += d * exposed[e, k]


class Between(NamedTuple):
    """What lies between the parameters and the paths, for the gradient.

    Attributes
    ----------
    speed : array, shape (N,)
        Mean slope without treatment.
    rate, reading, own_rate, clock_rate : array, shape (S,)
        Rates of the three clocks, and the reading of the first at the reference times.
    factor, lower : array
        Cholesky factors of the random effects' correlation and covariance.
    hazard : array
        Linear predictors of the hazards.
    """

    speed: Floats
    rate: Floats
    reading: Floats
    own_rate: Floats
    clock_rate: Floats
    factor: Floats
    lower: Floats
    hazard: Floats


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def paths(value, wiring, segments):
    """Mean paths of all participants and what they share, at one vector of parameters on their own scale.

    Parameters
    ----------
    value : array
        Parameters, then the values of groups, strata and spline weights (`alsmodel.kernels.baseline.extend`).
    wiring : Wiring
    segments : Segments
        Of the data on which the paths are wanted.

    Returns
    -------
    tuple of Path, Shared, Between
    """
    seg_ptr, drugs, size = segments.walk, wiring.drugs, segments.person.size
    person, hazard_row, exposed, shift = segments.person, segments.row, segments.exposed, wiring.shift
    start = _linear(value, value[wiring.one[0]], wiring.intercept, wiring.x_intercept, wiring.imputed, wiring.imputed[:, 2])
    speed = _linear(value, value[wiring.one[1]], wiring.slope, wiring.x_slope, wiring.imputed, wiring.imputed[:, 3])
    hazard = _linear(value, 0.0, wiring.hazard, wiring.x_hazard, wiring.imputed, wiring.imputed[:, 4])
    rate, reading = np.empty(size), np.empty(size)
    _clock(value, drugs[:, 0], segments, seg_ptr, rate, reading)
    own_rate, own_reading, clock_rate, clock_reading = rate, reading, rate, reading
    treated = drugs.shape[0] > 0  # without a drug the three clocks are one
    if treated:
        own_rate, own_reading, clock_rate, clock_reading = np.empty(size), np.empty(size), np.empty(size), np.empty(size)
        _clock(value, drugs[:, 1], segments, seg_ptr, own_rate, own_reading)
        _clock(value, drugs[:, 4], segments, seg_ptr, clock_rate, clock_reading)
    level, mean_rate, offset, clock_level = np.empty(size), np.empty(size), np.empty(size), np.empty(size)
    for e in range(size):
        i = person[e]
        level[e], mean_rate[e] = start[i] + speed[i] * reading[e], speed[i] * rate[e]
        offset[e] = hazard[hazard_row[e]]
        clock_level[e] = shift[i] + clock_reading[e]
    if treated:
        for e in range(size):
            offset[e] += math.log(clock_rate[e]) if clock_rate[e] != 1.0 else 0.0
            for d in range(drugs.shape[0]):
                offset[e] += _at(value, drugs[d, 3]) * exposed[e, d]
                mean_rate[e] += _at(value, drugs[d, 2]) * exposed[e, d]
    plain, elapsed = np.empty(size if treated else 0), np.empty(size if treated else 0)
    for d in range(drugs.shape[0]):
        if drugs[d, 2] >= 0:
            plain[:] = exposed[:, d]
            _gain(plain, segments, seg_ptr, elapsed)
            level += value[drugs[d, 2]] * elapsed

    random = wiring.sds.size
    factor = correlation_factor(value, wiring.partials, random)
    lower = np.zeros((random, random))
    for k in range(random):
        for m in range(k + 1):
            lower[k, m] = value[wiring.sds[k]] * factor[k, m]
    base = baseline(value, wiring.base, wiring.base_kind, wiring.base_reference, segments.basis, segments.stratum)
    if wiring.further.kind.size > 0:
        base = further_bases(base, value, wiring.further, segments)
    alpha = np.empty(wiring.alpha.shape)
    for a in range(alpha.shape[0]):
        for k in range(alpha.shape[1]):
            alpha[a, k] = _at(value, wiring.alpha[a, k])
    bend = np.empty(wiring.one.size - 2)
    for k in range(bend.size):
        bend[k] = _at(value, wiring.one[2 + k])
    shared = Shared(base, alpha, bend, value[wiring.sigma], lower @ lower.T)
    path = Path(level, mean_rate, own_reading, own_rate, clock_level, clock_rate, offset)
    return path, shared, Between(speed, rate, reading, own_rate, clock_rate, factor, lower, hazard)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy", inline="always")
def _add_likelihood(sign, value, wiring, segments, cuts, rule, weibull, gradient, loglik, out):
    """Add sign times the log-likelihood to each participant's, and its gradient in the parameters to `out`."""
    path, shared, between = paths(value, wiring, segments)
    ll, g = joint_loglik(path, shared, cuts, rule, weibull, gradient)
    loglik += sign * ll
    d_hazard = np.zeros(between.hazard.size)
    if segments.later.person.size > 0:
        add_later(sign, between.hazard, shared.base, segments.later, loglik, d_hazard, g.base)
    if gradient:
        add_gradient(sign, g, d_hazard, value, wiring, segments, between, out)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def add_gradient(sign, g, d_hazard, value, wiring, segments, between, out):
    """Add to `out` sign times the gradient in the parameters, from those in the paths, in what is shared and in the linear hazards."""
    drugs, seg_ptr, people, size = wiring.drugs, segments.walk, wiring.shift.size, segments.person.size
    person, hazard_row, exposed = segments.person, segments.row, segments.exposed
    speed, rate, reading, clock_rate = between.speed, between.rate, between.reading, between.clock_rate
    d = np.zeros(value.size)
    d_start, d_speed = np.zeros(people), np.zeros(people)
    g_level, g_rate, g_offset = g.level, g.rate, g.offset
    for e in range(size):
        i = person[e]
        d_start[i] += g_level[e]
        d_speed[i] += g_level[e] * reading[e] + g_rate[e] * rate[e]
        d_hazard[hazard_row[e]] += g_offset[e]
    if drugs.shape[0] > 0:
        d_rate, d_reading, d_clock_rate = np.empty(size), np.empty(size), np.empty(size)
        plain, elapsed, g_clock_rate = np.empty(size), np.empty(size), g.clock_rate
        for e in range(size):
            i = person[e]
            d_rate[e], d_reading[e] = g_rate[e] * speed[i], g_level[e] * speed[i]
            d_clock_rate[e] = g_clock_rate[e] + g_offset[e] / clock_rate[e]
            for k in range(drugs.shape[0]):
                if drugs[k, 3] >= 0:
                    d[drugs[k, 3]] += g_offset[e] * exposed[e, k]
                if drugs[k, 2] >= 0:
                    d[drugs[k, 2]] += g_rate[e] * exposed[e, k]
        for k in range(drugs.shape[0]):
            if drugs[k, 2] >= 0:
                plain[:] = exposed[:, k]
                _gain(plain, segments, seg_ptr, elapsed)
                d[drugs[k, 2]] += (g_level * elapsed).sum()
        _clock_gradient(d_rate, d_reading, drugs[:, 0], segments, seg_ptr, rate, d)
        _clock_gradient(g.own_rate, g.own_level, drugs[:, 1], segments, seg_ptr, between.own_rate, d)
        _clock_gradient(d_clock_rate, g.clock_level, drugs[:, 4], segments, seg_ptr, clock_rate, d)
    if wiring.one[0] >= 0:
        d[wiring.one[0]] += d_start.sum()
    if wiring.one[1] >= 0:
        d[wiring.one[1]] += d_speed.sum()
    _linear_gradient(d_start, value, wiring.intercept, wiring.x_intercept, wiring.imputed, wiring.imputed[:, 2], d)
    _linear_gradient(d_speed, value, wiring.slope, wiring.x_slope, wiring.imputed, wiring.imputed[:, 3], d)
    _linear_gradient(d_hazard, value, wiring.hazard, wiring.x_hazard, wiring.imputed, wiring.imputed[:, 4], d)
    _covariance_gradient(g.covariance, value, wiring, between.factor, between.lower, d)
    baseline_gradient(g.base, value, wiring.base, wiring.base_kind, wiring.base_reference, segments.basis, segments.stratum, d)
    if wiring.further.kind.size > 0:
        further_gradients(g.base, value, wiring.further, segments, d)
    for a in range(wiring.alpha.shape[0]):
        for k in range(wiring.alpha.shape[1]):
            if wiring.alpha[a, k] >= 0:
                d[wiring.alpha[a, k]] += g.alpha[a, k]
    terms = wiring.one.size - 2
    for k in range(terms):
        if wiring.one[2 + k] >= 0:
            d[wiring.one[2 + k]] += g.scalars[k]
    for k in range(wiring.sigma.size):
        d[wiring.sigma[k]] += g.scalars[terms + k]
    out += sign * d


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _gain(rate, segments, seg_ptr, reading):
    """Integral of a rate that is constant on segments, from time zero to each reference time."""
    inside, before = segments.inside, segments.before
    for i in range(seg_ptr.size - 1):
        now = 0.0
        for e in range(seg_ptr[i], seg_ptr[i + 1]):
            now -= rate[e] * before[e]
        for e in range(seg_ptr[i], seg_ptr[i + 1]):
            reading[e] = now
            now += rate[e] * inside[e]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def log_posterior(points, priors, wiring, segments, cuts, rule, weibull, incident, early_segments, early_cuts, early_rule, wanted):
    """Log posterior density at unconstrained vectors (up to a constant), its gradients, and each log-likelihood at the last.

    Parameters
    ----------
    points : array, shape (n, P)
    priors : Priors
    wiring : Wiring
    segments, cuts, rule : Segments, Cuts, Rule
        The data.
    weibull : bool
        Whether the likelihood reads log scale and log shape: a Weibull on the disease clock.
    incident : bool
        Divide each likelihood by the chance of surviving to entry, whose data are `early_segments`, `early_cuts`, `early_rule`.
    wanted : bool
        Whether the gradient is; without it, it means nothing and evaluation takes about half the time.

    Returns
    -------
    tuple
        Densities (n,), gradients (n, P), log-likelihoods (N,) at the last point. A density is -inf where undefined.
    """
    n, size = points.shape
    density, gradient, loglik = np.empty(n), np.zeros((n, size)), np.zeros(wiring.shift.size)
    value, slope = np.empty(size), np.empty(size)
    for r in range(n):
        prior = constrain(points[r], priors, value, slope, gradient[r])
        whole = extend(value, wiring.derived)
        d = np.zeros(whole.size)
        loglik[:] = 0.0
        for early in range(2 if incident else 1):
            sign = 1.0
            own_segments, own_cuts, own_rule = segments, cuts, rule
            if early == 1:
                sign = -1.0
                own_segments, own_cuts, own_rule = early_segments, early_cuts, early_rule
            _add_likelihood(sign, whole, wiring, own_segments, own_cuts, own_rule, weibull, wanted, loglik, d)
        extend_gradient(d, whole, wiring.derived)
        for k in range(size):
            gradient[r, k] += d[k] * slope[k]
        total = prior + loglik.sum()
        density[r] = total if total > -1e300 and total < 1e300 else -np.inf
    return density, gradient, loglik
