"""A trial to be simulated: truth, population, design, analyses, and the grid of scenarios."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from itertools import product
from typing import Any, final

import numpy as np

from alsmodel.settings import digest_of
from alsmodel.trials.analyses import AbstractAnalysis, LogRank, RandomSlope
from alsmodel.trials.conditions import check
from alsmodel.trials.designs import Decision, ParallelDesign
from alsmodel.trials.effects import Effect
from alsmodel.trials.families import Multiplicity, family_faults
from alsmodel.trials.information import increment_faults
from alsmodel.trials.intercurrent import Intercurrent, intercurrent_faults
from alsmodel.trials.paths import with_setting
from alsmodel.trials.population import Population
from alsmodel.trials.randomisation import factors_of
from alsmodel.trials.reestimation import PromisingSize
from alsmodel.trials.resampled import ResampledTruth
from alsmodel.trials.truth import PosteriorTruth, Truth


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
        later, so they are not either, and nor is the family of hypotheses.
        """
        trial = self.trial
        effect = asdict(self.effect)
        del effect["name"]
        identity = {
            "seed": trial.seed,
            "truth": trial.truth.identity(),
            "population": asdict(trial.population),
            "design": asdict(trial.design),
            "intercurrent": [asdict(event) for event in trial.intercurrent],
            "analyses": [{"class": type(a).__qualname__, **a.settings()} for a in trial.analyses],
            "effect": effect,
            "n_per_arm": self.n_per_arm,
        }
        if isinstance(trial.design.reestimation, PromisingSize):  # its size hangs on the final critical value
            identity["decision"] = asdict(trial.decision)
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
    design : ParallelDesign
        Arms, assignment, recruitment, visits, follow-up, dropout, looks.
    intercurrent : tuple of Intercurrent
        Intercurrent events: how each arises, what it does, and the strategy for it unless an analysis names another.
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
    design: ParallelDesign = field(default_factory=ParallelDesign)
    intercurrent: tuple[Intercurrent, ...] = ()
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
        faults = grid_faults(self.design, self.analyses, self.n_per_arm, self.effects, self.replicates)
        known = self.truth.vocabulary if isinstance(self.truth, ResampledTruth) else self.population.vocabulary
        faults += fit_faults(self.design, self.population, self.analyses, self.effects, known)
        if isinstance(self.truth, ResampledTruth) and not self.population.plain:
            faults.append(
                "population.phenotypes, covariates and eligibility are for drawn participants; a record brings its own. "
                "Give the rules as truth.eligibility, over the columns of the record."
            )
        faults += intercurrent_faults(self.intercurrent, self.analyses, self.effects, self.design.duration)
        faults += family_faults(self.multiplicity, self.design, self.analyses)
        if isinstance(self.truth, PosteriorTruth) and self.population.phenotypes:
            faults.append("population.phenotypes are for a truth by numbers; a fitted model brings its own participants.")
        if self.seed < 0:
            faults.append(f"seed must not be negative; got {self.seed}.")
        if self.target_mcse is not None and not 0 < self.target_mcse < 0.5:
            faults.append(f"target_mcse is a standard error between 0 and 0.5; got {self.target_mcse}.")
        if faults:
            raise ValueError(" ".join(faults))
        self._check_axes()

    def _check_axes(self) -> None:
        faults = []
        for path, values in self.axes.items():
            if not values or len(set(map(repr, values))) < len(values):
                faults.append(f"axis {path!r} needs values, each once; got {list(values)}.")
            if path.split(".")[0] in ("n_per_arm", "effects", "axes", "replicates", "target_mcse", "name", "seed", "analyses"):
                faults.append(f"axis {path!r}: sizes and effects are axes by themselves; seed, name and replicates cannot be one.")
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
        key = {"truth": self.truth.identity(), "population": asdict(self.population), "design": design}
        digest = sha256(json.dumps(_floats(key), sort_keys=True).encode()).digest()
        return tuple(int.from_bytes(digest[4 * i : 4 * i + 4], "big") for i in range(4))

    def plain(self) -> dict[str, Any]:
        """All settings as plain values, as JSON gives them back; a posterior truth by its digest."""
        settings: dict[str, Any] = {
            "name": self.name,
            "truth": self.truth.identity(),
            "population": asdict(self.population),
            "design": asdict(self.design),
            "intercurrent": [asdict(event) for event in self.intercurrent],
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


def _floats(value: Any) -> Any:
    """The same value with every number a float, so that 3 and 3.0 months are one design."""
    if isinstance(value, dict):
        return {name: _floats(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_floats(entry) for entry in value]
    return float(value) if isinstance(value, int | float) else value


def grid_faults(
    design: ParallelDesign,
    analyses: tuple[AbstractAnalysis, ...],
    n_per_arm: tuple[int, ...],
    effects: tuple[Effect, ...],
    replicates: int,
) -> list[str]:
    """What makes a grid of scenarios impossible, one sentence each."""
    faults = []
    if replicates < 1:
        faults.append(f"replicates must be at least 1; got {replicates}. 1000 gives a power of 0.8 an MCSE of 0.013.")
    for name, given in (("n_per_arm", n_per_arm), ("effects", effects), ("analyses", analyses)):
        if not given:
            faults.append(f"{name} is empty; give at least one.")
    if len(set(n_per_arm)) < len(n_per_arm):
        faults.append(f"n_per_arm repeats a size: {list(n_per_arm)}.")
    for names, what in (([e.name for e in effects], "effects"), ([a.label for a in analyses], "analyses")):
        if len(set(names)) < len(names):
            faults.append(f"Two {what} share a name: {names}. Give each its own.")
    for n in n_per_arm:
        try:
            design.randomised(n)
        except ValueError as error:
            faults.append(str(error))
        else:
            if n < 4:
                faults.append(f"n_per_arm must be at least 4 for a standard error; got {n}.")
    return faults


def fit_faults(
    design: ParallelDesign,
    population: Population,
    analyses: tuple[AbstractAnalysis, ...],
    effects: tuple[Effect, ...],
    vocabulary: Mapping[str, tuple[str, ...] | None] | None,
) -> list[str]:
    """What does not fit together between the parts of a trial, one sentence each; without a vocabulary names are not looked at."""
    faults = [] if vocabulary is None else _name_faults(design, analyses, vocabulary)
    faults += increment_faults(design, analyses[0]) if analyses else []
    late = [a for a in analyses if (getattr(a, "horizon", None) or 0.0) > design.duration]
    faults += [f"{a.label}: its horizon lies beyond the follow-up of {design.duration:g} months." for a in late]
    for a in analyses:
        months = [visit for visit in design.visits if a.until is None or visit <= a.until]
        if a.until is not None and not (0 < a.until <= design.duration and len(months) >= 2):
            faults.append(
                f"{a.label}: until lies within the follow-up of {design.duration:g} months and after two visits; got {a.until:g}."
            )
    active = len(design.allocation) - 1
    faults += [f"{a.label} compares arm {a.arm}; the design has active arms 1 to {active}." for a in analyses if not 1 <= a.arm <= active]
    for effect in effects:
        if effect.by_arm and len(effect.by_arm) != active:
            faults.append(f"effect {effect.name!r}: by_arm has {len(effect.by_arm)} shares for {active} active arms.")
        strange = sorted(set(effect.by_phenotype) - {p.name for p in population.phenotypes})
        if strange:
            faults.append(f"effect {effect.name!r}: by_phenotype names {', '.join(strange)}, which the population has not.")
    return faults


def _name_faults(
    design: ParallelDesign, analyses: tuple[AbstractAnalysis, ...], vocabulary: Mapping[str, tuple[str, ...] | None]
) -> list[str]:
    known = dict(vocabulary)
    if design.sites:
        known["site"] = design.sites
    wanted = {f"design.randomisation: {factor}": factor for factor in factors_of(design.randomisation)}
    wanted |= {f"strata of {a.label}: {factor}": factor for a in analyses for factor in a.strata}
    faults = []
    for factor in dict.fromkeys(wanted.values()):
        if known.get(factor) is None:
            faults += [f"factor or stratum {fault}" for fault in check(factor, known)]
    for name in dict.fromkeys(name for a in analyses for name in a.covariates):
        if name not in known:
            faults.append(f"covariate {name!r} is not known at baseline. Known: {', '.join(known)}.")
        elif known[name] is not None:
            faults.append(f"covariate {name!r} holds words; use a condition in strata instead.")
    return faults
