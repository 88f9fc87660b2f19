"""Conditions are read into a tree, mean what they say, and refuse what they do not know."""

from typing import Any

import numpy as np
import pytest

from alsmodel.trials.conditions import All, Categories, Column, Comparison, check, holds, parse
from alsmodel.trials.ranges import empty_rules

COLUMNS: dict[str, Column] = {
    "delta_frs": np.array([0.1, 0.5, 1.0, np.nan]),
    "onset_months": np.array([30.0, 12.0, 20.0, 10.0]),
    "sod1": np.array([0.0, 1.0, 0.0, 1.0]),
    "phenotype": Categories(np.array([0, 1, 0, 1]), ("limb", "bulbar")),
}
VOCABULARY: dict[str, Any] = {"delta_frs": None, "onset_months": None, "sod1": None, "phenotype": ("limb", "bulbar")}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("delta_frs >= 0.3 and onset_months < 24", [0, 1, 1, 0]),
        ("0.3 <= delta_frs < 1", [0, 1, 0, 0]),
        ("not delta_frs >= 0.3", [1, 0, 0, 1]),
        ("sod1 or onset_months == 20", [0, 1, 1, 1]),
        ("sod1 and (delta_frs > 0.3 or onset_months < 11)", [0, 1, 0, 1]),
        ("delta_frs > 0.3 or sod1 and onset_months < 11", [0, 1, 1, 1]),
        ("phenotype == 'bulbar'", [0, 1, 0, 1]),
        ('"limb" != phenotype', [0, 1, 0, 1]),
        ("phenotype in ('bulbar', 'limb') and not sod1", [1, 0, 1, 0]),
        ("onset_months not in (10, 12)", [1, 0, 1, 0]),
        ("delta_frs != 1", [1, 1, 0, 0]),
        ("delta_frs > -1e0", [1, 1, 1, 0]),
    ],
)
def test_a_condition_means_what_it_says(text: str, wanted: list[int]) -> None:
    assert check(text, VOCABULARY) == []
    assert holds(parse(text), COLUMNS).astype(int).tolist() == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("delta_fs >= 0.3", "delta_fs is not known. Did you mean delta_frs?"),
        ("zzzz < 1", "Known: delta_frs, onset_months"),
        ("phenotype == 'bulbr'", "never 'bulbr'. Did you mean bulbar?"),
        ("phenotype > 'limb'", "no order"),
        ("phenotype == 3", "holds words; got 3"),
        ("delta_frs == 'x'", "holds numbers"),
        ("phenotype", "no yes or no"),
        ("delta_frs >=", "expected a name, a number or a 'text', got the end"),
        ("(sod1", "expected ')'"),
        ("sod1 sod1", "expected the end, got 'sod1'"),
        ("__import__('os')", "expected the end, got '('"),
        ("delta_frs + 1 > 2", "'+' has no meaning"),
        ("3", "expected a comparison"),
        ("sod1 in (delta_frs)", "not the name delta_frs"),
        ("", "got the end"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_nearest_name(text: str, said: str) -> None:
    (fault,) = check(text, VOCABULARY)
    assert said in fault


def test_the_tree_is_data() -> None:
    tree = parse("delta_frs >= 0.3 and onset_months < 24")
    assert isinstance(tree, All)
    assert all(isinstance(part, Comparison) for part in tree.parts)
    assert hash(tree) == hash(parse("delta_frs>=0.3 and onset_months<24"))


RANGES = {"chance": (0.0, 1.0), "score": (0.0, 48.0)}


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (("chance >= 1.5",), "'chance >= 1.5' admits nobody: chance lies between 0 and 1."),
        (("chance < 0",), "'chance < 0' admits nobody"),
        (("age > 20", "0.2 < chance and chance > 1"), "'0.2 < chance and chance > 1' admits nobody: chance"),
        (("chance > 0.8", "chance < 0.3 or score > 48"), "admits nobody together with the rules before it"),
        (("score in (50, 60)",), "score lies between 0 and 48"),
        (("0.9 < chance < 0.5",), "'0.9 < chance < 0.5' admits nobody"),
        (("age > 60", "age <= 60"), "'age <= 60' admits nobody together"),
        (("chance == 2 or score == -1",), "chance lies between 0 and 1 and score lies between 0 and 48"),
    ],
)
def test_rules_that_nobody_can_meet_are_told_from_the_ranges(rules: tuple[str, ...], said: str) -> None:
    (fault,) = empty_rules(rules, RANGES)
    assert said in fault


@pytest.mark.parametrize(
    "rules",
    [
        ("chance >= 1",),
        ("chance <= 0",),
        ("not chance >= 1.5",),
        ("not chance <= 1",),
        ("chance < 0 or age > 3",),
        ("age < score", "score < 1"),
        ("phenotype == 'limb'",),
        ("phenotype != 'limb' and chance != 0",),
        ("chance",),
        ("score not in (50, 60)",),
    ],
)
def test_rules_that_somebody_may_meet_are_let_through(rules: tuple[str, ...]) -> None:
    assert empty_rules(rules, RANGES) == []


def test_nobody_on_a_grid_meets_a_rule_that_is_said_to_be_empty() -> None:
    rng = np.random.default_rng(5)
    grid = np.stack(np.meshgrid(np.linspace(0, 1, 21), np.linspace(0, 48, 25)), axis=0).reshape(2, -1)
    columns = {"chance": grid[0], "score": grid[1]}

    def single() -> str:
        name, top = (("chance", 1.0), ("score", 48.0))[rng.integers(2)]
        sign = ("<", "<=", ">", ">=", "==", "!=")[rng.integers(6)]
        return f"{'not ' * int(rng.random() < 0.2)}{name} {sign} {rng.choice([-0.1, 0.0, 0.25, 0.5, 1.0, 1.2]) * top:g}"

    empty = 0
    for _ in range(600):
        rule = f"({single()} {('and', 'or')[rng.integers(2)]} {single()}) {('and', 'or')[rng.integers(2)]} {single()}"
        met = holds(parse(rule), columns).any()
        if empty_rules((rule,), RANGES):
            empty += 1
            assert not met, rule
    assert empty > 30
