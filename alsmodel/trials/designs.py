"""What a protocol fixes before the first participant: arms, visits, follow-up, and what counts as success.

A design never sees the truth: nothing here knows how participants decline or die.
"""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import numpy.typing as npt

Side = Literal["two-sided", "one-sided"]


@final
@dataclass(frozen=True, kw_only=True)
class Decision:
    """The rule that turns a p value into a claim.

    Attributes
    ----------
    alpha : float
        Significance level, between 0 and 0.5.
    side : "two-sided" or "one-sided"
        Two-sided: any difference counts. One-sided: only a benefit of the active arm does; `alpha` is all on that
        side, so 0.025 one-sided has the benefit bound of 0.05 two-sided.
    """

    alpha: float = 0.05
    side: Side = "two-sided"

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 0.5:
            raise ValueError(f"alpha is a significance level between 0 and 0.5; got {self.alpha}. Did you mean 0.05?")
        if self.side not in ("two-sided", "one-sided"):
            raise ValueError(f"side is 'two-sided' or 'one-sided'; got {self.side!r}.")

    def rejects(self, p_value: npt.NDArray[np.float64], benefit: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Say which two-sided p values, with the estimate's direction, lead to a claim; NaN never does."""
        if self.side == "two-sided":
            return np.asarray(p_value < self.alpha)
        return np.asarray((p_value < 2 * self.alpha) & benefit)

    @property
    def interval(self) -> float:
        """Coverage that the matching confidence interval claims: 1 - alpha, or 1 - 2 alpha when one-sided."""
        return 1 - self.alpha if self.side == "two-sided" else 1 - 2 * self.alpha


@final
@dataclass(frozen=True, kw_only=True)
class ParallelDesign:
    """Two arms side by side, everyone followed for the same time.

    Attributes
    ----------
    visits : tuple of float
        Months of the planned visits, from 0.
    duration : float
        Months of follow-up; events after it are not seen.
    allocation : (int, int)
        Participants to control and to active in each block, e.g. (1, 2). Arms follow the block's order, so the first
        participants of a large trial are those of a small one.
    dropout_per_month : float
        Chance of leaving within a month, whatever the disease does (HEALEY's base case: 0.02).
    missing_visit_probability : float
        Chance that a visit after month 0 is missed.
    """

    visits: tuple[float, ...] = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0)
    duration: float = 12.0
    allocation: tuple[int, int] = (1, 1)
    dropout_per_month: float = 0.02
    missing_visit_probability: float = 0.04
    kind: Literal["parallel"] = "parallel"

    def __post_init__(self) -> None:
        faults = []
        if len(self.visits) < 2 or any(b <= a for a, b in zip(self.visits, self.visits[1:], strict=False)):
            faults.append(f"visits must be at least two increasing months; got {list(self.visits)}.")
        elif self.visits[0] < 0 or self.visits[-1] > self.duration:
            faults.append(
                f"visits must lie between 0 and the duration of {self.duration:g} months; got {list(self.visits)}. "
                "Lengthen duration or drop the late visits."
            )
        if not np.isfinite(self.duration) or self.duration <= 0:
            faults.append(f"duration is months of follow-up above 0; got {self.duration}.")
        if min(self.allocation) < 1:
            faults.append(f"allocation needs at least one participant per arm and block; got {list(self.allocation)}.")
        for name in ("dropout_per_month", "missing_visit_probability"):
            if not 0 <= getattr(self, name) < 1:
                faults.append(f"{name} is a probability in [0, 1); got {getattr(self, name)}. Write 2% as 0.02.")
        if faults:
            raise ValueError(" ".join(faults))

    @property
    def dropout_rate(self) -> float:
        """Constant rate of leaving per month that gives `dropout_per_month`."""
        return float(-np.log1p(-self.dropout_per_month))

    def arms(self, n: int) -> npt.NDArray[np.int64]:
        """Arm of each of `n` participants: 0 control, 1 active; participant i's arm does not depend on `n`."""
        control, active = self.allocation
        block = _spread(control, active)
        return np.asarray(block[np.arange(n) % block.size])

    def randomised(self, n_per_arm: int) -> int:
        """Total number randomised when the control arm has `n_per_arm`.

        Raises
        ------
        ValueError
            When `n_per_arm` does not fill whole blocks.
        """
        control, active = self.allocation
        if n_per_arm < 1 or n_per_arm % control:
            raise ValueError(
                f"n_per_arm counts the control arm and must be a positive multiple of {control} under allocation "
                f"{control}:{active}; got {n_per_arm}. Use {max(1, round(n_per_arm / control)) * control}."
            )
        return n_per_arm + n_per_arm // control * active


def _spread(control: int, active: int) -> npt.NDArray[np.int64]:
    """Order one block so that the arms alternate as evenly as their ratio allows."""
    position = np.concatenate([(np.arange(control) + 0.5) / control, (np.arange(active) + 0.5) / active])
    arm = np.repeat([0, 1], [control, active])
    return np.asarray(arm[np.lexsort((arm, position))], dtype=np.int64)
