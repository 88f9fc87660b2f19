"""Arguments that every analysis of event times takes, checked once, and the sums over who is at risk."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

BAD_TIME, BAD_EVENT, BAD_ARM = 1, 2, 4
MEANING = {
    BAD_TIME: "time must be finite and not negative. Give a participant without an event a censoring time.",
    BAD_EVENT: "event must be 0 or 1.",
    BAD_ARM: "arm must be 0 (control), 1 (active) or -1 (left out). Compare more arms pair by pair.",
}


@dataclass(frozen=True, kw_only=True)
class EventData:
    """Checked arrays; arm and strata have one row when all replicates share them.

    Attributes
    ----------
    time : array, shape (R, n)
        Months to the event or to censoring.
    order : array of int, shape (R, n)
        Positions in the order of time.
    event : array of int, shape (R, n)
    arm, strata : array of int, shape (1, n) or (R, n)
    levels : int
        Number of strata.
    participants : array of int, shape (R,)
        Not left out.
    """

    time: Floats
    order: Integers
    event: Integers
    arm: Integers
    strata: Integers
    levels: int
    participants: Integers


@njit(cache=True, nogil=True, error_model="numpy")
def _scan(time, event, arm, participants):  # type: ignore[no-untyped-def]
    """Count participants per replicate; returns what is wrong with those not left out, as bits."""
    wrong = 0
    for r in range(time.shape[0]):
        groups = arm[r if arm.shape[0] > 1 else 0]
        for i in range(time.shape[1]):
            if groups[i] == -1:
                continue
            participants[r] += 1
            if not (time[r, i] >= 0.0 and time[r, i] < np.inf):
                wrong |= BAD_TIME
            if event[r, i] != 0 and event[r, i] != 1:
                wrong |= BAD_EVENT
            if groups[i] != 0 and groups[i] != 1:
                wrong |= BAD_ARM
    return wrong


@njit(cache=True, nogil=True, error_model="numpy")
def arm_table(time, order, event, arm, stratum, state, table):  # type: ignore[no-untyped-def]
    """Fill `table` (d, d1, r, r1, stratum) with one row per stratum and event time; returns the number of rows.

    One pass from the last time to the first: each stratum keeps its own counts in `state` (at risk, at risk active,
    time, d, d1) and writes a row when its time changes. Within a stratum, rows run backwards in time. Everyone who
    leaves at a time is at risk at it: events come before censoring.
    """
    rows = 0
    for s in range(state.shape[0]):
        for k in range(5):
            state[s, k] = 0.0
    for i in range(time.shape[0] - 1, -1, -1):
        who = order[i]
        group = arm[who]
        if group < 0:
            continue
        s, now = stratum[who], time[who]
        if now != state[s, 2]:
            if state[s, 3] > 0.0:
                table[rows, 0], table[rows, 1], table[rows, 2] = state[s, 3], state[s, 4], state[s, 0]
                table[rows, 3], table[rows, 4] = state[s, 1], s
                rows += 1
                state[s, 3] = state[s, 4] = 0.0
            state[s, 2] = now
        state[s, 0] += 1.0
        state[s, 1] += group
        if event[who] > 0:
            state[s, 3] += 1.0
            state[s, 4] += group
    for s in range(state.shape[0]):
        if state[s, 3] > 0.0:
            table[rows, 0], table[rows, 1], table[rows, 2] = state[s, 3], state[s, 4], state[s, 0]
            table[rows, 3], table[rows, 4] = state[s, 1], s
            rows += 1
    return rows


@njit(cache=True, nogil=True, error_model="numpy")
def group_table(time, order, event, group, state, table, last):  # type: ignore[no-untyped-def]
    """Fill `table` (time, d, r, group) with one row per group and event time, backwards; returns the number of rows.

    `last` (groups, 2) receives the last time of each group and whether it is an event (NaN when the group is empty).
    """
    rows = 0
    for g in range(state.shape[0]):
        state[g, 0], state[g, 1], state[g, 2] = 0.0, -1.0, 0.0
        last[g, 0] = last[g, 1] = np.nan
    for i in range(time.shape[0] - 1, -1, -1):
        who = order[i]
        g, now = group[who], time[who]
        if g < 0:
            continue
        if state[g, 0] == 0.0:
            last[g, 0], last[g, 1] = now, 0.0
        if now != state[g, 1]:
            if state[g, 2] > 0.0:
                table[rows, 0], table[rows, 1], table[rows, 2], table[rows, 3] = state[g, 1], state[g, 2], state[g, 0], g
                rows += 1
                state[g, 2] = 0.0
            state[g, 1] = now
        state[g, 0] += 1.0
        if event[who] > 0:
            state[g, 2] += 1.0
            if now == last[g, 0]:
                last[g, 1] = 1.0
    for g in range(state.shape[0]):
        if state[g, 2] > 0.0:
            table[rows, 0], table[rows, 1], table[rows, 2], table[rows, 3] = state[g, 1], state[g, 2], state[g, 0], g
            rows += 1
    return rows


def _two_rows(given: npt.ArrayLike, kind: type) -> npt.NDArray[Any]:
    """`given` as an array (1 or R, n) of `kind`, contiguous and writable: anything else would be compiled anew."""
    return np.require(np.atleast_2d(np.asarray(given)), kind, ["C", "W"])


def event_data(time: npt.ArrayLike, event: npt.ArrayLike, arm: npt.ArrayLike, strata: npt.ArrayLike | None = None) -> EventData:
    """Bring event times, arms and strata to the shapes that the compiled code takes.

    Raises
    ------
    ValueError
        Everything that is wrong with them, one sentence each.
    """
    months, groups = _two_rows(time, np.float64), _whole(arm)
    replicates, people = months.shape
    died, layers = _whole(event), np.zeros((1, people), dtype=np.int64) if strata is None else _whole(strata)
    faults = [] if died.shape == months.shape else [f"event has shape {died.shape}; expected that of time, {months.shape}."]
    for name, given in (("arm", groups.shape), ("strata", layers.shape)):
        if given not in ((1, people), (replicates, people)):
            faults.append(f"{name} has shape {given}; expected ({people},) or {(replicates, people)}.")
    participants = np.zeros(replicates, dtype=np.int64)
    if not faults:
        wrong = _scan(months, died, groups, participants)
        faults = [text for bit, text in MEANING.items() if wrong & bit]
    if layers.min(initial=0) < 0:
        faults.append("strata must be counted from 0; a negative one came. Leave participants out by arm = -1.")
    if faults:
        raise ValueError(" ".join(faults))
    return EventData(
        time=months,
        order=np.argsort(months, axis=1),
        event=died,
        arm=groups,
        strata=layers,
        levels=int(layers.max(initial=0)) + 1,
        participants=participants,
    )


def _whole(given: npt.ArrayLike) -> Integers:
    """As integers; what is no whole number becomes one that the scan refuses."""
    array = np.atleast_2d(np.asarray(given))
    if array.dtype.kind == "f":
        array = np.where(np.isfinite(array) & (array == np.rint(array)), array, 9.0)
    return np.require(array, np.int64, ["C", "W"])


def covariate_array(covariates: npt.ArrayLike | None, data: EventData) -> Floats:
    """Covariates as (1 or R, n, p); NaN is allowed only where the participant is left out, and becomes 0 there."""
    replicates, people = data.time.shape
    if covariates is None:
        return np.zeros((1, people, 0))
    given = np.asarray(covariates, dtype=np.float64)
    given = given[None] if given.ndim == 2 else given
    if given.ndim != 3 or given.shape[1] != people or given.shape[0] not in (1, replicates):
        raise ValueError(f"covariates has shape {given.shape}; expected ({people}, p) or {(replicates, people)} + (p,).")
    missing = ~np.isfinite(given).all(axis=2)
    if missing.any():
        if (missing & (data.arm >= 0)).any():
            raise ValueError("covariates holds missing values. Impute first (pooled mean and an indicator under randomisation).")
        given = np.where(missing[..., None], 0.0, given)
    return np.require(given, np.float64, ["C", "W"])
