"""What has to fit between the parts of a trial, for the trial and for the settings of one: check by check, a sentence for each fault."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from alsmodel.settings.salvage import Check
from alsmodel.trials.analyses import AbstractAnalysis
from alsmodel.trials.biomarkers import Biomarker, biomarker_checks
from alsmodel.trials.conditions import NOT_RECORDED, check, nearest_name
from alsmodel.trials.designs import Decision, ParallelDesign, all_looks, never_reached
from alsmodel.trials.effects import Effect
from alsmodel.trials.families import Multiplicity, family_checks
from alsmodel.trials.information import increment_faults
from alsmodel.trials.intercurrent import Intercurrent, intercurrent_checks
from alsmodel.trials.population import Population
from alsmodel.trials.randomisation import factors_of
from alsmodel.trials.spending import HaybittlePeto

PHENOTYPES_OF_A_FIT = "population.phenotypes are for a truth by numbers; a fitted model brings its own participants."


class Grid(Protocol):
    """What a trial and the settings of one have in common."""

    @property
    def population(self) -> Population: ...
    @property
    def design(self) -> ParallelDesign: ...
    @property
    def intercurrent(self) -> tuple[Intercurrent, ...]: ...
    @property
    def biomarkers(self) -> tuple[Biomarker, ...]: ...
    @property
    def analyses(self) -> tuple[AbstractAnalysis, ...]: ...
    @property
    def decision(self) -> Decision: ...
    @property
    def multiplicity(self) -> Multiplicity | None: ...
    @property
    def n_per_arm(self) -> tuple[int, ...]: ...
    @property
    def effects(self) -> tuple[Effect, ...]: ...
    @property
    def replicates(self) -> int: ...


def grid_checks(trial: Grid) -> list[Check]:
    """What makes a grid of scenarios impossible, check by check."""

    def named(names: list[str], what: str) -> list[str]:
        return [f"Two {what} share a name: {names}. Give each its own."] if len(set(names)) < len(names) else []

    return [
        lambda: _count_faults(trial.replicates),
        lambda: [] if trial.n_per_arm else ["n_per_arm is empty; give at least one."],
        lambda: [] if trial.effects else ["effects is empty; give at least one."],
        lambda: [] if trial.analyses else ["analyses is empty; give at least one."],
        lambda: _size_faults(trial.design, trial.n_per_arm),
        lambda: _look_size_faults(trial.design, trial.n_per_arm),
        lambda: _look_end_faults(trial.design, trial.n_per_arm),
        lambda: named([e.name for e in trial.effects], "effects"),
        lambda: named([a.label for a in trial.analyses], "analyses"),
    ]


def shared_checks(trial: Grid) -> list[Check]:
    """What does not fit between the events, the family of hypotheses and the rest, check by check."""
    return [
        *intercurrent_checks(trial),
        *biomarker_checks(trial),
        lambda: _spending_faults(trial.design, trial.decision),
        *family_checks(trial.multiplicity, trial.design, trial.analyses, lambda: trial.decision),
    ]


def _spending_faults(design: ParallelDesign, decision: Decision) -> list[str]:
    """Bounds that spend more than the trial's alpha, on the side of benefit."""
    sequential = design.sequential
    if sequential is None:
        return []
    if sequential.error_of_a_side > decision.error_of_a_side * (1 + 1e-9):
        return [
            f"design.sequential spends {sequential.alpha:g} {sequential.side}, above the trial's alpha of {decision.alpha:g} "
            f"{decision.side}; lower design.sequential.alpha."
        ]
    if isinstance(sequential.efficacy, HaybittlePeto):
        _ = design.z_bounds  # says so where its interim looks alone spend more than alpha
    return []


def _count_faults(replicates: int) -> list[str]:
    if replicates >= 1:
        return []
    return [f"replicates must be at least 1; got {replicates}. 1000 gives a power of 0.8 an MCSE of 0.013."]


def _size_faults(design: ParallelDesign, n_per_arm: tuple[int, ...]) -> list[str]:
    faults = [f"n_per_arm repeats a size: {list(n_per_arm)}."] if len(set(n_per_arm)) < len(n_per_arm) else []
    for n in n_per_arm:
        try:
            design.randomised(n)
        except ValueError as error:
            faults.append(str(error))
        else:
            if n < 4:
                faults.append(f"n_per_arm must be at least 4 for a standard error; got {n}.")
    return faults


