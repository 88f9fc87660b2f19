"""The [trial] section of a study file."""

from contextlib import nullcontext

import numpy as np
import pytest
from scipy import stats

from alsmodel.errors import InvalidInput
from alsmodel.settings import decode, encode
from alsmodel.study.methods import assumption_words
from alsmodel.trials import Decision, Effect, LogRank, NamedTruth, ParallelDesign, RandomSlope, Recruitment, TrialSettings, build
from alsmodel.trials.looks import latest_end

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


LATE = {"when": "followed", "at": 0.5, "after": 24.0}
MONTH_60 = {"kind": "blinded_variance", "planned_sd": 5.0, "look": {"when": "month", "at": 60}}
LOOK = {"recruitment": {"per_month": [10.0]}, "looks": [{"when": "followed", "at": 0.5, "after": 6.0}]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"design": {"allocation": [1, 0]}}, "at least one participant per arm"),
        ({"design": {"allocation": [2]}}, "at least two arms"),
        ({"design": LOOK | {"looks": [{"when": "followed", "at": 0.5}], "sequential": {}}}, "a look before anyone is followed"),
        ({"design": LOOK | {"looks": [{"when": "enrolled", "at": 0.0}], "sequential": {}}}, "between 0 and 1"),
        ({"design": LOOK | {"sequential": {"alpha": 0.1}}}, "above the trial's alpha of 0.025 one-sided"),
        ({"design": LOOK | {"sequential": {"alpha": 0.06, "side": "two-sided"}}}, "spends 0.06 two-sided, above the trial's alpha"),
        ({"design": LOOK | {"sequential": {"efficacy": {"kind": "haybittle_peto", "z": 1.5}}}}, "more than alpha"),
        (
            {"design": LOOK | {"sequential": {"efficacy": {"kind": "user_spending", "fractions": [0.5, 1.0], "shares": [0.5, 1.2]}}}},
            "the last fraction and share must be 1",
        ),
        ({"design": LOOK | {"looks": [{"when": "followed", "at": 0.5, "after": 18.0}], "sequential": {}}}, "nobody is followed for longer"),
        ({"design": LOOK | {"looks": [{"when": "month", "at": 0.05}], "sequential": {}}}, "first participant is expected in month 0.1"),
        (
            {"design": LOOK | {"looks": [{"when": "enrolled", "at": 0.001}], "sequential": {}}},
            "1 of 160 participants, fewer than the 2 arms",
        ),
        (
            {"design": LOOK | {"looks": [{"when": "events", "at": 300}], "sequential": {}}},
            "300 events is never reached by 160 participants",
        ),
        (
            {"design": LOOK | {"looks": [{"when": "month", "at": 60}], "sequential": {}}},
            "design.looks: a look in month 60 is never reached, since a trial of 80 per arm has ended by month 34.",
        ),
        (
            {"design": {"recruitment": {"per_month": [10.0]}, "reestimation": MONTH_60}},
            "design.reestimation.look: a look in month 60 is never reached",
        ),
        ({"design": LOOK | {"looks": [{"when": "events", "at": 3.5}], "sequential": {}}}, "a whole number of events"),
        (
            {"design": LOOK | {"looks": [{"when": "month", "at": 4, "after": 2.0}], "sequential": {}}},
            "after is months of follow-up, for looks",
        ),
        (
            {
                "design": LOOK
                | {"looks": [{"when": "month", "at": 6}, {"when": "month", "at": 4}], "sequential": {"fractions": [0.4, 0.7, 1.0]}}
            },
            "a look in month 4 follows a look in month 6 and is no later",
        ),
        (
            {"design": LOOK | {"boundary": {"kind": "fixed", "efficacy": [2.8, 1.6]}}},
            "efficacy 1.6 alone claims more often than alpha 0.025",
        ),
        ({"design": LOOK | {"boundary": {"kind": "fixed", "efficacy": [1.2, 1.98], "futility": [0.0]}}}, "efficacy 1.2 alone claims"),
        ({"effects": [{"name": "a", "slowing": 0.2, "from_month": 12.0}]}, "the follow-up ends at 6"),
        (
            {"design": LOOK | {"looks": [], "reestimation": {"kind": "blinded_variance", "planned_sd": 5.0, "look": LATE}}},
            "0.5 followed for 24 months: nobody is followed for longer",
        ),
        ({"truth": {"kind": "posterior"}, "population": {"phenotypes": [{"name": "a", "share": 1.0}]}}, "a fitted model brings its own"),
        ({"truth": {"kind": "named", "hazard": [], "hazard_knots": []}}, "hazard is events per month"),
        ({"population": {"eligibility": ["(" * 3000 + "delta_frs > 1" + ")" * 3000]}}, "Write it flatter"),
        ({"population": {"eligibility": ["tricals < -3"]}}, "It needs the covariates age_at_onset"),
        ({"population": {"phenotypes": [{"name": "a", "share": 1.0, "slope": float("inf")}]}}, "slope must be finite; got inf"),
        ({"analyses": [{"kind": "log_rank", "strata": ["site"]}]}, "Sites are there with [trial.design.recruitment]"),
        ({"analyses": [{"kind": "log_rank", "strata": ["phenotpye"]}]}, "Did you mean phenotype? It is there with"),
        ({"analyses": [{"kind": "mmrm", "covariates": ["delta_fs"]}]}, "Did you mean delta_frs?"),
        ({"design": {"visits": [0, 6, 18], "duration": 12}}, "Lengthen duration"),
        ({"design": {"duration": float("nan")}}, "got nan"),
        ({"design": {"duration": float("inf")}}, "duration is months of follow-up"),
        ({"effects": [{"name": "a", "points_per_month": float("inf")}]}, "finite"),
        ({"population": {"eligibility": ["delta_fsr > 1"]}}, "Did you mean delta_frs?"),
        ({"population": {"eligibility": ["__import__('os')"]}}, "eligibility"),
        ({"analyses": [{"kind": "log_rank", "strata": ["delta_fsr > 1"]}]}, "Did you mean delta_frs?"),
    ],
)
def test_an_impossible_design_is_refused_when_it_is_read(change, said):
    with pytest.raises(InvalidInput) as caught:
        decode(TrialSettings, SECTION | {"alpha": 0.025, "side": "one-sided"} | change)
    assert said in str(caught.value)


