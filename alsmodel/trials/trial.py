"""A trial to be simulated: truth, population, design, analyses, and the grid of scenarios."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from hashlib import sha256
from itertools import product
from typing import Any, Protocol, final

import numpy as np

from alsmodel.settings import digest_of
from alsmodel.settings.salvage import Check, insist
from alsmodel.trials.analyses import AbstractAnalysis, LogRank, RandomSlope
from alsmodel.trials.biomarkers import Biomarker, biomarker_checks
from alsmodel.trials.conditions import NOT_RECORDED, check, nearest_name
from alsmodel.trials.designs import Decision, ParallelDesign, all_looks
from alsmodel.trials.effects import Effect
from alsmodel.trials.families import Multiplicity, family_checks
from alsmodel.trials.information import increment_faults
from alsmodel.trials.intercurrent import Intercurrent, cause_faults, intercurrent_checks
from alsmodel.trials.paths import with_setting
from alsmodel.trials.population import Population
from alsmodel.trials.prognosis import Predictor, prognosis_faults
from alsmodel.trials.randomisation import factors_of
from alsmodel.trials.reestimation import PromisingSize
from alsmodel.trials.resampled import ResampledTruth
from alsmodel.trials.spending import HaybittlePeto
from alsmodel.trials.truth import PosteriorTruth, Truth

PHENOTYPES_OF_A_FIT = "population.phenotypes are for a truth by numbers; a fitted model brings its own participants."


@final
@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One point of the grid.

    Attributes
    ----------
    effect : Effect
    n_per_arm : int
    at : tuple of (str, value)
        Value of each axis.
    trial : Trial
        The trial with the axes at these values; its own sizes and effects are those of the whole grid.
    """

    effect: Effect
    n_per_arm: int
    at: tuple[tuple[str, Any], ...] = ()
    trial: "Trial"

    @property
    def name(self) -> str:
        """Effect, size and axes, for tables."""
        return ", ".join([self.effect.name, f"{self.n_per_arm} per arm", *(f"{path} = {value}" for path, value in self.at)])

    @property
    def participants(self) -> int:
        """Number randomised in all."""
        return self.trial.design.randomised(self.n_per_arm)

    @property
    def most(self) -> int:
        """Largest number that may be randomised, after re-estimation."""
        design = self.trial.design
        if design.reestimation is None:
            return self.participants
        return int(design.reestimation.sizes(np.array([np.inf]), self.participants, sum(design.allocation))[0])

    def identity(self) -> dict[str, Any]:
        """Everything that its records depend on beside the code, as plain values.

        Neither names, nor other scenarios, nor the number of replicates are in it; alpha and side are applied to the records
        later, so they are not either, and nor is the family of hypotheses where there are no looks.
        """
        trial = self.trial
        effect = asdict(self.effect)
        del effect["name"]
        identity = {
            "seed": trial.seed,
            "truth": trial.truth.identity(),
            "population": population_of(trial.population),
            "design": asdict(trial.design),
            "intercurrent": [asdict(event) for event in trial.intercurrent],
            "analyses": [{"class": type(a).__qualname__, **a.settings()} for a in trial.analyses],
            "effect": effect,
            "n_per_arm": self.n_per_arm,
        }
        if (predicted := trial.predicted()) is not None:
            identity["prediction"] = predicted
        if trial.biomarkers:
            identity["biomarkers"] = [asdict(each) for each in trial.biomarkers]
        if isinstance(trial.design.reestimation, PromisingSize):  # its size hangs on the final critical value
            identity["decision"] = asdict(trial.decision)
        if trial.design.looks and trial.multiplicity is not None:  # what it rejects decides when a trial stops
            identity["multiplicity"] = asdict(trial.multiplicity)
        return dict(json.loads(json.dumps(_floats(identity), sort_keys=True)))

    def digest(self, code: str) -> str:
        """Address of its records under a digest of the code."""
        return digest_of({"scenario": self.identity(), "code": code})