def _look_size_faults(design: ParallelDesign, n_per_arm: tuple[int, ...]) -> list[str]:
    """Looks that the largest size cannot reach, or that come with fewer participants than arms, one sentence each."""
    blocks = max(n_per_arm, default=0) // max(design.allocation[0], 1)
    planned = blocks * sum(design.allocation)
    most = planned if design.reestimation is None else planned * design.reestimation.most
    faults = []
    for look in all_looks(design) if planned > 0 else ():
        if look.when == "events" and look.at > most:
            faults.append(
                f"{look.said} is never reached by {most:g} participants, who have one each at most. Look sooner or enlarge n_per_arm."
            )
        if (
            look.when in ("enrolled", "followed")
            and look.at > 0
            and (there := int(np.ceil(look.at * planned - 1e-9))) < len(design.allocation)
        ):
            faults.append(
                f"{look.said} comes with {there} of {planned} participants, fewer than the {len(design.allocation)} arms. Look later."
            )
    return faults


def _look_end_faults(design: ParallelDesign, n_per_arm: tuple[int, ...]) -> list[str]:
    """Looks by calendar month that not even the largest size lasts for, one sentence each."""
    largest = max(n_per_arm, default=0)
    if largest < 1 or largest % design.allocation[0]:  # said by the sizes
        return []
    return [
        f"{setting}: {look.said} is never reached, since a trial of {largest} per arm has ended by month {end:.3g} (all but one in a "
        "million have). Look sooner, or leave this look and its bound out."
        for setting, look, end in never_reached(design, design.randomised(largest))
    ]


def apart(path: str) -> bool:
    """Whether a setting cannot be an axis, since it is one by itself or belongs to the whole grid."""
    return path.split(".")[0] in ("n_per_arm", "effects", "axes", "replicates", "target_mcse", "name", "seed", "analyses")


def axis_faults(axes: Mapping[str, tuple[Any, ...]]) -> list[str]:
    """What is wrong with the axes of a grid by themselves, one sentence each."""
    faults = []
    for path, values in axes.items():
        if not values or len(set(map(repr, values))) < len(values):
            faults.append(f"axis {path!r} needs values, each once; got {list(values)}.")
        if apart(path):
            faults.append(f"axis {path!r}: sizes and effects are axes by themselves; seed, name and replicates cannot be one.")
    return faults


def fit_checks(
    design: ParallelDesign,
    analyses: tuple[AbstractAnalysis, ...],
    effects: tuple[Effect, ...],
    vocabulary: Mapping[str, tuple[str, ...] | None] | None,
    absent: Mapping[str, str] | None = None,
) -> list[Check]:
    """What does not fit together between the parts of a trial, check by check; without a vocabulary names are not looked at."""
    return [
        lambda: [] if vocabulary is None else name_faults(design, analyses, vocabulary, absent),
        lambda: increment_faults(design, analyses[0]) if analyses else [],
        lambda: [fault for a in analyses for fault in _time_faults(design, a)],
        lambda: _arm_faults(len(design.allocation) - 1, analyses, effects),
        lambda: _late_faults(design, effects),
    ]


def _time_faults(design: ParallelDesign, a: AbstractAnalysis) -> list[str]:
    faults = []
    if (getattr(a, "horizon", None) or 0.0) > design.duration:
        faults.append(f"{a.label}: its horizon lies beyond the follow-up of {design.duration:g} months.")
    if a.until is not None:
        visits = sum(visit <= a.until for visit in design.visits)
        if not (0 < a.until <= design.duration and visits >= 2):
            within = f"until lies within the follow-up of {design.duration:g} months and after two visits"
            faults.append(f"{a.label}: {within}; got {a.until:g}.")
    return faults


def _late_faults(design: ParallelDesign, effects: tuple[Effect, ...]) -> list[str]:
    return [
        f"effect {e.name!r}: it would slow the decline from month {e.from_month:g}, and the follow-up ends at {design.duration:g}. "
        "Begin it sooner, or leave it out."
        for e in effects
        if (e.slowing or e.points_per_month) and e.from_month >= design.duration
    ]


