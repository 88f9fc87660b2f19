r"""Log posterior density of a model with latent classes: a mixture of the likelihoods that the same participant has in each class.

.. math:: L_i = \sum_k \pi_{ik} L_{ik}, \qquad \pi_{ik} \propto e^{\gamma_k + x_i' \delta_k}, \quad \gamma_1 = 0, \; \delta_1 = 0

:math:`L_{ik}` is the likelihood with the random effects integrated out (`alsmodel.kernels.joint_apart`) at the parameters of class k. The
gradient of :math:`\log L_i` is the mean of those of :math:`\log \pi_{ik} L_{ik}` under the probabilities :math:`r_{ik} = \pi_{ik} L_{ik} /
L_i` of the classes given what was observed, so that each class takes one weighted pass (Proust-Lima et al. 2014,
doi 10.1177/0962280212445839; that the gradient is such a mean is Fisher's identity).
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from alsmodel.kernels.baseline import extend, extend_gradient
from alsmodel.kernels.joint import closed_loglik
from alsmodel.kernels.posterior import add_gradient, constrain, paths

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Classes(NamedTuple):
    """Which parameter makes which class; K classes.

    Attributes
    ----------
    slots : int array, shape (3,)
        Intercept, slope, and the place behind all parameters and derived values that the log hazard of a class is read from.
    intercept, hazard : int array, shape (K - 1,)
        What is added to the first class's intercept and log hazard in each other class; -1 where nothing is.
    step : int array, shape (K - 1,)
        Log of the distance of each class's slope from that of the class before it.
    odds : int array, shape (K - 1, 1 + columns)
        Coefficients of the log odds of each other class against the first: constant, then covariates.
    design : array, shape (N, columns)
        Covariates of the class.
    """

    slots: Ints
    intercept: Ints
    hazard: Ints
    step: Ints
    odds: Ints
    design: Floats


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def log_shares(value, classes):
    """Log probability of each class for each participant before anything is observed, shape (K, N)."""
    people, count = classes.design.shape[0], classes.step.size + 1
    out = np.zeros((count, people))
    for k in range(1, count):
        odds = classes.odds[k - 1]
        for i in range(people):
            total = value[odds[0]]
            for c in range(classes.design.shape[1]):
                total += value[odds[1 + c]] * classes.design[i, c]
            out[k, i] = total
    for i in range(people):
        top = out[:, i].max()
        whole = 0.0
        for k in range(count):
            whole += math.exp(out[k, i] - top)
        out[:, i] -= top + math.log(whole)
    return out


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def value_of_class(value, classes, k):
    """Parameters and derived values by which the participants of class k live, with the log hazard of the class behind them."""
    out = np.zeros(value.size + 1)
    out[: value.size] = value
    for j in range(k):
        out[classes.slots[1]] += math.exp(min(value[classes.step[j]], 300.0))
    if k > 0:
        out[classes.slots[0]] += value[classes.intercept[k - 1]]
        if classes.hazard[k - 1] >= 0:
            out[classes.slots[2]] = value[classes.hazard[k - 1]]
    return out


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _scatter(d, value, classes, k, out):
    """Add the gradient in the parameters of class k to that in all parameters."""
    out += d[: out.size]
    for j in range(k):
        out[classes.step[j]] += d[classes.slots[1]] * math.exp(min(value[classes.step[j]], 300.0))
    if k > 0:
        out[classes.intercept[k - 1]] += d[classes.slots[0]]
        if classes.hazard[k - 1] >= 0:
            out[classes.hazard[k - 1]] += d[classes.slots[2]]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _share_gradient(share, chosen, classes, out):
    """Gradient in the log odds: probabilities given what was observed, less those before."""
    for k in range(1, chosen.shape[0]):
        odds = classes.odds[k - 1]
        for i in range(chosen.shape[1]):
            away = chosen[k, i] - share[k, i]
            out[odds[0]] += away
            for c in range(classes.design.shape[1]):
                out[odds[1 + c]] += away * classes.design[i, c]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def class_logliks(value, wiring, segments, cuts, weibull, classes):
    """Log of the probability of each class times the participant's likelihood in it, shape (K, N); `value` with derived values."""
    out = log_shares(value, classes)
    for k in range(out.shape[0]):
        path, shared, _ = paths(value_of_class(value, classes, k), wiring, segments)
        out[k] += closed_loglik(path, shared, cuts, weibull, False, np.ones(out.shape[1]))[0]
    return out


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def log_sums(each, loglik):
    """Fill `loglik` with the log of the sum over classes and return the classes' shares of it, shape (K, N)."""
    chosen = np.zeros(each.shape)
    for i in range(each.shape[1]):
        top = each[:, i].max()
        loglik[i] = -np.inf
        if top > -1e300:
            whole = 0.0
            for k in range(each.shape[0]):
                chosen[k, i] = math.exp(each[k, i] - top)
                whole += chosen[k, i]
            chosen[:, i] /= whole
            loglik[i] = top + math.log(whole)
    return chosen


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def class_log_posterior(x, priors, wiring, segments, cuts, weibull, classes, wanted):
    """Log posterior density, its gradient, and each log-likelihood.

    Parameters and results as of `alsmodel.kernels.posterior.log_posterior`, for an enrolled population and
    a hazard that the path does not reach.

    Parameters
    ----------
    classes : Classes
    wanted : bool
        Whether the gradient is.
    """
    value, slope, gradient = np.empty(x.size), np.empty(x.size), np.zeros(x.size)
    density = constrain(x, priors, value, slope, gradient)
    whole = extend(value, wiring.derived)
    loglik = np.zeros(wiring.shift.size)
    each = class_logliks(whole, wiring, segments, cuts, weibull, classes)
    chosen = log_sums(each, loglik)
    total = density + loglik.sum()
    if not (total > -1e300 and total < 1e300):
        return -np.inf, gradient, loglik
    if wanted:
        d = np.zeros(whole.size)
        for k in range(each.shape[0]):
            own = value_of_class(whole, classes, k)
            path, shared, between = paths(own, wiring, segments)
            _, g = closed_loglik(path, shared, cuts, weibull, True, chosen[k])
            d_own = np.zeros(own.size)
            add_gradient(1.0, g, np.zeros(between.hazard.size), own, wiring, segments, between, d_own)
            _scatter(d_own, whole, classes, k, d)
        _share_gradient(np.exp(log_shares(whole, classes)), chosen, classes, d)
        extend_gradient(d, whole, wiring.derived)
        for k in range(x.size):
            gradient[k] += d[k] * slope[k]
    return total, gradient, loglik


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def memberships(x, priors, wiring, segments, cuts, weibull, classes):
    """Probability of each class for each participant given everything observed, at one unconstrained vector; shape (K, N)."""
    value, slope, gradient = np.empty(x.size), np.empty(x.size), np.zeros(x.size)
    constrain(x, priors, value, slope, gradient)
    return log_sums(class_logliks(extend(value, wiring.derived), wiring, segments, cuts, weibull, classes), np.zeros(wiring.shift.size))
