r"""Probabilities of being in each of several states, without a model: the Aalen-Johansen estimate.

.. math:: \hat P(0, t) = \prod_{u \le t} \{I + d\hat A(u)\}, \qquad d\hat A_{hj}(u) = \frac{dN_{hj}(u)}{Y_h(u)}

(Aalen & Johansen 1978, Scand J Stat 5:141). With transitions out of one state alone its entries are cumulative incidences of competing
causes; one minus Kaplan-Meier of one cause, with the others taken as censoring, overstates each of them. With further transitions it is
the occupation of the states of an illness-death process, which it estimates whether or not that process is Markov, as long as censoring
is independent (Datta & Satten 2001, doi 10.1016/S0167-7152(01)00155-9). The variance is that of Greenwood type (Andersen, Borgan, Gill &
Keiding 1993, doi 10.1007/978-1-4612-4348-9, section 4.4): with p the occupation just before u and :math:`M = I + d\hat A(u)`,

.. math:: V \leftarrow M^\top V M + \sum_h p_h^2 \frac{\mathrm{diag}(dN_h) - dN_h\, dN_h^\top / Y_h}{Y_h^2}

where :math:`dN_h` counts the transitions out of h and the part of those who stay balances them. Ties are handled as they stand.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Occupation:
    """Probabilities of the states at some times, everybody in state 0 at time zero.

    Attributes
    ----------
    probability, standard_error : array, shape (T, S)
    """

    probability: Floats
    standard_error: Floats


def aalen_johansen(start: Floats, stop: Floats, origin: Ints, target: Ints, times: Floats, states: int) -> Occupation:
    """Estimate the occupation of states from spells in them.

    Parameters
    ----------
    start, stop : array, shape (n,)
        Each spell under observation: at risk from after `start` up to `stop`. A participant may have several, one after the other; one
        who enters late has a later start.
    origin, target : int array, shape (n,)
        State of the spell, and the state that it ended in; -1 where it was censored.
    times : array, shape (T,)
        At which the estimate is wanted.
    states : int
        Number of states, S.

    Raises
    ------
    ValueError
        When a spell has no length, or a state is not among 0 to S - 1.

    Examples
    --------
    >>> found = aalen_johansen(np.zeros(4), np.array([1.0, 2, 3, 4]), np.zeros(4, int), np.array([1, 2, -1, 1]), np.array([2.0]), 3)
    >>> found.probability.round(2).tolist()
    [[0.5, 0.25, 0.25]]
    """
    start, stop = np.asarray(start, float), np.asarray(stop, float)
    if (stop <= start).any():
        raise ValueError(f"every spell needs a length above 0; {int((stop <= start).sum())} of {stop.size} have none.")
    if ((origin < 0) | (origin >= states) | (target >= states)).any():
        raise ValueError(f"states run from 0 to {states - 1}; some spells name others.")
    happened = target >= 0
    at, where = np.unique(stop[happened], return_inverse=True)
    counts = np.zeros((at.size, states, states))
    np.add.at(counts, (where, origin[happened], target[happened]), 1.0)
    risk = np.stack([_at_risk(start[origin == h], stop[origin == h], at) for h in range(states)], axis=1)
    p, v = np.eye(states)[0], np.zeros((states, states))
    probability, spread = [p], [np.zeros(states)]
    for u in range(at.size):
        move = np.eye(states)
        added = np.zeros((states, states))
        for h in range(states):
            if risk[u, h] > 0 and counts[u, h].any():
                out = counts[u, h]
                move[h] += out / risk[u, h]
                move[h, h] -= out.sum() / risk[u, h]
                jump = out - out.sum() * np.eye(states)[h]
                # Multinomial: those who move and those who stay are shares of the same number at risk.
                square = np.diag(out) + out.sum() * np.outer(np.eye(states)[h], np.eye(states)[h])
                square -= np.outer(out, np.eye(states)[h]) + np.outer(np.eye(states)[h], out)
                added += p[h] ** 2 * (square - np.outer(jump, jump) / risk[u, h]) / risk[u, h] ** 2
        v = move.T @ v @ move + added
        p = p @ move
        probability.append(p)
        spread.append(np.sqrt(np.maximum(np.diag(v), 0.0)))
    place = np.searchsorted(at, times, side="right")
    return Occupation(probability=np.array(probability)[place], standard_error=np.array(spread)[place])


def _at_risk(start: Floats, stop: Floats, at: Floats) -> Floats:
    """Number of spells under observation just before each of `at`."""
    entered = np.searchsorted(np.sort(start), at, side="left")
    left = np.searchsorted(np.sort(stop), at, side="left")
    return np.asarray(entered - left, float)
