"""King's and MiToS stages with unknown items, and the D50 model."""

import itertools
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.optimize import curve_fit

from alsmodel.clinical.alsfrs import ITEM_COLUMNS
from alsmodel.clinical.d50 import aggressiveness, d50_phases, fit_d50, phases, score_at
from alsmodel.clinical.stages import classify_stages, kings, kings_4a, kings_4b, kings_bounds, mitos, mitos_bounds, mitos_domains
from alsmodel.clinical.units import DAYS_PER_MONTH

COLUMNS = (*ITEM_COLUMNS, "gastrostomy")
TYPES = {**dict.fromkeys(ITEM_COLUMNS, pl.Int8), "gastrostomy": pl.Boolean}
FULL: dict[str, int | bool | None] = {**dict.fromkeys(ITEM_COLUMNS, 4), "gastrostomy": False}


def scored(**changed: int | bool | None) -> dict[str, int | bool | None]:
    return {**FULL, **changed}


def frame(*rows: Mapping[str, object]) -> pl.DataFrame:
    return pl.DataFrame([dict(row) for row in rows], schema=TYPES)


def stage(expression: pl.Expr, **changed: int | bool | None) -> object:
    return frame(scored(**changed)).select(expression).item()


def literal_kings(row: Mapping[str, object]) -> int:
    """The rule once more, in words of plain Python, for a row without unknowns."""
    score = {i: int(str(row[f"item_{i}"])) for i in range(1, 13)}
    if row["gastrostomy"] or score[10] == 0 or score[12] != 4:
        return 4
    return sum([min(score[1], score[2], score[3]) != 4, min(score[4], score[5]) != 4, score[8] != 4])


def literal_mitos(row: Mapping[str, object], *, either: bool = False) -> int:
    score = {i: int(str(row[f"item_{i}"])) for i in range(1, 13)}
    silent = [score[1] < 2, score[4] < 2]
    lost = [score[8] < 2 or score[6] < 2, score[3] < 2, any(silent) if either else all(silent), score[10] < 2 or score[12] < 3]
    return sum(lost)


# Worked cases: items that differ from 4 -> King's stage. Rule: HEALEY M-SAP v3.0, page 16.
KINGS_CASES = [
    ({}, 0),
    ({"item_2": 3}, 1),
    ({"item_1": 0, "item_2": 0, "item_3": 0}, 1),
    ({"item_5": 3}, 1),
    ({"item_6": 0, "item_7": 0, "item_9": 0}, 0),  # not among King's items
    ({"item_8": 3, "item_4": 3}, 2),
    ({"item_8": 3, "item_4": 3, "item_3": 3}, 3),
    ({"item_10": 1}, 0),
    ({"item_10": 0}, 4),
    ({"item_11": 0}, 0),
    ({"item_12": 3}, 4),
    ({"gastrostomy": True}, 4),
]


@pytest.mark.parametrize(("changed", "expected"), KINGS_CASES)
def test_kings_worked_cases(changed: dict[str, int | bool | None], expected: int) -> None:
    assert stage(kings(), **changed) == expected
    assert literal_kings(scored(**changed)) == expected


# Worked cases: items that differ from 4 -> MiToS stage. Rule: Chio 2015, table 1.
MITOS_CASES = [
    ({}, 0, 0),
    ({"item_8": 2, "item_6": 2}, 0, 0),
    ({"item_8": 1}, 1, 1),
    ({"item_6": 1}, 1, 1),
    ({"item_8": 0, "item_6": 0}, 1, 1),
    ({"item_3": 1}, 1, 1),
    ({"item_1": 1}, 0, 1),
    ({"item_4": 0}, 0, 1),
    ({"item_1": 1, "item_4": 1}, 1, 1),
    ({"item_10": 1}, 1, 1),
    ({"item_12": 2}, 1, 1),
    ({"item_12": 3, "item_11": 0}, 0, 0),
    ({"item_1": 0, "item_3": 0, "item_4": 0, "item_6": 0, "item_12": 0}, 4, 4),
]


@pytest.mark.parametrize(("changed", "both", "either"), MITOS_CASES)
def test_mitos_worked_cases(changed: dict[str, int | bool | None], both: int, either: int) -> None:
    assert stage(mitos(), **changed) == literal_mitos(scored(**changed)) == both
    assert stage(mitos(communicating="or"), **changed) == literal_mitos(scored(**changed), either=True) == either


