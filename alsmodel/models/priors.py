"""The units that weak priors are scaled by, and priors as plain records that print."""

from dataclasses import dataclass
from typing import final

import numpy as np

from alsmodel.cohort.arrays import JointData
from alsmodel.models.spec import Normal


@final
@dataclass(frozen=True, kw_only=True)
class Scales:
    """Units of a data set.

    Attributes
    ----------
    centre, spread : float
        Mean and SD of the transformed outcome over all visits.
    length : float
        Longest follow-up or visit time.
    log_rate : float
        Log of events per person-time.
    columns : dict of str to float
        SD of each design column (1 where it is constant).
    """

    centre: float
    spread: float
    length: float
    log_rate: float
    columns: dict[str, float]


def data_scales(data: JointData) -> Scales:
    """Read the units off the data, rounded to two significant digits so that a prior prints as it is used."""
    follow_up = float((data.event_time - data.entry_time).sum())
    return Scales(
        centre=_two_digits(float(data.outcome.mean())),
        spread=_two_digits(float(data.outcome.std(ddof=1))),
        length=_two_digits(float(max(data.event_time.max(), data.visit_time.max()))),
        log_rate=_two_digits(float(np.log(max(float(data.event.sum()), 0.5) / follow_up))),
        columns={name: _two_digits(float(np.nanstd(column)) or 1.0) for name, column in data.columns.items()},
    )


def normal_prior(mean: float, sd: float) -> Normal:
    """A weak normal prior, its SD rounded to two significant digits."""
    return Normal(mean=mean, sd=_two_digits(sd))


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")
