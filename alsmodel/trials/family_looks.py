"""How a family of hypotheses is tested at several looks: settings, and the graph that every procedure is.

Maurer and Bretz, Stat Biopharm Res 2013;5:311, doi 10.1080/19466315.2013.807748: each hypothesis has a group-sequential design of its own
at the level that the graph gives it; the level of a rejected hypothesis moves on and the boundaries are computed anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Literal, final

import numpy as np
import numpy.typing as npt
from pydantic import Field

from alsmodel.trials.spending import (
    BetaSpending,
    HaybittlePeto,
    HwangShihDeCani,
    KimDeMets,
    OBrienFlemingSpending,
    PocockSpending,
    UserSpending,
    WangTsiatis,
)

if TYPE_CHECKING:
    from alsmodel.trials.designs import Decision, ParallelDesign
    from alsmodel.trials.multiplicity import Graph
    from alsmodel.trials.sequential import GroupSequential

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@final
@dataclass(frozen=True, kw_only=True)
class OwnLooks:
    """How one hypothesis spends its level over the looks, where that differs from ``design.sequential``.

    Attributes
    ----------
    efficacy : spending function, `WangTsiatis` or None
        None is that of the design.
    fractions : tuple of float
        Planned information fractions of its own estimate at the looks, rising to 1, such as shares of the events; empty is those of
        the design.
    """

    efficacy: (
        Annotated[
            OBrienFlemingSpending | PocockSpending | HwangShihDeCani | KimDeMets | UserSpending | WangTsiatis, Field(discriminator="kind")
        ]
        | None
    ) = None
    fractions: tuple[float, ...] = ()


@final
@dataclass(frozen=True, kw_only=True)
class FamilyLooks:
    """What a family of hypotheses does at interim looks.

    Attributes
    ----------
    stop : "all" or "any"
        The trial stops once all of its hypotheses are rejected, or the first of them.
    earlier_looks : bool
        A hypothesis whose level rises is compared at earlier looks too, with the boundaries of that level: more is rejected, and the
        family-wise error is kept (it is the closed test). Off: only the data of the look at hand count.
    own : mapping of str to OwnLooks
        By name of the analysis.
    """

    stop: Literal["all", "any"] = "all"
    earlier_looks: bool = False
    own: Mapping[str, OwnLooks] = field(default_factory=dict)


def look_faults(looks: FamilyLooks, names: list[str], design: "ParallelDesign", decision: "Decision") -> list[str]:
    """What keeps a family from being tested at the design's looks, one sentence each."""
    faults = [f"multiplicity.looks.own names {name!r}, which is no hypothesis of the family." for name in looks.own if name not in names]
    sequential = design.sequential
    if sequential is None:
        return [
            *faults,
            "multiplicity with looks needs bounds at any level: give design.sequential with a spending function, not boundary.",
        ]
    if design.information is not None:
        faults.append("multiplicity with looks spends at planned fractions; leave design.information out.")
    if design.reestimation is not None:
        faults.append("multiplicity with looks is not combined with reestimation. Drop one of the three.")
    if isinstance(sequential.efficacy, HaybittlePeto):
        faults.append("multiplicity with looks: the Haybittle-Peto bound is the same at every level; use a spending function.")
    if isinstance(sequential.futility, BetaSpending) or sequential.binding:
        faults.append("multiplicity with looks takes fixed futility that is not binding: beta spending hangs on the level.")
    if sequential.side != "one-sided" or decision.side != "one-sided" or decision.alpha != sequential.alpha:
        faults.append(
            f"multiplicity with looks claims benefit at one alpha: side = 'one-sided' and the same alpha in the trial and in "
            f"design.sequential; got {decision.alpha:g} {decision.side} and {sequential.alpha:g} {sequential.side}. "
            "0.05 two-sided is 0.025 one-sided."
        )
    for name in names:
        own = looks.own.get(name, OwnLooks())
        if own.fractions and len(own.fractions) != len(sequential.fractions):
            faults.append(f"multiplicity.looks.own.{name}: fractions need one per look and the last, {len(sequential.fractions)}.")
        try:
            own_design(sequential, own)
        except ValueError as error:
            faults.append(f"multiplicity.looks.own.{name}: {error}")
    return faults


def own_design(sequential: "GroupSequential", own: OwnLooks) -> "GroupSequential":
    """The group-sequential design of one hypothesis at the whole alpha, without futility."""
    return replace(sequential, efficacy=own.efficacy or sequential.efficacy, fractions=own.fractions or sequential.fractions, futility=None)


@lru_cache(maxsize=4096)
def level_bounds(design: "GroupSequential", level: float) -> tuple[float, ...]:
    """Boundaries of z at all looks of a hypothesis that is tested at a level; infinite where it has none."""
    from alsmodel.trials.sequential import boundaries

    if level <= 0.0:
        return (np.inf,) * len(design.fractions)
    return tuple(boundaries(replace(design, alpha=level)).upper.tolist())


@lru_cache(maxsize=4096)
def remaining_weights(graph: "Graph", gone: tuple[bool, ...]) -> tuple[float, ...]:
    """Shares of alpha after some hypotheses were rejected, 0 for those; the order in which they went does not matter.

    Bretz, Maurer, Brannath and Posch, Stat Med 2009;28:586, algorithm 1.
    """
    weights, moves, left = np.array([graph.weights]), np.array([graph.transitions]), np.ones((1, len(gone)), dtype=np.bool_)
    for j in np.flatnonzero(gone):
        left[0, j] = False
        weights, moves = hand_on(weights, moves, left, np.array([j]))
    return tuple(weights[0].tolist())


def hand_on(weights: Floats, moves: Floats, left: Bools, gone: Integers) -> tuple[Floats, Floats]:
    """Move the level of one rejected hypothesis along the graph of each of R trials.

    For l, k left, w_l += w_j g_jl and g_lk = (g_lk + g_lj g_jk) / (1 - g_lj g_jl) (Bretz and others 2009, algorithm 1).

    Parameters
    ----------
    weights : array, shape (R, m)
    moves : array, shape (R, m, m)
    left : array of bool, shape (R, m)
        Hypotheses that are left after it.
    gone : array of int, shape (R,)
        Which is rejected.

    Returns
    -------
    tuple of array
        Weights and transitions of those left; 0 for all others.
    """
    rows = np.arange(gone.size)
    handed, received = moves[rows, gone, :], moves[rows, :, gone]
    weights = np.where(left, weights + weights[rows, gone][:, None] * handed, 0.0)
    loop = received * handed
    onward = moves + received[:, :, None] * handed[:, None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        moves = np.where(loop[:, :, None] < 1.0 - 1e-12, onward / (1.0 - loop[:, :, None]), 0.0)
    return weights, moves * (left[:, :, None] & left[:, None, :] & ~np.eye(left.shape[1], dtype=bool))
