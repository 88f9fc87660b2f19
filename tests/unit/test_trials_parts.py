"""The results folder: an interrupted, extended, sharded or distributed run gives the same bits, and computes only what is missing."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import alsmodel.trials.executors
import alsmodel.trials.run
from alsmodel.errors import InvalidInput
from alsmodel.trials import Effect, LogRank, NamedTruth, OperatingCharacteristics, ParallelDesign, RandomSlope, Trial, simulate_shard
from alsmodel.trials.parts import SCHEMA, Parts, merge

TRIAL = Trial(
    truth=NamedTruth(),
    design=ParallelDesign(visits=(0.0, 3.0, 6.0), duration=6.0),
    analyses=(LogRank(), RandomSlope()),
    n_per_arm=(10, 14),
    effects=(Effect(name="slower", slowing=0.3, hazard_ratio=0.7),),
    replicates=40,
    seed=12,
)
#: True values from a few twins: what is tested is that they do not change.
simulate = partial(alsmodel.trials.run.simulate, twins=2000, block=10)


@pytest.fixture(scope="module")
def whole() -> OperatingCharacteristics:
    return simulate(TRIAL)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """(scenarios, start, stop) of every block that is computed."""
    done: list[tuple[int, int, int]] = []
    real = alsmodel.trials.executors.run_task

    def counted(task: Any) -> Any:
        done.append((len(task.scenarios), task.start, task.stop))
        return real(task)

    monkeypatch.setattr(alsmodel.trials.executors, "run_task", counted)
    return done


def parts_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.glob("*/*.parquet"))}


def test_an_interrupted_run_computes_only_what_is_missing(
    tmp_path: Path, whole: OperatingCharacteristics, computed: list[tuple[int, int, int]]
) -> None:
    def stop(done: float, total: float) -> None:
        if done >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(TRIAL, folder=tmp_path, progress=stop)
    assert computed == [(2, 0, 10), (2, 10, 20)]
    computed.clear()
    again = simulate(TRIAL, folder=tmp_path)
    assert computed == [(2, 20, 30), (2, 30, 40)]
    assert again.table.equals(whole.table)
    assert again.paired.equals(whole.paired)
    computed.clear()
    assert simulate(TRIAL, folder=tmp_path).table.equals(whole.table)
    assert computed == []


def test_a_killed_process_leaves_whole_parts_only(tmp_path: Path, whole: OperatingCharacteristics) -> None:
    code = (
        "import time; from tests.unit.test_trials_parts import TRIAL, simulate;"
        f"simulate(TRIAL, folder={str(tmp_path)!r}, progress=lambda done, total: time.sleep(60) if done >= 10 else None)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    try:
        deadline = time.monotonic() + 300
        while not parts_of(tmp_path) and time.monotonic() < deadline and child.poll() is None:
            time.sleep(0.1)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert parts_of(tmp_path)
    (next(tmp_path.glob("*/*.parquet")).parent / f".00000010-00000020.parquet.{os.getpid()}.partial").write_bytes(b"PAR1 cut short")
    assert simulate(TRIAL, folder=tmp_path).table.equals(whole.table)


def test_scenarios_blocks_and_more_replicates_leave_finished_parts_alone(
    tmp_path: Path, whole: OperatingCharacteristics, computed: list[tuple[int, int, int]]
) -> None:
    small = replace(TRIAL, n_per_arm=(10,))
    simulate(small, folder=tmp_path, block=16)
    before = parts_of(tmp_path)
    computed.clear()
    table = simulate(TRIAL, folder=tmp_path).table
    assert {blocks for blocks, _, _ in computed} == {1}
    assert table.equals(whole.table)
    assert {name: content for name, content in parts_of(tmp_path).items() if name in before} == before
    computed.clear()
    more = simulate(replace(small, replicates=45), folder=tmp_path)
    assert computed == [(1, 40, 45)]
    assert more.table.equals(simulate(replace(small, replicates=45)).table)


def test_a_damaged_part_is_computed_again(tmp_path: Path, whole: OperatingCharacteristics) -> None:
    simulate(TRIAL, folder=tmp_path)
    next(tmp_path.glob("*/00000010-*.parquet")).write_bytes(b"PAR1")
    assert simulate(TRIAL, folder=tmp_path).table.equals(whole.table)


def test_other_code_has_another_address(tmp_path: Path, computed: list[tuple[int, int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    one = replace(TRIAL, n_per_arm=(10,), replicates=10)
    simulate(one, folder=tmp_path)
    monkeypatch.setattr(alsmodel.trials.run, "digest_of_code", lambda: "other code")
    computed.clear()
    simulate(one, folder=tmp_path)
    assert computed == [(1, 0, 10)]


def test_what_decides_no_record_is_no_part_of_the_address() -> None:
    (scenario,) = replace(TRIAL, n_per_arm=(10,)).scenarios
    (other,) = replace(TRIAL, n_per_arm=(10,), replicates=9, name="other", effects=(replace(TRIAL.effects[0], name="same"),)).scenarios
    assert scenario.digest("c") == other.digest("c")
    (longer,) = replace(TRIAL, n_per_arm=(10,), design=replace(TRIAL.design, duration=7.0)).scenarios
    assert scenario.digest("c") != longer.digest("c")


def test_shards_merge_to_the_same_result(tmp_path: Path, whole: OperatingCharacteristics, computed: list[tuple[int, int, int]]) -> None:
    done = [simulate_shard(TRIAL, (k, 3), tmp_path / str(k), block=10) for k in (1, 2, 3)]
    assert done == [40, 20, 20]
    counts = merge(tmp_path / "all", [tmp_path / str(k) for k in (1, 2, 3)])
    assert counts == {"parts": 8, "present": 0, "scenarios": 2}
    computed.clear()
    assert simulate(TRIAL, folder=tmp_path / "all").table.equals(whole.table)
    assert computed == []
    with pytest.raises(ValueError, match="2/5"):
        simulate_shard(TRIAL, (4, 3), tmp_path)
    with pytest.raises(InvalidInput, match="holds no parts"):
        merge(tmp_path / "all", [tmp_path])


def test_parts_are_tidy_records(tmp_path: Path) -> None:
    simulate(TRIAL, folder=tmp_path)
    digest = next(tmp_path.glob("*/scenario.json")).parent.name
    records = Parts(tmp_path).records(digest, 40)
    assert dict(records.schema) == SCHEMA
    assert records.height == 40 * 2
    assert records["replicate"].to_list() == [r for r in range(40) for _ in range(2)]
    assert set(records["stop"]) == {"end"}
    assert (records["duration"] == 6.0).all()


def test_a_target_error_is_looked_at_after_fixed_counts_only() -> None:
    trial = replace(TRIAL, analyses=(LogRank(),), n_per_arm=(8,), replicates=5000, target_mcse=0.0049)
    found = alsmodel.trials.run.simulate(trial, twins=2000).table
    power, count = found["power"][0], found["replicates"][0]
    # The power is about 0.05: an MCSE of 0.0049 needs some 2,000 replicates.
    assert count in (1000, 2000, 4000)
    assert np.sqrt(power * (1 - power) / count) < 0.0051
    assert alsmodel.trials.run.simulate(replace(trial, target_mcse=1e-6, replicates=1100), twins=2000).table["replicates"][0] == 1100


def test_memory_holds_one_chunk_whatever_the_replicates(tmp_path: Path) -> None:
    frame = simulate(replace(TRIAL, n_per_arm=(10,)), folder=tmp_path).table
    digest = frame["records"][0]
    parts = Parts(tmp_path)
    sizes = [chunk.height for chunk in parts.chunks(digest, 40, 7)]
    assert sizes == [14] * 5 + [10]
    joined = pl.concat(list(parts.chunks(digest, 40, 7)))
    assert joined.equals(parts.records(digest, 40))


@pytest.mark.slow
def test_a_dask_cluster_that_loses_a_worker_gives_the_same_bits(tmp_path: Path, whole: OperatingCharacteristics) -> None:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1", silence_logs=50
    ) as cluster:
        killed: list[int] = []

        def kill_one(done: float, total: float) -> None:
            if not killed:
                worker = next(iter(cluster.workers.values()))
                killed.append(worker.process.process.pid)
                os.kill(killed[0], signal.SIGKILL)

        found = simulate(TRIAL, folder=tmp_path, block=5, executor="dask", scheduler=cluster.scheduler_address, progress=kill_one)
    assert killed
    assert found.table.equals(whole.table)


def test_an_executor_that_cannot_work_is_refused_before_any_work() -> None:
    for options, said in (
        ({"executor": "dask"}, "address of a scheduler"),
        ({"scheduler": "tcp://127.0.0.1:1"}, "for --executor dask"),
    ):
        with pytest.raises(InvalidInput, match=said):
            simulate(TRIAL, **options)
