r"""Several hazards in one likelihood: the baselines of further causes, and what is followed after one of them.

Given the random effects, causes are independent up to the first of them, so that the likelihood of somebody followed to T is

.. math:: \prod_k h_k(T \mid b)^{1\{\text{cause} = k\}} \exp\Big\{-\int_0^T h_k(t \mid b)\,dt\Big\}

(Putter, Fiocco & Geskus 2007, doi 10.1002/sim.2712): a further cause is a further stretch of the same participant's time, with an
offset, an association and a baseline of its own. What comes after a cause does not depend on the random effects and is a factor beside
the integral.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from alsmodel.kernels.baseline import PIECES, baseline, baseline_gradient

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Further(NamedTuple):
    """Baselines of F further hazards, laid one after the other.

    Attributes
    ----------
    kind : int array, shape (F,)
        As in `alsmodel.kernels.baseline`.
    shape : int array, shape (F, 2)
        Strata and coefficients of each.
    places : int array
        Place of each coefficient, stratum by stratum; -1 is zero.
    reference : array
    places_ptr, reference_ptr : int array, shape (F + 1,)
    """

    kind: Ints
    shape: Ints
    places: Ints
    reference: Floats
    places_ptr: Ints
    reference_ptr: Ints


class Later(NamedTuple):
    """Nodes of cumulative hazards after a cause, and events there; sorted by participant, shape (L,).

    Attributes
    ----------
    person : int array
    row : int array
        Of the hazards' linear predictors.
    place : int array
        Of the log baseline hazard.
    logw : array
        Log weight of a node.
    happened : bool array
        Whether this is an event and not a node.
    """

    person: Ints
    row: Ints
    place: Ints
    logw: Floats
    happened: Bools


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _parts(f, further, segments):
    """Index, reference, basis and stratum of one further baseline, as `alsmodel.kernels.baseline.baseline` takes them."""
    strata, size = further.shape[f, 0], further.shape[f, 1]
    index = further.places[further.places_ptr[f] : further.places_ptr[f + 1]].reshape((strata, size))
    reference = further.reference[further.reference_ptr[f] : further.reference_ptr[f + 1]]
    ptr = segments.further_ptr
    rows = ptr[f + 1, 0] - ptr[f, 0]
    columns = (ptr[f + 1, 1] - ptr[f, 1]) // rows if rows > 0 else size - 1
    basis = segments.further_basis[ptr[f, 1] : ptr[f + 1, 1]].reshape((rows, columns))
    return index, reference, basis, segments.further_stratum[ptr[f, 0] : ptr[f + 1, 0]]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def _length(f, further, segments):
    """How many log hazards one further baseline gives."""
    if further.kind[f] == PIECES:
        return further.shape[f, 0] * further.shape[f, 1]
    return segments.further_ptr[f + 1, 0] - segments.further_ptr[f, 0]


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def further_bases(base, value, further, segments):
    """Log baseline hazards of all hazards: those of the main cause, then those of each further one."""
    total = base.size
    for f in range(further.kind.size):
        total += _length(f, further, segments)
    out = np.empty(total)
    out[: base.size] = base
    k = base.size
    for f in range(further.kind.size):
        index, reference, basis, stratum = _parts(f, further, segments)
        own = baseline(value, index, further.kind[f], reference, basis, stratum)
        out[k : k + own.size] = own
        k += own.size
    return out


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def further_gradients(d_base, value, further, segments, out):
    """Add to `out` the gradient in `value`, from that in the log baseline hazards of all hazards."""
    k = d_base.size
    for f in range(further.kind.size):
        k -= _length(f, further, segments)
    for f in range(further.kind.size):
        index, reference, basis, stratum = _parts(f, further, segments)
        length = _length(f, further, segments)
        baseline_gradient(d_base[k : k + length], value, index, further.kind[f], reference, basis, stratum, out)
        k += length


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def add_later(sign, hazard, base, later, loglik, d_hazard, d_base):
    """Add sign times the log-likelihood of what is followed after causes to each participant's; its own gradient to those given."""
    for n in range(later.person.size):
        i, row, place = later.person[n], later.row[n], later.place[n]
        eta = hazard[row] + base[place]
        if later.happened[n]:
            loglik[i] += sign * eta
            d_hazard[row] += 1.0
            d_base[place] += 1.0
        else:
            mass = math.exp(min(eta + later.logw[n], 600.0))
            loglik[i] -= sign * mass
            d_hazard[row] -= mass
            d_base[place] -= mass
