"""The [trial] section of a study file."""

import pytest

from alsmodel.errors import InvalidInput
from alsmodel.settings import decode, encode
from alsmodel.trials import Decision, Effect, LogRank, NamedTruth, ParallelDesign, RandomSlope, TrialSettings, build

SECTION = {
    "truth": {"kind": "named", "slope_mean": -0.9},
    "design": {"visits": [0, 3, 6], "duration": 6, "allocation": [1, 2], "dropout_per_month": 0.01},
    "analyses": [{"kind": "random_slope"}, {"kind": "log_rank", "method": "cox"}],
    "n_per_arm": [40, 80],
    "effects": [{"name": "null"}, {"name": "slower", "slowing": 0.25, "hazard_ratio": 0.8}],
    "replicates": 100,
    "alpha": 0.025,
    "side": "one-sided",
}


def test_section_becomes_a_trial():
    settings = decode(TrialSettings, SECTION)
    trial = build(settings, None, seed=7)
    assert trial.truth == NamedTruth(slope_mean=-0.9)
    assert trial.analyses == (RandomSlope(), LogRank(method="cox"))
    assert trial.effects[1] == Effect(name="slower", slowing=0.25, hazard_ratio=0.8)
    assert trial.decision == Decision(alpha=0.025, side="one-sided")
    assert trial.seed == 7
    assert [s.name for s in trial.scenarios] == [f"{e}, {n} per arm" for e in ("null", "slower") for n in (40, 80)]


def test_settings_survive_writing_and_reading():
    settings = decode(TrialSettings, SECTION)
    assert decode(TrialSettings, encode(settings)) == settings
    assert decode(TrialSettings, encode(TrialSettings())) == TrialSettings()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"truth": {"kind": "named", "slop_mean": -1.0}}, "slope_mean"),
        ({"truth": {"kind": "made_up"}}, "posterior"),
        ({"analyses": [{"kind": "log_rnk"}]}, "log_rank"),
        ({"alpha": 5}, "between 0 and 0.5"),
        ({"side": "both"}, "two-sided"),
        ({"n_per_arm": [40, 40]}, "repeats a size"),
        ({"n_per_arm": []}, "n_per_arm is empty"),
        ({"n_per_arm": [2]}, "at least 4"),
        ({"effects": [{"name": "a"}, {"name": "a"}]}, "share a name"),
        ({"effects": [{"name": "a", "slowing": 25}]}, "Write 25% as 0.25"),
        ({"effects": [{"name": "a", "slowing": 0.2, "points_per_month": 0.2}]}, "twice"),
        ({"effects": [{"name": "a", "hazard_ratio": 0}]}, "above 0"),
        ({"design": {"visits": [0, 6, 9], "duration": 6}}, "Lengthen duration"),
        ({"design": {"allocation": [1, 0]}}, "at least one participant per arm"),
        ({"design": {"dropout_per_month": 2}}, "Write 2% as 0.02"),
        ({"replicates": 0}, "replicates must be at least 1"),
    ],
)
def test_faults_name_the_setting_and_the_remedy(change, said):
    with pytest.raises(InvalidInput) as caught:
        decode(TrialSettings, SECTION | change, where="study.toml")
    assert said in str(caught.value)


def test_sizes_must_fill_blocks():
    with pytest.raises(ValueError, match=r"multiple of 2 under allocation 2:3; got 41\. Use 40"):
        ParallelDesign(allocation=(2, 3)).randomised(41)


def test_posterior_truth_needs_a_fit():
    with pytest.raises(ValueError, match="Fit first"):
        build(TrialSettings(), None, seed=1)


def test_everything_wrong_with_a_trial_is_said_at_once():
    wrong = {
        "alpha": 0.9,
        "n_per_arm": [40, 0],
        "replicates": 0,
        "design": {"dropout_per_month": 2},
        "effects": [{"name": "a", "slowing": 25}],
    }
    with pytest.raises(InvalidInput) as caught:
        decode(TrialSettings, SECTION | wrong)
    said = str(caught.value)
    for part in ("alpha is a significance level", "n_per_arm[1]: n_per_arm must be", "replicates must be", "2% as 0.02", "25% as 0.25"):
        assert part in said
    assert len(caught.value.faults) == 5
    with pytest.raises(ValueError, match=r"repeats a size.*alpha is a significance level"):
        TrialSettings(alpha=0.9, n_per_arm=(40, 40))
