"""The posterior by weighted draws around the mode, spread over cores."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from alsmodel.estimators.laplace import MOST, Weighted, weighted_draws
from alsmodel.inference.checks import ESS
from alsmodel.inference.mode import Mode

Floats = NDArray[np.float64]
SPARE = 1.25  # aimed above the limit, so that single quantities are known about as well


class HasDensity(Protocol):
    """Anything with a log density: a program."""

    @property
    def value(self) -> Callable[[Floats], float]: ...


def weigh(made: HasDensity, mode: Mode, *, seed: int, cores: int = 1, least_ess: float = SPARE * ESS, most: int = MOST) -> Weighted:
    """Weight draws around the mode; see `alsmodel.estimators.laplace.weighted_draws`.

    Parameters
    ----------
    made : object with a `value`
        A program.
    mode : Mode
    seed : int
    cores : int
        Threads; the draws do not depend on it.
    least_ess : float
        Effective sample size at which to stop.
    most : int
        Largest number of draws.
    """

    def value(x: Floats) -> float:
        found = made.value(x)
        return float(found) if np.isfinite(found) else -math.inf

    if cores == 1:
        return weighted_draws(lambda points: map(value, points), mode.at, mode.scale, seed=seed, least_ess=least_ess, most=most)
    with ThreadPoolExecutor(cores) as pool:

        def spread(points: Floats) -> Iterator[float]:
            # Compiled code lets go of the interpreter, so threads run side by side.
            return pool.map(value, points)

        return weighted_draws(spread, mode.at, mode.scale, seed=seed, least_ess=least_ess, most=most)
