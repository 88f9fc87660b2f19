"""A family of hypotheses that a trial lists beforehand: which analyses test them, and how its type I error is kept.

A hypothesis is one analysis of the trial (one end point, one active arm). The procedures are those of
`alsmodel.trials.multiplicity`; a graph is `alsmodel.trials.multiplicity.Graph`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal, final

import numpy as np
import numpy.typing as npt
from pydantic import Field

from alsmodel.settings.names import nearest
from alsmodel.settings.salvage import Check
from alsmodel.trials.analyses import AbstractAnalysis
from alsmodel.trials.family_looks import FamilyLooks, look_checks
from alsmodel.trials.multiplicity import Graph, bonferroni, fixed_sequence, hochberg, holm
from alsmodel.trials.reestimation import PromisingSize

if TYPE_CHECKING:
    from alsmodel.trials.designs import Decision, ParallelDesign
    from alsmodel.trials.effects import Effect

Floats = npt.NDArray[np.float64]


@final
@dataclass(frozen=True, kw_only=True)
class Bonferroni:
    """Each hypothesis at an equal share of alpha. Any dependence.

    Attributes
    ----------
    hypotheses : tuple of str
        Names of the analyses that test them; empty is all analyses of the trial.
    looks : FamilyLooks
        What it does at interim looks.
    """

    hypotheses: tuple[str, ...] = ()
    looks: FamilyLooks = field(default_factory=FamilyLooks)
    kind: Literal["bonferroni"] = "bonferroni"
    words = "Bonferroni's procedure"

    def adjust(self, p_values: npt.ArrayLike) -> Floats:
        """Adjusted p values; see `alsmodel.trials.multiplicity.bonferroni`."""
        return bonferroni(p_values)


@final
@dataclass(frozen=True, kw_only=True)
class Holm:
    """Smallest p value first, each at the share of alpha that is left. Any dependence.

    Attributes
    ----------
    hypotheses : tuple of str
        Names of the analyses that test them; empty is all analyses of the trial.
    looks : FamilyLooks
        What it does at interim looks.
    """

    hypotheses: tuple[str, ...] = ()
    looks: FamilyLooks = field(default_factory=FamilyLooks)
    kind: Literal["holm"] = "holm"
    words = "Holm's procedure"

    def adjust(self, p_values: npt.ArrayLike) -> Floats:
        """Adjusted p values; see `alsmodel.trials.multiplicity.holm`."""
        return holm(p_values)


@final
@dataclass(frozen=True, kw_only=True)
class Hochberg:
    """Largest p value first. Needs independent or positively dependent statistics, as several arms against one control are.

    Attributes
    ----------
    hypotheses : tuple of str
        Names of the analyses that test them; empty is all analyses of the trial.
    """

    hypotheses: tuple[str, ...] = ()
    kind: Literal["hochberg"] = "hochberg"
    words = "Hochberg's procedure"

    def adjust(self, p_values: npt.ArrayLike) -> Floats:
        """Adjusted p values; see `alsmodel.trials.multiplicity.hochberg`."""
        return hochberg(p_values)


@final
@dataclass(frozen=True, kw_only=True)
class FixedSequence:
    """Each at full alpha in the order of `hypotheses`, until one fails. Any dependence.

    Attributes
    ----------
    hypotheses : tuple of str
        Names of the analyses that test them, first to last; empty is all analyses in their order.
    looks : FamilyLooks
        What it does at interim looks.
    """

    hypotheses: tuple[str, ...] = ()
    looks: FamilyLooks = field(default_factory=FamilyLooks)
    kind: Literal["fixed_sequence"] = "fixed_sequence"
    words = "a fixed sequence"

    def adjust(self, p_values: npt.ArrayLike) -> Floats:
        """Adjusted p values; see `alsmodel.trials.multiplicity.fixed_sequence`."""
        return fixed_sequence(p_values)


type Multiplicity = Annotated[Bonferroni | Holm | Hochberg | FixedSequence | Graph, Field(discriminator="kind")]


def members(multiplicity: Multiplicity, labels: Sequence[str]) -> list[str]:
    """Names of the analyses whose hypotheses make up the family."""
    return list(multiplicity.hypotheses or labels)


def graph_of(multiplicity: Multiplicity, m: int) -> Graph:
    """The procedure for `m` hypotheses as a graph.

    Raises
    ------
    ValueError
        Hochberg's procedure, which is none.
    """
    if isinstance(multiplicity, Graph):
        return multiplicity
    if isinstance(multiplicity, Hochberg):
        raise ValueError("Hochberg's procedure is no graph.")
    if isinstance(multiplicity, FixedSequence):
        rows = tuple(tuple(float(k == i + 1) for k in range(m)) for i in range(m))
        return Graph(weights=(1.0, *(0.0,) * (m - 1)), transitions=rows)
    handed = 1.0 / (m - 1) if isinstance(multiplicity, Holm) and m > 1 else 0.0
    return Graph(weights=(1.0 / m,) * m, transitions=tuple(tuple(0.0 if k == i else handed for k in range(m)) for i in range(m)))


def adjusted(multiplicity: Multiplicity, p_values: Mapping[str, Floats]) -> dict[str, Floats]:
    """Adjusted p values of the hypotheses of the family, by label, from those of all analyses on the side that counts."""
    names = members(multiplicity, list(p_values))
    found = multiplicity.adjust(np.stack([p_values[name] for name in names], axis=1))
    return {name: found[:, k] for k, name in enumerate(names)}


def true_nulls(effect: "Effect", analyses: Sequence[AbstractAnalysis]) -> dict[str, bool]:
    """Whether each analysis compares arms that the effect leaves exchangeable (the sharp null), by label."""
    without = {a + 1 for a, share in enumerate(effect.by_arm) if share == 0}
    return {analysis.label: effect.is_null or analysis.arm in without for analysis in analyses}


def family_checks(
    multiplicity: Multiplicity | None,
    design: "ParallelDesign",
    analyses: Sequence[AbstractAnalysis],
    decision: "Callable[[], Decision]",
) -> list[Check]:
    """What makes a family impossible, check by check: one that needs the names of the analyses does not take the others along."""
    if multiplicity is None:
        return []

    def names() -> list[str]:
        return members(multiplicity, [analysis.label for analysis in analyses])

    return [
        lambda: _name_faults(names(), [analysis.label for analysis in analyses]),
        lambda: _weight_faults(multiplicity, len(multiplicity.hypotheses or analyses)),
        lambda: _stage_faults(multiplicity, design),
        *look_checks(multiplicity, names, design, analyses, decision),
    ]


def _name_faults(names: list[str], labels: list[str]) -> list[str]:
    faults = []
    for name in dict.fromkeys(names):
        if name not in labels:
            remedy = nearest(name, labels, otherwise=f"Known: {', '.join(labels)}.")
            faults.append(f"multiplicity: {name!r} is not the name of an analysis. {remedy}")
    if len(set(names)) < len(names):
        faults.append(f"multiplicity names a hypothesis twice: {names}.")
    return faults


def _weight_faults(multiplicity: Multiplicity, hypotheses: int) -> list[str]:
    faults = []
    if hypotheses < 2:
        faults.append("multiplicity needs at least two hypotheses; add an analysis, or leave it out.")
    if isinstance(multiplicity, Graph) and hypotheses != len(multiplicity.weights):
        faults.append(f"multiplicity: the graph has {len(multiplicity.weights)} weights for {hypotheses} hypotheses.")
    return faults


def _stage_faults(multiplicity: Multiplicity, design: "ParallelDesign") -> list[str]:
    faults = []
    if isinstance(design.reestimation, PromisingSize):
        faults.append("multiplicity is not combined with reestimation in the promising zone, whose claim is by two stages. Drop one.")
    if design.looks and isinstance(multiplicity, Hochberg):
        faults.append(
            "multiplicity: Hochberg's procedure rests on Simes' inequality, shown for positively dependent statistics of one analysis "
            "(Sarkar, Ann Stat 1998;26:494) and not for boundaries at looks; use Holm's."
        )
    return faults
