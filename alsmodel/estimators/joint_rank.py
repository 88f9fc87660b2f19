"""Combined assessment of function and survival (CAFS): a joint rank of everyone, compared between arms by ANCOVA.

Berry et al., Amyotroph Lateral Scler Frontotemporal Degener 2013;14:162; the idea of joint ranks is Finkelstein &
Schoenfeld, Stat Med 1999;18:1341. Every participant is compared with every other and gets +1, 0 or -1:

1. One died and the other was followed at least that long (being censored at that very time is long enough): the one who
   died fared worse.
2. Otherwise (both alive when last followed, or the death came after the other was lost, or both died at the same time)
   the change of the score from baseline at the last visit at which **both** have a score decides; a higher score is better.
3. Equal changes, no visit in common or no baseline score: a tie, 0.

The sum over the others is the participant's score; scores are ranked over both arms, ties sharing the mean rank (1 worst).

All pairs are counted in O(n V log n) by visit: if the earlier of the two last visits is v and the other has a score at v,
then v is the last in common. So those whose last visit is v meet everyone seen at v, by counts over values in a Fenwick
tree that fills in the order of times. Pairs in which the other missed v are few and are looked up one by one.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.special import ndtr, stdtr

from alsmodel.estimators._events import EventData, covariate_array, event_data
from alsmodel.estimators._hierarchy import BLOCK, by_function, compared, function_scores, last_seen, order_keys
from alsmodel.estimators._pattern_sums import invert

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Reference = Literal["t", "normal"]

OK, NOT_ESTIMABLE = 0, 1
STATUS = {OK: "ok", NOT_ESTIMABLE: "not estimable"}
MAX_WHOLE = 4096  # whole numbers within this span need no sorting


@dataclass(frozen=True, kw_only=True)
class JointRankFits:
    """One joint-rank analysis per replicate; arrays have shape (R,).

    Attributes
    ----------
    estimate, standard_error : array
        Difference in mean rank, active minus control, adjusted for covariates and strata; positive favours the active
        arm. It grows with the number of participants: divide by that for a figure that compares between trials.
    df : array
        Residual degrees of freedom, or infinite with `reference` "normal".
    statistic, p_value : array
        Estimate / SE and its two-sided p value.
    participants, status : array of int
        Status is a key into `STATUS`. "not estimable": an arm is empty, all ranks are equal, or a covariate is redundant.
    reference : "t" or "normal"
    """

    estimate: Floats
    standard_error: Floats
    df: Floats
    statistic: Floats
    p_value: Floats
    participants: Integers
    status: Integers
    reference: Reference

    @property
    def failed(self) -> npt.NDArray[np.bool_]:
        """True where there is no result."""
        return np.asarray(self.status != OK)


@njit(cache=True, nogil=True, error_model="numpy")
def _whole_numbers(values):  # type: ignore[no-untyped-def]
    """Whether all values are whole numbers within a span that needs no sorting, and the lowest."""
    low, high = 0.0, 0.0
    for value in values.flat:
        if not np.isnan(value):
            if value != np.floor(value):
                return False, 0.0
            low, high = min(low, value), max(high, value)
    return high - low < MAX_WHOLE, low


@njit(cache=True, nogil=True, error_model="numpy")
def _levels(values, order, whole, low, key, level):  # type: ignore[no-untyped-def]
    """Dense level of each value among those of its visit (-1: none); returns the number of levels, the most of any visit."""
    visits, people = values.shape
    most = 1
    for v in range(visits):
        if whole:
            for i in range(people):
                seen = key[i] >= 0 and not np.isnan(values[v, i])
                level[v, i] = int(values[v, i] - low) if seen else -1
                most = max(most, level[v, i] + 1)
            continue
        count, before = -1, np.nan
        for m in range(people):
            i = order[v, m]
            level[v, i] = -1
            if key[i] >= 0 and not np.isnan(values[v, i]):
                if values[v, i] != before:
                    count, before = count + 1, values[v, i]
                level[v, i] = count
        most = max(most, count + 1)
    return most


@njit(cache=True, nogil=True, error_model="numpy")
def _insert(tree, at):  # type: ignore[no-untyped-def]
    """Add one at level `at` of a Fenwick tree."""
    i = at + 1
    while i < tree.shape[0]:
        tree[i] += 1
        i += i & (-i)


@njit(cache=True, nogil=True, error_model="numpy")
def _below(tree, at):  # type: ignore[no-untyped-def]
    """How many lie at levels under `at`."""
    total, i = 0, at
    while i > 0:
        total += tree[i]
        i -= i & (-i)
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _meet(members, size, level, key, ended, all_data, tree, counts, score):  # type: ignore[no-untyped-def]
    """Compare by function at one visit, members in the order of keys.

    With `all_data` those whose last visit it is (`ended`) meet all members; otherwise the others meet those who ended.
    """
    levels = tree.shape[0] - 1
    # The censored among themselves: a histogram is enough.
    counts[: levels + 1] = 0
    total, last_death = 0, -1
    for m in range(size):
        i = members[m]
        if key[i] % 2 == 0:
            last_death = m
        elif all_data or ended[i]:
            counts[level[i] + 1] += 1
            total += 1
    for b in range(levels):
        counts[b + 1] += counts[b]
    for m in range(size):
        i = members[m]
        if key[i] % 2 == 1 and ended[i] == all_data:
            score[i] += counts[level[i]] - (total - counts[level[i] + 1])
    if last_death < 0:
        return
    # A death meets the censored before it, in rising order of time ...
    tree[:] = 0
    inside = 0
    for m in range(last_death + 1):
        i = members[m]
        if key[i] % 2 == 1:
            if all_data or ended[i]:
                _insert(tree, level[i])
                inside += 1
        elif ended[i] == all_data:
            if inside > 0:
                score[i] += _below(tree, level[i]) - (inside - _below(tree, level[i] + 1))
            for step in (-1, 1):  # deaths at the same time
                k = m + step
                while 0 <= k < size and key[members[k]] == key[i]:
                    j = members[k]
                    if all_data or ended[j]:
                        score[i] += (level[i] > level[j]) - (level[i] < level[j])
                    k += step
    # ... and the censored meet the deaths after them, in falling order.
    tree[:] = 0
    inside = 0
    for m in range(last_death, -1, -1):
        i = members[m]
        if key[i] % 2 == 0:
            if all_data or ended[i]:
                _insert(tree, level[i])
                inside += 1
        elif ended[i] == all_data and inside > 0:
            score[i] += _below(tree, level[i]) - (inside - _below(tree, level[i] + 1))


@njit(cache=True, nogil=True, error_model="numpy")
def _missed(v, line, number, level, key, last, score):  # type: ignore[no-untyped-def]
    """Pairs of one who ended at `v` and one seen later but not at `v`: go back to their last visit in common."""
    for m in range(number):
        j = line[m]
        if last[j] <= v or level[v, j] >= 0:
            continue
        for n in range(number):
            i = line[n]
            if last[i] != v or not by_function(key[i], key[j]):
                continue
            w = v - 1
            while w >= 0 and (level[w, i] < 0 or level[w, j] < 0):
                w -= 1
            if w >= 0:
                sign = (level[w, i] > level[w, j]) - (level[w, i] < level[w, j])
                score[i] += sign
                score[j] -= sign


@njit(cache=True, nogil=True, error_model="numpy")
def _joint_scores(line, number, level, levels, key, last, members, ended, tree, counts, score):  # type: ignore[no-untyped-def]
    """Sum of +1, 0, -1 over the comparisons of each participant with all others."""
    visits = level.shape[0]
    deaths, done = 0, 0
    while done < number:
        after = done
        while after < number and key[line[after]] == key[line[done]]:
            after += 1
        dead = key[line[done]] % 2 == 0
        for m in range(done, after):
            score[line[m]] = deaths - (number - after if dead else 0)
        if dead:
            deaths += after - done
        done = after
    for v in range(visits):
        size, finished = 0, 0
        for m in range(number):
            i = line[m]
            if level[v, i] >= 0:
                members[size] = i
                size += 1
                ended[i] = last[i] == v
                finished += ended[i]
        if finished == 0:
            continue
        _meet(members, size, level[v], key, ended, True, tree[: levels + 1], counts, score)
        if finished < size:
            _meet(members, size, level[v], key, ended, False, tree[: levels + 1], counts, score)
        if v < visits - 1:
            _missed(v, line, number, level, key, last, score)


@njit(cache=True, nogil=True, error_model="numpy")
def _ranks(score, line, number, counts, rank):  # type: ignore[no-untyped-def]
    """Mid-ranks of whole scores between -(number - 1) and number - 1."""
    counts[:] = 0
    for m in range(number):
        counts[score[line[m]] + number] += 1
    for b in range(2 * number):
        counts[b + 1] += counts[b]
    for m in range(number):
        b = score[line[m]] + number
        rank[line[m]] = 0.5 * (counts[b - 1] + counts[b] + 1)


@njit(cache=True, nogil=True, error_model="numpy")
def _ancova(rank, line, number, arm, stratum, covariates, levels, out):  # type: ignore[no-untyped-def]
    """Least squares of the rank on arm, covariates and strata; fills out (estimate, SE, residual df)."""
    p = 1 + covariates.shape[1]
    size, mean = np.zeros(levels), np.zeros((levels, p + 1))
    for m in range(number):
        i = line[m]
        s = stratum[i]
        size[s] += 1.0
        mean[s, 0] += arm[i]
        mean[s, p] += rank[i]
        for a in range(1, p):
            mean[s, a] += covariates[i, a - 1]
    used = 0
    for s in range(levels):
        if size[s] > 0.0:
            used += 1
            mean[s] /= size[s]
    square, right, here, total = np.zeros((p, p)), np.zeros(p), np.zeros(p), 0.0
    for m in range(number):
        i = line[m]
        s = stratum[i]
        here[0] = arm[i] - mean[s, 0]
        for a in range(1, p):
            here[a] = covariates[i, a - 1] - mean[s, a]
        y = rank[i] - mean[s, p]
        total += y * y
        for a in range(p):
            right[a] += here[a] * y
            for b in range(a + 1):
                square[a, b] += here[a] * here[b]
    for a in range(p):
        for b in range(a):
            square[b, a] = square[a, b]
    inverse, factor, unit = np.empty((p, p)), np.empty((p, p)), np.empty(p)
    df = number - used - p
    if df < 1 or not total > 0.0 or not square[0, 0] > 1e-9 or not invert(square, unit, factor, inverse):
        return False
    residual = total
    for a in range(p):
        beta = 0.0
        for b in range(p):
            beta += inverse[a, b] * right[b]
        residual -= beta * right[a]
        if a == 0:
            out[0] = beta
    out[1], out[2] = np.sqrt(residual / df * inverse[0, 0]), df
    return residual > 1e-12 * total


@njit(cache=True, nogil=True, error_model="numpy")
def _batch(
    values, orders, whole, low, first, time, order, event, arm, stratum, covariates, strata, analyse, ranks, numbers, status
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Ranks and, on request, their analysis for the replicates of one block, the first of which is number `first`."""
    block, visits, people = values.shape
    key, last, line = np.empty(people, dtype=np.int64), np.empty(people, dtype=np.int64), np.empty(people, dtype=np.int64)
    level, members = np.empty((visits, people), dtype=np.int64), np.empty(people, dtype=np.int64)
    width = max(people, MAX_WHOLE) + 2
    tree, ended = np.empty(width, dtype=np.int64), np.empty(people, dtype=np.bool_)
    counts, score = np.empty(max(width, 2 * people + 2), dtype=np.int64), np.zeros(people, dtype=np.int64)
    for q in range(block):
        r = first + q
        groups = arm[r if arm.shape[0] > 1 else 0]
        number = order_keys(time[r], order[r], event[r], groups, key, line)
        last_seen(values[q], last)
        levels = _levels(values[q], orders[0 if whole else q], whole, low, key, level)
        _joint_scores(line, number, level, levels, key, last, members, ended, tree, counts, score)
        _ranks(score, line, number, counts, ranks[r])
        if analyse:
            fine = _ancova(
                ranks[r], line, number, groups, stratum[r if stratum.shape[0] > 1 else 0],
                covariates[r if covariates.shape[0] > 1 else 0], strata, numbers[r],
            )  # fmt: skip
            status[r] = OK if fine else NOT_ESTIMABLE


