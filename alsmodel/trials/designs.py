"""What a protocol fixes before the first participant: arms, visits, follow-up, and what counts as success.

A design never sees the truth: nothing here knows how participants decline or die.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, final

import numpy as np
import numpy.typing as npt

from alsmodel.clinical.units import DAYS_PER_MONTH
from alsmodel.settings.salvage import Check, insist
from alsmodel.trials.information import RealisedInformation, information_faults
from alsmodel.trials.looks import FixedBounds, Look, latest_end, order_faults, planned_bounds, unseen_faults
from alsmodel.trials.randomisation import Alternating, Randomisation
from alsmodel.trials.recruitment import Recruitment
from alsmodel.trials.reestimation import Reestimation, reestimation_faults
from alsmodel.trials.sequential import GroupSequential

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
        return np.asarray(self.sided(p_value, benefit) < self.alpha)

    def sided(self, p_value: npt.NDArray[np.float64], benefit: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """P values of the side that counts, of two-sided ones with the direction of the estimate; NaN stays."""
        return p_value if self.side == "two-sided" else np.asarray(np.where(benefit, p_value / 2, 1 - p_value / 2))

    @property
    def error_of_a_side(self) -> float:
        """Alpha on the side of benefit."""
        return self.alpha / 2.0 if self.side == "two-sided" else self.alpha

    @property
    def bound(self) -> float:
        """Critical value of z in favour of the active arm."""
        from scipy.special import ndtri  # here: reading a study file must not wait for scipy

        return float(-ndtri(self.error_of_a_side))

    @property
    def interval(self) -> float:
        """Coverage that the matching confidence interval claims: 1 - alpha, or 1 - 2 alpha when one-sided."""
        return 1 - self.alpha if self.side == "two-sided" else 1 - 2 * self.alpha


@final
@dataclass(frozen=True, kw_only=True)
class ParallelDesign:
    """Arms side by side, everyone followed for the same time.

    Attributes
    ----------
    visits : tuple of float
        Months of the planned visits, from 0.
    duration : float
        Months of follow-up; events after it are not seen.
    allocation : tuple of int
        Participants to control and to each active arm in each block, e.g. (1, 2), or (1, 1, 1) for two active arms.
    dropout_per_month : float
        Chance of leaving within a month for a participant of average decline (HEALEY's base case: 0.02).
    missing_visit_probability : float
        Chance that a visit after month 0 is missed.
    randomisation : Alternating, PermutedBlocks or Minimisation
        How arms are assigned.
    recruitment : Recruitment or None
        Calendar of arrivals; None randomises everyone at calendar month 0.
    visit_window_days : float
        A visit falls evenly within this many days either side of its plan, and no later than follow-up ends; month 0 never moves.
    phone_visits : tuple of float
        Those of `visits` that are made by phone.
    phone_sd : float
        Error SD that a score by phone has beside the residual, points.
    vital_status_after_leaving : bool
        Events of those who left are known to the end of their follow-up.
    delayed_start : float or None
        Month after randomisation at which control goes over to the treatment of active arm 1, as in the open-label extension of a trial or
        a delayed-start design; its effect then begins as if that were the first month. None: never.
    looks : tuple of Look
        Interim looks in the order in which they are expected.
    boundary : FixedBounds or None
        Bounds for the looks and the final analysis as numbers.
    sequential : GroupSequential or None
        Bounds by a spending function or a shape, at the planned information fractions; looks need this or `boundary`.
    information : RealisedInformation or None
        Let `sequential` spend by 1/SE² of the first analysis over the planned maximum, trial by trial; None is as planned.
    reestimation : BlindedVariance, BlindedEvents, PromisingSize or None
        A look at which the number of participants is set anew.
    """

    visits: tuple[float, ...] = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0)
    duration: float = 12.0
    allocation: tuple[int, ...] = (1, 1)
    dropout_per_month: float = 0.02
    missing_visit_probability: float = 0.04
    randomisation: Randomisation = field(default_factory=Alternating)
    recruitment: Recruitment | None = None
    visit_window_days: float = 0.0
    phone_visits: tuple[float, ...] = ()
    phone_sd: float = 0.0
    vital_status_after_leaving: bool = False
    delayed_start: float | None = None
    looks: tuple[Look, ...] = ()
    boundary: FixedBounds | None = None
    sequential: GroupSequential | None = None
    information: RealisedInformation | None = None
    reestimation: Reestimation | None = None
    kind: Literal["parallel"] = "parallel"

    def __post_init__(self) -> None:
        insist(self.cross_checks())

    def cross_checks(self) -> list[Check]:
        """What has to fit within the design, check by check."""
        return [
            self._visit_faults,
            self._look_faults,
            lambda: information_faults(self.information, self.sequential),
            lambda: reestimation_faults(self),
            self._arm_faults,
            lambda: self._chance_faults("dropout_per_month"),
            lambda: self._chance_faults("missing_visit_probability"),
        ]

    def _arm_faults(self) -> list[str]:
        if len(self.allocation) >= 2 and min(self.allocation) >= 1:
            return []
        return [f"allocation needs at least two arms and at least one participant per arm and block; got {list(self.allocation)}."]

    def _chance_faults(self, name: str) -> list[str]:
        if 0 <= getattr(self, name) < 1:
            return []
        return [f"{name} is a probability in [0, 1); got {getattr(self, name)}. Write 2% as 0.02."]

    def _visit_faults(self) -> list[str]:
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
        strange = [month for month in self.phone_visits if month not in self.visits]
        if strange:
            faults.append(f"phone_visits are some of visits; {strange} are not among {list(self.visits)}.")
        if not (np.isfinite(self.phone_sd) and self.phone_sd >= 0):
            faults.append(f"phone_sd must be points, at least 0; got {self.phone_sd}.")
        if self.delayed_start is not None and not 0 < self.delayed_start < self.duration:
            faults.append(f"delayed_start lies within the follow-up of {self.duration:g} months; got {self.delayed_start}.")
        # Half the shortest gap where visits rise; without rising visits there is none to hold a window against.
        gaps = [b - a for a, b in pairwise(self.visits) if b > a]
        half = min(gaps, default=np.inf) / 2 * DAYS_PER_MONTH
        if not 0 <= self.visit_window_days <= half:
            faults.append(
                f"visit_window_days must be at least 0 and at most half the shortest gap between visits, {half:g} days; "
                f"got {self.visit_window_days}."
            )
        return faults

    def _look_faults(self) -> list[str]:
        faults = [*order_faults(self.looks), *unseen_faults(all_looks(self), self.duration, self.recruitment)]
        if self.looks and self.recruitment is None and any(look.when != "events" for look in self.looks):
            faults.append("looks by calendar need recruitment: without it everyone starts at month 0. Add [trial.design.recruitment].")
        if self.boundary is not None and self.sequential is not None:
            faults.append("boundary and sequential both bound the looks; keep one.")
        if bool(self.looks) != (self.boundary is not None or self.sequential is not None):
            faults.append("looks and their bounds go together: give looks with boundary or sequential, or neither.")
        bounds = 0 if self.boundary is None else len(self.boundary.efficacy)
        bounds += 0 if self.sequential is None else len(self.sequential.fractions)
        if bounds and bounds != len(self.looks) + 1:
            faults.append(f"{len(self.looks)} looks need {len(self.looks) + 1} bounds, the last for the final analysis; got {bounds}.")
        return faults

    @property
    def z_bounds(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Efficacy and futility bounds on the z scale, as planned, the final analysis last; infinite without looks."""
        if self.sequential is not None:
            return planned_bounds(self.sequential)
        return ((np.inf,), (-np.inf,)) if self.boundary is None else self.boundary.z_bounds()

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the sites; none without recruitment."""
        return () if self.recruitment is None else tuple(f"site {k + 1}" for k in range(self.recruitment.sites))

    @property
    def dropout_rate(self) -> float:
        """Constant rate of leaving per month that gives `dropout_per_month`."""
        return float(-np.log1p(-self.dropout_per_month))

    @property
    def block(self) -> npt.NDArray[np.int64]:
        """Arms of one block of the allocation, spread as evenly as their ratio allows."""
        return _spread(self.allocation)

    def arms(self, n: int) -> npt.NDArray[np.int64]:
        """Arm of each of `n` participants when arms alternate; participant i's arm does not depend on `n`."""
        return np.asarray(self.block[np.arange(n) % self.block.size])

    def randomised(self, n_per_arm: int) -> int:
        """Total number randomised when the control arm has `n_per_arm`.

        Raises
        ------
        ValueError
            When `n_per_arm` does not fill whole blocks.
        """
        control = self.allocation[0]
        if n_per_arm < 1 or n_per_arm % control:
            ratio = ":".join(map(str, self.allocation))
            raise ValueError(
                f"n_per_arm counts the control arm and must be a positive multiple of {control} under allocation "
                f"{ratio}; got {n_per_arm}. Use {max(1, round(n_per_arm / control)) * control}."
            )
        return n_per_arm // control * sum(self.allocation)


def all_looks(design: ParallelDesign) -> tuple[Look, ...]:
    """Interim looks, and the one at which the size is set anew."""
    return design.looks if design.reestimation is None else (*design.looks, design.reestimation.look)


def never_reached(design: ParallelDesign, participants: int) -> list[tuple[str, Look, float]]:
    """Looks by calendar month after any possible end of a trial of this size: setting, look, and the month by which it has ended."""
    recruitment, rule = design.recruitment, design.reestimation
    if recruitment is None:
        return []
    found = []
    if rule is not None and rule.look.when == "month":
        found.append(("design.reestimation.look", rule.look, latest_end(recruitment, participants, design.duration)))
    if any(look.when == "month" for look in design.looks):
        # A pause of recruitment before the size is set anew is no longer than the follow-up.
        most, wait = (participants, 0.0) if rule is None else (int(np.ceil(participants * rule.most)), design.duration)
        end = latest_end(recruitment, most, design.duration + wait)
        found += [("design.looks", look, end) for look in design.looks if look.when == "month"]
    return [each for each in found if each[1].at >= each[2]]


def _spread(allocation: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Order one block so that the arms alternate as evenly as their ratio allows."""
    position = np.concatenate([(np.arange(count) + 0.5) / count for count in allocation])
    arm = np.repeat(np.arange(len(allocation)), allocation)
    return np.asarray(arm[np.lexsort((arm, position))], dtype=np.int64)
