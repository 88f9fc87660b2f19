"""Signs: the table, what counts as evidence, the state of regions on a day, burdens, conduction measurements and NfL names."""

import itertools
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from alsmodel.clinical import electrophysiology as electro
from alsmodel.clinical.burden import PLACES, burden
from alsmodel.clinical.regions import LIMBS, REGIONS, any_rostral
from alsmodel.clinical.signs import RULES, SIGNS, STATUS_COLUMNS, Scheme, latest, region_status, require_known, sign_names
from alsmodel.cohort import tables
from alsmodel.errors import InvalidInput

type Row = tuple[str, float, str, str | None, str, str]


def signs(*rows: Row) -> pl.DataFrame:
    """Rows of (participant, day, region, side, sign, state) as the canonical table; the neuron is the sign's."""
    full = [(who, float(day), region, side, SIGNS[sign].neuron, sign, state) for who, day, region, side, sign, state in rows]
    return pl.DataFrame(full, schema=tables.polars_schema("signs"), orient="row")


def state(column: str, region: str, rows: Sequence[Row], *, day: float | None = None, scheme: Scheme = "Awaji") -> bool | None:
    status = region_status(signs(*rows), day, scheme=scheme).filter(pl.col("region") == region)
    value: bool | None = status[column].item()
    return value


def test_the_vocabulary_is_that_of_the_canonical_table() -> None:
    assert REGIONS == tables.REGIONS
    assert {sign.neuron for sign in SIGNS.values()} == set(tables.NEURONS)
    for sign in SIGNS.values():
        assert set(sign.regions) <= set(REGIONS)
        assert sign.source
        assert sign.meaning


# Region, neuron -> signs named there by Meyer 2025, table 2 (doi 10.1186/s42466-025-00389-w).
OPM_TABLE_2 = {
    ("bulbar", "UMN"): {"slowed_tongue_movement", "brisk_jaw_jerk", "palatal_spasticity", "snout_reflex"},
    ("bulbar", "LMN"): {"tongue_wasting", "palatal_weakness", "fasciculations"},
    ("cervical", "UMN"): {
        "spasticity",
        "slowed_movement",
        "hyperreflexia",
        "preserved_reflex_in_weak_limb",
        "reflex_spread",
        "hoffmann",
    },
    ("cervical", "LMN"): {"weakness", "atrophy", "areflexia"},
    ("thoracic", "UMN"): {"slowed_movement", "pathological_trunk_reflex"},
    ("thoracic", "LMN"): {"weakness", "atrophy"},
    ("lumbosacral", "UMN"): {
        "spasticity",
        "slowed_movement",
        "hyperreflexia",
        "preserved_reflex_in_weak_limb",
        "reflex_spread",
        "babinski",
        "crossed_adductor",
    },
    ("lumbosacral", "LMN"): {"weakness", "atrophy", "areflexia"},
}


@pytest.mark.parametrize("place", OPM_TABLE_2, ids="-".join)
def test_every_sign_of_the_opm_table_can_be_recorded_in_its_region(place: tuple[str, str]) -> None:
    names = OPM_TABLE_2[place]
    region, neuron = place
    assert names <= {sign.name for sign in SIGNS.values() if region in sign.regions and sign.neuron == neuron}


def test_signs_of_one_place_are_nowhere_else() -> None:
    assert SIGNS["hoffmann"].regions == ("cervical",)
    assert SIGNS["babinski"].regions == SIGNS["crossed_adductor"].regions == ("lumbosacral",)
    assert SIGNS["brisk_jaw_jerk"].regions == ("bulbar",)


def test_the_rules_name_only_signs_of_the_table() -> None:
    for rule in RULES.values():
        assert {*rule.not_alone, *itertools.chain.from_iterable(rule.pairs)} <= set(SIGNS)


