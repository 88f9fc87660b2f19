"""Diagnostic criteria: worked cases, a literal second implementation, completion by brute force, negative controls."""

import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from alsmodel.clinical import criteria, criteria_rules
from alsmodel.clinical.criteria_rules import ATOMS, BIT, CATEGORIES, Reading, category_table
from alsmodel.clinical.regions import REGIONS
from alsmodel.clinical.signs import SIGNS, Scheme
from alsmodel.cohort import tables

EL_ESCORIAL: Scheme = "El Escorial revised"
READINGS = [Reading(limbs, pairs) for limbs in ("two limbs", "two regions") for pairs in ("regions may differ", "same regions")]
BOOLS = npt.NDArray[np.bool_]

type Row = tuple[str, float, str, str | None, str, str]

_SUMMARY = {"U": "clinical_umn", "L": "clinical_lmn", "E": "emg_lmn"}


def signs(*rows: Row) -> pl.DataFrame:
    full = [(who, float(day), region, side, SIGNS[sign].neuron, sign, state) for who, day, region, side, sign, state in rows]
    return pl.DataFrame(full, schema=tables.polars_schema("signs"), orient="row")


def examined(pattern: str, *, who: str = "a") -> list[Row]:
    """Rows of four words, bulbar to lumbosacral: the letters of each name what is present (U, L, E), "." nothing.

    E marks EMG in both limbs of a region, "e" in the left limb only; "?U" means that U was not examined there.
    """
    rows: list[Row] = []
    for region, word in zip(REGIONS, pattern.split(), strict=True):
        hidden = {word[i + 1] for i, letter in enumerate(word) if letter == "?"}
        present = {letter for i, letter in enumerate(word) if letter in "ULEe" and (i == 0 or word[i - 1] != "?")}
        for letter, sign in _SUMMARY.items():
            for side in ("left", "right"):
                here = letter in present or (letter == "E" and "e" in present and side == "left")
                state = "not examined" if letter in hidden else "present" if here else "absent"
                rows.append((who, 0.0, region, side, sign, state))
    return rows


def category(pattern: str, scheme: Scheme, reading: Reading | None = None) -> str:
    history = pl.DataFrame({"participant_id": ["a"], "progressive": [True], "other_disease_excluded": [True]})
    result = criteria.classify(signs(*examined(pattern)), scheme, reading=reading, history=history)
    assert result.height == 1
    text: str = result["category"].item()
    return text


# What is present in bulbar, cervical, thoracic, lumbosacral -> category. The rule and source of each row:
# [B] Brooks 2000 as in Wijesekera and Leigh 2009, table 1, and the consensus text; [A] de Carvalho 2008; [G] Shefner 2020.
LAB = "probable, laboratory-supported"
CASES: list[tuple[str, str, str, str, str]] = [
    # pattern, El Escorial, Awaji, Gold Coast, rule
    (". . . .", "not met", "not met", "not met", "nothing present"),
    ("UL UL . UL", "definite", "definite", "ALS", "[B] U and L in three regions"),
    (". UL UL UL", "definite", "definite", "ALS", "[B] [A] three spinal regions"),
    ("UL UL UL UL", "definite", "definite", "ALS", "[B] all four"),
    ("UL UL . .", "probable", "probable", "ALS", "[B] two regions; bulbar U rostral to cervical L"),
    ("U UL . L", "probable", "probable", "ALS", "[B] U in two, L in two, U rostral"),
    ("U U L L", "probable", "probable", "ALS", "[B] the regions may differ"),
    ("L L U U", "possible", "possible", "ALS", "[B] two of each but no U rostral to L"),
    ("L UL . U", "possible", "possible", "ALS", "[B] U and L in one region; the rest L rostral"),
    (". UL . .", "possible", "possible", "ALS", "[B] U and L in one region; [G] both in one region"),
    ("U U . .", "possible", "possible", "not met", "[B] U alone in two regions; [G] pure UMN is not ALS"),
    ("U U U U", "possible", "possible", "not met", "[G] PLS excluded"),
    ("L . . U", "possible", "possible", "not met", "[B] L rostral to U; [G] one U and one L in different regions"),
    ("U . . L", "not met", "not met", "not met", "[B] no clause: one of each, U rostral; [G] neither limb of condition 2"),
    ("U . . .", "not met", "not met", "not met", "[B] U alone in one region"),
    (". L . L", "suspected", "not met", "ALS", "[B] pure L; [G] PMA included"),
    (". L . .", "suspected", "not met", "not met", "[B] pure L; [G] L in one region only"),
    (". E . E", "suspected", "not met", "ALS", "[G] EMG shows LMN loss"),
    ("U E . E", LAB, "not met", "ALS", "[B] U in one region, EMG in two limbs; [A] no such class"),
    (". UE . .", LAB, "possible", "ALS", "[B] EMG in both arms: two limbs; [A] E counts as L"),
    (". ULe . e", LAB, "possible", "ALS", "[B] U and L in one region, EMG in two limbs"),
    (". ULe . .", "possible", "possible", "ALS", "[B] EMG in one limb does not support"),
    ("UE . E .", "not met", "possible", "ALS", "[B] bulbar and trunk are no limbs"),
    ("U UE UE E", LAB, "probable", "ALS", "[A] EMG makes two regions; [B] EMG never makes probable"),
    ("UE UE . UE", LAB, "definite", "ALS", "[A] definite by EMG alone"),
    ("UL UE . UE", LAB, "definite", "ALS", "[A] clinical and EMG evidence mix"),
]


