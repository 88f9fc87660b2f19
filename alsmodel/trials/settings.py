"""The `[trial]` section of a study file, and the trial that it describes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, final

import numpy as np
import numpy.typing as npt
from pydantic import Field

from alsmodel.trials.analyses import LogRank, RandomSlope
from alsmodel.trials.designs import Decision, ParallelDesign, Side
from alsmodel.trials.effects import Effect
from alsmodel.trials.endpoints import ANCOVA, MMRM, RMST, Cox, JointRank, Responder, Win
from alsmodel.trials.imputed import ReferenceBased
from alsmodel.trials.population import Population
from alsmodel.trials.trial import Trial, fit_faults, grid_faults
from alsmodel.trials.truth import NamedTruth, PosteriorTruth

type AnyAnalysis = Annotated[
    RandomSlope | LogRank | MMRM | ReferenceBased | ANCOVA | Responder | Cox | RMST | JointRank | Win, Field(discriminator="kind")
]
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
class TrialSettings:
    """What a study says about its trial.

    Attributes
    ----------
    truth : NamedTruth or PosteriorSettings
        ``kind = "named"`` with numbers, or ``kind = "posterior"`` for the study's own fit.
    population : Population
        Phenotypes, covariates, and who is eligible.
    design : ParallelDesign
        Arms, assignment, recruitment, visits, follow-up, dropout, looks.
    analyses : tuple
        ``kind`` is one of random_slope, mmrm, reference_based, ancova, responder, log_rank, cox, rmst, joint_rank, win.
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
    name : str
        For reports.
    """

    truth: Annotated[NamedTruth | PosteriorSettings, Field(discriminator="kind")] = field(default_factory=PosteriorSettings)
    population: Population = field(default_factory=Population)
    design: ParallelDesign = field(default_factory=ParallelDesign)
    analyses: tuple[AnyAnalysis, ...] = (RandomSlope(), LogRank())
    n_per_arm: tuple[int, ...] = (50, 100, 150, 200)
    effects: tuple[Effect, ...] = (
        Effect(name="null"),
        Effect(name="25% slowing", slowing=0.25),
        Effect(name="25% slowing, hazard ratio 0.75", slowing=0.25, hazard_ratio=0.75),
    )
    axes: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    replicates: int = 1000
    target_mcse: float | None = None
    alpha: float = 0.05
    side: Side = "two-sided"
    name: str = "trial"

    def __post_init__(self) -> None:
        self.decision  # noqa: B018  (its own check)
        faults = grid_faults(self.design, self.analyses, self.n_per_arm, self.effects, self.replicates)
        faults += fit_faults(self.design, self.population, self.analyses, self.effects)
        if faults:
            raise ValueError(" ".join(faults))
        # The rest of what a trial checks; what a posterior would be is not known yet.
        truth = self.truth if isinstance(self.truth, NamedTruth) else NamedTruth()
        posterior = not isinstance(self.truth, NamedTruth)
        _trial(self, truth, 0, {path: v for path, v in self.axes.items() if not (posterior and path.startswith("truth."))})

    @property
    def decision(self) -> Decision:
        """Alpha and side as one rule."""
        return Decision(alpha=self.alpha, side=self.side)


def build(settings: TrialSettings, population: Mapping[str, npt.NDArray[np.float64]] | None, seed: int) -> Trial:
    """Make the trial that `settings` describes.

    Parameters
    ----------
    settings : TrialSettings
        The study's `[trial]` section.
    population : mapping of arrays or None
        What the fit's `population` returns; needed for, and only used by, ``truth.kind = "posterior"``.
    seed : int
        Seed of the virtual trials.

    Raises
    ------
    ValueError
        When the truth is the posterior and there is none.
    """
    if isinstance(settings.truth, NamedTruth):
        truth: NamedTruth | PosteriorTruth = settings.truth
    elif population is None:
        raise ValueError(
            'trial.truth.kind is "posterior" and there is no fitted model. Fit first, or give numbers with trial.truth.kind = "named".'
        )
    else:
        truth = PosteriorTruth.of(population)
    return _trial(settings, truth, seed, settings.axes)


def _trial(settings: TrialSettings, truth: NamedTruth | PosteriorTruth, seed: int, axes: Mapping[str, tuple[Value, ...]]) -> Trial:
    return Trial(
        truth=truth,
        population=settings.population,
        design=settings.design,
        analyses=settings.analyses,
        decision=settings.decision,
        n_per_arm=settings.n_per_arm,
        effects=settings.effects,
        axes=axes,
        replicates=settings.replicates,
        target_mcse=settings.target_mcse,
        seed=seed,
        name=settings.name,
    )
