"""Run a trial many times: blocks of virtual trials, wherever they run, with the same result."""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np

from alsmodel.settings import code_digest
from alsmodel.trials import estimands
from alsmodel.trials.block import TRIAL_STREAM, Task, one_replicate, run_task, trial_keys
from alsmodel.trials.estimands import TrueValues, true_values
from alsmodel.trials.executors import Executor, check_executor, run_all
from alsmodel.trials.parts import Parts, frame_of, shard_of, total, whole
from alsmodel.trials.results import CODE, PACKAGES, OperatingCharacteristics, Tally, collect
from alsmodel.trials.trial import Scenario, Trial
from alsmodel.trials.world import enrol

#: First count at which a target Monte Carlo error is looked at; the next are twice the last.
FIRST_COUNT = 1000
#: Participants that a pilot trial must find, before any work.
PILOT = 5


@final
@dataclass(frozen=True)
class Runner:
    """How virtual trials are run; nothing here changes a number.

    Attributes
    ----------
    workers : int
        Processes on this machine.
    block : int
        Replicates per block, which bounds memory and what an interruption can lose.
    executor : "local" or "dask"
    scheduler : str or None
        Address of a dask scheduler.
    progress : callable or None
        Called with (virtual trials done, virtual trials in all) at the start and after each block; one virtual trial is one replicate of
        one scenario divided by the number of scenarios, so that the total is the number of replicates.
    stream : int
        First word of the random streams.
    """

    workers: int = 1
    block: int = 250
    executor: Executor = "local"
    scheduler: str | None = None
    progress: Callable[[float, float], None] | None = None
    stream: int = TRIAL_STREAM

    def __post_init__(self) -> None:
        if self.workers < 1 or self.block < 1:
            raise ValueError(f"workers and block must be at least 1; got {self.workers} and {self.block}.")
        check_executor(self.executor, self.scheduler)

    def fill(self, parts: Parts, wanted: dict[str, tuple[Scenario, int]], shard: tuple[int, int] | None = None) -> None:
        """Compute what is missing of the first replicates of scenarios, by digest, and write it part by part."""
        tasks = list(_tasks(parts, wanted, self.block, self.stream, shard))
        if not tasks:
            return
        if self.workers > 1 and self.executor == "local":
            # One virtual trial here first: the workers then load compiled code instead of all compiling it.
            run_task(replace(tasks[0], scenarios=tuple(map(one_replicate, tasks[0].scenarios[:1])), stop=tasks[0].start + 1))
        digests = {id(scenario): digest for digest, (scenario, _) in wanted.items()}
        amount = sum(count for _, count in wanted.values())
        done = amount - sum((task.stop - task.start) * len(task.scenarios) for task in tasks)
        if self.progress is not None and shard is None:
            self.progress(done / len(wanted), amount / len(wanted))
        for task, found in run_all(tasks, workers=self.workers, executor=self.executor, scheduler=self.scheduler):
            for scenario, columns in zip(task.scenarios, found, strict=True):
                digest = digests[id(scenario)]
                columns["scenario"] = np.full(columns["replicate"].shape, digest, dtype=object)
                parts.describe(digest, scenario.identity, scenario.name)
                parts.write(digest, task.start, task.stop, frame_of(columns))
            done += (task.stop - task.start) * len(task.scenarios)
            if self.progress is not None and shard is None:
                self.progress(done / len(wanted), amount / len(wanted))


def _tasks(parts: Parts, wanted: dict[str, tuple[Scenario, int]], block: int, stream: int, shard: tuple[int, int] | None) -> Iterator[Task]:
    gaps: dict[tuple[tuple[int, ...], int, int], list[Scenario]] = defaultdict(list)
    for digest, (scenario, count) in wanted.items():
        words = scenario.trial.population_words()
        for start, stop in parts.missing(digest, count, block):
            if shard is None or shard_of(start, block, shard[1]) == shard[0]:
                gaps[words, start, stop].append(scenario)
    for (_, start, stop), scenarios in sorted(gaps.items(), key=lambda item: item[0][1]):
        yield Task(tuple(scenarios), start, stop, stream)


def digest_of_code() -> str:
    """Digest of the code that decides the records."""
    return code_digest(CODE, packages=PACKAGES)