@pytest.mark.parametrize(("pattern", "el_escorial", "awaji", "gold_coast", "rule"), CASES, ids=[case[0] for case in CASES])
def test_worked_cases(pattern: str, el_escorial: str, awaji: str, gold_coast: str, rule: str) -> None:
    assert rule
    assert [category(pattern, scheme) for scheme in CATEGORIES] == [el_escorial, awaji, gold_coast]


# The two clauses that published transcriptions render differently: pattern -> category under each reading.
READING_CASES = [
    ("UE . E .", Reading(), "not met"),
    ("UE . E .", Reading(laboratory_support="two regions"), LAB),
    (". UE . .", Reading(), LAB),
    (". UE . .", Reading(laboratory_support="two regions"), "not met"),
    ("U U L L", Reading(pairing="same regions"), "possible"),
    ("U UL . L", Reading(pairing="same regions"), "possible"),
    ("UL UL . .", Reading(pairing="same regions"), "probable"),
]


@pytest.mark.parametrize(("pattern", "reading", "expected"), READING_CASES, ids=str)
def test_the_named_readings_differ_where_the_texts_do(pattern: str, reading: Reading, expected: str) -> None:
    assert category(pattern, EL_ESCORIAL, reading) == expected


# A second implementation, by columns of truth values instead of sets ------------------------------------------------------