def test_unknown_names_wrong_neurons_and_wrong_regions_are_refused_together() -> None:
    table = signs(
        ("a", 0, "cervical", "left", "hoffmann", "present"),
        ("a", 0, "lumbosacral", "left", "hoffmann", "present"),
        ("a", 0, "cervical", "left", "babinski", "present"),
    ).with_columns(
        sign=pl.Series(["hofmann", "hoffmann", "babinski"]),
        neuron=pl.Series(["UMN", "UMN", "LMN"]),
    )
    with pytest.raises(InvalidInput) as caught:
        require_known(table, file="signs.csv")
    assert [fault.place for fault in caught.value.faults] == ["signs.csv:1:sign", "signs.csv:2:region", "signs.csv:3:neuron"]
    assert "hoffmann" in caught.value.faults[0].remedy


def test_known_signs_pass() -> None:
    require_known(signs(*(("a", 0, region, None, sign.name, "absent") for sign in SIGNS.values() for region in sign.regions)))


def test_the_latest_examined_state_on_or_before_the_day_wins() -> None:
    rows: list[Row] = [
        ("a", 0, "cervical", "left", "weakness", "absent"),
        ("a", 30, "cervical", "left", "weakness", "present"),
        ("a", 60, "cervical", "left", "weakness", "not examined"),
        ("a", 90, "cervical", "left", "weakness", "absent"),
        ("a", 0, "cervical", "right", "weakness", "absent"),
    ]
    states = {day: state("lmn_clinical", "cervical", rows, day=day) for day in (-1.0, 0.0, 30.0, 60.0, 90.0)}
    assert states == {-1.0: None, 0.0: False, 30.0: True, 60.0: True, 90.0: False}
    assert state("lmn_clinical", "cervical", rows) is False


def test_present_wins_on_one_day() -> None:
    table = signs(("a", 0, "bulbar", None, "tongue_wasting", "absent"), ("a", 0, "bulbar", None, "tongue_wasting", "present"))
    assert latest(table)["present"].to_list() == [True]


# Side -> state of "clinical_umn" in the legs, and the state of the region that follows.
SIDE_CASES: list[tuple[dict[str | None, str], bool | None]] = [
    ({}, None),
    ({"left": "present"}, True),
    ({"left": "absent"}, None),
    ({"left": "absent", "right": "absent"}, False),
    ({"left": "absent", "right": "not examined"}, None),
    ({"left": "absent", "right": "present"}, True),
    ({None: "absent"}, False),
    ({None: "present"}, True),
    ({None: "not examined"}, None),
]


@pytest.mark.parametrize(("sides", "expected"), SIDE_CASES, ids=str)
def test_a_limb_region_is_free_of_signs_only_when_both_sides_were_examined(sides: dict[str | None, str], expected: bool | None) -> None:
    rows: list[Row] = [("a", 0, "lumbosacral", side, "clinical_umn", found) for side, found in sides.items()]
    rows.append(("a", 0, "bulbar", None, "clinical_lmn", "absent"))
    assert state("umn", "lumbosacral", rows) is expected


