"""Levels of the text covariates that participants are grouped by."""

import numpy as np
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.errors import Fault, InvalidInput

Ints = NDArray[np.int64]
UNKNOWN = "unknown"
FEW = 10  # a group of fewer participants is said to be driven by its prior


def members(data: JointData, names: tuple[str, ...], *, where: str) -> tuple[tuple[str, ...], Ints]:
    """Levels, and the level of each participant; several names are nested, as a site in its cohort.

    Parameters
    ----------
    data : JointData
    names : tuple of str
        In ``data.groups``.
    where : str
        The setting that asks, for messages.

    Returns
    -------
    levels : tuple of str
        Sorted; "unknown" where nothing is recorded. Those in ``data.levels`` where they are known from a fit.
    index : int array, shape (N,)

    Raises
    ------
    InvalidInput
        When there is one level only, so that nothing differs; when a level is not among those known from a fit.
    """
    columns = [data.groups[name] for name in names]
    words = ["/".join(UNKNOWN if level is None else str(level) for level in row) for row in zip(*columns, strict=True)]
    fitted = data.levels.get("/".join(names))
    levels = tuple(sorted(set(words))) if fitted is None else fitted
    if fitted is not None and (strange := len(set(words) - set(fitted))):
        fault = f"Nothing was fitted for {strange} of the levels of {' within '.join(reversed(names))}."
        raise InvalidInput([Fault(where, fault, f"Predict for the levels fitted: {', '.join(fitted)}.")])
    if len(levels) < 2:
        fault = f"{' within '.join(reversed(names))} has one level only ({levels[0] if levels else 'none'})."
        raise InvalidInput([Fault(where, fault, "Leave it out.")])
    place = {level: k for k, level in enumerate(levels)}
    return levels, np.array([place[word] for word in words], np.int64)


def small_groups(data: JointData, names: tuple[str, ...], *, where: str) -> tuple[str, ...]:
    """Levels with fewer than 10 participants, whose effects say more about their prior than about them."""
    levels, index = members(data, names, where=where)
    return tuple(level for level, n in zip(levels, np.bincount(index, minlength=len(levels)), strict=True) if n < FEW)
