"""The gate: a fit that does not pass says so at the top of everything made from it."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

R_HAT = 1.01
ESS = 400.0
E_BFMI = 0.3


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
