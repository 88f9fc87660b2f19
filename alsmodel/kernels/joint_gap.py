r"""An event that is known only to have happened between two times, L and R, in the integrated likelihood.

Given the random effects it adds (Turnbull 1976, J R Stat Soc B 38:290; Sun 2006, doi 10.1007/0-387-37119-2)

.. math:: S(L \mid b) - S(R \mid b) = \exp\{-H(L \mid b)\} (1 - \exp\{-D(b)\}), \qquad D(b) = \int_L^R h(t \mid b)\,dt

so such a participant has nodes up to L, which count as those of anybody censored there, and nodes on the stretch from L to R, the *gap*,
which enter by :math:`f(D) = \log(1 - e^{-D})`. With :math:`f'(D) = 1 / (e^D - 1)` the expected score is that of a cumulative hazard whose
nodes weigh :math:`-f'(D)`. As R nears L, f is log D: the density of an event at L times the length of the gap; as R goes to infinity, f
is 0: censoring at L.
"""

import math

from numba import njit

# A cumulative hazard below this counts as this: its log is then finite, and a likelihood of it nil beside any other.
LEAST = 1e-300


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def has_gaps(cuts):
    """Whether there is anybody whose event lies somewhere on a stretch of time."""
    return (cuts.node_gap < cuts.node_ptr[1:]).any()


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def pull_of_gap(gap, right, random, zeta, hazard, gradient, hessian):
    """Add what an event on the gap adds to the gradient in b, and to the lower triangle of minus the Hessian.

    With p the mean association vector of the gap's hazard the gradient is D f' p. Minus the Hessian is -(D^2 f'' + D f') p p', without the
    spread of the association vector within the gap, which could make it indefinite and is small beside the precision of b.
    """
    total = 0.0
    for n in range(gap, right):
        total += hazard[n]
    if not total > LEAST:
        return
    first, curve = 1.0, 0.0  # D f', and -(D^2 f'' + D f')
    if total > 1e-4:
        first = total / math.expm1(total)
        curve = first * (total / -math.expm1(-total) - 1.0)
    else:
        curve = 0.5 * total
    for k in range(random):
        mean = 0.0
        for n in range(gap, right):
            mean += hazard[n] * zeta[k, n]
        mean /= total
        gradient[k] += first * mean
        for m in range(k + 1):
            other = 0.0
            for n in range(gap, right):
                other += hazard[n] * zeta[m, n]
            hessian[k, m] += curve * mean * other / total


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def add_gap(between, raw):
    """Add the log chance of an event on the gap to the log weight of each grid point, from the hazard that builds up on it."""
    for g in range(raw.size):
        raw[g] += math.log(-math.expm1(-max(between[g], LEAST)))


@njit(cache=True, fastmath=False, nogil=True, error_model="numpy")
def weigh_gap(weight, between):
    """Turn the hazard that builds up on the gap into the weight with which its nodes count, as if of a cumulative hazard."""
    for g in range(weight.size):
        between[g] = -weight[g] / math.expm1(between[g]) if between[g] > LEAST else 0.0
