"""ENCALS and TRICALS: the score, the curve and what is refused."""

import itertools
import math
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alsmodel.clinical.events import EVENT_DEFINITIONS
from alsmodel.clinical.prognosis import (
    DELAY_OF_HIGHEST_SCORE,
    ENCALS,
    EVENT,
    LABEL,
    TRICALS,
    TRICALS_WINDOW,
    linear_predictor,
    log_odds,
    median_survival,
    months_until,
    risk_scores,
    survival,
)

COLUMNS = ("age_at_onset", "diagnostic_delay", "progression_rate", "vital_capacity", "bulbar_onset", "definite", "ftd", "c9orf72")
TYPES = {name: pl.Float64 if i < 4 else pl.Boolean for i, name in enumerate(COLUMNS)}

# age, delay, rate, vital capacity, bulbar, definite, FTD, C9orf72 -> ENCALS, TRICALS, median, S at 12/24/36/60 months.
# Source: computed from the authors' R code (Source_Basics.R and "ENCALS risk modelling.R") to the digits shown.
VECTORS = [
    ((60, 12, 0.5, 90, 0, 0, 0, 0), -4.6796, -4.6833, 38.11, (0.9828, 0.8414, 0.5498, 0.1846)),
    ((65, 9, 1.0, 85, 1, 1, 0, 0), -3.0549, -3.0517, 24.29, (0.9183, 0.5110, 0.1939, 0.0427)),
    ((50, 24, 0.3, 100, 0, 0, 0, 1), -6.3720, -6.6295, 64.22, (0.9968, 0.9665, 0.8690, 0.5516)),
]
# Linear predictor -> median months, same source.
MEDIANS = {-8: 114.3, -7: 79.5, -6: 56.9, -5: 41.8, -4: 31.5, -3: 23.9, -2: 18.0, -1: 13.4}


def people(*rows: tuple[float | None, ...]) -> pl.DataFrame:
    cells = [[bool(v) if i >= 4 and v is not None else v for i, v in enumerate(row)] for row in rows]
    return pl.DataFrame(cells, schema=TYPES, orient="row")


def literal_score(row: tuple[float, ...], *, tricals: bool) -> float:
    """The score once more, written from the formula with `math` alone."""
    a, d, r, v, b, e, f, c = row
    w = (-1.839, -2.376, -0.264, 0.474, 0.271, 0.238, 0.415, 0.0) if tricals else (
        -1.83665700485301, -2.37341404599814, -0.266972062796289, 0.476853332498141,
        0.268874087566745, 0.232783007891563, 0.388313226407, 0.256078493763062,
    )  # fmt: skip
    parts = (
        1 / math.sqrt(r + 0.1), math.sqrt(10 / d) + math.log(d) - math.log(10), 10_000 / a**2, 100 / v + math.sqrt(100 / v), b, e, f, c
    )  # fmt: skip
    return math.fsum(x * y for x, y in zip(w, parts))


def literal_survival(t: float, lp: float) -> float:
    """The curve once more: restricted cubic spline by cases, no arrays, multipliers as printed by the authors."""

    def basis(x: float, knot: float, share: float) -> float:
        value = 0.0
        if x > knot:
            value += (x - knot) ** 3
        if x > 0.081:
            value -= share * (x - 0.081) ** 3
        if x > 5.917:
            value -= (1 - share) * (x - 5.917) ** 3
        return value

    x = math.log(t)
    odds = math.exp(-6.409 + 2.643 * x - 0.546 * basis(x, 3.108, 0.481323) + 0.585 * basis(x, 3.638, 0.390507) + lp)
    return 1 / (1 + odds)


@pytest.mark.parametrize(("row", "encals", "tricals", "median", "curve"), VECTORS)
def test_scores_and_curve_of_the_worked_cases(
    row: tuple[float, ...], encals: float, tricals: float, median: float, curve: tuple[float, ...]
) -> None:
    got = risk_scores(people(row)).row(0, named=True)
    assert got["encals"] == pytest.approx(encals, abs=5e-5)
    assert got["tricals"] == pytest.approx(tricals, abs=5e-5)
    assert (got["score"], got["score_set"], got["reason"], got["warning"]) == (got["encals"], "ENCALS", None, None)
    assert median_survival(got["encals"]) == pytest.approx(median, abs=0.005)
    np.testing.assert_allclose(survival([12, 24, 36, 60], got["encals"]), curve, atol=5e-5)


