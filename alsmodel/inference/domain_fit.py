"""`fit_domains`: from a model of several outcomes and a cohort to a posterior that has been checked."""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.cohort import Cohort
from alsmodel.cohort.outcome_arrays import OutcomeData, outcome_data
from alsmodel.inference.chains import SecondTry, judged_chains, provenance
from alsmodel.inference.checks import Check, Diagnostics
from alsmodel.inference.mode import Mode, find_mode
from alsmodel.inference.refine import quadrature_check, shift_of_mode
from alsmodel.inference.sampling import Advance, Sampling
from alsmodel.inference.store import read_data, read_draws, replacing, write_data, write_draws
from alsmodel.inference.summary import block_texts, lkj_text, summary_rows
from alsmodel.kernels.correlations import partial_factor
from alsmodel.models.domain import DomainModel
from alsmodel.models.domain_parameters import effect_names
from alsmodel.models.domain_program import DomainProgram, domain_program
from alsmodel.settings import decode, encode

Floats = NDArray[np.float64]
MOST_SHIFT = 0.05  # posterior SDs; wider than for the joint model, since a finer rule takes several times as long here
NODES = ((16, 10), (24, 16), (32, 24))
FINEST_NODES, FINEST_EVENT_NODES, FINEST_TOLERANCE, FINER_TIMES = (40, 30), 9, 1e-6, 3


@final
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class DomainFit:
    """A posterior of a model of several outcomes with everything needed to use and to judge it.

    Attributes
    ----------
    spec : DomainModel
        With the number of nodes that was needed.
    data : OutcomeData
    x : array, shape (chains, draws, P)
        Unconstrained draws.
    draws : dict of str to array, shape (chains, draws)
        Draws by printed name; correlations and ratios of slopes are derived.
    summary : polars.DataFrame
        One row per parameter and derived value: mean, sd, quantiles, R-hat, ESS, prior.
    checks : tuple of Check
    provenance : dict
    """

    spec: DomainModel
    data: OutcomeData
    x: Floats
    draws: dict[str, Floats]
    summary: pl.DataFrame
    checks: tuple[Check, ...]
    provenance: dict[str, Any]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @cached_property
    def program(self) -> DomainProgram:
        """The density that was sampled."""
        return domain_program(self.spec, self.data)

    def flat(self, name: str) -> Floats:
        """Draws of one parameter, chains one after the other."""
        return self.draws[name].ravel()

    def correlations(self) -> pl.DataFrame:
        """Posterior of the correlation of every pair of random effects: mean, SD, 95% interval, chance of being above zero."""
        rows = []
        for name in (name for name in self.draws if name.startswith("corr:")):
            value, (one, other) = self.flat(name), name.removeprefix("corr:").split(",")
            low, high = np.quantile(value, [0.025, 0.975])
            above = float((value > 0).mean())
            rows.append((one, other, float(value.mean()), float(value.std(ddof=1)), float(low), float(high), above))
        return pl.DataFrame(rows, schema=["one", "other", "mean", "sd", "q2_5", "q97_5", "above_zero"], orient="row")

    def save(self, folder: Path | str) -> None:
        """Write draws, data, summary and provenance to `folder`: to a temporary name first, then renamed."""
        facts = {"spec": encode(self.spec), "checks": [vars(check) for check in self.checks], "provenance": self.provenance}
        rows = {name: getattr(self.data, name) for name in ("row_person", "row_outcome", "row_time", "row_value")}
        with replacing(folder) as part:
            write_draws(self.x, self.draws, part)
            self.summary.write_parquet(part / "summary.parquet")
            write_data(self.data.base, part)
            pl.DataFrame(rows).write_parquet(part / "rows.parquet")
            (part / "fit.json").write_text(json.dumps(facts, indent=1, sort_keys=True), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path | str) -> "DomainFit":
        """Read what `save` wrote."""
        source = Path(folder)
        facts = json.loads((source / "fit.json").read_text(encoding="utf-8"))
        spec = decode(DomainModel, facts["spec"], where=f"{source.name}/fit.json")
        x, draws = read_draws(source)
        rows = {column.name: np.array(column.to_numpy()) for column in pl.read_parquet(source / "rows.parquet")}
        return cls(
            spec=spec,
            data=OutcomeData(base=read_data(source), names=spec.names, **rows),
            x=x,
            draws=draws,
            summary=pl.read_parquet(source / "summary.parquet"),
            checks=tuple(Check(**check) for check in facts["checks"]),
            provenance=facts["provenance"],
        )

    def __repr__(self) -> str:
        failed = [check.name for check in self.checks if not check.passed]
        state = "all checks pass" if not failed else f"checks failed: {', '.join(failed)}"
        head = f"Fit of {', '.join(self.spec.names)}: {self.data.people} participants, {int(self.data.base.event.sum())} events; {state}"
        rows = self.summary.select("parameter", "mean", "sd", "q2_5", "q97_5").rows()
        return "\n".join([head, *(f"  {p:<40} {m:>10.4g} ({s:.3g})  [{lo:.4g}, {hi:.4g}]" for p, m, s, lo, hi in rows)])


