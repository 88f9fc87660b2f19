r"""A posterior by weighting draws around its mode: light enough for workers that refit simulated trials (NumPy alone).

The proposal is a multivariate t with eight degrees of freedom at the mode, with the inverse curvature there as its scale. Its tails
are heavier than a Gaussian's, so that the importance ratios of a posterior with lighter or slightly skewed tails stay bounded; draws
come in pairs on opposite sides of the mode, which cancels errors of odd order (Geweke 1988, J Econometrics 38:73, doi
10.1016/0304-4076(88)90027-9). Weights are smoothed by `alsmodel.estimators.psis`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from alsmodel.estimators.psis import highest_k_hat, smooth

Floats = NDArray[np.float64]
Evaluate = Callable[[Floats], Floats]

DEGREES = 8.0
BLOCK = 512  # draws are added in blocks, each from a stream of its own
MOST = 16_384


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Weighted:
    """Weighted draws of a posterior.

    Attributes
    ----------
    x : array, shape (S, P)
    log_weight : array, shape (S,)
        Smoothed; the weights sum to one.
    k_hat : float
        Shape of the tail of the raw ratios.
    ess : float
        Kish's effective sample size of the smoothed weights.
    """

    x: Floats
    log_weight: Floats
    k_hat: float
    ess: float

    @property
    def weight(self) -> Floats:
        """Weights that sum to one, shape (S,)."""
        return np.asarray(np.exp(self.log_weight))

    @property
    def reliable(self) -> bool:
        """Whether the tail of the ratios is light enough for the number of draws."""
        return self.k_hat <= highest_k_hat(self.log_weight.size)


def proposal(size: int, seed: int, block: int) -> tuple[Floats, Floats]:
    """One block of standard t draws in antithetic pairs, and their log densities up to a constant.

    Parameters
    ----------
    size : int
        Number of parameters, P.
    seed, block : int

    Returns
    -------
    z : array, shape (BLOCK, P)
    log_density : array, shape (BLOCK,)
    """
    rng = np.random.default_rng([seed, 3, block])
    half = rng.normal(size=(BLOCK // 2, size)) / np.sqrt(rng.chisquare(DEGREES, size=(BLOCK // 2, 1)) / DEGREES)
    z = np.concatenate([half, -half])
    return z, -0.5 * (DEGREES + size) * np.log1p(np.square(z).sum(axis=1) / DEGREES)


def weighted_draws(evaluate: Evaluate, at: Floats, scale: Floats, *, seed: int, least_ess: float, most: int = MOST) -> Weighted:
    r"""Weight draws around a mode until they are worth `least_ess` draws.

    Parameters
    ----------
    evaluate : callable
        Log densities of the posterior at an array of shape (n, P); -inf or NaN where undefined.
    at : array, shape (P,)
        Mode.
    scale : array, shape (P, P)
        Lower Cholesky factor of the inverse curvature at the mode.
    seed : int
    least_ess : float
        Blocks of 512 draws are added until the smoothed weights reach this effective sample size with a light enough tail.
    most : int
        Largest number of draws. Given up before where even that many would not reach `least_ess` at the present rate.

    Returns
    -------
    Weighted
        Whatever was reached: look at `Weighted.ess` and `Weighted.reliable`.
    """
    drawn = np.zeros((0, at.size))
    ratio = np.zeros(0)
    block = 0
    while True:
        z, log_density = proposal(at.size, seed, block)
        # Row by row, not as a matrix product: its rounding would depend on the number of threads.
        points = at + np.array([(scale * row).sum(axis=1) for row in z])
        found = evaluate(points)
        found = np.where(np.isfinite(found), found, -np.inf)
        drawn, ratio = np.concatenate([drawn, points]), np.concatenate([ratio, found - log_density])
        block += 1
        smoothed = smooth(ratio)
        reached = Weighted(x=drawn, log_weight=smoothed.log_weight, k_hat=smoothed.k_hat, ess=smoothed.ess)
        if (reached.ess >= least_ess and reached.reliable) or ratio.size >= most:
            return reached
        hopeless = reached.ess / ratio.size * most < least_ess
        if ratio.size >= 2 * BLOCK and hopeless:
            return reached


def function_ess(values: Floats, weight: Floats) -> float:
    r"""Independent draws that would give the weighted mean of `values` the same error: its variance over
    :math:`\sum w^2 (f - \bar f)^2` (Owen 2013, Monte Carlo theory, eq. 9.13).

    Parameters
    ----------
    values, weight : array, shape (S,)
        The weights sum to one.
    """
    away = np.square(values - weight @ values)
    error = float(np.square(weight) @ away)
    return float(weight @ away) / error if error > 0 else math.nan
