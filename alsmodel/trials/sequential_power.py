"""What a group-sequential design does: power, exits look by look, expected size, and the price against a single look.

The drift is the mean of z at the planned maximum information: effect x sqrt(maximum information). A trial of one look has power
1 - beta at drift z_{1-alpha} + z_{1-beta}; the ratio of squares is how much information the looks cost at the most
(Jennison & Turnbull, Group Sequential Methods, 2000, chapters 2 to 4).
"""

from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import ndtri

from alsmodel.trials.recursion import exit_probabilities
from alsmodel.trials.sequential import Boundaries

Floats = npt.NDArray[np.float64]


@final
@dataclass(frozen=True, kw_only=True)
class SequentialPower:
    """Chances of a design at one drift.

    Attributes
    ----------
    drift : float
        Mean of z at information 1.
    efficacy, futility : array, shape (K,)
        Probability of stopping for each at each look; at the last look futility is the chance of ending without a claim.
    power : float
        Chance of a claim in favour of the active arm.
    other_side : float
        Chance of crossing -upper in a two-sided design; 0 otherwise.
    expected_information : float
        Mean information at the end, in units of the planned maximum.
    going_on : array, shape (K,)
        Probability of reaching each look.
    """

    drift: float
    efficacy: Floats
    futility: Floats
    power: float
    other_side: float
    expected_information: float
    going_on: Floats


def sequential_power(bounds: Boundaries, drift: float, *, follow_futility: bool = True) -> SequentialPower:
    """Compute power, exit probabilities and expected information.

    Parameters
    ----------
    bounds : Boundaries
        From `alsmodel.trials.sequential.boundaries`.
    drift : float
        Mean of z at information 1; 0 is the null.
    follow_futility : bool
        The trial stops at futility; False shows what overruling it does.

    Returns
    -------
    SequentialPower

    Examples
    --------
    >>> from alsmodel.trials.sequential import GroupSequential, boundaries
    >>> result = sequential_power(boundaries(GroupSequential(fractions=(0.5, 1.0))), drift=3.2415)
    >>> round(result.power, 4), round(result.expected_information, 4)
    (0.899, 0.8744)
    """
    two_sided = bounds.side == "two-sided"
    lower = bounds.stopping_lower if follow_futility or two_sided else np.full(bounds.upper.size, -np.inf)
    up, down = exit_probabilities(bounds.information, lower, bounds.upper, drift)
    if not two_sided and not np.isfinite(lower[-1]):
        down = down.copy()
        down[-1] = 1.0 - up.sum() - down[:-1].sum()
    going = 1.0 - np.concatenate([[0.0], np.cumsum(up + down)[:-1]])
    steps = np.diff(np.concatenate([[0.0], bounds.information]))
    without = np.zeros(up.size) if two_sided else down
    if two_sided:
        without[-1] = 1.0 - up.sum() - down.sum()
    return SequentialPower(
        drift=drift,
        efficacy=up,
        futility=without,
        power=float(up.sum()),
        other_side=float(down.sum()) if two_sided else 0.0,
        expected_information=float(going @ steps),
        going_on=going,
    )


def drift_for_power(bounds: Boundaries, power: float) -> float:
    """Find the drift at which the design has this power.

    Raises
    ------
    ValueError
        A power that is not between the type I error and 1.
    """
    floor = sequential_power(bounds, 0.0).power
    if not floor < power < 1.0 - 1e-9:
        raise ValueError(f"power must lie between the type I error {floor:.4g} and 1; got {power}.")

    def lack(drift: float) -> float:
        return sequential_power(bounds, drift).power - power

    return float(brentq(lack, 0.0, 20.0, xtol=1e-10, rtol=1e-12))


def inflation_factor(bounds: Boundaries, power: float, alpha: float) -> float:
    """Maximum information of the design over that of a trial of one look with the same error and power.

    Parameters
    ----------
    bounds : Boundaries
    power : float
    alpha : float
        Type I error of one side: half of a two-sided alpha.
    """
    return float((drift_for_power(bounds, power) / (ndtri(power) - ndtri(alpha))) ** 2)
