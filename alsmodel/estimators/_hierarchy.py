"""Who fared better, survival first and function second: the order of times and the values compared.

A **key** puts participants in the order of their times: deaths at a time come before those censored at it. Keys are even
for deaths and odd for the censored, equal for equal times of one kind. For two participants with keys k < l:

- k is a death: decided by survival, the one with l fared better;
- k is censored, or both died at the same time: decided by function.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from alsmodel.estimators._events import EventData

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
BLOCK = 256  # replicates whose values are copied at a time


@njit(cache=True, nogil=True, error_model="numpy")
def order_keys(time, order, event, arm, key, line):  # type: ignore[no-untyped-def]
    """Keys of the participants (-1: left out), and the participants in the order of keys in `line`; returns their number."""
    people, number, k = time.shape[0], 0, 0
    i = 0
    while i < people:
        j = i
        while j < people and time[order[j]] == time[order[i]]:
            j += 1
        j = max(j, i + 1)  # a time that is NaN belongs to someone left out
        for dead in (1, 0):
            for m in range(i, j):
                who = order[m]
                if arm[who] < 0:
                    key[who] = -1
                elif (event[who] > 0) == (dead == 1):
                    key[who] = k if dead == 1 else k + 1
                    line[number] = who
                    number += 1
        k += 2
        i = j
    return number


@njit(cache=True, nogil=True, error_model="numpy")
def by_function(one, other):  # type: ignore[no-untyped-def]
    """Whether two keys leave the comparison to function."""
    return one == other or min(one, other) % 2 == 1


@njit(cache=True, nogil=True, error_model="numpy")
def last_seen(values, last):  # type: ignore[no-untyped-def]
    """Last visit with a value per participant; -1 without any. Values have shape (V, n)."""
    visits, people = values.shape
    for i in range(people):
        last[i] = -1
    for v in range(visits):
        for i in range(people):
            if not np.isnan(values[v, i]):
                last[i] = v


def function_scores(scores: npt.ArrayLike, data: EventData) -> Floats:
    """Scores as (R, n, V), checked against the event times."""
    given = np.asarray(scores, dtype=np.float64)
    given = given[None] if given.ndim == 2 else given
    if given.ndim != 3 or given.shape[:2] != data.time.shape:
        raise ValueError(f"scores has shape {given.shape}; expected (R, n, V) with (R, n) = {data.time.shape}, that of time.")
    if np.isinf(given).any():
        raise ValueError("scores holds infinite values. Mark a score that was not observed by NaN.")
    if given.shape[2] > 1000:
        raise ValueError(f"scores has {given.shape[2]} visits; at most 1,000.")
    return given


def compared(scores: Floats, change: bool) -> Floats:
    """What two participants compare at a visit, shape (R, V, n): the change from the first visit, or the score itself."""
    if change:
        scores = scores[:, :, 1:] - scores[:, :, :1]
    return np.ascontiguousarray(scores.transpose(0, 2, 1))
