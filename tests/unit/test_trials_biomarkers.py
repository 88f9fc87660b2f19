"""Biomarkers of a virtual trial: how they run, what treatment does to them, and the analyses that compare them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from alsmodel.errors import InvalidInput
from alsmodel.settings import decode, encode
from alsmodel.trials import (
    ANCOVA,
    MMRM,
    Biomarker,
    BiomarkerEffect,
    Effect,
    Look,
    NamedTruth,
    ParallelDesign,
    Phenotype,
    Population,
    PosteriorTruth,
    RandomSlope,
    Recruitment,
    Trial,
    TrialSettings,
    build,
    example,
    simulate,
)
from alsmodel.trials.block import Task, run_task, trial_keys
from alsmodel.trials.estimands import true_values
from alsmodel.trials.opening import open_data
from alsmodel.trials.sequential import GroupSequential
from alsmodel.trials.world import assign, enrol, markers, observe, paths

NFL = Biomarker(name="neurofilament", mean=4.0, sd=0.6, residual_sd=0.2, per_slope=-0.4, trend=0.01, visits=(0.0, 3.0, 9.0))
LOWERED = Effect(name="lowered", biomarkers={"neurofilament": BiomarkerEffect(change=-0.5, half_time=3.0)})
DESIGN = ParallelDesign(visits=(0.0, 3.0, 6.0, 9.0), duration=9.0, dropout_per_month=0.02, missing_visit_probability=0.05)
TRIAL = Trial(
    truth=NamedTruth(hazard=(0.02,)),
    design=DESIGN,
    biomarkers=(NFL,),
    analyses=(ANCOVA(outcome="neurofilament"), MMRM(outcome="neurofilament"), RandomSlope(outcome="neurofilament"), ANCOVA()),
    effects=(Effect(name="null"), LOWERED),
    n_per_arm=(40,),
    replicates=200,
    seed=31,
)


def followed(trial: Trial, effect: Effect, replicates: int = 4, n: int = 400) -> tuple[Any, ...]:
    keys = trial_keys(trial, 0, replicates)
    enrolled = enrol(trial, keys, n)
    arm = assign(trial.design, enrolled, keys)
    seen = observe(trial.design, trial.population, enrolled, effect, arm, keys, biomarkers=trial.biomarkers)
    return keys, enrolled, arm, seen


def test_levels_runs_and_errors_are_those_named() -> None:
    keys, enrolled, arm, seen = followed(TRIAL, LOWERED)
    true = markers(DESIGN, TRIAL.population, enrolled, LOWERED, arm, keys, (NFL,))["neurofilament"]
    values = seen.biomarkers["neurofilament"]
    assert np.isnan(values[:, :, 2]).all()  # month 6 has no sample
    error = (values - true)[:, :, [0, 1, 3]]
    # 4,800 numbers: 4 standard errors.
    assert abs(error.mean()) < 4 * 0.2 / np.sqrt(4800)
    assert error.std() == pytest.approx(0.2, rel=4 / np.sqrt(2 * 4800))
    assert abs(np.corrcoef(error[..., 0].ravel(), error[..., 1].ravel())[0, 1]) < 4 / np.sqrt(1600)
    # Trend and effect by hand: half of -0.5 at month 3, seven eighths at month 9.
    moved = true - true[:, :, :1]
    for month, v, share in ((3.0, 1, 0.5), (9.0, 3, 0.875)):
        np.testing.assert_allclose(moved[:, :, v], 0.01 * month - 0.5 * share * (arm == 1), atol=1e-12)
    # The own level hangs on the own untreated slope.
    path = paths(DESIGN, TRIAL.population, enrolled, Effect(name="none"), np.zeros_like(arm), keys)
    slope = (path[..., -1] - path[..., 0]).ravel() / 9.0
    fitted, _ = np.polyfit(slope - enrolled.centre_slope[0], true[:, :, 0].ravel(), 1)
    assert fitted == pytest.approx(-0.4, abs=4 * 0.6 / np.sqrt(1600) / slope.std())


def test_adding_one_moves_nothing_else_and_seen_is_who_had_a_visit() -> None:
    keys, enrolled, arm, seen = followed(TRIAL, LOWERED, n=40)
    bare = observe(DESIGN, TRIAL.population, enrolled, LOWERED, arm, keys)
    np.testing.assert_array_equal(seen.scores, bare.scores)
    np.testing.assert_array_equal(seen.event_time, bare.event_time)
    other = replace(NFL, name="creatinine")
    both = observe(DESIGN, TRIAL.population, enrolled, LOWERED, arm, keys, biomarkers=(other, NFL))
    np.testing.assert_array_equal(both.biomarkers["neurofilament"], seen.biomarkers["neurofilament"])
    assert not np.array_equal(both.biomarkers["creatinine"], both.biomarkers["neurofilament"], equal_nan=True)
    data = open_data(TRIAL, enrolled, arm, seen, None).data
    shown = np.isfinite(data.biomarkers["neurofilament"].values)
    np.testing.assert_array_equal(shown, np.isfinite(data.scores) & np.array([True, True, False, True]))
    # At a look nothing later than it is known.
    early = open_data(TRIAL, enrolled, arm, seen, np.full(4, 4.0)).data
    assert np.isnan(early.biomarkers["neurofilament"].values[:, :, 3]).all()
    half = replace(NFL, missing_probability=0.5)
    gaps = observe(DESIGN, TRIAL.population, enrolled, LOWERED, arm, keys, biomarkers=(half,)).biomarkers["neurofilament"]
    assert np.isfinite(gaps[:, :, 0]).all()
    assert np.isnan(gaps[:, :, [1, 3]]).mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(320))


def test_true_values_have_closed_forms_and_trials_estimate_them(tmp_path: Path) -> None:
    truths = true_values(TRIAL.scenarios[1], tmp_path, 25_000).values
    gained = -0.5 * np.array([0.0, 0.5, 0.875])
    months = np.array([0.0, 3.0, 9.0]) - 4.0
    wanted = {"ANCOVA of neurofilament": gained[-1], "MMRM of neurofilament": gained[-1], "ANCOVA": 0.0}
    wanted["random slope of neurofilament"] = float(months @ gained / (months @ months))
    for label, value in wanted.items():
        assert truths[label][0] == pytest.approx(value, abs=1e-12), label
    table = simulate(TRIAL, twins=1000).table
    for row in table.iter_rows(named=True):
        # Seed fixed beforehand. Those who die sooner decline faster and have more of it: small where few die.
        assert abs(row["bias"]) < 3.5 * row["bias_mcse"] + 0.005, (row["effect"], row["analysis"])
        if row["effect"] == "null":
            assert row["power"] < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200), row["analysis"]
        elif "of neurofilament" in row["analysis"]:
            assert row["benefit"] == row["power"] > 0.6, row["analysis"]  # lower is better


def test_shares_by_arm_and_phenotype_and_a_delayed_start_move_biomarkers_too(tmp_path: Path) -> None:
    population = Population(phenotypes=(Phenotype(name="limb", share=0.75), Phenotype(name="bulbar", share=0.25)))
    effect = replace(LOWERED, by_arm=(1.0, 0.5), by_phenotype={"bulbar": 0.0})
    doses = replace(
        TRIAL,
        population=population,
        design=replace(DESIGN, allocation=(1, 1, 1)),
        analyses=(ANCOVA(outcome="neurofilament"), ANCOVA(outcome="neurofilament", arm=2)),
        effects=(effect,),
    )
    values = true_values(doses.scenarios[0], tmp_path, 25_000)
    one, two = (values.values[a.label][0] for a in doses.analyses)
    assert one == pytest.approx(-0.4375 * 0.75, abs=4 * 0.4375 * np.sqrt(0.75 * 0.25 / 25_000))
    assert two == pytest.approx(one / 2, abs=1e-12)
    late = replace(
        TRIAL,
        design=replace(DESIGN, delayed_start=3.0),
        analyses=(ANCOVA(outcome="neurofilament"), ANCOVA(outcome="neurofilament", until=3.0)),
        effects=(LOWERED,),
    )
    whole, cut = (true_values(late.scenarios[0], tmp_path, 25_000).values[a.label][0] for a in late.analyses)
    assert cut == pytest.approx(-0.25, abs=1e-12)  # what control gets at month 3 shows later
    assert whole == pytest.approx(-0.4375 + 0.5 * (1 - 2.0**-2), abs=1e-6)  # control has had six months of it


def test_higher_may_be_better_and_a_biomarker_may_decide_at_looks() -> None:
    looks = (Look(when="followed", at=0.5, after=9.0),)
    sequential = GroupSequential(fractions=(0.5, 1.0))
    design = replace(DESIGN, recruitment=Recruitment(per_month=(10.0,)), looks=looks, sequential=sequential)
    trial = replace(TRIAL, design=design, effects=(LOWERED,), replicates=30, analyses=TRIAL.analyses[:1])
    stopped = simulate(trial, twins=1000).table["stopped_efficacy"][0]
    harm = simulate(replace(trial, biomarkers=(replace(NFL, better="higher"),)), twins=1000).table
    assert stopped > 0.3
    assert harm["stopped_efficacy"][0] == harm["power"][0] == 0.0
    assert "ANCOVA of neurofilament" in str(example(trial)[0])
    (found,) = run_task(Task(trial.scenarios, 0, 6))
    (pieces,) = run_task(Task(trial.scenarios, 3, 6))
    np.testing.assert_array_equal(found["estimate"][3:], pieces["estimate"])


SECTION: dict[str, Any] = {
    "truth": {"kind": "named"},
    "design": {"visits": [0, 3, 6, 9], "duration": 9.0, "phone_visits": [6]},
    "biomarkers": [{"name": "neurofilament", "mean": 4.0, "sd": 0.6, "residual_sd": 0.2, "visits": [0, 3, 9]}],
    "analyses": [{"kind": "ancova", "outcome": "neurofilament"}, {"kind": "ancova"}],
    "effects": [{"name": "lowered", "biomarkers": {"neurofilament": {"change": -0.5}}}],
}


def test_a_study_file_says_the_same() -> None:
    settings = decode(TrialSettings, SECTION)
    assert decode(TrialSettings, encode(settings)) == settings
    trial = build(settings, None, 1)
    assert trial.biomarkers[0].sampled(trial.design).tolist() == [True, True, False, True]
    assert replace(NFL, visits=()).sampled(trial.design).tolist() == [True, True, False, True]  # none by phone
    assert not trial.effects[0].is_null
    assert trial.plain()["biomarkers"][0]["name"] == "neurofilament"


RARE: dict[str, Any] = {"biomarkers": [SECTION["biomarkers"][0] | {"visits": [0, 9]}]}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"analyses": [{"kind": "ancova", "outcome": "neurofilamnt"}]}, "Did you mean neurofilament?"),
        ({"effects": [{"name": "a", "biomarkers": {"urate": {"change": 1.0}}}]}, "'urate', which is no biomarker of the trial"),
        ({"biomarkers": [{"name": "neurofilament", "mean": 4.0, "sd": 0.6, "residual_sd": 0.0}]}, "residual_sd must be above 0"),
        ({"biomarkers": SECTION["biomarkers"] * 2}, "share a name"),
        ({"biomarkers": [SECTION["biomarkers"][0] | {"visits": [0, 4]}]}, "are not among"),
        ({"biomarkers": [SECTION["biomarkers"][0] | {"visits": [3, 9]}]}, "a sample at the first visit"),
        ({"analyses": [{"kind": "ancova", "outcome": "neurofilament", "until": 3.0}]} | RARE, "once only"),
        ({"effects": [{"name": "a", "biomarkers": {"neurofilament": {"change": 1.0, "half_time": -1.0}}}]}, "half_time is months"),
    ],
)  # fmt: skip
def test_impossible_biomarkers_are_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode(TrialSettings, SECTION | changed)
    assert said in str(caught.value)


# As a rule of eligibility

LOG_NFL = Biomarker(name="log_nfl", mean=4.0, sd=0.5, residual_sd=0.2, per_slope=-0.5, trend=0.02)
ADMITTED = Trial(
    truth=NamedTruth(hazard=(0.01,), association_value=0.0, slope_skew=0.0),
    population=Population(screened=("log_nfl",), eligibility=("log_nfl > 4.2",), screening_months=2.0),
    design=DESIGN,
    biomarkers=(LOG_NFL,),
    analyses=(RandomSlope(), MMRM(outcome="log_nfl", covariates=("log_nfl",))),
    effects=(Effect(name="slower", slowing=0.4, slope_spread="scaled", biomarkers={"log_nfl": BiomarkerEffect(change=-0.3)}),),
    n_per_arm=(60,),
    replicates=300,
    seed=77,
)


def selected() -> tuple[float, float]:
    """How far above their means the own slope and the own level of those lie whose screening value is above 4.2."""
    truth = ADMITTED.truth
    assert isinstance(truth, NamedTruth)
    spread = np.sqrt(0.5**2 + (0.5 * truth.slope_sd) ** 2 + 0.2**2)
    bar = (4.2 - (4.0 - 2.0 * 0.02)) / spread
    reach = norm.pdf(bar) / norm.sf(bar) / spread
    return -0.5 * truth.slope_sd**2 * reach, (spread**2 - 0.2**2) * reach


def test_the_screening_value_is_the_own_level_with_an_error_of_its_own() -> None:
    trial = replace(ADMITTED, population=replace(ADMITTED.population, eligibility=()))
    keys, enrolled, arm, seen = followed(trial, Effect(name="none"))
    true = markers(DESIGN, trial.population, enrolled, Effect(name="none"), arm, keys, (LOG_NFL,))["log_nfl"][:, :, 0]
    first = enrolled.columns["log_nfl"]
    assert isinstance(first, np.ndarray)
    error = first - (true - 2.0 * 0.02)
    # 1,600 numbers: 4 standard errors.
    assert abs(error.mean()) < 4 * 0.2 / np.sqrt(1600)
    assert error.std() == pytest.approx(0.2, rel=4 / np.sqrt(2 * 1600))
    later = seen.biomarkers["log_nfl"][:, :, 0] - true
    assert abs(np.corrcoef(error.ravel(), later.ravel())[0, 1]) < 4 / np.sqrt(1600)


def test_a_rule_over_a_biomarker_selects_as_a_truncated_normal_does() -> None:
    keys, enrolled, arm, _ = followed(ADMITTED, Effect(name="none"), replicates=8)
    first = enrolled.columns["log_nfl"]
    assert isinstance(first, np.ndarray)
    assert first.min() > 4.2
    assert enrolled.screened[:, -1].mean() > 2 * 400  # most are turned away
    true = markers(DESIGN, ADMITTED.population, enrolled, Effect(name="none"), arm, keys, (LOG_NFL,))["log_nfl"][:, :, 0]
    slope, level = selected()
    # 3,200 people: 4 standard errors. The screening value regresses to the mean: its own lies well above.
    assert abs(true.mean() - (4.0 + level)) < 4 * true.std() / np.sqrt(3200)
    assert first.mean() - true.mean() > 0.01
    path = paths(DESIGN, ADMITTED.population, enrolled, Effect(name="none"), np.zeros_like(arm), keys)
    own = (path[..., -1] - path[..., 0]) / 9.0
    assert abs(own.mean() - (-1.03 + slope)) < 4 * own.std() / np.sqrt(3200)


def test_the_true_value_is_that_of_the_eligible_and_trials_estimate_it(tmp_path: Path) -> None:
    slope, _ = selected()
    found = true_values(ADMITTED.scenarios[0], tmp_path, 100_000)
    error = found.error("random slope")
    assert error is not None
    # The SE of four blocks has 3 degrees of freedom: 8 of them are one false alarm in 250.
    assert abs(found.values["random slope"][0] - 0.4 * (1.03 - slope)) < 8 * error
    plain = replace(ADMITTED, population=Population(), analyses=(RandomSlope(),))
    of_all = true_values(plain.scenarios[0], tmp_path, 100_000).values["random slope"][0]
    assert of_all == pytest.approx(0.4 * 1.03, abs=0.01)
    assert found.values["random slope"][0] > of_all + 0.05  # negative control: whoever is admitted declines faster
    for row in simulate(ADMITTED, folder=tmp_path, twins=100_000).table.iter_rows(named=True):
        # Seed fixed beforehand: 3.5 Monte Carlo errors of trials and twins.
        assert abs(row["bias"]) < 3.5 * np.hypot(row["bias_mcse"], row["true_value_mcse"]), row["analysis"]
        assert abs(row["coverage"] - 0.95) < 3.5 * np.sqrt(0.05 * 0.95 / 300), row["analysis"]


def test_who_is_admitted_hangs_on_the_biomarker_and_on_nothing_after_it() -> None:
    words = ADMITTED.population_words()
    assert replace(ADMITTED, biomarkers=(replace(LOG_NFL, sd=0.8),)).population_words() != words
    assert replace(ADMITTED, effects=(Effect(name="null"),), n_per_arm=(40,)).population_words() == words
    unread = replace(ADMITTED, population=Population(), analyses=(RandomSlope(),))
    assert replace(unread, biomarkers=(replace(LOG_NFL, sd=0.8),)).population_words() == unread.population_words()
    keys = trial_keys(ADMITTED, 0, 3)
    large, small, one = enrol(ADMITTED, keys, 90), enrol(ADMITTED, keys, 30), enrol(ADMITTED, keys[1:2], 30)
    np.testing.assert_array_equal(large.person[:, :30], small.person)
    np.testing.assert_array_equal(np.asarray(large.columns["log_nfl"])[1:2, :30], np.asarray(one.columns["log_nfl"]))


def test_people_of_a_posterior_are_screened_by_a_biomarker_too(tmp_path: Path) -> None:
    slopes = np.array([-0.6, -1.4])
    truth = PosteriorTruth(
        intercept=np.full((2, 5), 36.0), slope=slopes[:, None] * np.ones(5), log_hazard=np.zeros((2, 5)),
        random_cholesky=np.tile(np.diag([6.0, 0.76]), (2, 1, 1)), residual_sd=np.full(2, 1.77), knots=np.array([0.0, 12.0]),
        log_baseline_hazard=np.full((2, 1), np.log(0.01)), association_value=np.zeros(2), association_slope=np.zeros(2),
    )  # fmt: skip
    trial = replace(ADMITTED, truth=truth, analyses=(RandomSlope(),))
    values = true_values(trial.scenarios[0], tmp_path, 100_000).values["random slope"]
    # What slower draws select on is how far the own slope lies from their own mean, so both gain the same beside 0.4 of that mean.
    spread = np.sqrt(0.5**2 + (0.5 * 0.76) ** 2 + 0.2**2)
    bar = (4.2 - (4.0 - 2.0 * 0.02)) / spread
    wanted = -0.4 * (slopes - 0.5 * 0.76**2 * norm.pdf(bar) / norm.sf(bar) / spread)
    # 50,000 twins a draw: the SD of 0.4 times a slope over their root is 0.0014.
    np.testing.assert_allclose(values, wanted, atol=0.007)


SCREENED = {
    "truth": {"kind": "named"},
    "population": {"screened": ["log_nfl"], "eligibility": ["log_nfl > 4 and onset_months < 24"]},
    "biomarkers": [{"name": "log_nfl", "mean": 4.0, "sd": 0.5, "residual_sd": 0.2}],
    "analyses": [{"kind": "log_rank", "strata": ["log_nfl > 4.5"]}],
}


def test_a_study_file_names_what_is_screened() -> None:
    settings = decode(TrialSettings, SCREENED)
    assert decode(TrialSettings, encode(settings)) == settings
    assert build(settings, None, 1).population.screened == ("log_nfl",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"population": {"screened": ["log_nf"]}},
            "'log_nf', which is no biomarker of the trial. Did you mean log_nfl?",
        ),
        ({"population": {"screened": ["log NfL"]}}, "name the biomarker by letters"),
        ({"population": {"screened": ["log_nfl"], "covariates": [{"name": "log_nfl"}]}}, "taken or repeated: log_nfl"),
        ({"population": {"eligibility": ["log_nfl > 4"]}}, "A biomarker of the trial is known once population.screened names it"),
        ({"population": {"screened": ["log_nfl"], "eligibility": ["log_nfl == 'high'"]}}, "holds numbers"),
    ],
)
def test_impossible_screening_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode(TrialSettings, SCREENED | change)
    assert said in str(caught.value)
