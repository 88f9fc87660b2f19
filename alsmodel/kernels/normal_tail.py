r"""The normal distribution function over whole arrays, kept as a product and an exponent so that nothing underflows.

With :math:`x = |u|` and :math:`w = e^{-x^2/2}`,

.. math:: \Phi(u) = w\, R(x) \;\; (u < 0), \qquad \Phi(u) = 1 - w\, R(x) \;\; (u \ge 0), \qquad R(x) = \tfrac12 \mathrm{erfcx}(x / \sqrt 2)

:math:`(x + 9/2)\, R(x)` is a polynomial of degree 18 in :math:`(x - 9/2)/(x + 9/2)`, from its Chebyshev series (the map is that of
Shepherd & Laframboise 1981, Math Comp 36:249, doi 10.2307/2007740); relative error below 1e-13 for every x, as measured against
scipy.
"""

import math

from numba import njit

from alsmodel.kernels.vectors import exp_into

_K = 4.5
_C = (
    0.7632305289702144, -0.6402577602529602, 0.44645251705342676, -0.2531417999302803, 0.11138259664545691, -0.0338713265433725,
    0.004223612403560396, 0.001748833515719639, -0.000917740046092206, 6.368304467514459e-06, 0.00011201807083693895,
    -1.590024546203494e-05, -1.4178247492964147e-05, 3.139672498946311e-06, 2.0582007527991665e-06, -4.545899719232692e-07,
    -3.0222210625652237e-07, 4.0270097088068726e-08, 2.937216777354479e-08,
)  # fmt: skip
_C0, _C1, _C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9, _C10, _C11, _C12, _C13, _C14, _C15, _C16, _C17, _C18 = _C
ROOT_TWO_PI = math.sqrt(2.0 * math.pi)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _scaled_tail(x):
    t = (x - _K) / (x + _K)
    t2 = t * t
    t4 = t2 * t2
    a = (_C0 + _C1 * t) + t2 * (_C2 + _C3 * t)
    b = (_C4 + _C5 * t) + t2 * (_C6 + _C7 * t)
    c = (_C8 + _C9 * t) + t2 * (_C10 + _C11 * t)
    d = (_C12 + _C13 * t) + t2 * (_C14 + _C15 * t)
    e = _C16 + _C17 * t + t2 * _C18
    return (a + t4 * (b + t4 * (c + t4 * (d + t4 * e)))) / (x + _K)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def log_phi(u):
    r"""Logarithm of the normal distribution function, and its derivative :math:`\phi(u) / \Phi(u)`."""
    x = abs(u)
    r = _scaled_tail(x)
    if u < 0.0:
        return math.log(r) - 0.5 * u * u, 1.0 / (ROOT_TWO_PI * r)
    w = math.exp(-0.5 * u * u)
    p = 1.0 - w * r
    return math.log(p), w / (ROOT_TWO_PI * p)


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _scaled_tail_into(u, n, out):
    """`_scaled_tail` of every |u|. A loop without a call and with one division, which the compiler turns into vector instructions."""
    for q in range(n):
        x = abs(u[q])
        w = 1.0 / (x + _K)
        t = (x - _K) * w
        t2 = t * t
        t4 = t2 * t2
        a = (_C0 + _C1 * t) + t2 * (_C2 + _C3 * t)
        b = (_C4 + _C5 * t) + t2 * (_C6 + _C7 * t)
        c = (_C8 + _C9 * t) + t2 * (_C10 + _C11 * t)
        d = (_C12 + _C13 * t) + t2 * (_C14 + _C15 * t)
        e = _C16 + _C17 * t + t2 * _C18
        out[q] = (a + t4 * (b + t4 * (c + t4 * (d + t4 * e)))) * w


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def times_phi(u, n, terms, exponent, product, slope, scale, work, tail, buffer, bits):
    r"""Multiply ``exp(exponent) * product`` by :math:`\Phi(u)` of every term, and add :math:`s\, u\, \phi(u)/\Phi(u)` to `slope`.

    Parameters
    ----------
    u : array
        n elements of the first term, then n of the second, and so on.
    exponent, product, slope : array
        n elements.
    scale : float
        :math:`s`; with zero the slope is left alone.
    work, tail, buffer, bits : arrays, at least n times `terms`
        As in `alsmodel.kernels.vectors.exp_into`.
    """
    for q in range(n * terms):
        work[q] = -0.5 * u[q] * u[q]
    exp_into(work, n * terms, tail, buffer, bits)
    _scaled_tail_into(u, n * terms, work)
    for term in range(terms):
        first = term * n
        for q in range(n):
            below = min(u[first + q], 0.0)
            exponent[q] -= 0.5 * below * below
            product[q] *= work[first + q] if u[first + q] < 0.0 else 1.0 - tail[first + q] * work[first + q]
    if scale != 0.0:
        share = scale / ROOT_TWO_PI
        for term in range(terms):
            first = term * n
            for q in range(n):
                top = 1.0 if u[first + q] < 0.0 else tail[first + q]
                bottom = work[first + q] if u[first + q] < 0.0 else 1.0 - tail[first + q] * work[first + q]
                slope[q] += share * u[first + q] * top / bottom
