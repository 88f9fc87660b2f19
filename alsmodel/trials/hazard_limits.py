"""Limits of Cox regression on twins of both arms together: plain, weighted, under ties, and with covariates and strata.

Each is where the expected partial-likelihood score is zero, by Newton's method. Twins of the active arm count by the allocation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@final
@dataclass(frozen=True)
class Times:
    """Times and events of twins under both arms, one below the other, with what an analysis adjusts for."""

    time: Floats
    event: Floats
    arm: Floats
    weight: Floats
    covariates: Floats
    stratum: Integers

    @staticmethod
    def joined(parts: "list[Times]") -> "Times":
        names = ("time", "event", "arm", "weight", "covariates", "stratum")
        return Times(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def cox_limit(parts: list[Times]) -> float:
    """Where the weighted partial-likelihood score of both twins together is zero, by Newton's method."""
    every = Times.joined(parts)
    if every.covariates.shape[1] or (every.stratum != every.stratum[0]).any():
        return _adjusted_limit(every)
    died = every.event == 1
    # At risk are all whose time is not earlier: twins whom treatment leaves alone tie exactly, and cancel.
    active, at = every.arm[died], every.time[died]
    exposed, control = (
        c.size - np.searchsorted(np.sort(c), at, side="left") for c in (every.time[every.arm == 1], every.time[every.arm == 0])
    )
    exposed = float(every.weight[-1]) * exposed
    return _breslow_limit(every.weight[died], np.ones(at.size), active, exposed + control, exposed)


def grouped_limit(parts: list[Times]) -> float:
    """The Cox limit under Efron's ties, which visits make many of: the d events of one time leave the risk set one after the other.

    With shares u of them gone, the active arm has p_u = e (R_1 - u D_1) / (e (R_1 - u D_1) + R_0 - u D_0) of the risk, e the hazard ratio;
    the score is zero where D_1 = (D_0 + D_1) times the mean of p_u, added over times and strata.
    """
    every = Times.joined(parts)
    nodes, weights = np.polynomial.legendre.leggauss(24)
    u, mass = (nodes + 1) / 2, weights / 2
    counts = [_at_times(every, every.stratum == s) for s in np.unique(every.stratum)]

    def scored(beta: float) -> tuple[float, float]:
        score = information = 0.0
        for dead, risk in counts:
            active = np.exp(beta) * (risk[1][:, None] - u * dead[1][:, None])
            share = active / (active + risk[0][:, None] - u * dead[0][:, None])
            total = dead[0] + dead[1]
            score += float((dead[1] - total * (share @ mass)).sum())
            information += float((total * ((share * (1 - share)) @ mass)).sum())
        return score, information

    return _zero(scored, settled=1e-11)


def weighted_limit(rho: float, gamma: float) -> Callable[[list[Times]], float]:
    """The limit of Cox regression with the weights of Fleming and Harrington.

    With D_1 + D_0 = D of R_1 + R_0 = R at risk having the event at t, p = e R_1 / (e R_1 + R_0), and S(t-) the curve of both arms before t,
    the score is the sum of S^rho (1 - S)^gamma (D_1 - p D) over times and strata, a twin's tie with itself as Breslow's.
    """

    def settle(parts: list[Times]) -> float:
        every = Times.joined(parts)
        rows = [_at_times(every, every.stratum == s) for s in np.unique(every.stratum)]
        weights = []
        for dead, risk in rows:
            alive = np.cumprod(1.0 - (dead[0] + dead[1]) / (risk[0] + risk[1]))
            before = np.concatenate([[1.0], alive[:-1]]) if alive.size else alive
            weights.append(before**rho * np.maximum(1.0 - before, 0.0) ** gamma)
        weight = np.concatenate(weights)
        died, active, at_risk, exposed = (
            np.concatenate(each)
            for each in zip(*((dead[0] + dead[1], dead[1], risk[0] + risk[1], risk[1]) for dead, risk in rows), strict=True)
        )
        return _breslow_limit(weight, died, active, at_risk, exposed)

    return settle


def _breslow_limit(weight: Floats, died: Floats, active: Floats, at_risk: Floats, exposed: Floats) -> float:
    """Where the sum of weight (active - died p) is zero, p the share of the risk that the exposed have; a row for each event or time."""

    def scored(beta: float) -> tuple[float, float]:
        mean = exposed * np.exp(beta) / (exposed * np.exp(beta) + at_risk - exposed)
        return (weight * (active - died * mean)).sum(), (weight * died * mean * (1 - mean)).sum()

    return _zero(scored, settled=1e-12)


def _zero(scored: Callable[[float], tuple[float, float]], settled: float) -> float:
    """Where a score is zero, given it and the information at a log hazard ratio; NaN without information."""
    beta = 0.0
    for _step in range(50):
        score, information = scored(beta)
        if not information > 0:
            return float("nan")
        step = float(score / information)
        beta += min(max(step, -2.0), 2.0)
        if abs(step) < settled:
            break
    return float(beta)


def _at_times(every: Times, mine: npt.NDArray[np.bool_]) -> tuple[list[Floats], list[Floats]]:
    """Weights of those who have the event, and of those at risk, at each time of an event, by arm."""
    times = np.unique(every.time[mine & (every.event == 1)])
    dead: list[Floats] = []
    risk: list[Floats] = []
    for arm in (0.0, 1.0):
        who = mine & (every.arm == arm)
        weight = float(every.weight[who][0]) if who.any() else 0.0
        died = np.sort(every.time[who & (every.event == 1)])
        followed = np.sort(every.time[who])
        gone = np.searchsorted(died, times, side="right") - np.searchsorted(died, times, side="left")
        dead.append(np.asarray(weight * gone, dtype=np.float64))
        risk.append(np.asarray(weight * (followed.size - np.searchsorted(followed, times, side="left")), dtype=np.float64))
    return dead, risk


def _adjusted_limit(every: Times) -> float:
    """The same with covariates and strata; the coefficient of the arm."""
    spread = every.covariates.std(axis=0)
    x = np.column_stack([every.arm, every.covariates / np.where(spread > 0, spread, 1.0)])
    beta = np.zeros(x.shape[1])
    groups = [np.flatnonzero(every.stratum == s) for s in np.unique(every.stratum)]
    ordered = [who[np.argsort(-every.time[who], kind="stable")] for who in groups]
    for _step in range(50):
        found = [_partial_score(every, x, beta, who) for who in ordered]
        score, information = sum(f[0] for f in found), sum(f[1] for f in found)
        if not (np.linalg.eigvalsh(information)[0] > 0):
            return float("nan")
        step = np.clip(np.linalg.solve(information, score), -2.0, 2.0)
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    return float(beta[0])


def _partial_score(every: Times, x: Floats, beta: Floats, who: Integers) -> tuple[Floats, Floats]:
    """Score and information of one stratum; `who` is in the order of falling times."""
    rows, time, weight = x[who], every.time[who], every.weight[who]
    risk = weight * np.exp(rows @ beta)
    died = np.flatnonzero(every.event[who] == 1)
    # The last of those who share a time sees all of them at risk.
    last = np.searchsorted(-time, -time[died], side="right") - 1
    total = np.cumsum(risk)[last]
    mean = np.stack([np.cumsum(risk * column)[last] / total for column in rows.T], axis=1)
    counted = weight[died]
    width = beta.size
    second = np.empty((width, width))
    for a in range(width):
        for b in range(a, width):
            second[a, b] = second[b, a] = (counted * np.cumsum(risk * rows[:, a] * rows[:, b])[last] / total).sum()
    return counted @ (rows[died] - mean), second - (mean * counted[:, None]).T @ mean
