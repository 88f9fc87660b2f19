"""One block of virtual trials: enrol, follow, look, analyse. The unit of work of every executor.

Every number of replicate r comes from the stream key ``SeedSequence(seed, spawn_key=(stream, population words, r))``,
so a record does not depend on workers, block size, order, or what else is in the block.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import numpy.typing as npt

from alsmodel.patients.streams import stream_key
from alsmodel.trials.analyses import AbstractAnalysis, Analysed, TrialData
from alsmodel.trials.family_watch import FamilyWatch, family_names, family_watch
from alsmodel.trials.indicators import analysed
from alsmodel.trials.information import Bounds, Watch, watch
from alsmodel.trials.looks import Look
from alsmodel.trials.opening import Opened, final_month, open_data, timed, z_of
from alsmodel.trials.reestimation import PromisingSize
from alsmodel.trials.resizing import Resized, resize, statistic
from alsmodel.trials.trial import Scenario, Trial
from alsmodel.trials.world import Enrolled, Integers, Keys, Observed, assign, enrol, first, observe

Floats = npt.NDArray[np.float64]

#: First word of every spawn key of this room; other rooms use other numbers.
TRIAL_STREAM = 2
#: Stream of counterfactual twins, and of trials that confirm a searched design.
TWIN_STREAM, CONFIRM_STREAM = 3, 4


@final
@dataclass(frozen=True)
class Task:
    """Replicates `start` to `stop` of some scenarios that share their population."""

    scenarios: tuple[Scenario, ...]
    start: int
    stop: int
    stream: int = TRIAL_STREAM


def trial_keys(trial: Trial, start: int, stop: int, stream: int = TRIAL_STREAM) -> Keys:
    """Stream keys of replicates `start` to `stop`, shape (stop - start,)."""
    words = trial.population_words()
    return np.array([stream_key(trial.seed, stream, *words, r) for r in range(start, stop)], dtype=np.uint64)


def run_task(task: Task) -> list[dict[str, npt.NDArray[Any]]]:
    """Simulate and analyse the replicates of a task.

    Returns
    -------
    list of dict
        One per scenario, in order: columns as in `alsmodel.trials.parts.SCHEMA`, without ``scenario``.
    """
    trial = task.scenarios[0].trial
    keys = trial_keys(trial, task.start, task.stop, task.stream)
    most = max(scenario.most for scenario in task.scenarios)
    enrolled = enrol(trial, keys, most)
    followed: dict[tuple[str, str], tuple[Integers, Observed]] = {}
    out = []
    # Scenarios with one effect and one way of assigning share what happened, cut to their size.
    for scenario in task.scenarios:
        design = scenario.trial.design
        events, markers = scenario.trial.intercurrent, scenario.trial.biomarkers
        address = (repr(scenario.effect), repr((design.allocation, design.randomisation, design.delayed_start, events, markers)))
        if address not in followed:
            arm = assign(design, enrolled, keys)
            population, effect = trial.population, scenario.effect
            followed[address] = arm, observe(design, population, enrolled, effect, arm, keys, events=events, biomarkers=markers)
        arm, seen = followed[address]
        out.append(_records(scenario, *_sized(enrolled, arm, seen, scenario.most), task.start))
    return out


def _sized(enrolled: Enrolled, arm: Integers, seen: Observed, n: int) -> tuple[Enrolled, Integers, Observed]:
    if arm.shape[1] == n:
        return enrolled, arm, seen
    parts = {name: np.ascontiguousarray(getattr(seen, name)[:, :n]) for name in ("scores", "months", "event_time", "event", "left")}
    happened = {name: np.ascontiguousarray(when[:, :n]) for name, when in seen.intercurrent.items()}
    taken = {name: np.ascontiguousarray(values[:, :n]) for name, values in seen.biomarkers.items()}
    return first(enrolled, n), np.ascontiguousarray(arm[:, :n]), Observed(**parts, intercurrent=happened, biomarkers=taken)


@final
@dataclass(frozen=True)
class Looked:
    """One look at R trials: which are still running, what the deciding analysis found, its bounds, and which stop or have no alpha left."""

    number: int
    running: npt.NDArray[np.bool_]
    opened: Opened
    result: Analysed
    z: Floats
    bounds: Bounds
    efficacy: npt.NDArray[np.bool_]
    futility: npt.NDArray[np.bool_]
    ended: npt.NDArray[np.bool_]


def looks_of(
    scenario: Scenario, enrolled: Enrolled, arm: Integers, seen: Observed, bounds: Watch, resized: Resized | None = None
) -> Iterator[Looked]:
    """Open the data look by look, the final analysis left out; a trial whose look falls at its end is not opened for it."""
    design = scenario.trial.design
    if not design.looks:
        return
    end = final_month(design, enrolled)
    running = np.ones(end.shape, dtype=np.bool_)
    before = np.full(end.shape, -np.inf)
    for k, look in enumerate(design.looks):
        month = _month_of(look, scenario, enrolled, seen, end, resized)
        open_now = running & (month < end) & (month > before)
        before = np.maximum(before, month)
        opened = open_data(scenario.trial, enrolled, arm, seen, month)
        result = analysed(scenario.trial.analyses[0], opened.data)
        z = z_of(result)
        at = bounds.look(k + 1, open_now, result.standard_error)
        with np.errstate(invalid="ignore"):
            wins, fails = open_now & (z >= at.efficacy), open_now & (z <= at.futility)
        ended = open_now & at.spent & ~wins & ~fails
        yield Looked(k + 1, open_now, opened, result, z, at, wins, fails, ended)
        running = running & ~wins & ~fails & ~ended


@final
@dataclass(frozen=True)
class FamilyLooked:
    """One look at R trials of a family: which still run, what its analyses found, by label, and which stop or have spent all."""

    number: int
    running: npt.NDArray[np.bool_]
    opened: Opened
    results: dict[str, Analysed]
    efficacy: npt.NDArray[np.bool_]
    futility: npt.NDArray[np.bool_]
    ended: npt.NDArray[np.bool_]


def family_looks_of(
    scenario: Scenario, enrolled: Enrolled, arm: Integers, seen: Observed, family: FamilyWatch, resized: Resized | None = None
) -> Iterator[FamilyLooked]:
    """Open the data look by look and let the family reject, the final analysis left out."""
    trial, wanted = scenario.trial, family_names(scenario.trial)
    end = final_month(trial.design, enrolled)
    running = np.ones(end.shape, dtype=np.bool_)
    before = np.full(end.shape, -np.inf)
    for k, look in enumerate(trial.design.looks):
        month = _month_of(look, scenario, enrolled, seen, end, resized)
        open_now = running & (month < end) & (month > before)
        before = np.maximum(before, month)
        opened = open_data(trial, enrolled, arm, seen, month)
        results = {a.label: analysed(a, opened.data) for a in trial.analyses if a.label in wanted}
        z = family_z(wanted, results)
        family.test(k + 1, open_now, z, family_errors(wanted, results))
        wins = open_now & family.stops()
        fails = open_now & ~wins & family.hopeless(k + 1, z)
        ended = open_now & ~wins & ~fails & family.exhausted()
        yield FamilyLooked(k + 1, open_now, opened, results, wins, fails, ended)
        running = running & ~wins & ~fails & ~ended


def _month_of(look: Look, scenario: Scenario, enrolled: Enrolled, seen: Observed, end: Floats, resized: Resized | None) -> Floats:
    """Calendar month of a look in each trial."""
    if resized is not None:
        return resized.month_of(look, scenario.trial, scenario.participants, end)
    return look.cutoff(enrolled.month, *timed(scenario.trial, seen), end)


def family_z(names: list[str], results: dict[str, Analysed]) -> Floats:
    """z of the hypotheses of a family, shape (R, m)."""
    return np.stack([z_of(results[name]) for name in names], axis=1)


def family_errors(names: list[str], results: dict[str, Analysed]) -> Floats:
    """Standard errors of the hypotheses of a family, shape (R, m)."""
    return np.stack([results[name].standard_error for name in names], axis=1)


def _records(scenario: Scenario, enrolled: Enrolled, arm: Integers, seen: Observed, start: int) -> dict[str, npt.NDArray[Any]]:
    design, analyses = scenario.trial.design, scenario.trial.analyses
    trials = arm.shape[0]
    resized: Resized | None = None
    if design.reestimation is not None:
        resized = resize(scenario, enrolled, arm, seen)
        enrolled, arm, seen = resized.enrolled, resized.arm, resized.seen
    month = np.full(trials, np.inf)
    look = np.full(trials, len(design.looks) + 1)
    stop = np.full(trials, "end", dtype="<U8")
    bound = np.full(trials, np.nan)
    bounds, family = watch(design, scenario.participants, trials), family_watch(scenario, trials)
    if family is None:
        for seen_at in looks_of(scenario, enrolled, arm, seen, bounds, resized):
            for which, word in ((seen_at.efficacy, "efficacy"), (seen_at.futility, "futility"), (seen_at.ended, "end")):
                month[which], look[which], stop[which] = seen_at.opened.month[which], seen_at.number, word
            bound[seen_at.ended] = seen_at.bounds.efficacy[seen_at.ended]
    else:
        for at in family_looks_of(scenario, enrolled, arm, seen, family, resized):
            for which, word in ((at.efficacy, "efficacy"), (at.futility, "futility"), (at.ended, "end")):
                month[which], look[which], stop[which] = at.opened.month[which], at.number, word
    early = np.isfinite(month).any()
    opened = open_data(scenario.trial, enrolled, arm, seen, np.minimum(month, final_month(design, enrolled)) if early else None)
    results = [analysed(analysis, opened.data) for analysis in analyses]
    if family is not None:
        names = family_names(scenario.trial)
        labelled = {a.label: result for a, result in zip(analyses, results, strict=True)}
        ended = ~np.isfinite(month)
        family.test(len(design.looks) + 1, ended, family_z(names, labelled), family_errors(names, labelled), last=True)
    elif design.looks:
        bound = np.where(np.isfinite(month), bound, bounds.final(~np.isfinite(month), results[0].standard_error))
    z = z_of(results[0])
    if resized is not None and isinstance(design.reestimation, PromisingSize):
        z, bound = statistic(scenario, resized, results[0]), np.full(trials, scenario.trial.decision.bound)
    rows = [_columns(a, result) for a, result in zip(analyses, results, strict=True)]
    rows[0] |= {"z": z, "bound": bound}
    if family is not None:
        for number, analysis in enumerate(analyses):
            if analysis.label in names:
                place = names.index(analysis.label)
                rows[number] |= {"bound": family.bound[:, place], "rejected_at": family.rejected_at[:, place]}
    data = opened.data
    inside = np.broadcast_to(data.arm >= 0, data.event.shape)
    shared = {
        "replicate": np.arange(start, start + trials),
        "participants": inside.sum(axis=1),
        "screened": np.where(inside, enrolled.screened, 0).max(axis=1),
        "events": data.event.sum(axis=1),
        "left": opened.left,
        "look": look,
        "stop": stop,
        "duration": opened.month,
        "draw": enrolled.draw,
        "interim": np.full(trials, np.nan) if resized is None else np.where(month > resized.opened.month, resized.value, np.nan),
        "intercurrent": happened_by_arm(data, len(design.allocation)),
    }
    # Replicate by replicate, so that a part reads as a list of trials.
    tall = {name: np.repeat(np.asarray(values), len(analyses), axis=0) for name, values in shared.items()}
    return tall | {name: np.stack([row[name] for row in rows], axis=1).ravel() for name in rows[0]}


def happened_by_arm(data: TrialData, arms: int) -> Integers:
    """Participants of each arm and those of them with each intercurrent event, arm by arm; shape (R, A (1 + K)), empty without events."""
    inside = [np.broadcast_to(data.arm == a, data.event.shape) for a in range(arms)] if data.intercurrent else []
    counts = [(mine & np.isfinite(when)).sum(axis=1) for mine in inside for when in (np.zeros(mine.shape), *data.intercurrent.values())]
    return np.stack(counts, axis=1) if counts else np.zeros((data.event.shape[0], 0), dtype=np.int64)


def _columns(analysis: AbstractAnalysis, result: Analysed) -> dict[str, npt.NDArray[Any]]:
    size = result.estimate.shape
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = result.estimate / result.standard_error if result.statistic is None else result.statistic
    words = np.where(result.failed, "failed", "ok") if result.status is None else result.status
    return {
        "analysis": np.full(size, analysis.label, dtype=object),
        "estimate": result.estimate,
        "standard_error": result.standard_error,
        "df": result.df,
        "statistic": statistic,
        "p_value": result.p_value,
        "z": z_of(result),
        "bound": np.full(size, np.nan),
        "rejected_at": np.full(size, -1),
        "benefit": result.benefit,
        "failed": result.failed,
        "status": words.astype(object),
    }


def one_replicate(scenario: Scenario) -> Scenario:
    """The smallest form of a scenario that runs the same code, for compiling."""
    return replace(scenario, n_per_arm=min(scenario.n_per_arm, 20 * scenario.trial.design.allocation[0]))
