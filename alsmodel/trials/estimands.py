"""True values: what an analysis aims at, as a functional on counterfactual twins, never a coefficient of the generator.

Every twin is followed under control and under the active arm with the same random numbers, nobody leaves, and follow-up ends
where the design's does. The functionals, over the population that is eligible:

    slope difference      mean difference of the least-squares slopes of the true paths through the planned visits, death set aside
    change difference     mean difference of the true paths at the last planned visit, death set aside
    log hazard ratio      Cox limit at the horizon: where the expected partial-likelihood score of both twins together is zero
    RMST difference       difference of the mean months without event, up to the horizon

The first two are hypothetical; the others count death as it comes. Responders, win statistics and the joint rank have no true value
stated.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
import numpy.typing as npt

from alsmodel.settings import code_digest, digest_of
from alsmodel.trials.analyses import AbstractAnalysis
from alsmodel.trials.block import TWIN_STREAM, trial_keys
from alsmodel.trials.parts import put_text
from alsmodel.trials.randomisation import Alternating
from alsmodel.trials.trial import Scenario
from alsmodel.trials.truth import PosteriorTruth
from alsmodel.trials.world import Enrolled, Observed, enrol, observe, paths

Floats = npt.NDArray[np.float64]

#: Twins behind a true value; a smaller number is for tests that say so.
TWINS = 1_000_000
#: Twins that are followed at once.
AT_ONCE = 25_000
#: The code that decides a true value.
CODE = ("alsmodel.trials", "alsmodel.patients")


@final
@dataclass(frozen=True)
class TrueValues:
    """True value of each analysis' estimand by label: one number, or one per posterior draw; absent where none is stated."""

    values: dict[str, Floats]

    def of(self, label: str, draw: npt.NDArray[np.int64]) -> Floats:
        """True value in trials with these posterior draws; NaN where none is stated."""
        known = self.values.get(label)
        if known is None:
            return np.full(draw.shape, np.nan)
        return np.asarray(known[draw] if known.size > 1 else np.full(draw.shape, known[0]))


def true_values(scenario: Scenario, folder: Path, twins: int) -> TrueValues:
    """True values of a scenario's estimands, from the folder's cache or from new twins.

    Parameters
    ----------
    scenario : Scenario
        Its size and its analyses' options do not matter, only population, effect, visits, horizon and what is estimated.
    folder : path
        Results folder; what is found is kept in its ``truth`` folder under a digest of everything it depends on.
    twins : int
        How many.
    """
    wanted = {_address(a): a for a in scenario.trial.analyses if a.measure in FUNCTIONALS}
    values: dict[str, Floats] = {}
    if isinstance(scenario.trial.truth, PosteriorTruth):
        # One value per draw: the paths' difference needs few twins each, the others would need a million for every draw.
        wanted = {address: a for address, a in wanted.items() if a.measure in ("slope difference", "change difference")}
    if wanted:
        identity = {"scenario": _identity(scenario), "twins": twins, "wanted": sorted(wanted), "code": code_digest(CODE)}
        path = folder / "truth" / f"{digest_of(identity)}.json"
        known = _read(path)
        if known is None:
            known = _compute(scenario, wanted, twins)
            text = json.dumps({"identity": identity, "values": known}, indent=1, sort_keys=True) + "\n"
            put_text(path, text)
        values = {a.label: np.asarray(known[_address(a)]) for a in scenario.trial.analyses if _address(a) in known}
    return TrueValues(values)


def _identity(scenario: Scenario) -> dict[str, Any]:
    identity = scenario.identity()
    for name in ("analyses", "n_per_arm"):
        del identity[name]
    for name in ("randomisation", "recruitment", "looks", "boundary", "sequential", "dropout_per_month", "missing_visit_probability"):
        del identity["design"][name]
    return identity


def _address(analysis: AbstractAnalysis) -> str:
    """What of an analysis decides its true value: measure, arm, and the horizon where it has one."""
    return digest_of([analysis.measure, analysis.arm, getattr(analysis, "horizon", None)])


