"""Settings of the sampler, and sampling in coordinates where the posterior is nearly a unit Gaussian."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from alsmodel.inference.mode import Mode

Floats = NDArray[np.float64]
Density = Callable[[Floats], tuple[float, Floats]]
Advance = Callable[[float, float], None]


@final
@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the posterior is sampled (no-U-turn sampler, whitened at the mode).

    Attributes
    ----------
    chains, draws, tune : int
        Chains, kept draws per chain, and adaptation steps before them.
    target_accept : float
        Mean acceptance that the step size aims at.
    cores : int
        Chains that run at the same time; the draws do not depend on it.
    """

    chains: int = 4
    draws: int = 1000
    tune: int = 200
    target_accept: float = 0.8
    cores: int = 2

    def __post_init__(self) -> None:
        faults = []
        if self.chains < 2:
            faults.append(f"chains must be at least 2, or convergence cannot be judged; got {self.chains}.")
        if self.draws < 100:
            faults.append(f"draws must be at least 100; got {self.draws}.")
        if self.tune < 50:
            faults.append(f"tune must be at least 50; got {self.tune}.")
        if not 0.5 <= self.target_accept < 1:
            faults.append(f"target_accept must be from 0.5 and below 1; got {self.target_accept}.")
        if self.cores < 1:
            faults.append(f"cores must be at least 1; got {self.cores}.")
        if faults:
            raise ValueError(" ".join(faults))


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """What the sampler returned.

    Attributes
    ----------
    x : array, shape (chains, draws, P)
        Unconstrained draws.
    energy : array, shape (chains, draws)
    diverging : array, shape (chains, draws)
    steps : array, shape (chains, draws)
        Leapfrog steps per draw.
    """

    x: Floats
    energy: Floats
    diverging: NDArray[np.bool_]
    steps: NDArray[np.int64]


def sample(density: Density, mode: Mode, settings: Sampling, seed: int, progress: Advance | None = None) -> Sample:
    """Draw from `density` by NUTS, in z where the unconstrained vector is ``mode.at + mode.scale z``.

    Parameters
    ----------
    density : callable
        Log density and gradient; must not depend on which thread calls it.
    mode : Mode
    settings : Sampling
    seed : int
    progress : callable, optional
        Told (draws done, draws in all).
    """
    import nutpie
    from nutpie.compiled_pyfunc import from_pyfunc

    size = mode.at.size
    backwards = np.ascontiguousarray(mode.scale.T)

    def white(z: Floats) -> tuple[float, Floats]:
        value, gradient = density(mode.at + mode.scale @ z)
        if not np.isfinite(value):
            raise OutsideSupport
        return value, backwards @ gradient

    def start(seed: int) -> Floats:
        return np.random.default_rng(seed).normal(size=size)

    compiled = from_pyfunc(
        size, lambda: white, lambda *_: lambda z: {"z": np.asarray(z)}, [np.dtype(float)], [(size,)], ["z"],
        make_initial_point_fn=start,
    )  # fmt: skip
    total = settings.chains * (settings.draws + settings.tune)
    watch = None if progress is None else _Watch(progress, total)
    trace = nutpie.sample(
        compiled,
        draws=settings.draws,
        tune=settings.tune,
        chains=settings.chains,
        cores=min(settings.cores, settings.chains),
        seed=seed,
        target_accept=settings.target_accept,
        progress_bar=False,
        progress_callback=watch,
        save_warmup=False,
    )
    stats = trace["sample_stats"]
    return Sample(
        x=mode.at + trace["posterior"]["z"].to_numpy() @ mode.scale.T,
        energy=stats["energy"].to_numpy(),
        diverging=stats["diverging"].to_numpy().astype(bool),
        steps=stats["n_steps"].to_numpy().astype(np.int64),
    )


def evenly(draws: int, most: int) -> NDArray[np.int64]:
    """Positions of at most `most` of so many draws, evenly spaced."""
    return np.unique(np.linspace(0, draws - 1, min(most, draws)).astype(np.int64))


class OutsideSupport(ValueError):
    """The density is not finite here; the sampler takes it as a divergence."""

    is_recoverable = True


class _Watch:
    """Turns the sampler's reports into work done."""

    def __init__(self, progress: Advance, total: int) -> None:
        self.progress, self.total = progress, total

    def __call__(self, chains: Any) -> None:
        self.progress(sum(int(chain.finished_draws) for chain in chains), self.total)