@final
@dataclass(frozen=True, kw_only=True)
class Trial:
    """Everything that decides the operating characteristics.

    Attributes
    ----------
    truth : NamedTruth, PosteriorTruth or ResampledTruth
        How participants decline and die.
    population : Population
        Phenotypes, covariates, and who is eligible.
    prediction : Predictor or None
        The fit that predicts survival at screening, for ``population.prognosis``.
    design : ParallelDesign
        Arms, assignment, recruitment, visits, follow-up, dropout, looks.
    intercurrent : tuple of Intercurrent
        Intercurrent events: how each arises, what it does, and the strategy for it unless an analysis names another.
    biomarkers : tuple of Biomarker
        What is measured beside the score.
    analyses : tuple
        Analyses, all made on the same virtual trials; with looks, the first decides.
    decision : Decision
        Alpha and side; with looks, the design's boundary takes its place for the first analysis.
    multiplicity : Bonferroni, Holm, Hochberg, FixedSequence, Graph or None
        The family of hypotheses that share alpha, and the procedure; None tests each analysis by itself.
    n_per_arm : tuple of int
        Randomised to control, one scenario each; a smaller trial is the first part of a larger one.
    effects : tuple of Effect
        Treatment effects, one scenario each; they share their participants. Include one without effect to see the
        type I error.
    axes : mapping of str to tuple
        Further axes of the grid: path of a setting of the trial, such as ``"design.dropout_per_month"``, and its values.
        They multiply with sizes and effects.
    replicates : int
        Virtual trials per scenario; the most, when `target_mcse` is given.
    target_mcse : float or None
        A scenario stops at 1,000, 2,000, 4,000, ... replicates (and only there) once no power has a larger Monte Carlo
        standard error.
    seed : int
        The same seed gives the same trials.
    name : str
        For reports; decides nothing.
    """

    truth: Truth
    population: Population = field(default_factory=Population)
    prediction: Predictor | None = None
    design: ParallelDesign = field(default_factory=ParallelDesign)
    intercurrent: tuple[Intercurrent, ...] = ()
    biomarkers: tuple[Biomarker, ...] = ()
    analyses: tuple[AbstractAnalysis, ...] = (RandomSlope(), LogRank())
    decision: Decision = field(default_factory=Decision)
    multiplicity: Multiplicity | None = None
    n_per_arm: tuple[int, ...] = (100,)
    effects: tuple[Effect, ...] = (Effect(name="null"), Effect(name="25% slowing", slowing=0.25))
    axes: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    replicates: int = 1000
    target_mcse: float | None = None
    seed: int = 1
    name: str = "trial"

    def __post_init__(self) -> None:
        insist(self.cross_checks())
        self._check_axes()

    def cross_checks(self) -> list[Check]:
        """What has to fit between the parts, check by check."""
        drawn = not isinstance(self.truth, ResampledTruth)
        known = self.truth.vocabulary if isinstance(self.truth, ResampledTruth) else self.population.vocabulary
        return [
            *grid_checks(self),
            *fit_checks(self.design, self.analyses, self.effects, known, self.population.absent if drawn else None),
            lambda: group_faults(self.effects, self._phenotypes()),
            *shared_checks(self),
            self._truth_faults,
            self._prediction_faults,
            self._number_faults,
        ]

    def _phenotypes(self) -> dict[str, int] | None:
        """Phenotypes with the people of each in the record, 0 of drawn ones; None for a record without a column of them."""
        if not isinstance(self.truth, ResampledTruth):
            return {p.name: 0 for p in self.population.phenotypes}
        return self.truth.phenotypes or None

    def _truth_faults(self) -> list[str]:
        faults = []
        if isinstance(self.truth, ResampledTruth) and not self.population.plain:
            faults.append(
                "population.phenotypes, covariates and eligibility are for drawn participants; a record brings its own. "
                "Give the rules as truth.eligibility, over the columns of the record."
            )
        if isinstance(self.truth, PosteriorTruth) and self.population.phenotypes:
            faults.append(PHENOTYPES_OF_A_FIT)
        if isinstance(self.truth, PosteriorTruth) and self.truth.curved:
            faults += spread_faults(self.effects)
        return faults + cause_faults(self.truth.causes, self.intercurrent, self.population.leaving)

    def _prediction_faults(self) -> list[str]:
        population = self.population
        if isinstance(self.truth, ResampledTruth):
            return []
        record = self.truth.known if isinstance(self.truth, PosteriorTruth) else None
        return prognosis_faults(population.prognosis, self.prediction, population.vocabulary, record)

    def predicted(self) -> dict[str, object] | None:
        """Everything that decides predictions at screening, as plain values; None without them."""
        if self.population.prognosis is None or self.prediction is None:
            return None
        known = {"known": self.truth.identity_of_known()} if isinstance(self.truth, PosteriorTruth) else {}
        return self.prediction.identity() | known

    def _number_faults(self) -> list[str]:
        faults = []
        if self.seed < 0:
            faults.append(f"seed must not be negative; got {self.seed}.")
        if self.target_mcse is not None and not 0 < self.target_mcse < 0.5:
            faults.append(f"target_mcse is a standard error between 0 and 0.5; got {self.target_mcse}.")
        return faults

    def _check_axes(self) -> None:
        faults = axis_faults(self.axes)
        for path, values in self.axes.items():
            if apart(path):
                continue
            for value in values:
                try:
                    with_setting(replace(self, axes={}), path, value)
                except ValueError as error:
                    faults.append(str(error))
        if faults:
            raise ValueError(" ".join(faults))

    @property
    def truth_has_columns(self) -> bool:
        """Whether participants bring baseline columns of their own, so that none are drawn at screening."""
        return isinstance(self.truth, ResampledTruth)

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The grid: axes outermost, then effects, then sizes."""
        found = []
        for values in product(*self.axes.values()):
            trial = replace(self, axes={})
            for path, value in zip(self.axes, values, strict=True):
                trial = with_setting(trial, path, value)
            at = tuple(zip(self.axes, values, strict=True))
            found += [Scenario(effect=e, n_per_arm=n, at=at, trial=trial) for e in self.effects for n in self.n_per_arm]
        return tuple(found)

    def population_words(self) -> tuple[int, ...]:
        """Address of the participants' random streams: four words of a digest.

        It covers who the participants are, when they come and are seen, and how they leave; not effect, intercurrent events, sample
        size, allocation or analysis, so that scenarios which differ only in those share their participants.
        """
        design = asdict(self.design)
        apart = ("allocation", "randomisation", "looks", "boundary", "sequential", "delayed_start", "information", "reestimation")
        for name in apart:
            del design[name]
        key: dict[str, Any] = {"truth": self.truth.identity(), "population": population_of(self.population), "design": design}
        if self.population.screened:  # who is admitted hangs on what they measure
            key["screened"] = [asdict(each) for each in self.biomarkers if each.name in self.population.screened]
        digest = sha256(json.dumps(_floats(key), sort_keys=True).encode()).digest()
        return tuple(int.from_bytes(digest[4 * i : 4 * i + 4], "big") for i in range(4))

    def plain(self) -> dict[str, Any]:
        """All settings as plain values, as JSON gives them back; a posterior truth by its digest."""
        settings: dict[str, Any] = {
            "name": self.name,
            "truth": self.truth.identity(),
            "population": population_of(self.population),
            **({} if (predicted := self.predicted()) is None else {"prediction": predicted}),
            "design": asdict(self.design),
            "intercurrent": [asdict(event) for event in self.intercurrent],
            "biomarkers": [asdict(each) for each in self.biomarkers],
            "analyses": [{"label": a.label, "measure": a.measure, **a.settings()} for a in self.analyses],
            "decision": asdict(self.decision),
            "multiplicity": None if self.multiplicity is None else asdict(self.multiplicity),
            "n_per_arm": list(self.n_per_arm),
            "effects": [asdict(effect) for effect in self.effects],
            "axes": {path: list(values) for path, values in self.axes.items()},
            "replicates": self.replicates,
            "target_mcse": self.target_mcse,
            "seed": self.seed,
        }
        return dict(json.loads(json.dumps(settings)))


def spread_faults(effects: Sequence[Effect]) -> list[str]:
    """Effects that take a share of a mean slope, which the sigmoid paths of a fit have not."""
    return [
        f"effect {effect.name!r}: the sigmoid paths of the fit have no mean slope apart from each participant's own for slowing to take "
        'its share of. Set slope_spread = "scaled", so that it takes it of the own slope.'
        for effect in effects
        if effect.slowing and effect.slope_spread == "kept"
    ]


def population_of(population: Population) -> dict[str, Any]:
    """A population as plain values; without a prognosis, screened biomarkers or a cause of leaving it is one that knows of none."""
    return {name: value for name, value in asdict(population).items() if name not in ("prognosis", "screened", "leaving") or value}


def _floats(value: Any) -> Any:
    """The same value with every number a float, so that 3 and 3.0 months are one design."""
    if isinstance(value, dict):
        return {name: _floats(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_floats(entry) for entry in value]
    return float(value) if isinstance(value, int | float) else value


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
        stratified = any(name in a.covariates and any(option.name == "strata" for option in fields(a)) for a in analyses)  # type: ignore[arg-type]
        if name in known:
            faults += [f"covariate {name!r} holds words; name it, or a condition, in strata instead."] * stratified
        elif stratified:
            faults.append(f"covariate {name!r} is not known at baseline. {nearest_name(name, known, missing)}")
        else:
            faults += [f"covariate {fault}" for fault in check(name, known, missing)]
    return faults