# What is present in the left arm (weakness always examined) -> evidence of LMN loss by El Escorial, Awaji, Gold Coast.
# Sources: Awaji, de Carvalho 2008: fasciculation potentials count with chronic neurogenic change; Gold Coast, Turner 2022 box 1
# and Meyer 2025 table 2: weakness with wasting; fasciculations alone: Wijesekera and Leigh 2009, table 1.
EVIDENCE_CASES: list[tuple[str, dict[str, str], tuple[bool | None, bool | None, bool | None]]] = [
    ("lmn_clinical", {"weakness": "present", "atrophy": "present"}, (True, True, True)),
    ("lmn_clinical", {"weakness": "present", "atrophy": "absent"}, (True, True, False)),
    ("lmn_clinical", {"weakness": "present"}, (True, True, None)),
    ("lmn_clinical", {"weakness": "absent"}, (False, False, False)),
    ("lmn_clinical", {"weakness": "absent", "fasciculations": "present"}, (False, False, False)),
    ("lmn_clinical", {"fasciculations": "present", "cramps": "present"}, (None, None, None)),
    ("lmn_clinical", {"areflexia": "present"}, (True, True, True)),
    ("lmn_clinical", {"clinical_lmn": "absent", "weakness": "present"}, (True, True, False)),
    ("lmn_emg", {"fibrillations_or_sharp_waves": "present", "chronic_neurogenic_change": "present"}, (True, True, True)),
    ("lmn_emg", {"fibrillations_or_sharp_waves": "present", "chronic_neurogenic_change": "absent"}, (False, False, False)),
    ("lmn_emg", {"fibrillations_or_sharp_waves": "present"}, (None, None, None)),
    (
        "lmn_emg",
        {"fasciculation_potentials": "present", "chronic_neurogenic_change": "present", "fibrillations_or_sharp_waves": "absent"},
        (False, True, True),
    ),
    ("lmn_emg", {"fasciculation_potentials": "present", "chronic_neurogenic_change": "present"}, (None, True, True)),
    ("lmn_emg", {"fasciculation_potentials": "present", "chronic_neurogenic_change": "absent"}, (False, False, False)),
    ("lmn_emg", {"reduced_recruitment": "present"}, (None, None, None)),
    ("lmn_emg", {"emg_lmn": "present"}, (True, True, True)),
    ("lmn_emg", {"emg_lmn": "absent", "chronic_neurogenic_change": "present"}, (False, False, False)),
    ("lmn_emg", {"low_cmap": "present"}, (None, None, None)),
    ("umn", {"prolonged_cmct": "present"}, (None, None, None)),
    ("umn", {"hoffmann": "present"}, (True, True, True)),
]


@pytest.mark.parametrize(("column", "found", "expected"), EVIDENCE_CASES, ids=str)
def test_each_scheme_accepts_its_own_evidence(
    column: str, found: dict[str, str], expected: tuple[bool | None, bool | None, bool | None]
) -> None:
    rows: list[Row] = [("a", 0, "cervical", None, sign, how) for sign, how in found.items()]
    assert tuple(state(column, "cervical", rows, scheme=scheme) for scheme in RULES) == expected


def test_a_pair_must_be_on_one_side() -> None:
    rows: list[Row] = [
        ("a", 0, "cervical", "left", "fibrillations_or_sharp_waves", "present"),
        ("a", 0, "cervical", "left", "chronic_neurogenic_change", "absent"),
        ("a", 0, "cervical", "right", "chronic_neurogenic_change", "present"),
        ("a", 0, "cervical", "right", "fibrillations_or_sharp_waves", "absent"),
    ]
    assert state("lmn_emg", "cervical", rows, scheme="El Escorial revised") is False


def test_everyone_has_four_regions_in_order() -> None:
    table = signs(("b", 5, "bulbar", None, "clinical_umn", "not examined"), ("a", 0, "thoracic", None, "clinical_umn", "present"))
    status = region_status(table, 3.0)
    assert status["participant_id"].to_list() == ["a"] * 4 + ["b"] * 4
    assert status["region"].to_list() == list(REGIONS) * 2
    assert status.filter(pl.col("participant_id") == "b").select(*STATUS_COLUMNS).null_count().row(0) == (4, 4, 4)
    assert region_status(table.clear()).shape == (0, 5)


def test_any_rostral_against_every_pair_of_sets() -> None:
    subsets = [c for n in range(5) for c in itertools.combinations(REGIONS, n)]
    for upper, lower in itertools.product(subsets, subsets):
        literal = any(REGIONS.index(u) < REGIONS.index(w) for u in upper for w in lower)
        assert any_rostral(upper, lower) is literal


# Burdens ---------------------------------------------------------------------------------------------------------------


def literal_burden(rows: Sequence[Row], neuron: str, *, sided: bool) -> tuple[int | None, int]:
    """Count by hand: a set of places looked at, and those where something was found."""
    seen: dict[str, dict[str | None, list[bool]]] = {}
    for _, _, region, side, sign, how in rows:
        if SIGNS[sign].neuron == neuron and SIGNS[sign].evidence == "clinical" and how != "not examined":
            seen.setdefault(region, {}).setdefault(side, []).append(how == "present")
    found = examined = 0
    for region, sides in seen.items():
        anything = any(any(values) for values in sides.values())
        if not sided or region not in LIMBS:
            found, examined = found + anything, examined + 1
        else:
            by_name = sum(any(values) for side, values in sides.items() if side is not None)
            found += max(by_name, int(anything))
            examined += 2 if None in sides else len(sides)
    return (found if examined else None), examined


