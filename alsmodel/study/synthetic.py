"""Synthetic cohorts in a source's own files."""

import os
import shutil
from pathlib import Path

from alsmodel.errors import Fault, InvalidInput
from alsmodel.patients import VirtualCohort, proact

#: A folder with this file was made here, so it may be replaced.
TRUTH = "truth.json"


def write_proact(participants: int, seed: int, folder: Path, *, spec: VirtualCohort | None = None) -> list[str]:
    """Write a synthetic cohort as PRO-ACT files; all of them appear at once.

    Parameters
    ----------
    participants : int
        How many people.
    seed : int
        The same seed gives the same files.
    folder : Path
        Made, or replaced when a synthetic cohort is in it.
    spec : VirtualCohort, optional
        What the cohort is like.

    Returns
    -------
    list of str
        Names of the files.

    Raises
    ------
    InvalidInput
        When `folder` holds something that is no synthetic cohort.
    """
    if folder.exists() and not folder.is_dir():
        raise InvalidInput([Fault(str(folder), "is a file; a folder is needed.", "Choose another --out.")])
    if folder.is_dir() and any(folder.iterdir()) and not (folder / TRUTH).is_file():
        raise InvalidInput([Fault(str(folder), "holds no synthetic cohort and is not replaced.", "Choose another --out.")])
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir()
        proact.write(spec or VirtualCohort(), participants, seed, partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return sorted(path.name for path in folder.iterdir())
