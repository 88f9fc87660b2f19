"""Words and conditions as covariates: against indicators made by hand, with levels that a trial lacks, and after minimisation."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from alsmodel.study.methods import assumption_words
from alsmodel.trials import (
    MMRM,
    Alternating,
    Cox,
    Effect,
    FixedBounds,
    Holm,
    JointRank,
    LogRank,
    Look,
    Minimisation,
    NamedTruth,
    ParallelDesign,
    Phenotype,
    Population,
    RandomSlope,
    Recruitment,
    Trial,
    Win,
    simulate,
)
from alsmodel.trials.analyses import AbstractAnalysis, TrialData
from alsmodel.trials.conditions import Categories
from alsmodel.trials.estimands import true_values
from alsmodel.trials.indicators import analysed
from alsmodel.trials.sequential import GroupSequential
from alsmodel.trials.settings import TrialSettings

LEVELS = ("A", "B", "C")


def trials(count: int = 30, n: int = 24, rare: float = 0.05) -> TrialData:
    """Small trials at three sites, of which one has hardly anybody, and of which the scores depend on site and age."""
    rng = np.random.default_rng(8)
    months = np.array([0.0, 3.0, 6.0, 9.0])
    codes = rng.choice(3, (count, n), p=[0.5 - rare / 2, 0.5 - rare / 2, rare])
    age = rng.normal(60, 10, (count, n))
    slope = -1.0 + 0.4 * codes + rng.normal(0, 0.4, (count, n))
    scores = 38 + 2.0 * codes + rng.normal(0, 3, (count, n)) + rng.normal(0, 1.5, (4, count, n)) + slope * months[:, None, None]
    return TrialData(
        months=months,
        scores=np.ascontiguousarray(np.moveaxis(scores, 0, 2)),
        arm=np.tile(np.arange(n) % 2, (count, 1)),
        event_time=np.full((count, n), 9.0),
        event=np.zeros((count, n), dtype=np.int64),
        columns={"site": Categories(codes, LEVELS), "age": age},
    )


@pytest.mark.parametrize("analysis", [RandomSlope(), MMRM(df_method="satterthwaite")], ids=["random slope", "MMRM"])
def test_factor_and_condition_are_the_indicators_that_anybody_would_make(analysis: AbstractAnalysis) -> None:
    data = trials()
    found = analysed(replace(analysis, covariates=("site", "age > 60", "age")), data)  # type: ignore[type-var]
    lacking = 0
    for r in range(data.scores.shape[0]):
        site, age = data.columns["site"].codes[r], data.columns["age"][r]  # type: ignore[union-attr]
        present = np.unique(site)
        lacking += present.size < 3
        made = {f"is {k}": (site == k).astype(float) for k in present[:-1]}  # another level left out than the most frequent
        one = replace(data.take(np.array([r])), columns={k: v[None] for k, v in {**made, "old": (age > 60) + 0.0, "age": age}.items()})
        expected = replace(analysis, covariates=(*made, "old", "age")).analyse(one)  # type: ignore[type-var]
        for name in ("estimate", "standard_error", "df", "p_value"):
            # The same fit in other coordinates.
            np.testing.assert_allclose(getattr(found, name)[r], getattr(expected, name)[0], rtol=2e-4, err_msg=name)
        assert found.status is not None
        assert expected.status is not None
        assert found.status[r] == expected.status[0]
    assert 3 < lacking < 27
    assert not found.failed.any()


def test_a_trial_s_result_is_its_own() -> None:
    data = trials(12)
    analysis = RandomSlope(covariates=("site",))
    together = analysed(analysis, data)
    for r in range(12):
        alone = analysed(analysis, data.take(np.array([r])))
        assert together.estimate[r] == alone.estimate[0]
        assert together.p_value[r] == alone.p_value[0]
        assert together.status is not None
        assert alone.status is not None
        assert together.status[r] == alone.status[0]


def test_numbers_alone_go_straight_to_the_estimator() -> None:
    data, analysis = trials(5), RandomSlope(covariates=("age",))
    assert np.array_equal(analysed(analysis, data).estimate, analysis.analyse(data).estimate)


DESIGN = ParallelDesign(
    visits=(0.0, 3.0, 6.0), duration=6.0, dropout_per_month=0.0, missing_visit_probability=0.0,
    randomisation=Minimisation(factors=("phenotype",), probability=0.9),
)  # fmt: skip
FAST_AND_SLOW = Population(
    phenotypes=(Phenotype(name="slow", share=0.5, slope=0.5), Phenotype(name="fast", share=0.5, slope=-0.5)),
)


def test_after_minimisation_the_adjusted_analysis_keeps_alpha_and_the_plain_one_is_conservative() -> None:
    trial = Trial(
        truth=NamedTruth(slope_sd=0.3), population=FAST_AND_SLOW, design=DESIGN, effects=(Effect(name="none"),), n_per_arm=(30,),
        analyses=(RandomSlope(covariates=("phenotype",)), RandomSlope()), replicates=2000, seed=20261130,
    )  # fmt: skip
    table = simulate(trial).table
    adjusted, plain = (table.filter(table["analysis"] == each.label)["power"][0] for each in trial.analyses)
    mcse = np.sqrt(0.05 * 0.95 / 2000)
    assert abs(adjusted - 0.05) < 3 * mcse
    assert plain < 0.05 - 6 * mcse


def test_the_site_is_adjusted_for_and_twins_who_have_none_give_the_true_value(tmp_path: Path) -> None:
    design = replace(DESIGN, recruitment=Recruitment(sites=3), randomisation=Minimisation(factors=("site",)))
    by_site = (RandomSlope(covariates=("site",)), MMRM(covariates=("site == 'site 1'",)), LogRank(strata=("site",)))
    analyses = (*by_site, RandomSlope(), MMRM(), LogRank())
    effect = Effect(name="a third", slowing=0.33)
    trial = Trial(truth=NamedTruth(hazard=(0.05,)), design=design, effects=(effect,), n_per_arm=(40,), analyses=analyses, replicates=100)
    assert simulate(trial).table["failures"].to_list() == [0] * 6
    true = true_values(trial.scenarios[0], tmp_path, 2000).values
    assert set(true) == {analysis.label for analysis in analyses}
    for adjusted, alone in zip(by_site, analyses[3:], strict=True):
        assert np.array_equal(true[adjusted.label], true[alone.label])


def test_words_are_covariates_only_of_analyses_without_strata() -> None:
    common = {"truth": NamedTruth(), "population": FAST_AND_SLOW, "design": DESIGN, "effects": (Effect(name="none"),), "n_per_arm": (30,)}
    Trial(analyses=(RandomSlope(covariates=("phenotype == 'fast'",)),), **common)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"covariate 'phenotype' holds words; name it, or a condition, in strata instead\."):
        Trial(analyses=(Cox(covariates=("phenotype",)),), **common)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"covariate .*phenotipe is not known\. Did you mean phenotype\?"):
        Trial(analyses=(RandomSlope(covariates=("phenotipe",)),), **common)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"covariate .*phenotype is never 'quick'"):
        Trial(analyses=(MMRM(covariates=("phenotype == 'quick'",)),), **common)  # type: ignore[arg-type]


def test_words_name_the_analyses_that_leave_a_balanced_factor_out_and_the_boundaries_that_assume() -> None:
    looks = (Look(at=0.5, when="followed", after=3.0),)
    design = replace(DESIGN, recruitment=Recruitment(), looks=looks, boundary=FixedBounds(efficacy=(3.0, 2.0)))
    analyses = (Win(), RandomSlope(), RandomSlope(covariates=("phenotype",), arm_main_effect=True))
    settings = TrialSettings(truth=NamedTruth(), population=FAST_AND_SLOW, n_per_arm=(30,), design=design, analyses=analyses)
    said = assumption_words(settings)
    assert [sentence.split(" does not adjust")[0].rpartition("for which ")[2] for sentence in said[:-1]] == ["win ratio", "random slope"]
    assert said[-1].startswith("1/SE² of win ratio is not its information at looks: increments by it are correlated by up to -0.")
    assert "docs/evidence/increments.md" in said[-1]
    assert said[-1].endswith("alsmodel.trials.planned_fractions finds them.")
    plain = replace(settings, analyses=(RandomSlope(covariates=("phenotype",)),))
    (shown,) = assumption_words(plain)
    assert "increments of random slope, adjusted for phenotype for independent, as they are by simulation: type I error 0.0" in shown
    assert assumption_words(replace(plain, design=replace(design, looks=(), boundary=None))) == []
    imputed = replace(settings, analyses=(JointRank(imputations=20, covariates=("delta_frs",), strata=("phenotype",)),))
    assert "which no simulation has shown" in assumption_words(imputed)[-1]


def test_words_are_of_every_hypothesis_that_decides() -> None:
    looks = (Look(at=0.5, when="followed", after=3.0),)
    design = replace(DESIGN, randomisation=Alternating(), recruitment=Recruitment(), looks=looks, sequential=GroupSequential(alpha=0.025))
    analyses = (RandomSlope(), LogRank(), JointRank())
    family = Holm(hypotheses=("random slope", "joint rank"))
    settings = TrialSettings(
        truth=NamedTruth(), n_per_arm=(30,), design=design, analyses=analyses, multiplicity=family, alpha=0.025, side="one-sided"
    )
    said = assumption_words(settings)
    assert ["random slope" in said[0], "joint rank" in said[1]] == [True, True]
    assert len(said) == 2
