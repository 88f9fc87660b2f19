"""Simulation-based calibration: ranks of the truth among posterior draws, and the rule that judges them.

When truth comes from the prior and data from the truth, the rank of the truth among thinned posterior draws is uniform, for every
parameter and for every function of parameters and data (Talts et al. 2018, arXiv 1804.06788). The log-likelihood is one of the
functions tested, since ranks of parameters alone are uniform too for a model that ignores its data (Modrak et al. 2025,
doi 10.1214/23-BA1404).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from alsmodel.errors import FitFailed
from alsmodel.inference.fit import fit_data
from alsmodel.models.program import program
from tests.calibration.literal import Mapping
from tests.calibration.rows import Row, arrays, read_models, sampling, simulate, stream, unconstrained

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LOGLIK = "log-likelihood"


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """Ranks of one simulation, none when the fit failed; divergent draws; largest R-hat."""

    ranks: dict[str, int] | None
    divergences: int = 0
    r_hat: float = float("nan")


def rank(truth: float, draws: Floats, kept: int) -> int:
    """Number of the `kept` thinned draws that lie below the truth."""
    flat = draws.ravel()
    thinned = flat[np.linspace(0, flat.size - 1, kept + 1).astype(np.int64)[:-1]]
    return int((thinned < truth).sum())


def run_simulation(row: Row, number: int, seed: int) -> Simulation:
    """Draw truth and data, fit by the route that users take, and rank the truth."""
    rule = read_models()["rule"]
    data_seed, fit_seed = stream(seed, row.name, number).spawn(2)
    truth, people = simulate(row, data_seed)
    data = arrays(row, people)
    try:
        fit = fit_data(row.spec, data, sampling(), seed=int(fit_seed.generate_state(1)[0]))
    except FitFailed:
        return Simulation(ranks=None)
    made = program(row.spec, data)
    kept = rule["kept_draws"]
    ranks = {name: rank(truth[name], fit.draws[name], kept) for name in truth}
    flat = fit.x.reshape(-1, fit.x.shape[-1])
    chosen = flat[np.linspace(0, len(flat) - 1, kept + 1).astype(np.int64)[:-1]]
    logliks = np.array([made.loglik(x).sum() for x in chosen])
    ranks[LOGLIK] = int((logliks < made.loglik(unconstrained(made, truth)).sum()).sum())
    checks = {check.name: check.value for check in fit.checks}
    return Simulation(ranks=ranks, divergences=int(checks["divergences"]), r_hat=checks["R-hat, largest"])


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The rule applied to one row.

    Attributes
    ----------
    smallest : float
        Smallest p-value over quantities and tests.
    quantity, test : str
        Where it was found.
    limit : float
        p-value below which the row is rejected.
    """

    smallest: float
    quantity: str
    test: str
    limit: float

    @property
    def passed(self) -> bool:
        """Whether the ranks are compatible with uniform ones."""
        return self.smallest >= self.limit


def p_values(ranks: Ints, kept: int, bins: int) -> dict[str, float]:
    """Three tests of ranks 0..kept for uniformity: any shape, location, spread."""
    counts = np.bincount(ranks * bins // (kept + 1), minlength=bins)
    expected = ranks.size / bins
    u = (ranks + 0.5) / (kept + 1)
    centred = (u - 0.5) * np.sqrt(12.0)
    spread = (centred**2 - 1.0) / np.sqrt(0.8)  # the square of a standardised uniform has variance 4 / 5
    return {
        "chi-square": float(stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), bins - 1)),
        "mean": float(2 * stats.norm.sf(abs(centred.mean()) * np.sqrt(ranks.size))),
        "spread": float(2 * stats.norm.sf(abs(spread.mean()) * np.sqrt(ranks.size))),
    }


def judge(ranks: dict[str, list[int]], rule: Mapping) -> Verdict:
    """Apply the rule to the ranks of every quantity."""
    found = [
        (p, name, test)
        for name, values in ranks.items()
        for test, p in p_values(np.array(values), rule["kept_draws"], rule["bins"]).items()
    ]
    smallest, quantity, test = min(found)
    return Verdict(smallest=smallest, quantity=quantity, test=test, limit=rule["level"] / len(found))
