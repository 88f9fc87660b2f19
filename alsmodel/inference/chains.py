"""Chains that are judged, with one more try where the judgement says what would help; and what every posterior records of its making."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from alsmodel.errors import FitFailed
from alsmodel.estimators.laplace import Weighted
from alsmodel.inference.checks import Check, Diagnostics, diagnostics, gate
from alsmodel.inference.mode import Mode
from alsmodel.inference.sampling import Advance, Density, Sample, Sampling, sample
from alsmodel.settings import code_digest, encode

Floats = NDArray[np.float64]
CODE = ("alsmodel.kernels", "alsmodel.models", "alsmodel.inference", "alsmodel.estimators")
PACKAGES = ("alsmodel", "numpy", "numba", "nutpie", "arviz-stats", "scipy", "polars")


@final
@dataclass(frozen=True, kw_only=True)
class SecondTry:
    """What is changed for a second try.

    Attributes
    ----------
    target_accept : float
        At least this acceptance after divergences.
    more_draws : int
        Times as many draws where chains only mix slowly.
    """

    target_accept: float = 0.97
    more_draws: int = 4

    def settings(self, sampling: Sampling, checks: tuple[Check, ...], *, diverging: bool) -> Sampling | None:
        """Settings for one more try; none when every check passed."""
        if all(check.passed for check in checks):
            return None
        if diverging:
            return replace(sampling, target_accept=max(sampling.target_accept, self.target_accept), tune=2 * sampling.tune)
        return replace(sampling, draws=self.more_draws * sampling.draws, tune=2 * sampling.tune)


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Chains:
    """Draws that have been judged, and how they were made."""

    drawn: Sample
    draws: dict[str, Floats]
    measured: Diagnostics
    checks: tuple[Check, ...]
    settings: Sampling

    @property
    def provenance(self) -> dict[str, Any]:
        """Settings of the sampler that were used in the end, and leapfrog steps per draw."""
        return {"sampling": encode(self.settings), "leapfrog_steps": float(self.drawn.steps.mean())}


def judged_chains(
    density: Density,
    mode: Mode,
    sampling: Sampling,
    named: Callable[[Floats], dict[str, Floats]],
    *,
    seed: int,
    progress: Advance | None,
    further: tuple[Check, ...],
    second: SecondTry,
) -> Chains:
    """Sample, judge, and sample once more where that is likely to help.

    Parameters
    ----------
    density, mode, sampling, seed, progress
        As for `alsmodel.inference.sampling.sample`.
    named : callable
        From unconstrained draws to draws by printed name, which are what is judged.
    further : tuple of Check
        Judged before, beside the checks of the chains.
    second : SecondTry

    Raises
    ------
    FitFailed
        When the sampler returns draws that are not finite.
    """
    settings = sampling
    while True:
        drawn = sample(density, mode, settings, seed, progress)
        if not np.isfinite(drawn.x).all():
            raise FitFailed("The sampler returned draws that are not finite.")
        draws = named(drawn.x)
        measured = diagnostics(np.stack(list(draws.values()), axis=-1))
        checks = (*gate(measured, drawn.energy, drawn.diverging), *further)
        again = second.settings(sampling, checks, diverging=bool(drawn.diverging.any()))
        if settings != sampling or again is None:
            return Chains(drawn=drawn, draws=draws, measured=measured, checks=checks, settings=settings)
        settings = again


def said_to_fail(failed: Sequence[Check]) -> str:
    """Why weighted draws were not taken, in words."""
    limits = ", ".join(f"{check.name} {check.value:.3g} (limit {check.limit:.3g})" for check in failed)
    return f"importance sampling did not pass its checks: {limits}"


def route_words(x: Floats, weighted: Weighted | None, fallback: str | None) -> str:
    """How a posterior was computed and, after a fallback, why, in a sentence."""
    if weighted is not None:
        draws = weighted.log_weight.size
        return f"Posterior by importance sampling: {draws:,} weighted draws, worth {weighted.ess:,.0f}; k-hat {weighted.k_hat:.2f}."
    chains, length = x.shape[:2]
    why = f", since {fallback}" if fallback else ""
    return f"Posterior by the no-U-turn sampler, {chains} chains of {length:,} draws{why}."


def provenance(spec: Any, knots: Floats, *, seed: int, data: str) -> dict[str, Any]:
    """What a posterior records of its making whatever the method: specification, seed, digests, versions, knots; no time stamps."""
    return {
        "seed": seed,
        "model": encode(spec),
        "data": data,
        "code": code_digest(CODE),
        "versions": {name: version(name) for name in PACKAGES},
        "knots": knots.tolist(),
    }