def simulate(
    trial: Trial,
    *,
    workers: int = 1,
    progress: Callable[[float, float], None] | None = None,
    block: int = 250,
    folder: Path | str | None = None,
    executor: Executor = "local",
    scheduler: str | None = None,
    twins: int | None = None,
    stream: int = TRIAL_STREAM,
) -> OperatingCharacteristics:
    """Simulate every scenario of a trial and summarise its analyses.

    Parameters
    ----------
    trial : Trial
        What to simulate.
    workers : int
        Processes; the result is the same for any number.
    progress : callable, optional
        Called with (virtual trials done, virtual trials in all) at the start and after each block; one virtual trial is one
        replicate in all its scenarios.
    block : int
        Replicates per block, which bounds memory; the result is the same for any size.
    folder : path, optional
        Results folder. Blocks that an earlier run finished there are read, not run again. Without one a temporary folder is used.
    executor : "local" or "dask"
        Processes on this machine, or an existing dask.distributed cluster.
    scheduler : str, optional
        Address of its scheduler.
    twins : int, optional
        Counterfactual twins behind every true value: a million; fewer only for tests that say so.
    stream : int
        Random streams to use: those of a simulation, or fresh ones that confirm a search.

    Returns
    -------
    OperatingCharacteristics

    Raises
    ------
    ValueError
        When `workers` or `block` is below 1, or nobody is eligible.
    """
    runner = Runner(workers=workers, block=block, executor=executor, scheduler=scheduler, progress=progress, stream=stream)
    check_eligibility(trial)
    twins = estimands.TWINS if twins is None else twins
    if folder is not None:
        return _simulate(trial, runner, Path(folder), twins)
    with tempfile.TemporaryDirectory() as temporary:
        return _simulate(trial, runner, Path(temporary), twins)


def simulate_shard(
    trial: Trial,
    shard: tuple[int, int],
    folder: Path | str,
    *,
    workers: int = 1,
    block: int = 250,
    executor: Executor = "local",
    scheduler: str | None = None,
) -> int:
    """Run the share of one task of an array job: every `shard[1]`-th block, starting with `shard[0]` (from 1).

    Gather the folders with `alsmodel.trials.parts.merge`, then `simulate` with the merged folder.

    Returns
    -------
    int
        Replicates of scenarios that are in the folder now.
    """
    number, of = shard
    if not 1 <= number <= of:
        raise ValueError(f"a shard is number/of, such as 2/5, with the number from 1; got {number}/{of}.")
    if trial.target_mcse is not None:
        raise ValueError("a sharded simulation has a fixed number of replicates: leave target_mcse out.")
    check_eligibility(trial)
    runner, parts = Runner(workers=workers, block=block, executor=executor, scheduler=scheduler), Parts(Path(folder))
    parts.folder.mkdir(parents=True, exist_ok=True)
    wanted = {digest: (scenario, trial.replicates) for digest, scenario in _addressed(trial.scenarios, runner.stream).items()}
    runner.fill(parts, wanted, shard)
    return sum(total(parts.spans(digest), trial.replicates) for digest in wanted)


def _addressed(scenarios: Sequence[Scenario], stream: int) -> dict[str, Scenario]:
    """Scenarios by the address of their records; those that differ in name, alpha, side or family only have one address."""
    return {digest_of_scenario(scenario, stream): scenario for scenario in reversed(scenarios)}


def digest_of_scenario(scenario: Scenario, stream: int = TRIAL_STREAM) -> str:
    """Address of a scenario's records."""
    return scenario.digest(digest_of_code() + ("" if stream == TRIAL_STREAM else f"-{stream}"))


def _simulate(trial: Trial, runner: Runner, folder: Path, twins: int) -> OperatingCharacteristics:
    scenarios = trial.scenarios
    parts, addressed = Parts(folder), _addressed(scenarios, runner.stream)
    truths = {digest: true_values(scenario, folder, twins) for digest, scenario in addressed.items()}
    addresses = [digest_of_scenario(scenario, runner.stream) for scenario in scenarios]
    # Scenarios that differ in alpha, side or family alone have the same records and are judged apart.
    tallies: dict[int, Tally] = {}
    counts = _counts(trial)
    for count in counts:
        open_now = [k for k in range(len(scenarios)) if k not in tallies]
        runner.fill(parts, {digest: (addressed[digest], count) for digest in (addresses[k] for k in open_now)})
        for k in open_now:
            tally = _tally(scenarios[k], parts, addresses[k], count, truths[addresses[k]])
            if count == counts[-1] or (trial.target_mcse is not None and tally.worst_mcse <= trial.target_mcse):
                tallies[k] = tally
    return collect(trial, [(scenario, addresses[k], tallies[k]) for k, scenario in enumerate(scenarios)], digest_of_code())


def _counts(trial: Trial) -> list[int]:
    """Replicate counts at which a scenario may stop."""
    counts = []
    if trial.target_mcse is not None:
        count = FIRST_COUNT
        while count < trial.replicates:
            counts.append(count)
            count *= 2
    return [*counts, trial.replicates]


def _tally(scenario: Scenario, parts: Parts, digest: str, count: int, truth: TrueValues) -> Tally:
    if not whole(parts.spans(digest), count):
        raise ValueError(f"{scenario.name}: records are missing that were just written. Does another process change the folder?")
    tally = Tally(scenario, truth)
    for chunk in parts.chunks(digest, count, Tally.CHUNK):
        tally.add(chunk)
    return tally


def check_eligibility(trial: Trial) -> None:
    """Find out before any work whether the rules of a trial admit anyone.

    Raises
    ------
    ValueError
        With the share admitted, when it is too small to fill a trial.
    """
    for scenario in {s.trial.population_words(): s for s in trial.scenarios}.values():
        if scenario.trial.population.eligibility:
            enrol(scenario.trial, trial_keys(scenario.trial, 0, 1), PILOT)
