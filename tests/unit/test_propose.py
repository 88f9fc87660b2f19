"""A proposed mapping recognises what columns are called, asks what cannot be known, and shows nothing of anybody."""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alsmodel.cohort.forms.mapping import source_map
from alsmodel.cohort.mapped import read_mapped
from alsmodel.cohort.propose import Proposal, propose
from alsmodel.errors import InvalidInput

N = 12

#: Names of the twelve items as sources spell them, item 5 in one column or two; sources in the comments.
CONVENTIONS: dict[str, list[str]] = {
    # The instrument's own words, as in a spreadsheet typed by hand.
    "English": [
        *("Speech", "Salivation", "Swallowing", "Handwriting", "Cutting food and handling utensils", "Dressing and hygiene"),
        *("Turning in bed", "Walking", "Climbing stairs", "Dyspnea", "Orthopnea", "Respiratory insufficiency"),
    ],
    "prefixed": [f"alsfrs_{name}" for name in ("speech", "saliva", "swallow", "writing", "cutting", "dressing")]
    + [f"alsfrs_{name}" for name in ("turning", "walking", "stairs", "dyspnoea", "orthopnoea", "respins")],
    "numbered": [f"alsfrs{i}" for i in range(1, 13)],
    "numbered with r": [f"alsfrs_r_{i}" for i in range(1, 13)],
    "numbered run together": [f"ALSFRSR{i}" for i in range(1, 13)],
    "zero filled": [f"ALSFRS-R {i:02}" for i in range(1, 13)],
    "questions": [f"Q{i}" for i in range(1, 13)],
    "items": [f"frs_item_{i}" for i in range(1, 13)],
    # Answer ALS: nine items and three respiratory ones.
    "NeuroBANK": [*(f"alsfrs{i}" for i in range(1, 10)), *(f"alsfrsr{i}" for i in (1, 2, 3))],
    "R": [*(f"Q{i}" for i in range(1, 10)), "R1", "R2", "R3"],
    "10a-10c": [*(f"alsfrs_{i}" for i in range(1, 10)), *(f"alsfrs_10{x}" for x in "abc")],
    # PRO-ACT.
    "PRO-ACT": [
        *("Q1_Speech", "Q2_Salivation", "Q3_Swallowing", "Q4_Handwriting", "Q5_Cutting", "Q6_Dressing_and_Hygiene"),
        *("Q7_Turning_in_Bed", "Q8_Walking", "Q9_Climbing_Stairs", "R_1_Dyspnea", "R_2_Orthopnea", "R_3_Respiratory_Insufficiency"),
    ],
    # ALL ALS, names after CDASH.
    "CDASH": [f"{x}_ftorres" for x in ("speech", "saliva", "swallow", "hndwrit", "utenwog", "hygiene", "bedcloth", "walking", "stairs")]
    + [f"{x}_ftorres" for x in ("dyspnea", "ortho", "respins")],
}


def write(folder: Path, columns: dict[str, Sequence[Any]], name: str = "data.csv") -> Path:
    pl.DataFrame({key: [None if cell is None else str(cell) for cell in cells] for key, cells in columns.items()}).write_csv(folder / name)
    return folder / name


def scores(names: Sequence[str], rows: int = N, seed: int = 1) -> dict[str, Sequence[Any]]:
    rng = np.random.default_rng(seed)
    return {name: rng.integers(0, 5, rows).tolist() for name in names}


