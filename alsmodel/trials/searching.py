"""The smallest sample size that reaches a power, found on one set of random streams and confirmed on another.

A found size is the smallest of several noisy estimates that is high enough, which makes its own estimate too high. What is
reported is therefore the power at that size on fresh streams, and a size that fails there is raised.
"""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np
import polars as pl

from alsmodel.settings.names import nearest
from alsmodel.trials.block import CONFIRM_STREAM, TRIAL_STREAM
from alsmodel.trials.parts import Parts
from alsmodel.trials.run import simulate
from alsmodel.trials.trial import Trial


@final
@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search found.

    Attributes
    ----------
    n_per_arm : int
        Smallest size of the control arm whose power on fresh streams is not below the target by more than 2 MCSE.
    power, mcse : float
        Power there on the fresh streams, and its Monte Carlo error.
    tried : polars.DataFrame
        Every size with its power: ``n_per_arm``, ``power``, ``mcse``, ``streams`` ("search" or "confirm").
    """

    n_per_arm: int
    power: float
    mcse: float
    tried: pl.DataFrame


def search(
    trial: Trial,
    *,
    target: float = 0.8,
    analysis: str | None = None,
    effect: str | None = None,
    smallest: int = 10,
    largest: int = 2000,
    workers: int = 1,
    folder: Path | str | None = None,
    twins: int = 1000,
) -> Found:
    """Find the smallest size of the control arm with a power of `target` by bisection, and confirm it on fresh streams.

    Sizes are whole blocks of the allocation. Common random numbers make power nearly monotone in size, which bisection needs.

    Parameters
    ----------
    trial : Trial
        Its sizes are not used; its replicates are those at each size.
    target : float
        Power to reach, between 0 and 1.
    analysis, effect : str, optional
        Label and name of the row that counts; the first analysis and the last effect by default. In a family of hypotheses the
        power is that after adjustment.
    smallest, largest : int
        Sizes to search between.
    workers, folder
        As in `simulate`; with a folder a search goes on where it stopped.
    twins : int
        Counterfactual twins; the search itself uses no true value.

    Raises
    ------
    ValueError
        When the target is no probability, or is not reached at `largest`.
    """
    if not 0 < target < 1:
        raise ValueError(f"target is a power between 0 and 1; got {target}.")
    label = analysis or trial.analyses[0].label
    wanted = [e for e in trial.effects if e.name == (effect or trial.effects[-1].name)]
    if label not in [a.label for a in trial.analyses] or not wanted or trial.axes:
        raise ValueError(f"search needs one analysis and one effect of the trial, and no axes; got {label!r} and {effect!r}.")
    tried: list[dict[str, object]] = []

    def power(n: int, stream: int) -> tuple[float, float]:
        one = replace(trial, n_per_arm=(n,), effects=tuple(wanted))
        row = simulate(one, workers=workers, folder=folder, twins=twins, stream=stream).table.row(
            by_predicate=pl.col("analysis") == label, named=True
        )
        streams = "search" if stream == TRIAL_STREAM else "confirm"
        # Within a family of hypotheses the claim that counts is the one after adjustment.
        adjusted = row["adjusted_power"] is not None
        found, error = (row["adjusted_power"], row["adjusted_mcse"]) if adjusted else (row["power"], row["mcse"])
        tried.append({"n_per_arm": n, "power": found, "mcse": error, "streams": streams})
        return float(found), float(error)

    step = trial.design.allocation[0]
    low, high = -(-smallest // step), largest // step
    if power(high * step, TRIAL_STREAM)[0] < target:
        raise ValueError(f"power at {high * step} per arm is {tried[-1]['power']:.3f}, below {target:g}. Raise largest.")
    while low < high:
        middle = (low + high) // 2
        if power(middle * step, TRIAL_STREAM)[0] >= target:
            high = middle
        else:
            low = middle + 1
    while True:
        found, error = power(high * step, CONFIRM_STREAM)
        if found >= target - 2 * error or high * step >= largest:
            return Found(n_per_arm=high * step, power=found, mcse=error, tried=pl.DataFrame(tried))
        high = min(max(high + 1, round(high * 1.05)), largest // step)


def planned_information(trial: Trial, *, replicates: int = 200, workers: int = 1, analysis: str | None = None) -> float:
    """Information per participant that an analysis has at a trial's planned end: mean of 1/SE², without stopping early.

    It is what ``information = { per_participant = ... }`` of a design takes, and comes from pilot trials under its first effect
    and its first size, on streams of their own.

    Parameters
    ----------
    trial : Trial
    replicates : int
        Pilot trials.
    workers : int
        As in `simulate`.
    analysis : str, optional
        Label of the analysis; the first by default.

    Raises
    ------
    ValueError
        When no pilot trial has a standard error, or there is no such analysis.
    """
    labelled = {each.label: each for each in trial.analyses}
    if analysis is not None and analysis not in labelled:
        known = nearest(analysis, list(labelled), otherwise=f"Known: {', '.join(labelled)}.")
        raise ValueError(f"{analysis!r} is not the name of an analysis. {known}")
    chosen = trial.analyses[0] if analysis is None else labelled[analysis]
    design = replace(trial.design, looks=(), boundary=None, sequential=None, information=None, reestimation=None)
    pilot = replace(
        trial, design=design, analyses=(chosen,), multiplicity=None, effects=trial.effects[:1], n_per_arm=trial.n_per_arm[:1],
        axes={}, replicates=replicates, target_mcse=None,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        found = simulate(pilot, workers=workers, folder=folder, twins=1000, stream=CONFIRM_STREAM)
        records = Parts(Path(folder)).records(found.table["records"][0], replicates)
    error = records["standard_error"].to_numpy()
    if not np.isfinite(error).any():
        raise ValueError(f"no pilot trial gave {chosen.label} a standard error. Enlarge the trial, or choose another analysis.")
    return float(np.nanmean(1 / error**2) / pilot.scenarios[0].participants)
