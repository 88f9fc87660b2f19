"""`alsmodel size`: numbers, formula and source on screen and as JSON; bad input in words."""

import json

import pytest
from typer.testing import CliRunner

from alsmodel.cli.main import app


def call(*arguments):
    return CliRunner().invoke(app, ["size", *arguments])


@pytest.mark.parametrize(
    ("arguments", "total"),
    [
        (("slope", "--difference", "0.25", "--slope-sd", "0.76", "--residual-sd", "1.77"), 298),
        (("change", "--difference", "0.5", "--sd", "1", "--analysis", "final"), 128),
        (("events", "--hazard-ratio", "0.7", "--control-median", "24", "--accrual", "18", "--follow-up", "12"), 626),
    ],
)
def test_sizes_are_said_with_formula_and_source(arguments, total):
    shown = call(*arguments)
    assert shown.exit_code == 0, shown.output
    assert f"{total} participants" in shown.output
    for word in ("formula", "with numbers", "source", "alpha 0.05 two-sided"):
        assert word in shown.output
    answer = json.loads(call(*arguments, "--json").stdout)
    assert answer["total"] == total
    assert answer["control"] + answer["active"] == total


def test_a_one_sided_size_says_that_it_looks_where_the_effect_is():
    harm = ("events", "--hazard-ratio", "1.4", "--control-median", "24", "--accrual", "18", "--follow-up", "12")
    assert "in the direction of the effect given" in call(*harm, "--side", "one-sided").output.replace("\n", " ")
    assert "in the direction of the effect given" not in call(*harm).output


def test_impossible_requests_end_with_exit_code_3_and_a_sentence():
    refused = call("change", "--difference", "0", "--sd", "-1")
    assert refused.exit_code == 3
    assert "sd must be above 0" in refused.output
    assert "difference of 0" in refused.output
    visits = call("slope", "--difference", "1", "--slope-sd", "1", "--residual-sd", "1", "--visits", "0;3")
    assert visits.exit_code == 3
    assert "separated by commas" in visits.output


def test_everything_wrong_with_a_size_is_said_at_once():
    told = call("slope", "--difference", "1", "--slope-sd", "1", "--residual-sd", "-1", "--visits", "0;3", "--alpha", "0.9")
    assert told.exit_code == 3
    for said in ("separated by commas", "alpha must lie between", "the residual above 0"):
        assert said in told.output
