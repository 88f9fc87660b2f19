"""Answer ALS and ALL ALS: files written from a virtual cohort, by code that shares nothing with the reader, read back."""

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alsmodel.clinical.genes import GENES, parse_result
from alsmodel.clinical.signs import SIGNS, region_status, require_known
from alsmodel.cohort import Cohort, read
from alsmodel.cohort.forms.clinical import sign_target
from alsmodel.cohort.forms.mapping import SourceMap, authored_map
from alsmodel.cohort.neurobank import read_all_als, read_answer_als
from alsmodel.cohort.neurobank.codes import ALL_ALS, ANSWER_ALS, Reading
from alsmodel.cohort.neurobank.table import NO_MEANING, NOT_DONE_TOO, coded_result, elsewhere
from alsmodel.cohort.raw import collapsed
from alsmodel.errors import InvalidInput
from alsmodel.patients import VirtualCohort, VirtualParticipants, simulate
from alsmodel.patients.neurobank import write_all_als, write_answer_als
from alsmodel.patients.neurobank_all_als import ONSET_DAY, carriers
from alsmodel.patients.neurobank_layout import controls, first_tube

N, SEED = 240, 23
ITEMS = [f"item_{i}" for i in range(1, 13)]
COLUMNS = Path(__file__).parents[1] / "goldens" / "neurobank" / "columns.csv"
DATA = ("participants", "covariates", "assessments", "measurements", "events", "exposures", "signs", "genotypes", "classifications")

READERS: dict[str, Callable[..., Cohort]] = {"answer": read_answer_als, "all": read_all_als}

Count = Callable[[Cohort], int]


@pytest.fixture(scope="module")
def people() -> VirtualParticipants:
    return simulate(VirtualCohort(screening_share=0.0), N, SEED)


@pytest.fixture(scope="module")
def clean(people: VirtualParticipants, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cohort]:
    """Both sources without a fault."""
    answer = write_answer_als(people, tmp_path_factory.mktemp("answer"), faults=False)
    every = write_all_als(people, tmp_path_factory.mktemp("all"), faults=False)
    return {"answer": read_answer_als(answer), "all": read_all_als(every)}


