"""Writing a virtual cohort as NeuroBANK exports it: Answer ALS, and ALL ALS with its two arms; faults included.

`truth.json` beside the files says how many rows and faults each file has.
"""

from pathlib import Path

import numpy as np

from alsmodel.patients.neurobank_all_als import FILES as ALL_ALS_FILES
from alsmodel.patients.neurobank_answer_als import FILES as ANSWER_ALS_FILES
from alsmodel.patients.neurobank_layout import Writer, finish, write_truth
from alsmodel.patients.participants import VirtualParticipants
from alsmodel.patients.streams import stream_key

ANSWER_ALS_STREAM, ALL_ALS_STREAM = 5, 6
_WHOLE = ("Demographics", "ALS_Gene_Mutations", "AALSDXFX")
"""Files whose whole numbers are written as 5.0, as the curation of the release leaves them."""


def write_answer_als(people: VirtualParticipants, folder: Path | str, *, faults: bool = True, prefix: str = "v_NB_IATI_") -> Path:
    """Write a simulated cohort as Answer ALS files, with a tenth as many controls beside it.

    Parameters
    ----------
    people : VirtualParticipants
    folder : path
        Made if missing; files of these names are replaced.
    faults : bool
        Plant faults.
    prefix : str
        Beginning of the file names; the curated release has none.

    Returns
    -------
    pathlib.Path
        The folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    ids = np.array([f"NEU{100_000 + 7 * i:06d}" for i in range(people.n)], dtype=object)
    writer = Writer(people, ids, stream_key(people.seed, ANSWER_ALS_STREAM), faults)
    for name, make in ANSWER_ALS_FILES.items():
        table = make(writer)
        writer.rows[name] = table.rows
        finish(table, whole=name in _WHOLE).write(folder / f"{prefix}{name}.csv")
    write_truth(writer, folder)
    return folder


def write_all_als(people: VirtualParticipants, folder: Path | str, *, faults: bool = True, relative: bool = False) -> Path:
    """Write a simulated cohort as ALL ALS files: everyone in ASSESS, and a tenth as many carriers in PREVENT.

    Parameters
    ----------
    people : VirtualParticipants
    folder : path
        Made if missing; files of these names are replaced.
    faults : bool
        Plant faults.
    relative : bool
        Write days in place of dates, from a zero of the export's own.

    Returns
    -------
    pathlib.Path
        The folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    ids = np.array([f"GUID{200_000 + 3 * i:06d}" for i in range(people.n)], dtype=object)
    writer = Writer(people, ids, stream_key(people.seed, ALL_ALS_STREAM), faults, relative=relative)
    for name, make in ALL_ALS_FILES.items():
        table = make(writer)
        writer.rows[name] = table.rows
        finish(table).write(folder / f"v_ALLALS_{name}.csv")
    write_truth(writer, folder)
    return folder
