"""`fit_domains`: from a model of several outcomes and a cohort to a posterior that has been checked."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.cohort import Cohort
from alsmodel.cohort.outcome_arrays import OutcomeData, outcome_data
from alsmodel.errors import FitFailed
from alsmodel.estimators.laplace import Weighted
from alsmodel.estimators.psis import resample
from alsmodel.inference.chains import SecondTry, judged_chains, provenance, said_to_fail
from alsmodel.inference.checks import Check, importance_diagnostics, importance_gate
from alsmodel.inference.domain_draws import named_domain_draws, summarise_domains
from alsmodel.inference.importance import weigh
from alsmodel.inference.mode import Mode, find_mode
from alsmodel.inference.posterior import AbstractPosterior, read_posterior
from alsmodel.inference.refine import quadrature_check, shift_of_mode
from alsmodel.inference.sampling import Advance, Sampling
from alsmodel.inference.store import read_data, write_data
from alsmodel.models.domain import DomainModel
from alsmodel.models.domain_program import DomainProgram, domain_program

Floats = NDArray[np.float64]
Method = Literal["auto", "nuts", "psis"]
MOST_SHIFT = 0.05  # posterior SDs; wider than for the joint model, since a finer rule takes several times as long here
NODES = ((16, 10), (24, 16), (32, 24))
FINEST_NODES, FINEST_EVENT_NODES, FINEST_TOLERANCE, FINER_TIMES = (40, 30), 9, 1e-6, 3


@final
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class DomainFit(AbstractPosterior):
    """A posterior of a model of several outcomes with everything needed to use and to judge it.

    Attributes
    ----------
    spec : DomainModel
        With the number of nodes that was needed.
    data : OutcomeData
    x : array, shape (chains, draws, P)
        Unconstrained draws, all of equal weight. Importance sampling gives one "chain": its draws resampled by their weights.
    draws : dict of str to array, shape (chains, draws)
        Draws by printed name; correlations and ratios of slopes are derived.
    summary : polars.DataFrame
        One row per parameter and derived value: mean, sd, quantiles, R-hat, ESS, prior and its reason. Of a weighted posterior it is
        computed from the weighted draws themselves; ESS is then importance ESS, and there is no R-hat.
    checks : tuple of Check
    provenance : dict
        ``method`` is the one used, ``fallback`` why it is not the one tried first.
    weighted : Weighted or None
        The weighted draws that a posterior by importance sampling was resampled from.
    """

    spec: DomainModel
    data: OutcomeData
    x: Floats
    draws: dict[str, Floats]
    summary: pl.DataFrame
    checks: tuple[Check, ...]
    provenance: dict[str, Any]
    weighted: Weighted | None = None

    @cached_property
    def program(self) -> DomainProgram:
        """The density that was sampled."""
        return domain_program(self.spec, self.data)

    def correlations(self) -> pl.DataFrame:
        """Posterior of the correlation of every pair of random effects: mean, SD, 95% interval, chance of being above zero."""
        rows = []
        for name in (name for name in self.draws if name.startswith("corr:")):
            value, (one, other) = self.flat(name), name.removeprefix("corr:").split(",")
            low, high = np.quantile(value, [0.025, 0.975])
            above = float((value > 0).mean())
            rows.append((one, other, float(value.mean()), float(value.std(ddof=1)), float(low), float(high), above))
        return pl.DataFrame(rows, schema=["one", "other", "mean", "sd", "q2_5", "q97_5", "above_zero"], orient="row")

    def _write_data(self, folder: Path) -> None:
        write_data(self.data.base, folder)
        rows = {name: getattr(self.data, name) for name in ("row_person", "row_outcome", "row_time", "row_value")}
        pl.DataFrame(rows).write_parquet(folder / "rows.parquet")

    @classmethod
    def load(cls, folder: Path | str) -> "DomainFit":
        """Read what `save` wrote."""
        source = Path(folder)
        spec, fields = read_posterior(source, DomainModel)
        rows = {column.name: np.array(column.to_numpy()) for column in pl.read_parquet(source / "rows.parquet")}
        return cls(spec=spec, data=OutcomeData(base=read_data(source), names=spec.names, **rows), **fields)

    def __repr__(self) -> str:
        return self._shown(", ".join(self.spec.names), self.data.base, 40)


def fit_domains(
    spec: DomainModel,
    cohort: Cohort,
    sampling: Sampling | None = None,
    *,
    method: Method = "auto",
    seed: int = 1,
    progress: Advance | None = None,
) -> DomainFit:
    """Compute the posterior of a model of several outcomes and check it.

    Parameters
    ----------
    spec : DomainModel
    cohort : Cohort
    sampling : Sampling, optional
    method : {"auto", "nuts", "psis"}
        As in `alsmodel.inference.fit.fit`. With more than two or three outcomes the correlations are rarely Gaussian enough for
        weighted draws, which "auto" finds out from the first thousand.
    seed : int
        Same seed, same draws, for any number of cores.
    progress : callable, optional
        Told (work done, work in all).

    Raises
    ------
    InvalidInput
        When the cohort lacks what the model asks for, or Gaussian noise is refused.
    FitFailed
        When no mode is found or the sampler returns nothing finite.
    """
    data = outcome_data(cohort, spec.selection, spec.outcomes, gaussian_at_bounds=spec.gaussian_at_bounds)
    return fit_domain_data(spec, data, sampling or Sampling(), method=method, seed=seed, progress=progress, digest=cohort.digest)


def prepare_domains(spec: DomainModel, data: OutcomeData) -> tuple[DomainModel, DomainProgram, Mode, Check]:
    """Find the mode, and use more nodes until a much finer rule would move it by less than 0.05 posterior SDs.

    The shift is one Newton step on the difference of the two gradients: finer grids of both planes, a thousandfold stricter agreement of
    the sites, and more nodes in time, all at once. Where few nodes make the density too rough a way up, which small data sets with
    residual SDs far below the spread of the lines do, the finest rule climbs in their place.
    """
    mode: Mode | None = None
    while True:
        made = domain_program(spec, data)
        finest = domain_program(
            replace(spec, nodes=FINEST_NODES), data,
            tolerance=FINEST_TOLERANCE, event_nodes=FINEST_EVENT_NODES, more_time_nodes=FINER_TIMES,
        )  # fmt: skip
        start = made.start if mode is None else mode.at
        try:
            mode = find_mode(made.density, start)
        except FitFailed:
            mode = find_mode(finest.density, start)
        shift = shift_of_mode(made, mode, finest)
        larger = [nodes for nodes in NODES if nodes > spec.nodes]
        if shift > MOST_SHIFT and larger:
            spec = replace(spec, nodes=larger[0])
            continue
        return spec, made, mode, quadrature_check(shift, MOST_SHIFT)


def fit_domain_data(
    spec: DomainModel,
    data: OutcomeData,
    sampling: Sampling,
    *,
    seed: int,
    method: Method = "auto",
    progress: Advance | None = None,
    digest: str = "",
) -> DomainFit:
    """`fit_domains` on arrays that were made before."""
    if method not in ("auto", "nuts", "psis"):
        raise ValueError(f'method must be "auto", "nuts" or "psis"; got {method!r}.')
    spec, made, mode, check = prepare_domains(spec, data)
    made_of = provenance(spec, made.knots, seed=seed, data=digest)
    fallback: dict[str, Any] = {}
    if method != "nuts":
        weighted = weigh(made, mode, seed=seed, cores=sampling.cores)
        failed = [each for each in importance_gate(weighted) if not each.passed]
        if method == "psis" or not failed:
            return _by_psis(spec, data, made, weighted, (*importance_gate(weighted), check), made_of)
        fallback = {"fallback": said_to_fail(failed)}
    chains = judged_chains(
        made.density, mode, sampling, lambda x: named_domain_draws(spec, made, x),
        seed=seed, progress=progress, further=(check,), second=SecondTry(target_accept=0.95, more_draws=3),
    )  # fmt: skip
    return DomainFit(
        spec=spec,
        data=data,
        x=chains.drawn.x,
        draws=chains.draws,
        summary=summarise_domains(spec, made, chains.draws, chains.measured),
        checks=chains.checks,
        provenance={"method": "nuts"} | chains.provenance | fallback | made_of,
    )


def _by_psis(
    spec: DomainModel, data: OutcomeData, made: DomainProgram, weighted: Weighted, checks: tuple[Check, ...], made_of: dict[str, Any]
) -> DomainFit:
    weight, exact = weighted.weight, named_domain_draws(spec, made, weighted.x)
    measured = importance_diagnostics(np.stack(list(exact.values()), axis=-1), weight)
    chosen = resample(weighted.log_weight, weighted.log_weight.size, np.random.default_rng([made_of["seed"], 4]))
    x = weighted.x[chosen][None]
    return DomainFit(
        spec=spec,
        data=data,
        x=x,
        draws=named_domain_draws(spec, made, x),
        summary=summarise_domains(spec, made, exact, measured, weight),
        checks=checks,
        provenance={"method": "psis", "importance_draws": int(weight.size)} | made_of,
        weighted=weighted,
    )
