"""The bounds that a trial meets at its looks: those planned, or those of the information that came.

Information is 1/SE² of the analysis that decides, and the information fraction is that over the planned maximum (Lan and DeMets,
Biometrika 1983;70:659, doi 10.1093/biomet/70.3.659). A look at or beyond the maximum spends all of alpha and ends the trial; the final
analysis spends what is left, whether it overran or fell short.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, final

import numpy as np
import numpy.typing as npt

from alsmodel.trials.increments import PAGE, has_information
from alsmodel.trials.spending import AbstractSpending, FixedFutility, HaybittlePeto

if TYPE_CHECKING:
    from alsmodel.trials.analyses import AbstractAnalysis
    from alsmodel.trials.designs import ParallelDesign
    from alsmodel.trials.sequential import GroupSequential

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: Gain in information fraction below which a look has nothing new to test.
LEAST_GAIN = 0.01


@final
@dataclass(frozen=True, kw_only=True)
class RealisedInformation:
    """Spend alpha by the information that came, instead of at the planned fractions.

    Attributes
    ----------
    maximum : float or None
        Planned maximum of 1/SE² of the first analysis, one number for all sizes of the trial.
    per_participant : float or None
        The same for each participant of the planned number; give one of the two. `alsmodel.trials.planned_information` finds it.
    """

    maximum: float | None = None
    per_participant: float | None = None

    def __post_init__(self) -> None:
        faults = []
        if (self.maximum is None) == (self.per_participant is None):
            faults.append("information needs either maximum or per_participant, 1/SE² of the first analysis.")
        for name in ("maximum", "per_participant"):
            value = getattr(self, name)
            if value is not None and not 0 < value < np.inf:
                faults.append(f"{name} is 1/SE², above 0; got {value}.")
        if faults:
            raise ValueError(" ".join(faults))

    def planned(self, participants: int) -> float:
        """Planned maximum information of a trial of this many participants."""
        return self.maximum if self.maximum is not None else float(self.per_participant or 0.0) * participants


def information_faults(information: RealisedInformation | None, sequential: "GroupSequential | None") -> list[str]:
    """What keeps a design from spending by the information that came, one sentence each."""
    if information is None:
        return []
    if sequential is None:
        return ["information says how sequential spends alpha; add [trial.design.sequential], or leave information out."]
    faults = []
    if not isinstance(sequential.efficacy, AbstractSpending | HaybittlePeto):
        faults.append(f"information: the {sequential.efficacy.kind} boundary holds at planned fractions only; use a spending function.")
    return faults


def increment_faults(design: "ParallelDesign", analysis: "AbstractAnalysis") -> list[str]:
    """Refuse to spend by the information of an analysis whose increments were not shown to be independent by it."""
    if design.information is None or has_information(analysis):
        return []
    return [
        f"information: 1/SE² of {analysis.label} has no shown independence of increments ({PAGE}); leave information out, with fractions "
        "of planned_fractions, or let another analysis decide, first in the list."
    ]


@final
@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Bounds of one look in R trials.

    Attributes
    ----------
    efficacy, futility : array, shape (R,)
        On the z scale; infinite where the look is not tested.
    fraction : array, shape (R,)
        Information fraction; NaN where the bounds are those planned.
    spent : array of bool, shape (R,)
        All of alpha is spent: the trial ends here.
    """

    efficacy: Floats
    futility: Floats
    fraction: Floats
    spent: Bools


class Watch(Protocol):
    """Gives the bounds of R trials look by look."""

    def look(self, number: int, running: Bools, standard_error: Floats) -> Bounds:
        """Bounds of interim look `number`, from 1, in the trials that are opened there."""
        ...

    def final(self, running: Bools, standard_error: Floats) -> Floats:
        """Efficacy bound of the final analysis in the trials that came so far; NaN in others."""
        ...