def test_scores_equal_a_second_writing_of_the_formula() -> None:
    grid = list(itertools.product((25, 55, 80), (0.5, 2.5, 7, 60), (0, 0.3, 2.4), (30, 80, 130), (0, 1), (0, 1), (0, 1), (0, 1)))
    got = risk_scores(people(*grid))
    np.testing.assert_allclose(got["encals"], [literal_score(row, tricals=False) for row in grid], rtol=1e-12)
    np.testing.assert_allclose(got["tricals"], [literal_score(row, tricals=True) for row in grid], rtol=1e-12)


@pytest.mark.parametrize(("lp", "months"), MEDIANS.items())
def test_medians_by_score(lp: float, months: float) -> None:
    assert median_survival(lp) == pytest.approx(months, abs=0.05)


def test_the_curve_equals_a_second_writing_of_the_spline() -> None:
    times, scores = np.geomspace(0.2, 900, 60), np.linspace(-9, 2, 12)
    expected = [[literal_survival(t, lp) for t in times] for lp in scores]
    # The printed multipliers have six digits: their cubes in months 371 to 900 reach 2e-6 of the log odds.
    np.testing.assert_allclose(survival(times[None, :], scores[:, None]), expected, rtol=0, atol=1e-4)


def test_the_last_knot_is_cubed() -> None:
    # Beyond the last knot a natural spline is a straight line in ln t; without the cube it would bend.
    x = np.linspace(6.0, 9.0, 7)
    np.testing.assert_allclose(np.diff(log_odds(np.exp(x)), 2), 0, atol=1e-9)


def test_survival_never_rises_and_starts_at_one() -> None:
    times = np.concatenate([[0.0], np.geomspace(1e-3, 1e5, 20_000)])
    for lp in (-9.0, -4.0, 1.0):
        curve = survival(times, lp)
        assert curve[0] == 1
        assert (np.diff(curve) <= 0).all()
        assert curve[-1] < 1e-3
    assert (np.diff(log_odds(times[1:])) > 0).all()


def test_a_higher_score_is_worse() -> None:
    assert (np.diff(survival(24.0, np.linspace(-9, 2, 50))) < 0).all()


def test_conditional_survival_is_a_ratio_of_two_survivals() -> None:
    t, lp = np.array([20.0, 30.0, 60.0]), -4.5
    np.testing.assert_allclose(survival(t, lp, alive_at=15.0), survival(t, lp) / survival(15.0, lp), rtol=1e-12)
    assert survival(10.0, lp, alive_at=15.0) == 1
    # Far in the tail both survivals are tiny; their ratio is not.
    assert survival(4000.0, 1.0, alive_at=3900.0) == pytest.approx(math.exp(float(log_odds(3900.0) - log_odds(4000.0))), rel=1e-6)


def test_inversion_returns_to_the_probability() -> None:
    q, lp, t0 = np.meshgrid([0.01, 0.25, 0.5, 0.9], [-8.0, -4.0, 0.0], [0.0, 6.0, 40.0])
    months = months_until(q, lp, alive_at=t0)
    np.testing.assert_allclose(survival(months, lp, alive_at=t0), q, rtol=1e-9)
    assert (months > t0).all()


def test_median_given_alive_is_later_than_the_median_from_onset() -> None:
    assert median_survival(-4.0, alive_at=20.0) > median_survival(-4.0)


def test_median_equals_a_search_on_a_fine_grid() -> None:
    times = np.arange(1.0, 200.0, 0.001)
    for lp in (-7.3, -3.1):
        assert median_survival(lp) == pytest.approx(times[np.argmax(survival(times, lp) <= 0.5)], abs=2e-3)


def test_unknown_input_gives_no_number() -> None:
    assert np.isnan(survival(-1.0, -4.0))
    assert np.isnan(survival(10.0, math.nan))
    assert np.isnan(months_until([0.0, 1.0, 1.5], -4.0)).all()
    assert np.isnan(median_survival(math.nan))


GOOD = (60, 12, 0.5, 90, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (0, None, "age_at_onset missing"),
        (0, 17.9, "age_at_onset outside 18 to 100"),
        (1, 0, "diagnostic_delay outside above 0, at most 360"),
        (1, -3, "diagnostic_delay outside above 0, at most 360"),
        (2, -0.01, "progression_rate outside 0 to 10"),
        (2, math.inf, "progression_rate outside 0 to 10"),
        (3, 0, "vital_capacity outside 5 to 200"),
        (3, math.nan, "vital_capacity outside 5 to 200"),
        (4, None, "bulbar_onset unknown"),
        (5, None, "definite unknown"),
        (6, None, "ftd unknown"),
    ],
)
def test_an_unusable_input_gives_no_score_and_a_reason(place: int, value: float | None, reason: str) -> None:
    row = [*GOOD]
    row[place] = value  # type: ignore[call-overload]
    got = risk_scores(people(tuple(row))).row(0, named=True)
    assert got["reason"] == reason
    assert [got[name] for name in ("encals", "tricals", "score", "score_set", "tricals_eligible")] == [None] * 5


