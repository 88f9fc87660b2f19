"""Associations that differ between groups: how they are written, what is refused, and that two of them come back from one data set."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from alsmodel.cohort.arrays import joint_data
from alsmodel.errors import InvalidInput
from alsmodel.inference import Fit, Sampling, fit_data
from alsmodel.inference.population import population
from alsmodel.inference.screening import refusals
from alsmodel.inference.shrinkage import associations_by_group
from alsmodel.inference.summary import label_of, unit_of
from alsmodel.models import Area, CurrentValue, DomainModel, Exponential, JointModel, Quadratic, SharedEffects, Sigmoid, Slope, domains
from alsmodel.models.association import ByGroup
from alsmodel.models.priors import HalfNormal, Normal, Priors
from alsmodel.models.program import program
from alsmodel.models.reach import centre_of, reach
from alsmodel.settings import decode, dump_toml, encode, load_toml

generator = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_generator.py"))))
literal = generator.literal
BOTH = literal.SPECS["value and slope by group"]
STRATA = Exponential(strata="arm")


# How it is written.


def test_it_reads_and_prints_as_a_sentence() -> None:
    text = str(BOTH)
    assert "the current value and the current slope of the participant's true path" in text
    assert "; how strongly differs by arm, with levels drawn towards each other." in text
    assert "α c + α[arm] (m(t) - c) + α'[arm] dm(t)/dt" in text
    one = replace(BOTH, association=CurrentValue() + Slope(by="arm"))
    assert "; how strongly on the current slope differs by arm" in str(one)
    assert "α m(t) + α'[arm] dm(t)/dt" in str(one)


@pytest.mark.parametrize(
    "association", [CurrentValue(by="arm"), CurrentValue() + Slope(by="arm"), CurrentValue(by="arm", at=36.0) + Slope()]
)
def test_it_survives_the_way_through_a_file(association: tuple, tmp_path: Path) -> None:
    spec = JointModel(survival=STRATA, association=association, priors=Priors(sd_association_value=HalfNormal(scale=0.03)))
    (tmp_path / "model.toml").write_text(dump_toml({"model": encode(spec)}))
    assert decode(JointModel, load_toml(tmp_path / "model.toml").values["model"]) == spec


def test_what_a_file_may_get_wrong_is_told() -> None:
    with pytest.raises(InvalidInput, match=r"association\[0\].*Did you mean 'value'"):
        decode(JointModel, {"association": ["valu"]})
    with pytest.raises(InvalidInput, match=r"association\[0\]\.by is needed"):
        decode(JointModel, {"association": [{"kind": "value"}]})


def test_names_units_and_groups() -> None:
    assert BOTH.groups == ("arm",)
    assert label_of("association:value[active]", BOTH) == "Log hazard per unit of the current value, active"
    assert label_of("association:value", BOTH) == "Log hazard per unit of the current value"
    assert label_of("group_sd:association:slope", BOTH) == "SD between groups, association of slope"
    assert unit_of("association:value[active]", BOTH) == unit_of("group_sd:association:value", BOTH) == "log hazard per outcome units"
    assert unit_of("association:slope[active]", BOTH) == "log hazard per outcome units/month"


def test_value_and_slope_may_differ_by_different_groups() -> None:
    spec = replace(BOTH, survival=Exponential(strata="arm", covariates=("site",)), association=CurrentValue(by="arm") + Slope(by="site"))
    data = joint_data(literal.cohort(), BOTH.selection)
    data = replace(data, groups={**data.groups, "site": ("1", "2", "1", "2", "2", "1")})
    found = reach(spec, data)
    expected = [(f"association:value[{p.arm}]", f"association:slope[{s}]") for p, s in zip(literal.PEOPLE, data.groups["site"])]
    assert [found.labels[k] for k in found.row] == expected


# What is refused.


def test_a_group_without_a_hazard_of_its_own_is_refused() -> None:
    # Two associations differ by (a - b) 37 in log hazard at a score of 37, which a common baseline would force on them.
    with pytest.raises(ValueError, match=r"Put arm among survival.covariates, or set survival.strata = 'arm'"):
        JointModel(association=CurrentValue(by="arm"))
    assert JointModel(association=CurrentValue(by="arm"), survival=Exponential(covariates=("arm",))).groups == ("arm",)
    with pytest.raises(ValueError, match="twice"):
        JointModel(association=CurrentValue() + CurrentValue(by="arm"), survival=STRATA)


def test_the_score_at_which_groups_meet_is_of_the_current_value_by_group() -> None:
    with pytest.raises(ValueError, match="needs by"):
        CurrentValue(at=36.0)
    with pytest.raises(ValueError, match="not with the slope"):
        ByGroup(kind="slope", by="arm", at=1.0)
    data = joint_data(literal.cohort(), BOTH.selection)
    free = replace(BOTH, association=CurrentValue(by="arm"))
    assert centre_of(BOTH, data) == 34.0
    assert centre_of(free, data) == float(f"{data.outcome.mean():.2g}")
    assert centre_of(free, replace(data, outcome=data.outcome - 20, centre=37.0)) == 37.0  # other people keep that of the fit


def test_the_same_for_all_in_a_domain_model() -> None:
    with pytest.raises(ValueError, match="same for all in a domain model"):
        DomainModel(outcomes=domains(), association=CurrentValue(by="arm"))


def test_levels_that_were_not_fitted_and_levels_without_people() -> None:
    data = joint_data(literal.cohort(), BOTH.selection)
    alone = replace(data, groups={"arm": ("placebo",) * data.people})
    with pytest.raises(InvalidInput, match="arm has one level only"):
        program(BOTH, alone)
    fitted = replace(alone, levels={"arm": ("active", "placebo")})
    made = program(BOTH, fitted)  # nobody of the other level to predict for: its parameters stay
    assert "z:association:value[active]" in made.labels
    assert set(made.cuts.seg_alpha.tolist()) == {1}
    with pytest.raises(InvalidInput, match="Nothing was fitted for 1 of the levels of arm"):
        program(BOTH, replace(fitted, groups={"arm": ("other",) * data.people}))


def test_the_prior_of_the_spread_follows_the_units_and_can_be_set() -> None:
    data = joint_data(literal.cohort(), BOTH.selection)
    plain, wide = program(BOTH, data), program(BOTH, replace(data, outcome=data.outcome * 10))
    scale = [dict(zip(made.labels, made.priors.b))["group_sd:association:value"] for made in (plain, wide)]
    assert scale[0] / scale[1] == pytest.approx(10, rel=0.06)  # rounded to two digits
    mine = program(replace(BOTH, priors=Priors(sd_association_value=0.03)), data)
    assert dict(zip(mine.labels, mine.priors.b))["group_sd:association:value"] == 0.03


# Recovery.

TRUTH = {"association:value[active]": -0.15, "association:value[placebo]": -0.05}


@pytest.fixture(scope="module")
def people() -> tuple:
    """Lower scores matter three times as much in one arm; both have about the same hazard at a score of 33."""
    return generator.draw(12, 400, association=-0.05, arm_association=-0.1, log_hazard=-1.2, arm_hazard=3.3)


def fitted(people: tuple, association: tuple) -> Fit:
    # A spread of 0.05 a priori, so that each level is estimated about as from its own people.
    spec = JointModel(outcome="score", survival=STRATA, association=association, priors=Priors(sd_association_value=0.05))
    return fit_data(spec, joint_data(literal.cohort(people), spec.selection), Sampling(cores=1), seed=3, method="psis")


@pytest.fixture(scope="module")
def fit(people: tuple) -> Fit:
    return fitted(people, CurrentValue(by="arm"))


def test_two_associations_come_back(fit: Fit) -> None:
    # The spread and the deviations of two levels bend round each other, so the weights are uneven; a tenth of an SD is enough here.
    ess = next(check.value for check in fit.checks if check.name == "importance ESS")
    assert ess is not None
    assert ess > 50
    # Largest of two standardised errors; 3 is exceeded by chance in 1 of 200 data sets, and this one is fixed.
    assert max(abs(fit.flat(name).mean() - value) / fit.flat(name).std() for name, value in TRUTH.items()) < 3
    assert (fit.flat("association:value[active]") < fit.flat("association:value[placebo]")).mean() > 0.99
    table = associations_by_group(fit)
    assert table["parameter"].to_list() == list(TRUTH)
    assert table["n"].to_list() == [200, 200]
    assert table["events"].sum() == fit.data.event.sum()
    other = replace(fit.data, cause=np.arange(fit.data.people) % 2)  # half of the events are of another cause, which this is not of
    main = associations_by_group(replace(fit, data=other))["events"].sum()
    assert 0 < main == (fit.data.event * (other.cause == 0)).sum() < fit.data.event.sum()
    assert not table["prior_driven"].any()
    assert table["pooling"][0] < 0.5


def test_one_association_for_all_misses_at_least_one_of_them(people: tuple) -> None:
    common = fitted(people, CurrentValue())  # negative control: the same data, the model without groups
    away = [abs(common.flat("association:value").mean() - value) / common.flat("association:value").std() for value in TRUTH.values()]
    assert max(away) > 3
    assert associations_by_group(common).height == 0


def test_a_trial_is_not_drawn_from_associations_that_differ(fit: Fit) -> None:
    with pytest.raises(InvalidInput, match="differs by group"):
        population(fit, 10, seed=1)


# The mean since time zero, and shared random effects.

BOTH_KINDS = JointModel(association=Area() + SharedEffects())


def test_area_and_shared_effects_read_as_a_sentence_and_survive_a_file(tmp_path: Path) -> None:
    text = str(BOTH_KINDS)
    assert "the mean since time zero of the participant's true path and on the participant's own random effects" in text
    assert "α'' (1/t) ∫ m(s) ds from 0 to t + λ'b" in text
    (tmp_path / "model.toml").write_text(dump_toml({"model": encode(BOTH_KINDS)}))
    assert decode(JointModel, load_toml(tmp_path / "model.toml").values["model"]) == BOTH_KINDS
    assert "depends on the participant's own random effects of the path" not in str(JointModel(association=SharedEffects()))


def test_area_and_shared_effects_have_names_units_and_priors() -> None:
    spec = replace(literal.SPECS["area and random effects, clock"], decline=Quadratic())
    made = program(spec, joint_data(literal.cohort(), spec.selection))
    labels = ("association:area", *(f"association:shared:{name}" for name in ("intercept", "slope", "quadratic")))
    prior = dict(zip(made.labels, made.priors.b, strict=True))
    # Half-open units: 2.5 per SD of the score; times the longest follow-up for what is per month, and its square.
    assert [prior[name] for name in labels[2:]] == pytest.approx([prior[labels[0]] * 17.0, prior[labels[0]] * 17.0**2], rel=0.06)
    assert prior[labels[0]] == prior[labels[1]]
    assert label_of(labels[0], spec) == "Log hazard per unit of the mean since time zero"
    assert label_of(labels[2], spec) == "Log hazard per unit of the participant's own slope"
    units = [unit_of(name, spec).removeprefix("log hazard per outcome units") for name in labels]
    assert units == ["", "", "/month", "/month²"]
    given = replace(spec, priors=Priors(association_shared_slope=Normal(mean=-1.0, sd=0.3)))
    assert dict(zip(made.labels, program(given, joint_data(literal.cohort(), spec.selection)).priors.a, strict=True))[labels[2]] == -1.0


def test_what_does_not_go_with_area_and_shared_effects_is_refused() -> None:
    with pytest.raises(ValueError, match='does not go with population = "incident"'):
        JointModel(association=Area(), population="incident")
    with pytest.raises(ValueError, match='take "area" and "shared" out of association'):
        JointModel(association=SharedEffects(), decline=Sigmoid())
    with pytest.raises(ValueError, match="one through the current value or the slope; got 'area'"):
        ByGroup(kind="area", by="arm")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="twice"):
        JointModel(association=Area() + Area())
    with pytest.raises(InvalidInput, match=r"association\[0\]"):
        decode(DomainModel, {"kind": "domains", "association": ["area"]})
    made = SimpleNamespace(spec=literal.SPECS["area and random effects, clock"], data=None)
    with pytest.raises(InvalidInput, match="depends on the area or on random effects"):
        population(made, 10, 1)
    assert any("area or on random effects" in fault for fault, _ in refusals(made.spec))
