"""Bent paths: a straight decline that changes its slope where a treatment starts or stops, and the event along it."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from alsmodel.patients.streams import uniform
from alsmodel.patients.trial import segment_inverse, segment_mass

Floats = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Piecewise straight true scores.

    Attributes
    ----------
    breaks : array, shape (n, S + 1)
        Months where the slope may change, from 0 to the horizon (segments of width zero are allowed).
    start : array, shape (n, S)
        True score where each segment starts, points.
    rate : array, shape (n, S)
        Slope in each segment, points per month.
    log_hazard : array, shape (n, S)
        Log hazard beside baseline and association in each segment.
    """

    breaks: Floats
    start: Floats
    rate: Floats
    log_hazard: Floats

    def value(self, month: Floats) -> Floats:
        """True score at `month`, shape (n, V); before month 0 the first slope is carried back."""
        inside = np.clip(month[:, :, None] - self.breaks[:, None, :-1], 0.0, np.diff(self.breaks)[:, None, :])
        before = np.minimum(month, 0.0) * self.rate[:, :1]
        value: Floats = self.start[:, :1] + before + (inside * self.rate[:, None, :]).sum(axis=2)
        return value


def bend(
    intercept: Floats,
    slope: Floats,
    log_hazard: Floats,
    start: Floats,
    stop: Floats,
    log_ratio: Floats,
    hazard_effect: Floats,
    additive: Floats | None,
    horizon: float,
) -> Paths:
    """Bend straight lines by exposures.

    Parameters
    ----------
    intercept, slope, log_hazard : array, shape (n,)
        Untreated score at month 0, slope (points per month) and log hazard.
    start, stop : array, shape (n, D)
        Exposure months of each drug; NaN start means never taken, infinite stop means until the end.
    log_ratio, hazard_effect : array, shape (D,)
        theta and direct log hazard ratio of each drug.
    additive : array, shape (D,), or None
        Points per month added while taken; None makes exp(theta) multiply the slope.
    horizon : float
        Months to follow.
    """
    n = intercept.size
    begin = np.where(np.isnan(start), horizon, start)
    end = np.where(np.isnan(start), horizon, stop)
    edges = np.clip(np.concatenate([begin, end], axis=1), 0.0, horizon)
    breaks = np.sort(np.concatenate([np.zeros((n, 1)), edges, np.full((n, 1), horizon)], axis=1), axis=1)
    middle = 0.5 * (breaks[:, 1:] + breaks[:, :-1])[:, :, None]
    # A segment of width zero at a boundary belongs to no exposure and weighs nothing.
    taken = ((begin[:, None, :] <= middle) & (middle < end[:, None, :])).astype(float)
    untreated = slope[:, None]
    rate = untreated * np.exp(taken @ log_ratio) if additive is None else untreated + taken @ additive
    fallen = np.cumsum(rate * np.diff(breaks), axis=1)
    level = intercept[:, None] + np.concatenate([np.zeros((n, 1)), fallen[:, :-1]], axis=1)
    return Paths(breaks=breaks, start=level, rate=rate, log_hazard=log_hazard[:, None] + taken @ hazard_effect)


@njit(cache=True, fastmath=False)
def weibull_mass(shape: float, log_rate: float, growth: float, start: float, stop: float) -> float:
    """Integrate ``shape t^(shape - 1) exp(log_rate + growth t)`` from `start` to `stop` (months).

    Eight-point Gauss-Legendre in u = t^shape, which removes the factor t^(shape - 1).
    """
    low, high = start**shape, stop**shape
    total = 0.0
    for node, weight in zip(_NODES, _WEIGHTS):
        u = low + 0.5 * (high - low) * (node + 1.0)
        total += weight * np.exp(log_rate + growth * u ** (1.0 / shape))
    return float(0.5 * (high - low) * total)


@njit(cache=True, fastmath=False)
def _weibull_month(mass: float, shape: float, log_rate: float, growth: float, start: float, stop: float) -> float:
    """Month in (start, stop] at which `mass` is used up, by bisection; the caller knows that it lies there."""
    low, high = start, stop
    for _ in range(60):
        middle = 0.5 * (low + high)
        if weibull_mass(shape, log_rate, growth, start, middle) < mass:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@njit(cache=True, fastmath=False)
def event_months(
    key: np.uint64,
    purpose: int,
    breaks: Floats,
    start: Floats,
    rate: Floats,
    log_hazard: Floats,
    association_value: float,
    association_slope: float,
    knots: Floats,
    log_baseline_hazard: Floats,
    weibull_shape: float,
) -> Floats:
    """Find every person's event month along a bent path; infinite where it lies beyond the last break.

    Parameters
    ----------
    key, purpose
        Address of the uniform numbers.
    breaks, start, rate, log_hazard
        As in `Paths`.
    association_value, association_slope : float
        Log hazard per point, and per point per month.
    knots, log_baseline_hazard : array
        Piecewise baseline; with `weibull_shape` > 0 the first level is the Weibull log rate and cells between knots
        only bound the quadrature.
    weibull_shape : float
        0 for the piecewise form, otherwise the shape.
    """
    n, segments = rate.shape
    last = log_baseline_hazard.size - 1
    months = np.full(n, np.inf)
    for i in range(n):
        mass = -np.log(uniform(key, i, purpose, 0))
        s, k, t = 0, 0, 0.0
        while s < segments:
            stop = breaks[i, s + 1]
            if k < last:
                stop = min(stop, knots[k + 1])
            growth = association_value * rate[i, s]
            base = (
                log_baseline_hazard[k]
                + log_hazard[i, s]
                + association_slope * rate[i, s]
                + association_value * (start[i, s] - rate[i, s] * breaks[i, s])
            )
            if weibull_shape > 0.0:
                used = weibull_mass(weibull_shape, base, growth, t, stop)
                if used >= mass:
                    months[i] = _weibull_month(mass, weibull_shape, base, growth, t, stop)
                    break
            else:
                wait = segment_inverse(base + growth * t, growth, mass)
                if t + wait <= stop:
                    months[i] = t + wait
                    break
                used = segment_mass(base + growth * t, growth, stop - t)
            mass = max(mass - used, 0.0)
            t = stop
            if k < last and stop >= knots[k + 1]:
                k += 1
            if stop >= breaks[i, s + 1]:
                s += 1
    return months
