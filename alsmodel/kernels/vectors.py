"""Elementwise exponentials over whole arrays, written so that the compiler turns them into vector instructions."""

import numpy as np
from numba import njit

_ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it leaves the nearest integer in the low bits of the mantissa
_LOG2E = 1.4426950408889634
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_LIMIT = 600.0


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def exp_into(x, n, out, buffer, bits):
    r"""Exponential of the first `n` elements of `x` into `out`; arguments are held within 600 of zero.

    :math:`e^x = 2^k e^r` with :math:`k = \mathrm{round}(x / \ln 2)` and a degree-13 Taylor polynomial for :math:`|r| \le \ln 2 / 2`,
    whose remainder is below 1e-17; measured relative error under 5e-16 (two units in the last place).

    Parameters
    ----------
    buffer : array, at least n
    bits : int64 view of `buffer`
    """
    for i in range(n):
        v = min(max(x[i], -_LIMIT), _LIMIT)
        s = v * _LOG2E + _ROUND
        buffer[i] = s
        k = s - _ROUND
        r = v - k * _LN2_HIGH - k * _LN2_LOW
        r2 = r * r
        r4 = r2 * r2
        p0 = 1.0 + r
        p1 = 1.0 / 2.0 + r * (1.0 / 6.0)
        p2 = 1.0 / 24.0 + r * (1.0 / 120.0)
        p3 = 1.0 / 720.0 + r * (1.0 / 5040.0)
        p4 = 1.0 / 40320.0 + r * (1.0 / 362880.0)
        p5 = 1.0 / 3628800.0 + r * (1.0 / 39916800.0)
        p6 = 1.0 / 479001600.0 + r * (1.0 / 6227020800.0)
        out[i] = (p0 + r2 * p1) + r4 * ((p2 + r2 * p3) + r4 * ((p4 + r2 * p5) + r4 * p6))
    for i in range(n):
        bits[i] = (bits[i] + 1023) << 52
    for i in range(n):
        out[i] *= buffer[i]


def exp_buffer(n: int) -> tuple[np.ndarray, np.ndarray]:
    """A buffer for `exp_into` and its integer view."""
    buffer = np.empty(n)
    return buffer, buffer.view(np.int64)