def _read(path: Path) -> dict[str, list[float]] | None:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))["values"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _compute(scenario: Scenario, wanted: dict[str, AbstractAnalysis], twins: int) -> dict[str, list[float]]:
    posterior = isinstance(scenario.trial.truth, PosteriorTruth)
    gathered: dict[str, list[Any]] = {address: [] for address in wanted}
    draws: list[npt.NDArray[np.int64]] = []
    # By numbers, many twins under one key; from a posterior, some under each of many keys, so that every draw has its share.
    unwatched = replace(scenario.trial.design, looks=(), boundary=None, sequential=None, information=None, reestimation=None)
    plain = replace(unwatched, recruitment=None, randomisation=Alternating())
    trial = replace(scenario.trial, design=plain)
    keys_at_once, size = (500, AT_ONCE // 500) if posterior else (1, AT_ONCE)
    blocks = [(b * keys_at_once, (b + 1) * keys_at_once) for b in range(-(-twins // AT_ONCE))]
    for block in blocks:
        keys = trial_keys(scenario.trial, *block, TWIN_STREAM)
        enrolled = enrol(trial, keys, size)
        draws.append(enrolled.draw)
        arms = {0, *(a.arm for a in wanted.values())}
        measures: set[str] = {a.measure for a in wanted.values()}
        seen = {arm: _followed(scenario, enrolled, keys, arm, measures) for arm in arms}
        for address, analysis in wanted.items():
            gathered[address].append(FUNCTIONALS[analysis.measure].gather(scenario, analysis, seen[0], seen[analysis.arm]))
    found = {}
    for address, analysis in wanted.items():
        found[address] = FUNCTIONALS[analysis.measure].settle(gathered[address], np.concatenate(draws) if posterior else None)
    if isinstance(scenario.trial.truth, PosteriorTruth):
        # A draw that no twin had, which takes few twins and many draws, gets the mean of the others.
        total = scenario.trial.truth.slope.shape[0]
        found = {address: values + [float(np.mean(values))] * (total - len(values)) for address, values in found.items()}
    return found


def _followed(scenario: Scenario, enrolled: Enrolled, keys: npt.NDArray[np.uint64], arm: int, measures: set[str]) -> "Twin":
    """What happens to twins in an arm, and their true paths at the planned visits with death set aside, as far as it is asked for."""
    trial = scenario.trial
    arms = np.full(enrolled.person.shape, arm, dtype=np.int64)
    hypothetical = measures & {"slope difference", "change difference"}
    path = paths(trial.design, trial.population, enrolled, scenario.effect, arms, keys) if hypothetical else None
    if measures <= hypothetical:
        return None, path
    # The others are of survival alone, which needs no scores in between.
    design = replace(trial.design, visits=(0.0, trial.design.duration), phone_visits=())
    return observe(design, trial.population, enrolled, scenario.effect, arms, keys, twins=True), path


type Twin = tuple[Observed | None, Floats | None]


@final
@dataclass(frozen=True)
class Functional:
    """How a true value is made: what is kept of each block of twins, and the value from all of them."""

    gather: Callable[[Scenario, AbstractAnalysis, Twin, Twin], Any]
    settle: Callable[[list[Any], npt.NDArray[np.int64] | None], list[float]]


def _mean(parts: list[Floats], draw: npt.NDArray[np.int64] | None) -> list[float]:
    values = np.concatenate([part.mean(axis=1) for part in parts])
    if draw is None:
        return [float(values.mean())]
    size = int(draw.max()) + 1
    count = np.bincount(draw, minlength=size)
    total = np.bincount(draw, weights=values, minlength=size)
    return [float(t / c) if c else float(values.mean()) for t, c in zip(total, count, strict=True)]


def _gained(control: Twin, active: Twin) -> Floats:
    """Difference of the true paths, shape (R, n, V)."""
    gained: Floats = np.asarray(active[1]) - np.asarray(control[1])
    return gained


def _survival(twin: Twin) -> tuple[Floats, Floats]:
    if twin[0] is None:
        raise ValueError("Twins were not followed for events.")
    return twin[0].event_time.ravel(), twin[0].event.ravel().astype(np.float64)


def _slope(scenario: Scenario, _: AbstractAnalysis, control: Twin, active: Twin) -> Floats:
    months = np.array(scenario.trial.design.visits, dtype=np.float64)
    weights = (months - months.mean()) / ((months - months.mean()) ** 2).sum()
    return np.asarray(_gained(control, active) @ weights)


def _change(_: Scenario, __: AbstractAnalysis, control: Twin, active: Twin) -> Floats:
    return np.asarray(_gained(control, active)[..., -1])


def _months_alive(scenario: Scenario, analysis: AbstractAnalysis, control: Twin, active: Twin) -> Floats:
    horizon = float(getattr(analysis, "horizon", None) or scenario.trial.design.duration)
    # One row: under a posterior this value is not stated, so twins have one key at a time.
    alive = [np.minimum(_survival(twin)[0], horizon)[None] for twin in (control, active)]
    return np.asarray(alive[1] - alive[0])


def _times(_: Scenario, __: AbstractAnalysis, control: Twin, active: Twin) -> tuple[Floats, Floats, Floats]:
    both = [_survival(twin) for twin in (control, active)]
    arm = np.repeat([0.0, 1.0], both[0][0].size)
    return np.concatenate([t for t, _ in both]), np.concatenate([e for _, e in both]), arm


def _cox_limit(parts: list[tuple[Floats, Floats, Floats]], _: npt.NDArray[np.int64] | None) -> list[float]:
    """Newton's method on the partial likelihood of one covariate."""
    time, event, arm = (np.concatenate([part[k] for part in parts]) for k in range(3))
    died = event == 1
    # At risk are all whose time is not earlier (Breslow): twins whom treatment leaves alone tie exactly, and cancel.
    active, at = arm[died], time[died]
    exposed, control = (c.size - np.searchsorted(np.sort(c), at, side="left") for c in (time[arm == 1], time[arm == 0]))
    at_risk = exposed + control
    beta = 0.0
    for _step in range(50):
        mean = exposed * np.exp(beta) / (exposed * np.exp(beta) + at_risk - exposed)
        information = (mean * (1 - mean)).sum()
        if not information > 0:
            return [float("nan")]
        step = float((active - mean).sum() / information)
        beta += min(max(step, -2.0), 2.0)
        if abs(step) < 1e-12:
            break
    return [float(beta)]


#: Measure -> its functional; a measure that is not here has no true value stated.
FUNCTIONALS: dict[str, Functional] = {
    "slope difference": Functional(_slope, _mean),
    "change difference": Functional(_change, _mean),
    "log hazard ratio": Functional(_times, _cox_limit),
    "RMST difference": Functional(_months_alive, _mean),
}
