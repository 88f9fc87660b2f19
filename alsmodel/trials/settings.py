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
from alsmodel.trials.trial import Trial, grid_faults
from alsmodel.trials.truth import NamedTruth, PosteriorTruth


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
    design : ParallelDesign
        Arms, visits, follow-up, dropout.
    analyses : tuple
        ``kind = "random_slope"`` or ``"log_rank"``.
    n_per_arm : tuple of int
        Sizes of the control arm.
    effects : tuple of Effect
        Treatment effects; one without effect shows the type I error.
    replicates : int
        Virtual trials per scenario.
    alpha : float
        Significance level.
    side : "two-sided" or "one-sided"
        One-sided spends all of `alpha` on benefit.
    name : str
        For reports.
    """

    truth: Annotated[NamedTruth | PosteriorSettings, Field(discriminator="kind")] = field(default_factory=PosteriorSettings)
    design: ParallelDesign = field(default_factory=ParallelDesign)
    analyses: tuple[Annotated[RandomSlope | LogRank, Field(discriminator="kind")], ...] = (RandomSlope(), LogRank())
    n_per_arm: tuple[int, ...] = (50, 100, 150, 200)
    effects: tuple[Effect, ...] = (
        Effect(name="null"),
        Effect(name="25% slowing", slowing=0.25),
        Effect(name="25% slowing, hazard ratio 0.75", slowing=0.25, hazard_ratio=0.75),
    )
    replicates: int = 1000
    alpha: float = 0.05
    side: Side = "two-sided"
    name: str = "trial"

    def __post_init__(self) -> None:
        self.decision  # noqa: B018  (its own check)
        faults = grid_faults(self.design, self.analyses, self.n_per_arm, self.effects, self.replicates)
        if faults:
            raise ValueError(" ".join(faults))

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
    return Trial(
        truth=truth,
        design=settings.design,
        analyses=settings.analyses,
        decision=settings.decision,
        n_per_arm=settings.n_per_arm,
        effects=settings.effects,
        replicates=settings.replicates,
        seed=seed,
        name=settings.name,
    )
