"""Win ratio, win odds and net benefit: every active participant against every control, survival first, function second.

The rules of a comparison are those of `alsmodel.estimators.joint_rank`, with a margin: function decides only when the
difference is larger than it. With :math:`\\pi_w, \\pi_l` the shares of pairs won and lost by the active arm,

.. math::

    \\mathrm{WR} = \\frac{\\pi_w}{\\pi_l},\\quad
    \\mathrm{WO} = \\frac{\\pi_w + \\pi_t / 2}{\\pi_l + \\pi_t / 2},\\quad
    \\mathrm{NB} = \\pi_w - \\pi_l

Pocock et al., Eur Heart J 2012;33:176; Buyse, Stat Med 2010;29:3245; Brunner et al., Stat Med 2021;40:3367. Variances are
those of two-sample U statistics: Bebu & Lachin, Biostatistics 2016;17:178. Strata: Dong et al., J Biopharm Stat
2018;28:778.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.special import ndtr

from alsmodel.estimators._events import event_data
from alsmodel.estimators._hierarchy import BLOCK, by_function, compared, function_scores, order_keys

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
WinMeasure = Literal["win ratio", "win odds", "net benefit"]

OK, NO_FINITE_ESTIMATE, NOT_ESTIMABLE = 0, 1, 2
STATUS = {OK: "ok", NO_FINITE_ESTIMATE: "one arm wins no pair", NOT_ESTIMABLE: "not estimable"}


@dataclass(frozen=True, kw_only=True)
class WinFits:
    """One win analysis per replicate; arrays have shape (R,).

    Attributes
    ----------
    estimate, standard_error : array
        Log win ratio, log win odds or net benefit, by `measure`; positive favours the active arm.
    df : array
        Infinite: the reference is the normal distribution.
    statistic, p_value : array
        Estimate / SE and its two-sided p value.
    wins, losses, ties : array
        Shares of pairs, over strata with the weights of the estimate; they add up to 1.
    pairs_won, pairs_lost, pairs_tied : array of int
        Numbers of pairs, over all strata.
    participants, status : array of int
        Status is a key into `STATUS`. "one arm wins no pair": no finite win ratio (a failure for the win ratio).
        "not estimable": no stratum with two participants in each arm, or a variance of zero.
    measure : str
    """

    estimate: Floats
    standard_error: Floats
    df: Floats
    statistic: Floats
    p_value: Floats
    wins: Floats
    losses: Floats
    ties: Floats
    pairs_won: Integers
    pairs_lost: Integers
    pairs_tied: Integers
    participants: Integers
    status: Integers
    measure: WinMeasure

    @property
    def failed(self) -> npt.NDArray[np.bool_]:
        """True where there is no result."""
        return np.asarray(self.status != OK)


@njit(cache=True, nogil=True, error_model="numpy")
def _against(own, key, values, keys, size, margin, sign):  # type: ignore[no-untyped-def]
    """Fill sign[:size]: 1 where the participant fared better than an opponent, -1 where worse, 0 for a tie.

    The last visit that both have decides, so visits overwrite one another in turn: no branch, hence many opponents at a time.
    """
    sign[:size] = 0.0
    for v in range(own.size):
        mine = own[v]
        for k in range(size):
            difference = mine - values[v, k]
            s = 0.0 if abs(difference) <= margin else sign[k]  # not a number: nothing changes
            s = 1.0 if difference > margin else s
            sign[k] = -1.0 if difference < -margin else s
    for k in range(size):
        survived = 1.0 if key > keys[k] else -1.0
        sign[k] = sign[k] if by_function(key, keys[k]) else survived


@njit(cache=True, nogil=True, error_model="numpy")
def _spread(won, lost, members, size, pairs, moments):  # type: ignore[no-untyped-def]
    """Add to moments the variances of the shares won and lost and their covariance, from one arm's participants."""
    mean_won, mean_lost = 0.0, 0.0
    for m in range(size):
        mean_won += won[members[m]] / pairs / size
        mean_lost += lost[members[m]] / pairs / size
    for m in range(size):
        a, b = won[members[m]] / pairs - mean_won, lost[members[m]] / pairs - mean_lost
        moments[0] += a * a / (size * (size - 1.0))
        moments[1] += a * b / (size * (size - 1.0))
        moments[2] += b * b / (size * (size - 1.0))