def _run(
    given: Floats, change: bool, data: EventData, x: Floats, analyse: bool
) -> tuple[Floats, Floats, Integers]:  # fmt: skip
    """Ranks, numbers and status of all replicates, some hundred at a time so that little is copied."""
    replicates, people = data.time.shape
    ranks, numbers = np.full((replicates, people), np.nan), np.full((replicates, 3), np.nan)
    status = np.zeros(replicates, dtype=np.int64)
    for first in range(0, replicates, BLOCK):
        values = compared(given[first : first + BLOCK], change)
        whole, low = _whole_numbers(values)
        orders = np.zeros((1, 1, 1), dtype=np.int64) if whole else np.argsort(values, axis=2)
        _batch(
            values, orders, whole, low, first, data.time, data.order, data.event, data.arm, data.strata, x, data.levels,
            analyse, ranks, numbers, status,
        )  # fmt: skip
    return ranks, numbers, status


def joint_ranks(
    scores: npt.ArrayLike, time: npt.ArrayLike, event: npt.ArrayLike, arm: npt.ArrayLike, *, change: bool = True
) -> Floats:  # fmt: skip
    """Rank everyone by survival first and function second, 1 the worst; shape (R, n), NaN for those left out.

    Parameters and errors are those of `fit_joint_rank`.

    Examples
    --------
    >>> scores = [[40.0, 30.0], [40.0, 36.0], [40.0, np.nan], [40.0, 38.0]]
    >>> joint_ranks(scores, [12.0, 12.0, 5.0, 12.0], [0, 0, 1, 0], [0, 1, 0, 1])[0].tolist()
    [2.0, 3.0, 1.0, 4.0]
    """
    data = event_data(time, event, arm)
    given = function_scores(scores, data)
    return _run(given, change, data, covariate_array(None, data), False)[0]


