"""`fit`: from a model and a cohort to a posterior that has been checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.cohort import Cohort
from alsmodel.cohort.arrays import JointData, joint_data
from alsmodel.errors import Fault, InvalidInput
from alsmodel.estimators.laplace import Weighted
from alsmodel.estimators.psis import resample
from alsmodel.inference.chains import SecondTry, judged_chains, provenance, said_to_fail
from alsmodel.inference.checks import Check, importance_diagnostics, importance_gate
from alsmodel.inference.importance import weigh
from alsmodel.inference.posterior import AbstractPosterior, read_posterior
from alsmodel.inference.refine import Prepared, prepare
from alsmodel.inference.sampling import Advance, Sampling
from alsmodel.inference.store import read_data, write_data
from alsmodel.inference.summary import named_draws, prior_reasons, prior_texts, summarise
from alsmodel.models.bends import settled
from alsmodel.models.program import Program, program
from alsmodel.models.spec import JointModel

Floats = NDArray[np.float64]
Method = Literal["auto", "nuts", "psis"]


@final
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Fit(AbstractPosterior):
    """A posterior with everything needed to use and to judge it.

    Attributes
    ----------
    spec : JointModel
    data : JointData
        The arrays that were fitted.
    x : array, shape (chains, draws, P)
        Unconstrained draws, all of equal weight. Importance sampling gives one "chain": its draws resampled by their weights.
    draws : dict of str to array, shape (chains, draws)
        Draws by printed name; correlations and treatment effects are derived.
    summary : polars.DataFrame
        One row per parameter and derived value: mean, sd, quantiles, R-hat, ESS, prior. Of a weighted posterior it is computed
        from the weighted draws themselves; ESS is then importance ESS, and there is no R-hat.
    checks : tuple of Check
    provenance : dict
        Settings, seed, versions and digests; no time stamps. ``method`` is the one used, ``fallback`` why it is not the one tried
        first.
    weighted : Weighted or None
        The weighted draws that a posterior by importance sampling was resampled from.
    """

    spec: JointModel
    data: JointData
    x: Floats
    draws: dict[str, Floats]
    summary: pl.DataFrame
    checks: tuple[Check, ...]
    provenance: dict[str, Any]
    weighted: Weighted | None = None

    @cached_property
    def program(self) -> Program:
        """The density that was sampled."""
        return program(self.spec, self.data)

    def loglik(self, most: int | None = None) -> Floats:
        """Log-likelihood of each participant at each draw, random effects integrated out; shape (chains, draws, N).

        This is what model comparison takes: it judges the prediction of new participants.

        Parameters
        ----------
        most : int, optional
            Take at most this many draws of each chain, evenly spaced.
        """
        x = self.x if most is None else self.x[:, :: max(1, self.x.shape[1] // most)][:, :most]
        return np.array([[self.program.loglik(point) for point in chain] for chain in x])

    def cumulative_incidence(self, times: Sequence[float] | Floats, by: str | None = None) -> pl.DataFrame:
        """Chance that each cause has been the first by each time; see `alsmodel.inference.incidence.cumulative_incidence`."""
        from alsmodel.inference.incidence import cumulative_incidence

        return cumulative_incidence(self, times, by)

    def state_occupation(self, times: Sequence[float] | Floats, by: str | None = None) -> pl.DataFrame:
        """Chance of being in each state at each time; see `alsmodel.inference.incidence.state_occupation`."""
        from alsmodel.inference.incidence import state_occupation

        return state_occupation(self, times, by)

    def population(self, n_draws: int, seed: int) -> dict[str, Floats]:
        """Parameters of the population, for truth drawn from this posterior; see `alsmodel.inference.population`."""
        from alsmodel.inference.population import population

        return population(self, n_draws, seed)

    def effects(self, draws: int = 1000, *, seed: int = 1, cores: int = 2) -> tuple[NDArray[np.int64], Floats]:
        """Random effects of every participant at some posterior draws; see `alsmodel.inference.effects.participant_effects`."""
        from alsmodel.inference.effects import participant_effects

        return participant_effects(self, draws, seed=seed, cores=cores)

    def _write_data(self, folder: Path) -> None:
        write_data(self.data, folder)

    @classmethod
    def load(cls, folder: Path | str) -> "Fit":
        """Read what `save` wrote."""
        source = Path(folder)
        spec, fields = read_posterior(source, JointModel)
        return cls(spec=spec, data=read_data(source), **fields)

    def __repr__(self) -> str:
        return self._shown(self.spec.outcome, self.data, 36)


def fit(
    spec: JointModel,
    cohort: Cohort,
    sampling: Sampling | None = None,
    *,
    method: Method = "auto",
    seed: int = 1,
    progress: Advance | None = None,
) -> Fit:
    """Compute the posterior of a joint model and check it.

    Parameters
    ----------
    spec : JointModel
    cohort : Cohort
    sampling : Sampling, optional
    method : {"auto", "nuts", "psis"}
        "psis": draws around the mode, weighted (Laplace with Pareto-smoothed importance sampling). "nuts": the no-U-turn sampler.
        "auto": the first where its weights pass their checks, otherwise the second; `Fit.provenance` says which and why.
    seed : int
        Same seed, same draws, for any number of cores.
    progress : callable, optional
        Told (work done, work in all).

    Returns
    -------
    Fit
        Look at `Fit.passed` before using it.

    Raises
    ------
    InvalidInput
        When the cohort lacks what the model asks for.
    FitFailed
        When no mode is found or the sampler returns nothing finite.
    """
    data = joint_data(cohort, spec.selection)
    return fit_data(spec, data, sampling or Sampling(), method=method, seed=seed, progress=progress, digest=cohort.digest)


def fit_data(
    spec: JointModel,
    data: JointData,
    sampling: Sampling,
    *,
    seed: int,
    method: Method = "auto",
    progress: Advance | None = None,
    digest: str = "",
) -> Fit:
    """`fit` on arrays that were made before."""
    if method not in ("auto", "nuts", "psis"):
        raise ValueError(f'method must be "auto", "nuts" or "psis"; got {method!r}.')
    spec = settled(spec, data)
    prepared = prepare(spec, data)
    mixed = ", ".join(block.labels[0] for _, block in prepared.program.mixtures)
    if mixed and method == "psis":
        fault = f"Weighted draws rest on one mode, and with a mixture as the prior of {mixed} there may be several."
        raise InvalidInput([Fault("fit.method", fault, 'Choose "auto" or "nuts".')])
    if mixed or method == "nuts":
        reason = f"the prior of {mixed} is a mixture, which may give several modes" if mixed and method == "auto" else None
        return _by_nuts(prepared, data, sampling, seed, progress, digest, reason)
    weighted = weigh(prepared.program, prepared.mode, seed=seed, cores=sampling.cores)
    failed = [check for check in importance_gate(weighted) if not check.passed]
    if method == "auto" and failed:
        return _by_nuts(prepared, data, sampling, seed, progress, digest, said_to_fail(failed))
    return _by_psis(prepared, data, weighted, seed, digest)


def _by_psis(prepared: Prepared, data: JointData, weighted: Weighted, seed: int, digest: str) -> Fit:
    spec, made, weight = prepared.spec, prepared.program, weighted.weight
    exact = named_draws(spec, data, made, weighted.x)
    measured = importance_diagnostics(np.stack(list(exact.values()), axis=-1), weight)
    chosen = resample(weighted.log_weight, weighted.log_weight.size, np.random.default_rng([seed, 4]))
    x = weighted.x[chosen][None]
    return Fit(
        spec=spec,
        data=data,
        x=x,
        draws=named_draws(spec, data, made, x),
        summary=summarise(spec, exact, list(exact), measured, prior_texts(spec, made), prior_reasons(made), weight),
        checks=(*importance_gate(weighted), prepared.check, *prepared.further),
        provenance={"method": "psis", "importance_draws": int(weight.size)} | provenance(spec, made.knots, seed=seed, data=digest),
        weighted=weighted,
    )


def _by_nuts(
    prepared: Prepared, data: JointData, sampling: Sampling, seed: int, progress: Advance | None, digest: str, fallback: str | None
) -> Fit:
    spec, made = prepared.spec, prepared.program
    chains = judged_chains(
        made.density, prepared.mode, sampling, lambda x: named_draws(spec, data, made, x),
        seed=seed, progress=progress, further=(prepared.check, *prepared.further), second=SecondTry(),
    )  # fmt: skip
    own = {"method": "nuts"} | chains.provenance | ({"fallback": fallback} if fallback else {})
    return Fit(
        spec=spec,
        data=data,
        x=chains.drawn.x,
        draws=chains.draws,
        summary=summarise(spec, chains.draws, list(chains.draws), chains.measured, prior_texts(spec, made), prior_reasons(made)),
        checks=chains.checks,
        provenance=own | provenance(spec, made.knots, seed=seed, data=digest),
    )
