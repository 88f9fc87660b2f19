"""Spreading a total over the twelve items.

Every person loses the 48 points of the scale in an order of their own: 12 items of 4 levels. The order is random but
leans to the domains that the phenotype hits first. A total of T means that the first 48 - T points of that order are
gone, so items add up to the total exactly and a lower total never raises an item.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from alsmodel.patients.streams import normal

N_ITEMS = 12
LEVELS = 4
MAXIMUM = N_ITEMS * LEVELS
ITEM_DOMAIN = np.repeat(np.arange(4), 3)
"""Domain of each item: 0 bulbar (1-3), 1 fine motor (4-6), 2 gross motor (7-9), 3 respiratory (10-12)."""


@njit(cache=True, fastmath=False)
def loss_orders(key: np.uint64, purpose: int, lead: NDArray[np.float64], item_domain: NDArray[np.int64]) -> NDArray[np.int8]:
    """Draw each person's order of losing points.

    Parameters
    ----------
    key, purpose
        Address of the random numbers.
    lead : array, shape (n, 4)
        Lead of each domain; larger loses earlier.
    item_domain : array, shape (12,)
        Domain of each item.

    Returns
    -------
    array of int8, shape (n, 48)
        Entry k is the item that loses the k-th point.
    """
    n = lead.shape[0]
    order = np.empty((n, MAXIMUM), dtype=np.int8)
    rank = np.empty(MAXIMUM)
    for i in range(n):
        for item in range(N_ITEMS):
            first = 0.8 * normal(key, i, purpose, item) - lead[i, item_domain[item]]
            for level in range(LEVELS):
                jitter = 0.5 * normal(key, i, purpose, N_ITEMS + item * LEVELS + level)
                rank[item * LEVELS + level] = first + 1.2 * level + jitter
        for place, slot in enumerate(np.argsort(rank)):
            order[i, place] = slot // LEVELS
    return order


@njit(cache=True, fastmath=False)
def spread(order: NDArray[np.int8], total: NDArray[np.int16]) -> NDArray[np.int8]:
    """Turn totals into items.

    Parameters
    ----------
    order : array, shape (n, 48)
        From `loss_orders`.
    total : array of int16, shape (n, V)
        Totals 0..48; -1 where there is no score.

    Returns
    -------
    array of int8, shape (n, V, 12)
        Items 0..4 that add up to the total; -1 where there is no score.
    """
    n, visits = total.shape
    items = np.full((n, visits, N_ITEMS), -1, dtype=np.int8)
    for i in range(n):
        for v in range(visits):
            if total[i, v] < 0:
                continue
            items[i, v, :] = LEVELS
            for k in range(MAXIMUM - total[i, v]):
                items[i, v, order[i, k]] -= 1
    return items
