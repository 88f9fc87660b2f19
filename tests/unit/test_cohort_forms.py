"""The mapping language: time origins and dates, several forms over one file, rows per item, and rows that always add up."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alsmodel.cohort import Cohort
from alsmodel.cohort.forms.clock import Clock
from alsmodel.cohort.forms.mapping import TimeMap, authored_map, source_map
from alsmodel.cohort.forms.read import read_folder
from alsmodel.cohort.schema_files import load_mapping, source_names
from alsmodel.errors import InvalidInput

SCORES = {"id": "participant_id", "visit": "day", "speech": "item_1", "walking": "item_8"}


def read(folder: Path, files: Mapping[str, str], **mapping: Any) -> Cohort:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    source = source_map({"source": "Register", **mapping}, where="mapping.toml")
    return read_folder(folder, source, provenance={"format": "mapped"})


def found(cohort: Cohort) -> list[tuple[str, int | None, str | None]]:
    """Rules met, with row and column, the notes on columns and scales left out."""
    quiet = ["ten_item_scale", "participant_without_assessments", "column_unknown", "participant_not_in_demographics"]
    shown = cohort.issues.filter(~pl.col("rule").is_in(quiet))
    return sorted(shown.select("rule", "row", "column").rows(), key=str)


def whole(cohort: Cohort) -> None:
    parts = cohort.flow.select(pl.sum_horizontal("kept", "repaired", "rejected", "set_aside")).to_series()
    assert parts.to_list() == cohort.flow["read"].to_list()


@pytest.mark.parametrize(
    ("time", "cell", "day", "precision"),
    [
        ({"unit": "day"}, "12", 12.0, "day"),
        ({"unit": "day", "skips_zero": True}, "1", 0.0, "day"),  # SDTM IG 3.4, 4.4.4: there is no study day 0
        ({"unit": "day", "skips_zero": True}, "-1", -1.0, "day"),
        ({"unit": "week"}, "2", 14.0, "day"),
        ({"unit": "month"}, "12", 365.25, "day"),
        ({"unit": "year"}, "-0.5", -182.625, "day"),
        ({"unit": "date", "origin": "column"}, "1970-01-03", 2.0, "day"),
        ({"unit": "date", "origin": "column"}, "1970-01-03T23:59:59", 2.0, "day"),
        ({"unit": "date", "origin": "column"}, "1970-01-03 00:00:00", 2.0, "day"),
        ({"unit": "date", "origin": "column"}, "1970-02", 45.0, "month"),
        ({"unit": "date", "origin": "column"}, "1970-02--", 45.0, "month"),
        ({"unit": "date", "origin": "column"}, "1970", 181.0, "year"),
        ({"unit": "date", "origin": "column"}, "03/04/1970", None, None),
        ({"unit": "date", "origin": "column", "formats": ("%d/%m/%Y",)}, "03/04/1970", 92.0, "day"),
        ({"unit": "date", "origin": "column", "formats": ("%m/%d/%Y",)}, "03/04/1970", 62.0, "day"),
        ({"unit": "date", "origin": "column"}, "1970-02-30", None, None),
        ({"unit": "day"}, "soon", None, None),
    ],
)
def test_a_clock_reads_numbers_and_dates_and_guesses_no_format(
    time: dict[str, Any], cell: str, day: float | None, precision: str | None
) -> None:
    clock = Clock(TimeMap(**time))
    cells = pl.Series([cell, None], dtype=pl.String)
    assert clock.own(cells).to_list() == [day, None]
    assert clock.precision(cells).to_list() == [precision, None]


def test_dates_count_from_the_first_scored_assessment_and_never_reach_the_cohort(tmp_path: Path) -> None:
    text = "id,visit,speech,walking\n1,2020-02-01,,\n1,2020-03-01,4,3\n1,2020-03-31,3,3\n2,2019-12-31,2,2\n2,2019-12-30,2,1\n"
    tables = {"scores": {"kind": "assessments", "file": "v.csv", "columns": SCORES}}
    cohort = read(tmp_path, {"v.csv": text}, time={"unit": "date", "origin": "first assessment"}, tables=tables)
    assert cohort.assessments.select("participant_id", "day").rows() == [("1", 0.0), ("1", 30.0), ("2", 0.0), ("2", 1.0)]
    assert not any("20" in str(cell) for row in cohort.participants.rows() for cell in row)
    whole(cohort)


def test_a_recorded_origin_makes_ages_and_days(tmp_path: Path) -> None:
    files = {
        "people.csv": "id,enrolled,born,onset,died\n1,2020-01-11,1960-01-11,2019-07,2020-06-01\n2,,1950-01-01,2018,\n",
        "visits.csv": "id,visit,speech,walking\n1,2020-01-11,4,4\n2,2020-01-01,4,4\n",
    }
    tables = {
        "people": {
            "kind": "participants",
            "file": "people.csv",
            "columns": {"id": "participant_id", "enrolled": "origin_day", "born": "birth_day"},
        },
        "history": {"kind": "history", "file": "people.csv", "columns": {"id": "participant_id", "onset": "onset_day"}},
        "visits": {"kind": "assessments", "file": "visits.csv", "columns": SCORES},
    }
    cohort = read(tmp_path, files, time={"unit": "date", "origin": "column"}, tables=tables)
    one, two = cohort.participants.rows(named=True)
    assert one["age"] == pytest.approx(60.0, abs=0.01)
    assert (one["onset_day"], one["onset_precision"]) == (-180.0, "month")
    assert (two["age"], two["onset_day"], two["onset_precision"]) == (None, None, None)
    assert ("origin_missing", 3, "visit") in found(cohort)
    assert ("date_incomplete", 2, "onset") in found(cohort)
    whole(cohort)


def test_forms_that_share_a_file_count_each_row_once(tmp_path: Path) -> None:
    text = (
        "id,event,visit,speech,walking,sex,died,death\n"
        "1,base,0,4,4,F,,\n"  # scores and person
        "1,m3,90,3,9,,,\n"  # a wrong score
        "1,end,,,,,Yes,200\n"  # death only
        "2,base,x,4,4,M,,\n"  # person kept, score row lost: repaired
        "3,log,,,,,,\n"  # nothing for any form
        "2,m3,80,,,,,\n"  # a day and nothing else
    )
    tables = {
        "scores": {"kind": "assessments", "file": "e.csv", "columns": SCORES},
        "people": {"kind": "participants", "file": "e.csv", "columns": {"id": "participant_id", "sex": "sex"}},
        "deaths": {"kind": "death", "file": "e.csv", "columns": {"id": "participant_id", "died": "died", "death": "day"}},
    }
    cohort = read(tmp_path, {"e.csv": text}, tables=tables)
    assert cohort.flow.rows() == [("e.csv", 6, 2, 2, 0, 2)]
    assert cohort.participants.select("participant_id", "sex").rows() == [("1", "female"), ("2", "male"), ("3", None)]
    assert cohort.events.select("participant_id", "kind", "day").rows() == [("1", "death", 200.0)]
    assert ("score_out_of_range", 3, "walking") in found(cohort)
    assert ("day_not_a_number", 5, "visit") in found(cohort)
    assert cohort.issues.filter(rule="column_unknown")["column"].to_list() == ["event"]


def test_rows_of_another_form_are_left_to_it(tmp_path: Path) -> None:
    text = "id,visit,test,result\n1,0,FVC,3.1\n1,0,NFL,55\n1,0,FVC,99\n1,0,POTASSIUM,4\n"
    tables = {
        "fvc": {
            "kind": "capacity",
            "file": "r.csv",
            "measure": "fvc",
            "where": {"test": ["fvc"]},
            "columns": {"id": "participant_id", "visit": "day", "result": "litres_1"},
        },
        "nfl": {
            "kind": "neurofilament",
            "file": "r.csv",
            "where": {"test": ["nfl"]},
            "constants": {"matrix": "serum", "analyte": "nfl", "unit": "pg/mL"},
            "columns": {"id": "participant_id", "visit": "day", "result": "result"},
        },
    }
    cohort = read(tmp_path, {"r.csv": text}, tables=tables)
    assert cohort.measurements.select("name", "value", "unit").rows() == [("fvc_litres", 3.1, "L"), ("nfl_serum", 55.0, "pg/mL")]
    assert cohort.flow.rows() == [("r.csv", 4, 2, 0, 1, 1)]
    assert "value_implausible" in cohort.issues["rule"].to_list()


LONG = {
    "kind": "assessments_long",
    "file": "q.csv",
    "columns": {"id": "participant_id", "day": "day", "question": "item", "answer": "score"},
    "words": {"item": {"Speech": "item_1", "Salivation": "item_2", "Total": "total_48"}},
}


def test_rows_per_item_become_assessments_and_each_row_keeps_its_own_fate(tmp_path: Path) -> None:
    text = (
        "id,day,question,answer\n"
        "1,0,Speech,4\n1,0,Salivation,3\n"
        "1,30,Speech,7\n1,30,Salivation,2\n"  # one wrong cell: that row alone is repaired
        "1,60,Speech,\n"  # nothing said
        "1,60,Mood,3\n"  # not of the scale
        "1,0,Speech,2\n"  # contradicts the first row
        "1,0,Salivation,3\n"  # a copy
        "2,x,Speech,4\n"
    )
    cohort = read(tmp_path, {"q.csv": text}, tables={"items": LONG})
    assert cohort.assessments.select("participant_id", "day", "item_1", "item_2").rows() == [("1", 0.0, 4, 3), ("1", 30.0, None, 2)]
    assert cohort.flow.rows() == [("q.csv", 9, 3, 1, 5, 0)]
    rules = [(rule, row) for rule, row, _ in found(cohort)]
    assert rules == [
        ("conflicting_row", 8),
        ("day_not_a_number", 10),
        ("duplicate_row", 9),
        ("item_unknown", 7),
        ("nothing_recorded", 6),
        ("score_out_of_range", 4),
    ]
    assert set(cohort.participants["participant_id"]) == {"1", "2"}


def test_two_forms_that_disagree_on_a_fact_are_listed_and_the_first_counts(tmp_path: Path) -> None:
    files = {"a.csv": "id,sex\n1,F\n2,\n", "b.csv": "id,sex\n1,M\n2,M\n"}
    form = {"kind": "participants", "columns": {"id": "participant_id", "sex": "sex"}}
    cohort = read(tmp_path, files, tables={"a": {**form, "file": "a.csv"}, "b": {**form, "file": "b.csv"}})
    assert cohort.participants["sex"].to_list() == ["female", "male"]
    assert cohort.issues.filter(rule="fact_conflict")["participant_id"].to_list() == ["1"]


def test_signs_and_genes_are_read_wide_and_long(tmp_path: Path) -> None:
    files = {
        "wide.csv": "id,day,arm_umn,tongue\n1,0,present,absent\n2,0,,not examined\n3,0,,\n",
        "long.csv": "id,day,region,side,neuron,sign,state\n1,5,cervical,Left,UMN,Hoffmann sign,yes\n1,5,neck,,UMN,x,yes\n",
        "genes.csv": "id,sod1,c9,variant\n1,positive,negative,A5V\n2,not tested,,\n",
    }
    tables = {
        "wide": {
            "kind": "signs",
            "file": "wide.csv",
            "columns": {
                "id": "participant_id",
                "day": "day",
                "arm_umn": "sign:cervical:right:UMN:clinical_umn",
                "tongue": "sign:bulbar::LMN:tongue_wasting",
            },
            "words": {},
        },
        "long": {
            "kind": "signs",
            "file": "long.csv",
            "columns": {name: name for name in ("day", "region", "side", "neuron", "sign", "state")} | {"id": "participant_id"},
        },
        "genes": {
            "kind": "genes",
            "file": "genes.csv",
            "columns": {"id": "participant_id", "sod1": "gene:SOD1", "c9": "gene:C9orf72", "variant": "variant:SOD1"},
        },
    }
    cohort = read(tmp_path, files, tables=tables)
    assert cohort.signs.rows() == [
        ("1", 0.0, "cervical", "right", "UMN", "clinical_umn", "present"),
        ("1", 0.0, "bulbar", None, "LMN", "tongue_wasting", "absent"),
        ("2", 0.0, "bulbar", None, "LMN", "tongue_wasting", "not examined"),
        ("1", 5.0, "cervical", "left", "UMN", "hoffmann_sign", "present"),
    ]
    assert sorted(cohort.genotypes.rows()) == [("1", "C9orf72", "no mutation", None), ("1", "SOD1", "mutation", "A5V")]
    assert cohort.participants["gene"].to_list() == ["SOD1", None, None]
    assert {"sign_incomplete", "unknown_word"} <= set(cohort.issues["rule"])
    whole(cohort)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"columns": {"id": "participant_id", "visit": "day", "x": "item_99"}}, "item_99"),
        ({"columns": {"id": "participant_id"}}, "needs a column for day"),
        ({"columns": {"id": "participant_id", "visit": "day", "a": "item_1", "b": "item_1"}}, "item_1 is given twice"),
        ({"kind": "scores"}, "kind"),
        ({"kind": "event"}, "event"),
        ({"colums": {}}, "Did you mean columns?"),
    ],
)
def test_a_wrong_mapping_is_refused_with_its_place(change: dict[str, Any], said: str) -> None:
    form = {"kind": "assessments", "file": "v.csv", "columns": SCORES} | change
    with pytest.raises(InvalidInput) as refusal:
        source_map({"source": "Register", "tables": {"scores": form}}, where="mapping.toml")
    assert said in str(refusal.value)
    assert all(fault.place.startswith("mapping.toml") for fault in refusal.value.faults)


def test_every_structural_fault_of_a_mapped_folder_comes_at_once(tmp_path: Path) -> None:
    tables = {
        "scores": {"kind": "assessments", "file": "v.csv", "columns": SCORES},
        "people": {"kind": "participants", "file": "p.csv", "columns": {"id": "participant_id", "sex": "sex"}},
        "other": {"kind": "contacts", "file": "missing.csv", "columns": {"id": "participant_id", "d": "day"}},
    }
    with pytest.raises(InvalidInput) as refusal:
        read(tmp_path, {"v.csv": "id;visit;speech\n1;0;4\n", "p.csv": "id,gender\n1,F\n"}, tables=tables)
    places = [fault.place for fault in refusal.value.faults]
    assert places == ["v.csv:1", "p.csv:1:sex", "missing.csv"]


def test_every_authored_mapping_can_be_loaded() -> None:
    whole_sources = [source for source in source_names() if "tables" in load_mapping(source)]
    assert "proact" in whole_sources
    for source in whole_sources:
        assert authored_map(source).tables


CELL = st.sampled_from(
    ["", "-", ".", "NA", "4", "3", "5", "-1", "2.5", "four", "1200", "9999-12-30", "2020-01-05", "01/02/2020", '"', "é", "1"]
)
ROWS = st.lists(st.tuples(CELL, CELL, CELL, CELL, CELL, CELL), max_size=12)
SHARED = {
    "scores": {"kind": "assessments", "file": "e.csv", "columns": SCORES},
    "people": {"kind": "participants", "file": "e.csv", "columns": {"id": "participant_id", "sex": "sex"}},
    "death": {"kind": "death", "file": "e.csv", "columns": {"id": "participant_id", "death": "day", "sex": "died"}},
}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(
    rows=ROWS,
    order=st.permutations(["id", "visit", "speech", "walking", "sex", "death"]),
    newline=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
    encoding=st.sampled_from(["utf-8", "cp1252"]),
    dates=st.booleans(),
)
def test_broken_tables_are_read_or_refused_and_no_row_is_lost(
    tmp_path: Path, rows: list[tuple[str, ...]], order: list[str], newline: str, bom: bool, encoding: str, dates: bool
) -> None:
    lines = [",".join(order), *(",".join(cell.replace(",", "") for cell in row) for row in rows)]
    text = newline.join(lines) + newline
    (tmp_path / "e.csv").write_bytes((b"\xef\xbb\xbf" if bom and encoding == "utf-8" else b"") + text.encode(encoding))
    time = {"unit": "date", "origin": "first assessment"} if dates else {"unit": "day"}
    try:
        cohort = read_folder(
            tmp_path, source_map({"source": "R", "time": time, "tables": SHARED}, where="m.toml"), provenance={"format": "mapped"}
        )
    except InvalidInput:
        return
    whole(cohort)
    if '"' not in text:
        assert cohort.flow["read"].to_list() == [len(rows)]
    named = {row[order.index("id")] for row in rows} - {"", "-", ".", "NA", '"'}
    assert set(cohort.participants["participant_id"]) == named or '"' in text


def test_jumps_are_flagged_at_their_row_whatever_lies_between(tmp_path: Path) -> None:
    text = (
        "id,visit,speech,walking\n"
        "1,0,1,4\n1,30,4,4\n"  # speech rose by three
        "2,0,0,4\n2,30,,4\n2,60,4,4\n"  # the same over a missing score
        "3,0,4,4\n3,30,3,1\n3,60,4,3\n"  # falls and small rises are the disease and its noise
        "4,0,1,\n5,30,4,\n"  # another participant's score is no change
    )
    tables = {"scores": {"kind": "assessments", "file": "v.csv", "columns": SCORES}}
    cohort = read(tmp_path, {"v.csv": text}, tables=tables)
    assert [(rule, row) for rule, row, _ in found(cohort) if rule == "implausible_jump"] == [
        ("implausible_jump", 3),
        ("implausible_jump", 6),
    ]
    assert cohort.assessments["item_1"].drop_nulls().to_list().count(4) == 5


def test_genetic_results_are_read_as_laboratories_write_them_and_disagreement_is_uncertain(tmp_path: Path) -> None:
    text = (
        "id,gene,result\n"
        "1,C9orf72,>145 repeats\n1,SOD1,p.A5V pathogenic\n"
        "2,c9,8\n2,TDP-43,VUS\n"
        "3,SOD1,negative\n3,SOD1,positive\n"
        "4,SETX,positive\n4,SETX,something\n5,FUS,not tested\n"
    )
    form = {"kind": "genes", "file": "g.csv", "columns": {"id": "participant_id", "gene": "gene", "result": "result"}}
    cohort = read(tmp_path, {"g.csv": text}, tables={"genes": form})
    assert sorted(row[:3] for row in cohort.genotypes.rows()) == [
        ("1", "C9orf72", "mutation"),
        ("1", "SOD1", "mutation"),
        ("2", "C9orf72", "no mutation"),
        ("2", "TARDBP", "uncertain"),
        ("3", "SOD1", "uncertain"),
        ("4", "SETX", "mutation"),
    ]
    assert cohort.participants.select("participant_id", "gene").rows()[0] == ("1", "SOD1 + C9orf72")
    assert cohort.issues.filter(rule="gene_conflict")["participant_id"].to_list() == ["3"]
    assert ("unknown_word", 9, "result") in found(cohort)
    whole(cohort)


def test_a_mimic_is_an_exclusion_with_its_reason_and_a_denied_one_is_none(tmp_path: Path) -> None:
    text = "id,why\n1,SBMA (Kennedy)\n2,Kennedy excluded by CAG repeat\n3,consent withdrawn\n4,No\n5,\n"
    form = {"kind": "participants", "file": "p.csv", "columns": {"id": "participant_id", "why": "exclusion"}}
    reasons = read(tmp_path, {"p.csv": text}, tables={"people": form}).participants["exclusion"].to_list()
    assert str(reasons[0]).startswith("Kennedy disease: ")
    assert reasons[1:] == [None, "consent withdrawn", None, None]


VISITED = {
    "scores": {"kind": "assessments", "file": "e.csv", "columns": SCORES},
    "people": {"kind": "participants", "file": "e.csv", "columns": {"id": "participant_id", "sex": "sex"}},
    "history": {"kind": "history", "file": "e.csv", "columns": {"id": "participant_id", "site": "onset_site"}},
}


def test_a_visit_entered_twice_is_a_copy_also_where_several_forms_share_the_file(tmp_path: Path) -> None:
    rows = "id,visit,speech,walking,sex,site\n1,0,4,4,f,limb\n1,30,3,4,f,limb\n1,30,3,4,f,limb\n1,60,,,f,limb\n2,0,4,4,m,bulbar\n"
    cohort = read(tmp_path, {"e.csv": rows}, tables=VISITED)
    # The copy is rejected and named; facts that stand in each row of a participant make no copy of a visit without scores.
    assert cohort.flow.row(0)[1:] == (5, 3, 0, 1, 1)
    copies = cohort.issues.filter(rule="duplicate_row").select("row", "participant_id", "action")
    assert copies.rows() == [(4, "1", "rejected")]
    assert cohort.assessments.select("participant_id", "day").rows() == [("1", 0.0), ("1", 30.0), ("2", 0.0)]


def test_a_participant_entered_twice_is_a_copy_where_no_form_has_days(tmp_path: Path) -> None:
    facts = {name: form for name, form in VISITED.items() if name != "scores"}
    cohort = read(tmp_path, {"e.csv": "id,sex,site\n1,f,limb\n1,f,limb\n2,m,bulbar\n"}, tables=facts)
    assert cohort.issues.filter(rule="duplicate_row")["row"].to_list() == [3]
    assert cohort.flow.row(0)[1:] == (3, 2, 0, 1, 0)