def columns(codes: npt.NDArray[np.int64]) -> Mapping[str, BOOLS]:
    """Truth values of each atom for each pattern, by a name of its own."""
    return {f"{k[0]}{k[4:5]} {r} {s}": (codes // 2**i) % 2 == 1 for i, (k, r, s) in enumerate(ATOMS)}


def literal(scheme: Scheme, reading: Reading, codes: npt.NDArray[np.int64]) -> list[str]:
    """Category of each pattern, written from the published sentences without the code under test."""
    at = columns(codes)
    u = [at[f"u {r} None"] for r in REGIONS]
    clinical = [at[f"lc {r} None"] for r in REGIONS]
    arm = [at["le cervical left"], at["le cervical right"]]
    leg = [at["le lumbosacral left"], at["le lumbosacral right"]]
    e = [at["le bulbar None"], arm[0] | arm[1], at["le thoracic None"], leg[0] | leg[1]]
    low = clinical if scheme == EL_ESCORIAL else [c | m for c, m in zip(clinical, e, strict=True)]
    both = sum((a & b).astype(int) for a, b in zip(u, low, strict=True))
    n_u, n_l = sum(a.astype(int) for a in u), sum(a.astype(int) for a in low)
    u_above = np.any([u[i] & low[j] for i in range(4) for j in range(4) if i < j], axis=0)
    l_above = np.any([low[i] & u[j] for i in range(4) for j in range(4) if i < j], axis=0)
    if scheme == "Gold Coast":
        return list(np.where((both >= 1) | (n_l >= 2), "ALS", "not met"))
    two_regions = (both >= 2) if reading.pairing == "same regions" else (n_u >= 2) & (n_l >= 2)
    probable = two_regions & u_above
    limbs = sum(a.astype(int) for a in (*arm, *leg))
    needed = limbs if reading.laboratory_support == "two limbs" else sum(a.astype(int) for a in e)
    supported = (needed >= 2) & (n_u >= 1) & (scheme == EL_ESCORIAL)
    possible = (both >= 1) | (n_u >= 2) | l_above
    any_lower = np.any([*clinical, *e], axis=0)
    suspected = any_lower & (n_u == 0) & (scheme == EL_ESCORIAL)
    return list(
        np.select([both >= 3, probable, supported, possible, suspected], ["definite", "probable", LAB, "possible", "suspected"], "not met")
    )


@pytest.mark.parametrize("reading", READINGS, ids=str)
@pytest.mark.parametrize("scheme", CATEGORIES)
def test_all_patterns_agree_with_a_literal_second_implementation(scheme: Scheme, reading: Reading) -> None:
    codes = np.arange(2 ** len(ATOMS))
    assert len(codes) == 16384
    ours = [CATEGORIES[scheme][rank] for rank in category_table(scheme, reading)]
    assert ours == literal(scheme, reading, codes)


def test_all_4096_patterns_of_regions_agree_from_the_signs_table_on() -> None:
    # UMN, LMN and EMG present or absent in each of four regions, as rows of signs; EMG in a limb region means in both limbs.
    words = ["".join(letters) or "." for n in range(4) for letters in itertools.combinations("ULE", n)]
    patterns = [" ".join(four) for four in itertools.product(words, repeat=4)]
    assert len(patterns) == 4096
    table = signs(*itertools.chain.from_iterable(examined(pattern, who=f"{i:04}") for i, pattern in enumerate(patterns)))
    codes = np.zeros(len(patterns), dtype=np.int64)
    for i, pattern in enumerate(patterns):
        for region, word in zip(REGIONS, pattern.split(), strict=True):
            codes[i] += BIT["umn", region, None] * ("U" in word) + BIT["lmn_clinical", region, None] * ("L" in word)
            cells = [atom for atom in ATOMS if atom[0] == "lmn_emg" and atom[1] == region]
            codes[i] += sum(BIT[cell] for cell in cells) * ("E" in word)
    for scheme in (EL_ESCORIAL, "Awaji"):
        result = criteria.classify(table, scheme)
        assert result["participant_id"].to_list() == [f"{i:04}" for i in range(4096)]
        assert result["category"].to_list() == literal(scheme, Reading(), codes)
        assert (result["lowest"] == result["highest"]).all()


def test_adding_a_sign_never_lowers_a_category_but_for_one_step() -> None:
    # "Suspected" is a pure LMN syndrome by definition, so one UMN sign that meets no other clause ends it.
    lowered: set[tuple[str, str, str, str]] = set()
    for scheme, reading in itertools.product(CATEGORIES, READINGS):
        table, names = category_table(scheme, reading), CATEGORIES[scheme]
        codes = np.arange(len(table))
        for (kind, _, _), bit in BIT.items():
            without = codes[(codes & bit) == 0]
            before, after = table[without], table[without | bit]
            lowered |= {(scheme, kind, names[b], names[a]) for b, a in zip(before, after, strict=True) if a < b}
    assert lowered == {(EL_ESCORIAL, "umn", "suspected", "not met")}


# What was not examined ----------------------------------------------------------------------------------------------------


def literal_bounds(known: Mapping[int, bool], scheme: Scheme) -> tuple[int, int]:
    """Lowest and highest rank over every filling-in, one by one."""
    missing = [i for i in range(len(ATOMS)) if i not in known]
    base = sum(2**i for i, value in known.items() if value)
    codes = np.array(
        [base + sum(2**i for i, on in zip(missing, fill, strict=True) if on) for fill in itertools.product((0, 1), repeat=len(missing))]
    )
    ranks = [CATEGORIES[scheme].index(name) for name in literal(scheme, Reading(), codes)]
    return min(ranks), max(ranks)


@pytest.mark.parametrize("scheme", [EL_ESCORIAL, "Awaji"])
def test_a_category_is_determined_when_every_completion_gives_it(scheme: Scheme) -> None:
    rng = np.random.default_rng(7)
    rows: list[Row] = []
    knowns: list[dict[int, bool]] = []
    for person in range(300):
        known: dict[int, bool] = {}
        hide, find = rng.uniform(0, 0.6), rng.uniform(0.2, 0.9)
        for i, (kind, region, side) in enumerate(ATOMS):
            state = "not examined" if rng.random() < hide else "present" if rng.random() < find else "absent"
            if state != "not examined":
                known[i] = state == "present"
            sign = {"umn": "clinical_umn", "lmn_clinical": "clinical_lmn", "lmn_emg": "emg_lmn"}[kind]
            rows.append((f"{person:03}", 0.0, region, side, sign, state))
        knowns.append(known)
    result = criteria.classify(signs(*rows), scheme)
    names = CATEGORIES[scheme]
    bounds = [literal_bounds(known, scheme) for known in knowns]
    assert result["lowest"].to_list() == [names[low] for low, _ in bounds]
    assert result["highest"].to_list() == [names[high] for _, high in bounds]
    expected = [names[low] if low == high else criteria.UNDETERMINED for low, high in bounds]
    assert result["category"].to_list() == expected
    # Both outcomes occur often enough for the comparison to mean something.
    assert 40 < sum(name == criteria.UNDETERMINED for name in expected) < 260


# Pattern with what was not examined -> El Escorial category, lowest, highest.
OPEN_CASES = [
    ("UL UL ?U?L UL", "definite", "definite", "definite"),
    ("UL UL ?U?L .", criteria.UNDETERMINED, "probable", "definite"),
    ("UL UL ?UL .", criteria.UNDETERMINED, "probable", "definite"),
    (". . . ?U?L", criteria.UNDETERMINED, "not met", "possible"),
    (". . . ?U?L?E", criteria.UNDETERMINED, "not met", LAB),
    (". L . ?U", criteria.UNDETERMINED, "suspected", "possible"),
    ("U ?L . .", "not met", "not met", "not met"),
    ("?U?L?E ?U?L?E ?U?L?E ?U?L?E", criteria.UNDETERMINED, "not met", "definite"),
]


@pytest.mark.parametrize(("pattern", "expected", "lowest", "highest"), OPEN_CASES, ids=[case[0] for case in OPEN_CASES])
def test_worked_cases_with_regions_not_examined(pattern: str, expected: str, lowest: str, highest: str) -> None:
    result = criteria.classify(signs(*examined(pattern)), EL_ESCORIAL)
    assert result.select("category", "lowest", "highest").row(0) == (expected, lowest, highest)


def test_an_open_category_names_what_holds_it_and_what_could_change_it() -> None:
    result = criteria.classify(signs(*examined("UL UL ?UL .")), EL_ESCORIAL)
    text = result["decided_by"].item()
    assert text.startswith("at least probable (UMN and LMN in two regions, UMN rostral: UMN bulbar (clinical_umn left")
    assert text.endswith("at most definite; not examined and able to change it: UMN thoracic")


def test_emg_of_a_region_without_a_side_is_in_at_least_one_limb() -> None:
    umn: Row = ("a", 0, "bulbar", None, "clinical_umn", "present")
    arms: Row = ("a", 0, "cervical", None, "emg_lmn", "present")
    legs: Row = ("a", 0, "lumbosacral", None, "emg_lmn", "present")
    only_arms = criteria.classify(signs(umn, arms), EL_ESCORIAL)
    both = criteria.classify(signs(umn, arms, legs), EL_ESCORIAL)
    assert only_arms["lowest"].item() == "not met"
    assert both["lowest"].item() == LAB
    # "Absent" without a side clears both limbs, "absent" on the left one of them.
    cleared: Row = ("a", 0, "lumbosacral", None, "emg_lmn", "absent")
    left: Row = ("a", 0, "lumbosacral", "left", "emg_lmn", "absent")
    rest = [row for row in examined("U . . .") if row[4] != "emg_lmn"]
    sided: Row = ("a", 0, "cervical", "left", "emg_lmn", "present")
    other: Row = ("a", 0, "cervical", "right", "emg_lmn", "absent")
    assert criteria.classify(signs(*rest, sided, other, cleared), EL_ESCORIAL)["category"].item() == "not met"
    assert criteria.classify(signs(*rest, sided, other, left), EL_ESCORIAL)["highest"].item() == LAB


def test_a_finding_without_a_side_is_believed_against_two_sides_without() -> None:
    rows: list[Row] = [("a", 0, "cervical", side, "emg_lmn", "absent") for side in ("left", "right")]
    rows += [("a", 0, "cervical", None, "emg_lmn", "present"), ("a", 0, "bulbar", None, "clinical_umn", "absent")]
    assert criteria.classify(signs(*rows), "Awaji")["highest"].item() == "definite"


# What decided it ----------------------------------------------------------------------------------------------------------

DECIDED_CASES: list[tuple[Scheme, str, str]] = [
    (EL_ESCORIAL, "U UL . L", "UMN and LMN in two regions, UMN rostral"),
    (EL_ESCORIAL, ". ULe . e", "UMN, and LMN by EMG"),
    (EL_ESCORIAL, "U U . .", "UMN in two regions"),
    (EL_ESCORIAL, "L . . U", "LMN rostral to UMN"),
    (EL_ESCORIAL, ". L . .", "LMN only"),
    ("Awaji", "UE UE . UE", "UMN and LMN together"),
    ("Gold Coast", ". L . E", "LMN in two regions"),
]


@pytest.mark.parametrize(("scheme", "pattern", "clause"), DECIDED_CASES, ids=str)
def test_the_clause_the_regions_and_the_signs_that_decided_are_named(scheme: Scheme, pattern: str, clause: str) -> None:
    history = pl.DataFrame({"participant_id": ["a"], "progressive": [True], "other_disease_excluded": [True]})
    text = criteria.classify(signs(*examined(pattern)), scheme, history=history)["decided_by"].item()
    assert text.startswith(clause + ": ")
    for region, word in zip(REGIONS, pattern.split(), strict=True):
        assert (f" {region} (" in text) == (word != "."), region


def test_the_deciding_signs_alone_give_the_same_category() -> None:
    # Negative control of the explanation: what it names is enough, when all else is examined and absent.
    table = signs(
        ("a", 0, "bulbar", None, "brisk_jaw_jerk", "present"),
        ("a", 0, "bulbar", None, "pseudobulbar_affect", "absent"),
        ("a", 0, "cervical", "left", "hoffmann", "present"),
        ("a", 0, "cervical", "right", "clinical_umn", "absent"),
        ("a", 0, "cervical", "right", "atrophy", "present"),
        ("a", 0, "cervical", "right", "cramps", "present"),
        ("a", 0, "thoracic", None, "clinical_umn", "absent"),
        ("a", 0, "lumbosacral", None, "clinical_umn", "absent"),
        ("a", 0, "lumbosacral", "left", "atrophy", "present"),
    )
    text = criteria.classify(table, EL_ESCORIAL)["decided_by"].item()
    assert "brisk_jaw_jerk" in text
    assert "hoffmann left" in text
    assert "atrophy right" in text
    assert "cramps" not in text
    assert "pseudobulbar_affect" not in text


# Gold Coast conditions, days, disagreement ----------------------------------------------------------------------------------

# progressive, other disease excluded, signs meet condition 2 -> category: Shefner 2020, all three conditions.
HISTORY_CASES = [
    (True, True, True, "ALS"),
    (True, True, False, "not met"),
    (False, True, True, "not met"),
    (True, False, True, "not met"),
    (False, None, True, "not met"),
    (None, True, True, criteria.UNDETERMINED),
    (True, None, True, criteria.UNDETERMINED),
    (None, None, True, criteria.UNDETERMINED),
    (None, None, False, "not met"),
    (True, True, None, criteria.UNDETERMINED),
    (False, True, None, "not met"),
]


@pytest.mark.parametrize(("progressive", "excluded", "met", "expected"), HISTORY_CASES, ids=str)
def test_gold_coast_needs_progression_and_exclusion(
    progressive: bool | None, excluded: bool | None, met: bool | None, expected: str
) -> None:
    pattern = {True: ". UL . .", False: ". . . .", None: "?U?L?E UL . ."}[met] if met is not None else "?U?L?E L . ."
    history = pl.DataFrame(
        {"participant_id": ["a"], "progressive": [progressive], "other_disease_excluded": [excluded]},
        schema_overrides={"progressive": pl.Boolean, "other_disease_excluded": pl.Boolean},
    )
    result = criteria.classify(signs(*examined(pattern)), "Gold Coast", history=history)
    assert result["category"].item() == expected
    assert (result["lowest"].item() == result["highest"].item()) == (expected != criteria.UNDETERMINED)


def test_gold_coast_without_history_is_never_als() -> None:
    result = criteria.classify(signs(*examined("UL UL UL UL")), "Gold Coast")
    assert result["category"].item() == criteria.UNDETERMINED
    assert result["decided_by"].item().endswith("not recorded: progressive impairment, exclusion of other disease")


def test_later_signs_do_not_reach_back() -> None:
    table = signs(*examined(". L . ."), *[(who, 90.0, *rest) for who, _, *rest in examined("UL UL . UL")])  # type: ignore[misc]
    assert criteria.classify(table, EL_ESCORIAL, day=89.0).select("day", "category").row(0) == (89.0, "suspected")
    assert criteria.classify(table, EL_ESCORIAL, day=90.0).select("day", "category").row(0) == (90.0, "definite")
    assert criteria.classify(table, EL_ESCORIAL).select("day", "category").row(0) == (90.0, "definite")
    assert criteria.classify(table, EL_ESCORIAL, day=-1.0)["category"].item() == criteria.UNDETERMINED


def test_a_category_is_dated_by_the_day_on_which_it_changes() -> None:
    first = examined(". L . .")
    table = signs(
        *first,
        *[(who, 30.0, *rest) for who, _, *rest in first],  # type: ignore[misc]
        *[(who, 60.0, *rest) for who, _, *rest in examined("UL UL . UL")],  # type: ignore[misc]
        ("b", 10, "bulbar", None, "clinical_umn", "not examined"),
    )
    dated = criteria.classify_each_day(table, EL_ESCORIAL)
    assert dated.select("participant_id", "day", "category").rows() == [("a", 0.0, "suspected"), ("a", 60.0, "definite")]
    history = pl.DataFrame({"participant_id": ["a"], "progressive": [True], "other_disease_excluded": [True]})
    gold = criteria.classify_each_day(table, "Gold Coast", history=history)
    assert gold.select("day", "category").rows() == [(0.0, "not met"), (60.0, "ALS")]


def test_each_day_is_what_classify_says_as_of_that_day() -> None:
    rng = np.random.default_rng(3)
    rows: list[Row] = []
    for person, day in itertools.product("abcdefgh", (0.0, 40.0, 95.0)):
        for kind, region, side in ATOMS:
            if rng.random() < 0.5:
                sign = {"umn": "clinical_umn", "lmn_clinical": "clinical_lmn", "lmn_emg": "emg_lmn"}[kind]
                rows.append((person, day, region, side, sign, "present" if rng.random() < 0.6 else "absent"))
    table = signs(*rows)
    dated = criteria.classify_each_day(table, "Awaji")
    for day in (0.0, 40.0, 95.0):
        asked = criteria.classify(table, "Awaji", day=day).select("participant_id", "category")
        held = dated.filter(pl.col("day") <= day).sort("day").group_by("participant_id", maintain_order=True).last()
        assert held.sort("participant_id").select("participant_id", "category").equals(asked)


def test_rows_fit_the_canonical_table() -> None:
    table = signs(*examined("UL UL . UL"))
    every = pl.concat([criteria.classify(table, scheme) for scheme in CATEGORIES])
    kept = tables.conform("classifications", every.select(criteria.CLASSIFICATION_COLUMNS))
    tables.SCHEMAS["classifications"].validate(kept)
    assert kept["scheme"].to_list() == list(CATEGORIES)
    assert criteria.classify(table.clear(), "Gold Coast").height == 0


@pytest.mark.parametrize(
    ("recorded", "canonical"),
    [
        ("Definite", "definite"),
        ("Clinically Definite ALS", "definite"),
        ("Probable", "probable"),
        ("Probable Laboratory Supported", LAB),
        ("Clinically probable - laboratory-supported", LAB),
        ("lab-supported probable", LAB),
        ("Possible", "possible"),
        ("Suspected", "suspected"),
        ("ALS", "ALS"),
        ("something else", "something else"),
        (None, None),
    ],
)
def test_recorded_words_become_the_words_of_the_scheme(recorded: str | None, canonical: str | None) -> None:
    frame = pl.DataFrame({"text": [recorded]}, schema={"text": pl.String})
    assert frame.select(criteria.recorded_category(pl.col("text"))).item() == canonical
    assert canonical in (*itertools.chain.from_iterable(CATEGORIES.values()), "something else", None)


def test_disagreements_are_listed_and_nothing_is_removed() -> None:
    schema = tables.polars_schema("classifications")
    rows = [
        ("a", 10.0, EL_ESCORIAL, "Definite", "recorded", None),
        ("a", 0.0, EL_ESCORIAL, "probable", "computed", "x"),
        ("a", 20.0, EL_ESCORIAL, "definite", "computed", "later"),
        ("b", None, EL_ESCORIAL, "Clinically definite", "recorded", None),
        ("b", 0.0, EL_ESCORIAL, "possible", "computed", "x"),
        ("b", 9.0, EL_ESCORIAL, "definite", "computed", "x"),
        ("c", 5.0, EL_ESCORIAL, "Possible", "recorded", None),
        ("c", 5.0, EL_ESCORIAL, criteria.UNDETERMINED, "computed", "x"),
        ("d", 5.0, EL_ESCORIAL, "Possible", "recorded", None),
        ("d", 5.0, "Awaji", "probable", "computed", "x"),
        ("e", 5.0, EL_ESCORIAL, "Possible", "recorded", None),
        ("e", 6.0, EL_ESCORIAL, "definite", "computed", "only later"),
    ]
    table = pl.DataFrame(rows, schema=schema, orient="row")
    listed = criteria.disagreements(table)
    assert listed.select("participant_id", "scheme", "recorded", "computed", "day", "computed_day").rows() == [
        ("a", EL_ESCORIAL, "definite", "probable", 10.0, 0.0),
        ("c", EL_ESCORIAL, "possible", criteria.UNDETERMINED, 5.0, 5.0),
    ]
    assert criteria.disagreements(table.clear()).height == 0


def test_findings_read_the_atoms() -> None:
    found = criteria_rules.findings([("umn", "bulbar", None), ("lmn_emg", "cervical", "left"), ("lmn_emg", "thoracic", None)])
    assert found == criteria_rules.Findings(frozenset({"bulbar"}), frozenset(), frozenset({"cervical", "thoracic"}), 1)


def test_the_documented_cases_and_signs_are_those_tested() -> None:
    page = (Path(__file__).parents[2] / "docs" / "clinical" / "signs_and_criteria.md").read_text(encoding="utf-8")
    cells = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| `")]
    cases = [(" ".join(row[:4]), *row[4:]) for row in cells if len(row) == 8]
    assert cases == CASES
    assert [row[0] for row in cells if len(row) == 6] == list(SIGNS)
