"""How a family of hypotheses is tested at several looks: settings, and the graph that every procedure is.

Maurer and Bretz, Stat Biopharm Res 2013;5:311, doi 10.1080/19466315.2013.807748: each hypothesis has a group-sequential design of its own
at the level that the graph gives it; the level of a rejected hypothesis moves on and the boundaries are computed anew.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Literal, final

import numpy as np
import numpy.typing as npt
from pydantic import Field

from alsmodel.settings.salvage import Check
from alsmodel.trials.increments import has_information
from alsmodel.trials.information import RealisedInformation
from alsmodel.trials.looks import planned_bounds
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
    from alsmodel.trials.analyses import AbstractAnalysis
    from alsmodel.trials.designs import Decision, ParallelDesign
    from alsmodel.trials.families import Multiplicity
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
    efficacy : spending function, `WangTsiatis`, `HaybittlePeto` or None
        None is that of the design.
    fractions : tuple of float
        Planned information fractions of its own estimate at the looks, rising to 1, such as shares of the events; empty is those of
        the design.
    information : RealisedInformation or None
        Spend by 1/SE² of its own analysis over this planned maximum; None is at the planned fractions, or for the first analysis of the
        trial by ``design.information`` where there is one.
    """

    efficacy: (
        Annotated[
            OBrienFlemingSpending | PocockSpending | HwangShihDeCani | KimDeMets | UserSpending | WangTsiatis | HaybittlePeto,
            Field(discriminator="kind"),
        ]
        | None
    ) = None
    fractions: tuple[float, ...] = ()
    information: RealisedInformation | None = None


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


def look_checks(
    family: "Multiplicity",
    names: Callable[[], list[str]],
    design: "ParallelDesign",
    analyses: "Sequence[AbstractAnalysis]",
    decision: "Callable[[], Decision]",
) -> list[Check]:
    """What keeps a family from being tested at the design's looks, check by check."""

    def at_looks(check: "Callable[[FamilyLooks, GroupSequential], list[str]]") -> Check:
        """The check as it is made of a design with looks and of a family that has a procedure there."""

        def made() -> list[str]:
            looks: FamilyLooks | None = getattr(family, "looks", None)
            return check(looks, design.sequential) if design.looks and looks is not None and design.sequential is not None else []

        return made

    def bounded() -> list[str]:
        if not design.looks or design.sequential is not None:
            return []
        return ["multiplicity with looks needs bounds at any level: give design.sequential with a spending function, not boundary."]

    return [
        bounded,
        at_looks(lambda looks, _: _stranger_faults(looks, names())),
        at_looks(lambda _, sequential: _shape_faults(sequential)),
        at_looks(lambda _, sequential: _side_faults(sequential, decision())),
        at_looks(lambda looks, sequential: [fault for name, own in looks.own.items() for fault in _own_faults(sequential, name, own)]),
        at_looks(lambda looks, sequential: _boundary_faults(looks, sequential)),
        at_looks(lambda looks, _: _information_faults(looks, names(), design, analyses)),
    ]


def _stranger_faults(looks: FamilyLooks, names: list[str]) -> list[str]:
    return [f"multiplicity.looks.own names {name!r}, which is no hypothesis of the family." for name in looks.own if name not in names]


def _shape_faults(sequential: "GroupSequential") -> list[str]:
    if not sequential.binding:
        return []
    return [
        "multiplicity with looks: futility cannot be binding, since a trial goes on past the bound of one hypothesis as long as "
        "another is left; set binding = false."
    ]


def _side_faults(sequential: "GroupSequential", decision: "Decision") -> list[str]:
    if sequential.side == decision.side and decision.alpha == sequential.alpha:
        return []
    return [
        f"multiplicity with looks claims at one alpha: the same alpha and the same side in the trial and in design.sequential; "
        f"got {decision.alpha:g} {decision.side} and {sequential.alpha:g} {sequential.side}. 0.05 two-sided is 0.025 one-sided."
    ]


def _own_faults(sequential: "GroupSequential", name: str, own: OwnLooks) -> list[str]:
    faults = []
    if own.fractions and len(own.fractions) != len(sequential.fractions):
        faults.append(f"multiplicity.looks.own.{name}: fractions need one per look and the last, {len(sequential.fractions)}.")
    try:
        found = own_design(sequential, own)
        if isinstance(found.efficacy, HaybittlePeto):
            _ = planned_bounds(found)  # says so where its interim looks alone spend more than alpha
    except ValueError as error:
        faults.append(f"multiplicity.looks.own.{name}: {error}")
    return faults


def _boundary_faults(looks: FamilyLooks, sequential: "GroupSequential") -> list[str]:
    return [
        f"multiplicity.looks.own.{name}: this boundary holds at planned fractions only; information needs a spending function."
        for name, own in looks.own.items()
        if own.information is not None and isinstance(own.efficacy or sequential.efficacy, WangTsiatis)
    ]


def _information_faults(
    looks: FamilyLooks, names: list[str], design: "ParallelDesign", analyses: "Sequence[AbstractAnalysis]"
) -> list[str]:
    labelled = {analysis.label: analysis for analysis in analyses}
    realised = {name: own for name, own in looks.own.items() if own.information is not None}
    faults = [
        f"multiplicity.looks.own.{name}: 1/SE² of it has no shown independence of increments; it spends at planned fractions only."
        for name in realised
        if name in labelled and not has_information(labelled[name])
    ]
    if design.information is not None and analyses and analyses[0].label not in names:
        faults.append(
            f"design.information is that of the first analysis, {analyses[0].label}, which is no hypothesis of the family; "
            "give multiplicity.looks.own.<name>.information."
        )
    without = [name for name in names if information_of(looks, name, design, analyses[0].label) is None]
    if design.reestimation is not None and without:
        faults.append(
            f"multiplicity with looks and reestimation spends by the information that comes: {', '.join(without)} need "
            "multiplicity.looks.own.<name>.information."
        )
    return faults


def information_of(looks: FamilyLooks, name: str, design: "ParallelDesign", first: str) -> RealisedInformation | None:
    """By what information a hypothesis spends; None is at planned fractions. `first` is the first analysis of the trial."""
    return looks.own.get(name, OwnLooks()).information or (design.information if name == first else None)


def own_design(sequential: "GroupSequential", own: OwnLooks) -> "GroupSequential":
    """The group-sequential design of one hypothesis at the whole alpha of the side of benefit, with beta spending as its only futility."""
    kept = sequential.futility if isinstance(sequential.futility, BetaSpending) else None
    efficacy, fractions = own.efficacy or sequential.efficacy, own.fractions or sequential.fractions
    return replace(sequential, alpha=sequential.error_of_a_side, side="one-sided", efficacy=efficacy, fractions=fractions, futility=kept)


@lru_cache(maxsize=4096)
def both_bounds(design: "GroupSequential", level: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Efficacy and futility boundaries of z at all looks of a hypothesis that is tested at a level; infinite where it has none."""
    from alsmodel.trials.sequential import boundaries

    if level <= 0.0:
        return (np.inf,) * len(design.fractions), (-np.inf,) * len(design.fractions)
    found = boundaries(replace(design, alpha=level), capped=True)
    return tuple(found.upper.tolist()), tuple(found.lower.tolist())


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
