"""Conditions are read into a tree, mean what they say, and refuse what they do not know."""

from typing import Any

import numpy as np
import pytest

from alsmodel.trials.conditions import All, Categories, Column, Comparison, check, holds, parse

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