@njit(cache=True, nogil=True, error_model="numpy")
def _batch(values, first, time, order, event, arm, stratum, levels, margin, shares, counts):  # type: ignore[no-untyped-def]
    """Fill shares (R, 5: won, lost, variance of won, covariance, variance of lost) and counts (R, 4: won, lost, tied, strata)."""
    block, visits, people = values.shape
    key, line, keys = np.empty(people, dtype=np.int64), np.empty(people, dtype=np.int64), np.empty(people, dtype=np.int64)
    active, control = np.empty(people, dtype=np.int64), np.empty(people, dtype=np.int64)
    won, lost, moments = np.zeros(people, dtype=np.int64), np.zeros(people, dtype=np.int64), np.zeros(3)
    own, theirs, sign = np.empty(visits), np.empty((visits, people)), np.empty(people)
    beaten, beat = np.empty(people, dtype=np.int64), np.empty(people, dtype=np.int64)
    for q in range(block):
        r = first + q
        groups = arm[r if arm.shape[0] > 1 else 0]
        layers = stratum[r if stratum.shape[0] > 1 else 0]
        number = order_keys(time[r], order[r], event[r], groups, key, line)
        won[:] = 0
        lost[:] = 0
        total_weight = 0.0
        for s in range(levels):
            n1, n0 = 0, 0
            for m in range(number):
                if layers[line[m]] == s and groups[line[m]] == 1:
                    active[n1] = line[m]
                    n1 += 1
                elif layers[line[m]] == s:
                    control[n0] = line[m]
                    n0 += 1
            if n1 == 0 or n0 == 0:
                continue
            for k in range(n0):
                keys[k], beaten[k], beat[k] = key[control[k]], 0, 0
                for v in range(visits):
                    theirs[v, k] = values[q, v, control[k]]
            wins, losses = 0, 0
            for m in range(n1):
                i = active[m]
                for v in range(visits):
                    own[v] = values[q, v, i]
                _against(own, key[i], theirs, keys, n0, margin, sign)
                up, down = 0, 0
                for k in range(n0):
                    win, loss = int(sign[k] > 0.0), int(sign[k] < 0.0)
                    up += win
                    down += loss
                    beaten[k] += win
                    beat[k] += loss
                won[i], lost[i] = up, down
                wins += up
                losses += down
            for k in range(n0):
                won[control[k]], lost[control[k]] = beaten[k], beat[k]
            counts[r, 0] += wins
            counts[r, 1] += losses
            counts[r, 2] += n1 * n0 - wins - losses
            if n1 < 2 or n0 < 2:
                continue
            counts[r, 3] += 1
            weight = n1 * n0 / (n1 + n0)
            total_weight += weight
            moments[:] = 0.0
            _spread(won, lost, active, n1, n0, moments)
            _spread(won, lost, control, n0, n1, moments)
            shares[r, 0] += weight * wins / (n1 * n0)
            shares[r, 1] += weight * losses / (n1 * n0)
            for a in range(3):
                shares[r, 2 + a] += weight * weight * moments[a]
        if total_weight > 0.0:
            for a in range(5):
                shares[r, a] /= total_weight if a < 2 else total_weight * total_weight


