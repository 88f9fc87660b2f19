"""The ALSFRS table: items, totals and what is wrong with them."""

import numpy as np
from numpy.typing import NDArray

from alsmodel.patients.csv_text import Table, decimals
from alsmodel.patients.proact_layout import Source

_SPOKEN = (
    "Q1_Speech",
    "Q2_Salivation",
    "Q3_Swallowing",
    "Q4_Handwriting",
    "Q5a_Cutting_without_Gastrostomy",
    "Q6_Dressing_and_Hygiene",
    "Q7_Turning_in_Bed",
    "Q8_Walking",
    "Q9_Climbing_Stairs",
)
_REVISED = ("R_1_Dyspnea", "R_2_Orthopnea", "R_3_Respiratory_Insufficiency")
_RATES = {
    "null_delta": 0.004,
    "both_5a_and_5b": 0.004,
    "sum_mismatch": 0.005,
    "total_missing": 0.004,
    "item_missing": 0.003,
    "text_score": 0.001,
    "score_of_5": 0.001,
    "duplicate_row": 0.006,
}
_TEN_ITEM, _ROWS, _SECOND, _MODE = 10, 11, 12, 13


def _rows(source: Source) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int8], NDArray[np.bool_]]:
    """Person, day, items and gastrostomy of every assessment, screening first."""
    people = source.people
    screened = np.flatnonzero(~np.isnan(people.screening_day))
    person, visit = np.nonzero(people.total >= 0)
    day = np.concatenate([people.screening_day[screened], people.visit_day[person, visit]])
    items = np.concatenate([people.screening_items[screened], people.items[person, visit]])
    tube = np.concatenate([np.zeros(screened.size, dtype=bool), people.gastrostomy[person, visit]])
    person = np.concatenate([screened, person])
    order = np.lexsort((day, person))
    return person[order], day[order], items[order], tube[order]


def scores(source: Source) -> Table:
    """Make the ALSFRS table.

    People of the older trials have ten items: Q10 and no R_1 to R_3, ALSFRS_Total and no ALSFRS_R_Total. Q10 of
    these rows is the first of the three revised respiratory items of the simulation.
    """
    person, day, items, tube = _rows(source)
    table = source.table("ALSFRS", person)
    ten = (source.uniform(_TEN_ITEM) < source.layout.ten_item_share)[person]
    for column, item in zip(_SPOKEN, (0, 1, 2, 3, 4, 5, 6, 7, 8)):
        table[column] = decimals(items[:, item])
    fifth = decimals(items[:, 4])
    table["Q5a_Cutting_without_Gastrostomy"] = np.where(tube, "", fifth)
    table["Q5b_Cutting_with_Gastrostomy"] = np.where(tube, fifth, "")
    tenth = decimals(items[:, 9])
    table["Q10_Respiratory"] = np.where(ten, tenth, "")
    for column, item in zip(_REVISED, (9, 10, 11)):
        table[column] = np.where(ten, "", decimals(items[:, item]))
    table["ALSFRS_Total"] = np.where(ten, decimals(items[:, :10].sum(axis=1)), "")
    table["ALSFRS_R_Total"] = np.where(ten, "", decimals(items.sum(axis=1)))
    table["ALSFRS_Delta"] = decimals(day)
    mode = source.uniform(_MODE, person.size)
    table["Mode_of_Administration"] = np.where(mode < 0.04, "In person", np.where(mode < 0.06, "Telephone", ""))
    table["ALSFRS_Responded_By"] = np.where(mode < 0.05, "Patient", np.where(mode < 0.06, "Caregiver", ""))
    _spoil(source, table, day, ten, tube, items)
    source.planted["ALSFRS.ten_item_row"] = int((table["Q10_Respiratory"] != "").sum())
    source.planted["ALSFRS.gastrostomy_row"] = int((table["Q5b_Cutting_with_Gastrostomy"] != "").sum())
    source.planted["ALSFRS.negative_day"] = sum(cell.startswith("-") for cell in table["ALSFRS_Delta"])
    return table


def _spoil(
    source: Source,
    table: Table,
    day: NDArray[np.float64],
    ten: NDArray[np.bool_],
    tube: NDArray[np.bool_],
    items: NDArray[np.int8],
) -> None:
    """Plant the faults, each on rows of its own."""
    chosen = source.plant("ALSFRS", _ROWS, np.arange(table.rows), _RATES)
    table["ALSFRS_Delta"][chosen["null_delta"]] = ""
    both = chosen["both_5a_and_5b"]
    # Half of the double entries agree, half differ by a point.
    other = np.where(np.arange(both.size) % 2 == 0, items[both, 4], np.abs(items[both, 4] - 1))
    without, with_tube = table["Q5a_Cutting_without_Gastrostomy"], table["Q5b_Cutting_with_Gastrostomy"]
    without[both] = np.where(tube[both], decimals(other), without[both])
    with_tube[both] = np.where(tube[both], with_tube[both], decimals(other))
    totals, revised = table["ALSFRS_Total"], table["ALSFRS_R_Total"]
    wrong = chosen["sum_mismatch"]
    for column, where, width, top in ((totals, ten, 10, 40), (revised, ~ten, 12, 48)):
        rows = wrong[where[wrong]]
        right = items[rows, :width].sum(axis=1, dtype=np.int64)
        column[rows] = decimals(np.where(right < top, right + 1, right - 1))
    totals[chosen["total_missing"]] = ""
    revised[chosen["total_missing"]] = ""
    table["Q9_Climbing_Stairs"][chosen["item_missing"]] = ""
    table["Q4_Handwriting"][chosen["text_score"]] = "ND"
    table["Q8_Walking"][chosen["score_of_5"]] = "5"
    spoilt = np.concatenate(list(chosen.values()))
    clean = np.setdiff1d(np.flatnonzero((day == 0) & (items[:, 0] > 0)), spoilt)
    second = source.plant("ALSFRS", _SECOND, clean, {"second_baseline": 0.004})["second_baseline"]
    _repeat(table, chosen["duplicate_row"], second)


def _repeat(table: Table, exact: NDArray[np.int64], second: NDArray[np.int64]) -> None:
    """Repeat rows: exactly, or as a second baseline whose speech item and total are one lower."""
    repeated = np.sort(np.concatenate([exact, second]))
    copies = table.duplicate(repeated)[np.isin(repeated, second)]
    for name in ("Q1_Speech", "ALSFRS_Total", "ALSFRS_R_Total"):
        column = table[name]
        column[copies] = [str(int(cell) - 1) if cell else "" for cell in column[copies]]
