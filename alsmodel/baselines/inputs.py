"""Checks of event times and covariates, and the columns that the regressions take."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from alsmodel.errors import Fault, InvalidInput

Array = np.ndarray[Any, np.dtype[Any]]
Missing = Literal["refuse", "complete-case"]


@final
@dataclass(frozen=True, kw_only=True)
class Times:
    """Entry, end and whether the event happened, per participant; shape (n,) each."""

    end: Array
    event: Array
    entry: Array | None
    free: Array

    @property
    def between(self) -> Array:
        """Whose event lies somewhere between `free` and `end`; shape (n,)."""
        return np.asarray(self.event & (self.free < self.end))

    @property
    def middle(self) -> "Times":
        """The same with every such event in the middle of the two."""
        end = np.where(self.between, 0.5 * (self.free + self.end), self.end)
        return Times(end=end, event=self.event, entry=self.entry, free=end)

    def keep(self, rows: Array) -> "Times":
        """The participants where `rows` is true."""
        return Times(
            end=self.end[rows],
            event=self.event[rows],
            entry=None if self.entry is None else self.entry[rows],
            free=self.free[rows],
        )


def checked_times(event_time: Array, event: Array, entry_time: Array | None, free_until: Array | None = None) -> Times:
    """Event times as float arrays, or every fault found in them."""
    end = np.asarray(event_time, dtype=float)
    happened = np.asarray(event)
    entry = None if entry_time is None else np.asarray(entry_time, dtype=float)
    faults: list[Fault] = []

    def fault(place: str, message: str, remedy: str = "") -> None:
        faults.append(Fault(place, message, remedy))

    if end.ndim != 1 or end.size == 0:
        raise InvalidInput([Fault("event_time", f"one time per participant expected, shape {end.shape} came.")])
    if happened.shape != end.shape:
        fault("event", f"{end.size} values expected as in event_time, shape {happened.shape} came.")
    elif not np.isin(happened, (0, 1)).all():
        fault("event", "only 0 and 1 (or false and true) expected.", "Code several event kinds one at a time.")
    if (bad := int((~np.isfinite(end)).sum())) > 0:
        fault("event_time", f"{bad} of {end.size} times are not finite numbers.")
    if (bad := int((end < 0).sum())) > 0:
        fault("event_time", f"{bad} of {end.size} times are below zero.", "Times run from the time origin.")
    if entry is not None and entry.shape != end.shape:
        fault("entry_time", f"{end.size} values expected as in event_time, shape {entry.shape} came.")
    elif entry is not None and (bad := int((~(entry < end)).sum())) > 0:
        fault(
            "entry_time",
            f"{bad} of {end.size} participants do not enter before their event_time.",
            "Under left truncation nobody can be followed before entry: leave them out by name.",
        )
    free = end if free_until is None else np.asarray(free_until, dtype=float)
    if free.shape != end.shape:
        fault("free_until", f"{end.size} values expected as in event_time, shape {free.shape} came.")
    elif not faults and (bad := int((~((free >= (0.0 if entry is None else entry)) & (free <= end)) & (happened > 0)).sum())) > 0:
        fault("free_until", f"{bad} participants with the event were last free of it before entry or after their event_time.")
    if faults:
        raise InvalidInput(faults)
    return Times(end=end, event=happened.astype(bool), entry=entry, free=free)


def is_text(values: Array) -> bool:
    """Whether a column holds labels rather than numbers."""
    return values.dtype.kind in "US" or (values.dtype.kind == "O" and any(isinstance(value, str) for value in values))


def is_missing(values: Array) -> Array:
    """Where a column has no value: None or NaN; shape (n,)."""
    if values.dtype.kind in "US":
        return np.zeros(values.shape, dtype=bool)
    if values.dtype.kind == "O":
        return np.array([value is None or value != value for value in values], dtype=bool)
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, dtype=bool)


def checked_columns(columns: Mapping[str, Array], n: int, place: str) -> dict[str, Array]:
    """Columns as arrays of `n` values, or every fault found in them."""
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    faults = [
        Fault(f"{place}.{name}", f"{n} values expected, one per participant; shape {values.shape} came.")
        for name, values in arrays.items()
        if values.shape != (n,)
    ]
    if faults:
        raise InvalidInput(faults)
    return arrays


def missing_rows(columns: Mapping[str, Array], n: int) -> tuple[Array, dict[str, int]]:
    """Who lacks a value in any column, and how many lack it per column."""
    absent = {name: is_missing(values) for name, values in columns.items()}
    anywhere = np.logical_or.reduce(list(absent.values())) if absent else np.zeros(n, dtype=bool)
    return np.asarray(anywhere, dtype=bool), {name: int(rows.sum()) for name, rows in absent.items()}


def refuse_missing(counts: Mapping[str, int], n: int) -> None:
    """Raise when any column has missing values, naming all of them with counts."""
    faults = [
        Fault(
            f"covariates.{name}",
            f"{count} of {n} participants have no value.",
            'Impute before, or choose missing = "complete-case" and accept the exclusion.',
        )
        for name, count in counts.items()
        if count
    ]
    if faults:
        raise InvalidInput(faults)


def design_columns(columns: Mapping[str, Array], reference: Mapping[str, str]) -> dict[str, Array]:
    """Numbers as they are; labels as 0/1 columns ``name[level]`` against a reference level.

    The reference is the one given in `reference`, else the most frequent level (first in the alphabet when
    several are).
    """
    design: dict[str, Array] = {}
    for name, values in columns.items():
        if not is_text(values):
            design[name] = values.astype(float)
            continue
        labels = np.array([str(value) for value in values])
        counts = Counter(labels.tolist())
        base = reference.get(name) or min(counts, key=lambda level: (-counts[level], level))
        if base not in counts:
            raise InvalidInput([Fault(f"reference.{name}", f"no participant has this level; levels are {sorted(counts)}.")])
        for level in sorted(counts):
            if level != base:
                design[f"{name}[{level}]"] = (labels == level).astype(float)
    return design
