"""A family of hypotheses at the looks of many trials: the group-sequential graphical procedure of Maurer and Bretz (2013).

At look k hypothesis i, at level w_i alpha, is rejected when its z reaches the boundary that its spending function has there at that level.
Its level moves along the graph, the boundaries of the others are computed anew at the levels that they have now, and the look is gone
through again until nothing more is rejected. What is rejected stays rejected. Nominal levels of the spending functions rise with the
level at every look, so that the procedure is a shortcut of a closed test whose intersections are tested by weighted Bonferroni with a
group-sequential boundary each: strong control of the family-wise error under any dependence between the hypotheses.
"""

from typing import TYPE_CHECKING, final

import numpy as np
import numpy.typing as npt

from alsmodel.trials.families import Multiplicity, graph_of, members
from alsmodel.trials.family_clock import clock
from alsmodel.trials.family_looks import FamilyLooks, OwnLooks, information_of, own_design, remaining_weights
from alsmodel.trials.spending import BetaSpending, FixedFutility

if TYPE_CHECKING:
    from alsmodel.trials.multiplicity import Graph
    from alsmodel.trials.sequential import GroupSequential
    from alsmodel.trials.trial import Scenario, Trial

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@final
class FamilyWatch:
    """The state of a family in R trials; arrays have shape (R, m).

    Parameters
    ----------
    graph : Graph
        Weights of alpha and transitions of the m hypotheses.
    designs : tuple of GroupSequential
        That of each hypothesis at the whole alpha, one-sided, with the same number of looks.
    looks : FamilyLooks
        Whether earlier looks count, and when a trial stops.
    trials : int
        R.
    futility : tuple of float
        A trial stops for futility at an interim look when z of every hypothesis that is left is at or below its number; empty is never.
        With designs that spend beta it stops when every hypothesis that is left and has a level is at or below the futility boundary that
        it has at that level.
    maxima : tuple of float or None
        Planned maximum of 1/SE² of each hypothesis that spends by the information that came; None for one at planned fractions, and empty
        for all of them.

    Attributes
    ----------
    rejected_at : array of int
        Look at which each hypothesis was rejected, from 1; 0 where it was not.
    level, bound, lower : array
        Level, boundary and futility boundary with which each was tested last; those of the rejection for who is rejected.
    fraction : array
        Information fraction at the last look; NaN where it does not count.
    """

    def __init__(
        self,
        graph: "Graph",
        designs: "tuple[GroupSequential, ...]",
        looks: FamilyLooks,
        trials: int,
        futility: tuple[float, ...] = (),
        maxima: tuple[float | None, ...] = (),
    ) -> None:
        self.graph, self.designs, self.looks, self.futility = graph, designs, looks, futility
        self.clocks = tuple(
            clock(design, maximum, trials) for design, maximum in zip(designs, maxima or (None,) * len(designs), strict=True)
        )
        shape = (trials, len(designs))
        self.rejected_at = np.zeros(shape, dtype=np.int64)
        self.level, self.bound, self.fraction = (np.full(shape, np.nan) for _ in range(3))
        self.lower = np.full(shape, -np.inf)
        self.seen: list[tuple[int, Floats]] = []

    def test(self, look: int, tested: Bools, z: Floats, standard_error: Floats | None = None, *, last: bool = False) -> None:
        """Go through the graph at a look.

        Parameters
        ----------
        look : int
            From 1; the final analysis has the number of looks that were planned, whichever were made.
        tested : array of bool, shape (R,)
            Trials whose data are opened.
        z : array, shape (R, m)
            Positive in favour of the active arm; NaN of a failed analysis, which rejects nothing.
        standard_error : array, shape (R, m), optional
            For hypotheses that spend by their information.
        last : bool
            It is the final analysis.
        """
        errors = np.full(z.shape, np.nan) if standard_error is None else standard_error
        for place, each in enumerate(self.clocks):
            each.see(look, tested, errors[:, place], last)
            self.fraction[:, place] = each.fraction(look)
        self.seen.append((look, np.where(tested[:, None], z, np.nan)))
        compared = self.seen if self.looks.earlier_looks else self.seen[-1:]
        again = tested.copy()
        while again.any():
            gone = self.rejected_at > 0
            codes = gone @ (1 << np.arange(gone.shape[1]))
            found = np.zeros_like(gone)
            for code in np.unique(codes[again]):
                rows = np.flatnonzero(again & (codes == code))
                mine = gone[rows[0]]
                shares = remaining_weights(self.graph, tuple(mine.tolist()))
                for i in np.flatnonzero(~mine):
                    level = self.designs[i].alpha * shares[i]
                    upper, lower = self.clocks[i].bounds(rows, float(level))
                    self.level[rows, i], self.bound[rows, i], self.lower[rows, i] = level, upper[:, look - 1], lower[:, look - 1]
                    for at, values in compared:
                        with np.errstate(invalid="ignore"):
                            found[rows, i] |= values[rows, i] >= upper[:, at - 1]
            self.rejected_at[found] = look
            again = found.any(axis=1)

    def stops(self) -> Bools:
        """Trials that have rejected what they were to reject; shape (R,)."""
        gone = self.rejected_at > 0
        return np.asarray(gone.all(axis=1) if self.looks.stop == "all" else gone.any(axis=1))

    def exhausted(self) -> Bools:
        """Trials in which no hypothesis that is left has anything more to spend; shape (R,)."""
        spent = np.stack([each.spent() for each in self.clocks], axis=1)
        return np.asarray(((self.rejected_at > 0) | spent | (self.level <= 0)).all(axis=1) & spent.any(axis=1))

    def hopeless(self, look: int, z: Floats) -> Bools:
        """Trials whose hypotheses that are left are all at or below the futility bound of an interim look; shape (R,)."""
        gone = self.rejected_at > 0
        with np.errstate(invalid="ignore"):
            if any(isinstance(design.futility, BetaSpending) for design in self.designs):
                # A hypothesis without a level waits for another, and without that one has no hope of its own.
                return np.asarray((gone | (self.level <= 0) | (z <= self.lower)).all(axis=1))
            if len(self.futility) < look:
                return np.zeros(z.shape[0], dtype=np.bool_)
            return np.asarray((gone | (z <= self.futility[look - 1])).all(axis=1))


def family_watch(scenario: "Scenario", trials: int) -> FamilyWatch | None:
    """The family of a trial with looks at its beginning; None of a trial without looks or without a family."""
    trial = scenario.trial
    design, family = trial.design, trial.multiplicity
    sequential = design.sequential
    if family is None or not design.looks or sequential is None:
        return None
    names = family_names(trial)
    looks = looks_of_family(family)
    designs = tuple(own_design(sequential, looks.own.get(name, OwnLooks())) for name in names)
    futility = sequential.futility.z if isinstance(sequential.futility, FixedFutility) else ()
    information = [information_of(looks, name, design, trial.analyses[0].label) for name in names]
    maxima = tuple(None if each is None else each.planned(scenario.participants) for each in information)
    return FamilyWatch(graph_of(family, len(names)), designs, looks, trials, futility, maxima)


def family_names(trial: "Trial") -> list[str]:
    """Names of the analyses that test the hypotheses of a trial's family; none without one."""
    return [] if trial.multiplicity is None else members(trial.multiplicity, [analysis.label for analysis in trial.analyses])


def looks_of_family(family: Multiplicity) -> FamilyLooks:
    """What a family does at looks."""
    found: FamilyLooks = getattr(family, "looks", FamilyLooks())
    return found
