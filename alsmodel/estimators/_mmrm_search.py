"""The search for the restricted maximum: scoring, with an EM-REML step wherever scoring would leave the space."""

from typing import NamedTuple

import numpy as np

from alsmodel.estimators._mmrm_algebra import copy, factorise, fill, inner, product, solve_factor
from alsmodel.estimators._mmrm_likelihood import (
    curved_information,
    evaluate,
    find_coefficients,
    find_gradient,
    place_coefficients,
    quick_information,
    residual_squares,
)
from alsmodel.estimators._mmrm_structure import AR1, UNSTRUCTURED, collapse, expand, jacobian, parameters, second_derivative
from alsmodel.estimators._mmrm_sums import Floats

OK, NOT_CONVERGED, NOT_ESTIMABLE, NO_SCORES, TOO_FEW = 0, 1, 2, 3, 4
MAX_EVALUATIONS = 200
# Of the decrement s' I^-1 s: squared distance to the maximum, in standard errors. A scoring step is the last below the first
# number; a curved step when the decrement after it, should it shrink once more as it did, is below the second.
TOLERANCE = 1e-9
CURVED_TOLERANCE = 1e-8
NEAR = 5.0  # decrement from which the curved information gives better steps
SMALLEST_STEP = 1e-4


class Search(NamedTuple):
    """Parameters and what a step needs."""

    theta: Floats  # (m,) current
    ahead: Floats  # (m,) tried
    step: Floats  # (m,)
    score: Floats  # (K,) by packed Sigma
    slope: Floats  # (m,) by theta
    sigma: Floats  # (T, T)
    gradient: Floats  # (T, T) at sigma
    trial: Floats  # (T, T)
    information: Floats  # (K, K) of packed Sigma
    reduced: Floats  # (m, m) of theta, and its factor
    jacobian: Floats  # (m, K)


@inner
def positive(sigma, scratch):  # type: ignore[no-untyped-def]
    """Whether Sigma is safely positive definite."""
    visits = sigma.shape[0]
    copy(sigma, scratch)
    return not np.isnan(factorise(scratch, visits, 1e-8))


@inner
def start(structure, patterns, effect, sums, fit, work, search):  # type: ignore[no-untyped-def]
    """Start at the covariances of the least-squares residuals, each from the participants seen at both visits."""
    visits = effect.shape[0]
    for g in range(patterns):
        fill(fit.square[g], 0.0)
        absent = 0
        for t in range(visits):
            if absent < sums.n_missing[g] and sums.missing[g, absent] == t:
                absent += 1
            else:
                fit.precision[g, t * visits + t] = 1.0
    log_det, _ = find_coefficients(patterns, effect, sums, fit, work)
    if np.isnan(log_det):
        return False
    place_coefficients(effect, fit)
    fill(search.sigma, 0.0)
    for g in range(patterns):
        fill(work.square, 0.0)
        residual_squares(g, sums, fit, work, work.flat)
        # Only the observed block is made of residuals.
        for t in range(visits):
            for s in range(visits):
                search.sigma[t, s] += work.flat[t * visits + s] * fit.precision[g, t * visits + t] * fit.precision[g, s * visits + s]
    for t in range(visits):
        for s in range(visits):
            search.sigma[t, s] /= max(sums.seen[t, s], 1.0)
        if not search.sigma[t, t] > 0.0:
            return False
    shrink = 1.0
    for _ in range(60):
        for t in range(visits):
            for s in range(visits):
                search.trial[t, s] = search.sigma[t, s] * (1.0 if t == s else shrink)
        collapse(structure, search.trial, visits, search.theta)
        expand(structure, search.theta, visits, search.trial)
        if positive(search.trial, work.a):
            return True
        shrink *= 0.8
    return False


@inner
def pack_score(gradient, out):  # type: ignore[no-untyped-def]
    """Derivative by the packed entries of Sigma: an entry off the diagonal stands for two."""
    visits = gradient.shape[0]
    k = 0
    for i in range(visits):
        for j in range(i, visits):
            out[k] = gradient[i, j] * (1.0 if i == j else 2.0)
            k += 1


@inner
def reduce_information(structure, information, theta, visits, spare, jac, out):  # type: ignore[no-untyped-def]
    """out (upper) = J I J' for the parameters of the structure, from the upper triangle of I; `spare` is (m, K)."""
    m, packed = parameters(structure, visits), visits * (visits + 1) // 2
    if structure == UNSTRUCTURED:
        for k in range(packed):
            for j in range(k, packed):
                out[k, j] = information[k, j]
        return
    jacobian(structure, theta, visits, jac)
    for k in range(packed):
        for j in range(k):
            information[k, j] = information[j, k]
    product(jac, information, m, packed, packed, spare)
    for a in range(m):
        for b in range(a, m):
            out[a, b] = 0.0
            for k in range(packed):
                out[a, b] += spare[a, k] * jac[b, k]


@inner
def subtract_second(visits, search):  # type: ignore[no-untyped-def]
    """Take the score times the second derivatives of the AR(1) covariance from the upper triangle of `search.reduced`."""
    m = search.theta.shape[0]
    for a in range(m):
        for b in range(a, m):
            k = 0
            for i in range(visits):
                for j in range(i, visits):
                    search.reduced[a, b] -= search.score[k] * second_derivative(search.theta, a, b, j - i)
                    k += 1


