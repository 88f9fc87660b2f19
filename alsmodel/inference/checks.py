"""The gate: a fit that does not pass says so at the top of everything made from it."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from alsmodel.estimators.laplace import Weighted, function_ess
from alsmodel.estimators.psis import highest_k_hat

Floats = NDArray[np.float64]

R_HAT = 1.01
ESS = 400.0  # bulk and tail of chains; importance ESS of weighted draws
E_BFMI = 0.3
k_hat_limit = highest_k_hat  # min(0.7, 1 - 1 / log10 of the number of draws)


@final
@dataclass(frozen=True, kw_only=True)
class Check:
    """One check of the computation.

    Attributes
    ----------
    name : str
    passed : bool
    value, limit : float
        Worst value over parameters or chains, and the limit it is held to.
    meaning : str
        What a failure would mean, in plain words.
    """

    name: str
    passed: bool
    value: float
    limit: float
    meaning: str


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Diagnostics:
    """Convergence numbers of each parameter: arrays of shape (P,)."""

    r_hat: Floats
    ess_bulk: Floats
    ess_tail: Floats


def diagnostics(draws: Floats) -> Diagnostics:
    """Rank-normalised split R-hat, bulk and tail ESS (Vehtari et al. 2021, doi 10.1214/20-BA1221) of draws (chains, draws, P)."""
    from arviz_stats.base.array import array_stats

    columns = [draws[..., k] for k in range(draws.shape[-1])]
    return Diagnostics(
        r_hat=np.array([float(array_stats.rhat(c)) for c in columns]),
        ess_bulk=np.array([float(array_stats.ess(c, method="bulk")) for c in columns]),
        ess_tail=np.array([float(array_stats.ess(c, method="tail", prob=(0.05, 0.95))) for c in columns]),
    )


def energy_information(energy: Floats) -> Floats:
    """Energy Bayesian fraction of missing information of each chain (Betancourt 2016, arXiv 1604.00695); shape (chains,)."""
    return np.square(np.diff(energy, axis=1)).mean(axis=1) / energy.var(axis=1)


def gate(measured: Diagnostics, energy: Floats, diverging: NDArray[np.bool_]) -> tuple[Check, ...]:
    """Hold a fit to the limits: R-hat, bulk and tail ESS over every parameter, divergences, energy."""
    e_bfmi = float(energy_information(energy).min())
    r_hat, bulk, tail = float(measured.r_hat.max()), float(measured.ess_bulk.min()), float(measured.ess_tail.min())
    divergences = int(diverging.sum())
    return (
        Check(
            name="R-hat, largest", passed=r_hat <= R_HAT, value=r_hat, limit=R_HAT,
            meaning="above the limit, the chains have not found the same distribution",
        ),
        Check(
            name="bulk ESS, smallest", passed=bulk >= ESS, value=bulk, limit=ESS,
            meaning="below the limit, means are known too roughly",
        ),
        Check(
            name="tail ESS, smallest", passed=tail >= ESS, value=tail, limit=ESS,
            meaning="below the limit, the ends of intervals are known too roughly",
        ),
        Check(
            name="divergences", passed=divergences == 0, value=divergences, limit=0,
            meaning="any at all: part of the posterior may not have been reached",
        ),
        Check(
            name="E-BFMI, smallest", passed=e_bfmi >= E_BFMI, value=e_bfmi, limit=E_BFMI,
            meaning="below the limit, the sampler explores the tails poorly",
        ),
    )  # fmt: skip


TAIL_ENDS = (0.05, 0.95)


def importance_diagnostics(draws: Floats, weight: Floats) -> Diagnostics:
    """Importance ESS of each column's mean, and the smaller one of its two tail probabilities; there is no R-hat without chains.

    Parameters
    ----------
    draws : array, shape (S, P)
    weight : array, shape (S,)
        They sum to one.
    """
    bulk, tail = [], []
    for column in draws.T:
        bulk.append(function_ess(column, weight))
        order = np.argsort(column, kind="stable")
        reached = np.cumsum(weight[order])
        ends = [column[order[min(int(np.searchsorted(reached, p)), column.size - 1)]] for p in TAIL_ENDS]
        tail.append(min(function_ess((column <= end).astype(float), weight) for end in ends))
    return Diagnostics(r_hat=np.full(draws.shape[1], np.nan), ess_bulk=np.array(bulk), ess_tail=np.array(tail))


def importance_gate(weighted: Weighted) -> tuple[Check, ...]:
    """Hold weighted draws to the limits: the shape of the ratios' tail, and Kish's effective sample size."""
    limit = k_hat_limit(weighted.log_weight.size)
    return (
        Check(
            name="Pareto k-hat", passed=weighted.k_hat <= limit, value=weighted.k_hat, limit=limit,
            meaning="above the limit, a few draws carry the weight: the posterior is not like the Gaussian at its mode",
        ),
        Check(
            name="importance ESS", passed=weighted.ess >= ESS, value=weighted.ess, limit=ESS,
            meaning="below the limit, means and the ends of intervals are known too roughly",
        ),
    )  # fmt: skip
