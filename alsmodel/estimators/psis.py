r"""Pareto-smoothed importance sampling: draws from a proposal are weighted to stand for a posterior, and say when they cannot.

A draw :math:`x_s` from a proposal :math:`q` has the importance ratio :math:`r_s = p(x_s) / q(x_s)`. The largest ratios are replaced
by quantiles of a generalised Pareto distribution fitted to them; its shape :math:`\hat k` tells how many moments the ratios have, and
so whether the weighted means can be trusted (Vehtari, Simpson, Gelman, Yao & Gabry 2024, J Mach Learn Res 25:1-58).

NumPy alone: this is what workers that refit simulated trials import.
"""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEWEST = 25  # with fewer ratios a tail of a fifth of them has fewer than five
SMALL = 225  # from here the tail grows with the square root of the number of draws
PRIOR_WEIGHT, PRIOR_SHAPE = 10, 0.5  # weak prior of the shape, in observations
PRIOR_SCALE = 3
HIGHEST_SHAPE = 0.7


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Smoothed:
    """Weights that have been smoothed.

    Attributes
    ----------
    log_weight : array, shape (S,)
        Logs of weights that sum to one.
    k_hat : float
        Shape of the tail; infinite when it cannot be fitted.
    """

    log_weight: Floats
    k_hat: float

    @property
    def ess(self) -> float:
        """Kish's effective sample size of the weights."""
        return kish(self.log_weight)


def highest_k_hat(draws: int) -> float:
    r"""Largest :math:`\hat k` at which `draws` draws give reliable means: min(0.7, 1 - 1 / log10 S) (Vehtari et al. 2024, eq. 13)."""
    return min(HIGHEST_SHAPE, 1 - 1 / math.log10(draws))


def normalised(log_weight: Floats) -> Floats:
    """Log weights moved so that the weights sum to one."""
    top = float(log_weight.max())
    return np.asarray(log_weight - top - math.log(float(np.exp(log_weight - top).sum())))


def kish(log_weight: Floats) -> float:
    r"""Effective sample size of weights, :math:`(\sum w)^2 / \sum w^2` (Kish 1965, Survey Sampling)."""
    weight = np.exp(log_weight - log_weight.max())
    return float(weight.sum() ** 2 / np.square(weight).sum())


def smooth(log_ratio: Floats) -> Smoothed:
    """Smooth importance ratios.

    Parameters
    ----------
    log_ratio : array, shape (S,)
        Log target density minus log proposal density at draws of the proposal, up to a constant; -inf where the target is zero.

    Returns
    -------
    Smoothed

    Raises
    ------
    ValueError
        With fewer than 25 ratios, or any that is NaN or plus infinity.

    Notes
    -----
    The tail are the :math:`M = \\min(S / 5, 3 \\sqrt S)` largest ratios above the next smaller one, :math:`u`. The Pareto distribution
    of their excess over :math:`u` is fitted by `pareto_shape`, and the :math:`i`-th smallest becomes its quantile at
    :math:`(i - 1/2) / M`, never above the largest raw ratio.
    """
    log_ratio = np.asarray(log_ratio, dtype=float)
    size = log_ratio.size
    if size < FEWEST or np.isnan(log_ratio).any() or not log_ratio.max() < np.inf:
        raise ValueError(f"smooth needs at least {FEWEST} log ratios, none of them NaN or +inf; got {size}.")
    if not log_ratio.max() > -np.inf:
        return Smoothed(log_weight=np.full(size, -math.log(size)), k_hat=math.inf)
    out = log_ratio - log_ratio.max()
    tail = int(3 * math.sqrt(size)) if size > SMALL else size // 5
    order = np.argsort(out, kind="stable")
    last = order[size - tail :]
    edge = max(float(out[order[size - tail - 1]]), math.log(np.finfo(float).tiny))
    beyond = out[last] > edge
    if beyond.sum() < 5:
        return Smoothed(log_weight=normalised(out), k_hat=math.inf)
    last = last[beyond]
    threshold = math.exp(edge)
    shape, scale = pareto_shape(np.exp(out[last]) - threshold)
    if math.isfinite(shape):
        at = (np.arange(last.size) + 0.5) / last.size
        out[last] = np.minimum(np.log(threshold + pareto_quantile(at, shape, scale)), 0.0)
    return Smoothed(log_weight=normalised(out), k_hat=shape)


def pareto_shape(excess: Floats) -> tuple[float, float]:
    r"""Shape and scale of a generalised Pareto distribution from its sorted sample.

    The estimate averages over a grid of :math:`b = -k / \sigma` with the profile likelihood as weight (Zhang & Stephens 2009,
    Technometrics 51:316, doi 10.1198/tech.2009.08017); the shape is then drawn to 1/2 with the weight of ten observations
    (Vehtari et al. 2024, appendix C). Infinite when the sample is degenerate.

    Parameters
    ----------
    excess : array, shape (M,)
        Increasing, above zero.
    """
    size = excess.size
    quartile = float(excess[int(size / 4 + 0.5) - 1])
    if not (quartile > float(excess[0]) and excess[0] > 0):
        return math.inf, math.nan
    points = 30 + int(math.sqrt(size))
    b = 1 / excess[-1] + (1 - np.sqrt(points / (np.arange(1, points + 1) - 0.5))) / (PRIOR_SCALE * quartile)
    k = np.log1p(-b[:, None] * excess).mean(axis=1)
    profile = size * (np.log(-b / k) - k - 1)
    weight = np.exp(profile - profile.max())
    weight /= weight.sum()
    kept = weight >= 10 * np.finfo(float).eps
    b_mean = float((b[kept] * weight[kept]).sum() / weight[kept].sum())
    shape = float(np.log1p(-b_mean * excess).mean())
    scale = -shape / b_mean
    return (size * shape + PRIOR_WEIGHT * PRIOR_SHAPE) / (size + PRIOR_WEIGHT), scale


def pareto_quantile(at: Floats, shape: float, scale: float) -> Floats:
    """Quantiles of the generalised Pareto distribution from zero."""
    if shape == 0:
        return np.asarray(-scale * np.log1p(-at))
    return np.asarray(scale * np.expm1(-shape * np.log1p(-at)) / shape)


def resample(log_weight: Floats, draws: int, rng: np.random.Generator) -> Ints:
    """Places of `draws` draws of equal weight, in random order.

    Systematic resampling (Kitagawa 1996, J Comput Graph Stat 5:1): each draw appears the whole number of times below or above
    `draws` times its weight.
    """
    edges = np.cumsum(np.exp(normalised(log_weight)))
    chosen = np.searchsorted(edges / edges[-1], (np.arange(draws) + rng.uniform()) / draws, side="right")
    return rng.permutation(np.minimum(chosen, log_weight.size - 1).astype(np.int64))


def weighted_quantile(values: Floats, weight: Floats, at: Floats) -> Floats:
    """Quantiles of weighted draws, by linear interpolation between the middles of their shares.

    Parameters
    ----------
    values, weight : array, shape (S,)
    at : array
        Probabilities.
    """
    order = np.argsort(values, kind="stable")
    share = weight[order] / weight.sum()
    return np.asarray(np.interp(at, np.cumsum(share) - share / 2, values[order]))