def fit_domains(
    spec: DomainModel, cohort: Cohort, sampling: Sampling | None = None, *, seed: int = 1, progress: Advance | None = None
) -> DomainFit:
    """Sample the posterior of a model of several outcomes and check it.

    Parameters
    ----------
    spec : DomainModel
    cohort : Cohort
    sampling : Sampling, optional
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
    return fit_domain_data(spec, data, sampling or Sampling(), seed=seed, progress=progress, digest=cohort.digest)


def prepare_domains(spec: DomainModel, data: OutcomeData) -> tuple[DomainModel, DomainProgram, Mode, Check]:
    """Find the mode, and use more nodes until a much finer rule would move it by less than 0.05 posterior SDs.

    The shift is one Newton step on the difference of the two gradients: finer grids of both planes, a thousandfold stricter agreement of
    the sites, and more nodes in time, all at once.
    """
    mode: Mode | None = None
    while True:
        made = domain_program(spec, data)
        mode = find_mode(made.density, made.start if mode is None else mode.at)
        finest = domain_program(
            replace(spec, nodes=FINEST_NODES), data,
            tolerance=FINEST_TOLERANCE, event_nodes=FINEST_EVENT_NODES, more_time_nodes=FINER_TIMES,
        )  # fmt: skip
        shift = shift_of_mode(made, mode, finest)
        larger = [nodes for nodes in NODES if nodes > spec.nodes]
        if shift > MOST_SHIFT and larger:
            spec = replace(spec, nodes=larger[0])
            continue
        return spec, made, mode, quadrature_check(shift, MOST_SHIFT)


def fit_domain_data(
    spec: DomainModel, data: OutcomeData, sampling: Sampling, *, seed: int, progress: Advance | None = None, digest: str = ""
) -> DomainFit:
    """`fit_domains` on arrays that were made before."""
    spec, made, mode, check = prepare_domains(spec, data)
    chains = judged_chains(
        made.density, mode, sampling, lambda x: named_domain_draws(spec, made, x),
        seed=seed, progress=progress, further=(check,), second=SecondTry(target_accept=0.95, more_draws=3),
    )  # fmt: skip
    return DomainFit(
        spec=spec,
        data=data,
        x=chains.drawn.x,
        draws=chains.draws,
        summary=_summary(spec, made, chains.draws, chains.measured),
        checks=chains.checks,
        provenance=chains.provenance | provenance(spec, made.knots, seed=seed, data=digest),
    )


def named_domain_draws(spec: DomainModel, made: DomainProgram, x: Floats) -> dict[str, Floats]:
    """Draws by printed name: parameters, correlations, ratios of slopes."""
    values = made.constrained(x)
    draws = {name: values[..., k] for k, name in enumerate(made.labels) if not name.startswith(("partial:", "z:"))}
    if spec.student:
        draws["df"] = np.exp(draws["log_df"])
    effects = effect_names(spec)
    flat = values.reshape(-1, values.shape[-1])
    factors = np.array([partial_factor(2.0 * row[made.places.partials] - 1.0, len(effects)) for row in flat])
    matrices = factors @ factors.transpose(0, 2, 1)
    for i in range(len(effects)):
        for j in range(i):
            draws[f"corr:{effects[j]},{effects[i]}"] = matrices[:, i, j].reshape(values.shape[:-1])
    drug = spec.treatment
    if drug is not None:
        where = {name: k for k, name in enumerate(made.labels)}
        for outcome in spec.names:
            log_ratio = draws.get(f"theta:{drug.name}", np.zeros(values.shape[:-1]))
            if drug.across == "pooled":
                log_ratio = log_ratio + draws[f"sd:theta:{drug.name}"] * values[..., where[f"z:{drug.name},{outcome}"]]
            elif drug.across == "separate":
                log_ratio = draws[f"theta:{drug.name},{outcome}"]
            if drug.across != "common":
                draws[f"slope ratio:{drug.name},{outcome}"] = np.exp(log_ratio)
        if drug.across != "separate":
            draws[f"slope ratio:{drug.name}"] = np.exp(draws[f"theta:{drug.name}"])
    return draws


def _summary(spec: DomainModel, made: DomainProgram, draws: dict[str, Floats], measured: Diagnostics) -> pl.DataFrame:
    effects, eta = effect_names(spec), spec.priors.correlation
    pairs = [f"corr:{effects[j]},{effects[i]}" for i in range(len(effects)) for j in range(i)]
    priors = block_texts(made) | dict.fromkeys(pairs, lkj_text(eta, len(effects)))
    rows = [row | {"unit": unit_of(row["parameter"], spec)} for row in summary_rows(draws, list(draws), measured, priors)]
    order = ("parameter", "unit", "mean", "sd", "q2_5", "median", "q97_5", "r_hat", "ess_bulk", "ess_tail", "prior", "prior_sd", "informed")
    return pl.DataFrame(rows).select(order)


def unit_of(name: str, spec: DomainModel) -> str:
    """Unit of a parameter of this model, time in its own unit."""
    t = spec.time_unit
    if name.startswith(("corr:", "z:")):
        return ""
    if name.startswith(("theta", "hazard", "sd:theta")):
        return "log ratio"
    if name.startswith("slope ratio"):
        return "ratio"
    if name.startswith("log_hazard"):
        return f"log of events per {t}"
    if name == "association:value":
        return "log hazard per unit of the projection"
    if name == "association:slope":
        return f"log hazard per unit of the projection per {t}"
    if name in ("df", "log_df"):
        return ""
    outcome = next(o for o in spec.outcomes if name.removeprefix("sd:").startswith(f"{o.name}."))
    y = "log units" if outcome.transform == "log" else "points" if outcome.bounds != (None, None) else "outcome units"
    return f"{y}/{t}" if name.removeprefix(f"sd:{outcome.name}.").removeprefix(f"{outcome.name}.").startswith("slope") else y