@pytest.mark.parametrize("sided", [False, True])
def test_burdens_count_examined_places_as_by_hand(sided: bool) -> None:
    rng = np.random.default_rng(20)
    clinical = [sign for sign in SIGNS.values() if sign.evidence == "clinical"]
    rows: list[Row] = []
    for person in range(120):
        used: set[tuple[str, str | None, str]] = set()
        for _ in range(int(rng.integers(0, 9))):
            sign = clinical[rng.integers(len(clinical))]
            region = sign.regions[rng.integers(len(sign.regions))]
            side = [None, "left", "right"][rng.integers(3)] if region in LIMBS else None
            if (region, side, sign.name) not in used:
                used.add((region, side, sign.name))
                rows.append((f"p{person:03}", 0.0, region, side, sign.name, ("present", "absent", "not examined")[rng.integers(3)]))
    table = burden(signs(*rows), count="region and side" if sided else "region")
    assert table.height == len({row[0] for row in rows}) > 80
    for record in table.iter_rows(named=True):
        own = [row for row in rows if row[0] == record["participant_id"]]
        assert (record["umn_burden"], record["umn_examined"]) == literal_burden(own, "UMN", sided=sided)
        assert (record["lmn_burden"], record["lmn_examined"]) == literal_burden(own, "LMN", sided=sided)


# UMN (found, examined), LMN (found, examined) -> balance, by hand from its formula.
BALANCE_CASES = [
    ((4, 4), (0, 4), 1.0),
    ((0, 4), (4, 4), -1.0),
    ((2, 4), (2, 4), 0.0),
    ((1, 1), (2, 4), 1 / 3),
    ((0, 4), (0, 4), None),
    ((0, 0), (3, 4), None),
    ((3, 4), (0, 0), None),
]


@pytest.mark.parametrize(("umn", "lmn", "expected"), BALANCE_CASES, ids=str)
def test_balance_runs_from_pure_lmn_to_pure_umn(umn: tuple[int, int], lmn: tuple[int, int], expected: float | None) -> None:
    rows: list[Row] = [("a", 0, "bulbar", None, "emg_lmn", "absent")]
    for name, (found, examined) in (("clinical_umn", umn), ("clinical_lmn", lmn)):
        rows += [("a", 0, region, None, name, "present" if i < found else "absent") for i, region in enumerate(REGIONS[:examined])]
    result = burden(signs(*rows))
    assert result["balance"].item() == (pytest.approx(expected) if expected is not None else None)
    assert result["umn_burden"].item() == (umn[0] if umn[1] else None)


def test_a_burden_is_as_of_a_day_and_by_the_named_evidence() -> None:
    table = signs(
        ("a", 0, "cervical", "left", "clinical_lmn", "absent"),
        ("a", 10, "cervical", "left", "clinical_lmn", "present"),
        ("a", 10, "thoracic", None, "emg_lmn", "present"),
        ("a", 10, "lumbosacral", "left", "low_cmap", "present"),
    )
    counts = ("lmn_burden", "lmn_examined")
    assert burden(table, 0.0).select(counts).row(0) == (0, 1)
    assert burden(table, 10.0).select(counts).row(0) == (1, 1)
    assert burden(table, evidence=("clinical", "EMG")).select(counts).row(0) == (2, 2)
    assert burden(table, evidence=("clinical", "EMG", "conduction")).select(counts).row(0) == (3, 3)
    assert PLACES == {"region": 4, "region and side": 6}


