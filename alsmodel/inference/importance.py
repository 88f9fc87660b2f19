"""The posterior by weighted draws around the mode, spread over cores."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from alsmodel.estimators.laplace import MOST, Weighted, weighted_draws
from alsmodel.inference.checks import ESS
from alsmodel.inference.mode import Mode

Floats = NDArray[np.float64]
SPARE = 1.25  # aimed above the limit, so that single quantities are known about as well
PARTS = 8  # of a block for each core, so that none waits long for another


class HasDensity(Protocol):
    """Anything with log densities at the rows of an array: a program."""

    @property
    def values(self) -> Callable[[Floats], Floats]: ...


def weigh(made: HasDensity, mode: Mode, *, seed: int, cores: int = 1, least_ess: float = SPARE * ESS, most: int = MOST) -> Weighted:
    """Weight draws around the mode; see `alsmodel.estimators.laplace.weighted_draws`.

    Parameters
    ----------
    made : object with `values`
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
    if cores == 1:
        return weighted_draws(made.values, mode.at, mode.scale, seed=seed, least_ess=least_ess, most=most)
    with ThreadPoolExecutor(cores) as pool:

        def spread(points: Floats) -> Floats:
            # Compiled code lets go of the interpreter, so threads run side by side.
            return np.concatenate(list(pool.map(made.values, np.array_split(points, PARTS * cores))))

        return weighted_draws(spread, mode.at, mode.scale, seed=seed, least_ess=least_ess, most=most)
