"""OPM codes, phenotypes and the guard against using them before they can be said."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alsmodel.clinical.dated import (
    FOLLOW_UP,
    OPM_MOTOR_NEURON,
    OPM_PROPAGATION,
    OPM_PROPAGATION_REVISED,
    PHENOTYPE,
    STATEMENT,
    baseline_value,
    follow_up_months,
    require_baseline,
)
from alsmodel.clinical.involvement import status_by_visit, symptoms_by_visit, symptoms_from_scores
from alsmodel.clinical.opm import (
    MOTOR_NEURON,
    ONSET,
    PROPAGATION,
    Opm,
    motor_neuron_statements,
    onset_of,
    onset_statements,
    parse_opm,
    propagation_statements,
    revised_propagation_statements,
)
from alsmodel.clinical.phenotypes import (
    DEFINITIONS,
    disagreements,
    phenotype_name,
    phenotype_statements,
    recorded_statements,
    require_baseline_words,
)
from alsmodel.clinical.regions import REGIONS
from alsmodel.clinical.signs import SIGNS, region_status, require_known
from alsmodel.clinical.units import DAYS_PER_MONTH
from alsmodel.cohort.tables import SCHEMAS, polars_schema
from alsmodel.errors import InvalidInput

UMN_SIGN = {"bulbar": "brisk_jaw_jerk", "cervical": "hoffmann", "thoracic": "pathological_trunk_reflex", "lumbosacral": "babinski"}
SIGN_TYPES = {
    "participant_id": pl.String, "day": pl.Float64, "region": pl.String, "side": pl.String,
    "neuron": pl.String, "sign": pl.String, "state": pl.String,
}  # fmt: skip


def day(month: float) -> float:
    return month * DAYS_PER_MONTH


def signs(*visits: tuple[str, float, str]) -> pl.DataFrame:
    """Examinations: participant, month from onset (day 0), and one letter per region from the top.

    o: free of both; U: UMN sign; L: weakness and wasting; B: both; -: not examined.
    """
    rows = []
    for who, month, letters in visits:
        for region, letter in zip(REGIONS, letters):
            for neuron, sign, on in (
                ("UMN", UMN_SIGN[region], "UB"),
                ("LMN", "weakness", "LB"),
                ("LMN", "atrophy", "LB"),
            ):
                state = "not examined" if letter == "-" else "present" if letter in on else "absent"
                sides = ("left", "right") if SIGNS[sign].sided else (None,)
                rows += [(who, day(month), region, side, neuron, sign, state) for side in sides]
    return pl.DataFrame(rows, schema=SIGN_TYPES, orient="row")


def onset(**regions: tuple[str | None, str | None]) -> pl.DataFrame:
    rows = [(who, 0.0, *parts) for who, parts in regions.items()]
    types = {"participant_id": pl.String, "onset_day": pl.Float64, "onset_region": pl.String, "onset_part": pl.String}
    return pl.DataFrame(rows, schema=types, orient="row")


ARM, LEG, HEAD = ("cervical", "proximal"), ("lumbosacral", "distal"), ("bulbar", None)


def said(rows: pl.DataFrame) -> list[tuple[float, str]]:
    """(month, category) of each statement."""
    return [(round(d / DAYS_PER_MONTH, 6), c) for d, c in rows.select("day", "category").iter_rows()]


# --- codes --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("O2p, PL, M2p", Opm("O2p", "PL", "M2p")),
        ("o1 pe m0", Opm("O1", "PE", "M0")),
        ("M1D;PN;O4D", Opm("O4d", "PN", "M1d")),
        ("O3r/P1(10)/M2d", Opm("O3r", "P1(10)", "M2d")),
        ("M3", Opm(motor_neuron="M3")),
    ],
)
def test_codes_are_read_in_any_order_and_written_in_one(text: str, code: Opm) -> None:
    assert parse_opm(text) == code
    assert parse_opm(str(code)) == code


def test_every_combination_of_codes_is_read_back() -> None:
    for o in ONSET:
        for p in (*PROPAGATION, "P0(3)", "P1(24)"):
            for m in MOTOR_NEURON:
                assert str(parse_opm(f"{o}, {p}, {m}")) == f"{o}, {p}, {m}"


@pytest.mark.parametrize(
    ("text", "faults"),
    [("O2", 1), ("O5d PE", 1), ("PX, M9", 2), ("O1 O2d", 1), ("", 1), ("P1()", 1), ("M1", 1)],
)
def test_what_is_no_code_is_refused_without_telling_it(text: str, faults: int) -> None:
    with pytest.raises(InvalidInput) as told:
        parse_opm(text, place="file.csv:3:opm")
    assert len(told.value.faults) == faults
    assert all(fault.place == "file.csv:3:opm" for fault in told.value.faults)
    assert "O5d" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "propagation", "name"),
    [
        ("O2p PL M2p", "PL", "flail arm"),
        ("O4d PL M2p", "PL", "flail leg"),
        ("O1 PL M2p", "PL", "progressive bulbar palsy"),
        ("O2p PE M2p", "PE", "PMA"),
        ("O4d PL M1p", "PL", "flail leg"),
        ("O4p PL M1p", "PL", "PLS"),
        ("O2d PE M0", "PE", None),
        ("O2p P1(12) M0", "PE", None),
        ("O2p P1(13) M2d", "PL", "flail arm"),
        ("O2p P0(12) M2d", "PL", "flail arm"),
        ("O2p P0(11) M2d", "PN", None),
    ],
)
def test_old_names_and_the_revision(text: str, propagation: str, name: str | None) -> None:
    assert (parse_opm(text).propagation_2025, parse_opm(text).old_name) == (propagation, name)


# --- what was seen ------------------------------------------------------------------------------------------------------------------


def test_the_examinations_of_these_tests_are_canonical() -> None:
    require_known(signs(("A", 1, "oULB")))
    assert list(SIGN_TYPES) == list(SCHEMAS["signs"].columns())


def test_a_reflex_is_no_symptom_and_silence_is_not_freedom() -> None:
    got = symptoms_by_visit(signs(("A", 6, "oUL-")))
    assert got.select("region", "symptomatic").rows() == [("bulbar", False), ("cervical", False), ("thoracic", True)]


def test_one_free_side_is_not_a_free_region() -> None:
    one = signs(("A", 6, "oooo")).filter(pl.col("side").is_null() | (pl.col("side") == "left"))
    got = dict(symptoms_by_visit(one).select("region", "symptomatic").iter_rows())
    assert got["cervical"] is None


def test_a_forms_umn_field_leaves_symptoms_open() -> None:
    rows = [
        ("A", 0.0, "cervical", side, n, f"clinical_{n.lower()}", s)
        for side in ("left", "right")
        for n, s in (("UMN", "present"), ("LMN", "absent"))
    ]
    got = symptoms_by_visit(pl.DataFrame(rows, schema=SIGN_TYPES, orient="row"))
    assert got["symptomatic"].to_list() == [None]


def test_status_by_visit_equals_the_status_as_of_each_day() -> None:
    table = signs(("A", 1, "oL--"), ("A", 5, "-BLo"), ("A", 9, "UoB-"), ("B", 5, "LLLL"), ("B", 7, "oooo"))
    got = status_by_visit(table)
    for (who, when), rows in got.group_by("participant_id", "day"):
        direct = region_status(table.filter(pl.col("participant_id") == who), float(str(when)), scheme="Gold Coast")
        assert rows.drop("day").rows() == direct.rows()
    assert got.height == 5 * len(REGIONS)


def test_scores_stand_in_for_signs() -> None:
    items = {f"item_{i}": [4] for i in range(1, 13)} | {"item_2": [3], "item_8": [None], "item_11": [2]}
    row = pl.DataFrame({"participant_id": ["A"], "day": [0.0], "gastrostomy": [False], **items})
    got = dict(symptoms_from_scores(row).select("region", "symptomatic").iter_rows())
    assert got == {"bulbar": True, "cervical": False, "thoracic": True}


# --- OPM ----------------------------------------------------------------------------------------------------------------------------

# Source of the first five: Meyer 2025, table 3 (examples of assessment). Visits, onset -> P, reason.
PROPAGATION_CASES = [
    ("classic bulbar 1", [(4, "Booo"), (10, "BBoo")], HEAD, [(4, "PN"), (10, "PE")], None),
    ("classic bulbar 2", [(4, "Looo"), (12, "Looo"), (14, "LLoo")], HEAD, [(4, "PN"), (12, "PL")], None),
    ("bulbar palsy 1", [(4, "Looo"), (20, "Looo")], HEAD, [(4, "PN"), (20, "PL")], None),
    ("bulbar palsy 2", [(8, "Booo")], HEAD, [(8, "PN")], "not seen free in month 12 or later: cervical, lumbosacral, thoracic"),
    ("classic arm 1", [(2, "oLoo"), (6, "LBoo")], ARM, [(2, "PN"), (6, "PE")], None),
    ("seen on the limit", [(12, "LLoo")], ARM, [(12, "PE")], None),
    ("reflexes do not spread", [(6, "UBUU"), (13, "UBUU")], ARM, [(6, "PN"), (13, "PL")], None),
    (
        "gap over the limit", [(6, "oLoo"), (15, "oLoL")], ARM, [(6, "PN")],
        "propagation first seen after month 12; not seen free then: lumbosacral",
    ),
    ("trunk never examined", [(6, "oL-o"), (15, "oL-o")], ARM, [(6, "PN")], "not seen free in month 12 or later: thoracic"),
    ("regions seen free on two days", [(13, "oL--"), (16, "-Loo")], ARM, [(16, "PL")], None),
    ("before onset nothing counts", [(-1, "LLLL"), (13, "oLoo")], ARM, [(13, "PL")], None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "visits", "begin", "expected", "reason"), PROPAGATION_CASES, ids=lambda v: v if isinstance(v, str) else ""
)
def test_propagation(
    name: str, visits: list[tuple[float, str]], begin: tuple[str | None, str | None], expected: list[tuple[float, str]], reason: str | None
) -> None:
    table = signs(*((name, month, letters) for month, letters in visits))
    rows, undecided = propagation_statements(symptoms_by_visit(table), onset(**{name: begin}))
    assert said(rows) == expected
    assert undecided["reason"].to_list() == ([] if reason is None else [reason])


def test_propagation_names_the_regions_that_decided_it() -> None:
    table = signs(("A", 12, "LLoL"), ("B", 3, "oLLo"), ("B", 6, "LLLo"))
    rows, _ = propagation_statements(symptoms_by_visit(table), onset(A=ARM, B=ARM))
    early = rows.filter(pl.col("category") == "PE")
    assert early["decided_by"].to_list() == ["symptoms in bulbar, lumbosacral", "symptoms in thoracic"]


def test_a_region_may_be_trusted_to_be_free() -> None:
    table = signs(("A", 6, "oL-o"), ("A", 15, "oL-o"))
    rows, undecided = propagation_statements(symptoms_by_visit(table), onset(A=ARM), needed=("bulbar", "cervical", "lumbosacral"))
    assert said(rows) == [(6, "PN"), (15, "PL")]
    assert undecided.height == 0


def test_who_dies_before_month_twelve_never_becomes_pl() -> None:
    # The immortal months: two equal courses, one cut short.
    table = signs(*(("lived", m, "oLoo") for m in (3, 6, 9, 12)), *(("died", m, "oLoo") for m in (3, 6, 9)))
    rows, _ = propagation_statements(symptoms_by_visit(table), onset(lived=ARM, died=ARM))
    late = rows.filter(pl.col("category") == "PL")
    assert late["participant_id"].to_list() == ["lived"]
    assert late["day"].to_list() == [day(12)]


def test_revised_propagation_counts_completed_months() -> None:
    table = signs(("A", 5.5, "oLoo"), ("A", 9.9, "oL-o"), ("A", 14, "oLoL"), ("A", 20, "LLLL"), ("B", 13.2, "oLoo"))
    rows = revised_propagation_statements(symptoms_by_visit(table), onset(A=ARM, B=ARM))
    assert rows.select("participant_id", "category").rows() == [("A", "P0(5)"), ("A", "P1(14)"), ("B", "P0(13)")]
    assert follow_up_months(OPM_PROPAGATION_REVISED, "P1(14)") == 14


MOTOR_NEURON_CASES = [
    ("BBoo", "M0"),
    ("oUoB", "M1d"),
    ("LLoB", "M2d"),
    ("oUoU", "M1p"),
    ("LLLo", "M2p"),
    ("oLoU", "M3"),
    ("oUoL", "M0"),  # UMN arms and LMN legs is not the dissociation of M3
    ("oU-U", None),  # the trunk may hide a lower motor neuron
    ("UU-B", "M1d"),
    ("oooo", None),
]


@pytest.mark.parametrize(("letters", "code"), MOTOR_NEURON_CASES)
def test_balance_of_the_motor_neurons(letters: str, code: str | None) -> None:
    rows = motor_neuron_statements(signs(("A", 7, letters)), onset(A=ARM))
    assert rows["category"].to_list() == ([] if code is None else [code])
    if code is not None:
        assert "month 7" in rows.item(0, "decided_by")
        assert ("provisional" in rows.item(0, "decided_by")) == (code in {"M1p", "M2p"})


def test_the_balance_is_restated_when_it_changes() -> None:
    table = signs(("A", 7, "oLoo"), ("A", 20, "oLoo"), ("A", 30, "oBoU"), ("A", 50, "oBoB"))
    rows = motor_neuron_statements(table, onset(A=ARM))
    assert said(rows) == [(7, "M2p"), (30, "M1d"), (50, "M0")]


def test_onset_codes_need_the_part_of_a_limb() -> None:
    table = onset(A=ARM, B=("cervical", None), C=HEAD, D=("thoracic", "respiratory"), E=(None, None))
    rows = onset_statements(table)
    assert rows.select("participant_id", "day", "category").rows() == [("A", 0.0, "O2p"), ("C", 0.0, "O1"), ("D", 0.0, "O3r")]


def test_limb_onset_names_no_region() -> None:
    people = pl.DataFrame({"participant_id": ["A", "B", "C"], "onset_day": [-5, -6, None], "onset_site": ["limb", "bulbar", "respiratory"]})
    assert onset_of(people).rows() == [
        ("A", -5.0, None, None),
        ("B", -6.0, "bulbar", None),
        ("C", None, "thoracic", "respiratory"),
    ]


# --- phenotypes ---------------------------------------------------------------------------------------------------------------------

PHENOTYPE_CASES = [
    ("bulbar", [(4, "Booo"), (10, "BBoo")], HEAD, [(0, "bulbar")]),
    ("respiratory", [(4, "ooLo")], ("thoracic", "respiratory"), [(0, "respiratory")]),
    ("classic", [(3, "oBoo"), (9, "oBoB")], ARM, [(9, "classic")]),
    ("not yet", [(3, "oBoo")], ARM, []),
    ("umn", [(3, "UBoU"), (9, "UBoU")], ARM, [(3, "UMN-predominant")]),
    ("UMN arms", [(3, "oUoo"), (13, "oUoo")], ARM, []),
    ("umn then classic", [(3, "UBoU"), (20, "BBoB")], ARM, [(3, "UMN-predominant"), (20, "classic")]),
    ("flail arm", [(3, "oLoo"), (13, "oLoU"), (30, "oLoL")], ARM, [(13, "flail arm")]),
    ("flail leg", [(3, "oooL"), (15, "oooL")], LEG, [(15, "flail leg")]),
    ("eleven months", [(3, "oLoo"), (11, "oLoo")], ARM, []),
    ("brisk arms", [(3, "oBoo"), (13, "oBoo")], ARM, [(13, "flail arm")]),
    ("flail arm is no PMA", [(3, "oLoo"), (13, "oLoo"), (50, "LLLL")], ARM, [(13, "flail arm")]),
    ("PMA", [(3, "oLoo"), (10, "LLoo"), (47, "LLLL"), (49, "LLLL")], ARM, [(49, "PMA")]),
    ("no longer PMA", [(3, "oLoo"), (10, "LLoo"), (30, "LBLL"), (49, "LLLL")], ARM, [(30, "classic")]),
    ("PMA not examined afresh", [(3, "LLLL"), (49, "-LLL")], ARM, []),
    ("PLS", [(3, "oooU"), (30, "oUoU"), (48, "UUoU")], LEG, [(48, "PLS")]),
    ("PLS in one region only", [(3, "oooU"), (48, "oooU")], LEG, []),
    ("bulbar onset PLS", [(3, "Uooo"), (50, "UUUU")], HEAD, [(0, "bulbar"), (50, "PLS")]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "visits", "begin", "expected"), PHENOTYPE_CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_phenotypes_are_dated(
    name: str, visits: list[tuple[float, str]], begin: tuple[str | None, str | None], expected: list[tuple[float, str]]
) -> None:
    rows = phenotype_statements(signs(*((name, month, letters) for month, letters in visits)), onset(**{name: begin}))
    assert said(rows) == expected
    for when, category in said(rows):
        assert when >= DEFINITIONS[category].months


def test_a_spastic_arm_is_not_flail() -> None:
    examined, begin = signs(("A", 3, "oBoo"), ("A", 13, "oBoo"), ("A", 20, "oBoo")), onset(A=ARM)

    def spastic(month: float, state: str, region: str = "cervical") -> pl.DataFrame:
        row = [("A", day(month), region, "left", "UMN", "spasticity", state)]
        return pl.concat([examined, pl.DataFrame(row, schema=SIGN_TYPES, orient="row")])

    assert said(phenotype_statements(spastic(3, "present"), begin)) == []
    assert said(phenotype_statements(spastic(13, "present"), begin)) == []
    for harmless in (spastic(3, "absent"), spastic(3, "present", "lumbosacral"), spastic(20, "present")):
        assert (13, "flail arm") in said(phenotype_statements(harmless, begin))


def test_emg_denervation_is_no_pls() -> None:
    table = signs(("A", 3, "oooU"), ("A", 50, "UUoU"))
    emg = pl.DataFrame([("A", day(50), "lumbosacral", "left", "LMN", "emg_lmn", "present")], schema=SIGN_TYPES, orient="row")
    assert said(phenotype_statements(table, onset(A=LEG))) == [(50, "PLS")]
    assert said(phenotype_statements(pl.concat([table, emg]), onset(A=LEG))) == []


Visits = list[tuple[float, str]]


def literal_propagation(visits: Visits, own: int) -> dict[str, float]:
    """PE, PL and PN once more, by plain loops over one participant's examinations."""
    said_on: dict[str, float] = {}
    spread = min((m for m, seen in visits if any(seen[r] in "LB" for r in range(4) if r != own)), default=float("inf"))
    if spread <= 12:
        said_on["PE"] = spread
    else:
        firsts = []
        for r in set(range(4)) - {own}:
            ill = min((m for m, seen in visits if seen[r] in "LB"), default=float("inf"))
            well = min((m for m, seen in visits if seen[r] in "oU" and m >= 12), default=float("inf"))
            firsts.append(well if well < ill else float("inf"))
        if max(firsts) < float("inf"):
            said_on["PL"] = max(firsts)
    early = min((m for m, seen in visits if m < 12 and any(seen[r] != "-" for r in range(4) if r != own)), default=None)
    if early is not None and not spread <= min(early, 12):
        said_on["PN"] = early
    return said_on