def test_no_sign_is_counted_for_both_neurons() -> None:
    every = ("clinical", "EMG", "conduction", "TMS")
    assert not set(sign_names("UMN", every)) & set(sign_names("LMN", every))
    assert len(sign_names("UMN", every)) + len(sign_names("LMN", every)) == len(SIGNS)


# Conduction and NfL ----------------------------------------------------------------------------------------------------

LIMITS = [
    electro.Limit("cmap_ulnar_left", "CMAP amplitude", "cervical", "left", 6.0, "laboratory of the test"),
    electro.Limit("cmct_tibial_right", "CMCT", "lumbosacral", "right", 17.0, "laboratory of the test"),
]


def measured(*rows: tuple[str, float, str | None]) -> pl.DataFrame:
    full = [("a", float(day), name, value, unit) for day, (name, value, unit) in enumerate(rows)]
    return pl.DataFrame(full, schema=tables.polars_schema("measurements"), orient="row")


# Amplitudes are abnormal below their limit, times above it; a value on the limit is normal.
@pytest.mark.parametrize(
    ("name", "value", "unit", "sign", "expected"),
    [
        ("cmap_ulnar_left", 5.9, "mV", "low_cmap", "present"),
        ("cmap_ulnar_left", 6.0, "mV", "low_cmap", "absent"),
        ("cmap_ulnar_left", 9.0, "mV", "low_cmap", "absent"),
        ("cmct_tibial_right", 17.1, "ms", "prolonged_cmct", "present"),
        ("cmct_tibial_right", 17.0, "ms", "prolonged_cmct", "absent"),
    ],
)
def test_measurements_are_judged_by_the_limit_of_their_laboratory(name: str, value: float, unit: str, sign: str, expected: str) -> None:
    result = electro.conduction_signs(measured((name, value, unit), ("alsfrs_total", 40.0, "point")), LIMITS)
    assert result.height == 1
    assert result.select("sign", "state").row(0) == (sign, expected)
    require_known(tables.conform("signs", result))


def test_without_a_limit_there_is_no_sign() -> None:
    assert electro.conduction_signs(measured(("cmap_ulnar_left", 0.1, "mV")), []).height == 0


@pytest.mark.parametrize("unit", ["uV", None, "ms"])
def test_another_unit_is_refused(unit: str | None) -> None:
    with pytest.raises(InvalidInput, match="expected mV"):
        electro.conduction_signs(measured(("cmap_ulnar_left", 5.0, unit)), LIMITS)


def test_every_fault_of_the_limits_is_named() -> None:
    bad = electro.Limit("cmap_ulnar_left", "latency", "arm", "both", 0.0, " ")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput) as caught:
        electro.conduction_signs(measured(), [LIMITS[0], bad])
    assert [fault.place.removeprefix("limits[1].") for fault in caught.value.faults] == [
        "quantity",
        "region",
        "side",
        "limit",
        "source",
        "measurement",
    ]


def test_nfl_of_two_fluids_has_two_names_and_is_never_one_variable() -> None:
    fluids = pl.DataFrame({"fluid": ["Serum", " plasma", "CSF", "urine", None]})
    names = fluids.select(electro.nfl_name(pl.col("fluid"))).to_series().to_list()
    assert names == ["nfl_serum", "nfl_plasma", "nfl_csf", None, None]
    electro.require_one_fluid(["nfl_serum", "fvc_percent"])
    with pytest.raises(InvalidInput, match="nfl_plasma and nfl_serum"):
        electro.require_one_fluid(["nfl_serum", "nfl_plasma"])


def test_nfl_is_in_picograms_per_millilitre() -> None:
    # 1 ng/L = 1 pg/mL and 1 ng/mL = 1000 pg/mL, by definition of the prefixes.
    given = pl.DataFrame({"value": [60.0, 60.0, 0.06, 60.0, 0.0, -1.0], "unit": ["pg/mL", "ng/L", "ng/mL", "%", "pg/mL", "pg/mL"]})
    values = given.select(electro.nfl_value(pl.col("value"), pl.col("unit"))).to_series().to_list()
    assert values == [60.0, 60.0, pytest.approx(60.0), None, None, None]
