"""Sample-size re-estimation: one look at which the number of participants is set anew, blinded or in the promising zone.

Blinded rules look at all arms together: the variance or the event rate that the plan assumed is replaced by the pooled one (Wittes and
Brittain, Stat Med 1990;9:65, doi 10.1002/sim.4780090113; Gould and Shih, Commun Stat 1992;21:2833; Kieser and Friede, Stat Med
2003;22:3571, doi 10.1002/sim.1585). The promising zone looks at the comparison itself; see `alsmodel.trials.adaptation`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal, final

import numpy as np
import numpy.typing as npt
from pydantic import Field

from alsmodel.trials.looks import Look

if TYPE_CHECKING:
    from alsmodel.trials.adaptation import PromisingZone
    from alsmodel.trials.analyses import TrialData
    from alsmodel.trials.designs import ParallelDesign

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

#: Participants that a pooled SD needs before anything is changed.
FEWEST = 4


def _half_followed() -> Look:
    return Look(when="followed", at=0.5, after=6.0)


class AbstractReestimation(ABC):
    """A rule that sets the number of participants at a look."""

    look: Look
    most: float
    #: The smallest size, as a multiple of that planned; a field of the blinded rules.
    least = 1.0

    @abstractmethod
    def faults(self, design: "ParallelDesign") -> list[str]:
        """What does not fit the design, one sentence each."""

    def sizes(self, factor: Floats, planned: int, block: int) -> Integers:
        """Participants at a multiple of the planned number, within the limits, in whole blocks of the allocation; shape (R,).

        NaN, a look that saw too little, leaves the plan as it is.
        """
        kept = np.clip(np.where(np.isnan(factor), 1.0, factor), self.least, self.most)
        return np.asarray(np.ceil(kept * planned / block - 1e-9), dtype=np.int64) * block


class AbstractBlinded(AbstractReestimation):
    """A rule that never sees which arm a participant is in."""

    @abstractmethod
    def pooled(self, data: "TrialData") -> Floats:
        """The nuisance parameter in all arms together; shape (R,), NaN where too little is seen."""

    @abstractmethod
    def factor(self, pooled: Floats, duration: float) -> Floats:
        """Size needed, as a multiple of that planned."""


@final
@dataclass(frozen=True, kw_only=True)
class BlindedVariance(AbstractBlinded):
    """Scale the trial by the pooled variance over the one planned.

    Attributes
    ----------
    planned_sd : float
        SD within an arm that the plan assumed, of the change (points) or the slope (points per month).
    outcome : "change" or "slope"
        Change from baseline at `month`, or least-squares slope through the visits up to it, of everyone seen then.
    month : float or None
        A planned visit; None is the last.
    look : Look
        When the size is set anew.
    most, least : float
        Largest and smallest size, as multiples of that planned; 1 for `least` never makes the trial smaller.
    """

    planned_sd: float
    outcome: Literal["change", "slope"] = "change"
    month: float | None = None
    look: Look = field(default_factory=_half_followed)
    most: float = 1.5
    least: float = 1.0
    kind: Literal["blinded_variance"] = "blinded_variance"

    def __post_init__(self) -> None:
        faults = limit_faults(self.most, self.least)
        if not 0 < self.planned_sd < np.inf:
            faults.append(f"planned_sd must be above 0; got {self.planned_sd}.")
        if faults:
            raise ValueError("Re-estimation: " + " ".join(faults))

    def faults(self, design: "ParallelDesign") -> list[str]:
        if self.month is not None and self.month not in design.visits[1:]:
            return [f"reestimation: month is one of the visits after the first, {list(design.visits[1:])}; got {self.month:g}."]
        return []

    def pooled(self, data: "TrialData") -> Floats:
        place = data.months.size - 1 if self.month is None else int(np.searchsorted(data.months, self.month))
        scores = np.where((data.arm >= 0)[..., None], data.scores, np.nan)[:, :, : place + 1]
        there = np.isfinite(scores[:, :, 0]) & np.isfinite(scores[:, :, place])
        if self.outcome == "change":
            values = scores[:, :, place] - scores[:, :, 0]
        else:
            seen = np.isfinite(scores)
            count = np.maximum(seen.sum(axis=2), 1)
            away = np.where(seen, data.months[: place + 1] - ((seen * data.months[: place + 1]).sum(axis=2) / count)[..., None], 0.0)
            with np.errstate(invalid="ignore", divide="ignore"):
                values = (away * np.where(seen, scores, 0.0)).sum(axis=2) / (away**2).sum(axis=2)
        values = np.where(there, values, 0.0)
        n = there.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = values.sum(axis=1) / n
            spread = np.where(there, (values - mean[:, None]) ** 2, 0.0).sum(axis=1) / (n - 1)
        return np.asarray(np.where(n >= FEWEST, np.sqrt(spread), np.nan))

    def factor(self, pooled: Floats, duration: float) -> Floats:
        return np.asarray((pooled / self.planned_sd) ** 2)


@final
@dataclass(frozen=True, kw_only=True)
class BlindedEvents(AbstractBlinded):
    """Scale the trial so that as many events come at the pooled rate as were planned.

    Attributes
    ----------
    planned_rate : float
        Events per participant and month that the plan assumed, over all arms.
    look : Look
        When the size is set anew.
    most, least : float
        Largest and smallest size, as multiples of that planned.
    """

    planned_rate: float
    look: Look = field(default_factory=_half_followed)
    most: float = 1.5
    least: float = 1.0
    kind: Literal["blinded_events"] = "blinded_events"

    def __post_init__(self) -> None:
        faults = limit_faults(self.most, self.least)
        if not 0 < self.planned_rate < np.inf:
            faults.append(f"planned_rate is events per participant and month, above 0; got {self.planned_rate}.")
        if faults:
            raise ValueError("Re-estimation: " + " ".join(faults))

    def faults(self, design: "ParallelDesign") -> list[str]:
        return []

    def pooled(self, data: "TrialData") -> Floats:
        inside = data.arm >= 0
        months = np.where(inside, data.event_time, 0.0).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.where(inside, data.event, 0).sum(axis=1) / np.where(months > 0, months, np.nan))

    def factor(self, pooled: Floats, duration: float) -> Floats:
        with np.errstate(divide="ignore"):
            return np.asarray(np.expm1(-self.planned_rate * duration) / np.expm1(-pooled * duration))


@final
@dataclass(frozen=True, kw_only=True)
class PromisingSize(AbstractReestimation):
    """Enlarge a trial whose interim result is promising; the arms are unblinded and the first analysis decides.

    Attributes
    ----------
    fraction : float
        Planned information fraction of the look.
    low, target : float
        Conditional power under the current trend from which, and up to which, the result is promising.
    most : float
        Largest size, as a multiple of that planned.
    statistic : "weighted" or "ordinary"
        "weighted" combines the two stages with the planned weights and keeps alpha whatever is done; "ordinary" is the usual test, which
        keeps it where `low` is at least 0.5. See `alsmodel.trials.adaptation.PromisingZone`.
    look : Look
        When the data are opened.
    """

    fraction: float = 0.5
    low: float = 0.36
    target: float = 0.9
    most: float = 2.0
    statistic: Literal["weighted", "ordinary"] = "weighted"
    look: Look = field(default_factory=_half_followed)
    kind: Literal["promising_zone"] = "promising_zone"

    def __post_init__(self) -> None:
        self.zone(1.959964)
        if not np.isfinite(self.most):
            raise ValueError(f"Re-estimation: most must be finite; got {self.most}.")

    def faults(self, design: "ParallelDesign") -> list[str]:
        return []

    def zone(self, bound: float) -> "PromisingZone":
        """The rule for a final critical value of z."""
        from alsmodel.trials.adaptation import PromisingZone

        return PromisingZone(
            fraction=self.fraction, bound=bound, low=self.low, target=self.target, most=self.most, statistic=self.statistic
        )


type Reestimation = Annotated[BlindedVariance | BlindedEvents | PromisingSize, Field(discriminator="kind")]


def limit_faults(most: float, least: float) -> list[str]:
    """What is wrong with the largest and smallest size, one sentence each."""
    faults = []
    if not 1 <= most < np.inf:
        faults.append(f"most is the largest size as a multiple of that planned, at least 1; got {most}.")
    if not 0 < least <= 1:
        faults.append(f"least is the smallest size as a multiple of that planned, above 0 and at most 1; got {least}.")
    return faults


def reestimation_faults(design: "ParallelDesign") -> list[str]:
    """What keeps a design from setting its size anew, one sentence each."""
    rule = design.reestimation
    if rule is None:
        return []
    faults = rule.faults(design)
    if design.recruitment is None:
        faults.append("reestimation needs recruitment: without it everyone starts at month 0. Add [trial.design.recruitment].")
    if design.looks and isinstance(rule, PromisingSize):
        faults.append(
            "reestimation in the promising zone is not combined with other looks, its claim being by two stages: keep one of the two."
        )
    elif design.looks and design.information is None:
        faults.append(
            "reestimation with other looks spends alpha by the information that comes: add design.sequential with a spending function and "
            "design.information, the maximum that the plan aims at."
        )
    return faults
