"""What is believed of a treatment effect, as a study file says it."""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@final
@dataclass(frozen=True, kw_only=True)
class EffectPrior:
    """What is believed of an effect: bivariate normal on slowing and log hazard ratio.

    Attributes
    ----------
    slowing_mean, slowing_sd : float
        Share of the mean slope taken away; draws above 1 (a decline that is reversed) count as 1.
    log_hazard_ratio_mean, log_hazard_ratio_sd : float
        Direct log hazard ratio; negative is benefit.
    correlation : float
        Of the two, above -1 and below 1.
    strata : int
        Values of the effect that are simulated, each of the same probability.
    """

    slowing_mean: float = 0.0
    slowing_sd: float = 0.0
    log_hazard_ratio_mean: float = 0.0
    log_hazard_ratio_sd: float = 0.0
    correlation: float = 0.0
    strata: int = 20
    kind: Literal["prior"] = "prior"

    def __post_init__(self) -> None:
        faults = []
        for name in ("slowing_sd", "log_hazard_ratio_sd"):
            if not 0 <= getattr(self, name) < np.inf:
                faults.append(f"{name} must be at least 0; got {getattr(self, name)}.")
        if not (np.isfinite(self.slowing_mean) and self.slowing_mean <= 1):
            faults.append(f"slowing_mean is a share of the slope, at most 1; got {self.slowing_mean}. Write 25% as 0.25.")
        if not np.isfinite(self.log_hazard_ratio_mean):
            faults.append(f"log_hazard_ratio_mean must be finite; got {self.log_hazard_ratio_mean}.")
        if not -1 < self.correlation < 1:
            faults.append(f"correlation must lie between -1 and 1; got {self.correlation}.")
        if self.strata < 2:
            faults.append(f"strata must be at least 2; got {self.strata}.")
        if self.slowing_sd == 0 and self.log_hazard_ratio_sd == 0:
            faults.append("an effect without an SD is known: simulate it, or give slowing_sd or log_hazard_ratio_sd.")
        if faults:
            raise ValueError("Prior of the effect: " + " ".join(faults))

    def values(self) -> tuple[Floats, Floats]:
        """Slowing and log hazard ratio of the strata: medians of the first, and of the second given it in a fixed scattered order."""
        from scipy.special import ndtri

        k = np.arange(self.strata)
        first = ndtri((k + 0.5) / self.strata)
        # Steps by the golden ratio scatter the second over the first evenly, whatever the number of strata.
        other = first[np.argsort(np.argsort((k + 0.5) * 0.6180339887498949 % 1.0))]
        if self.slowing_sd == 0:
            other = first
            first = np.zeros_like(first)
        mixed = self.correlation * first + np.sqrt(1 - self.correlation**2) * other if self.slowing_sd > 0 else other
        slowing = np.minimum(self.slowing_mean + self.slowing_sd * first, 1.0)
        return np.maximum(slowing, -5.0), self.log_hazard_ratio_mean + self.log_hazard_ratio_sd * mixed


@final
@dataclass(frozen=True, kw_only=True)
class PosteriorEffect:
    """Take the effect of a randomised treatment from the study's own fit, with the population of the same draws.

    Attributes
    ----------
    treatment : str
        Name of one of the model's treatments.
    draws : int
        Posterior draws to take.
    strata : int
        Groups of draws of neighbouring effect that are simulated together.
    """

    treatment: str
    draws: int = 400
    strata: int = 20
    kind: Literal["posterior"] = "posterior"

    def __post_init__(self) -> None:
        if not 2 <= self.strata <= self.draws:
            raise ValueError(f"strata must be from 2 to the {self.draws} draws; got {self.strata}.")
