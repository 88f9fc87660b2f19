"""Treatments and their published effects."""

import math
import tomllib
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from alsmodel.clinical.effect import PublishedEffect
from alsmodel.clinical.events import EVENT_DEFINITIONS
from alsmodel.clinical.published import EFFECTS, effect, effects_table
from alsmodel.clinical.treatments import TREATMENTS, approved, treatment, treatments_in, treatments_table

ROOT = Path(__file__).parents[2]

# key, estimate, 95% limits, p: as printed in the source named in the record.
PRINTED = [
    ("lacomblez-100-unadjusted", 0.79, None, 0.076),
    ("lacomblez-100-adjusted", 0.65, None, 0.002),
    ("lacomblez-50-adjusted", 0.76, None, 0.04),
    ("lacomblez-200-adjusted", 0.61, None, 0.0004),
    ("cochrane-2012-two", 0.80, (0.64, 0.99), None),
    ("cochrane-2012-three", 0.84, (0.698, 0.997), 0.046),
    ("mci186-16", 0.65, None, 0.411),
    ("mci186-19", 2.49, (0.99, 3.98), 0.0013),
    ("mci186-17", -0.52, None, 0.835),
    ("mci186-19-week-48", 4.17, None, 0.0037),
    ("valor", 1.2, (-3.2, 5.5), 0.97),
    ("valor-52-pv", 0.36, (0.137, 0.941), None),
    ("valor-52-death", 0.27, (0.084, 0.890), None),
    ("centaur", 0.42, (0.03, 0.81), 0.03),
    ("centaur-week-24", 2.32, (0.18, 4.47), None),
    ("centaur-death", 0.56, (0.34, 0.92), 0.023),
    ("centaur-pav", 0.51, (0.32, 0.84), 0.007),
    ("centaur-any", 0.53, (0.35, 0.81), 0.003),
    ("phoenix", 0.343, None, 0.667),
]


@pytest.mark.parametrize(("key", "estimate", "limits", "p"), PRINTED)
def test_a_record_says_what_its_source_prints(key: str, estimate: float, limits: tuple[float, float] | None, p: float | None) -> None:
    e = effect(key)
    assert (e.estimate, None if e.low is None else (e.low, e.high), e.p) == (estimate, limits, p)


def test_every_record_has_a_drug_a_source_and_a_trial() -> None:
    assert {e.drug for e in EFFECTS} == {t.name for t in TREATMENTS}
    assert len({e.key for e in EFFECTS}) == len(EFFECTS)
    for e in EFFECTS:
        assert e.source
        assert e.trials
        assert e.doi or e.grade in ("sponsor", "conference", "label or register"), e.key
        assert (e.low is None) == (e.high is None)
        assert e.low is None or e.high is None or e.estimate is None or e.low < e.estimate < e.high
        assert e.weeks is not None if e.scale == "difference in ALSFRS-R points" else e.weeks is None
        assert (e.events is not None) == (e.scale in ("hazard ratio", "difference in proportion free of the event"))


def test_end_points_of_survival_carry_a_known_definition_or_words_of_their_own() -> None:
    own = {e.events for e in EFFECTS} - set(EVENT_DEFINITIONS) - {None}
    assert own == {"death or permanent ventilation", "death, tracheostomy, PAV or first hospitalisation"}


def test_differences_agree_with_the_arms_that_are_printed_beside_them() -> None:
    for e in EFFECTS:
        if e.treated is not None and e.control is not None and e.estimate is not None:
            # VALOR and the label round the difference to one or two digits: -6.98 + 8.14 = 1.16, printed 1.2.
            assert e.treated - e.control == pytest.approx(e.estimate, abs=0.041), e.key


def test_limits_and_p_values_that_are_both_printed_tell_the_same_standard_error() -> None:
    # A transcription error in a limit or a p value would show here; printed digits allow a tenth.
    both = [e for e in EFFECTS if e.p is not None and e.p_of_estimate and e.estimate is not None and (e.low or e.se) is not None]
    assert len(both) >= 8
    for e in both:
        bare = PublishedEffect(
            **{f: getattr(e, f) for f in e.__dataclass_fields__} | {"low": None, "high": None, "se": None}  # type: ignore[arg-type]
        )
        assert e.standard_error is not None
        assert bare.standard_error is not None
        assert bare.standard_error[1] == "from the p value"
        assert bare.standard_error[0] == pytest.approx(e.standard_error[0], rel=0.12), e.key


def test_standard_errors_by_hand() -> None:
    found = effect("cochrane-2012-two").standard_error
    assert found == (pytest.approx((math.log(0.99) - math.log(0.64)) / (2 * 1.959964), rel=1e-6), "from the 95% limits")
    found = effect("phoenix").standard_error
    # Two-sided p = 0.667 is z = 0.4303.
    assert found == (pytest.approx(0.343 / 0.4303, rel=1e-3), "from the p value")
    assert effect("mci186-16").standard_error == (0.78, "published")


@pytest.mark.parametrize("key", ["adore", "phoenix-like-centaur", "bensimon-2002", "bensimon-1994-12m"])
def test_no_standard_error_is_made_up(key: str) -> None:
    assert effect(key).standard_error is None


