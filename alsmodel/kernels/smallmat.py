"""Algebra of small positive definite matrices, in place and without allocation."""

import math

from numba import njit


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def cholesky(matrix, size, out):
    """Lower Cholesky factor of `matrix` into `out`; False when it is not positive definite. Reads the lower triangle."""
    for k in range(size):
        for m in range(k + 1):
            value = matrix[k, m]
            for r in range(m):
                value -= out[k, r] * out[m, r]
            if k == m:
                if not value > 0.0 or not value < 1e300:
                    return False
                out[k, k] = math.sqrt(value)
            else:
                out[k, m] = value / out[m, m]
        for m in range(k + 1, size):
            out[k, m] = 0.0
    return True


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def invert_transpose(chol, size, out):
    """Inverse of the transpose of a lower triangular `chol` into `out`, which is upper triangular: out out' = (chol chol')^-1."""
    for k in range(size):
        for m in range(size):
            out[k, m] = 0.0
    for k in range(size):
        out[k, k] = 1.0 / chol[k, k]
        for m in range(k + 1, size):
            # Row m of chol^-1, column k, stored transposed.
            value = 0.0
            for r in range(k, m):
                value -= chol[m, r] * out[k, r]
            out[k, m] = value / chol[m, m]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def inverse_from_cholesky(chol, size, out, work):
    """Inverse of chol chol' into `out`."""
    invert_transpose(chol, size, work)
    for k in range(size):
        for m in range(size):
            value = 0.0
            for r in range(size):
                value += work[k, r] * work[m, r]
            out[k, m] = value


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def solve_cholesky(chol, size, right, out):
    """Solve chol chol' out = right."""
    for k in range(size):
        value = right[k]
        for m in range(k):
            value -= chol[k, m] * out[m]
        out[k] = value / chol[k, k]
    for k in range(size - 1, -1, -1):
        value = out[k]
        for m in range(k + 1, size):
            value -= chol[m, k] * out[m]
        out[k] = value / chol[k, k]
