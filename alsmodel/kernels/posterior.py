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
    alpha : int array, shape (A, 2)
        Association through the value and through the slope; one row for each group of participants between which it differs.
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
def _linear(value, start, coefficients, design, imputed, column):
    """start + design @ coefficients for each participant, imputed numbers in place of the means that stand in for them."""
    people = design.shape[0]
    out = np.full(people, start)
    for k in range(coefficients.size):
        beta = value[coefficients[k]]
        for i in range(people):
            out[i] += design[i, k] * beta
    for r in range(imputed.shape[0]):
        k = imputed[r, column]
        if k >= 0:
            i = imputed[r, 1]
            out[i] += (value[imputed[r, 0]] - design[i, k]) * value[coefficients[k]]
    return out


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _linear_gradient(person_gradient, value, start, coefficients, design, imputed, column, out):
    people = design.shape[0]
    if start >= 0:
        out[start] += person_gradient.sum()
    for k in range(coefficients.size):
        total = 0.0
        for i in range(people):
            total += design[i, k] * person_gradient[i]
        out[coefficients[k]] += total
    for r in range(imputed.shape[0]):
        k = imputed[r, column]
        if k >= 0:
            i = imputed[r, 1]
            out[coefficients[k]] += (value[imputed[r, 0]] - design[i, k]) * person_gradient[i]
            out[imputed[r, 0]] += value[coefficients[k]] * person_gradient[i]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _clock(value, drugs, which, segments, seg_ptr, rate, reading):
    """Rate of a clock on each segment and its reading at the reference time; exposure to drug d multiplies the rate by exp(effect)."""
    for e in range(rate.size):
        log_rate = 0.0
        for d in range(drugs.shape[0]):
            log_rate += _at(value, drugs[d, which]) * segments.exposed[e, d]
        rate[e] = math.exp(log_rate) if log_rate != 0.0 else 1.0
    for i in range(seg_ptr.size - 1):
        now = 0.0
        for e in range(seg_ptr[i], seg_ptr[i + 1]):
            now -= rate[e] * segments.before[e]
        for e in range(seg_ptr[i], seg_ptr[i + 1]):
            reading[e] = now
            now += rate[e] * segments.inside[e]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _clock_gradient(d_rate, d_reading, drugs, which, segments, seg_ptr, rate, out):
    """From gradients in a clock's rate and reading to those in the drugs' effects."""
    for i in range(seg_ptr.size - 1):
        first, last = seg_ptr[i], seg_ptr[i + 1]
        total = 0.0
        for e in range(first, last):
            total += d_reading[e]
        later = total
        for e in range(first, last):
            later -= d_reading[e]
            d = (d_rate[e] + segments.inside[e] * later - segments.before[e] * total) * rate[e]
            for k in range(drugs.shape[0]):
                if drugs[k, which] >= 0:
                    out[drugs[k, which]] += d * segments.exposed[e, k]


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
    start = _linear(value, value[wiring.one[0]], wiring.intercept, wiring.x_intercept, wiring.imputed, 2)
    speed = _linear(value, value[wiring.one[1]], wiring.slope, wiring.x_slope, wiring.imputed, 3)
    hazard = _linear(value, 0.0, wiring.hazard, wiring.x_hazard, wiring.imputed, 4)
    rate, reading, own_rate, own_reading = np.empty(size), np.empty(size), np.empty(size), np.empty(size)
    clock_rate, clock_reading, plain, elapsed = np.empty(size), np.empty(size), np.ones(size), np.empty(size)
    _clock(value, drugs, 0, segments, seg_ptr, rate, reading)
    _clock(value, drugs, 1, segments, seg_ptr, own_rate, own_reading)
    _clock(value, drugs, 4, segments, seg_ptr, clock_rate, clock_reading)
    level, mean_rate, offset, clock_level = np.empty(size), np.empty(size), np.empty(size), np.empty(size)
    for e in range(size):
        i = segments.person[e]
        level[e], mean_rate[e] = start[i] + speed[i] * reading[e], speed[i] * rate[e]
        offset[e] = hazard[segments.row[e]] + (math.log(clock_rate[e]) if clock_rate[e] != 1.0 else 0.0)
        clock_level[e] = wiring.shift[i] + clock_reading[e]
        for d in range(drugs.shape[0]):
            offset[e] += _at(value, drugs[d, 3]) * segments.exposed[e, d]
            mean_rate[e] += _at(value, drugs[d, 2]) * segments.exposed[e, d]
    for d in range(drugs.shape[0]):
        if drugs[d, 2] >= 0:
            plain[:] = segments.exposed[:, d]
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
        alpha[a, 0], alpha[a, 1] = _at(value, wiring.alpha[a, 0]), _at(value, wiring.alpha[a, 1])
    bend = np.empty(wiring.one.size - 2)
    for k in range(bend.size):
        bend[k] = _at(value, wiring.one[2 + k])
    shared = Shared(base, alpha, bend, value[wiring.sigma], lower @ lower.T)
    path = Path(level, mean_rate, own_reading, own_rate, clock_level, clock_rate, offset)
    return path, shared, Between(speed, rate, reading, own_rate, clock_rate, factor, lower, hazard)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
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
    speed, rate, reading, clock_rate = between.speed, between.rate, between.reading, between.clock_rate
    d = np.zeros(value.size)
    d_start, d_speed = np.zeros(people), np.zeros(people)
    d_rate, d_reading, d_clock_rate = np.empty(size), np.empty(size), np.empty(size)
    plain, elapsed = np.empty(size), np.empty(size)
    for e in range(size):
        i = segments.person[e]
        d_start[i] += g.level[e]
        d_speed[i] += g.level[e] * reading[e] + g.rate[e] * rate[e]
        d_hazard[segments.row[e]] += g.offset[e]
        d_rate[e], d_reading[e] = g.rate[e] * speed[i], g.level[e] * speed[i]
        d_clock_rate[e] = g.clock_rate[e] + g.offset[e] / clock_rate[e]
        for k in range(drugs.shape[0]):
            if drugs[k, 3] >= 0:
                d[drugs[k, 3]] += g.offset[e] * segments.exposed[e, k]
            if drugs[k, 2] >= 0:
                d[drugs[k, 2]] += g.rate[e] * segments.exposed[e, k]
    for k in range(drugs.shape[0]):
        if drugs[k, 2] >= 0:
            plain[:] = segments.exposed[:, k]
            _gain(plain, segments, seg_ptr, elapsed)
            d[drugs[k, 2]] += (g.level * elapsed).sum()
    if drugs.shape[0] > 0:
        _clock_gradient(d_rate, d_reading, drugs, 0, segments, seg_ptr, rate, d)
        _clock_gradient(g.own_rate, g.own_level, drugs, 1, segments, seg_ptr, between.own_rate, d)
        _clock_gradient(d_clock_rate, g.clock_level, drugs, 4, segments, seg_ptr, clock_rate, d)
    _linear_gradient(d_start, value, wiring.one[0], wiring.intercept, wiring.x_intercept, wiring.imputed, 2, d)
    _linear_gradient(d_speed, value, wiring.one[1], wiring.slope, wiring.x_slope, wiring.imputed, 3, d)
    _linear_gradient(d_hazard, value, -1, wiring.hazard, wiring.x_hazard, wiring.imputed, 4, d)
    _covariance_gradient(g.covariance, value, wiring, between.factor, between.lower, d)
    baseline_gradient(g.base, value, wiring.base, wiring.base_kind, wiring.base_reference, segments.basis, segments.stratum, d)
    if wiring.further.kind.size > 0:
        further_gradients(g.base, value, wiring.further, segments, d)
    for a in range(wiring.alpha.shape[0]):
        for k in range(2):
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
    for i in range(seg_ptr.size - 1):
        now = 0.0
        for e in range(seg_ptr[i], seg_ptr[i + 1]):
            now -= rate[e] * segments.before[e]
        for e in range(seg_ptr[i], seg_ptr[i + 1]):
            reading[e] = now
            now += rate[e] * segments.inside[e]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def log_posterior(x, priors, wiring, segments, cuts, rule, weibull, incident, early_segments, early_cuts, early_rule, wanted):
    """Log posterior density at the unconstrained vector `x` (up to a constant), its gradient, and each log-likelihood.

    Parameters
    ----------
    x : array, shape (P,)
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
        Density, gradient (P,), log-likelihoods (N,). The density is -inf where undefined.
    """
    value, slope, gradient = np.empty(x.size), np.empty(x.size), np.zeros(x.size)
    density = constrain(x, priors, value, slope, gradient)
    whole = extend(value, wiring.derived)
    loglik, d = np.zeros(wiring.shift.size), np.zeros(whole.size)
    _add_likelihood(1.0, whole, wiring, segments, cuts, rule, weibull, wanted, loglik, d)
    if incident:
        _add_likelihood(-1.0, whole, wiring, early_segments, early_cuts, early_rule, weibull, wanted, loglik, d)
    extend_gradient(d, whole, wiring.derived)
    for k in range(x.size):
        gradient[k] += d[k] * slope[k]
    total = density + loglik.sum()
    if not (total > -1e300 and total < 1e300):
        total = -np.inf
    return total, gradient, loglik