@pytest.mark.parametrize("expression", [kings, mitos])
def test_death_is_stage_five_and_unknown_death_is_no_stage(expression: object) -> None:
    assert stage(expression(dead=pl.lit(True))) == 5  # type: ignore[operator]
    assert stage(expression(dead=pl.lit(None, dtype=pl.Boolean))) is None  # type: ignore[operator]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"item_2": None, "item_1": 3}, 1),  # bulbar whatever item 2 is
        ({"item_2": None}, None),
        ({"item_10": None, "item_12": 3}, 4),
        ({"item_10": None}, None),
        ({"item_1": None, "item_4": None, "item_8": None, "item_12": 0}, 4),
        ({"gastrostomy": None}, None),
        ({"gastrostomy": None, "item_12": 0}, 4),
        ({"item_6": None, "item_7": None, "item_9": None, "item_11": None}, 0),
        ({"gastrostomy": True, "item_5": None}, 4),
    ],
)
def test_kings_is_told_only_where_unknown_items_cannot_change_it(changed: dict[str, int | bool | None], expected: int | None) -> None:
    assert stage(kings(), **changed) == expected


def completions(row: Mapping[str, object]) -> list[dict[str, object]]:
    open_items = [name for name in COLUMNS if row[name] is None]
    values = [(False, True) if name == "gastrostomy" else range(5) for name in open_items]
    return [{**row, **dict(zip(open_items, choice))} for choice in itertools.product(*values)]


def test_bounds_are_the_extremes_over_every_completion() -> None:
    rng = np.random.default_rng(11)
    rows = []
    for _ in range(150):
        row: dict[str, int | bool | None] = {name: int(s) for name, s in zip(ITEM_COLUMNS, rng.choice(5, 12, p=[0.1, 0.1, 0.1, 0.2, 0.5]))}
        row["gastrostomy"] = bool(rng.random() < 0.2)
        for name in rng.choice(COLUMNS, 3, replace=False):
            row[str(name)] = None
        rows.append(row)
    table = frame(*rows)
    for bounds, literal in ((kings_bounds(), literal_kings), (mitos_bounds(), literal_mitos)):
        told = table.select(low=bounds[0], high=bounds[1])
        for row, low, high in zip(rows, told["low"], told["high"]):
            stages = [literal(full) for full in completions(row)]
            if row["gastrostomy"] is None and literal is literal_kings:
                # Without knowing the form of item 5 the lowest stage may be too high; the highest is 4 and no stage is told below it.
                assert low >= min(stages)
                assert high == max(stages) == 4
            else:
                assert (low, high) == (min(stages), max(stages))


def test_stage_four_says_what_failed() -> None:
    row = frame(scored(gastrostomy=True, item_12=4), scored(item_12=1), scored())
    assert row.select(kings_4a()).to_series().to_list() == [True, False, False]
    assert row.select(kings_4b()).to_series().to_list() == [False, True, False]
    assert list(mitos_domains()) == ["moving", "swallowing", "communicating", "breathing"]


