"""Interim looks: when the data are opened, and the bounds that stop a trial."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from alsmodel.trials.recruitment import Recruitment
    from alsmodel.trials.sequential import GroupSequential

Floats = npt.NDArray[np.float64]
When = Literal["month", "enrolled", "followed", "events"]

#: Chance at which a trial does not last so long.
LATER = 1e-6


@final
@dataclass(frozen=True, kw_only=True)
class Look:
    """One interim look.

    Attributes
    ----------
    when : "month", "enrolled", "followed" or "events"
        What opens the data: a calendar month; a share of the participants being randomised; a share of them being
        randomised `after` months ago; a number of events.
    at : float
        The month, the share (0 to 1) of the planned participants, or the number of events.
    after : float
        Months of follow-up, for "followed".
    """

    when: When
    at: float
    after: float = 0.0

    def __post_init__(self) -> None:
        faults = []
        if self.when in ("enrolled", "followed") and not 0 < self.at <= 1:
            faults.append(f"a look by {self.when!r} is at a share of the planned participants between 0 and 1; got {self.at}.")
        if self.when in ("month", "events") and not (np.isfinite(self.at) and self.at > 0):
            faults.append(f"a look by {self.when!r} needs at above 0, since nothing is known before; got {self.at}.")
        if self.when == "events" and np.isfinite(self.at) and self.at != int(self.at):
            faults.append(f"a look by 'events' is at a whole number of events; got {self.at:g}.")
        if self.when != "followed" and self.after:
            faults.append(f"after is months of follow-up, for looks by 'followed'; got {self.after:g} with a look by {self.when!r}.")
        if self.when == "followed" and not self.after > 0:
            faults.append(f"a look before anyone is followed: after must be above 0 months; got {self.after}.")
        if faults:
            raise ValueError(" ".join(faults))

    @property
    def said(self) -> str:
        """The look in a few words, for messages."""
        if self.when in ("month", "events"):
            return f"a look at {self.at:g} events" if self.when == "events" else f"a look in month {self.at:g}"
        return f"a look at {self.at:.3g} {self.when}" + (f" for {self.after:g} months" if self.when == "followed" else "")

    def cutoff(
        self,
        enrolled: Floats,
        event_time: Floats,
        event: npt.NDArray[np.int64],
        final_month: Floats,
        size: npt.NDArray[np.int64] | None = None,
    ) -> Floats:
        """Calendar month of the look in each trial, at latest the final analysis; shape (R,).

        Parameters
        ----------
        enrolled, event_time, event : array, shape (R, n)
            Calendar month of randomisation, infinite of those who are not in the trial, and what is observed of them.
        final_month : array, shape (R,)
        size : array of int, shape (R,), optional
            Participants that a share is a share of; all of them without it.
        """
        if self.when == "month":
            return np.asarray(np.minimum(self.at, final_month))
        if self.when == "events":
            times = np.sort(np.where(event == 1, enrolled + event_time, np.inf), axis=1)
            place = int(np.ceil(self.at)) - 1
            reached = times[:, place] if place < times.shape[1] else np.full(final_month.shape, np.inf)
            return np.asarray(np.minimum(reached, final_month))
        of = np.full(final_month.shape, enrolled.shape[1]) if size is None else size
        rank = np.maximum(np.ceil(self.at * of - 1e-9).astype(np.int64), 1) - 1
        there = np.take_along_axis(np.sort(enrolled, axis=1), rank[:, None], axis=1)[:, 0]
        return np.asarray(np.minimum(there + self.after, final_month))


@final
@dataclass(frozen=True, kw_only=True)
class FixedBounds:
    """Bounds given as numbers on the z scale, positive in favour of the active arm.

    Attributes
    ----------
    efficacy : tuple of float
        One per look and one for the final analysis; a trial stops with a claim at or above it.
    futility : tuple of float
        One per look; a trial stops without a claim at or below it. Empty is none.
    """

    efficacy: tuple[float, ...]
    futility: tuple[float, ...] = ()
    kind: Literal["fixed"] = "fixed"

    def __post_init__(self) -> None:
        if not self.efficacy:
            raise ValueError("efficacy needs a bound per look and one for the final analysis, such as [2.797, 1.977].")
        if self.futility and len(self.futility) != len(self.efficacy) - 1:
            raise ValueError(f"futility needs one bound per look: {len(self.efficacy) - 1}; got {len(self.futility)}.")
        if any(low >= high for low, high in zip(self.futility, self.efficacy, strict=False)):
            raise ValueError(f"futility bounds must lie below the efficacy bounds; got {self.futility} and {self.efficacy}.")

    def z_bounds(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Efficacy and futility bounds, the final analysis last; -inf is no futility stop."""
        return self.efficacy, (*(self.futility or (-np.inf,) * (len(self.efficacy) - 1)), -np.inf)


def order_faults(looks: Sequence[Look]) -> list[str]:
    """Looks of one kind that come before or with the one that they follow, one sentence each."""
    faults = []
    for k, look in enumerate(looks):
        for before in looks[:k]:
            if look.when == before.when and look.at <= before.at and look.after <= before.after:
                faults.append(f"looks stand in the order in which they come: {look.said} follows {before.said} and is no later.")
    return faults


def unseen_faults(looks: Sequence[Look], duration: float, recruitment: "Recruitment | None") -> list[str]:
    """Looks before anyone is expected, or for which nobody is ever followed long enough, one sentence each."""
    faults = []
    for look in looks:
        if look.when == "followed" and look.after > duration:
            faults.append(f"{look.said}: nobody is followed for longer than the duration of {duration:g} months. Shorten after.")
        if look.when == "month" and recruitment is not None and 0 < look.at < np.inf:
            first = float(recruitment.arrivals(np.array([1.0]))[0])
            if look.at <= first:
                faults.append(
                    f"{look.said}: a look before anyone is followed; the first participant is expected in month {first:.3g}. Look later."
                )
    return faults


def latest_end(recruitment: "Recruitment", participants: int, follow_up: float) -> float:
    """Calendar month by which a trial has ended but for a chance of one in a million; arrivals are a Poisson process.

    Parameters
    ----------
    recruitment : Recruitment
    participants : int
        Number randomised.
    follow_up : float
        Months from the last arrival to the end.
    """
    from scipy.special import gammainccinv  # here: reading a study file must not wait for scipy

    return float(recruitment.arrivals(np.array([gammainccinv(float(participants), LATER)]))[0]) + follow_up


@lru_cache(maxsize=64)
def planned_bounds(design: "GroupSequential") -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Bounds of a group-sequential design at its planned information fractions, as `FixedBounds.z_bounds`."""
    from alsmodel.trials.sequential import boundaries

    found = boundaries(design)
    return tuple(found.upper.tolist()), (*found.lower[:-1].tolist(), -np.inf)
