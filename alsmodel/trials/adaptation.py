"""Conditional and predictive power at an interim look, and sample-size re-estimation in the promising zone.

z at information fraction t is known; what is to come is an independent increment (Lan & Wittes, Biometrics 1988;44:579).
After the second stage has been enlarged in view of the data, the ordinary z no longer keeps alpha; the statistic with the
planned weights does (Cui, Hung & Wang, Biometrics 1999;55:853). The promising zone is that of Mehta & Pocock, Stat Med
2011;30:3267. Functions take arrays of replicates.
"""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, roots_hermitenorm

from alsmodel.trials.recursion import exit_probabilities
from alsmodel.trials.sequential import Boundaries

Floats = npt.NDArray[np.float64]

_NODES, _WEIGHTS = roots_hermitenorm(48)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def conditional_power(bounds: Boundaries, look: int, statistic: float, drift: float | None = None) -> float:
    """Chance that a trial going on after `look` still claims, given its z.

    Parameters
    ----------
    bounds : Boundaries
        All planned looks.
    look : int
        Look just done, from 1.
    statistic : float
        z there.
    drift : float, optional
        Mean of z at information 1 for what is to come; default is the current trend, z / sqrt(t).

    Returns
    -------
    float
        Futility boundaries of later looks are followed.

    Raises
    ------
    ValueError
        A look after which there is no other.
    """
    if not 1 <= look < bounds.information.size:
        raise ValueError(f"look must be one of the interim looks 1 to {bounds.information.size - 1}; got {look}.")
    t = bounds.information[look - 1]
    ahead = bounds.information[look:]
    gain = ahead - t
    mean = statistic / np.sqrt(t) if drift is None else drift
    start = statistic * np.sqrt(t)
    upper = (bounds.upper[look:] * np.sqrt(ahead) - start) / np.sqrt(gain)
    lower = (bounds.stopping_lower[look:] * np.sqrt(ahead) - start) / np.sqrt(gain)
    return float(exit_probabilities(gain, lower, upper, float(mean))[0].sum())


def predictive_power(bounds: Boundaries, look: int, statistic: float, *, prior_mean: float = 0.0, prior_information: float = 0.0) -> float:
    """Conditional power averaged over what is believed of the drift after `look`.

    Parameters
    ----------
    bounds, look, statistic
        As for `conditional_power`.
    prior_mean, prior_information : float
        Normal prior of the drift: its mean, and 1 over its variance, in units where the planned maximum information is 1.
        No prior information is the flat prior.

    Returns
    -------
    float
    """
    t = bounds.information[look - 1] if 1 <= look <= bounds.information.size else 1.0
    known = t + prior_information
    mean = (statistic * np.sqrt(t) + prior_mean * prior_information) / known
    drifts = mean + _NODES / np.sqrt(known)
    return float(sum(w * conditional_power(bounds, look, statistic, float(d)) for w, d in zip(_WEIGHTS, drifts, strict=True)))


@final
@dataclass(frozen=True, kw_only=True)
class PromisingZone:
    """When and by how much a trial may be enlarged at an interim look.

    Attributes
    ----------
    fraction : float
        Planned information fraction of the look.
    bound : float
        Final critical value of z.
    low : float
        Conditional power under the current trend from which the result is promising; below it nothing changes.
    target : float
        Conditional power aimed at; from there on the result is favourable and nothing changes.
    most : float
        Largest maximum information, as a multiple of that planned.
    statistic : "weighted" or "ordinary"
        The planned weights keep alpha whatever is done. "ordinary" is the usual z: it keeps alpha only where the rule never
        enlarges below a conditional power that depends on `most` (Mehta & Pocock 2011, table 1; 0.5 always suffices, Chen,
        DeMets & Lan, Stat Med 2004;23:1023), and lower values of `low` are refused.
    """

    fraction: float = 0.5
    bound: float = 1.959964
    low: float = 0.36
    target: float = 0.9
    most: float = 2.0
    statistic: Literal["weighted", "ordinary"] = "weighted"

    def __post_init__(self) -> None:
        faults = []
        if not 0.0 < self.fraction < 1.0:
            faults.append(f"fraction must lie between 0 and 1; got {self.fraction}.")
        if not 0.0 < self.low < self.target < 1.0:
            faults.append(f"0 < low < target < 1 is needed; got low {self.low}, target {self.target}.")
        if not self.most >= 1.0:
            faults.append(f"most must be at least 1; got {self.most}.")
        if not np.isfinite(self.bound):
            faults.append(f"bound must be finite; got {self.bound}.")
        if self.statistic not in ("weighted", "ordinary"):
            faults.append(f"statistic must be weighted or ordinary; got {self.statistic!r}.")
        if self.statistic == "ordinary" and self.low < 0.5:
            faults.append(f"with the ordinary statistic low must be at least 0.5 to keep alpha; got {self.low}. Or use the weighted one.")
        if faults:
            raise ValueError("Promising zone: " + " ".join(faults))