def test_a_rank_test_gives_no_standard_error_of_a_difference() -> None:
    valor = effect("valor")
    assert valor.standard_error is not None
    assert valor.standard_error[1] == "from the 95% limits"
    assert not valor.p_of_estimate


def test_the_arms_of_lacomblez_add_up_to_the_959_randomised() -> None:
    # 122 of 50.4%, 131 of 55.3%, 134 of 56.8% and 141 of 57.8% alive without tracheostomy at 18 months.
    arms = {dose: effect(f"lacomblez-{dose}-adjusted").n_treated for dose in (50, 100, 200)}
    placebo = effect("lacomblez-100-adjusted").n_control
    assert [round(122 / 0.504), round(131 / 0.553), round(134 / 0.568), round(141 / 0.578)] == [placebo, *arms.values()]
    assert (placebo or 0) + sum(n or 0 for n in arms.values()) == 959


def test_the_tables_hold_every_record() -> None:
    table = effects_table()
    assert table["key"].to_list() == [e.key for e in EFFECTS]
    assert table.filter(pl.col("key") == "cochrane-2012-three")["trials"].item() == "Bensimon 1994; Lacomblez 1996; Bensimon 2002"
    assert table.schema["n_treated"] == pl.Int64
    assert treatments_table().select("drug", "region").rows() == [
        ("riluzole", "US"), ("riluzole", "EU"), ("edaravone", "Japan"), ("edaravone", "US"),
        ("tofersen", "US"), ("tofersen", "EU"), ("AMX0035", "Canada"), ("AMX0035", "US"),
    ]  # fmt: skip


def test_the_names_are_those_that_the_readers_look_for() -> None:
    path = ROOT / "data_schemas" / "vocabulary.toml"
    if not path.is_file():
        pytest.skip("installed without the checkout")
    drugs = tomllib.loads(path.read_text(encoding="utf-8"))["drugs"]
    assert {name: set(names) for name, names in drugs.items()} == {t.name: set(t.names) for t in TREATMENTS}


def test_names_are_found_in_medication_cells_and_belong_to_one_drug() -> None:
    cells = pl.DataFrame({"drug": ["Riluzole 50MG", "RADICAVA ORS; rilutek", "vitamin E", None, "Relyvrio"]})
    assert cells.select(treatments_in(pl.col("drug"))).to_series().to_list() == [
        ["riluzole"], ["riluzole", "edaravone"], [], None, ["AMX0035"],
    ]  # fmt: skip
    every = [name for t in TREATMENTS for name in t.names]
    assert len(set(every)) == len(every)
    assert all(name == name.lower() for name in every)


@pytest.mark.parametrize(
    ("drug", "region", "day", "told"),
    [
        ("riluzole", "US", date(1995, 12, 11), False),
        ("riluzole", "US", date(1995, 12, 12), True),
        ("edaravone", "Japan", date(2015, 5, 31), False),
        ("edaravone", "Japan", date(2015, 6, 10), None),
        ("edaravone", "Japan", date(2015, 7, 1), True),
        ("AMX0035", "US", date(2022, 8, 31), False),
        ("AMX0035", "US", date(2023, 6, 1), True),
        ("AMX0035", "US", date(2024, 6, 1), None),
        ("AMX0035", "US", date(2025, 1, 1), False),
        ("tofersen", "EU", date(2023, 12, 31), False),
        ("tofersen", "EU", date(2024, 12, 31), True),
    ],
)
def test_approval_is_told_as_far_as_the_dates_are_known(drug: str, region: str, day: date, told: bool | None) -> None:
    assert approved(drug, region, day) is told


def test_an_unknown_drug_or_region_is_no_answer() -> None:
    with pytest.raises(KeyError):
        treatment("aspirin")
    with pytest.raises(KeyError, match="Japan"):
        approved("AMX0035", "Japan", date(2023, 1, 1))
    with pytest.raises(KeyError):
        effect("nothing")


def test_the_page_prints_every_record_as_it_is() -> None:
    page = ROOT / "docs" / "clinical" / "treatments_and_events.md"
    if not page.is_file():
        pytest.skip("installed without the checkout")
    text = page.read_text(encoding="utf-8").split("## What may inform what")[0]
    printed = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| ")}
    for e in EFFECTS:
        cells = [cell.strip() for cell in printed[e.key].strip("|").split("|")]
        limits = "" if e.low is None else f" ({e.low:g} to {e.high:g})"
        found = e.standard_error
        assert cells[1:4] == [e.contrast, e.end_point, e.scale]
        assert cells[4] == ("not found" if e.estimate is None else f"{e.estimate:.3g}{limits}")
        assert cells[6] == ("none" if found is None else f"{found[0]:.3g}, {found[1]}")
        assert cells[7].endswith(f"[{e.grade}]")
        assert e.doi in cells[7]
    for t in TREATMENTS:
        assert all(f"{a.region} {a.start} to {a.end or 'now'}" in printed[t.name] for a in t.approvals)
