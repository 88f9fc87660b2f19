"""`fit_domains`: from a model of several outcomes and a cohort to a posterior that has been checked."""

import json
import shutil
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.cohort import Cohort
from alsmodel.cohort.outcome_arrays import OutcomeData, outcome_data
from alsmodel.errors import FitFailed
from alsmodel.inference.checks import Check, Diagnostics, diagnostics, gate
from alsmodel.inference.mode import Mode, find_mode
from alsmodel.inference.sampling import Advance, Sampling, sample
from alsmodel.inference.store import read_data, write_data
from alsmodel.kernels.correlations import partial_factor
from alsmodel.models.domain import DomainModel
from alsmodel.models.domain_parameters import effect_names
from alsmodel.models.domain_program import DomainProgram, domain_program
from alsmodel.settings import code_digest, decode, encode

Floats = NDArray[np.float64]
MOST_SHIFT = 0.05
NODES = ((16, 10), (24, 16), (32, 24))
FINEST_NODES, FINEST_EVENT_NODES, FINEST_TOLERANCE, FINER_TIMES = (40, 30), 9, 1e-6, 3
CAREFUL = 0.95
INFORMED = 0.9  # posterior SD over prior SD above which the data are said not to inform a parameter
PACKAGES = ("alsmodel", "numpy", "numba", "nutpie", "arviz-stats", "scipy", "polars")


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
        target = Path(folder)
        part = target.with_name(target.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        chains, draws, size = self.x.shape
        index = {"chain": np.repeat(np.arange(chains), draws), "draw": np.tile(np.arange(draws), chains)}
        pl.DataFrame(index | {f"x[{k}]": self.x[..., k].ravel() for k in range(size)}).write_parquet(part / "unconstrained.parquet")
        pl.DataFrame(index | {name: value.ravel() for name, value in self.draws.items()}).write_parquet(part / "draws.parquet")
        self.summary.write_parquet(part / "summary.parquet")
        write_data(self.data.base, part)
        rows = {name: getattr(self.data, name) for name in ("row_person", "row_outcome", "row_time", "row_value")}
        pl.DataFrame(rows).write_parquet(part / "rows.parquet")
        facts = {"spec": encode(self.spec), "checks": [vars(check) for check in self.checks], "provenance": self.provenance}
        (part / "fit.json").write_text(json.dumps(facts, indent=1, sort_keys=True), encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        part.rename(target)

    @classmethod
    def load(cls, folder: Path | str) -> "DomainFit":
        """Read what `save` wrote."""
        source = Path(folder)
        facts = json.loads((source / "fit.json").read_text(encoding="utf-8"))
        spec = decode(DomainModel, facts["spec"], where=f"{source.name}/fit.json")
        flat, named = pl.read_parquet(source / "unconstrained.parquet"), pl.read_parquet(source / "draws.parquet")
        chains = flat["chain"].n_unique()
        shape = (chains, flat.height // chains)
        rows = {column.name: np.array(column.to_numpy()) for column in pl.read_parquet(source / "rows.parquet")}
        return cls(
            spec=spec,
            data=OutcomeData(base=read_data(source), names=spec.names, **rows),
            x=np.ascontiguousarray(flat.drop("chain", "draw").to_numpy().reshape(*shape, -1)),
            draws={name: named[name].to_numpy().reshape(shape) for name in named.columns if name not in ("chain", "draw")},
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
        gap = finest.density(mode.at)[1] - made.density(mode.at)[1]
        covariance = mode.scale @ mode.scale.T
        shift = float(np.max(np.abs(covariance @ gap) / np.sqrt(np.diag(covariance))))
        larger = [nodes for nodes in NODES if nodes > spec.nodes]
        if shift > MOST_SHIFT and larger:
            spec = replace(spec, nodes=larger[0])
            continue
        check = Check(
            name="quadrature, shift of the mode",
            passed=shift <= MOST_SHIFT,
            value=shift,
            limit=MOST_SHIFT,
            meaning="in posterior SDs; above the limit, the integration over random effects is too coarse for these data",
        )
        return spec, made, mode, check


def fit_domain_data(
    spec: DomainModel, data: OutcomeData, sampling: Sampling, *, seed: int, progress: Advance | None = None, digest: str = ""
) -> DomainFit:
    """`fit_domains` on arrays that were made before."""
    spec, made, mode, check = prepare_domains(spec, data)
    settings = sampling
    while True:
        drawn = sample(made.density, mode, settings, seed, progress)
        if not np.isfinite(drawn.x).all():
            raise FitFailed("The sampler returned draws that are not finite.")
        draws = named_domain_draws(spec, made, drawn.x)
        measured = diagnostics(np.stack(list(draws.values()), axis=-1))
        checks = (*gate(measured, drawn.energy, drawn.diverging), check)
        if settings != sampling or all(each.passed for each in checks):
            break
        if drawn.diverging.any():  # one more try: smaller steps after divergences, more draws where chains only mix slowly
            settings = replace(sampling, target_accept=max(sampling.target_accept, CAREFUL), tune=2 * sampling.tune)
        else:
            settings = replace(sampling, draws=3 * sampling.draws, tune=2 * sampling.tune)
    return DomainFit(
        spec=spec,
        data=data,
        x=drawn.x,
        draws=draws,
        summary=_summary(spec, made, draws, measured),
        checks=checks,
        provenance={
            "seed": seed,
            "sampling": encode(settings),
            "model": encode(spec),
            "data": digest,
            "code": code_digest(["alsmodel.kernels", "alsmodel.models", "alsmodel.inference"]),
            "versions": {name: version(name) for name in PACKAGES},
            "knots": made.knots.tolist(),
            "leapfrog_steps": float(drawn.steps.mean()),
        },
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
    priors = _prior_texts(spec, made)
    rows: list[dict[str, Any]] = []
    for k, (name, drawn) in enumerate(draws.items()):
        value = drawn.ravel()
        low, median, high = np.quantile(value, [0.025, 0.5, 0.975])
        text, prior_sd = priors.get(name, ("", float("nan")))
        sd = float(value.std(ddof=1))
        rows.append(
            {
                "parameter": name,
                "unit": unit_of(name, spec),
                "mean": float(value.mean()),
                "sd": sd,
                "q2_5": float(low),
                "median": float(median),
                "q97_5": float(high),
                "r_hat": float(measured.r_hat[k]),
                "ess_bulk": float(measured.ess_bulk[k]),
                "ess_tail": float(measured.ess_tail[k]),
                "prior": text,
                "prior_sd": prior_sd,
                "informed": not sd > INFORMED * prior_sd,
            }
        )
    return pl.DataFrame(rows)


def _prior_texts(spec: DomainModel, made: DomainProgram) -> dict[str, tuple[str, float]]:
    out = {}
    for block in made.blocks:
        for label, a, b in zip(block.labels, block.a, block.b, strict=True):
            if block.kind == "normal":
                out[label] = (f"N({a:g}, {b:g}^2)", float(b))
            elif block.kind == "half-normal":
                out[label] = (f"half-normal({b:g})", float(b * np.sqrt(1 - 2 / np.pi)))
    effects, eta = effect_names(spec), spec.priors.correlation
    words = f"LKJ({eta:g})" + (", uniform over correlation matrices" if eta == 1 else "")
    sd = float(1 / np.sqrt(2 * (eta + (len(effects) - 2) / 2) + 1))
    for i in range(len(effects)):
        for j in range(i):
            out[f"corr:{effects[j]},{effects[i]}"] = (words, sd)
    return out


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
