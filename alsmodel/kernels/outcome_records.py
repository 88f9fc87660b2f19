"""What goes into the likelihood of several outcomes and what comes out, as named tuples of arrays that compiled code can read.

N participants, K outcomes, G groups of residual SDs. A participant's lines are held as the vector a of length 2 K: intercept and
slope of the first outcome, of the second, and so on.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Rows(NamedTuple):
    """Scores of every outcome.

    Attributes
    ----------
    cross : array, shape (N, K, 6)
        n and sums of t, t^2, y, t y, y^2 over rows with a Gaussian likelihood.
    ptr : int array, shape (N K + 1,)
        Where the other rows of participant i and outcome k begin: place i K + k.
    time, value : array
        Of the other rows; the bound where censored.
    side : array
        1 at an upper bound, -1 at a lower one, 0 for a row with Student-t noise.
    middle : array, shape (N, K)
        Mean time of those rows.
    group : int array, shape (N,)
        Which residual SDs hold.
    """

    cross: Floats
    ptr: Ints
    time: Floats
    value: Floats
    side: Floats
    middle: Floats
    group: Ints


class Risk(NamedTuple):
    """Follow-up, cut for the cumulative hazard; from `alsmodel.kernels.layout`."""

    node_ptr: Ints
    node_time: Floats
    node_logw: Floats
    node_piece: Ints
    event_time: Floats
    event_piece: Ints
    event: Floats


class Population(NamedTuple):
    """Parameters.

    Attributes
    ----------
    mean : array, shape (N, 2 K)
        Expected lines of each participant.
    offset : array, shape (N,)
        Covariates on the log hazard.
    covariance : array, shape (2 K, 2 K)
    sigma : array, shape (G, K)
        Residual SDs.
    base : array
        Log hazard of each piece.
    alpha : array, shape (2,)
        Log hazard per unit of the projection's value and of its slope.
    weights : array, shape (K,)
        The projection: its line is the weighted sum of the outcomes' lines.
    df : float
        Degrees of freedom of rows with Student-t noise.
    """

    mean: Floats
    offset: Floats
    covariance: Floats
    sigma: Floats
    base: Floats
    alpha: Floats
    weights: Floats
    df: float


class Grid(NamedTuple):
    """Product Gauss-Hermite rule of the plane, without the corners whose weight is negligible.

    Attributes
    ----------
    x, y : array, shape (n,)
    log_weight : array, shape (n,)
        Log weights plus half the squared norm of the point.
    i, j : int array, shape (n,)
        Place on each axis.
    across, along : array
        The axes.
    """

    x: Floats
    y: Floats
    log_weight: Floats
    i: Ints
    j: Ints
    across: Floats
    along: Floats


class Slopes(NamedTuple):
    """Gradient of the summed log-likelihood, in the shapes of `Population`; `alpha` has a third element for `df`."""

    mean: Floats
    offset: Floats
    covariance: Floats
    sigma: Floats
    base: Floats
    alpha: Floats


class Work(NamedTuple):
    """Room to work in: n nodes, M nodes in time."""

    u: Floats
    exponent: Floats
    product: Floats
    slope: Floats
    slope_df: Floats
    scratch: Floats
    tail: Floats
    buffer: Floats
    bits: Ints
    hazard: Floats
    growth: Floats
    growth_exp: Floats
    growth_buffer: Floats
    growth_bits: Ints
    row_tau: Floats
    row_nu: Floats


def plane_grid(across: int, along: int, negligible: float = 1e-9) -> Grid:
    """Rule with `across` nodes in the first direction and `along` in the second; nodes with less weight than `negligible` left out."""
    x0, w0 = np.polynomial.hermite_e.hermegauss(across)
    x1, w1 = np.polynomial.hermite_e.hermegauss(along)
    w0, w1 = w0 / w0.sum(), w1 / w1.sum()
    i, j = (axis.ravel() for axis in np.meshgrid(np.arange(across), np.arange(along), indexing="ij"))
    keep = w0[i] * w1[j] > negligible
    i, j = i[keep].astype(np.int64), j[keep].astype(np.int64)
    x, y = x0[i], x1[j]
    return Grid(x, y, np.log(w0[i]) + np.log(w1[j]) + 0.5 * (x**2 + y**2), i, j, x0, x1)


def room(nodes: int, axis: int, most_times: int, most_rows: int) -> Work:
    """Fresh room for grids of at most `nodes` nodes with `axis` along an axis."""
    plain = {name: np.zeros(nodes + 8) for name in ("exponent", "product", "slope", "slope_df")}
    plain |= {name: np.zeros(nodes * max(most_rows, 1) + 8) for name in ("u", "scratch", "tail", "buffer")}
    growth = np.zeros(axis * (most_times + 1))
    buffer = np.zeros_like(growth)
    return Work(
        **plain,
        bits=plain["buffer"].view(np.int64),
        hazard=np.zeros(nodes + 8),
        growth=growth,
        growth_exp=np.zeros_like(growth),
        growth_buffer=buffer,
        growth_bits=buffer.view(np.int64),
        row_tau=np.zeros(most_rows + 1),
        row_nu=np.zeros(most_rows + 1),
    )
