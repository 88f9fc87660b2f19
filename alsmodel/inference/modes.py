"""Several starts where a density may have several modes: the highest by mass, and how much mass the others have.

A mixture has modes besides the one that is meant: a class that nobody belongs to, or that takes the place of a tail (McLachlan & Peel 2000,
Finite Mixture Models, doi 10.1002/0471721182, ch. 2). Chains that start at one mode say nothing of the others, so that they are looked for.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from alsmodel.errors import FitFailed
from alsmodel.inference.checks import Check
from alsmodel.inference.mode import Mode, find_mode
from alsmodel.models.evaluation import AbstractProgram

Floats = NDArray[np.float64]

#: Share of the posterior, by Laplace's approximation, that modes other than the one used may have.
MOST_ELSEWHERE = 0.05
APART = 0.5  # posterior SDs of the wider of two modes, in any parameter, from which they are two


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Climbed:
    """What several starts led to.

    Attributes
    ----------
    mode : Mode
        The one with the largest mass.
    elsewhere : float
        Share of the other modes in the mass of all.
    found : int
        Modes that are apart.
    """

    mode: Mode
    elsewhere: float
    found: int

    @property
    def check(self) -> Check:
        """Whether the one mode stands for the posterior."""
        return Check(
            name="other modes, share of the posterior",
            passed=self.elsewhere <= MOST_ELSEWHERE,
            value=self.elsewhere,
            limit=MOST_ELSEWHERE,
            meaning="by Laplace's approximation, over several starts; above the limit, the data do not say which classes there are",
        )


def climb_all(made: AbstractProgram, starts: tuple[Floats, ...]) -> Climbed:
    """Climb from every start and keep the mode with the largest mass.

    Parameters
    ----------
    made : AbstractProgram
    starts : tuple of array, shape (P,)

    Raises
    ------
    FitFailed
        When no start leads to a mode.
    """
    modes: list[Mode] = []
    failure = FitFailed("There is nowhere to start from.")
    for start in starts:
        try:
            mode = find_mode(made.density, start)
        except FitFailed as error:
            failure = error
        else:
            if not any(_same(mode, other) for other in modes):
                modes.append(mode)
    if not modes:
        raise failure
    mass = np.array([made.value(mode.at) + np.linalg.slogdet(mode.scale)[1] for mode in modes])
    share = np.exp(mass - np.logaddexp.reduce(mass))
    best = int(np.argmax(share))
    return Climbed(mode=modes[best], elsewhere=float(max(0.0, 1 - share[best])), found=len(modes))


def _same(one: Mode, other: Mode) -> bool:
    spread = np.maximum(*(np.sqrt(np.square(mode.scale).sum(axis=1)) for mode in (one, other)))
    return bool(np.all(np.abs(one.at - other.at) < APART * spread))