def fraction_of(standard_error: Floats, maximum: float) -> Floats:
    """1/SE² over its planned maximum; NaN where there is no standard error."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(standard_error > 0, 1.0 / standard_error**2, np.nan) / maximum)


@final
class PlannedWatch:
    """The same bounds in every trial."""

    def __init__(self, efficacy: tuple[float, ...], futility: tuple[float, ...]) -> None:
        self.efficacy, self.futility = efficacy, futility

    def look(self, number: int, running: Bools, standard_error: Floats) -> Bounds:
        shape = running.shape
        return Bounds(
            efficacy=np.full(shape, self.efficacy[number - 1]),
            futility=np.full(shape, self.futility[number - 1]),
            fraction=np.full(shape, np.nan),
            spent=np.zeros(shape, dtype=np.bool_),
        )

    def final(self, running: Bools, standard_error: Floats) -> Floats:
        return np.where(running, self.efficacy[-1], np.nan)


@final
class RealisedWatch:
    """Bounds at the information of each trial; a look without a fit, or whose information hardly rose, is not tested and spends nothing."""

    def __init__(self, design: "GroupSequential", maximum: float, trials: int) -> None:
        self.design, self.maximum = design, maximum
        self.reached = np.full((trials, len(design.fractions)), np.nan)
        # Fixed futility numbers are named by look, whichever looks a trial has had.
        self.named = np.full(self.reached.shape, -np.inf)
        self.looks = np.zeros(trials, dtype=np.int64)

    def look(self, number: int, running: Bools, standard_error: Floats) -> Bounds:
        fraction = fraction_of(standard_error, self.maximum)
        with np.errstate(invalid="ignore"):
            tested = running & np.isfinite(fraction) & (fraction >= self._last() + LEAST_GAIN)
        futility = self.design.futility
        named = futility.z[number - 1] if isinstance(futility, FixedFutility) else -np.inf
        upper, lower = self._bounds(tested, fraction, named, last=False)
        if isinstance(futility, FixedFutility):
            lower = np.where(tested, np.minimum(named, upper), -np.inf)
        return Bounds(efficacy=upper, futility=lower, fraction=fraction, spent=tested & (fraction >= 1.0))

    def final(self, running: Bools, standard_error: Floats) -> Floats:
        fraction = fraction_of(standard_error, self.maximum)
        tested = running & np.isfinite(fraction)
        # Information that hardly rose or fell since the last look counts as the least gain: what is left of alpha is spent all the same.
        upper, _ = self._bounds(tested, np.fmax(fraction, self._last() + LEAST_GAIN), -np.inf, last=True)
        return np.where(tested, upper, np.nan)

    def _last(self) -> Floats:
        """Fraction at the last look of each trial; 0 before any."""
        before = np.take_along_axis(self.reached, np.maximum(self.looks - 1, 0)[:, None], axis=1)[:, 0]
        return np.where(self.looks > 0, before, 0.0)

    def _bounds(self, tested: Bools, fraction: Floats, named: float, last: bool) -> tuple[Floats, Floats]:
        from alsmodel.trials.sequential_batch import replicate_boundaries

        rows = np.flatnonzero(tested)
        place = self.looks[rows]
        self.reached[rows, place], self.named[rows, place] = fraction[rows], named
        self.looks[rows] += 1
        upper, lower = np.full(tested.shape, np.inf), np.full(tested.shape, -np.inf)
        if rows.size:
            upto = int(place.max()) + 1
            found = replicate_boundaries(self.design, self.reached[rows][:, :upto], last=last, futility=self.named[rows][:, :upto])
            upper[rows] = np.take_along_axis(found.upper, place[:, None], axis=1)[:, 0]
            lower[rows] = np.take_along_axis(found.lower, place[:, None], axis=1)[:, 0]
        return upper, lower


def watch(design: "ParallelDesign", participants: int, trials: int) -> Watch:
    """What gives the bounds of a block of trials of a design."""
    if design.information is not None and design.sequential is not None:
        return RealisedWatch(design.sequential, design.information.planned(participants), trials)
    return PlannedWatch(*design.z_bounds)