def assessments(*rows: tuple[str, float, str, Mapping[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(
        [{"participant_id": p, "day": d, "scale": s, **row} for p, d, s, row in rows],
        schema={"participant_id": pl.String, "day": pl.Float64, "scale": pl.String, **TYPES},
    )


def test_assessments_become_rows_of_classifications() -> None:
    table = assessments(
        ("A", 0.0, "ALSFRS-R", scored(item_4=1, item_8=1)),
        ("A", 90.0, "ALSFRS-R", scored(item_4=1, item_8=1, item_12=2)),
        ("B", 0.0, "ALSFRS-R", scored(item_1=None)),
    )
    deaths = pl.DataFrame({"participant_id": ["A"], "day": [200.0]})
    got = classify_stages(table, deaths)
    assert got.columns == ["participant_id", "day", "scheme", "category", "origin", "decided_by"]
    assert got.select("participant_id", "day", "scheme", "category", "decided_by").rows() == [
        ("A", 0.0, "King's", "2", "upper limb, lower limb"),
        ("A", 0.0, "MiToS", "1", "moving"),
        ("A", 90.0, "King's", "4", "upper limb, lower limb, respiratory failure"),
        ("A", 90.0, "MiToS", "2", "moving, breathing"),
        ("A", 200.0, "King's", "5", "death"),
        ("A", 200.0, "MiToS", "5", "death"),
        ("B", 0.0, "MiToS", "0", "none"),
    ]


def test_the_ten_item_scale_gives_no_stage_that_needs_breathing() -> None:
    # A reader that wrongly put breathing into item 10 must not make a stage 4 of it.
    wrong = scored(item_10=0, item_11=None, item_12=None)
    assert classify_stages(assessments(("A", 0.0, "ALSFRS", wrong))).height == 0
    told = classify_stages(assessments(("A", 0.0, "ALSFRS", {**wrong, "gastrostomy": True})))
    assert told.select("scheme", "category").rows() == [("King's", "4")]


def course(who: str, days: np.ndarray, totals: np.ndarray) -> pl.DataFrame:
    types = {"participant_id": pl.String, "day": pl.Float64, "total_48": pl.Float64}
    return pl.DataFrame({"participant_id": [who] * len(days), "day": days.astype(float), "total_48": totals}, schema=types)


def onset(**days: float | None) -> pl.DataFrame:
    return pl.DataFrame({"participant_id": list(days), "onset_day": list(days.values())}, schema_overrides={"onset_day": pl.Float64})


def test_the_curve_is_at_half_at_d50_and_falls_by_dx() -> None:
    assert score_at(30.0, 30.0, 5.0) == 24
    # By hand: one time constant after D50 the score is 48/(1 + e).
    assert score_at(35.0, 30.0, 5.0) == pytest.approx(48 / (1 + np.e), rel=1e-14)
    assert score_at([-1e6, 1e6], 30.0, 0.1) == pytest.approx([48, 0])


def test_scores_without_noise_return_their_parameters() -> None:
    truth = {f"P{i}": (d50, dx) for i, (d50, dx) in enumerate(itertools.product((8.0, 25.0, 70.0), (2.0, 6.0, 15.0)))}
    at = np.array([0.4, 0.7, 0.9, 1.1, 1.2])
    table = pl.concat([course(who, at * d50 * DAYS_PER_MONTH - 400, score_at(at * d50, d50, dx)) for who, (d50, dx) in truth.items()])
    got = fit_d50(table, onset(**dict.fromkeys(truth, -400.0)))
    assert got["converged"].all()
    np.testing.assert_allclose(got["d50"], [d50 for d50, _ in truth.values()], rtol=1e-6)
    np.testing.assert_allclose(got["dx"], [dx for _, dx in truth.values()], rtol=1e-6)
    assert (got["residual_sd"] < 1e-4).all()


def test_fits_equal_those_of_scipy() -> None:
    rng = np.random.default_rng(5)
    tables, expected, begin = [], {}, {}
    for i in range(25):
        who, n = f"P{i}", int(rng.integers(4, 9))
        d50, dx = rng.uniform(12, 60), rng.uniform(3, 12)
        months = np.sort(rng.uniform(0.4 * d50, 1.3 * d50, n))
        totals = np.clip(np.round(score_at(months, d50, dx) + rng.normal(0, 1.5, n)), 0, 48)
        best, _ = curve_fit(lambda t, a, b: score_at(t, np.exp(a), np.exp(b)), months, totals, p0=np.log([d50, dx]), xtol=1e-12, ftol=1e-12)
        expected[who], begin[who] = np.exp(best), 0.0
        tables.append(course(who, months * DAYS_PER_MONTH, totals))
    got = fit_d50(pl.concat(tables), onset(**begin))
    assert got["converged"].all()
    # Both stop at the same minimum; scipy's own stopping rule leaves the sixth digit open.
    np.testing.assert_allclose(got.select("d50", "dx").to_numpy(), np.array(list(expected.values())), rtol=2e-4)


def test_participants_do_not_change_each_other() -> None:
    months = np.array([4.0, 10.0, 16.0, 22.0])
    a = course("A", months * DAYS_PER_MONTH, np.array([44.0, 38.0, 30.0, 20.0]))
    b = course("B", months * DAYS_PER_MONTH, np.array([47.0, 46.0, 44.0, 43.0]))
    together, alone = fit_d50(pl.concat([a, b]), onset(A=0.0, B=0.0)), fit_d50(a, onset(A=0.0))
    assert together.row(0) == alone.row(0)


@pytest.mark.parametrize(
    ("begin", "days", "totals", "reason"),
    [
        (None, [0, 100, 200], [40, 35, 30], "onset unknown"),
        (-100.0, [0, 100], [40, 35], "totals on fewer than 3 days since onset"),
        (50.0, [0, 100, 200], [40, 35, 30], "totals on fewer than 3 days since onset"),
        (-100.0, [0, 100, 200], [30, 35, 40], "scores do not fall"),
        (-100.0, [0, 100, 200], [40, 40, 40], "scores do not fall"),
    ],
)
def test_no_estimates_and_the_reason(begin: float | None, days: list[int], totals: list[int], reason: str) -> None:
    got = fit_d50(course("A", np.array(days), np.array(totals, dtype=float)), onset(A=begin)).row(0, named=True)
    assert (got["d50"], got["dx"], got["converged"], got["reason"]) == (None, None, False, reason)


@pytest.mark.parametrize(
    "totals",
    [
        [48.0, 48.0, 0.0, 0.0],  # a step: every short dx fits as well
        [48.0, 48.0, 48.0, 47.0],  # hardly begun: any late D50 fits as well
    ],
)
def test_scores_that_do_not_determine_the_curve_give_no_converged_fit(totals: list[float]) -> None:
    got = fit_d50(course("A", np.array([100, 200, 300, 400]), np.array(totals)), onset(A=0.0)).row(0, named=True)
    assert not got["converged"]
    assert got["reason"] == "the scores do not determine D50 and dx"


def test_nobody_to_fit_is_no_error() -> None:
    got = fit_d50(course("A", np.array([]), np.array([])), onset(A=0.0))
    assert got.row(0) == ("A", 0.0, 0, None, None, None, False, "totals on fewer than 3 days since onset")


def test_phases_part_at_d50_and_need_a_source_for_more() -> None:
    months = pl.DataFrame({"t": [-1.0, 0.0, 5.0, 19.9, 20.0, 35.0, 80.0]})
    two = months.select(phases(pl.col("t"), pl.lit(20.0))).to_series().to_list()
    assert two == [None, "early", "early", "early", "late", "late", "late"]
    four = months.select(phases(pl.col("t"), pl.lit(20.0), limits=(0.4, 1.6))).to_series().to_list()
    assert four == [
        None,
        "early semi-stable",
        "early semi-stable",
        "early progressive",
        "late progressive",
        "late semi-stable",
        "late semi-stable",
    ]
    with pytest.raises(ValueError, match="multiples of D50"):
        phases(pl.col("t"), pl.lit(20.0), limits=(1.2, 1.6))


def test_phase_at_each_assessment_of_a_converged_fit() -> None:
    months = np.array([3.0, 12.0, 24.0, 36.0])
    table = course("A", months * DAYS_PER_MONTH, score_at(months, 20.0, 6.0))
    got = d50_phases(table, fit_d50(table, onset(A=0.0)))
    assert got["phase"].to_list() == ["early", "early", "late", "late"]
    np.testing.assert_allclose(got["month"], months)


def test_aggressiveness_by_d50() -> None:
    # Source: Dreger 2021, doi 10.3389/fnins.2021.651651: below 20, 20 to 40, above 40 months.
    got = pl.DataFrame({"d": [19.9, 20.0, 40.0, 40.1, None]}).select(aggressiveness(pl.col("d"))).to_series().to_list()
    assert got == ["high", "intermediate", "intermediate", "low", None]


def test_the_worked_cases_of_the_documentation() -> None:
    page = Path(__file__).parents[2] / "docs" / "clinical" / "phenotypes_and_scores.md"
    found = re.findall(r"^\| (none|(?:item_\d+|gastrostomy)=[^|]*) \| (\S) \| (\S) \|$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(found) == 12
    for written, in_kings, in_mitos in found:
        parts = [] if written == "none" else [part.split("=") for part in written.split(", ")]
        changed = {name: None if value == "?" else True if value == "yes" else int(value) for name, value in parts}
        told = ["?" if s is None else str(s) for s in (stage(kings(), **changed), stage(mitos(), **changed))]
        assert told == [in_kings, in_mitos], written
