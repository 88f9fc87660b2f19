"""What tests of families at looks share: designs at one alpha, correlated statistics, the closed test by its definition, and a trial."""

from collections.abc import Callable
from functools import partial
from itertools import combinations

import numpy as np
import numpy.typing as npt

import alsmodel.trials.run
from alsmodel.trials import ANCOVA, Decision, Effect, Holm, LogRank, Look, NamedTruth, ParallelDesign, Recruitment, Trial
from alsmodel.trials.family_looks import remaining_weights
from alsmodel.trials.multiplicity import Graph
from alsmodel.trials.sequential import GroupSequential
from alsmodel.trials.spending import PocockSpending

Floats = npt.NDArray[np.float64]

#: True values from few twins: none is looked at in these tests.
simulate = partial(alsmodel.trials.run.simulate, twins=1000)
ALPHA = 0.025
OBF = GroupSequential(fractions=(0.4, 0.7, 1.0), alpha=ALPHA)
SEQUENTIAL = GroupSequential(fractions=(0.5, 1.0), alpha=ALPHA, efficacy=PocockSpending())
#: Two doses of one end point each with a second one behind it: the graph of Maurer and Bretz (2013).
TWO_BY_TWO = Graph(weights=(0.5, 0.5, 0.0, 0.0), transitions=((0, 0.5, 0.5, 0), (0.5, 0, 0, 0.5), (0, 1.0, 0, 0), (1.0, 0, 0, 0)))
TRIAL = Trial(
    truth=NamedTruth(hazard=(0.06,), association_value=0.0),
    design=ParallelDesign(
        visits=(0.0, 3.0, 6.0), duration=6.0, recruitment=Recruitment(per_month=(10.0,)),
        looks=(Look(when="followed", at=0.5, after=6.0),), sequential=SEQUENTIAL,
    ),
    analyses=(ANCOVA(), LogRank()),
    decision=Decision(alpha=ALPHA, side="one-sided"),
    effects=(Effect(name="null"),),
    multiplicity=Holm(),
)  # fmt: skip


def planned(designs: tuple[GroupSequential, ...], size: int) -> Floats:
    """The fractions of the designs as every trial has them, (R, K, m)."""
    return np.tile(np.array([design.fractions for design in designs]).T, (size, 1, 1))


def statistics(fractions: Floats, means: tuple[float, ...], seed: int, rho: float = 0.5) -> Floats:
    """z (R, K, m) with independent increments over the fractions (R, K, m) of each hypothesis, hypotheses correlated."""
    m = fractions.shape[2]
    root = np.linalg.cholesky(np.full((m, m), rho) + (1 - rho) * np.eye(m))
    gains = np.diff(fractions, axis=1, prepend=0.0)
    steps = np.random.default_rng(seed).standard_normal(fractions.shape) @ root.T
    return np.asarray(np.cumsum(steps * np.sqrt(gains) + np.asarray(means) * gains, axis=1) / np.sqrt(fractions))


def closed(graph: Graph, crossed: Callable[[int, float], npt.NDArray[np.bool_]]) -> npt.NDArray[np.bool_]:
    """Rejections (R, m) of the closed test: an intersection falls when one of its hypotheses ever crosses its boundary at its local level.

    `crossed` says of a hypothesis and a level in which of R trials it does.
    """
    m = len(graph.weights)
    rejected = np.ones((crossed(0, ALPHA).size, m), dtype=bool)
    for k in range(1, m + 1):
        for kept in combinations(range(m), k):
            shares = remaining_weights(graph, tuple(i not in kept for i in range(m)))
            local = np.any([crossed(i, round(ALPHA * shares[i], 15)) for i in kept if shares[i] > 0] or [False], axis=0)
            for i in kept:
                rejected[:, i] &= local
    return rejected
