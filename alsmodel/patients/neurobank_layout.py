"""Shared context of the NeuroBANK writers: keys, random numbers, faults, missing cells, signs by region.

File and column names of the two layouts were typed from the public descriptions, apart from the reader's own list.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alsmodel.patients.csv_text import Column, Table, decimals, plant
from alsmodel.patients.participants import VirtualParticipants
from alsmodel.patients.streams import uniforms

MISSING = "."
Ints = NDArray[np.int64]

#: Region of the diagnosis form -> beginnings of its columns: right and left, or the region as a whole.
REGIONS: dict[str, tuple[str, ...]] = {"bulbar": ("blb",), "cervical": ("rue", "lue"), "thoracic": ("trnk",), "lumbosacral": ("rle", "lle")}
ENDINGS = {"umn": "cumn", "lmn": "clmn", "emg": "elmn"}


@dataclass(frozen=True)
class Writer:
    """What every file is written from.

    Attributes
    ----------
    people : VirtualParticipants
    ids : array of str
        Participants' keys.
    key : numpy.uint64
        Stream of the writer's own random numbers.
    faults : bool
        Plant faults.
    planted, rows : dict
        "FILE.fault" -> rows that have it; file -> rows. Filled while files are made.
    relative : bool
        Write days in place of dates.
    """

    people: VirtualParticipants
    ids: Column
    key: np.uint64
    faults: bool
    planted: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    relative: bool = False

    def uniform(self, purpose: int, rows: int, width: int = 1) -> NDArray[np.float64]:
        """Uniform numbers per row; shape (rows,) or (rows, width)."""
        table: NDArray[np.float64] = uniforms(self.key, rows, purpose, width)
        return table[:, 0] if width == 1 else table

    def plant(self, file: str, purpose: int, rows: Ints, rates: Mapping[str, float]) -> dict[str, Ints]:
        """Choose disjoint rows for each fault of a file and count them."""
        shuffled = rows[np.argsort(self.uniform(purpose, rows.size), kind="stable")]
        chosen = plant(shuffled, {name: rate if self.faults else 0.0 for name, rate in rates.items()})
        self.planted.update({f"{file}.{name}": int(index.size) for name, index in chosen.items()})
        return chosen

    def when(self, person: Ints, day: NDArray[Any]) -> Column:
        """Write days from each person's own baseline as dates, or as days from a zero that is not the baseline; NaN is empty."""
        days = np.broadcast_to(np.asarray(day, dtype=float), person.shape)
        if self.relative:
            return decimals(days + 10 + person % 50)
        dates = np.datetime64("2021-01-01") + (37 * person % 700 + np.where(np.isnan(days), 0, np.round(days)).astype(np.int64))
        return np.where(np.isnan(days), "", dates.astype(str).astype(object))

    def visits(self) -> tuple[Ints, Ints]:
        """Person and visit of every assessment that was made."""
        person, visit = np.nonzero(self.people.total >= 0)
        return person, visit


def finish(table: Table, *, whole: bool = False) -> Table:
    """Mark empty cells as missing; write whole numbers as 5.0 where `whole`."""
    for name in table.header:
        cells = table[name]
        if whole and name not in ("SubjectUID", "Participant_ID"):
            cells[:] = [f"{cell}.0" if str(cell).lstrip("-").isdigit() else cell for cell in cells]
        cells[cells == ""] = MISSING
    return table


def write_truth(writer: Writer, folder: Path) -> None:
    """Write truth.json: parameters, rows and planted faults."""
    truth: dict[str, Any] = writer.people.truth | {"rows": writer.rows, "planted": dict(sorted(writer.planted.items()))}
    (folder / "truth.json").write_text(json.dumps(truth, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def region_cells(people: VirtualParticipants) -> dict[str, NDArray[np.int64]]:
    """Return for each kind of finding a table of states by person and region: 1 present, 2 absent, 90 not examined.

    The regions examined are the first of the four; upper signs are in the first of them, lower signs in the last, EMG findings
    where the lower signs are.
    """
    place = np.arange(4)[None, :]
    seen = place < people.examined[:, None]
    umn = place < people.umn[:, None]
    lmn = seen & (place >= (people.examined - people.lmn)[:, None])
    state = {"umn": umn, "lmn": lmn, "emg": lmn}
    return {kind: np.where(~seen, 90, np.where(found, 1, 2)) for kind, found in state.items()}


def controls(n: int) -> list[str]:
    """Return the keys of the controls that stand beside n participants."""
    return [f"NEUCTL{k:04d}" for k in range(max(1, n // 10))]


def lines(text: str) -> tuple[str, ...]:
    """Return the words of a text."""
    return tuple(text.split())


def spoil_scores(writer: Writer, table: Table, file: str, items: Ints, names: Mapping[str, str], rows: Ints | None = None) -> None:
    """Plant the faults of a table of scores, each on rows of its own; on any of `rows` (all of them without it)."""
    rates = {
        "day_missing": 0.01,
        "item_5_both_differ": 0.01,
        "total_differs": 0.01,
        "score_text": 0.01,
        "score_of_5": 0.01,
        "not_done": 0.01,
        "duplicate_row": 0.01,
        "second_row": 0.01,
    }
    chosen = writer.plant(file, 10, np.arange(table.rows) if rows is None else rows, rates)
    table[names["day"]][chosen["day_missing"]] = ""
    both = chosen["item_5_both_differ"]
    table[names["a"]][both] = decimals(items[both, 4])
    table[names["b"]][both] = decimals(np.where(items[both, 4] > 0, items[both, 4] - 1, 1))
    wrong = chosen["total_differs"]
    right = items[wrong].sum(axis=1)
    table[names["total"]][wrong] = decimals(np.where(right < 48, right + 1, right - 1))
    table[names["text"]][chosen["score_text"]] = "ND"
    table[names["five"]][chosen["score_of_5"]] = "5"
    for name in table.header[2:]:
        table[name][chosen["not_done"]] = ""
    again = np.sort(np.concatenate([chosen["duplicate_row"], chosen["second_row"]]))
    copies = table.duplicate(again)[np.isin(again, chosen["second_row"])]
    # The second row says less: without its total and an item it is the poorer one.
    table[names["total"]][copies] = ""
    table[names["text"]][copies] = ""


def first_tube(people: VirtualParticipants) -> tuple[Ints, NDArray[np.float64]]:
    """Return the participants seen with a gastrostomy, and the day of the first such visit."""
    person = np.flatnonzero(people.gastrostomy.any(axis=1))
    return person, people.visit_day[person, people.gastrostomy[person].argmax(axis=1)]