def literal_balance(state: str) -> str | None:
    upper, lower = sum(c in "UB" for c in state), sum(c in "LB" for c in state)
    if upper and not lower:
        return "M1p" if "-" not in state else None
    if lower and not upper:
        return "M2p" if "-" not in state else None
    if not upper:
        return None
    if state[1] == "L" and state[3] == "U":
        return "M3"
    return "M1d" if upper > lower else "M2d" if upper < lower else "M0"


def literal_phenotypes(visits: Visits, own: int) -> set[tuple[float, str]]:
    """The phenotypes once more: carries the last letter of each region forward by hand."""
    told = {(0.0, "bulbar")} if own == 0 else set()
    limb, late = own in (1, 3), literal_propagation(visits, own).get("PL", float("inf"))
    state, fresh, before = "----", "----", None
    flail, pure, ever, most_upper, spread = False, False, set[str](), 0, False
    for month, seen in visits:
        state = "".join(new if new != "-" else old for old, new in zip(state, seen))
        ever |= set(seen)
        most_upper = max(most_upper, sum(c in "UB" for c in state))
        spread = spread or any(seen[r] in "LB" for r in range(4) if r != own)
        if limb and not flail and month >= late and state[own] in "LB":
            flail = True
            told.add((month, "flail arm" if own == 1 else "flail leg"))
        if month >= 48:
            fresh = "".join(new if new != "-" else old for old, new in zip(fresh, seen))
            whole = "-" not in fresh and not pure
            if whole and not ever & set("UB") and "L" in ever and not flail:
                pure = True
                told.add((month, "PMA"))
            if whole and not ever & set("LB") and most_upper >= 2:
                pure = True
                told.add((month, "PLS"))
        code = literal_balance(state)
        name = "UMN-predominant" if code == "M1d" else "classic" if code in {"M0", "M2d", "M3"} and spread and not flail else None
        if limb and name and name != before:
            told.add((month, name))
            before = name
    return told


