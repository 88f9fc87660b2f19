"""Group-sequential designs: the boundaries of a trial with several looks, as planned and at the information that came.

z is positive in favour of the active arm. Information is 1/SE² of the estimate, and the information fraction is that over
the planned maximum; a trial that overruns ends with all of its alpha, and so does one that ends short. Sources beside each
part; the integration is in `alsmodel.trials.recursion`, the specification in ``docs/methods/group_sequential.md``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Literal, final

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from alsmodel.trials.recursion import START, Ongoing, above, check_information, exit_probabilities, go_on, lower_bound, upper_bound
from alsmodel.trials.spending import (
    AbstractSpending,
    BetaSpending,
    FixedFutility,
    HaybittlePeto,
    HwangShihDeCani,
    KimDeMets,
    OBrienFlemingSpending,
    PocockSpending,
    UserSpending,
    WangTsiatis,
)

Floats = npt.NDArray[np.float64]
_Rule = Callable[[int, Ongoing, float, float, bool], float]
LEAST_LEFT = 1e-9  # share of alpha below which nothing is left to spend
_WIDEST = 50.0  # stands for an infinite gap between boundaries while a root is sought


@final
@dataclass(frozen=True, kw_only=True)
class GroupSequential:
    """What the protocol says about looks and boundaries.

    Attributes
    ----------
    fractions : tuple of float
        Planned information fractions of the looks, rising to 1.
    alpha : float
        Type I error in all, of the side or sides named.
    side : "one-sided" or "two-sided"
        Two-sided boundaries are symmetric and each look may stop on either side.
    efficacy : spending function, `WangTsiatis` or `HaybittlePeto`
        How alpha is shared.
    futility : `BetaSpending`, `FixedFutility` or None
        One-sided designs only.
    """

    fractions: tuple[float, ...] = (0.5, 1.0)
    alpha: float = 0.025
    side: Literal["one-sided", "two-sided"] = "one-sided"
    efficacy: Annotated[
        OBrienFlemingSpending | PocockSpending | HwangShihDeCani | KimDeMets | UserSpending | WangTsiatis | HaybittlePeto,
        Field(discriminator="kind"),
    ] = field(default_factory=OBrienFlemingSpending)
    futility: Annotated[BetaSpending | FixedFutility, Field(discriminator="kind")] | None = None

    def __post_init__(self) -> None:
        faults = []
        if not 0.0 < self.alpha < 0.5:
            faults.append(f"alpha must lie between 0 and 0.5; got {self.alpha}.")
        if self.side not in ("one-sided", "two-sided"):
            faults.append(f"side must be one-sided or two-sided; got {self.side!r}.")
        if not self.fractions or self.fractions[-1] != 1.0:
            faults.append(f"fractions must end with 1, the final analysis; got {self.fractions}.")
        else:
            try:
                check_information(np.asarray(self.fractions, dtype=np.float64))
            except ValueError as error:
                faults.append(f"fractions: {error}")
        if self.futility is not None and self.side == "two-sided":
            faults.append("futility boundaries need a one-sided design: give half of alpha and side = one-sided.")
        if isinstance(self.futility, FixedFutility) and len(self.futility.z) != len(self.fractions) - 1:
            faults.append(f"{len(self.fractions) - 1} interim looks need as many futility values; got {len(self.futility.z)}.")
        if isinstance(self.futility, BetaSpending) and self.alpha + self.futility.beta >= 1.0:
            faults.append(f"alpha + beta must be below 1; got {self.alpha} + {self.futility.beta}.")
        if faults:
            raise ValueError("Group-sequential design: " + " ".join(faults))

    @property
    def error_of_a_side(self) -> float:
        """Alpha on the side of benefit."""
        return self.alpha / 2.0 if self.side == "two-sided" else self.alpha

    @property
    def binding(self) -> bool:
        """Whether alpha is computed as if the trial always stopped at futility."""
        return self.futility is not None and self.futility.binding


@final
@dataclass(frozen=True, kw_only=True)
class Boundaries:
    """Boundaries on the z scale; arrays have one entry per look.

    Attributes
    ----------
    information : array, shape (K,)
        In units of the planned maximum; the last may pass 1 (overrun) or fall short of it.
    upper, lower : array, shape (K,)
        Stop for efficacy at or above `upper` (two-sided: also at or below -upper), for futility at or below `lower`.
    alpha_spent : array, shape (K,)
        Cumulative type I error, of the design's side or sides.
    beta_spent : array, shape (K,) or None
        Cumulative type II error under `drift`, with beta spending.
    nominal_p : array, shape (K,)
        One-sided p value at `upper`.
    drift : float or None
        Mean of z at information 1 that beta spending is computed under: that of the power 1 - beta.
    binding : bool
    side : str
    """

    information: Floats
    upper: Floats
    lower: Floats
    alpha_spent: Floats
    beta_spent: Floats | None
    nominal_p: Floats
    drift: float | None
    binding: bool
    side: Literal["one-sided", "two-sided"]

    @property
    def rejecting_lower(self) -> Floats:
        """Lower end of going on, for type I error: -upper, the binding futility boundary, or none."""
        if self.side == "two-sided":
            return -self.upper
        return self.lower if self.binding else np.full(self.upper.size, -np.inf)

    @property
    def stopping_lower(self) -> Floats:
        """Lower end of going on when futility is followed."""
        return -self.upper if self.side == "two-sided" else self.lower


def boundaries(
    design: GroupSequential,
    information: npt.ArrayLike | None = None,
    *,
    maximum: float = 1.0,
    last: bool = True,
    capped: bool = False,
) -> Boundaries:
    """Compute the boundaries of a design, as planned or at the information that was reached.

    Parameters
    ----------
    design : GroupSequential
        The protocol.
    information : array, shape (K,), optional
        1/SE² at each look so far, any number of looks, planned or not; default is as planned.
    maximum : float
        Planned maximum information, in the same unit.
    last : bool
        The last of `information` is the final analysis, which spends all that is left, whether it overran or fell short.
    capped : bool
        Interim looks of Haybittle and Peto spend at most what alpha has, with a larger z or none, where they would spend more; without it
        that is refused. It is for a level that a graph hands on, which may be small.

    Returns
    -------
    Boundaries

    Raises
    ------
    ValueError
        Information that does not rise; an unplanned look at a design whose shape holds at planned looks only; interim looks that spend more
        than alpha.

    Examples
    --------
    >>> boundaries(GroupSequential(fractions=(0.5, 1.0))).upper.round(4)
    array([2.9626, 1.9686])
    """
    planned = np.asarray(design.fractions, dtype=np.float64)
    fractions = planned if information is None else np.asarray(information, dtype=np.float64) / maximum
    check_information(fractions)
    as_planned = fractions.size <= planned.size and np.allclose(fractions, planned[: fractions.size], rtol=0, atol=1e-8)
    if isinstance(design.efficacy, WangTsiatis) and not as_planned:
        raise ValueError(
            f"The {design.efficacy.kind} boundary holds at the planned fractions {design.fractions}; the looks came at "
            f"{tuple(np.round(fractions, 4).tolist())}. Plan a spending function, which allows any looks."
        )
    if isinstance(design.futility, FixedFutility) and fractions.size - last > len(design.futility.z):
        raise ValueError(
            f"{fractions.size - last} interim looks came and {len(design.futility.z)} futility values were planned. "
            "Use beta spending, or add -inf for a look without futility."
        )
    drift = planned_drift(design) if isinstance(design.futility, BetaSpending) else None
    ended = last or bool(fractions[-1] >= 1.0)
    walk = _walk(design, fractions, ended, drift, _rule(design, drift, capped))
    lower = walk.lower.copy()
    if ended and design.futility is not None:
        lower[-1] = walk.upper[-1]  # at the end a trial claims or does not
    two_sided = design.side == "two-sided"
    going = -walk.upper if two_sided else lower if design.binding else np.full(lower.size, -np.inf)
    up, down = exit_probabilities(fractions, going, walk.upper)
    return Boundaries(
        information=fractions,
        upper=walk.upper,
        lower=lower,
        alpha_spent=np.cumsum(up + down if two_sided else up),
        beta_spent=None if drift is None else np.cumsum(exit_probabilities(fractions, lower, walk.upper, drift)[1]),
        nominal_p=ndtr(-walk.upper),
        drift=drift,
        binding=design.binding,
        side=design.side,
    )


@final
@dataclass(frozen=True)
class _Walk:
    """Boundaries look by look, and by how much the raw futility boundary of the last look passes the efficacy one."""

    upper: Floats
    lower: Floats
    gap: float
    spent: float


def _walk(design: GroupSequential, fractions: Floats, ended: bool, drift: float | None, rule: _Rule) -> _Walk:
    looks, futility = fractions.size, design.futility
    upper, lower = np.empty(looks), np.full(looks, -np.inf)
    null, real, spent, beta_before, gap = START, START, 0.0, 0.0, 0.0
    for k, now in enumerate(fractions):
        is_last = ended and k == looks - 1
        upper[k] = rule(k, null, float(now), spent, is_last)
        spent += above(null, now, 0.0, upper[k])
        if isinstance(futility, BetaSpending) and drift is not None:
            # Futility is followed under the alternative, whether or not alpha relies on it.
            total = float(futility.function.spent(1.0 if is_last else now, futility.beta))
            lower[k], beta_before = lower_bound(real, now, drift, total - beta_before), total
        elif isinstance(futility, FixedFutility) and k < len(futility.z):
            lower[k] = futility.z[k]
        gap = min(lower[k] - upper[k], _WIDEST)
        lower[k] = min(lower[k], upper[k])
        upcoming = fractions[k + 1] if k + 1 < looks else None
        if upcoming is None:
            break
        low = -upper[k] if design.side == "two-sided" else lower[k] if design.binding else -np.inf
        null = go_on(null, now, 0.0, low, upper[k], upcoming)
        if drift is not None:
            real = go_on(real, now, drift, lower[k], upper[k], upcoming)
    return _Walk(upper, lower, gap, spent)


def _rule(design: GroupSequential, drift: float | None, capped: bool = True) -> _Rule:
    """Give the efficacy boundary of a look: (look, ongoing under the null, information, spent before, last) -> z."""
    efficacy, error = design.efficacy, design.error_of_a_side
    if isinstance(efficacy, AbstractSpending):

        def by_spending(k: int, null: Ongoing, now: float, spent: float, is_last: bool) -> float:
            return upper_bound(null, now, 0.0, float(efficacy.spent(1.0 if is_last else now, error)) - spent)

        return by_spending
    if isinstance(efficacy, HaybittlePeto):

        def by_haybittle(k: int, null: Ongoing, now: float, spent: float, is_last: bool) -> float:
            if spent > error and not capped:
                raise ValueError(f"z = {efficacy.z} at the interim looks spends {spent:.4g}, more than alpha {error:g}. Raise z.")
            # What is left after an interim look that took the rest is rounding.
            rest = error - spent if error - spent > LEAST_LEFT * error else 0.0
            left = upper_bound(null, now, 0.0, rest) if is_last or capped else -np.inf
            return left if is_last else max(efficacy.z, left)

        return by_haybittle
    return _shaped(design, efficacy, drift)


def _shaped(design: GroupSequential, efficacy: WangTsiatis, drift: float | None) -> _Rule:
    """Boundary C t^(delta - 1/2) with the C that spends all of alpha at the planned looks."""
    planned = np.asarray(design.fractions, dtype=np.float64)

    def at(constant: float) -> _Rule:
        return lambda k, null, now, spent, is_last: float(constant * now ** (efficacy.delta - 0.5))

    def excess(constant: float) -> float:
        return _walk(design, planned, True, drift, at(constant)).spent - design.error_of_a_side

    return at(float(brentq(excess, 0.01, 30.0, xtol=1e-12, rtol=1e-12)))


@lru_cache(maxsize=256)
def planned_drift(design: GroupSequential) -> float:
    """Mean of z at full information for which beta spending ends at the efficacy boundary: that of power 1 - beta.

    Raises
    ------
    ValueError
        The design has no beta spending.
    """
    if not isinstance(design.futility, BetaSpending):
        raise ValueError("This design spends no beta; use drift_for_power to find the drift of a power.")
    fractions = np.asarray(design.fractions, dtype=np.float64)

    def gap(drift: float) -> float:
        return _walk(design, fractions, True, drift, _rule(design, drift)).gap

    fixed = float(-ndtri(design.alpha) - ndtri(design.futility.beta))
    low, high = 0.5 * fixed, 1.5 * fixed
    while gap(high) < 0.0 and high < 20.0 * fixed:
        high *= 1.5
    while gap(low) > 0.0 and low > 1e-3 * fixed:
        low *= 0.5
    return float(brentq(gap, low, high, xtol=1e-10, rtol=1e-12))
