"""Where tasks run: here, in local processes, or on an existing dask cluster. Records come back; nobody else writes."""

import importlib.util
import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Literal

from alsmodel.errors import Fault, InvalidInput
from alsmodel.trials.block import Task, run_task

Executor = Literal["local", "dask"]
Columns = list[dict[str, Any]]

#: How often a task is tried again when the worker that ran it died.
TRIES = 5


def run_all(
    tasks: Sequence[Task], *, workers: int, executor: Executor = "local", scheduler: str | None = None
) -> Iterator[tuple[Task, Columns]]:
    """Run tasks in any order and yield each with what it returned as soon as it is done.

    Raises
    ------
    InvalidInput
        When dask is asked for and not installed, or without the address of a scheduler.
    """
    if executor == "dask":
        yield from _dask(tasks, scheduler)
    elif workers == 1 or len(tasks) < 2:
        yield from ((task, run_task(task)) for task in tasks)
    else:
        from joblib import Parallel, delayed

        run = delayed(_numbered)
        jobs = Parallel(n_jobs=min(workers, len(tasks)), return_as="generator_unordered")(run(k, task) for k, task in enumerate(tasks))
        yield from ((tasks[k], found) for k, found in jobs)


def _numbered(number: int, task: Task) -> tuple[int, Columns]:
    return number, run_task(task)


def check_executor(executor: Executor, scheduler: str | None) -> None:
    """Find out before any work whether an executor can be used.

    Raises
    ------
    InvalidInput
    """
    if executor == "dask" and importlib.util.find_spec("distributed") is None:
        raise InvalidInput([Fault("--executor dask", "dask.distributed is not installed.", "Install alsmodel[dask].")])
    if executor == "dask" and scheduler is None:
        raise InvalidInput([Fault("--executor dask", "needs the address of a scheduler.", "Add --scheduler tcp://host:8786.")])
    if executor == "local" and scheduler is not None:
        raise InvalidInput([Fault("--scheduler", "is for --executor dask.", "Add --executor dask, or leave it out.")])


def _dask(tasks: Sequence[Task], scheduler: str | None) -> Iterator[tuple[Task, Columns]]:
    from distributed import Client, as_completed

    try:
        client = Client(scheduler, timeout="20s", set_as_default=False)
    except (OSError, ValueError) as error:
        fault = Fault(str(scheduler), f"no dask scheduler answers there ({type(error).__name__}).", "Start one with: dask scheduler")
        raise InvalidInput([fault]) from None
    with client:
        # A task that outlives its worker is run again: what it returns depends on its address alone.
        run = partial(client.submit, run_task, retries=TRIES, pure=False)
        waiting = {run(task, key=f"alsmodel-{os.getpid()}-{id(tasks)}-{k}"): task for k, task in enumerate(tasks)}
        try:
            for future in as_completed(list(waiting), loop=client.loop):
                yield waiting.pop(future), future.result()
        finally:
            client.cancel(list(waiting))
