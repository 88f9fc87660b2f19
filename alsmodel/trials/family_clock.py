"""The bounds that one hypothesis of a family has at its looks, at whatever level it is tested: as planned, or by the information that came.

With information of its own the hypothesis spends its level by 1/SE² of its estimate over the planned maximum, trial by trial (Lan and
DeMets, Biometrika 1983;70:659, doi 10.1093/biomet/70.3.659), with the rules of `alsmodel.trials.information`: a look without a fit or with
nothing new is not tested and spends nothing, a look at the maximum spends all, the final analysis spends what is left.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, final

import numpy as np
import numpy.typing as npt

from alsmodel.trials.family_looks import both_bounds
from alsmodel.trials.information import LEAST_GAIN, fraction_of

if TYPE_CHECKING:
    from alsmodel.trials.sequential import GroupSequential

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Clock(Protocol):
    """Gives the bounds of one hypothesis in R trials."""

    def see(self, look: int, tested: Bools, standard_error: Floats, last: bool) -> None:
        """Take note of a look, from 1; the final analysis is the `last`. `tested` and `standard_error` have shape (R,)."""
        ...

    def bounds(self, rows: Integers, level: float) -> tuple[Floats, Floats]:
        """Efficacy and futility bounds of some trials at a level, shape (rows, K) by look; infinite where a look is not tested."""
        ...

    def fraction(self, look: int) -> Floats:
        """Information fraction at a look, shape (R,); NaN where its bounds are those planned, or where it is not tested."""
        ...

    def spent(self) -> Bools:
        """Trials in which all of any level is spent, shape (R,)."""
        ...


def clock(design: "GroupSequential", maximum: float | None, trials: int) -> Clock:
    """The clock of a hypothesis; without a planned maximum of 1/SE² it is that of the planned fractions."""
    return PlannedClock(design, trials) if maximum is None else RealisedClock(design, maximum, trials)


@final
class PlannedClock:
    """The same bounds in every trial."""

    def __init__(self, design: "GroupSequential", trials: int) -> None:
        self.design, self.trials = design, trials

    def see(self, look: int, tested: Bools, standard_error: Floats, last: bool) -> None:
        """Nothing to note."""

    def bounds(self, rows: Integers, level: float) -> tuple[Floats, Floats]:
        upper, lower = both_bounds(self.design, level)
        return np.tile(upper, (rows.size, 1)), np.tile(lower, (rows.size, 1))

    def fraction(self, look: int) -> Floats:
        return np.full(self.trials, np.nan)

    def spent(self) -> Bools:
        return np.zeros(self.trials, dtype=np.bool_)


@final
class RealisedClock:
    """Bounds at the information of each trial."""

    def __init__(self, design: "GroupSequential", maximum: float, trials: int) -> None:
        self.design, self.maximum = design, maximum
        self.reached = np.full((trials, len(design.fractions)), np.nan)
        self.closed = np.zeros(trials, dtype=np.bool_)

    def see(self, look: int, tested: Bools, standard_error: Floats, last: bool) -> None:
        came = fraction_of(standard_error, self.maximum)
        before = np.fmax.reduce(self.reached, axis=1, initial=0.0)
        least = before + LEAST_GAIN
        # Information that hardly rose or fell by the end counts as the least gain: what is left of the level is spent all the same.
        fraction = np.where(np.isfinite(came), np.maximum(came, least), np.nan) if last else came
        with np.errstate(invalid="ignore"):
            opened = tested & (before < 1.0) & (fraction >= least)
        self.reached[opened, look - 1] = fraction[opened]
        self.closed |= opened & last

    def bounds(self, rows: Integers, level: float) -> tuple[Floats, Floats]:
        from alsmodel.trials.sequential_batch import replicate_boundaries

        reached = self.reached[rows]
        upper, lower = np.full(reached.shape, np.inf), np.full(reached.shape, -np.inf)
        if level <= 0.0:
            return upper, lower
        seen, closed = np.isfinite(reached), self.closed[rows]
        design = replace(self.design, alpha=level)
        places = np.argsort(~seen, axis=1, kind="stable")  # looks that were tested, in their order, first
        for last in (False, True):
            mine = np.flatnonzero(seen.any(axis=1) & (closed == last))
            if not mine.size:
                continue
            order = places[mine, : int(seen[mine].sum(axis=1).max())]
            found = replicate_boundaries(design, np.take_along_axis(reached[mine], order, axis=1), last=last)
            for bounds, made, none in ((upper, found.upper, np.inf), (lower, found.lower, -np.inf)):
                bounds[mine[:, None], order] = np.where(np.isnan(made), none, made)
        return upper, lower

    def fraction(self, look: int) -> Floats:
        return self.reached[:, look - 1].copy()

    def spent(self) -> Bools:
        with np.errstate(invalid="ignore"):
            return np.asarray((self.reached >= 1.0).any(axis=1))
