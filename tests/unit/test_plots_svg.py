"""Figures are clean, repeatable, described SVG in the page's colours."""

import re
import runpy
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from alsmodel import plots

fake = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("fake_study.py"))))
NAMES = ("slope", "sd:slope")
LABELS = {"slope": "Mean slope (points per month)"}
PRIORS = {"slope": plots.PriorCurve("normal", -1.0, 0.5), "sd:slope": plots.PriorCurve("half-normal", 0.0, 1.0)}


def chosen_draws() -> dict[str, np.ndarray]:
    return {name: fake.draws()[name] for name in NAMES}


FIGURES: dict[str, Callable[[], str]] = {
    "flow": lambda: plots.participant_flow(fake.participant_flow()),
    "trajectories": lambda: plots.trajectories(fake.trajectory(), outcome="ALSFRS-R total (points)"),
    "survival": lambda: plots.survival(fake.survival_curve(), fake.kaplan_meier(), event="death"),
    "effects": lambda: plots.effects_forest(fake.group_effects()),
    "priors": lambda: plots.prior_posterior(chosen_draws(), PRIORS, LABELS),
    "score-check": lambda: plots.score_check(fake.score_check(), outcome="ALSFRS-R total (points)"),
    "event-check": lambda: plots.event_check(fake.event_check(), event="death"),
    "traces": lambda: plots.traces(chosen_draws(), LABELS),
    "power": lambda: plots.power(fake.power_table(), effect_label="Slowing of decline"),
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    return {name: draw() for name, draw in FIGURES.items()}


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_well_formed_and_described(drawn: dict[str, str], name: str) -> None:
    svg = ET.fromstring(drawn[name])
    space = "{http://www.w3.org/2000/svg}"
    assert svg.attrib["role"] == "img"
    assert svg.attrib["aria-labelledby"] == f"{name}-title {name}-desc"
    assert svg.find(f"{space}title").text
    assert len(svg.find(f"{space}desc").text) > 20


@pytest.mark.parametrize("name", FIGURES)
def test_figure_has_only_the_colours_of_the_page(drawn: dict[str, str], name: str) -> None:
    # An anchor "#m123" inside href or url is no colour.
    colours = re.findall(r"(?:fill|stroke|color): ?(#[0-9a-f]{3,6})", drawn[name])
    assert colours == []
    assert "var(--" in drawn[name]
    assert "<image" not in drawn[name]


@pytest.mark.parametrize("name", FIGURES)
def test_figure_ids_are_prefixed_and_used(drawn: dict[str, str], name: str) -> None:
    svg = drawn[name]
    ids = set(re.findall(r' id="([^"]+)"', svg))
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    assert all(each.startswith(f"{name}-") for each in ids)
    assert used <= ids


@pytest.mark.parametrize("name", FIGURES)
def test_figure_has_two_decimals_no_date_and_real_text(drawn: dict[str, str], name: str) -> None:
    svg = drawn[name]
    tags = "".join(re.findall(r"<(?!desc|title)[a-z][^>]*>", svg))
    assert not re.search(r"\d\.\d{3,}", tags)
    assert "<metadata" not in svg
    assert "<text" in svg


@pytest.mark.parametrize("name", ["survival", "traces"])
def test_figure_is_the_same_again(drawn: dict[str, str], name: str) -> None:
    assert FIGURES[name]() == drawn[name]


def test_path_fades_where_few_are_expected_alive() -> None:
    frame = pl.DataFrame(
        {
            "group": ["all"] * 4,
            "time": [0.0, 1.0, 2.0, 3.0],
            "mean": [40.0, 30.0, 20.0, 10.0],
            "lower": [38.0, 28.0, 18.0, 8.0],
            "upper": [42.0, 32.0, 22.0, 12.0],
        }
    )
    alive = plots.trajectories(frame.with_columns(p_alive=pl.lit(1.0)), outcome="score")
    dying = plots.trajectories(frame.with_columns(p_alive=pl.Series([1.0, 0.6, 0.3, 0.1])), outcome="score")
    assert "stroke-opacity: 0.5" not in alive
    assert "stroke-opacity: 0.5" in dying
    assert "stroke-opacity: 0.18" in dying


def test_numbers_at_risk_are_those_of_the_next_step() -> None:
    curve = pl.DataFrame({"time": [0.0, 2.0, 5.0], "at_risk": [9, 9, 4]})
    assert plots.at_risk(curve, [0.0, 1.0, 2.0, 3.0, 5.0, 6.0]) == [9, 9, 9, 4, 4, 0]


def test_few_at_risk_are_not_counted_out() -> None:
    curve = pl.DataFrame({"group": ["all"] * 2, "time": [0.0, 10.0], "survival": [1.0, 1.0], "at_risk": [30, 3]})
    posterior = pl.DataFrame({"group": ["all"] * 2, "time": [0.0, 10.0], "mean": [1.0, 0.5], "lower": [1.0, 0.4], "upper": [1.0, 0.6]})
    assert "&lt;5</text>" in plots.survival(posterior, curve)


@pytest.mark.parametrize("curve", [plots.PriorCurve("normal", -1.0, 0.5), plots.PriorCurve("half-normal", 0.0, 2.0)])
def test_prior_density_integrates_to_one(curve: plots.PriorCurve) -> None:
    x = np.linspace(-20, 20, 400_001)
    # Trapezoid over 0.0001-wide steps; the half-normal's jump at 0 costs half a step.
    assert np.trapezoid(curve.density(x), x) == pytest.approx(1.0, abs=1e-4)


def test_effects_named_by_words_keep_their_order() -> None:
    table = fake.power_table().with_columns(pl.col("effect").replace_strict({0.0: "null", 0.2: "slowing 20%", 0.3: "slowing 30%"}))
    svg = plots.power(table)
    assert svg.index(">null<") < svg.index(">slowing 20%<") < svg.index(">slowing 30%<")
