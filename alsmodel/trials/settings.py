"""The `[trial]` section of a study file, and the trial that it describes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Literal, final

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, Field

from alsmodel.cohort.selection import EventDays
from alsmodel.settings.names import nearest
from alsmodel.settings.salvage import Check, insist
from alsmodel.trials.analyses import LogRank, RandomSlope
from alsmodel.trials.beliefs import EffectPrior, PosteriorEffect
from alsmodel.trials.biomarkers import Biomarker
from alsmodel.trials.checks import (
    PHENOTYPES_OF_A_FIT,
    apart,
    axis_faults,
    fit_checks,
    grid_checks,
    group_faults,
    name_faults,
    shared_checks,
)
from alsmodel.trials.conditions import parse
from alsmodel.trials.designs import Decision, ParallelDesign, Side
from alsmodel.trials.effects import Effect
from alsmodel.trials.endpoints import ANCOVA, MMRM, RMST, Cox, JointRank, Responder, Win
from alsmodel.trials.families import Multiplicity
from alsmodel.trials.further import MaxCombo, ParticipantSlopes, TimeToDrop, WeightedLogRank
from alsmodel.trials.imputed import ReferenceBased
from alsmodel.trials.intercurrent import Intercurrent
from alsmodel.trials.paths import SHORT, fits
from alsmodel.trials.population import Population
from alsmodel.trials.prognosis import PREDICTED, Predictor, Prognosis
from alsmodel.trials.ranges import PROBABILITY, Range, empty_rules
from alsmodel.trials.resampled import Horizon, ResampledTruth
from alsmodel.trials.trial import Trial
from alsmodel.trials.truth import NamedTruth, PosteriorTruth, Truth

type AnyAnalysis = Annotated[
    RandomSlope
    | LogRank
    | MMRM
    | ReferenceBased
    | ANCOVA
    | Responder
    | Cox
    | RMST
    | JointRank
    | Win
    | WeightedLogRank
    | MaxCombo
    | TimeToDrop
    | ParticipantSlopes,
    Field(discriminator="kind"),
]


def _level(alpha: float) -> float:
    return Decision(alpha=alpha).alpha


def _size(n: int) -> int:
    if n < 4:
        raise ValueError(f"n_per_arm must be at least 4 for a standard error; got {n}.")
    return n


def _count(replicates: int) -> int:
    if replicates < 1:
        raise ValueError(f"replicates must be at least 1; got {replicates}. 1000 gives a power of 0.8 an MCSE of 0.013.")
    return replicates


# Checked by themselves, so that a study file hears of them together with what is wrong in the sections around them.
type Level = Annotated[float, AfterValidator(_level)]
type Size = Annotated[int, AfterValidator(_size)]
type Count = Annotated[int, AfterValidator(_count)]
type Value = bool | int | float | str | tuple[float, ...]


@final
@dataclass(frozen=True, kw_only=True)
class PosteriorSettings:
    """Take the truth from the study's fitted model.

    Attributes
    ----------
    draws : int
        Posterior draws to take; each virtual trial uses one of them.
    """

    draws: int = 400
    kind: Literal["posterior"] = "posterior"

    def __post_init__(self) -> None:
        if self.draws < 1:
            raise ValueError(f"draws must be at least 1; got {self.draws}. 400 is plenty for a power curve.")


@final
@dataclass(frozen=True, kw_only=True)
class ResampledSettings:
    """Resample the participants of the study's own cohort; see `alsmodel.trials.resampled`.

    Attributes
    ----------
    outcome : str
        Name in the measurements table.
    events : tuple of str
        Kinds of event that end the follow-up, whichever comes first.
    end_point : str or None
        Tag of a survival end point in place of `events`.
    event_days : {"between", "middle", "first known"}
        Day of an event known only to lie between two; "between" keeps both, and is refused where there are such events.
    covariates : tuple of str
        Baseline columns that analyses or the randomisation use; nobody eligible may lack one.
    eligibility : tuple of str
        Conditions over the cohort's baseline columns that all must hold, such as ``"age < 80"``; a missing value fails.
    prognosis : Prognosis or None
        Predict each person's survival at day 0 by the study's own fit, from the scores and covariates known there;
        ``"predicted_survival >= 0.6"`` may then stand in `eligibility`.
    phenotype : str or None
        Baseline column of words by which effects may differ (``by_phenotype``). Where an effect does, everyone eligible must have it
        recorded, or the effect names ``"not recorded"`` as well.
    least_scores : int
        Scores that a person must have, at least 3.
    least_months : float
        Months from the first to the last of them, at least: a line through a shorter time says little.
    horizon : "continue" or "end of record"
        What becomes of a participant who outlives the record: continued by the fitted hazard, or censored where it ends.
    association_value : float
        Log hazard per point of the own line; 0 leaves event times alone when an effect changes the slope.
    hazard_pieces : int
        Pieces of the fitted hazard.
    """

    outcome: str = "alsfrs_r_total"
    events: tuple[str, ...] = ("death",)
    end_point: str | None = None
    event_days: EventDays = "between"
    covariates: tuple[str, ...] = ()
    eligibility: tuple[str, ...] = ()
    prognosis: Prognosis | None = None
    phenotype: str | None = None
    least_scores: int = 3
    least_months: float = 3.0
    horizon: Horizon = "continue"
    association_value: float = 0.0
    hazard_pieces: int = 4
    kind: Literal["resampled"] = "resampled"

    def __post_init__(self) -> None:
        faults = []
        if self.least_scores < 3:
            faults.append(f"least_scores must be at least 3: two lie on their line and have no residual; got {self.least_scores}.")
        if not (np.isfinite(self.least_months) and self.least_months > 0):
            faults.append(f"least_months is months above 0; got {self.least_months}.")
        if not np.isfinite(self.association_value) or self.hazard_pieces < 1:
            faults.append("association_value must be finite and hazard_pieces at least 1.")
        if not self.events and self.end_point is None:
            faults.append("events is empty and no end_point is given; name what ends the follow-up, such as death.")
        unreadable = []
        for text in self.eligibility:
            try:
                parse(text)
            except ValueError as error:
                unreadable.append(str(error))
        # Of the columns of a record only the range of a probability is known before it is read.
        known: dict[str, Range] = {} if self.prognosis is None else {PREDICTED: PROBABILITY}
        faults += [f"eligibility: {fault}" for fault in unreadable or empty_rules(self.eligibility, known)]
        if faults:
            raise ValueError(" ".join(faults))


@final
@dataclass(frozen=True, kw_only=True)
class TrialSettings:
    """What a study says about its trial.

    Attributes
    ----------
    truth : NamedTruth, PosteriorSettings or ResampledSettings
        ``kind = "named"`` with numbers, ``kind = "posterior"`` for the study's own fit, or ``kind = "resampled"`` for the people of
        the study's own cohort.
    population : Population
        Phenotypes, covariates, and who is eligible.
    design : ParallelDesign
        Arms, assignment, recruitment, visits, follow-up, dropout, looks.
    intercurrent : tuple of Intercurrent
        Intercurrent events: how each arises, what it does, and the strategy for it unless an analysis names another.
    biomarkers : tuple of Biomarker
        What is measured beside the score; analyses with ``outcome`` compare it.
    analyses : tuple
        ``kind`` is one of random_slope, mmrm, reference_based, ancova, responder, log_rank, cox, rmst, joint_rank, win,
        weighted_log_rank, max_combo, time_to_drop, participant_slopes.
    n_per_arm : tuple of int
        Sizes of the control arm.
    effects : tuple of Effect
        Treatment effects; one without effect shows the type I error.
    axes : mapping of str to tuple
        Path of a setting of the trial, such as ``"design.dropout_per_month"``, and the values that it takes: further
        axes of the grid.
    replicates : int
        Virtual trials per scenario; the most, when `target_mcse` is given.
    target_mcse : float or None
        Monte Carlo standard error of a power at which a scenario may stop, looked at after 1,000, 2,000, 4,000, ...
    alpha : float
        Significance level.
    side : "two-sided" or "one-sided"
        One-sided spends all of `alpha` on benefit.
    multiplicity : table or None
        Hypotheses that share alpha: ``kind`` is one of bonferroni, holm, hochberg, fixed_sequence, graph; ``hypotheses`` are names of
        analyses, and a graph has ``weights`` and ``transitions``.
    assurance : table or None
        What is believed of the effect, for ``alsmodel assurance``: ``kind = "prior"`` with numbers, or ``kind = "posterior"`` with the name
        of a treatment of the study's model.
    name : str
        For reports.
    """

    truth: Annotated[NamedTruth | PosteriorSettings | ResampledSettings, Field(discriminator="kind")] = field(
        default_factory=PosteriorSettings
    )
    population: Population = field(default_factory=Population)
    design: ParallelDesign = field(default_factory=ParallelDesign)
    intercurrent: tuple[Intercurrent, ...] = ()
    biomarkers: tuple[Biomarker, ...] = ()
    analyses: tuple[AnyAnalysis, ...] = (RandomSlope(), LogRank())
    n_per_arm: tuple[Size, ...] = (50, 100, 150, 200)
    effects: tuple[Effect, ...] = (
        Effect(name="null"),
        Effect(name="25% slowing", slowing=0.25),
        Effect(name="25% slowing, hazard ratio 0.75", slowing=0.25, hazard_ratio=0.75),
    )
    axes: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    replicates: Count = 1000
    target_mcse: float | None = None
    alpha: Level = 0.05
    side: Side = "two-sided"
    multiplicity: Multiplicity | None = None
    assurance: Annotated[EffectPrior | PosteriorEffect, Field(discriminator="kind")] | None = None
    name: str = "trial"

    def __post_init__(self) -> None:
        insist(self.cross_checks())
        if isinstance(self.truth, ResampledSettings):
            return
        # The rest of what a trial checks; what a posterior would be is not known yet.
        truth = self.truth if isinstance(self.truth, NamedTruth) else NamedTruth()
        posterior = not isinstance(self.truth, NamedTruth)
        axes = {path: v for path, v in self.axes.items() if not (posterior and path.startswith("truth."))}
        prognosis = self.population.prognosis
        made = None if prognosis is None else Predictor.stand_in(prognosis)
        _trial(self, truth, 0, axes, made, unfitted=isinstance(self.truth, PosteriorSettings))

    @property
    def prognosis(self) -> Prognosis | None:
        """What the study's own fit predicts of candidates at screening."""
        return self.truth.prognosis if isinstance(self.truth, ResampledSettings) else self.population.prognosis

    @property
    def needs_fit(self) -> bool:
        """Whether the trial takes anything from the study's own fit, an assurance apart."""
        return isinstance(self.truth, PosteriorSettings) or self.prognosis is not None

    def cross_checks(self) -> list[Check]:
        """What has to fit between the sections, check by check."""
        return [
            *grid_checks(self),
            self._decision_faults,
            self._bound_faults,
            self._population_faults,
            *self._fit_checks(),
            *shared_checks(self),
            lambda: axis_faults(self.axes),
            lambda: [fault for path, values in self.axes.items() if not apart(path) for fault in self._axis_faults(path, values)],
        ]

    def _decision_faults(self) -> list[str]:
        self.decision  # noqa: B018  (its own check)
        return []

    def _bound_faults(self) -> list[str]:
        """Bounds as numbers of which one alone claims more often than alpha allows, without an effect."""
        boundary, decision = self.design.boundary, self.decision
        if boundary is None:
            return []
        # A futility bound that binds lets later efficacy bounds be lower; the first has nothing before it.
        judged = boundary.efficacy[:1] if boundary.futility else boundary.efficacy
        lowest = min(judged)
        if not lowest < decision.bound - 0.005:  # bounds are often given to two decimals
            return []
        return [
            f"design.boundary.efficacy {lowest:g} alone claims more often than alpha {decision.alpha:g} {decision.side} allows; "
            f"the bound of one look is {decision.bound:.3f}. Raise it, or alpha."
        ]

    def _population_faults(self) -> list[str]:
        if isinstance(self.truth, PosteriorSettings) and self.population.phenotypes:
            return [PHENOTYPES_OF_A_FIT]
        if not isinstance(self.truth, ResampledSettings) or self.population.plain:
            return []
        return ["population is for drawn participants; a record brings its own. Give the rules as truth.eligibility."]

    def _fit_checks(self) -> list[Check]:
        # The columns of a cohort are known when it has been read.
        def names() -> list[str]:
            if isinstance(self.truth, ResampledSettings):
                return []
            return name_faults(self.design, self.analyses, self.population.vocabulary, self.population.absent)

        def phenotypes() -> list[str]:
            if not isinstance(self.truth, ResampledSettings):
                return group_faults(self.effects, {p.name: 0 for p in self.population.phenotypes})
            return [] if self.truth.phenotype is not None else group_faults(self.effects, None)

        return [names, phenotypes, *fit_checks(self.design, self.analyses, self.effects, None)]

    def _axis_faults(self, path: str, values: tuple[Value, ...]) -> list[str]:
        """Whether there is such a setting and the values are like it; what they make of a trial is seen when all else fits."""
        first, *rest = SHORT.get(path, path).split(".")
        known = [each.name for each in fields(Trial) if each.init]
        if first not in known:
            return [f"axis {path!r}: {first} is not a setting. {nearest(first, known, otherwise=f'Known: {", ".join(known)}.')}"]
        if first == "truth" and not isinstance(self.truth, NamedTruth):
            return []
        try:
            for value in values:
                fits(getattr(self, first), rest, value, path)
        except ValueError as error:
            return [str(error)]
        return []

    @property
    def decision(self) -> Decision:
        """Alpha and side as one rule."""
        return Decision(alpha=self.alpha, side=self.side)


