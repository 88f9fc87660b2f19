"""Gathering the run folders of an array job into one."""

import shutil
from pathlib import Path

from alsmodel.study.runs import SETTINGS, RunFolder
from alsmodel.study.steps import REPLICATES


def merge_shards(target: Path | str, shards: list[Path]) -> dict[str, int]:
    """Copy the replicates of sharded runs into one run folder, which `alsmodel simulate` then summarises.

    Parameters
    ----------
    target : path
        Run folder; made if missing.
    shards : list of path
        Run folders of the shards.

    Returns
    -------
    dict of str to int
        As from `alsmodel.trials.parts.merge`.

    Raises
    ------
    InvalidInput
        When a shard holds no replicates, or `target` holds something else than a run.
    """
    from alsmodel.trials.parts import merge

    folder = RunFolder.open(Path(target))
    counts = merge(folder.path / REPLICATES, [Path(shard) / REPLICATES for shard in shards])
    settings = Path(shards[0]) / SETTINGS
    if settings.is_file() and not (folder.path / SETTINGS).exists():
        shutil.copyfile(settings, folder.path / SETTINGS)
    return counts