def test_all_reasons_are_given_at_once() -> None:
    got = risk_scores(people((None, 0, -1, 90, None, 0, 0, 0))).item(0, "reason")
    assert got.split("; ") == [
        "age_at_onset missing",
        "diagnostic_delay outside above 0, at most 360",
        "progression_rate outside 0 to 10",
        "bulbar_onset unknown",
    ]


def test_unknown_c9orf72_is_never_read_as_no() -> None:
    unknown, no = people((*GOOD[:7], None)), people(GOOD)
    fallback = risk_scores(unknown).row(0, named=True)
    assert fallback["encals"] is None
    assert (fallback["score"], fallback["score_set"]) == (fallback["tricals"], "TRICALS")
    assert fallback["score"] != risk_scores(no).item(0, "encals")
    assert fallback["reason"] == "C9orf72 unknown: the TRICALS risk profile is used"
    strict = risk_scores(unknown, c9orf72_unknown="null").row(0, named=True)
    assert (strict["score"], strict["score_set"], strict["reason"]) == (None, None, "C9orf72 unknown: no ENCALS score")
    assert strict["tricals"] == fallback["tricals"]


def test_the_delay_transform_turns_at_two_and_a_half_months() -> None:
    delays = np.arange(0.5, 12.0, 0.25)
    scores = risk_scores(people(*((60, d, 0.5, 90, 0, 0, 0, 0) for d in delays)))["encals"].to_numpy()
    assert delays[np.argmax(scores)] == DELAY_OF_HIGHEST_SCORE


@pytest.mark.parametrize(("delay", "warned"), [(2.49, True), (2.5, False), (12, False)])
def test_a_short_delay_is_warned_of_and_may_be_clamped(delay: float, warned: bool) -> None:
    row = people((60, delay, 0.5, 90, 0, 0, 0, 0))
    coded, clamped = risk_scores(row).row(0, named=True), risk_scores(row, short_delay="clamp").row(0, named=True)
    assert (coded["warning"] is not None) == (clamped["warning"] is not None) == warned
    assert coded["encals"] == pytest.approx(literal_score((60, delay, 0.5, 90, 0, 0, 0, 0), tricals=False))
    assert clamped["encals"] == pytest.approx(literal_score((60, max(delay, 2.5), 0.5, 90, 0, 0, 0, 0), tricals=False))
    assert clamped["diagnostic_delay"] == delay


def test_the_tricals_window_includes_its_ends() -> None:
    assert TRICALS_WINDOW == (-6.0, -2.0)
    got = risk_scores(people(*(row for row, *_ in VECTORS)))["tricals_eligible"].to_list()
    assert got == [True, True, False]


def test_the_window_lies_at_medians_of_18_to_57_months() -> None:
    assert [round(float(median_survival(lp))) for lp in TRICALS_WINDOW] == [57, 18]


def test_the_event_and_the_label_are_stated() -> None:
    assert EVENT_DEFINITIONS[EVENT.tag] is EVENT
    assert "23 h" in EVENT.tag
    assert "simulation" in LABEL
    assert TRICALS.c9orf72 is None
    assert ENCALS.c9orf72 is not None


def test_the_expression_alone_gives_the_score() -> None:
    got = people(GOOD).select(linear_predictor(ENCALS)).item()
    assert got == pytest.approx(-4.6796, abs=5e-5)


def test_the_worked_cases_of_the_documentation() -> None:
    page = Path(__file__).parents[2] / "docs" / "clinical" / "phenotypes_and_scores.md"
    rows = [line.strip("| ").split(" | ") for line in page.read_text(encoding="utf-8").splitlines() if re.match(r"^\| \d\d, ", line)]
    assert len(rows) == len(VECTORS)
    for inputs, encals, tricals, median, *curve in rows:
        got = risk_scores(people(tuple(float(x) for x in inputs.split(", ")))).row(0, named=True)
        assert [f"{got['encals']:.4f}", f"{got['tricals']:.4f}", f"{float(median_survival(got['encals'])):.2f}"] == [
            encals,
            tricals,
            median,
        ]
        assert [f"{s:.4f}" for s in survival([12, 24, 36, 60], got["encals"])] == curve