def build(
    settings: TrialSettings,
    population: Mapping[str, npt.NDArray[np.float64]] | None,
    seed: int,
    *,
    record: ResampledTruth | None = None,
    prediction: Predictor | None = None,
) -> Trial:
    """Make the trial that `settings` describes.

    Parameters
    ----------
    settings : TrialSettings
        The study's `[trial]` section.
    population : mapping of arrays or None
        What the fit's `population` returns; needed for, and only used by, ``truth.kind = "posterior"``.
    seed : int
        Seed of the virtual trials.
    record : ResampledTruth or None
        What `alsmodel.trials.resampling.resampled_truth` makes of the cohort; for ``truth.kind = "resampled"``.
    prediction : Predictor or None
        The fit that predicts survival at screening; for ``population.prognosis``.

    Raises
    ------
    ValueError
        When the truth is the posterior or a record and there is none, or a prognosis has no fit.
    """
    truth: Truth
    if isinstance(settings.truth, NamedTruth):
        truth = settings.truth
    elif isinstance(settings.truth, ResampledSettings):
        if record is None:
            raise ValueError(
                'trial.truth.kind is "resampled" and there is no cohort. Make the record with resampled_truth(cohort, settings).'
            )
        truth = record
    elif population is None:
        raise ValueError(
            'trial.truth.kind is "posterior" and there is no fitted model. Fit first, or give numbers with trial.truth.kind = "named".'
        )
    else:
        truth = PosteriorTruth.of(population)
    return _trial(settings, truth, seed, settings.axes, prediction)


def _trial(
    settings: TrialSettings, truth: Truth, seed: int, axes: Mapping[str, tuple[Value, ...]], prediction: Predictor | None = None,
    *, unfitted: bool = False,
) -> Trial:  # fmt: skip
    """The trial; with a stand-in for a fit that is not there yet, whose causes are not known either."""
    population, events = settings.population, settings.intercurrent
    if unfitted:
        population = replace(population, leaving=None)
        events = tuple(replace(event, hazard=1.0) if isinstance(event.hazard, str) else event for event in events)
    return Trial(
        truth=truth,
        population=population,
        prediction=prediction,
        design=settings.design,
        intercurrent=events,
        biomarkers=settings.biomarkers,
        analyses=settings.analyses,
        decision=settings.decision,
        multiplicity=settings.multiplicity,
        n_per_arm=settings.n_per_arm,
        effects=settings.effects,
        axes=axes,
        replicates=settings.replicates,
        target_mcse=settings.target_mcse,
        seed=seed,
        name=settings.name,
    )