def _arm_faults(active: int, analyses: tuple[AbstractAnalysis, ...], effects: tuple[Effect, ...]) -> list[str]:
    if active < 1:  # said by the design
        return []
    faults = [f"{a.label} compares arm {a.arm}; the design has active arms 1 to {active}." for a in analyses if not 1 <= a.arm <= active]
    for effect in effects:
        if effect.by_arm and len(effect.by_arm) != active:
            faults.append(f"effect {effect.name!r}: by_arm has {len(effect.by_arm)} shares for {active} active arms.")
    return faults


def group_faults(effects: tuple[Effect, ...], phenotypes: Mapping[str, int] | None) -> list[str]:
    """Effects by phenotypes that there are not, or that are not known of somebody, one sentence each.

    Parameters
    ----------
    effects : tuple of Effect
    phenotypes : mapping of str to int, or None
        People of each phenotype in a record, 0 for drawn ones; None for a record whose phenotypes are not named.
    """
    faults = []
    for effect in (effect for effect in effects if effect.by_phenotype):
        if phenotypes is None:
            faults.append(f"effect {effect.name!r}: by_phenotype needs truth.phenotype, the column of the record that has them.")
            continue
        strange = sorted(set(effect.by_phenotype) - set(phenotypes))
        if strange:
            known = f"Known: {', '.join(phenotypes)}." if phenotypes else "Name the phenotypes of the population."
            faults.append(f"effect {effect.name!r}: by_phenotype names {', '.join(strange)}, which the population has not. {known}")
        unknown = phenotypes.get(NOT_RECORDED, 0)
        if unknown and NOT_RECORDED not in effect.by_phenotype:
            faults.append(
                f"effect {effect.name!r}: the phenotype of {unknown} eligible people is not recorded. Leave them out with a rule of "
                f"truth.eligibility, or say what share they have: by_phenotype = {{ ..., {NOT_RECORDED!r} = 1.0 }}."
            )
    return faults


def name_faults(
    design: ParallelDesign,
    analyses: tuple[AbstractAnalysis, ...],
    vocabulary: Mapping[str, tuple[str, ...] | None],
    absent: Mapping[str, str] | None = None,
) -> list[str]:
    """Names of strata and covariates that are not known at baseline, one sentence each; `absent` as of `conditions.check`."""
    known, missing = dict(vocabulary), dict(absent or {})
    if design.sites:
        known["site"] = design.sites
    else:
        missing["site"] = "Sites are there with [trial.design.recruitment]."
    wanted = {f"design.randomisation: {factor}": factor for factor in factors_of(design.randomisation)}
    wanted |= {f"strata of {a.label}: {factor}": factor for a in analyses for factor in a.strata}
    faults = []
    for factor in dict.fromkeys(wanted.values()):
        if known.get(factor) is None:
            faults += [f"factor or stratum {fault}" for fault in check(factor, known, missing)]
    for name in dict.fromkeys(name for a in analyses for name in a.covariates):
        if name in known and known[name] is None:
            continue
        # An analysis that has no strata takes words and conditions as covariates; one that has them keeps these to them.
        stratified = any(name in a.covariates and a.takes("strata") for a in analyses)
        if name in known:
            faults += [f"covariate {name!r} holds words; name it, or a condition, in strata instead."] * stratified
        elif stratified:
            faults.append(f"covariate {name!r} is not known at baseline. {nearest_name(name, known, missing)}")
        else:
            faults += [f"covariate {fault}" for fault in check(name, known, missing)]
    return faults


def spread_faults(effects: Sequence[Effect]) -> list[str]:
    """Effects that take a share of a mean slope, which the sigmoid paths of a fit have not."""
    return [
        f"effect {effect.name!r}: the sigmoid paths of the fit have no mean slope apart from each participant's own for slowing to take "
        'its share of. Set slope_spread = "scaled", so that it takes it of the own slope.'
        for effect in effects
        if effect.slowing and effect.slope_spread == "kept"
    ]
