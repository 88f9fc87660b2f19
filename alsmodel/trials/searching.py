"""The smallest sample size that reaches a power, or the threshold of a setting, found on one set of streams and confirmed on another.

A found size is the smallest of several noisy estimates that is high enough, which makes its own estimate too high. What is
reported is therefore the power at that size on fresh streams, and a size that fails there is raised.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
import polars as pl

from alsmodel.settings.names import nearest
from alsmodel.trials.block import CONFIRM_STREAM, TRIAL_STREAM
from alsmodel.trials.designs import never_reached
from alsmodel.trials.parts import Parts
from alsmodel.trials.paths import with_setting
from alsmodel.trials.run import simulate
from alsmodel.trials.tally import proportion
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


@final
@dataclass(frozen=True, kw_only=True)
class FoundSetting:
    """What a search for a setting found.

    Attributes
    ----------
    setting : str
        Its path.
    value : float
        The last value on the way that keeps the condition on fresh streams, within 2 MCSE.
    figure, mcse : float
        The quantity there on the fresh streams, and its Monte Carlo error.
    tried : polars.DataFrame
        Every value with the quantity: ``value``, ``figure``, ``mcse``, ``streams`` ("search" or "confirm").
    """

    setting: str
    value: float
    figure: float
    mcse: float
    tried: pl.DataFrame


#: What a search may aim at, and the column of its Monte Carlo error.
QUANTITIES = {
    "power": "mcse",
    "stopped_efficacy": None,
    "stopped_futility": None,
    "mean_participants": "participants_mcse",
    "mean_duration": "duration_mcse",
}
Quantity = Literal["power", "stopped_efficacy", "stopped_futility", "mean_participants", "mean_duration"]


@final
class _Trials:
    """Simulates variants of a trial and keeps one figure of one row of each."""

    def __init__(
        self,
        trial: Trial,
        analysis: str | None,
        effect: str | None,
        quantity: Quantity,
        tell: Callable[[dict[str, object]], None] | None,
        **running: Any,
    ) -> None:
        labels, names = [a.label for a in trial.analyses], [e.name for e in trial.effects]
        self.label, self.effect = analysis or labels[0], effect or names[-1]
        faults = [
            f"{wanted!r} is not the name of an {what}. {nearest(wanted, known, otherwise=f'Known: {", ".join(known)}.')}"
            for wanted, known, what in ((self.label, labels, "analysis"), (self.effect, names, "effect"))
            if wanted not in known
        ]
        if trial.axes:
            faults.append(f"a search moves one thing; leave the axes out: {', '.join(trial.axes)}.")
        if quantity not in QUANTITIES:
            faults.append(f"a search aims at one of {', '.join(QUANTITIES)}; got {quantity!r}.")
        if faults:
            raise ValueError(" ".join(faults))
        self.trial = replace(trial, effects=tuple(e for e in trial.effects if e.name == self.effect))
        self.quantity, self.tell, self.running = quantity, tell, running
        self.tried: list[dict[str, object]] = []

    def figure(self, variant: Trial, stream: int, **named: object) -> tuple[float, float]:
        """The figure of a variant with its Monte Carlo error; `named` says which it is."""
        table = simulate(variant, stream=stream, **self.running).table
        row = table.row(by_predicate=pl.col("analysis") == self.label, named=True)
        # Within a family of hypotheses the claim that counts is the one after adjustment.
        adjusted = self.quantity == "power" and row["adjusted_power"] is not None
        found, error = ("adjusted_power", "adjusted_mcse") if adjusted else (self.quantity, QUANTITIES[self.quantity])
        value = float(row[found])
        mcse = float(row[error]) if error is not None else proportion(round(value * row["replicates"]), row["replicates"])[1]
        column = "power" if "n_per_arm" in named else "figure"
        self.tried.append({**named, column: value, "mcse": mcse, "streams": "search" if stream == TRIAL_STREAM else "confirm"})
        if self.tell is not None:
            self.tell(self.tried[-1])
        return value, mcse


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
    progress: Callable[[float, float], None] | None = None,
    tell: Callable[[dict[str, object]], None] | None = None,
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
    workers, folder, progress
        As in `simulate`; with a folder a search goes on where it stopped.
    twins : int
        Counterfactual twins; the search itself uses no true value.
    tell : callable, optional
        Called with each row of `Found.tried` as it comes.

    Raises
    ------
    ValueError
        When the target is no probability, or is not reached at `largest`.
    """
    if not 0 < target < 1:
        raise ValueError(f"target is a power between 0 and 1; got {target}.")
    trials = _Trials(trial, analysis, effect, "power", tell, workers=workers, folder=folder, twins=twins, progress=progress)

    def power(n: int, stream: int) -> tuple[float, float]:
        return trials.figure(replace(trials.trial, n_per_arm=(n,)), stream, n_per_arm=n)

    step, block = trial.design.allocation[0], sum(trial.design.allocation)
    low, high = -(-smallest // step), largest // step
    # A size that has fewer participants than a look wants events is no size of this design.
    low = max(low, *(-(-int(look.at) // block) for look in trial.design.looks if look.when == "events"), 1)
    while low < high and never_reached(trial.design, low * block):  # nor is one whose trials are over before a look by month
        low += 1
    if (most := power(high * step, TRIAL_STREAM)[0]) < target:
        raise ValueError(f"power at {high * step} per arm is {most:.3f}, below {target:g}. Raise largest.")
    while low < high:
        middle = (low + high) // 2
        if power(middle * step, TRIAL_STREAM)[0] >= target:
            high = middle
        else:
            low = middle + 1
    while True:
        found, error = power(high * step, CONFIRM_STREAM)
        if found >= target - 2 * error or high * step >= largest:
            return Found(n_per_arm=high * step, power=found, mcse=error, tried=pl.DataFrame(trials.tried))
        high = min(max(high + 1, round(high * 1.05)), largest // step)


def search_setting(
    trial: Trial,
    setting: str,
    between: tuple[float, float],
    *,
    target: float = 0.8,
    quantity: Quantity = "power",
    keep: Literal["at least", "at most"] = "at least",
    analysis: str | None = None,
    effect: str | None = None,
    tolerance: float | None = None,
    workers: int = 1,
    folder: Path | str | None = None,
    twins: int = 1000,
    progress: Callable[[float, float], None] | None = None,
    tell: Callable[[dict[str, object]], None] | None = None,
) -> FoundSetting:
    """Find the threshold of a setting at which a quantity reaches `target`, by bisection, and confirm it on fresh streams.

    It answers such questions as: from which futility bound on do more than a tenth of the effective trials stop; which is the smallest
    effect with a power of 80% at this size; how much dropout can be borne.

    Parameters
    ----------
    trial : Trial
        With one size; its replicates are those at each value.
    setting : str
        Path of a number, as of an axis (``"design.boundary.futility.0"`` is the first entry of a list), or ``"effect."`` and the name of a
        setting of the effect that counts, such as ``"effect.slowing"``.
    between : tuple of float
        Values to search between, on either side of the target; two whole numbers search among whole numbers.
    target : float
        What the quantity is to reach.
    quantity : "power", "stopped_efficacy", "stopped_futility", "mean_participants" or "mean_duration"
        A column of the table of operating characteristics; power is that after adjustment in a family of hypotheses.
    keep : "at least" or "at most"
        Which side of the target the value found has to be on.
    analysis, effect : str, optional
        As in `search`.
    tolerance : float, optional
        Width at which the bisection ends; by default a hundredth of the range, and 1 between whole numbers, where it is at least that.
    workers, folder, twins, progress, tell
        As in `search`.

    Raises
    ------
    ValueError
        When there is no such setting, or both ends lie on one side of the target.
    """
    low, high = between
    whole = isinstance(low, int) and isinstance(high, int)
    width = (1.0 if whole else (high - low) / 100) if tolerance is None else tolerance
    faults = [] if low < high and np.isfinite([low, high, target]).all() else [f"between needs two rising numbers; got {between}."]
    if not width >= (1.0 if whole else 5e-324) and low < high:
        least = "at least 1 between two whole numbers; write an end as 10.0 to search between them" if whole else "above 0"
        faults.append(f"tolerance must be {least}; got {tolerance}.")
    if len(trial.n_per_arm) != 1:
        faults.append(f"a search for a setting is at one size; got {list(trial.n_per_arm)}.")
    if keep not in ("at least", "at most"):
        faults.append(f"keep is 'at least' or 'at most'; got {keep!r}.")
    if faults:
        raise ValueError(" ".join(faults))
    trials = _Trials(trial, analysis, effect, quantity, tell, workers=workers, folder=folder, twins=twins, progress=progress)

    def figure(value: float, stream: int) -> tuple[float, float]:
        return trials.figure(_varied(trials.trial, setting, value), stream, value=value)

    _varied(trials.trial, setting, high)  # a second end that is impossible is told before the first is simulated
    at_low, at_high = (figure(value, TRIAL_STREAM)[0] for value in between)
    sign = 1 if keep == "at least" else -1

    def kept(found: float, slack: float = 0.0) -> bool:
        return sign * (found - target) >= -slack

    if kept(at_low) == kept(at_high):
        raise ValueError(
            f"{quantity} is {at_low:.4g} at {low:g} and {at_high:.4g} at {high:g}, both on one side of {target:g}. Widen the range."
        )
    good, bad = (low, high) if kept(at_low) else (high, low)
    while abs(good - bad) > width * (1 + 1e-9):
        middle = (good + bad) // 2 if whole else (good + bad) / 2
        good, bad = (middle, bad) if kept(figure(middle, TRIAL_STREAM)[0]) else (good, middle)
    end, step = (low if good < bad else high), np.copysign(width, good - bad)
    while True:
        found, error = figure(good, CONFIRM_STREAM)
        if kept(found, 2 * error) or good == end:
            return FoundSetting(setting=setting, value=good, figure=found, mcse=error, tried=pl.DataFrame(trials.tried))
        moved = good + (int(step) if whole else float(step))
        good = max(moved, low) if step < 0 else min(moved, high)


def _varied(trial: Trial, setting: str, value: float) -> Trial:
    """The trial with the setting at a value."""
    first, _, rest = setting.partition(".")
    if first == "effect":
        return replace(trial, effects=tuple(with_setting(each, rest, value) for each in trial.effects))
    return with_setting(trial, setting, value)


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
    chosen = trial.analysis_called(analysis)
    design = replace(trial.design, looks=(), boundary=None, sequential=None, information=None, reestimation=None)
    pilot = replace(
        trial, design=design, analyses=(chosen,), multiplicity=None, effects=trial.effects[:1], n_per_arm=trial.n_per_arm[:1],
        axes={}, replicates=replicates, target_mcse=None,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        found = simulate(pilot, workers=workers, folder=folder, twins=1000, stream=CONFIRM_STREAM)
        records = Parts(Path(folder)).records(found.table["records"][0], replicates)
    error = records["standard_error"].to_numpy()
    error = error[error > 0]  # shares that are all 0 or 1 have none
    if not error.size:
        raise ValueError(f"no pilot trial gave {chosen.label} a standard error. Enlarge the trial, or choose another analysis.")
    return float(np.mean(1 / error**2) / pilot.scenarios[0].participants)
