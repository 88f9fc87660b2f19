"""What the active arm does to the disease in a virtual trial."""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import numpy.typing as npt


@final
@dataclass(frozen=True, kw_only=True)
class Effect:
    """A named treatment effect, acting from randomisation to the end of follow-up in everyone assigned to it.

    The two parts are separate. `slowing` bends the mean path, and with it the hazard as far as the hazard hangs on
    the trajectory. `hazard_ratio` is the *direct* effect beside that; the total effect on survival is larger
    when both act.

    Attributes
    ----------
    name : str
        Name in tables.
    slowing : float
        Share of the mean slope that is taken away: 0.25 makes -1.00 into -0.75 points per month; 1 stops decline on
        average; negative is harm.
    points_per_month : float
        Additive alternative to `slowing`: points per month added to everyone's slope.
    slope_spread : "kept" or "scaled"
        "kept": a participant's deviation from the mean slope is left as it is, so the effect is on the mean path
        only. "scaled": the deviation shrinks by the same share, so that every participant's own slope is multiplied
        (and those who improve are made worse).
    hazard_ratio : float
        Direct multiplier of the hazard at a given trajectory; 1 is none.
    """

    name: str
    slowing: float = 0.0
    points_per_month: float = 0.0
    slope_spread: Literal["kept", "scaled"] = "kept"
    hazard_ratio: float = 1.0

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("An effect needs a name for the tables, e.g. 'null' or '25% slowing'.")
        if not np.isfinite(self.slowing) or not -5 <= self.slowing <= 1:
            raise ValueError(f"slowing is the share of decline taken away, at most 1; got {self.slowing}. Write 25% as 0.25.")
        if not np.isfinite(self.points_per_month):
            raise ValueError(f"points_per_month must be a finite number; got {self.points_per_month}.")
        if self.slowing and self.points_per_month:
            raise ValueError(
                f"Effect {self.name!r} has both slowing ({self.slowing}) and points_per_month "
                f"({self.points_per_month}): treatment would reach the slope twice. Keep one."
            )
        if not (np.isfinite(self.hazard_ratio) and self.hazard_ratio > 0):
            raise ValueError(f"hazard_ratio must be above 0, with 1 for no effect; got {self.hazard_ratio}.")

    @property
    def is_null(self) -> bool:
        """True when the arms are exchangeable: the sharp null."""
        return self.slowing == 0 and self.points_per_month == 0 and self.hazard_ratio == 1

    def slope(self, mean_slope: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Mean slopes under treatment, points per month, of those that are `mean_slope` without."""
        return np.asarray(mean_slope * (1 - self.slowing) + self.points_per_month)

    @property
    def deviation_factor(self) -> float:
        """What a participant's deviation from the mean slope is multiplied by."""
        return 1 - self.slowing if self.slope_spread == "scaled" else 1.0
