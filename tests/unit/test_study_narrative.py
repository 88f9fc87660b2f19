"""Sentences of the report: what was found, and never more than that."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from alsmodel.models.spec import JointModel, Linear, PiecewiseExponential, Treatment
from alsmodel.reports import tables
from alsmodel.settings import decode, load_toml
from alsmodel.study import methods, narrative
from alsmodel.study.spec import ReportPlan, Study

fake = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("fake_study.py"))))
DEMO = Path(__file__).parents[2] / "studies" / "demo" / "study.toml"


@pytest.fixture
def study() -> Study:
    model = JointModel(
        decline=Linear(covariates=("phenotype",)),
        survival=PiecewiseExponential(covariates=("age", "phenotype")),
        treatments=(Treatment(name="riluzole", unknown="exclude"),),
    )
    report = ReportPlan(by="phenotype", parameter="slope:phenotype[bulbar]", meaningful=0.2)
    return replace(decode(Study, load_toml(DEMO).values), model=model, report=report)


@pytest.fixture
def fit() -> Any:
    groups = tuple(level for level, size in {"limb": 30, "bulbar": 15, "respiratory": 4, None: 2}.items() for _ in range(size))
    count = SimpleNamespace(name="riluzole", randomised=0, starts_or_stops=7, prevalent=30, unexposed=10, unknown=0, unknown_start=3)
    data = SimpleNamespace(groups={"phenotype": groups}, exposures=(count,))
    return SimpleNamespace(summary=fake.summary(), draws=fake.draws(), data=data)


def survival() -> pl.DataFrame:
    rows = [("limb", 0.6), ("bulbar", 0.4), ("respiratory", 0.2)]
    return pl.DataFrame([{"group": g, "time": 18.0, "mean": p, "lower": p - 0.1, "upper": p + 0.1} for g, p in rows])


def test_the_first_sentence_answers_the_question(study: Study, fit: Any) -> None:
    first, *_ = narrative.findings(study, fit, survival())
    assert first.startswith("Mean decline is steeper with phenotype bulbar than with phenotype limb: the slopes differ by -0.3 ")
    assert "probability of this direction 1.00" in first


def test_an_unclear_difference_is_given_no_direction(study: Study, fit: Any) -> None:
    fit.draws["slope:phenotype[bulbar]"] = fit.draws["slope:phenotype[bulbar]"] + 0.3
    first, *_ = narrative.findings(study, fit, None)
    assert first.startswith("These data do not tell whether mean decline differs between phenotype bulbar and phenotype limb")


def test_an_association_does_not_open_the_report_and_is_not_called_an_effect(study: Study, fit: Any) -> None:
    assert narrative.headline_effects(study, fit) == []
    *_, last = narrative.findings(study, fit, None)
    assert last.startswith("Riluzole: these data hardly tell anything beyond the prior")
    fit.summary = fit.summary.with_columns(informed=pl.lit(True))
    *_, last = narrative.findings(study, fit, None)
    assert last.startswith("While taking riluzole, decline was ")
    assert last.endswith("This is an association, not an effect: nobody was assigned the drug.")


def test_slowing_is_one_minus_the_ratio_of_slopes(study: Study, fit: Any) -> None:
    (effect,) = narrative.effects(study, fit)
    theta = fit.draws["theta:riluzole"].ravel()
    assert effect.mean == pytest.approx(float((1 - np.exp(theta)).mean()))
    assert effect.p_any == pytest.approx(float((theta < 0).mean()))
    assert effect.p_meaningful == pytest.approx(float((theta < np.log(0.8)).mean()))
    assert effect.label == "association"
    assert not effect.informed  # its posterior SD is 0.95 of its prior SD


def test_a_randomised_treatment_is_an_effect_with_its_success_rule(study: Study, fit: Any) -> None:
    drug = Treatment(name="riluzole", source="arm", level="active")
    randomised = replace(study, model=replace(study.model, treatments=(drug,)), report=replace(study.report, success=0.975))
    (effect,) = narrative.headline_effects(randomised, fit)
    assert (effect.label, effect.success_rule) == ("effect", 0.975)


def test_small_groups_are_left_to_the_figure(study: Study, fit: Any) -> None:
    sentence = next(s for s in narrative.findings(study, fit, survival()) if s.startswith("Without death"))
    assert sentence == "Without death at 18 months (95% credible interval): limb 60% (50% to 70%), bulbar 40% (30% to 50%)."


def test_group_effects_hold_every_level_of_every_part(study: Study, fit: Any) -> None:
    frame = narrative.group_effects(study, fit)
    assert frame is not None
    assert frame["label"].to_list() == ["bulbar", "respiratory", "primary lateral sclerosis", "bulbar", "respiratory"]
    assert frame["panel"].n_unique() == 2
    assert all("difference from limb" in panel for panel in frame["panel"])


def test_identification_counts_who_informs_a_drug(study: Study, fit: Any) -> None:
    frame = narrative.identification(study, fit)
    assert frame is not None
    counts = {"randomised": 0, "within_person": 7, "prevalent": 30, "start_unknown": 3}
    assert frame.to_dicts() == [{"drug": "riluzole", **counts, "label": "association", "informed": False}]
    assert "Day of starting unknown" in tables.identification(frame).head
    assert "Day of starting unknown" not in tables.identification(frame.with_columns(start_unknown=0)).head


@pytest.mark.parametrize(("periods", "parameter"), [((), "hazard:riluzole"), ((6.0,), "hazard:riluzole[2]")])
def test_a_drug_of_the_hazard_alone_is_informed_by_its_hazard_ratio(
    study: Study, fit: Any, periods: tuple[float, ...], parameter: str
) -> None:
    drug = Treatment(name="riluzole", score="none", hazard_periods=periods, unknown="exclude")
    study = replace(study, model=replace(study.model, treatments=(drug,)))
    for told in (True, False):
        row = fit.summary.head(1).with_columns(parameter=pl.lit(parameter), informed=pl.lit(told))
        made = SimpleNamespace(**{**vars(fit), "summary": row})
        assert narrative.identification(study, made)["informed"].to_list() == [told]  # type: ignore[index]


def test_groups_of_an_effect_are_told_with_their_shrinkage_and_whose_the_prior_is(study: Study, fit: Any) -> None:
    assert narrative.shrinkage_words(study, fit) == []  # one effect for all
    drug = Treatment(name="riluzole", by="phenotype", unknown="exclude")
    model = JointModel(treatments=(drug,), association=())
    rng, levels = np.random.default_rng(1), ("bulbar", "limb")
    draws = {"theta:riluzole": np.zeros((1, 400))}
    draws |= {f"theta:riluzole[{level}]": rng.normal(-0.5 * k, 0.02, (1, 400)) for k, level in enumerate(levels)}
    groups = ("limb",) * 30 + ("bulbar",) * 30
    exposed = np.arange(26, 60)  # 4 of limb, 30 of bulbar
    data = SimpleNamespace(groups={"phenotype": groups}, levels={}, exposure_drug=np.zeros(34, int), exposure_person=exposed)
    made: Any = SimpleNamespace(spec=model, data=data, draws=draws)
    (told,) = narrative.shrinkage_words(replace(study, model=model), made)
    assert told.startswith("By group, riluzole (ratio of slopes): bulbar 1.00 (")
    assert "limb 0.6" in told
    assert told.count("driven by the prior") == 1
    assert told.index("limb") < told.index("driven by the prior")
    assert "pooling factor 0.00" in told  # half a unit apart, known to a fiftieth


def test_of_levels_as_common_as_each_other_the_reference_is_that_of_the_design(study: Study, fit: Any) -> None:
    # Arms of one size: "active" is the reference of the columns, whoever of the two comes first in the data.
    for arms in (("placebo", "active"), ("active", "placebo")):
        data = SimpleNamespace(groups={"arm": arms * 20})
        assert narrative.reference_level(study, data, "arm") == "active"  # type: ignore[arg-type]


def test_words_name_outcome_and_unit(study: Study) -> None:
    assert methods.outcome_name(study) == "ALSFRS-R total (points)"
    assert methods.slope_unit(study) == "points per month"
    other = replace(study, model=JointModel(outcome="serBilir", transform="log", time_unit="year"))
    assert methods.outcome_name(other) == "serBilir (log(serBilir))"
    assert methods.slope_unit(other) == "log(serBilir) per year"


def test_the_limits_say_what_proact_cannot_tell(study: Study) -> None:
    told = " ".join(methods.limits(study))
    assert "PRO-ACT hides" in told
    assert "associations" in told


def test_the_trial_is_described_with_its_numbers(study: Study) -> None:
    told = " ".join(methods.trial_words(study))
    assert "12 months of follow-up" in told
    assert "1,000 simulated trials per cell" in told
    assert "assurance" in told
    assert methods.trial_words(replace(study, trial=None)) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("value", "Where the current true score is one unit higher, the hazard is multiplied by 0.914"),
        ("area", "Where the true score has on average been one unit higher since time zero, the hazard is multiplied by 0.914"),
        ("shared:intercept", "Where a participant's path starts one unit higher than that of people alike in covariates, the hazard is"),
        ("shared:slope", "Where a participant's own slope is one unit higher than that of people alike in covariates, the hazard is"),
    ],
)
def test_every_association_is_told_as_a_hazard_ratio(study: Study, fit: Any, name: str, words: str) -> None:
    fit.summary = fit.summary.with_columns(pl.col("parameter").replace("association:value", f"association:{name}"))
    assert any(sentence.startswith(words) for sentence in narrative.findings(study, fit, None))