@inner
def solve_step(structure, curved, visits, search, spare):  # type: ignore[no-untyped-def]
    """Step for `search.information`; returns the decrement, NaN when the information is not positive definite."""
    m = search.theta.shape[0]
    reduce_information(structure, search.information, search.theta, visits, spare, search.jacobian, search.reduced)
    if curved and structure == AR1:
        subtract_second(visits, search)
    for a in range(m):
        search.slope[a] = search.score[a]
        if structure != UNSTRUCTURED:
            search.slope[a] = 0.0
            for k in range(search.score.shape[0]):
                search.slope[a] += search.jacobian[a, k] * search.score[k]
    for a in range(m):
        search.step[a] = search.slope[a]
    if np.isnan(factorise(search.reduced, m, 1e-12)):
        return np.nan
    solve_factor(search.reduced, m, search.step)
    decrement = 0.0
    for a in range(m):
        decrement += search.step[a] * search.slope[a]
    return decrement


@inner
def direction(structure, patterns, used, close, sums, fit, place, work, search, exact):  # type: ignore[no-untyped-def]
    """Next step and the gradient; returns its decrement (NaN when the information is singular) and whether it is a curved one.

    `close`: try the curved information first, which brings the gradient with it.
    """
    visits = search.sigma.shape[0]
    if close:
        curved_information(patterns, used, place, sums, fit, work, exact.other, search.information)
        pack_score(fit.gradient, search.score)
        decrement = solve_step(structure, True, visits, search, exact.spare)
        if decrement < NEAR:
            return decrement, True
    else:
        find_gradient(patterns, sums, fit, work)
        pack_score(fit.gradient, search.score)
    quick_information(patterns, used, sums, fit, place, work, search.information)
    return solve_step(structure, False, visits, search, exact.spare), False


@inner
def em_step(used, work, search):  # type: ignore[no-untyped-def]
    """EM-REML: Sigma + 2/n Sigma gradient Sigma, always positive definite and never downhill; into `search.trial`."""
    visits = search.sigma.shape[0]
    product(search.sigma, search.gradient, visits, visits, visits, work.a)
    product(work.a, search.sigma, visits, visits, visits, work.b)
    for i in range(visits):
        for j in range(visits):
            search.trial[i, j] = search.sigma[i, j] + (work.b[i, j] + work.b[j, i]) / used


@inner
def try_step(structure, search, size, scratch):  # type: ignore[no-untyped-def]
    """Put theta + size * step into `ahead` and Sigma there into `trial`, halving `size` while not positive definite."""
    while size >= SMALLEST_STEP:
        for a in range(search.theta.shape[0]):
            search.ahead[a] = search.theta[a] + size * search.step[a]
        expand(structure, search.ahead, search.sigma.shape[0], search.trial)
        if positive(search.trial, scratch):
            return size
        size *= 0.5
    return 0.0


@inner
def maximise(structure, patterns, used, effect, sums, fit, place, work, search, exact, em_first):  # type: ignore[no-untyped-def]
    """Find the maximum, `fit` evaluated there; returns (log likelihood, evaluations, status).

    The first `em_first` steps are EM-REML steps (unstructured only).
    """
    visits = effect.shape[0]
    if not start(structure, patterns, effect, sums, fit, work, search):
        return np.nan, 0, NOT_ESTIMABLE
    for a in range(search.theta.shape[0]):
        search.ahead[a] = search.theta[a]
    value, size, before, last, em, close = -np.inf, 1.0, np.inf, False, False, False
    for evaluations in range(1, MAX_EVALUATIONS + 1):
        new = evaluate(search.trial, patterns, effect, sums, fit, work)
        if np.isnan(new) and value == -np.inf:
            return np.nan, evaluations, NOT_ESTIMABLE
        if value == -np.inf or new >= value - 1e-9 * (1.0 + abs(value)):
            value = new
            for a in range(search.theta.shape[0]):
                search.theta[a] = search.ahead[a]
            copy(search.trial, search.sigma)
            if last:
                if structure == AR1:  # whose information has a term in the gradient
                    find_gradient(patterns, sums, fit, work)
                return value, evaluations, OK
            decrement, curved = direction(structure, patterns, used, close, sums, fit, place, work, search, exact)
            copy(fit.gradient, search.gradient)
            if np.isnan(decrement):
                return np.nan, evaluations, NOT_ESTIMABLE
            shrinks = min(decrement / before, 1.0) if curved and size == 1.0 else 1.0
            last = decrement < TOLERANCE or (curved and shrinks * decrement < CURVED_TOLERANCE)
            before = decrement
            em = structure == UNSTRUCTURED and evaluations <= em_first and not last
            size = 0.0 if em else try_step(structure, search, 1.0, work.a)
            last = last and size == 1.0
            # A scoring step comes first: far from the maximum the curved information misleads.
            close = not em and size == 1.0
        elif em:
            # An EM step goes downhill by rounding only, at a Sigma that is all but singular.
            return value, evaluations, NOT_CONVERGED
        else:
            last = False
            size = try_step(structure, search, 0.5 * size, work.a)
        if size == 0.0:
            if structure != UNSTRUCTURED:
                return value, evaluations, NOT_CONVERGED
            em_step(used, work, search)
            if not positive(search.trial, work.a):
                return value, evaluations, NOT_CONVERGED
            collapse(structure, search.trial, visits, search.ahead)
            em, last = True, False
    return value, MAX_EVALUATIONS, NOT_CONVERGED