@final
@dataclass(frozen=True, kw_only=True)
class Reestimated:
    """What the interim look decided; arrays over replicates.

    Attributes
    ----------
    conditional_power : array
        Under the current trend and the planned size.
    zone : array of int
        0 unfavourable, 1 promising, 2 favourable.
    maximum : array
        New maximum information as a multiple of that planned, at least 1.
    """

    conditional_power: Floats
    zone: npt.NDArray[np.int64]
    maximum: Floats


def reestimate(rule: PromisingZone, statistic: npt.ArrayLike) -> Reestimated:
    """Enlarge the trial where the interim z is promising.

    In the promising zone the second-stage information becomes ((z_target + c) / theta)², with
    c = (bound - sqrt(t) z) / sqrt(1 - t) and theta the current trend: that with which the weighted test has the target
    conditional power; never less than planned and never beyond `most`.

    Parameters
    ----------
    rule : PromisingZone
    statistic : array, shape (R,)
        z at the interim look.

    Returns
    -------
    Reestimated
    """
    z = np.asarray(statistic, dtype=np.float64)
    t, rest = rule.fraction, 1.0 - rule.fraction
    trend = z / np.sqrt(t)
    hurdle = (rule.bound - np.sqrt(t) * z) / np.sqrt(rest)
    power = ndtr(trend * np.sqrt(rest) - hurdle)
    zone = np.where(power < rule.low, 0, np.where(power < rule.target, 1, 2))
    if rule.statistic == "weighted":
        with np.errstate(divide="ignore", invalid="ignore"):
            needed = np.square((ndtri(rule.target) + hurdle) / trend)
    else:
        needed = _ordinary_stage(rule, z, trend)
    enlarged = np.clip(t + needed, 1.0, rule.most)
    return Reestimated(
        conditional_power=np.asarray(power),
        zone=zone.astype(np.int64),
        maximum=np.where((zone == 1) & (trend > 0.0), enlarged, 1.0),
    )


def _ordinary_stage(rule: PromisingZone, z: Floats, trend: Floats) -> Floats:
    """Second-stage information with which the ordinary final z has the target conditional power, by bisection up to `most`."""
    t = rule.fraction
    low, high = np.full(z.shape, 1.0 - t), np.full(z.shape, max(rule.most - t, 1.0 - t))
    for _ in range(60):
        middle = 0.5 * (low + high)
        power = ndtr(trend * np.sqrt(middle) - (rule.bound * np.sqrt(t + middle) - np.sqrt(t) * z) / np.sqrt(middle))
        short = power < rule.target
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return high


def final_statistic(rule: PromisingZone, first: npt.ArrayLike, second: npt.ArrayLike, maximum: npt.ArrayLike) -> Floats:
    """Combine the two stages into the final z.

    Parameters
    ----------
    rule : PromisingZone
    first : array, shape (R,)
        z of the interim look.
    second : array, shape (R,)
        z of the increment alone: (z_final sqrt(I_final) - z_interim sqrt(I_interim)) / sqrt(I_final - I_interim).
    maximum : array, shape (R,)
        Maximum information after `reestimate`; used by the ordinary statistic only.

    Returns
    -------
    array, shape (R,)
        sqrt(t) first + sqrt(1 - t) second with the planned t, or weights by the information there was.
    """
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    t = rule.fraction
    share = np.full(one.shape, t) if rule.statistic == "weighted" else t / np.asarray(maximum, dtype=np.float64)
    return np.sqrt(share) * one + np.sqrt(1.0 - share) * two
