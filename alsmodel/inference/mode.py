"""Climb to the mode of a log density and measure its curvature there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from alsmodel.errors import FitFailed

Floats = NDArray[np.float64]
Density = Callable[[Floats], tuple[float, Floats]]

MOST_STEPS = 60
SETTLED = 1e-6  # squared length of a Newton step in posterior SDs
NEAR = 1e-3  # the same, where the value may no longer fall
UNSETTLED = "The search for the mode did not settle; the data may not identify the model."


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Mode:
    """Mode of an unconstrained density.

    Attributes
    ----------
    at : array, shape (P,)
    scale : array, shape (P, P)
        Lower Cholesky factor of the inverse curvature: ``at + scale z`` makes the density nearly a unit Gaussian in z.
    evaluations : int
    """

    at: Floats
    scale: Floats
    evaluations: int


class _Downhill:
    """Minus the log density, counting evaluations; a wall where it is not finite."""

    def __init__(self, density: Density) -> None:
        self.density = density
        self.count = 0

    def __call__(self, x: Floats) -> tuple[float, Floats]:
        self.count += 1
        value, gradient = self.density(x)
        if not np.isfinite(value) or not np.isfinite(gradient).all():
            return 1e12, np.zeros_like(x)
        return -float(value), -np.asarray(gradient)


def find_mode(density: Density, start: Floats) -> Mode:
    """Climb to the mode: quasi-Newton first, then Newton steps on a differenced gradient.

    Mode and scale are rounded to six digits of the scale, so that whatever is sampled from there does not depend on the last bits of
    a matrix product, which differ with the number of threads.

    Parameters
    ----------
    density : callable
        Log density and gradient at a vector of shape (P,).
    start : array, shape (P,)

    Raises
    ------
    FitFailed
        When the density is not finite at the start, or the search does not settle.
    """
    down = _Downhill(density)
    if down(start)[0] >= 1e12:
        raise FitFailed("The density is not finite at the starting point; check the units of the outcome and the priors.")
    x = start
    for _ in range(3):  # restarts shed a stale estimate of curvature
        x = minimize(down, x, jac=True, method="L-BFGS-B", options={"maxiter": 500, "maxcor": 30, "ftol": 1e-10}).x
    value, gradient = down(x)
    for _ in range(MOST_STEPS):
        factor = curvature_factor(down, x)
        step = factor @ (factor.T @ -gradient)
        drop = float(-gradient @ step)
        if drop < SETTLED:
            return _rounded(x, factor, down.count)
        size = 1.0
        while size > 1e-6 and down(x + size * step)[0] > value + 1e-9 * abs(value):
            if drop < NEAR:  # within a few hundredths of an SD the quadrature's own error hides the last of the way
                return _rounded(x, factor, down.count)
            size /= 2
        if size <= 1e-6:
            break
        x = x + size * step
        value, gradient = down(x)
    raise FitFailed(UNSETTLED)


def curvature_factor(down: Callable[[Floats], tuple[float, Floats]], x: Floats) -> Floats:
    """Cholesky factor of the inverse Hessian by central differences of the gradient; directions that are flat or bend the wrong way
    are given a long finite scale. Raises FitFailed where the gradients make no curvature at all."""
    size = x.size
    hessian = np.empty((size, size))
    for k in range(size):
        h = 1e-4 * max(1.0, abs(x[k]))
        up, low = x.copy(), x.copy()
        up[k] += h
        low[k] -= h
        hessian[k] = (down(up)[1] - down(low)[1]) / (2 * h)
    hessian = (hessian + hessian.T) / 2
    weight = np.sqrt(np.maximum(np.abs(np.diag(hessian)), 1e-8))
    try:
        values, vectors = np.linalg.eigh(hessian / np.outer(weight, weight))
        covariance = (vectors / np.maximum(values, 1e-10)) @ vectors.T / np.outer(weight, weight)
        return np.linalg.cholesky((covariance + covariance.T) / 2)
    except np.linalg.LinAlgError as error:
        raise FitFailed(UNSETTLED) from error


def _rounded(x: Floats, factor: Floats, evaluations: int) -> Mode:
    spread = np.sqrt(np.square(factor).sum(axis=1))
    unit = 10.0 ** (np.floor(np.log10(spread)) - 6)
    return Mode(at=np.round(x / unit) * unit, scale=np.round(factor / unit[:, None]) * unit[:, None], evaluations=evaluations)
