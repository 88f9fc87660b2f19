"""Assurance against closed forms, its Monte Carlo error, how trials end, and the effect of a fit."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from scipy.stats import nct, norm, t

from alsmodel.errors import InvalidInput
from alsmodel.settings import decode, encode
from alsmodel.trials import (
    ANCOVA,
    Decision,
    Effect,
    EffectDraws,
    EffectPrior,
    FixedBounds,
    Holm,
    LogRank,
    Look,
    NamedTruth,
    ParallelDesign,
    PosteriorTruth,
    Recruitment,
    Trial,
    TrialSettings,
    assurance,
    build,
)
from alsmodel.trials.assuring import CAUSES, _mean

TRUTH = NamedTruth(hazard=(1e-12,), association_value=0.0, slope_skew=0.0, intercept_sd=1e-6, correlation=0.0)
TRIAL = Trial(
    truth=TRUTH,
    design=ParallelDesign(visits=(0.0, 6.0), duration=6.0, dropout_per_month=0.0, missing_visit_probability=0.0),
    analyses=(ANCOVA(),),
    decision=Decision(alpha=0.025, side="one-sided"),
    n_per_arm=(40, 80),
    effects=(Effect(name="like"),),
    replicates=1000,
    seed=91,
)
PRIOR = EffectPrior(slowing_mean=0.3, slowing_sd=0.2, strata=12)


@pytest.fixture(scope="module")
def found():
    return assurance(TRIAL, PRIOR)


def standard_error(n):
    """SE of the change adjusted for baseline; with hardly any spread of the level, baseline says nothing beyond its own error."""
    variance = (TRUTH.slope_sd * 6) ** 2 + TRUTH.residual_sd**2
    return np.sqrt(2 * variance / n)


def test_power_along_the_effect_and_its_average_are_the_closed_form(found):
    for n in (40, 80):
        rows, df = found.strata.filter(pl.col("n_per_arm") == n), 2 * n - 3
        exact = nct.sf(t.ppf(0.975, df), df, rows["slowing"].to_numpy() * -TRUTH.slope_mean * 6 / standard_error(n))
        # Seed fixed beforehand; 3.5 errors for the largest of twelve.
        assert (np.abs(rows["power"].to_numpy() - exact) < 3.5 * rows["mcse"].to_numpy()).all()
        row = found.table.row(by_predicate=pl.col("n_per_arm") == n, named=True)
        assert row["assurance"] == pytest.approx(rows["power"].mean(), rel=1e-12)
        assert abs(row["assurance"] - exact.mean()) < 3 * row["mcse"]
        # Normal prior, normal estimate: O'Hagan and others 2005. Twelve strata and the t distribution are allowed 0.01.
        ratio = 0.2 * -TRUTH.slope_mean * 6 / standard_error(n)
        normal = norm.cdf((1.5 * ratio - norm.ppf(0.975)) / np.sqrt(1 + ratio**2))
        assert row["assurance"] == pytest.approx(normal, abs=3 * row["mcse"] + 0.01)
        assert row["true_benefit"] == pytest.approx(norm.cdf(1.5), abs=1 / 12)
        assert row["success_and_benefit"] <= row["assurance"]


def test_assurance_is_not_the_power_at_the_mean_effect(found):
    at_mean = nct.sf(t.ppf(0.975, 157), 157, 0.3 * -TRUTH.slope_mean * 6 / standard_error(80))
    assert found.table["assurance"][1] < at_mean - 5 * found.table["mcse"][1]


@pytest.mark.parametrize("shared", [True, False])
def test_its_monte_carlo_error_is_the_spread_over_runs(shared):
    rng, power = np.random.default_rng(3), np.linspace(0.1, 0.9, 8)
    # Under shared participants who succeeds under a small effect succeeds under a larger one.
    runs = [rng.uniform(size=(1 if shared else 8, 200)) < power[:, None] for _ in range(800)]
    means, errors = np.array([_mean(hits, shared) for hits in runs]).T
    # The SD of 800 has a relative error of 2.5%.
    assert errors.mean() == pytest.approx(means.std(ddof=1), rel=0.1)
    if shared:  # taken as independent they would claim a smaller error
        assert np.mean([_mean(hits, False)[1] for hits in runs[:50]]) < 0.6 * errors.mean()


def test_how_trials_end_is_told_in_full():
    design = replace(
        TRIAL.design,
        recruitment=Recruitment(per_month=(20.0,)),
        looks=(Look(when="followed", at=0.5, after=6.0),),
        boundary=FixedBounds(efficacy=(2.8, 1.98), futility=(0.0,)),
    )
    found = assurance(replace(TRIAL, design=design, replicates=300), PRIOR)
    for (_, _), part in found.causes.group_by("n_per_arm", "analysis"):
        assert part["cause"].to_list() == list(CAUSES)
        assert part["share"].sum() == pytest.approx(1.0, abs=1e-12)
        shares = dict(zip(part["cause"], part["share"], strict=True))
        assert min(shares["success at an interim look"], shares["success at the end"], shares["stopped for futility"]) > 0.02
    both = (
        found.causes.filter(pl.col("cause").str.starts_with("success"))
        .group_by("n_per_arm", maintain_order=True)
        .agg(pl.col("share").sum())
    )
    assert both["share"].to_list() == pytest.approx(found.table["assurance"].to_list())


def test_a_family_counts_rejections_after_adjustment():
    two = replace(TRIAL, analyses=(ANCOVA(), LogRank()), replicates=200, n_per_arm=(40,))
    alone, adjusted = (assurance(replace(two, multiplicity=m), PRIOR).table for m in (None, Holm()))
    # Nobody dies, so the log-rank test fails and Holm halves alpha for the other.
    assert adjusted["assurance"][0] < alone["assurance"][0]
    assert alone["assurance"][1] == 0


def posterior(draws, seed=5):
    rng = np.random.default_rng(seed)
    ones = np.ones(draws)
    return PosteriorTruth(
        intercept=np.full((draws, 6), 36.0),
        slope=np.repeat(rng.normal(-1.0, 0.1, (draws, 1)), 6, axis=1),
        log_hazard=np.zeros((draws, 6)),
        random_cholesky=np.tile(np.diag([1e-6, 0.76]), (draws, 1, 1)),
        residual_sd=1.77 * ones,
        knots=np.array([0.0, np.inf]),
        log_baseline_hazard=np.full((draws, 1), -27.0),
        association_value=0 * ones,
        association_slope=0 * ones,
    )


def test_draws_of_a_fit_keep_their_population():
    truth = posterior(60)
    slowing = np.random.default_rng(6).normal(0.3, 0.2, 60)
    effect = EffectDraws(slowing=slowing, log_hazard_ratio=np.zeros(60), truth=truth, strata=6)
    found = assurance(replace(TRIAL, truth=truth, n_per_arm=(40,), replicates=400), effect)
    assert found.strata["slowing"].to_list() == pytest.approx([np.sort(slowing)[10 * k : 10 * k + 10].mean() for k in range(6)])
    slopes = [truth.slope[group, 0] for group in effect.groups()]
    exact = [
        nct.sf(t.ppf(0.975, 77), 77, -s * mean * 6 / np.sqrt(2 * ((0.76 * 6) ** 2 + 1.77**2) / 40)).mean()
        for s, mean in zip(slopes, found.strata["slowing"], strict=True)
    ]
    assert found.table["assurance"][0] == pytest.approx(np.mean(exact), abs=3 * found.table["mcse"][0])


def fake_fit(**drug):
    shared = {"name": "drug", "source": "arm", "score": "clock", "hazard": "ratio", "hazard_periods": (), "by": None}
    rng = np.random.default_rng(7)
    draws = {"theta:drug": rng.normal(-0.3, 0.1, (2, 50)), "hazard:drug": rng.normal(-0.2, 0.1, (2, 50))}
    chosen = np.random.default_rng([1, 2]).choice(100, size=40, replace=False)
    truth = posterior(100)
    population = {name: value for name, value in vars(truth.some(chosen)).items() if not name.startswith(("bend", "further", "known", "_"))}
    spec = SimpleNamespace(treatments=(SimpleNamespace(**shared | drug),), causes=(), decline=SimpleNamespace(kind="linear"), bends=())
    return SimpleNamespace(spec=spec, draws=draws, population=lambda n, seed: population), chosen


def test_the_effect_of_a_fit_comes_with_the_population_of_the_same_draws():
    fit, chosen = fake_fit()
    effect = EffectDraws.of(fit, "drug", draws=40, seed=1)
    np.testing.assert_allclose(effect.slowing, 1 - np.exp(fit.draws["theta:drug"].ravel()[chosen]))
    np.testing.assert_allclose(effect.log_hazard_ratio, fit.draws["hazard:drug"].ravel()[chosen])
    np.testing.assert_array_equal(effect.truth.slope, posterior(100).slope[chosen])
    with pytest.raises(ValueError, match="association"):
        EffectDraws.of(fake_fit(source="exposure")[0], "drug", draws=40)
    with pytest.raises(ValueError, match="for everybody"):  # the common effect of levels that differ is nobody's
        EffectDraws.of(fake_fit(by="phenotype")[0], "drug", draws=40)
    with pytest.raises(ValueError, match="Known: drug"):
        EffectDraws.of(fit, "other", draws=40)


def test_correlated_priors_have_their_correlation():
    slowing, ratio = EffectPrior(
        slowing_mean=0.2, slowing_sd=0.1, log_hazard_ratio_mean=-0.2, log_hazard_ratio_sd=0.2, correlation=-0.6, strata=50
    ).values()
    # Fifty scattered points: an even spread, not a random one.
    assert np.corrcoef(slowing, ratio)[0, 1] == pytest.approx(-0.6, abs=0.05)
    assert (slowing.mean(), ratio.mean()) == (pytest.approx(0.2, abs=0.002), pytest.approx(-0.2, abs=0.01))
    assert ratio.std() == pytest.approx(0.2, rel=0.08)  # medians of strata lie closer together than the whole


SECTION = {"truth": {"kind": "named"}, "assurance": {"kind": "prior", "slowing_mean": 0.2, "slowing_sd": 0.1}}


def test_a_study_file_says_the_same():
    settings = decode(TrialSettings, SECTION)
    assert decode(TrialSettings, encode(settings)) == settings
    assert settings.assurance == EffectPrior(slowing_mean=0.2, slowing_sd=0.1)
    assert build(settings, None, 1).truth == NamedTruth()
    with pytest.raises(InvalidInput, match="without an SD is known"):
        decode(TrialSettings, SECTION | {"assurance": {"kind": "prior", "slowing_mean": 0.2}})


def test_the_command_says_it(tmp_path, monkeypatch):
    import json

    from typer.testing import CliRunner

    from alsmodel.cli.main import app

    study = tmp_path / "study.toml"
    study.write_text(
        'title = "t"\nquestion = "q"\n[data]\nformat = "proact"\nfolder = "data"\n[estimand]\npopulation = "p"\nvariable = "v"\n'
        'summary = "s"\nintercurrent_events = [{ event = "death", strategy = "part" }]\n[trial]\nn_per_arm = [12]\nreplicates = 40\n'
        'analyses = [{ kind = "ancova" }]\n[trial.truth]\nkind = "named"\n[trial.assurance]\nkind = "prior"\nslowing_mean = 0.3\n'
        "slowing_sd = 0.2\nstrata = 4\n"
    )
    told = CliRunner().invoke(app, ["assurance", str(study), "--out", str(tmp_path / "run"), "--workers", "1", "--json"])
    assert told.exit_code == 0, told.output
    shown = json.loads(told.stdout)
    assert len(shown["strata"]) == 4
    assert (tmp_path / "run" / "assurance" / "assurance_causes.parquet").exists()
