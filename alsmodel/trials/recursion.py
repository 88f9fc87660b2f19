"""Recursive integration of the sequence of z statistics of a trial with several looks.

With information I_k and drift theta, the score S_k = z_k sqrt(I_k) gains independent increments
N(theta (I_k - I_{k-1}), I_k - I_{k-1}); the sub-density of trials still going on is carried from look to look
(Armitage, McPherson & Rowe, J R Stat Soc A 1969;132:235) by Simpson's rule on the grid of Jennison & Turnbull
(Group Sequential Methods, 2000, section 19.2): dense within three standard deviations of the mean, then logarithmic.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import ndtr

Floats = npt.NDArray[np.float64]

RESOLUTION = 32  # the r of Jennison and Turnbull; errors of order 1e-9 in probabilities
MOST_RESOLUTION = 400
CLOSEST_LOOKS = 1e-5  # gain in information, as a share of the information, below which two looks are one
FARTHEST = 40.0  # a boundary beyond this z is never crossed in double precision


@final
@dataclass(frozen=True)
class Ongoing:
    """The trials still going on after a look: points on the z scale with their probability.

    Attributes
    ----------
    information : float
        Of that look; 0 before the first.
    z, mass : array, shape (m,)
        Grid, and density times weight.
    """

    information: float
    z: Floats
    mass: Floats


START = Ongoing(0.0, np.zeros(1), np.ones(1))


def above(ongoing: Ongoing, information: float, drift: float, bound: float) -> float:
    """Probability of going on until now and having z above `bound` at `information`."""
    if bound == -np.inf:
        return float(ongoing.mass.sum())
    gain = information - ongoing.information
    excess = ongoing.z * np.sqrt(ongoing.information) + drift * gain - bound * np.sqrt(information)
    return float(ongoing.mass @ ndtr(excess / np.sqrt(gain)))


def below(ongoing: Ongoing, information: float, drift: float, bound: float) -> float:
    """Probability of going on until now and having z below `bound` at `information`."""
    gain = information - ongoing.information
    excess = ongoing.z * np.sqrt(ongoing.information) + drift * gain - bound * np.sqrt(information)
    return float(ongoing.mass @ ndtr(-excess / np.sqrt(gain)))


def go_on(ongoing: Ongoing, information: float, drift: float, low: float, high: float, upcoming: float | None) -> Ongoing:
    """Trials with z between `low` and `high` at `information`; `upcoming` is the next look's information, if any.

    The next increment is a normal density of width sqrt(gain / information) on the z scale, which the grid must resolve.
    """
    resolution = RESOLUTION
    if upcoming is not None:
        width = np.sqrt((upcoming - information) / information)
        resolution = int(min(max(RESOLUTION, np.ceil(4.0 / width)), MOST_RESOLUTION))
    z, weight = grid(low, high, drift * np.sqrt(information), resolution)
    gain = information - ongoing.information
    away = (z[:, None] * np.sqrt(information) - ongoing.z * np.sqrt(ongoing.information) - drift * gain) / np.sqrt(gain)
    density = np.exp(-0.5 * away * away) @ ongoing.mass * np.sqrt(information / gain / (2.0 * np.pi))
    return Ongoing(information, z, weight * density)


def grid(low: float, high: float, centre: float, resolution: int) -> tuple[Floats, Floats]:
    """Points and Simpson weights between `low` and `high`; empty when nothing lies between."""
    r = resolution
    outer = 3.0 + 4.0 * np.log(r / np.arange(1, r))
    points = centre + np.concatenate([-outer, np.linspace(-3.0, 3.0, 4 * r + 1), outer[::-1]])
    left, right = max(low, points[0]), min(high, points[-1])
    if not left < right:
        return np.zeros(0), np.zeros(0)
    edges = np.concatenate([[left], points[(points > left) & (points < right)], [right]])
    step = np.diff(edges)
    z = np.empty(2 * edges.size - 1)
    z[::2], z[1::2] = edges, edges[:-1] + 0.5 * step
    weight = np.zeros(z.size)
    weight[:-2:2] += step / 6.0
    weight[2::2] += step / 6.0
    weight[1::2] = step * (4.0 / 6.0)
    return z, weight


def upper_bound(ongoing: Ongoing, information: float, drift: float, probability: float) -> float:
    """Return the z exceeded with `probability` by trials going on until now; infinite when that is nothing."""
    if probability <= 1e-16:
        return np.inf
    if probability >= ongoing.mass.sum():
        return -np.inf
    return float(brentq(lambda b: above(ongoing, information, drift, b) - probability, -FARTHEST, FARTHEST, xtol=1e-12, rtol=1e-12))


def lower_bound(ongoing: Ongoing, information: float, drift: float, probability: float) -> float:
    """Return the z not reached with `probability` by trials going on until now; -infinite when that is nothing."""
    if probability <= 1e-16:
        return -np.inf
    if probability >= ongoing.mass.sum():
        return np.inf
    top = FARTHEST + abs(drift) * np.sqrt(information)
    return float(brentq(lambda b: below(ongoing, information, drift, b) - probability, -top, top, xtol=1e-12, rtol=1e-12))


def exit_probabilities(information: npt.ArrayLike, lower: npt.ArrayLike, upper: npt.ArrayLike, drift: float = 0.0) -> tuple[Floats, Floats]:
    """Probability of leaving through the upper and through the lower boundary, look by look.

    Parameters
    ----------
    information : array, shape (K,)
        Rising information of the looks, in any unit.
    lower, upper : array, shape (K,)
        Boundaries on the z scale; infinite where there is none.
    drift : float
        Mean of z over the square root of information: the effect, when information is 1/SE².

    Returns
    -------
    up, down : array, shape (K,)

    Raises
    ------
    ValueError
        Information that does not rise or boundaries that cross.

    Examples
    --------
    >>> up, down = exit_probabilities([0.5, 1.0], [-np.inf, -np.inf], [2.0, 2.0])
    >>> up.round(6)
    array([0.02275 , 0.015236])
    """
    looks, low, high = (np.asarray(values, dtype=np.float64) for values in (information, lower, upper))
    check_information(looks)
    if low.shape != looks.shape or high.shape != looks.shape:
        raise ValueError(f"{looks.size} looks need as many boundaries; got {low.size} lower and {high.size} upper.")
    if (low > high).any():
        raise ValueError("A lower boundary lies above the upper one. Check the signs: z is positive in favour of the active arm.")
    up, down, ongoing = np.zeros(looks.size), np.zeros(looks.size), START
    for k, now in enumerate(looks):
        up[k], down[k] = above(ongoing, now, drift, high[k]), below(ongoing, now, drift, low[k])
        upcoming = looks[k + 1] if k + 1 < looks.size else None
        ongoing = go_on(ongoing, now, drift, low[k], high[k], upcoming)
    return up, down


def check_information(information: Floats) -> None:
    """Refuse information that is not positive, finite and rising."""
    if information.ndim != 1 or information.size == 0 or not np.isfinite(information).all() or information[0] <= 0.0:
        raise ValueError(f"Information of the looks must be positive, finite and one row; got {information.tolist()}.")
    gains = np.diff(information) / information[1:]
    if (gains < CLOSEST_LOOKS).any():
        k = int(np.argmax(gains < CLOSEST_LOOKS)) + 1
        raise ValueError(
            f"Information must rise from look to look; it goes from {information[k - 1]:g} to {information[k]:g} at look {k + 1}. "
            "Leave out the look that added nothing, or use the information of the later analysis for both."
        )