def fit_joint_rank(
    scores: npt.ArrayLike,
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    arm: npt.ArrayLike,
    *,
    covariates: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
    change: bool = True,
    reference: Reference = "t",
) -> JointRankFits:
    """Compare the joint ranks of function and survival between the arms of every replicate.

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
    covariates : array, shape (n, p) or (R, n, p), optional
        Of the ANCOVA on the ranks; for example baseline score and months since onset.
    strata : array of int, shape (n,) or (R, n), optional
        Factors of the ANCOVA; ranks are made over all strata together.
    change : bool
        Compare changes from the first visit; off: the scores themselves, the first visit included.
    reference : "t" or "normal"
        Distribution of estimate / SE under the null; t has the residual degrees of freedom.

    Returns
    -------
    JointRankFits

    Raises
    ------
    ValueError
        Shapes that do not fit, missing covariates, or impossible values.
    """
    if reference not in ("t", "normal"):
        raise ValueError(f"reference must be 't' or 'normal'; got {reference!r}.")
    data = event_data(time, event, arm, strata)
    given = function_scores(scores, data)
    _, numbers, status = _run(given, change, data, covariate_array(covariates, data), True)
    failed = status != OK
    numbers[failed] = np.nan
    statistic = numbers[:, 0] / numbers[:, 1]
    df = numbers[:, 2] if reference == "t" else np.full(failed.size, np.inf)
    tail = stdtr(df, -np.abs(statistic)) if reference == "t" else ndtr(-np.abs(statistic))
    return JointRankFits(
        estimate=numbers[:, 0],
        standard_error=numbers[:, 1],
        df=df,
        statistic=statistic,
        p_value=2.0 * tail,
        participants=data.participants,
        status=status,
        reference=reference,
    )
