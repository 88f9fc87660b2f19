"""Simulation-based calibration: ranks of the truth among posterior draws, and the rule that judges them.

When truth comes from the prior and data from the truth, the rank of the truth among thinned posterior draws is uniform, for every
parameter and for every function of parameters and data (Talts et al. 2018, arXiv 1804.06788). The log-likelihood is one of the
functions tested, since ranks of parameters alone are uniform too for a model that ignores its data (Modrak et al. 2025,
Bayesian Analysis 20:461, doi 10.1214/23-BA1404).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from alsmodel.cohort.arrays import JointData
from alsmodel.cohort.outcome_arrays import OutcomeData
from alsmodel.errors import FitFailed
from alsmodel.estimators.psis import resample
from alsmodel.inference.checks import importance_gate
from alsmodel.inference.domain_draws import named_domain_draws
from alsmodel.inference.domain_fit import prepare_domains
from alsmodel.inference.importance import weigh
from alsmodel.inference.mode import Mode, find_mode
from alsmodel.inference.refine import prepare
from alsmodel.inference.sampling import sample
from alsmodel.inference.summary import named_draws
from alsmodel.models.domain import DomainModel
from alsmodel.models.domain_program import DomainProgram
from alsmodel.models.program import Program
from tests.calibration.literal import Mapping
from tests.calibration.rows import Row, arrays, read_models, sampling, simulate, stream, unconstrained

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Density = Callable[[Floats], tuple[float, Floats]]
Breaking = Callable[[Program], Density]
Data = JointData | OutcomeData
Made = Program | DomainProgram
LOGLIK = "log-likelihood"


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """Ranks of one simulation, none when the fit failed; divergent draws; whether weights failed their checks and NUTS took over."""

    ranks: dict[str, int] | None
    divergences: int = 0
    fallback: bool = False


@dataclass(frozen=True)
class Wrong:
    """A broken density in the place of a program."""

    density: Density

    def values(self, points: Floats) -> Floats:
        """Log densities alone."""
        return np.array([self.density(x)[0] for x in points])


def thinned(draws: int, kept: int) -> Ints:
    """Places of `kept` evenly spaced draws."""
    return np.linspace(0, draws - 1, kept + 1).astype(np.int64)[:-1]


def rank(truth: float, draws: Floats, kept: int) -> int:
    """Number of the `kept` thinned draws that lie below the truth."""
    flat = draws.ravel()
    return int((flat[thinned(flat.size, kept)] < truth).sum())


def run_simulation(row: Row, number: int, seed: int, breaking: Breaking | None = None, method: str = "auto", **design: float) -> Simulation:
    """Draw truth and data, fit by the route of `fit_data`, and rank the truth.

    "auto" judges the quadrature, finds the mode, weights draws around it, and goes on to whitened NUTS where the weights do not pass
    their checks; "nuts" goes there at once. The second attempt that `fit_data` makes when chains are short of its gate is left out:
    it draws more from the same density. Several outcomes go by the route of `fit_domain_data`, which is the same.

    Parameters
    ----------
    row : Row
    number, seed : int
        Which simulation, of which series.
    breaking : callable, optional
        Turns the density into a wrong one, for negative controls.
    method : {"auto", "nuts"}
    design
        Changes to the row's design.
    """
    data_seed, fit_seed = stream(seed, row.name, number).spawn(2)
    truth, people = simulate(row, data_seed, **design)
    data = arrays(row, people)
    try:
        made, mode = prepared(row, data)
        density = made.density if breaking is None else breaking(made)
        mode = mode if breaking is None else find_mode(density, made.start)
        own_seed = int(fit_seed.generate_state(1)[0])
        if method == "auto":
            weighted = weigh(made if breaking is None else Wrong(density), mode, seed=own_seed)
            if all(check.passed for check in importance_gate(weighted)):
                chosen = resample(weighted.log_weight, weighted.log_weight.size, np.random.default_rng([own_seed, 4]))
                return Simulation(ranks=_ranks(row, data, truth, made, weighted.x[chosen][None]))
        drawn = sample(density, mode, sampling(), own_seed)
    except FitFailed:
        return Simulation(ranks=None)
    return Simulation(
        ranks=_ranks(row, data, truth, made, drawn.x), divergences=int(drawn.diverging.sum()), fallback=method == "auto"
    )  # fmt: skip


def prepared(row: Row, data: Data) -> tuple[Made, Mode]:
    """The density with a quadrature that was judged fine enough, and its mode."""
    if isinstance(row.spec, DomainModel):
        _, made, mode, _ = prepare_domains(row.spec, data)
        return made, mode
    found = prepare(row.spec, data)
    return found.program, found.mode


def named(row: Row, data: Data, made: Made, x: Floats) -> dict[str, Floats]:
    """Draws by printed name."""
    return named_domain_draws(row.spec, made, x) if isinstance(row.spec, DomainModel) else named_draws(row.spec, data, made, x)


def within(row: Row, made: Made, x: Floats) -> Floats:
    """The draws under a prior whose residual SDs are cut from below, where the row's are: those of the uncut posterior that lie above."""
    least = row.design.get("least_residual", 0.0)
    if not least:
        return x
    residual = [k for k, label in enumerate(made.labels) if label.startswith("sd:") and label.endswith("residual")]
    flat = x.reshape(-1, x.shape[-1])
    return flat[(flat[:, residual] >= np.log(least)).all(axis=1)][None]


def _ranks(row: Row, data: Data, truth: dict[str, float], made: Made, x: Floats) -> dict[str, int]:
    """Rank of every parameter and of the log-likelihood among draws of equal weight, shape (chains, draws, P)."""
    kept = read_models()["rule"]["kept_draws"]
    x = within(row, made, x)
    draws = named(row, data, made, x)
    ranks = {name: rank(truth[name], draws[name], kept) for name in truth}
    flat = x.reshape(-1, x.shape[-1])
    logliks = np.array([made.loglik(point).sum() for point in flat[thinned(len(flat), kept)]])
    ranks[LOGLIK] = int((logliks < made.loglik(unconstrained(row, made, truth)).sum()).sum())
    return ranks


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

    def __str__(self) -> str:
        small = f"{self.smallest:.2g}" if self.smallest > 0 else "below 1e-300"
        return f"{small} against {self.limit:.2g} ({self.quantity}, {self.test})"


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
