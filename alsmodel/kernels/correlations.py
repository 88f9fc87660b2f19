"""Correlation matrices of any size from canonical partial correlations, and the gradient back to them."""

import math

import numpy as np
from numba import njit


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def partial_factor(partials, size):
    """Cholesky factor of the correlation matrix (Lewandowski et al. 2009, doi 10.1016/j.jmva.2009.04.008).

    Parameters
    ----------
    partials : array, shape (size (size - 1) / 2,)
        Partial correlations in the order 10, 20, 21, 30 and so on: row after row of the lower triangle.
    """
    factor = np.zeros((size, size))
    place = 0
    for i in range(size):
        left = 1.0
        for j in range(i):
            z = partials[place]
            factor[i, j] = z * left
            left *= math.sqrt(max(1.0 - z * z, 0.0))
            place += 1
        factor[i, i] = left
    return factor


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def partial_gradient(d_factor, partials):
    """From the gradient in the factor's lower triangle to that in the partial correlations."""
    size = d_factor.shape[0]
    out = np.zeros(partials.size)
    left = np.ones(size + 1)
    for i in range(1, size):
        first = i * (i - 1) // 2
        for j in range(i):
            left[j + 1] = left[j] * math.sqrt(max(1.0 - partials[first + j] ** 2, 1e-300))
        back = d_factor[i, i]
        for j in range(i - 1, -1, -1):
            z = partials[first + j]
            root = math.sqrt(max(1.0 - z * z, 1e-300))
            out[first + j] = d_factor[i, j] * left[j] - back * left[j] * z / root
            back = d_factor[i, j] * z + back * root
    return out