def test_what_is_wrong_is_not_said_twice_in_other_words():
    def said(change):
        with pytest.raises(InvalidInput) as caught:
            decode(TrialSettings, SECTION | change)
        return str(caught.value)

    assert "visit_window_days" not in said({"design": {"visits": [6, 3, 0], "duration": 6}})
    assert "active arms 1 to" not in said({"design": {"allocation": [1]}})
    both = said({"effects": [{"name": "a", "slowing": 25, "hazard_ratio": 0, "from_month": -3}]})
    assert all(word in both for word in ("Write 25% as 0.25", "hazard_ratio must be above 0", "from_month is months after"))


def test_looks_in_their_order_and_bounds_of_alpha_are_no_fault():
    looks = [
        {"when": "enrolled", "at": 0.3},
        {"when": "enrolled", "at": 0.6},
        {"when": "followed", "at": 0.5, "after": 3.0},
        {"when": "followed", "at": 0.3, "after": 6.0},
    ]
    design = LOOK | {"looks": looks, "boundary": {"kind": "fixed", "efficacy": [1.96] * 5}}
    assert len(decode(TrialSettings, SECTION | {"design": design}).design.looks) == 4
    # Where futility binds, a later bound may be lower.
    design = LOOK | {"boundary": {"kind": "fixed", "efficacy": [2.8, 1.9], "futility": [0.5]}}
    assert decode(TrialSettings, SECTION | {"design": design}).design.boundary is not None


def test_a_look_by_month_is_refused_from_the_latest_end_on():
    # Arrivals are a Poisson process: the last of n comes at a gamma variable over the rate.
    assert latest_end(Recruitment(per_month=(10.0,)), 1, 6.0) == pytest.approx(6.0 - np.log(1e-6) / 10)
    end = stats.gamma.isf(1e-6, 160) / 10 + 12.0
    for month, refused in ((end - 0.01, False), (end + 0.01, True)):
        design = LOOK | {"looks": [{"when": "month", "at": month}], "sequential": {}}
        with pytest.raises(InvalidInput, match="never reached") if refused else nullcontext():
            decode(TrialSettings, SECTION | {"alpha": 0.025, "side": "one-sided", "design": design})


def test_a_look_that_small_trials_do_not_last_for_is_said_with_their_sizes():
    design = LOOK | {"looks": [{"when": "month", "at": 24}], "sequential": {}}
    settings = decode(TrialSettings, SECTION | {"n_per_arm": [10, 80, 20], "alpha": 0.025, "side": "one-sided", "design": design})
    assert (stats.gamma.isf(1e-6, [20, 40, 160]) / 10 + 12.0 <= 24).tolist() == [True, True, False]
    (said,) = (sentence for sentence in assumption_words(settings) if "never reached" in sentence)
    assert said.startswith("A look in month 24 is never reached with 10 or 20 per arm")


def test_a_pause_of_recruitment_before_the_size_is_set_anew_counts():
    more = {"kind": "blinded_variance", "planned_sd": 5.0, "most": 2.0, "look": {"when": "followed", "at": 1.0, "after": 3.0}}
    common = LOOK | {"sequential": {}, "information": {"maximum": 30.0}, "reestimation": more}
    # 160 participants who may become 320: arrivals of 320, the wait before the second half, and the follow-up.
    end = stats.gamma.isf(1e-6, 320) / 10 + 2 * 12.0
    for month, refused in ((end - 0.01, False), (end + 0.01, True)):
        design = common | {"looks": [{"when": "month", "at": month}]}
        with pytest.raises(InvalidInput, match="never reached") if refused else nullcontext():
            decode(TrialSettings, SECTION | {"alpha": 0.025, "side": "one-sided", "design": design})