def test_statements_equal_a_second_writing_of_the_rules() -> None:
    rng = np.random.default_rng(3)
    histories: dict[str, tuple[Visits, int]] = {}
    for i in range(400):
        months = np.sort(rng.choice([2, 5, 8, 11, 12, 13, 16, 24, 40, 48, 50, 60], int(rng.integers(1, 6)), replace=False))
        # Two letters at most, mostly free: random letters alone would hardly ever stay restricted or pure.
        letters = ["o", "o", "o", "-", str(rng.choice(list("ULB")))] if i % 2 else list("oooLLU-B")
        own = int(rng.integers(0, 4))
        visits = []
        for m in months:
            seen = rng.choice(letters, 4)
            seen[own] = rng.choice(list("LLUB"))
            visits.append((float(m), "".join(seen)))
        histories[f"P{i:03d}"] = (visits, own)
    examined = signs(*((who, m, seen) for who, (visits, _) in histories.items() for m, seen in visits))
    begin = onset(**{who: (REGIONS[own], None) for who, (_, own) in histories.items()})
    spread, undecided = propagation_statements(symptoms_by_visit(examined), begin)
    types, codes = phenotype_statements(examined, begin), motor_neuron_statements(examined, begin)
    for who, (visits, own) in histories.items():
        mine = pl.col("participant_id") == who
        expected = literal_propagation(visits, own)
        assert {c: m for m, c in said(spread.filter(mine))} == expected
        assert undecided.filter(mine).height == (not expected.keys() & {"PE", "PL"})
        assert set(said(types.filter(mine))) == literal_phenotypes(visits, own)
        state, told = "----", list[tuple[float, str]]()
        for m, seen in visits:
            state = "".join(new if new != "-" else old for old, new in zip(state, seen))
            code = literal_balance(state)
            if code and (not told or told[-1][1] != code):
                told.append((m, code))
        assert said(codes.filter(mine)) == told
    assert set(types["category"]) >= {"classic", "bulbar", "flail arm", "flail leg", "UMN-predominant", "PMA", "PLS"}