def visits(**more: Sequence[Any]) -> dict[str, Sequence[Any]]:
    """Six participants with two visits each and an English scale."""
    return {"id": [i // 2 for i in range(N)], "visit_day": [i % 2 * 90 for i in range(N)], **scores(CONVENTIONS["English"]), **more}


def targets(proposal: Proposal) -> dict[str, str]:
    return {column: target for _, column, target, _ in proposal.columns if target}


def of(folder: Path, **more: Sequence[Any]) -> Proposal:
    return propose(write(folder, visits(**more)))


def answered(text: str, **answers: str) -> str:
    """Return the mapping with the given answers, and the first offered one for every other question."""
    values = tomllib.loads(text)
    for name in values.get("questions", {}):
        offered = re.findall(rf'\{{ "\?" = "{name}", ("[^"]*"|[\w-]+) = ', text)
        answer = answers.get(name, offered[0].strip('"'))
        text = text.replace(f'\n{name} = "?"\n', f'\n{name} = "{answer}"\n')
    return text


# ---- the scale


@pytest.mark.parametrize("names", CONVENTIONS.values(), ids=CONVENTIONS)
def test_items_are_recognised_whatever_they_are_called(tmp_path: Path, names: list[str]) -> None:
    found = targets(propose(write(tmp_path, {"id": range(N), "visit_date": ["2024-01-05"] * N, **scores(names)})))
    assert [found.get(name) for name in names] == [f"item_{i}" for i in range(1, 13)]


def test_the_ten_item_scale_keeps_its_own_item_10(tmp_path: Path) -> None:
    names = [f"Q{i}" for i in range(1, 11)]
    found = targets(propose(write(tmp_path, {"id": range(N), "day": [0] * N, **scores(names)})))
    assert found["Q10"] == "item_10_original"


def test_columns_that_hold_no_scores_are_no_items(tmp_path: Path) -> None:
    proposal = of(tmp_path, speech_therapy=["weekly"] * N, walking_speed=[1.35] * N, walking_distance=[350] * N)
    found = targets(proposal)
    assert found["Walking"] == "item_8"
    assert not {"speech_therapy", "walking_speed", "walking_distance"} & set(found)


def test_a_single_speech_column_is_no_scale(tmp_path: Path) -> None:
    columns = {"id": range(N), "visit_day": [0] * N, "speech": [3] * N, "sex": ["female"] * N}
    assert "speech" not in targets(propose(write(tmp_path, columns)))


@pytest.mark.parametrize(
    ("first", "second"),
    [("cutting_with", "cutting_without"), ("alsfrs5a", "alsfrs5b"), ("Q5a_Cutting_without_Gastrostomy", "Q5b_Cutting_with_Gastrostomy")],
)
def test_the_orientation_of_item_5_is_asked_for_and_never_guessed(tmp_path: Path, first: str, second: str) -> None:
    columns = visits()
    one = columns.pop("Cutting food and handling utensils")
    columns |= {
        first: [cell if i % 3 else None for i, cell in enumerate(one)],
        second: [None if i % 3 else cell for i, cell in enumerate(one)],
    }
    path = write(tmp_path, columns)
    proposal = propose(path)
    assert proposal.questions["item_5a"] == (first, second)
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(proposal.text)
    with pytest.raises(InvalidInput, match=r"questions\.item_5a has no answer yet"):
        read_mapped(path, mapping)
    tubes = {}
    for answer in (first, second):
        mapping.write_text(answered(proposal.text, item_5a=answer))
        tubes[answer] = read_mapped(path, mapping).assessments["gastrostomy"].to_list()
    assert tubes[first] == [i % 3 == 0 for i in range(N)]
    assert tubes[second] == [i % 3 != 0 for i in range(N)]


def test_a_merged_column_beside_5a_and_5b_stays_item_5(tmp_path: Path) -> None:
    names = [*(f"alsfrs{i}" for i in range(1, 10)), "alsfrs5a", "alsfrs5b", "alsfrsr1", "alsfrsr2", "alsfrsr3"]
    found = targets(propose(write(tmp_path, {"id": range(N), "alsfrsdt": range(N), **scores(names)})))
    assert found["alsfrs5"] == "item_5"
    assert found["alsfrs5a"] == "item_5a or item_5b ?"


def test_a_total_is_told_by_its_items_and_asked_for_without(tmp_path: Path) -> None:
    columns = visits()
    items = [columns[name] for name in CONVENTIONS["English"]]
    twelve = [sum(row) for row in zip(*items, strict=True)]
    assert targets(propose(write(tmp_path, columns | {"alsfrs_total": twelve})))["alsfrs_total"] == "total_48"
    alone = {"id": columns["id"], "visit_day": columns["visit_day"], "alsfrs_total": [30] * N}
    assert propose(write(tmp_path, alone)).questions == {"total": ("total_48", "total_40")}
    assert targets(propose(write(tmp_path, alone | {"alsfrs_total": [44] * N})))["alsfrs_total"] == "total_48"


# ---- questions


@pytest.mark.parametrize(
    ("name", "cells", "question", "offered"),
    [
        ("sex", ["1", "2"], "female", ("1", "2")),
        ("Gender", ["0", "1"], "female", ("0", "1")),
        ("gender", ["1"], "female", ("1", "2")),
        ("died", ["0", "1"], "died", ("0", "1")),
        ("died", ["1", "2"], "died", ("1", "2")),
        ("died", ["0"], "died", ("0", "1")),
        ("alive", ["no", "yes"], "died", ("no", "yes")),
        ("weight", ["70.5", "81"], "weight_unit", ("kg", "lb")),
        ("riluzole", ["0", "1"], "yes_01", ("0", "1")),
        ("nfl", ["33.5", "81"], "nfl_specimen", ("serum", "plasma", "csf")),
        ("vc_pct", ["77", "81"], "capacity", ("fvc", "svc")),
    ],
)
def test_what_codes_and_numbers_mean_is_asked(tmp_path: Path, name: str, cells: list[str], question: str, offered: tuple[str, ...]) -> None:
    proposal = of(tmp_path, **{name: [cells[i // 2 % len(cells)] for i in range(N)]})
    assert proposal.questions == {question: offered}


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("sex", ["Female", "M"]),
        ("sex", ["woman", "man"]),
        ("vital_status", ["alive", "dead"]),
        ("died", ["TRUE", "FALSE"]),
        ("weight_kg", ["70", "81"]),
        ("nfl_csf", ["70", "81"]),
        ("riluzole", ["Yes", "No"]),
        ("site_of_onset", ["Bulbar", "Upper limb"]),
    ],
)
def test_what_words_say_is_not_asked(tmp_path: Path, name: str, cells: list[str]) -> None:
    path = write(tmp_path, visits(**{name: [cells[i // 2 % 2] for i in range(N)]}))
    proposal = propose(path)
    assert name in targets(proposal)
    assert proposal.questions == {}
    (tmp_path / "m.toml").write_text(proposal.text)
    assert not read_mapped(path, tmp_path / "m.toml").issues.filter(pl.col("rule").is_in(["unknown_word", "unit_unknown"])).height


def test_an_answer_about_codes_is_what_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, visits(sex=[1 + i // 2 % 2 for i in range(N)], died=[i // 2 % 2 for i in range(N)]))
    text = propose(path).text
    for female, dead, sexes, n in (("1", "1", ["female", "male"], 3), ("2", "0", ["male", "female"], 3)):
        (tmp_path / "m.toml").write_text(answered(text, female=female, died=dead))
        cohort = read_mapped(path, tmp_path / "m.toml")
        assert cohort.participants["sex"].to_list() == sexes * 3
        assert cohort.events["participant_id"].to_list() == [str(i) for i in range(6) if i % 2 == int(dead)]
        assert cohort.events.height == n


# ---- time


def dated(folder: Path, **columns: list[str]) -> Proposal:
    cells = {name: (given * N)[:N] for name, given in columns.items()}
    frame = visits(**cells)
    del frame["visit_day"]
    return propose(write(folder, frame))


@pytest.mark.parametrize(
    ("cells", "formats", "asked"),
    [
        (["2024-01-05", "2024-03-31"], None, False),
        (["2024-01-05 10:30", "2024-03-31T08:00:00"], None, False),
        (["31/12/2024", "05/06/2024"], ["%d/%m/%Y"], False),
        (["12/31/2024", "05/06/2024"], ["%m/%d/%Y"], False),
        (["31.12.2024", "05.06.2024"], ["%d.%m.%Y"], False),
        (["05-Jan-2024", "31-Dec-2024"], ["%d-%b-%Y"], False),
        (["05JAN2024", "31DEC2024"], ["%d %b %Y"], False),
        (["20240105", "20241231"], ["%Y%m%d"], False),
        (["2024/01/05", "2024/12/31"], ["%Y/%m/%d"], False),
        (["05/06/2024", "07/08/2024"], None, True),
        (["05-06-2024", "07-08-2024"], None, True),
    ],
)
def test_formats_of_dates_are_found_or_asked_for(tmp_path: Path, cells: list[str], formats: list[str] | None, asked: bool) -> None:
    proposal = dated(tmp_path, visit_date=cells)
    time = tomllib.loads(proposal.text)["time"]
    assert time["unit"] == "date"
    assert time["origin"] == "first assessment"
    assert ("date_order" in proposal.questions) == asked
    if asked:
        assert time["formats"][0]["?"] == "date_order"
    else:
        assert time.get("formats") == formats


def test_the_answer_about_the_order_of_a_date_is_what_is_read(tmp_path: Path) -> None:
    proposal = dated(tmp_path, visit_date=["05/06/2024", "07/06/2024"])
    path = tmp_path / "data.csv"
    days = {}
    for answer in ("day first", "month first"):
        (tmp_path / "m.toml").write_text(answered(proposal.text, date_order=answer))
        days[answer] = sorted(set(read_mapped(path, tmp_path / "m.toml").assessments["day"]))
    # 5 to 7 June; 6 May to 6 July.
    assert days == {"day first": [0.0, 2.0], "month first": [0.0, 61.0]}


def test_one_clear_column_settles_the_order_for_the_others(tmp_path: Path) -> None:
    proposal = dated(tmp_path, visit_date=["05/06/2024", "07/08/2024"], onset_date=["25/01/2020"])
    assert "date_order" not in proposal.questions
    assert tomllib.loads(proposal.text)["time"]["formats"] == ["%d/%m/%Y"]
    assert any("visit_date fit both orders" in note for note in proposal.notes)


def test_two_orders_in_one_source_are_never_read_by_one_format(tmp_path: Path) -> None:
    proposal = dated(tmp_path, visit_date=["25/06/2024"], fvc_date=["26/06/2024"], fvc_pct=["80"], onset_date=["01/25/2020"])
    assert "onset_date" not in targets(proposal)
    assert "the other way round" in proposal.text


def test_two_digit_years_are_set_aside(tmp_path: Path) -> None:
    proposal = dated(tmp_path, visit_date=["2024-01-05"], birth_date=["05/06/44"])
    assert "birth_date" not in targets(proposal)
    assert "two-digit years" in proposal.text


@pytest.mark.parametrize(
    ("name", "unit"),
    [("visit_day", "day"), ("visit_week", "week"), ("Month", "month"), ("years", "year"), ("alsfrs_delta", None), ("time", None)],
)
def test_the_unit_of_time_is_named_or_asked_for(tmp_path: Path, name: str, unit: str | None) -> None:
    columns = visits()
    columns[name] = columns.pop("visit_day")
    proposal = propose(write(tmp_path, columns))
    assert ("time_unit" in proposal.questions) == (unit is None)
    if unit is not None:
        assert tomllib.loads(proposal.text)["time"]["unit"] == unit


def test_a_time_in_another_unit_is_set_aside(tmp_path: Path) -> None:
    proposal = of(tmp_path, onset_months=[-14] * N, diagnosis_day=[-30] * N)
    assert targets(proposal)["diagnosis_day"] == "diagnosis_day"
    assert "onset_months" not in targets(proposal)
    assert "in months by its name, while times of this source are days" in proposal.text


def test_where_time_begins_is_asked_when_a_date_offers_itself(tmp_path: Path) -> None:
    proposal = dated(tmp_path, visit_date=["2024-01-05"], randomisation_date=["2024-01-01"])
    assert proposal.questions == {"time_origin": ("first assessment", "randomisation_date")}
    path = tmp_path / "data.csv"
    for answer, day in (("first assessment", 0.0), ("randomisation_date", 4.0)):
        (tmp_path / "m.toml").write_text(answered(proposal.text, time_origin=answer))
        assert set(read_mapped(path, tmp_path / "m.toml").assessments["day"]) == {day}


def test_two_columns_that_may_date_a_form_are_asked_about(tmp_path: Path) -> None:
    proposal = dated(tmp_path, visit_date=["2024-01-05"], date_performed=["2024-02-05"])
    assert proposal.questions == {"day_of_assessments": ("visit_date", "date_performed")}
    (tmp_path / "m.toml").write_text(answered(proposal.text, day_of_assessments="date_performed"))
    cohort = read_mapped(tmp_path / "data.csv", tmp_path / "m.toml")
    assert ("column_unknown", "visit_date") in cohort.issues.select("rule", "column").rows()


# ---- facts, measures


def test_facts_and_measures_are_recognised(tmp_path: Path) -> None:
    person = [i // 2 for i in range(N)]
    found = targets(
        of(
            tmp_path, Sex=["F"] * N, age_at_baseline=[50 + p for p in person], DOB=[f"19{50 + p}-01-01" for p in person],
            onset_day=[-300 - p for p in person], dx_day=[-100] * N, treatment=["placebo"] * N, El_Escorial=["Definite"] * N,
            phenotype=["classic"] * N, familial_als=["yes"] * N, site_id=[7] * N, fvc_l=[3.1] * N, fvc_pct_pred=[77] * N, svc_l_1=[2.9] * N,
            weight_kg=[70] * N, height_cm=[171] * N, sbp=[130] * N, serum_nfl_pg_ml=[44] * N, riluzole=["yes"] * N,
            died=["yes"] * N, death_day=[900] * N,
        )
    )  # fmt: skip
    assert {name: found.get(name) for name in list(found)[14:]} == {
        "Sex": "sex", "age_at_baseline": "age", "onset_day": "onset_day", "dx_day": "diagnosis_day", "treatment": "arm",
        "El_Escorial": "el_escorial", "phenotype": "phenotype", "familial_als": "family_history", "site_id": "site", "fvc_l": "litres_1",
        "fvc_pct_pred": "percent_1", "svc_l_1": "litres_1", "weight_kg": "weight", "height_cm": "height", "sbp": "systolic_bp",
        "serum_nfl_pg_ml": "result", "riluzole": "taken", "died": "died", "death_day": "day",
    }  # fmt: skip


def test_a_name_that_contradicts_the_numbers_is_set_aside(tmp_path: Path) -> None:
    proposal = of(tmp_path, fvc_pct=[3.2] * N, svc_litres=[88] * N)
    assert not {"fvc_pct", "svc_litres"} & set(targets(proposal))
    assert "could not be told to be litres or percent" in proposal.text


def test_an_onset_that_counts_forward_is_not_taken_for_a_day(tmp_path: Path) -> None:
    proposal = of(tmp_path, onset_months=[14] * N, disease_duration=[14] * N)
    assert not {"onset_months", "disease_duration"} & set(targets(proposal))
    assert "counts forward" in proposal.text


def test_what_changes_within_a_participant_is_no_fact(tmp_path: Path) -> None:
    proposal = of(tmp_path, age=[50 + i / 3 for i in range(N)])
    assert "age" not in targets(proposal)
    assert "it changes from row to row" in proposal.text


def test_facts_of_different_rows_go_into_different_forms(tmp_path: Path) -> None:
    path = write(tmp_path, visits(sex=["f", None] * 6, arm=[None, "placebo"] * 6))
    proposal = propose(path)
    kinds = [form["kind"] for form in tomllib.loads(proposal.text)["tables"].values()]
    assert kinds.count("participants") == 2
    (tmp_path / "m.toml").write_text(proposal.text)
    cohort = read_mapped(path, tmp_path / "m.toml")
    assert cohort.participants.select("sex", "arm").unique().rows() == [("female", "placebo")]
    assert cohort.flow["rejected"].sum() == 0


# ---- what is shown


def test_nothing_of_anybody_is_shown(tmp_path: Path) -> None:
    secret = [f"Zebra{i}" for i in range(N)]
    proposal = of(
        tmp_path, name=secret, notes=[f"saw {s}" for s in secret], phenotype=secret, email=[f"{s}@x.org" for s in secret],
        sex=["f"] * 10 + ["zebra", "zebra"], site_of_onset=["bulbar"] * 10 + ["zebra tail"] * 2, birth_date=["1948-07-09"] * N,
    )  # fmt: skip
    shown = f"{proposal.text} {proposal.as_json()}".lower()
    assert "zebra" not in shown
    assert "1948" not in shown
    assert any("words of this" in note or "stand for few participants" in note for note in proposal.notes)


def test_a_word_is_shown_when_it_stands_for_several_participants(tmp_path: Path) -> None:
    columns = {"id": range(20), "day": [0] * 20, "site_of_onset": ["zebra"] * 5 + ["bulbar"] * 15, "sex": ["f"] * 20}
    proposal = propose(write(tmp_path, columns))
    assert "zebra" in proposal.text
    columns["id"] = [0] * 5 + list(range(1, 16))  # type: ignore[assignment]
    assert "zebra" not in propose(write(tmp_path, columns)).text


def test_every_column_is_mapped_or_set_aside_with_a_reason(tmp_path: Path) -> None:
    path = write(tmp_path, visits(odd=["a"] * N, empty=[None] * N, number=[1.5] * N, when=["2024-01-01"] * N))
    proposal = propose(path)
    form = tomllib.loads(proposal.text)["tables"]
    aside = {name for one in form.values() for name in one.get("set_aside", [])}
    assert aside | set(targets(proposal)) == set(visits()) | {"odd", "empty", "number", "when"}
    assert re.search(r'"empty", +# empty', proposal.text)
    (tmp_path / "m.toml").write_text(proposal.text)
    listed = read_mapped(path, tmp_path / "m.toml").issues.filter(rule="column_set_aside")["column"]
    assert set(listed) == aside


def test_names_that_would_break_out_of_a_comment_or_a_text_do_not(tmp_path: Path) -> None:
    nasty = 'a\n[questions]\nx = "?" # \'"\\'
    path = tmp_path / "data.parquet"
    pl.DataFrame({**visits(), nasty: ["x"] * N, "sex\ny": ["1"] * N}).write_parquet(path)
    values = tomllib.loads(propose(path).text)
    assert nasty in next(iter(values["tables"].values()))["set_aside"]
    assert set(values["questions"]) == {"female"}


# ---- files


def test_a_folder_is_one_mapping(tmp_path: Path) -> None:
    write(tmp_path, visits(), "visits.csv")
    write(tmp_path, {"id": range(6), "sex": ["f", "m"] * 3, "age": range(50, 56)}, "people.csv")
    write(tmp_path, {"code": ["x"], "meaning": ["y"]}, "codebook.csv")
    (tmp_path / "readme.docx").write_bytes(b"x")
    proposal = propose(tmp_path)
    (tmp_path / "m").mkdir()
    mapping = tmp_path / "m" / "m.toml"
    mapping.write_text(proposal.text)
    cohort = read_mapped(tmp_path, mapping)
    assert cohort.participants["sex"].to_list() == ["female", "male"] * 3
    assert cohort.assessments.height == N
    assert len([note for note in proposal.notes if "codebook" in note or "readme" in note]) == 2


def test_a_participant_that_no_name_gives_away_can_be_said(tmp_path: Path) -> None:
    columns = visits()
    columns["who"] = columns.pop("id")
    path = write(tmp_path, columns)
    with pytest.raises(InvalidInput, match="--participant COLUMN"):
        propose(path)
    assert targets(propose(path, "WHO"))["who"] == "participant_id"


def test_scores_without_a_time_are_not_mapped_unless_there_is_one_row_each(tmp_path: Path) -> None:
    columns = visits()
    del columns["visit_day"]
    proposal = propose(write(tmp_path, columns))
    assert "Speech" not in targets(proposal)
    assert any("no column that says when" in note for note in proposal.notes)
    columns["id"] = list(range(N))
    path = write(tmp_path, columns)
    (tmp_path / "m.toml").write_text(propose(path).text)
    assert set(read_mapped(path, tmp_path / "m.toml").assessments["day"]) == {0.0}


CELLS = st.sampled_from(
    ["", "0", "1", "2", "4", "5.5", "70", "2024-01-05", "05/06/2024", "31/12/2023", "yes", "No", "f", "-", ".", "x y", "=1+1", "é"]
)
MORE = (
    "alsfrs_5a alsfrs_5b visit_date fvc_date day time sex age dob onset_date onset_months onset___1 onset___2 site_of_onset weight height "
    "fvc svc_pct nfl died death_date arm riluzole riluzole_start_date alsfrs_total randomisation_date redcap_event_name x_complete "
    "familial niv_date odd"
)
NAMES = st.sampled_from([*CONVENTIONS["English"], *CONVENTIONS["numbered"], *MORE.split()])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), names=st.lists(NAMES, unique_by=str.lower, max_size=14), rows=st.integers(0, 8))
def test_whatever_the_columns_the_proposal_can_be_answered_and_read(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, names: list[str], rows: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    table = {"id": [str(i // 2) for i in range(rows)]}
    table |= {name: data.draw(st.lists(CELLS, min_size=rows, max_size=rows), label=name) for name in names}
    pl.DataFrame(table, schema=dict.fromkeys(table, pl.String)).write_csv(folder / "data.csv")
    if rows == 0:
        with pytest.raises(InvalidInput):
            propose(folder / "data.csv")
        return
    proposal = propose(folder / "data.csv")
    assert {column for _, column, *_ in proposal.columns} == set(table)
    text = answered(proposal.text)
    values = tomllib.loads(text)
    assert "?" not in values.get("questions", {}).values()
    source_map(values, where="mapping.toml")
    (folder / "mapping.toml").write_text(text, encoding="utf-8")
    flow = read_mapped(folder / "data.csv", folder / "mapping.toml").flow.row(0)
    assert flow[1] == rows == sum(flow[2:])
