"""A trial to be simulated: truth, population, design, analyses, and the grid of scenarios."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from itertools import product
from typing import Any, final

import numpy as np

from alsmodel.settings import digest_of
from alsmodel.settings.names import nearest
from alsmodel.settings.salvage import Check, insist
from alsmodel.trials.analyses import AbstractAnalysis, LogRank, RandomSlope
from alsmodel.trials.biomarkers import Biomarker
from alsmodel.trials.checks import (
    PHENOTYPES_OF_A_FIT,
    apart,
    axis_faults,
    fit_checks,
    grid_checks,
    group_faults,
    shared_checks,
    spread_faults,
)
from alsmodel.trials.designs import Decision, ParallelDesign
from alsmodel.trials.effects import Effect
from alsmodel.trials.families import Multiplicity
from alsmodel.trials.intercurrent import Intercurrent, cause_faults
from alsmodel.trials.paths import with_setting
from alsmodel.trials.population import Population
from alsmodel.trials.prognosis import Predictor, prognosis_faults
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

    def analysis_called(self, label: str | None) -> AbstractAnalysis:
        """The analysis of this label, the first without one; ValueError where there is none."""
        labelled = {each.label: each for each in self.analyses}
        if label is not None and label not in labelled:
            known = nearest(label, list(labelled), otherwise=f"Known: {', '.join(labelled)}.")
            raise ValueError(f"{label!r} is not the name of an analysis. {known}")
        return self.analyses[0] if label is None else labelled[label]

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