def test_no_statement_knows_the_future() -> None:
    """Cutting the record at any day leaves the statements dated until then as they were."""
    cases = {name.replace(" ", "_"): (visits, begin) for name, visits, begin, _ in PHENOTYPE_CASES}
    table = signs(*((name, m, letters) for name, (visits, _) in cases.items() for m, letters in visits))
    begin = onset(**{name: start for name, (_, start) in cases.items()})
    makers = (
        phenotype_statements,
        motor_neuron_statements,
        lambda s, o: propagation_statements(symptoms_by_visit(s), o)[0],
        lambda s, o: revised_propagation_statements(symptoms_by_visit(s), o),
    )
    for make in makers:
        whole = make(table, begin)
        for cut in (3.5, 9.5, 13.5, 30.5, 49.5):
            until = make(table.filter(pl.col("day") <= day(cut)), begin)
            assert until.equals(whole.filter(pl.col("day") <= day(cut)))


def test_statements_fit_the_canonical_table() -> None:
    assert list(STATEMENT) == list(polars_schema("classifications"))
    rows = phenotype_statements(signs(("A", 3, "oooU"), ("A", 50, "UUoU")), onset(A=LEG))
    SCHEMAS["classifications"].validate(rows)
    assert dict(rows.schema) == polars_schema("classifications")


