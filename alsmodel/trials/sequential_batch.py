"""Boundaries of many replicates at once, each at the information that it reached.

As `alsmodel.trials.sequential.boundaries`, which this agrees with to 1e-5 in z, by the same recursion on a coarser grid and for all
replicates of a chunk together: an engine needs them for every replicate, since 1/SE² differs from trial to trial.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from alsmodel.trials.recursion import CLOSEST_LOOKS, FARTHEST
from alsmodel.trials.sequential import LEAST_LEFT, GroupSequential, planned_drift
from alsmodel.trials.spending import AbstractSpending, BetaSpending, FixedFutility, HaybittlePeto

Floats = npt.NDArray[np.float64]

_RESOLUTIONS, _CHUNK, _HALVINGS = (16, 24, 40, 64, 100), 100, 45


@final
@dataclass(frozen=True, kw_only=True)
class ReplicateBoundaries:
    """Boundaries on the z scale; arrays have shape (R, K).

    Attributes
    ----------
    upper, lower : array
        Stop for efficacy at or above `upper` (two-sided: also at or below -upper), for futility at or below `lower`. NaN for a
        look that a replicate does not have.
    valid : array of bool, shape (R,)
        Information rises from look to look; without it the row is NaN, and the trial counts as a failure.
    """

    upper: Floats
    lower: Floats
    valid: npt.NDArray[np.bool_]


def replicate_boundaries(
    design: GroupSequential,
    information: npt.ArrayLike,
    *,
    maximum: float | npt.ArrayLike = 1.0,
    last: bool = True,
    futility: npt.ArrayLike | None = None,
) -> ReplicateBoundaries:
    """Compute the boundaries of every replicate, the same bits in any company.

    Parameters
    ----------
    design : GroupSequential
        With a spending function or Haybittle-Peto, whose interim looks spend at most what alpha has; the classical shapes hold at planned
        looks, where one call of `boundaries` serves all.
    information : array, shape (R, K)
        1/SE² at each look; trailing NaN for looks that a replicate does not have.
    maximum : float or array, shape (R,)
        Planned maximum information.
    last : bool
        The last look of each replicate is its final analysis and spends all that is left.
    futility : array, shape (R, K), optional
        Fixed futility numbers of the looks that each replicate has, -inf for none, in place of those of the design's `FixedFutility`.

    Returns
    -------
    ReplicateBoundaries

    Raises
    ------
    ValueError
        A classical shape, or more looks than futility values.
    """
    looks = np.atleast_2d(np.asarray(information, dtype=np.float64))
    if not isinstance(design.efficacy, AbstractSpending | HaybittlePeto):
        raise ValueError("Boundaries by replicate need a spending function or Haybittle-Peto.")
    named = _named(design, looks.shape, last) if futility is None else np.asarray(futility, dtype=np.float64)
    fractions = looks / np.broadcast_to(np.asarray(maximum, dtype=np.float64), looks.shape[:1])[:, None]
    seen = np.isfinite(fractions)
    with np.errstate(invalid="ignore"):
        rising = np.where(seen[:, 1:], np.diff(fractions, axis=1) >= CLOSEST_LOOKS * fractions[:, 1:], True).all(axis=1)
    together = ~(seen[:, 1:] & ~seen[:, :-1]).any(axis=1)
    valid = rising & together & seen[:, 0] & (np.nan_to_num(fractions[:, 0], nan=-1.0) > 0.0)
    upper, lower = np.full(looks.shape, np.nan), np.full(looks.shape, np.nan)
    drift = planned_drift(design) if isinstance(design.futility, BetaSpending) else None
    rows = np.flatnonzero(valid)
    fineness = _resolutions(fractions[rows])
    for resolution in np.unique(fineness):
        mine = rows[fineness == resolution]
        for start in range(0, mine.size, _CHUNK):
            part = mine[start : start + _CHUNK]
            upper[part], lower[part] = _chunk(design, fractions[part], seen[part], last, drift, named[part], int(resolution))
    return ReplicateBoundaries(upper=np.where(seen, upper, np.nan), lower=np.where(seen, lower, np.nan), valid=valid)


def _named(design: GroupSequential, shape: tuple[int, ...], last: bool) -> Floats:
    """Fixed futility numbers of every look, -inf for none."""
    found = np.full(shape, -np.inf)
    if isinstance(design.futility, FixedFutility):
        if shape[1] - last > len(design.futility.z):
            raise ValueError(f"{shape[1] - last} interim looks and {len(design.futility.z)} futility values; give one per interim look.")
        upto = min(shape[1], len(design.futility.z))
        found[:, :upto] = design.futility.z[:upto]
    return found


def _resolutions(fractions: Floats) -> npt.NDArray[np.int64]:
    """Grid that the closest looks of each replicate need, from a few sizes; that of its neighbours decides nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        width = np.sqrt(np.fmin.reduce(np.diff(fractions, axis=1) / fractions[:, :-1], axis=1, initial=np.inf))
        needed = np.ceil(4.0 / width)
    return np.asarray(np.array(_RESOLUTIONS, dtype=np.int64)[np.searchsorted(_RESOLUTIONS[:-1], needed)])


