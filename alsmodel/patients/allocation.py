"""Assigning arms in the order of arrival: permuted blocks within strata, and minimisation with a random element."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from alsmodel.patients.streams import uniform

Integers = NDArray[np.int64]
PURPOSE_BLOCK = 40
PURPOSE_MINIMISE = 41


@njit(cache=True, fastmath=False, nogil=True)
def permuted_blocks(keys: NDArray[np.uint64], stratum: Integers, block: Integers, strata: int) -> Integers:
    """Assign arms by randomly permuted blocks within strata.

    Parameters
    ----------
    keys : array of uint64, shape (R,)
        Stream key of each trial.
    stratum : array of int, shape (R, n)
        Stratum of each participant, 0 to ``strata - 1``, in order of arrival.
    block : array of int, shape (B,)
        Arms of one block in any order; it is shuffled afresh each time (Fisher-Yates).
    strata : int
        How many strata there are.

    Returns
    -------
    array of int, shape (R, n)
    """
    trials, n = stratum.shape
    size = block.size
    arm = np.empty((trials, n), dtype=np.int64)
    order = np.empty((strata, size), dtype=np.int64)
    for r in range(trials):
        count = np.zeros(strata, dtype=np.int64)
        for i in range(n):
            s = stratum[r, i]
            place = count[s] % size
            if place == 0:
                order[s] = block
                number = count[s] // size * strata + s
                for j in range(size - 1, 0, -1):
                    k = int(uniform(keys[r], number, PURPOSE_BLOCK, j) * (j + 1))
                    order[s, j], order[s, k] = order[s, k], order[s, j]
            arm[r, i] = order[s, place]
            count[s] += 1
    return arm


@njit(cache=True, fastmath=False, nogil=True)
def minimise(keys: NDArray[np.uint64], factors: Integers, levels: Integers, ratio: Integers, probability: float) -> Integers:
    """Assign arms by minimisation (Pocock and Simon, Biometrics 1975;31:103, doi 10.2307/2529712).

    Each arm's imbalance, if it took the newcomer, is the sum over factors of the range over arms of the counts at the
    newcomer's level, each divided by its arm's share of the ratio. The arm with the least is taken with `probability` under equal
    allocation. Under an unequal one an arm of share r_a of R is taken with 1 - (1 - p)(R - r_a) / (R - r_min), the others share the
    rest by the ratio: the newcomer gets the best arm with a chance that is the same whichever arm that is, and any arm by the ratio
    otherwise. With p for every arm the smaller arms would have more than their share (Han, Enas and McEntegart, Stat Med 2009;28:3329).
    Ties are broken by the ratio.

    Parameters
    ----------
    keys : array of uint64, shape (R,)
        Stream key of each trial.
    factors : array of int, shape (R, n, F)
        Level of each participant on each factor, in order of arrival.
    levels : array of int, shape (F,)
        How many levels each factor has.
    ratio : array of int, shape (A,)
        Allocation ratio.
    probability : float
        Of taking the arm that balances best, where that is one with the smallest share of the ratio.
    """
    trials, n, width = factors.shape
    arms = ratio.size
    every = ratio.sum()
    arm = np.empty((trials, n), dtype=np.int64)
    imbalance = np.empty(arms)
    chance = np.empty(arms)
    for r in range(trials):
        counts = np.zeros((width, levels.max() if width else 1, arms))
        for i in range(n):
            for a in range(arms):
                total = 0.0
                for f in range(width):
                    low, high = np.inf, -np.inf
                    for b in range(arms):
                        held = (counts[f, factors[r, i, f], b] + (1.0 if a == b else 0.0)) / ratio[b]
                        low, high = min(low, held), max(high, held)
                    total += high - low
                imbalance[a] = total
            best = imbalance.min()
            favoured = 0.0
            for a in range(arms):
                if imbalance[a] <= best + 1e-9:
                    favoured += ratio[a]
            to_best = 1.0 - (1.0 - probability) * (every - favoured) / (every - ratio.min())
            for a in range(arms):
                if imbalance[a] <= best + 1e-9:
                    chance[a] = to_best * ratio[a] / favoured
                else:
                    chance[a] = (1.0 - to_best) * ratio[a] / (every - favoured)
            u = uniform(keys[r], i, PURPOSE_MINIMISE, 0)
            chosen = arms - 1
            for a in range(arms):
                u -= chance[a]
                if u < 0.0:
                    chosen = a
                    break
            arm[r, i] = chosen
            for f in range(width):
                counts[f, factors[r, i, f], chosen] += 1.0
    return arm