def test_nobody_examined_is_no_error() -> None:
    nothing, nobody = signs(), onset()
    assert phenotype_statements(nothing, nobody).height == 0
    assert motor_neuron_statements(nothing, nobody).height == 0
    assert propagation_statements(symptoms_by_visit(nothing), nobody)[0].height == 0
    assert revised_propagation_statements(symptoms_by_visit(nothing), nobody).height == 0


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Classic ALS", "classic"), ("Bulbar onset", "bulbar"), ("Flail-arm syndrome", "flail arm"),
        ("brachial amyotrophic diplegia", "flail arm"),
        ("FLS", "flail leg"), ("Pyramidal", "UMN-predominant"), ("UMN-p", "UMN-predominant"), ("PLMN", "PMA"), ("PUMN", "PLS"),
        ("Primary lateral sclerosis", "PLS"), ("Respiratory ALS", "respiratory"), ("limb", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_recorded_words(text: str | None, name: str | None) -> None:
    assert phenotype_name(text) == name


def test_recorded_phenotypes_become_statements_without_a_day() -> None:
    people = pl.DataFrame({"participant_id": ["A", "B", "C", "D"], "phenotype": ["PUMN", "Bulbar onset ALS", None, "monomelic"]})
    rows = recorded_statements(people)
    assert rows.select("participant_id", "day", "category", "origin").rows() == [
        ("A", None, "PLS", "recorded"),
        ("B", None, "bulbar", "recorded"),
        ("D", None, "monomelic", "recorded"),
    ]
    assert dict(rows.schema) == polars_schema("classifications")
    with pytest.raises(InvalidInput, match="PLS needs 48 months"):
        require_baseline(rows, scheme=PHENOTYPE)
    assert baseline_value(rows, scheme=PHENOTYPE, later="ignore").rows() == [("B", "bulbar"), ("D", "monomelic")]
    dated = recorded_statements(people.with_columns(day=pl.lit(-10)))
    assert baseline_value(dated, scheme=PHENOTYPE).item(0, "category") == "PLS"


def test_recorded_and_computed_phenotypes_are_held_against_each_other() -> None:
    rows = table(
        ("A", 100.0, PHENOTYPE, "Classic ALS", "recorded"),
        ("A", 50.0, PHENOTYPE, "classic", "computed"),
        ("A", 200.0, PHENOTYPE, "UMN-predominant", "computed"),
        ("B", None, PHENOTYPE, "PLMN", "recorded"),
        ("B", 50.0, PHENOTYPE, "classic", "computed"),
        ("B", 90.0, PHENOTYPE, "flail arm", "computed"),
        ("C", None, PHENOTYPE, "monomelic", "recorded"),
        ("C", 50.0, PHENOTYPE, "classic", "computed"),
        ("D", 10.0, PHENOTYPE, "classic", "recorded"),
        ("D", 50.0, PHENOTYPE, "PLS", "computed"),
    )
    assert disagreements(rows).rows() == [("B", None, "PMA", "flail arm", 90.0, None)]


def test_follow_up_and_definitions_agree() -> None:
    for name, definition in DEFINITIONS.items():
        assert (FOLLOW_UP.get((PHENOTYPE, name)) or 0) == definition.months
        assert definition.source


# --- guard --------------------------------------------------------------------------------------------------------------------------


def table(*rows: tuple[str, float | None, str, str, str]) -> pl.DataFrame:
    cells = [(*row, None) for row in rows]
    return pl.DataFrame(cells, schema=STATEMENT, orient="row")


PLACE = "study.toml: model.covariates.phenotype"


def test_a_category_dated_after_baseline_is_refused() -> None:
    rows = table(
        ("A", -300.0, PHENOTYPE, "bulbar", "computed"),
        ("A", 900.0, PHENOTYPE, "PLS", "computed"),
        ("B", 10.0, PHENOTYPE, "flail arm", "computed"),
    )
    with pytest.raises(InvalidInput) as told:
        require_baseline(rows, scheme=PHENOTYPE, place=PLACE)
    text = str(told.value)
    for part in (PLACE, "phenotype", "2 participants", "flail arm needs 12 months", "PLS needs 48 months", "landmark", "time-varying"):
        assert part in text


def test_a_category_that_needs_follow_up_and_has_no_day_is_refused() -> None:
    rows = table(("A", None, OPM_MOTOR_NEURON, "M2p", "recorded"), ("B", None, OPM_MOTOR_NEURON, "M0", "recorded"))
    with pytest.raises(InvalidInput, match="1 participants have a category without a day"):
        require_baseline(rows, scheme=OPM_MOTOR_NEURON)


def test_all_faults_are_told_at_once() -> None:
    rows = table(
        ("A", 40.0, OPM_PROPAGATION, "PL", "computed"),
        ("B", None, OPM_PROPAGATION, "PL", "recorded"),
        ("C", -5.0, OPM_PROPAGATION, "PN", "computed"),
    )
    days = pl.DataFrame({"participant_id": ["A", "B"], "day": [0.0, 0.0]})
    with pytest.raises(InvalidInput) as told:
        require_baseline(rows, scheme=OPM_PROPAGATION, baseline=days)
    assert len(told.value.faults) == 3


def test_what_was_known_at_baseline_may_be_used() -> None:
    rows = table(
        ("A", -900.0, PHENOTYPE, "bulbar", "computed"),
        ("A", -2.0, PHENOTYPE, "PLS", "computed"),
        ("B", 0.0, PHENOTYPE, "flail arm", "computed"),
        ("C", None, PHENOTYPE, "bulbar", "recorded"),
        ("D", -1.0, "King's", "2", "computed"),
    )
    got = baseline_value(rows, scheme=PHENOTYPE)
    assert got.rows() == [("A", "PLS"), ("B", "flail arm"), ("C", "bulbar")]


def test_the_guard_stands_where_the_bias_is() -> None:
    # A category that has nothing to do with survival, given to every second participant who lives 12 months. Exponential times, median 24.
    rng = np.random.default_rng(8)
    lived = rng.exponential(24 / np.log(2), 40_000)
    labelled = (lived >= 12) & (np.arange(lived.size) % 2 == 0)

    def rate(group: np.ndarray, start: float) -> float:
        # Deaths per month of follow-up from `start` on, until month 60.
        at_risk = lived[group & (lived > start)]
        return float((at_risk <= 60).sum() / (np.minimum(at_risk, 60) - start).sum())

    assert rate(labelled, 0) / rate(~labelled, 0) < 0.6  # as if known at baseline
    assert rate(labelled, 12) / rate(~labelled, 12) == pytest.approx(1, abs=0.05)  # from the landmark
    rows = pl.DataFrame({"participant_id": [str(i) for i in np.flatnonzero(labelled)]}).with_columns(
        day=pl.lit(day(12)), scheme=pl.lit(PHENOTYPE), category=pl.lit("flail arm"), origin=pl.lit("computed")
    )
    with pytest.raises(InvalidInput, match="no baseline covariate"):
        baseline_value(rows, scheme=PHENOTYPE)
    assert baseline_value(rows, scheme=PHENOTYPE, baseline=day(12)).height == labelled.sum()


def test_ignoring_later_categories_gives_what_someone_at_baseline_would_have() -> None:
    rows = table(
        ("A", -300.0, PHENOTYPE, "bulbar", "computed"),
        ("A", 900.0, PHENOTYPE, "PLS", "computed"),
        ("B", 10.0, PHENOTYPE, "flail arm", "computed"),
        ("C", None, PHENOTYPE, "PMA", "recorded"),
    )
    assert baseline_value(rows, scheme=PHENOTYPE, later="ignore").rows() == [("A", "bulbar")]
    days = pl.DataFrame({"participant_id": ["A", "B"], "day": [1000.0, 5.0]})
    assert baseline_value(rows.head(3), scheme=PHENOTYPE, baseline=days, later="ignore").rows() == [("A", "PLS")]


def test_recorded_goes_before_computed_on_the_same_day() -> None:
    rows = table(("A", -5.0, PHENOTYPE, "classic", "recorded"), ("A", -5.0, PHENOTYPE, "UMN-predominant", "computed"))
    assert baseline_value(rows, scheme=PHENOTYPE).rows() == [("A", "classic")]
    assert baseline_value(rows, scheme=PHENOTYPE, origin="computed").rows() == [("A", "UMN-predominant")]


def test_later_stages_are_no_baseline_covariate_either() -> None:
    rows = table(("A", 0.0, "King's", "2", "computed"), ("A", 90.0, "King's", "3", "computed"))
    with pytest.raises(InvalidInput, match="told at a later examination"):
        require_baseline(rows, scheme="King's")
    assert baseline_value(rows, scheme="King's", later="ignore").rows() == [("A", "2")]


def test_recorded_words_without_dates_are_refused_when_they_need_follow_up() -> None:
    words = pl.Series(["Classic", "PLS", "flail arm", "PMA", None, "O2p, PL, M0", "something"])
    with pytest.raises(InvalidInput) as told:
        require_baseline_words(words, place=PLACE)
    twelve, forty_eight = told.value.faults
    assert twelve.message.startswith("2 participants")
    assert "12 months" in twelve.message
    assert forty_eight.message.startswith("2 participants")
    assert "48 months" in forty_eight.message
    assert "landmark" in twelve.remedy


def test_recorded_words_that_need_no_follow_up_pass() -> None:
    require_baseline_words(pl.Series(["classic", "bulbar", "respiratory", "limb", "O1 PN M0", None]), place=PLACE)


def test_the_worked_cases_of_the_documentation() -> None:
    page = Path(__file__).parents[2] / "docs" / "clinical" / "phenotypes_and_scores.md"
    found = re.findall(r"^\| (bulbar|cervical|lumbosacral) \| (\d[^|]*) \| ([^|]*) \|$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(found) == 11
    for region, visits, expected in found:
        examined = signs(*(("A", float(visit.split()[0]), visit.split()[1]) for visit in visits.split(", ")))
        rows = phenotype_statements(examined, onset(A=(region, None)))
        assert (", ".join(f"{month:g} {category}" for month, category in said(rows)) or "none") == expected