def test_what_spends_as_much_as_alpha_is_no_fault():
    for sequential in ({"alpha": 0.025}, {"alpha": 0.05, "side": "two-sided"}, {"alpha": 0.01}):
        settings = decode(TrialSettings, SECTION | {"alpha": 0.05, "side": "two-sided", "design": LOOK | {"sequential": sequential}})
        assert settings.design.sequential is not None


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


def refused(section):
    with pytest.raises(InvalidInput) as caught:
        decode(TrialSettings, section)
    return [f"{fault.message} {fault.remedy}" for fault in caught.value.faults]


FOUR_SECTIONS = {
    "truth": {"kind": "named", "slope_sd": -1.0},
    "intercurrent": [{"name": "rescue", "hazard": -0.1}],
    "design": {"visits": [0, 3, 6], "duration": 6, "dropout_per_month": 2, "phone_visitz": [3]},
    "analyses": [{"kind": "mmrm", "strategies": {"rescue": "composite"}}, {"kind": "log_rank", "until": 9.0}],
    "multiplicity": {"kind": "holm", "hypotheses": ["MMRM, composite for rescue", "log-rnk"]},
    "axes": {"design.dropout_per_mnth": [0.1]},
    "n_per_arm": [40, 41],
}
SAID = (
    "slope_sd and slope_skew must not be negative",
    "hazard is events per month, above 0; got -0.1",
    "Write 2% as 0.02",
    "design.phone_visitz is not a known setting",
    "MMRM, composite for rescue cannot express 'composite' for rescue",
    "until lies within the follow-up of 6 months",
    "'log-rnk' is not the name of an analysis",
    "dropout_per_mnth is not a setting. Did you mean dropout_per_month?",
)


def test_faults_inside_sections_do_not_hide_those_between_them():
    said = refused(FOUR_SECTIONS)
    for part in SAID:
        assert sum(part in message for message in said) == 1, part
    assert len(said) == len(SAID)


def test_mending_a_fault_uncovers_no_other():
    mended = FOUR_SECTIONS | {"truth": {"kind": "named"}, "intercurrent": [{"name": "rescue", "hazard": 0.1}]}
    before, after = (set(refused(section)) for section in (FOUR_SECTIONS, mended))
    # A class whose sections are all possible says everything in one breath.
    assert {part for part in SAID[2:] if not any(part in message for message in after)} == set()
    assert len(before) == len(SAID)


def test_a_value_that_cannot_be_read_ends_only_the_checks_that_need_it():
    unreadable = FOUR_SECTIONS | {"design": {"visits": "monthly", "duration": 6, "allocation": [1, 0]}}
    said = " ".join(refused(unreadable))
    assert "design.visits: expected" in said
    assert "allocation needs at least two arms" in said
    assert "cannot express 'composite'" in said
    assert "until lies" not in said  # hangs on the visits, which nobody knows
    unknown = FOUR_SECTIONS | {"analyses": [{"kind": "log_rnk"}], "effects": [{"name": "a", "hazard_ratio_of": {"rescu": 0.5}}]}
    said = " ".join(refused(unknown))
    assert "Did you mean 'log_rank'?" in said
    assert "Did you mean rescue?" in said
    assert "is not the name of an analysis" not in said


def test_a_misspelt_analysis_does_not_hide_what_is_wrong_with_the_family():
    family = {
        "truth": {"kind": "named"},
        "alpha": 0.025,
        "side": "one-sided",
        "design": {
            "recruitment": {"per_month": [10.0]},
            "looks": [{"when": "followed", "at": 0.5, "after": 6.0}],
            "sequential": {"fractions": [0.5, 1.0], "side": "two-sided"},
        },
        "analyses": [{"kind": "random_slope"}, {"kind": "log_rnk"}],
        "multiplicity": {
            "kind": "graph", "weights": [1.0], "transitions": [[0.0]], "looks": {"own": {"random slope": {"fractions": [1.0]}}},
        },
    }  # fmt: skip
    said = " ".join(refused(family))
    for part in ("Did you mean 'log_rank'?", "the same alpha and the same side", "one per look and the last", "1 weights for 2 hypotheses"):
        assert said.count(part) == 1, part
    # Neither does a family that cannot be read, nor a level.
    assert "Did you mean 'holm'?" in " ".join(refused(family | {"multiplicity": {"kind": "hlm"}}))
    assert "between 0 and 0.5" in " ".join(refused(family | {"alpha": 2.0}))


def test_nothing_is_found_in_what_is_right():
    from alsmodel.settings.reading import undecided
    from alsmodel.settings.salvage import hidden

    assert list(hidden(undecided(TrialSettings, SECTION))) == []
    assert undecided(TrialSettings, SECTION) == decode(TrialSettings, SECTION)
