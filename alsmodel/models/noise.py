"""Whom the residual SD differs between: its printed names, and everybody's own."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.models.groups import members
from alsmodel.models.spec import JointModel

Ints = NDArray[np.int64]
RESIDUAL = "sd:residual"


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Noise:
    """Labels of the residual SDs, and the place among them of each participant's, shape (N,)."""

    labels: tuple[str, ...]
    row: Ints


def noise(spec: JointModel, data: JointData) -> Noise:
    """One residual SD for all, or one for each level of ``spec.decline.residual_by``.

    Raises
    ------
    InvalidInput
        When the covariate has one level only, or a level is not among those known from a fit.
    """
    by = spec.decline.residual_by
    if by is None:
        return Noise(labels=(RESIDUAL,), row=np.zeros(data.people, np.int64))
    levels, own = members(data, (by,), where="model.decline.residual_by")
    return Noise(labels=tuple(f"{RESIDUAL}[{level}]" for level in levels), row=own)
