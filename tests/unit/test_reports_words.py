"""Numbers and sentences as readers meet them."""

import polars as pl
import pytest

from alsmodel.reports import Effect, StudyReport
from alsmodel.reports.sections import prior_curve
from alsmodel.reports.words import answer, chances, count, further_findings, headline, number, power_sentences, typeset

BASE = {"drug": "active treatment", "mean": 0.13, "lower": 0.03, "upper": 0.23, "p_any": 0.993}


def study(**fields: object) -> StudyReport:
    return StudyReport(title="t", question="q", **fields)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0.123456, "0.123"), (-1.0312, "−1.03"), (1234.5, "1,234"), (12, "12"), (0.0, "0"), (2.5e-7, "2.50e−07")),
        *((None, "–"), (float("nan"), "–"), (True, "yes"), (float("inf"), "∞")),
    ],
)
def test_numbers_have_three_digits_and_true_minus_signs(value: object, text: str) -> None:
    assert number(value) == text


def test_small_counts_are_masked() -> None:
    assert [count(n) for n in (0, 1, 4, 5, 1200)] == ["0", "<5", "<5", "5", "1,200"]
    assert count(3, small=True) == "3"


def test_chances_never_round_to_certainty() -> None:
    assert chances(0.9999) == "more than 99 chances in 100"
    assert chances(0.001) == "less than 1 chance in 100"
    assert chances(0.013) == "1 chance in 100"


def test_headline_says_effect_interval_and_certainty() -> None:
    strong, rest = headline(study(effects=(Effect(**BASE),)))
    assert strong == "Active treatment almost certainly slowed functional decline, by about 13%"
    assert rest == ", with values from 3 to 23% all plausible (95% credible interval)."


def test_harm_is_not_told_as_benefit() -> None:
    strong, _ = headline(study(effects=(Effect(**BASE | {"mean": -0.1, "lower": -0.2, "upper": 0.0, "p_any": 0.02}),)))
    assert strong == "Active treatment has almost certainly not slowed functional decline: the estimate is −10%"


def test_association_is_never_told_as_effect() -> None:
    strong, rest = headline(study(effects=(Effect(**BASE, label="association"),)))
    assert "slowed" not in strong
    assert "This is an association" in rest


def test_uninformed_effect_is_said_to_be_unknown() -> None:
    content = study(effects=(Effect(**BASE, informed=False),))
    assert headline(content)[0] == "These data do not tell whether active treatment slowed functional decline."
    assert answer(content) == []


def test_meaningful_benefit_and_success_rule_are_told() -> None:
    effect = Effect(**BASE, p_meaningful=0.09, meaningful=0.2, success_rule=0.975)
    assert answer(study(effects=(effect,))) == [
        "There are more than 99 chances in 100 of any benefit, and 9 chances in 100 of a meaningful one, above the pre-specified "
        "20%. The success rule, a probability of benefit of at least 97.5%, was met."
    ]


def test_without_treatment_the_first_finding_is_the_answer() -> None:
    content = study(findings=("Mean slope: -0.95 points per month.", "Second."))
    assert headline(content) == ("Mean slope: −0.95 points per month.", "")
    assert further_findings(content) == ["Second."]


def test_power_is_told_with_its_monte_carlo_error() -> None:
    table = pl.DataFrame(
        {
            "analysis": ["a"] * 3,
            "effect": [0.3] * 3,
            "n_per_arm": [200, 100, 300],
            "power": [0.81, 0.5, 0.95],
            "mcse": [0.012] * 3,
        }
    )
    (sentence,) = power_sentences(study(operating_characteristics=table))
    assert sentence == (
        "200 participants per arm are the fewest simulated with 80% power: a, effect 0.3, power 81% (MCSE 1.2 percentage points)."
    )
    (none,) = power_sentences(study(operating_characteristics=table.filter(pl.col("power") < 0.6)))
    assert none == "No simulated design reached 80% power; the highest was 50%, a."


def test_typeset_leaves_words_and_ranges_alone() -> None:
    assert typeset("ALSFRS-R, 10-2, (-1.5), N(-1, 2)") == "ALSFRS-R, 10-2, (−1.5), N(−1, 2)"


@pytest.mark.parametrize(
    ("text", "kind", "location", "scale"),
    [
        ("N(-1, 0.5^2)", "normal", -1, 0.5),
        ("Normal(0, 2)", "normal", 0, 2),
        ("half-normal(2.5)", "half-normal", 0, 2.5),
        ("HalfNormal(1e-2)", "half-normal", 0, 0.01),
    ],
)
def test_printed_priors_are_drawn(text: str, kind: str, location: float, scale: float) -> None:
    curve = prior_curve(text)
    assert curve is not None
    assert (curve.kind, curve.location, curve.scale) == (kind, location, scale)


def test_other_priors_are_not_drawn() -> None:
    assert prior_curve("LKJ(1)") is None