@pytest.fixture(scope="module")
def folders(people: VirtualParticipants, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both sources with faults."""
    answer = write_answer_als(people, tmp_path_factory.mktemp("answer_faults"))
    return {"answer": answer, "all": write_all_als(people, tmp_path_factory.mktemp("all_faults"))}


@pytest.fixture(scope="module")
def faulty(folders: dict[str, Path]) -> dict[str, Cohort]:
    return {"answer": read_answer_als(folders["answer"]), "all": read_all_als(folders["all"])}


def keys(people: VirtualParticipants, source: str) -> np.ndarray[Any, Any]:
    start, step, word = (100_000, 7, "NEU") if source == "answer" else (200_000, 3, "GUID")
    return np.array([f"{word}{start + step * i:06d}" for i in range(people.n)])


def files(folder: Path, **tables: str) -> Path:
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


# ---------------------------------------------------------------------------- the mappings


def read_columns(source: SourceMap, reading: Reading, stem: str) -> set[str]:
    """The columns of a file that the mapping reads, goes by, makes others of, or sets aside."""
    forms = {name: form for name, form in source.tables.items() if stem in form.stems}
    known = {c for form in forms.values() for c in (*form.targets, *map(collapsed, (*form.where, *form.set_aside, *form.variants)))}
    return known | {collapsed(part) for name in forms for made in reading.made.get(name, {}).values() for part in made.of}


@pytest.mark.parametrize(("name", "reading", "prefix"), [("answer_als", ANSWER_ALS, "v_NB_IATI_"), ("all_als", ALL_ALS, "")])
def test_every_published_column_is_read_or_set_aside_by_name(name: str, reading: Reading, prefix: str) -> None:
    source = authored_map(name)
    published = pl.read_csv(COLUMNS).filter(source=name)
    assert published["file"].n_unique() == {"answer_als": 34, "all_als": 16}[name]
    for (file,), columns in published.group_by("file", maintain_order=True):
        stem = source.stem(f"{prefix}{file}")
        assert stem == source.stem(str(file))
        assert any(stem in form.stems for form in source.tables.values()), file
        lost = {collapsed(column) for column in columns["column"]} - read_columns(source, reading, str(stem))
        assert lost == set(), file


@pytest.mark.parametrize(("name", "reading"), [("answer_als", ANSWER_ALS), ("all_als", ALL_ALS)])
def test_made_columns_and_codes_belong_to_forms_that_ask_for_them(name: str, reading: Reading) -> None:
    source = authored_map(name)
    for form, made in reading.made.items():
        asked = {c for other in source.tables.values() if set(other.stems) & set(source.tables[form].stems) for c in other.targets}
        assert {collapsed(column) for column in made} <= asked, form
    everywhere = {c for form in source.tables.values() for c in (*form.targets, *map(collapsed, form.where))}
    assert set(reading.codes) <= everywhere


def test_every_sign_of_the_diagnosis_form_is_one_of_the_clinical_vocabulary() -> None:
    targets = [t for t in authored_map("answer_als").tables["AALSDXFX"].targets.values() if t.startswith("sign:")]
    assert len(targets) == len(set(targets)) == 6 * 3
    assert [sign_target(target) for target in targets] == [None] * 18
    assert {target.split(":")[-1] for target in targets} == {"clinical_umn", "clinical_lmn", "emg_lmn"} <= set(SIGNS)


# ---------------------------------------------------------------------------- round trips


@pytest.mark.parametrize("source", ["answer", "all"])
def test_assessments_are_those_simulated(people: VirtualParticipants, clean: dict[str, Cohort], source: str) -> None:
    person, visit = np.nonzero(people.total >= 0)
    first = np.array([people.visit_day[i][people.total[i] >= 0].min() for i in range(people.n)])
    origin = np.zeros(people.n) if source == "answer" else first
    simulated = pl.DataFrame(
        {
            "participant_id": keys(people, source)[person],
            "day": people.visit_day[person, visit] - origin[person],
            **{name: people.items[person, visit, i] for i, name in enumerate(ITEMS)},
            "gastrostomy": people.gastrostomy[person, visit],
            "total_48": people.total[person, visit],
        }
    ).sort("participant_id", "day")
    found = clean[source].assessments.select(simulated.columns).sort("participant_id", "day")
    assert found.equals(simulated)


@pytest.mark.parametrize("source", ["answer", "all"])
def test_people_are_those_simulated(people: VirtualParticipants, clean: dict[str, Cohort], source: str) -> None:
    found = clean[source].participants.filter(pl.col("participant_id").is_in(keys(people, source).tolist()))
    assert found["participant_id"].to_list() == sorted(keys(people, source).tolist())
    assert found["sex"].to_list() == people.sex.tolist()
    assert found["exclusion"].null_count() == people.n
    site = np.where(people.onset_site == "spine", "other", people.onset_site)
    assert found["onset_site"].to_list() == site.tolist()
    origin = np.zeros(people.n) if source == "answer" else people.visit_day[:, 0]
    assert np.array_equal(found["onset_day"].to_numpy(), people.onset_day - origin)
    assert np.array_equal(found["diagnosis_day"].to_numpy(), people.diagnosis_day - origin)
    assert np.abs(found["age"].to_numpy() - people.age).max() <= 1.0
    assert np.abs(found["height_cm"].to_numpy() - people.height_cm).max() < 0.02


@pytest.mark.parametrize("source", ["answer", "all"])
def test_weights_and_capacities_survive_their_units_and_codes(people: VirtualParticipants, clean: dict[str, Cohort], source: str) -> None:
    person, visit = np.nonzero(people.total >= 0)
    simulated = pl.DataFrame(
        {
            "participant_id": keys(people, source)[person],
            "day": people.visit_day[person, visit],
            "kg": people.weight_kg[person, visit],
            "percent": people.vital_capacity[person, visit],
            "slow": (source == "answer") | (person % 2 == 0),
        }
    )
    measured = clean[source].measurements
    weights = measured.filter(name="weight").join(simulated, on=["participant_id", "day"])
    assert weights.height == person.size
    # Pounds are written with one decimal: 0.05 lb is 0.023 kg; kilograms too: 0.05 kg.
    assert np.abs(weights["value"].to_numpy() - weights["kg"].to_numpy()).max() <= 0.051
    slow = measured.filter(name="svc_percent").join(simulated.filter("slow"), on=["participant_id", "day"])
    assert slow.height == measured.filter(name="svc_percent").height == simulated["slow"].sum()
    assert np.abs(slow["value"].to_numpy() - slow["percent"].to_numpy()).max() <= 0.051
    if source == "all":
        assert measured.filter(name="fvc_percent").height == simulated.filter(~pl.col("slow")).height


@pytest.mark.parametrize("source", ["answer", "all"])
def test_deaths_drugs_and_tubes_are_those_simulated(people: VirtualParticipants, clean: dict[str, Cohort], source: str) -> None:
    cohort, who = clean[source], keys(people, source)
    mine = cohort.events.filter(pl.col("participant_id").is_in(who.tolist()))
    dead = mine.filter(kind="death").sort("participant_id")
    assert dead["participant_id"].to_list() == sorted(who[people.event].tolist())
    assert np.array_equal(dead["day"].to_numpy(), people.end_day[people.event])
    person, day = first_tube(people)
    tubes = mine.filter(kind="gastrostomy").sort("participant_id")
    assert tubes.select("participant_id", "day").rows() == list(zip(who[person].tolist(), day.tolist()))
    assert mine.filter(kind="tracheostomy")["day"].to_list() == [30.0] * len(range(0, people.n, 50))
    taken = cohort.exposures.filter("taken").height
    assert taken == int((~np.isnan(people.exposure_start)).sum())
    stated = [event["definition"] for event in cohort.provenance["records_events"]]
    assert {"death, any cause", "tracheostomy", "NIV started, hours not recorded"} <= set(stated)


# ---------------------------------------------------------------------------- signs, criteria, genes


def test_the_regions_with_signs_are_those_simulated(people: VirtualParticipants, clean: dict[str, Cohort]) -> None:
    signs = clean["answer"].signs
    assert signs.height == people.n * 18
    require_known(signs)
    status = region_status(signs, scheme="El Escorial revised").group_by("participant_id").agg(
        umn=pl.col("umn").sum(), lmn=pl.col("lmn_clinical").sum(), emg=pl.col("lmn_emg").sum(), examined=pl.col("umn").count()
    ).sort("participant_id")  # fmt: skip
    for column, simulated in (("umn", people.umn), ("lmn", people.lmn), ("emg", people.lmn), ("examined", people.examined)):
        assert status[column].to_list() == simulated.tolist(), column


def test_sides_and_the_odd_names_of_the_trunk(tmp_path: Path) -> None:
    header = "SubjectUID,alsdxdt,elescrlr,rueclmn,luecumn,trnkclmn,trnkcumn,trnkelmn,rleelmn,blbclmn"
    cohort = read_answer_als(files(tmp_path, ALSFRS_R=SCORES, AALSDXFX=f"{header}\nA,-3,3,1,2,1,2,90,1.0,.\n"))
    found = set(cohort.signs.select("region", "side", "neuron", "sign", "state").rows())
    assert found == {
        ("cervical", "right", "LMN", "clinical_lmn", "present"),
        ("cervical", "left", "UMN", "clinical_umn", "absent"),
        ("thoracic", None, "LMN", "clinical_lmn", "present"),
        ("thoracic", None, "UMN", "clinical_umn", "absent"),
        ("thoracic", None, "LMN", "emg_lmn", "not examined"),
        ("lumbosacral", "right", "LMN", "emg_lmn", "present"),
    }
    recorded = cohort.classifications.filter(origin="recorded")
    assert recorded.select("day", "category").rows() == [(-3.0, "probable laboratory supported")]


def test_a_category_of_another_day_is_a_further_statement(tmp_path: Path) -> None:
    rows = "SubjectUID,alsdxdt,blbcumn,elescrlr\nA,90,1,5\nA,0,2,2\nA,0,2,3\nA,.,1,4\n"
    cohort = read_answer_als(files(tmp_path, ALSFRS_R=SCORES, AALSDXFX=rows))
    recorded = cohort.classifications.filter(origin="recorded").sort("day", nulls_last=True)
    assert recorded.select("day", "category").rows() == [(0.0, "possible"), (90.0, "definite"), (None, "probable")]
    assert cohort.participants["el_escorial"].to_list() == ["possible"]
    # The second category of day 0 is lost, though its signs are those of the row above; signs need a day.
    assert cohort.issues.filter(file="AALSDXFX.csv").select("row", "rule").sort("row").rows() == [
        (4, "conflicting_row"),
        (5, "day_missing"),
    ]
    assert cohort.flow.filter(file="AALSDXFX.csv").select("kept", "repaired", "rejected").row(0) == (2, 1, 1)


def test_criteria_are_computed_from_the_signs(clean: dict[str, Cohort]) -> None:
    computed = clean["answer"].classifications.filter(origin="computed")
    assert computed["participant_id"].n_unique() == N
    assert {"El Escorial revised", "Awaji", "Gold Coast"} <= set(computed["scheme"])


def test_a_gene_is_a_mutation_only_where_the_code_says_so(people: VirtualParticipants, clean: dict[str, Cohort]) -> None:
    for source in ("answer", "all"):
        carriers_of = clean[source].genotypes.filter(result="mutation")
        mine = carriers_of.filter(pl.col("participant_id").is_in(keys(people, source).tolist()))
        assert mine.height == int((people.gene != "").sum()), source


@pytest.mark.parametrize("gene", ["c9orf72", "sod1", "fus", "tdp43"])
@pytest.mark.parametrize(
    ("code", "result"),
    [
        *(("1", "mutation"), ("1.0", "mutation"), ("positive", "mutation"), ("2", "no mutation"), ("negative", "no mutation")),
        *((code, "uncertain") for code in ("0", "3", "90", "90.0", "99")),
    ],
)
def test_a_code_without_a_published_meaning_is_uncertain(tmp_path: Path, gene: str, code: str, result: str) -> None:
    """Not a repeat length either: 90 repeats of C9orf72 would be an expansion, and 3 a normal allele."""
    cohort = read_answer_als(files(tmp_path, ALSFRS_R=SCORES, ALS_Gene_Mutations=f"SubjectUID,{gene}\nA,{code}\n"))
    assert cohort.genotypes["result"].to_list() == [result]
    listed = cohort.issues.filter(rule="unknown_word", file="ALS_Gene_Mutations.csv")
    assert listed["participant_id"].to_list() == (["A"] if result == "uncertain" else [])


@pytest.mark.parametrize(
    ("code", "result"),
    [
        *(("1", "mutation"), ("2", "mutation"), ("3", "uncertain"), ("4", "no mutation"), ("5", "no mutation")),
        *(("6", "uncertain"), ("99", "uncertain"), ("90", "uncertain"), ("7", "uncertain")),
    ],
)
def test_classifications_of_a_variant(tmp_path: Path, code: str, result: str) -> None:
    genes = f"SubjectUID,gene_name,prochg,lbclass\nX,1,p.X,{code}\nX,2,p.Ala5Val,{code}\n"
    scores = "SubjectUID,ftdat,speech_ftorres\nX,2022-03-01,4\n"
    cohort = read_all_als(files(tmp_path, v_ALLALS_AS_ASSEALSFRSR=scores, v_ALLALS_AS_ASSEPRALSGENTST=genes))
    assert cohort.genotypes.select("gene", "result").rows() == [("C9orf72", result), ("SOD1", result)]


def test_results_that_cannot_be_are_words_that_no_vocabulary_takes_for_a_mutation() -> None:
    for words in (NO_MEANING, NOT_DONE_TOO):
        assert [parse_result(gene, words) for gene in GENES] == [("uncertain", words)] * len(GENES)
    frame = pl.DataFrame({"cell": ["1", "2", "3", "2", None], "mark": ["0", None, "0", "1", "1"]})
    read = frame.select(coded_result(("1", "2"))(pl.col("cell"), pl.col("mark"))).to_series().to_list()
    assert read == ["1", "2", NO_MEANING, NOT_DONE_TOO, None]


def test_a_result_beside_not_tested_is_uncertain(tmp_path: Path) -> None:
    cells = "SubjectUID,sod1,sod1nd,c9orf72,c9orfnd,mutot,mutotsp\nA,1,1,1,0,1,OPTN\n"
    cohort = read_answer_als(files(tmp_path, ALSFRS_R=SCORES, ALS_Gene_Mutations=cells))
    assert cohort.genotypes.select("gene", "result", "variant").sort("gene").rows() == [
        ("C9orf72", "mutation", None),
        ("SOD1", "uncertain", NOT_DONE_TOO),
        ("other", "uncertain", "OPTN"),
    ]
    assert cohort.issues.filter(rule="unknown_word").select("column").rows() == [("SOD1",)]
    assert cohort.participants["gene"].to_list() == ["C9orf72"]


def test_the_place_of_onset_by_every_combination_of_the_boxes() -> None:
    """Against the sentence: breathing alone is no other place, whatever its trunk and axis say; anything else marked is."""
    rows = list(itertools.product((None, "1", "2"), repeat=6))
    names = ["axial", "neck", "trunk", "breathing", "generalized", "other"]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    found = frame.select(elsewhere(*map(pl.col, names))).to_series().to_list()
    for (axial, neck, trunk, breathing, generalized, other), mark in zip(rows, found, strict=True):
        expected = "1" in (neck, generalized, other) or ("1" in (axial, trunk) and breathing != "1")
        assert (mark == "1") == expected


# ---------------------------------------------------------------------------- who is analysed


def test_groups_say_who_is_no_participant_with_als(people: VirtualParticipants, clean: dict[str, Cohort]) -> None:
    excluded = clean["answer"].participants.drop_nulls("exclusion")
    assert set(excluded["participant_id"]) == set(controls(people.n))
    assert set(excluded["exclusion"]) == {"healthy control"}


CODES_OF_GROUPS = [
    ("1", None),
    ("5", "healthy control"),
    ("5.0", "healthy control"),
    ("11", "asymptomatic carrier of an ALS gene"),
    ("17", "motor neuron disease other than ALS"),
    ("3", "group not known"),
    (".", None),
]


@pytest.mark.parametrize(("group", "reason"), CODES_OF_GROUPS)
def test_each_code_of_the_group(tmp_path: Path, group: str, reason: str | None) -> None:
    cohort = read_answer_als(files(tmp_path, ALSFRS_R=SCORES, subjects=f"SubjectUID,subject_group_id\nA,{group}\n"))
    assert cohort.participants["exclusion"].to_list() == [reason]
    assert cohort.issues.filter(rule="unknown_word").height == (reason == "group not known")
    assert cohort.assessments.height == 2


@pytest.mark.parametrize("header", ["SubjectUID,Participant_ID,sex\nA,CTRL-A,1\n", "Participant_ID,sex\nCTRL-A,1\n"])
def test_the_label_of_a_control_counts_without_the_table_of_subjects(tmp_path: Path, header: str) -> None:
    scores = SCORES if header.startswith("SubjectUID") else SCORES.replace("SubjectUID", "Participant_ID").replace("\nA,", "\nCTRL-A,")
    cohort = read_answer_als(files(tmp_path, ALSFRS_R=scores, Demographics=header))
    assert cohort.participants["exclusion"].to_list() == ["healthy control"]


def test_files_of_two_releases_are_refused(tmp_path: Path) -> None:
    files(tmp_path, ALSFRS_R=SCORES, Demographics="Participant_ID,sex\nCASE-A,1\n")
    with pytest.raises(InvalidInput, match="name participants differently") as caught:
        read_answer_als(tmp_path)
    assert "CASE" not in str(caught.value)


def test_carriers_are_set_apart_and_their_onset_is_an_event(people: VirtualParticipants, clean: dict[str, Cohort]) -> None:
    cohort = clean["all"]
    beside = cohort.participants.filter(pl.col("participant_id").str.starts_with("CARRIER"))
    assert beside.height == carriers(people.n).size
    assert beside["exclusion"].str.starts_with("no ALS at the time origin").all()
    assert beside["onset_day"].null_count() == beside.height
    onset = cohort.events.filter(pl.col("kind").is_in(["als_onset", "phenoconversion"])).sort("kind")
    assert onset.select("participant_id", "day").rows() == [("CARRIER0001", float(ONSET_DAY)), ("CARRIER0001", 600.0)]
    origins = cohort.covariates.filter(name="time_origin")
    assert set(origins["participant_id"]) == set(beside["participant_id"])
    # Code 7 is death among the carriers, and consent withdrawn in the other arm; 5 the other way round.
    dead = cohort.events.filter(pl.col("kind") == "death", pl.col("participant_id").str.starts_with("CARRIER"))
    assert dead["participant_id"].to_list() == ["CARRIER0000"]


def test_who_is_in_both_arms_is_not_set_apart(tmp_path: Path) -> None:
    demog = "SubjectUID,dmdat,sex\nX,2020-01-01,1\nY,2020-01-01,2\n"
    scores = "SubjectUID,ftdat,speech_ftorres\nX,2022-03-01,4\n"
    cohort = read_all_als(files(tmp_path, v_ALLALS_PR_PREVDEMOG=demog, v_ALLALS_AS_ASSEALSFRSR=scores))
    reasons = dict(cohort.participants.select("participant_id", "exclusion").rows())
    assert reasons["X"] is None
    assert reasons["Y"] is not None


# ---------------------------------------------------------------------------- planted faults


def flagged(source: str, file: str, rule: str, column: str | None = None) -> tuple[str, Count]:
    prefix = "v_NB_IATI_" if source == "answer" else "v_ALLALS_"

    def count(cohort: Cohort) -> int:
        found = cohort.issues.filter(file=f"{prefix}{file}.csv", rule=rule)
        return (found if column is None else found.filter(column=column)).height

    return source, count


def excluded(reason: str) -> tuple[str, Count]:
    return "answer", lambda cohort: cohort.participants.filter(exclusion=reason).height


def of_scores(source: str, file: str, day: str, b: str, total: str, text: str, five: str) -> dict[str, tuple[str, Count]]:
    rules = {
        "day_missing": ("day_missing", day),
        "item_5_both_differ": ("item_5_both_differ", b),
        "total_differs": ("total_differs", total),
        "score_text": ("score_text", text),
        "score_of_5": ("score_out_of_range", five),
        "not_done": ("nothing_recorded", None),
        "duplicate_row": ("duplicate_row", None),
        "second_row": ("conflicting_row", None),
    }
    return {f"{file}.{fault}": flagged(source, file, rule, column) for fault, (rule, column) in rules.items()}


PLANTED: dict[str, tuple[str, Count]] = {
    **of_scores("answer", "ALSFRS_R", "alsfrsdt", "alsfrs5b", "alsfrst", "alsfrs4", "alsfrs8"),
    **of_scores("all", "AS_ASSEALSFRSR", "ftdat", "utenwg_ftorres", "fttotal", "hndwrit_ftorres", "walking_ftorres"),
    "subjects.unknown_group": flagged("answer", "subjects", "unknown_word", "subject_group_id"),
    "subjects.other_disease": excluded("motor neuron disease other than ALS"),
    "Demographics.sex_code_unknown": flagged("answer", "Demographics", "unknown_word", "sex"),
    "Demographics.age_impossible": flagged("answer", "Demographics", "value_implausible", "age"),
    "AALSHXFX.onset_after_screening": flagged("answer", "AALSHXFX", "onset_after_baseline"),
    "AALSHXFX.onset_after_diagnosis": flagged("answer", "AALSHXFX", "onset_after_diagnosis"),
    "AALSHXFX.several_sites": flagged("answer", "AALSHXFX", "onset_site_conflict"),
    "AALSDXFX.sign_code_unknown": flagged("answer", "AALSDXFX", "unknown_word", "blbcumn"),
    "AALSDXFX.category_unknown": flagged("answer", "AALSDXFX", "unknown_word", "elescrlr"),
    "AALSDXFX.signs_without_day": flagged("answer", "AALSDXFX", "day_missing", "alsdxdt"),
    "ALS_Gene_Mutations.code_unknown": flagged("answer", "ALS_Gene_Mutations", "unknown_word", "FUS"),
    "ALS_Gene_Mutations.not_tested_yet_positive": flagged("answer", "ALS_Gene_Mutations", "unknown_word", "SOD1"),
    "ALS_Gene_Mutations.other_mutation": ("answer", lambda c: c.genotypes.filter(gene="other", result="uncertain").height),
    "Mortality.day_missing": flagged("answer", "Mortality", "death_day_missing"),
    "Mortality.before_last_visit": flagged("answer", "Mortality", "death_before_last_visit"),
    "Vital_Capacity.percent_impossible": flagged("answer", "Vital_Capacity", "value_implausible", "svcp2"),
    "Vital_Signs.unit_missing": flagged("answer", "Vital_Signs", "unit_unknown", "weightu"),
    "Vital_Signs.day_missing": flagged("answer", "Vital_Signs", "day_missing", "vsdt"),
    "Feeding_Tube_Placement.recommended_only": flagged("answer", "Feeding_Tube_Placement", "nothing_recorded"),
    "Auxiliary_Chemistry_Labs.limit": flagged("answer", "Auxiliary_Chemistry_Labs", "lab_limit"),
    "Auxiliary_Chemistry_Labs.result_text": flagged("answer", "Auxiliary_Chemistry_Labs", "lab_text"),
    "AS_ASSEDEMOG.sex_intersex": flagged("all", "AS_ASSEDEMOG", "unknown_word", "sex"),
    "AS_ASSEDEMOG.birth_unreadable": flagged("all", "AS_ASSEDEMOG", "date_unreadable", "brthdat"),
    "AS_ASSEALSHIST.onset_by_month": flagged("all", "AS_ASSEALSHIST", "date_incomplete", "mhstdat"),
    "AS_ASSEVC.test_unknown": flagged("all", "AS_ASSEVC", "capacity_unknown", "svctest"),
}


@pytest.mark.parametrize("fault", sorted(PLANTED))
def test_each_planted_fault_is_found_by_its_rule(
    folders: dict[str, Path], faulty: dict[str, Cohort], clean: dict[str, Cohort], fault: str
) -> None:
    source, count = PLANTED[fault]
    planted = json.loads((folders[source] / "truth.json").read_text(encoding="utf-8"))["planted"][fault]
    # Recommendations without a placement are no fault, and so in the clean files too.
    assert count(clean[source]) == (planted if fault.endswith("recommended_only") else 0)
    assert count(faulty[source]) == planted > 0


def test_the_faults_without_a_rule_of_their_own(folders: dict[str, Path], faulty: dict[str, Cohort]) -> None:
    planted = {s: json.loads((folders[s] / "truth.json").read_text(encoding="utf-8"))["planted"] for s in folders}
    unknown = planted["all"]["AS_ASSEDEMOG.sex_unknown"] + planted["all"]["AS_ASSEDEMOG.sex_intersex"]
    assert faulty["all"].participants["sex"].null_count() == unknown
    # A row of forced and slow vital capacity without a day is a fault of the forms that have something in it.
    lines = faulty["answer"].issues.filter(file="v_NB_IATI_Vital_Capacity.csv", rule="day_missing")["row"]
    assert lines.n_unique() == planted["answer"]["Vital_Capacity.day_missing"]
    all_faults = {fault for faults in planted.values() for fault in faults}
    assert all_faults - set(PLANTED) == {"AS_ASSEDEMOG.sex_unknown", "Vital_Capacity.day_missing"}


@pytest.mark.parametrize("source", ["answer", "all"])
def test_rows_read_are_the_rows_written_and_add_up(folders: dict[str, Path], faulty: dict[str, Cohort], source: str) -> None:
    prefix = "v_NB_IATI_" if source == "answer" else "v_ALLALS_"
    flow = faulty[source].flow
    written = json.loads((folders[source] / "truth.json").read_text(encoding="utf-8"))["rows"]
    assert {file.removeprefix(prefix).removesuffix(".csv"): n for file, n in flow.select("file", "read").rows()} == written
    assert (flow.select(pl.sum_horizontal("kept", "repaired", "rejected", "set_aside")).to_series() == flow["read"]).all()


def test_strict_reading_refuses_the_faults(folders: dict[str, Path]) -> None:
    for source in ("answer", "all"):
        with pytest.raises(InvalidInput, match="score_text"):
            READERS[source](folders[source], strict=True)


# ---------------------------------------------------------------------------- layouts, codes, time

SCORES = (
    "SubjectUID,alsfrsdt,alsfrs1,alsfrs2,alsfrs3,alsfrs4,alsfrs5,alsfrs5a,alsfrs5b,alsfrs6,alsfrs7,alsfrs8,alsfrs9,"
    "alsfrsr1,alsfrsr2,alsfrsr3,alsfrst\n"
    "A,-10,4,4,4,4,1,3,.,4,4,4,4,4,4,4,47\n"
    "A,80,4,4,4,3,2,.,2,4,4,4,4,4,4,4,45\n"
)


def test_5a_is_without_and_5b_with_a_gastrostomy_and_the_older_item_is_left(tmp_path: Path) -> None:
    cohort = read_answer_als(files(tmp_path, ALSFRS_R=SCORES))
    assert cohort.assessments.select("day", "item_5", "gastrostomy", "total_48").rows() == [(-10.0, 3, False, 47), (80.0, 2, True, 45)]
    assert cohort.issues.filter(rule="column_set_aside")["column"].to_list() == ["alsfrs5"]


def test_curated_names_read_as_the_raw_ones(people: VirtualParticipants, clean: dict[str, Cohort], tmp_path: Path) -> None:
    curated = read_answer_als(write_answer_als(people, tmp_path, faults=False, prefix=""))
    for name in DATA:
        assert getattr(curated, name).equals(getattr(clean["answer"], name)), name


def test_the_natural_history_study_has_its_own_key_and_names(tmp_path: Path) -> None:
    scores = SCORES.replace("SubjectUID", "Neurostamp")
    history = "Neurostamp,onsetdt,diagdt,hxblbsw\nA,-700,-300,1\n"
    cohort = read_answer_als(files(tmp_path, v_NB_CLIN_ALSFRS_R=scores, v_NB_CLIN_NALSHXFX=history))
    assert cohort.participants.select("participant_id", "source", "onset_day", "onset_site").rows() == [
        ("A", "ALS natural history", -700.0, "bulbar")
    ]
    assert cohort.covariates.filter(name="onset_detail")["text"].to_list() == ["swallowing"]


def test_letters_of_cp1252_are_read(tmp_path: Path) -> None:
    files(tmp_path, ALSFRS_R=SCORES)
    (tmp_path / "AALSHXFX.csv").write_bytes("SubjectUID,onsetdt,hxot,hxotsp\nA,-90,1,tête\n".encode("cp1252"))
    cohort = read_answer_als(tmp_path)
    assert cohort.covariates.filter(name="onset_other")["text"].to_list() == ["tête"]
    assert cohort.participants["onset_site"].to_list() == ["other"]
    assert cohort.issues.filter(rule="encoding_cp1252").height == 1


def test_families_groups_of_drugs_and_strength(people: VirtualParticipants, clean: dict[str, Cohort]) -> None:
    answer = clean["answer"]
    family = dict(answer.participants.select("participant_id", "family_history").rows())
    assert [family[key] for key in keys(people, "answer")] == [True if f else None for f in people.family_history]
    told = dict(clean["all"].participants.select("participant_id", "family_history").rows())
    expected = [True if f else (False if i % 2 == 0 else None) for i, f in enumerate(people.family_history)]
    assert [told[key] for key in keys(people, "all")] == expected
    grip = answer.measurements.filter(pl.col("name").str.starts_with("strength:"))
    assert set(grip["name"]) == {"strength:grip:left", "strength:grip:right"}
    assert grip.height == 4 * people.n
    labs = answer.measurements.filter(pl.col("name").str.starts_with("lab:")).group_by("name", "unit").len().sort("name").rows()
    assert labs == [("lab:creatinine", "mg/dL", people.n), ("lab:sodium", "mmol/L", people.n // 10)]
    assert set(answer.exposures["dose_unit"].drop_nulls()) == {"mg"}
    assert set(answer.events.filter(kind="pav")["definition"]) == {"PAV, hours not recorded"}
    assert answer.events.filter(kind="pav").height == -(-(people.n // 20) // 3)
    niv = answer.measurements.filter(name="niv_nivusdur")
    assert (niv["unit"].null_count(), niv.height) == (people.n // 10, people.n // 10)


def test_dates_and_relative_days_give_the_same_cohort(people: VirtualParticipants, clean: dict[str, Cohort], tmp_path: Path) -> None:
    relative = read_all_als(write_all_als(people, tmp_path, faults=False, relative=True))
    for name in DATA:
        assert getattr(relative, name).equals(getattr(clean["all"], name)), name


def test_dates_never_reach_the_cohort(faulty: dict[str, Cohort]) -> None:
    for name in (*DATA, "flow", "participant_flow"):
        texts = getattr(faulty["all"], name).select(pl.col(pl.String))
        held = texts.select(pl.any_horizontal(pl.all().str.contains(r"\d{4}-\d{2}").any())).item() if texts.width else False
        assert not held, name
    detail = faulty["all"].issues.select(pl.col("detail").str.contains(r"\d{4}-\d{2}").any()).item()
    assert not detail


def test_american_dates_are_read_when_they_are_named_and_refused_otherwise(tmp_path: Path) -> None:
    scores = "SubjectUID,ftdat,speech_ftorres\nX,03/01/2022,4\nX,03/31/2022,3\n"
    files(tmp_path, v_ALLALS_AS_ASSEALSFRSR=scores)
    with pytest.raises(InvalidInput, match="none of its dates"):
        read_all_als(tmp_path)
    assert read_all_als(tmp_path, dates=["%m/%d/%Y"]).assessments["day"].to_list() == [0.0, 30.0]


def test_day_0_is_the_first_assessment_with_a_score(tmp_path: Path) -> None:
    scores = "SubjectUID,ftdat,speech_ftorres\nX,2022-01-01,.\nX,2022-03-01,4\nX,2022-03-31,3\n"
    vitals = "SubjectUID,vsdat,weight_vsorres,weight_vsorresu\nX,2022-02-01,70,1\nY,2021-05-05,154,2\n"
    cohort = read_all_als(files(tmp_path, v_ALLALS_AS_ASSEALSFRSR=scores, v_ALLALS_AS_ASSEVITSIGN=vitals))
    assert cohort.assessments["day"].to_list() == [0.0, 30.0]
    assert cohort.measurements.filter(name="weight").select("participant_id", "day").rows() == [("X", -28.0), ("Y", 0.0)]
    assert cohort.covariates.filter(name="time_origin")["participant_id"].to_list() == ["Y"]


def test_carriers_alone_are_read_and_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    vitals = "SubjectUID,vsdat,weight_vsorres,weight_vsorresu\nY,2021-05-05,154,2\nY,2021-06-04,70,1\n"
    ends = "SubjectUID,dsstdat,dsdecod\nY,2021-07-04,7\n"
    (tmp_path / "carriers").mkdir()
    cohort = read_all_als(files(tmp_path / "carriers", v_ALLALS_PR_PREVVITSIGN=vitals, v_ALLALS_PR_PREVPARTFINDIS=ends))
    assert cohort.measurements.select("day", pl.col("value").round(1)).rows() == [(0.0, 69.9), (30.0, 70.0)]
    assert cohort.events.select("kind", "day").rows() == [("death", 60.0)]
    assert cohort.participants["exclusion"].null_count() == 0
    files(tmp_path, notes="a,b\n1,2\n")
    with pytest.raises(InvalidInput, match="holds no file of ALL ALS"):
        read_all_als(tmp_path)
    with pytest.raises(InvalidInput, match="ALSFRS_R: error: is missing"):
        read_answer_als(tmp_path)


def test_the_formats_are_known_by_name(folders: dict[str, Path], faulty: dict[str, Cohort]) -> None:
    assert read(folders["answer"], "answer-als").digest == faulty["answer"].digest
    assert read(folders["all"], "all-als").digest == faulty["all"].digest


# ---------------------------------------------------------------------------- damaged files

SPLICES = [b"", b",", b'"', b"\n", b"\r\n", b";", b" ", b"-", b"NA", b"9999-12-30", b"\xef\xbb\xbf", b"\x81", b"\xe9", b"1e400", b"nan"]
SPLICES += [b"1,200", b"-1", b"5", b"<5", b"Yes", b",,,,,", b"\n\n", b"2.5", b"1.0", b".0", b"90", b"CTRL-"]
edits = st.lists(st.tuples(st.integers(0, 16), st.floats(0, 1), st.integers(0, 40), st.sampled_from(SPLICES)), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    few = simulate(VirtualCohort(), 8, 5)
    written = {"answer": write_answer_als(few, tmp_path_factory.mktemp("a")), "all": write_all_als(few, tmp_path_factory.mktemp("b"))}
    return {source: {path.name: path.read_bytes() for path in sorted(folder.glob("*.csv"))} for source, folder in written.items()}


@pytest.mark.parametrize("source", ["answer", "all"])
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(changes=edits)
def test_a_damaged_folder_is_read_or_refused(
    small: dict[str, dict[str, bytes]], tmp_path: Path, source: str, changes: list[tuple[int, float, int, bytes]]
) -> None:
    folder = tmp_path / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    texts = dict(small[source])
    for which, where, length, splice in changes:
        name = sorted(texts)[which % len(texts)]
        start = int(where * len(texts[name]))
        texts[name] = texts[name][:start] + splice + texts[name][start + length :]
    for name, data in texts.items():
        (folder / name).write_bytes(data)
    try:
        cohort = READERS[source](folder)
    except InvalidInput:
        return
    parts = cohort.flow.select(pl.sum_horizontal("kept", "repaired", "rejected", "set_aside")).to_series()
    assert parts.to_list() == cohort.flow["read"].to_list()
    assert len(cohort.digest) == 64