def fit_win(
    scores: npt.ArrayLike,
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    arm: npt.ArrayLike,
    *,
    measure: WinMeasure = "win ratio",
    strata: npt.ArrayLike | None = None,
    change: bool = True,
    margin: float = 0.0,
) -> WinFits:
    """Count the pairs that the active arm wins and loses in every replicate, and test their balance.

    Parameters
    ----------
    scores : array, shape (R, n, V) or (n, V)
        Function at each visit, higher is better; the first visit is the baseline. NaN where not observed, which includes
        every visit after the event.
    time : array, shape (R, n) or (n,)
        Months to death (or what counts as it) or to censoring.
    event : array of 0 and 1, same shape
    arm : array of int, shape (n,) or (R, n)
        0 control, 1 active, -1 left out.
    measure : "win ratio", "win odds" or "net benefit"
        What is estimated and tested; ties count half in the odds and are left out of the ratio.
    strata : array of int, shape (n,) or (R, n), optional
        Pairs are made within strata; a stratum's shares get weight n1 n0 / (n1 + n0). Strata with fewer than two
        participants in an arm have no variance and no weight.
    change : bool
        Compare changes from the first visit; off: the scores themselves, the first visit included.
    margin : float
        Points by which function must differ to decide a pair.

    Returns
    -------
    WinFits

    Raises
    ------
    ValueError
        Shapes that do not fit, impossible values, or a negative margin.

    Examples
    --------
    >>> scores = [[40.0, 30.0], [40.0, 36.0], [40.0, np.nan], [40.0, 38.0]]
    >>> fit = fit_win(scores, [12.0, 12.0, 5.0, 12.0], [0, 0, 1, 0], [0, 1, 0, 1], measure="net benefit")
    >>> int(fit.pairs_won[0]), int(fit.pairs_lost[0])
    (4, 0)
    """
    if measure not in ("win ratio", "win odds", "net benefit"):
        raise ValueError(f"measure must be 'win ratio', 'win odds' or 'net benefit'; got {measure!r}.")
    if not (np.isfinite(margin) and margin >= 0):
        raise ValueError(f"margin must be a number of points, at least 0; got {margin}.")
    data = event_data(time, event, arm, strata)
    given = function_scores(scores, data)
    replicates = data.time.shape[0]
    shares, counts = np.zeros((replicates, 5)), np.zeros((replicates, 4), dtype=np.int64)
    for first in range(0, replicates, BLOCK):
        values = compared(given[first : first + BLOCK], change)
        _batch(
            values, first, data.time, data.order, data.event, data.arm, data.strata, data.levels, float(margin), shares, counts
        )  # fmt: skip
    estimate, error, status = _measure(measure, shares, counts[:, 3])
    statistic = estimate / error
    none = counts[:, 3] == 0
    wins, losses = np.where(none, np.nan, shares[:, 0]), np.where(none, np.nan, shares[:, 1])
    return WinFits(
        estimate=estimate,
        standard_error=error,
        df=np.full(replicates, np.inf),
        statistic=statistic,
        p_value=2.0 * ndtr(-np.abs(statistic)),
        wins=wins,
        losses=losses,
        ties=1.0 - wins - losses,
        pairs_won=counts[:, 0],
        pairs_lost=counts[:, 1],
        pairs_tied=counts[:, 2],
        participants=data.participants,
        status=status,
        measure=measure,
    )


def _measure(measure: WinMeasure, shares: Floats, strata: Integers) -> tuple[Floats, Floats, Integers]:
    """Estimate, SE (delta method) and status from the shares of pairs and their variances."""
    won, lost, var_won, cov, var_lost = shares.T
    with np.errstate(invalid="ignore", divide="ignore"):
        if measure == "win ratio":
            estimate = np.log(won / lost)
            variance = var_won / won**2 + var_lost / lost**2 - 2.0 * cov / (won * lost)
        else:
            estimate, variance = won - lost, var_won + var_lost - 2.0 * cov
            if measure == "win odds":
                better = 0.5 * (1.0 + estimate)
                estimate, variance = np.log(better / (1.0 - better)), 0.25 * variance / (better * (1.0 - better)) ** 2
        usable = np.isfinite(estimate) & (variance > 1e-14)
        empty = (strata > 0) & ~np.isfinite(estimate)
        status = np.where(usable, OK, np.where(empty, NO_FINITE_ESTIMATE, NOT_ESTIMABLE))
        return np.where(usable, estimate, np.nan), np.where(usable, np.sqrt(variance), np.nan), status