@final
class _Front:
    """Sub-density of the trials still going on, in every replicate: points z and masses (R, m) at information (R,)."""

    def __init__(self, replicates: int, drift: float) -> None:
        self.z, self.mass = np.zeros((replicates, 1)), np.ones((replicates, 1))
        self.information, self.drift = np.zeros(replicates), drift

    def _excess(self, now: Floats) -> tuple[Floats, Floats]:
        gain = now - self.information
        return (self.z * np.sqrt(self.information)[:, None] + (self.drift * gain)[:, None]) / np.sqrt(gain)[:, None], np.sqrt(now / gain)

    def tail(self, now: Floats, bound: Floats, side: float) -> Floats:
        """Probability of z beyond `bound`: above for side 1, below for side -1."""
        mean, scale = self._excess(now)
        return np.asarray((self.mass * ndtr(side * (mean - (bound * scale)[:, None]))).sum(axis=1))

    def quantile(self, now: Floats, probability: Floats, side: float) -> Floats:
        """The z beyond which lies `probability`; infinite where there is none to spend, by halving."""
        mean, scale = self._excess(now)
        reach = FARTHEST / 2 + abs(self.drift) * np.sqrt(now)
        low, high = -reach, reach
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            more = (self.mass * ndtr(side * (mean - (middle * scale)[:, None]))).sum(axis=1) > probability
            up = more if side > 0 else ~more
            low, high = np.where(up, middle, low), np.where(up, high, middle)
        found = np.where(probability <= 1e-16, side * np.inf, 0.5 * (low + high))
        return np.where(probability >= self.mass.sum(axis=1), -side * np.inf, found)

    def go_on(self, now: Floats, low: Floats, high: Floats, resolution: int) -> None:
        """Keep what lies between `low` and `high`; points pressed against a boundary have no weight."""
        r = resolution
        outer = 3.0 + 4.0 * np.log(r / np.arange(1, r))
        base = np.concatenate([-outer, np.linspace(-3.0, 3.0, 4 * r + 1), outer[::-1]])
        edges = np.clip((self.drift * np.sqrt(now))[:, None] + base, low[:, None], np.maximum(low, high)[:, None])
        step = np.diff(edges, axis=1)
        z = np.empty((now.size, 2 * base.size - 1))
        z[:, ::2], z[:, 1::2] = edges, edges[:, :-1] + 0.5 * step
        weight = np.zeros(z.shape)
        weight[:, :-2:2] += step / 6.0
        weight[:, 2::2] += step / 6.0
        weight[:, 1::2] = step * (4.0 / 6.0)
        mean, scale = self._excess(now)
        away = (z * scale[:, None])[:, :, None] - mean[:, None, :]
        np.multiply(away, away, out=away)
        away *= -0.5
        np.exp(away, out=away)
        density = (away @ self.mass[:, :, None])[:, :, 0] * (scale / np.sqrt(2.0 * np.pi))[:, None]
        self.z, self.mass, self.information = z, weight * density, now


def _chunk(
    design: GroupSequential,
    fractions: Floats,
    seen: npt.NDArray[np.bool_],
    last: bool,
    drift: float | None,
    named: Floats,
    resolution: int,
) -> tuple[Floats, Floats]:
    replicates, looks = fractions.shape
    two_sided, futility = design.side == "two-sided", design.futility
    error = design.error_of_a_side
    upper, lower = np.full(fractions.shape, np.nan), np.full(fractions.shape, -np.inf)
    null, real = _Front(replicates, 0.0), None if drift is None else _Front(replicates, drift)
    spent, beta_spent = np.zeros(replicates), np.zeros(replicates)
    for k in range(looks):
        # A replicate without this look gets one in its place, whose result is not used.
        now = np.where(seen[:, k], fractions[:, k], null.information + 1.0)
        final_look = seen[:, k] & (last & ~(seen[:, k + 1] if k + 1 < looks else np.zeros(replicates, dtype=bool)) | (now >= 1.0))
        reached = np.where(final_look, 1.0, now)
        if isinstance(design.efficacy, HaybittlePeto):
            rest = np.where(error - spent > LEAST_LEFT * error, error - spent, 0.0)
            left = null.quantile(now, rest, 1.0)
            upper[:, k] = np.where(final_look, left, np.maximum(design.efficacy.z, left))
        elif isinstance(design.efficacy, AbstractSpending):
            upper[:, k] = null.quantile(now, design.efficacy.spent(reached, error) - spent, 1.0)
        spent += null.tail(now, upper[:, k], 1.0)
        if isinstance(futility, BetaSpending) and real is not None:
            total = futility.function.spent(reached, futility.beta)
            lower[:, k], beta_spent = real.quantile(now, total - beta_spent, -1.0), total
        elif isinstance(futility, FixedFutility):
            lower[:, k] = named[:, k]
        lower[:, k] = np.minimum(lower[:, k], upper[:, k])
        if futility is not None:
            lower[:, k] = np.where(final_look, upper[:, k], lower[:, k])
        if k + 1 == looks:
            break
        going = -upper[:, k] if two_sided else lower[:, k] if design.binding else np.full(replicates, -np.inf)
        null.go_on(now, going, upper[:, k], resolution)
        if real is not None:
            real.go_on(now, lower[:, k], upper[:, k], resolution)
    return upper, lower
