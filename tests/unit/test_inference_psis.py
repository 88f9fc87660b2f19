"""Weighted draws around the mode: the smoothing, the draws, and the fit that is made of them."""

import runpy
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import arviz_stats.base as azb
import numpy as np
import polars as pl
import pytest
from scipy import stats

from alsmodel.cohort.arrays import JointData, joint_data
from alsmodel.cohort.selection import Covariate
from alsmodel.estimators.laplace import BLOCK, Weighted, function_ess, proposal, weighted_draws
from alsmodel.estimators.psis import highest_k_hat, kish, normalised, pareto_quantile, resample, smooth, weighted_quantile
from alsmodel.inference import Fit, Sampling, fit_data
from alsmodel.inference import fit as fit_function
from alsmodel.inference.checks import importance_gate
from alsmodel.inference.importance import weigh
from alsmodel.inference.mode import Mode
from alsmodel.inference.predict import survival_curve
from alsmodel.inference.refine import prepare
from alsmodel.models import JointModel, Linear, PiecewiseExponential
from alsmodel.models.program import Program

generator = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_generator.py"))))
SPEC = JointModel(
    outcome="score", decline=Linear(covariates=("arm",)), survival=PiecewiseExponential(knots=2, covariates=("arm",)),
    covariates={"arm": Covariate(reference="placebo")},
)  # fmt: skip
SHORT = Sampling(chains=2, draws=100, tune=50, cores=1)


@pytest.fixture(scope="module")
def data() -> JointData:
    return joint_data(generator.literal.cohort(generator.draw(3, 120)), SPEC.selection)


@pytest.fixture(scope="module")
def weighted_fit(data: JointData) -> Fit:
    return fit_data(SPEC, data, SHORT, seed=5, method="psis")


# Smoothing.


@pytest.mark.parametrize("size", [60, 100, 225, 226, 1000, 4000])
@pytest.mark.parametrize("shape", [0.05, 0.5, 1.5])
def test_smoothing_is_that_of_arviz(size: int, shape: float) -> None:
    ratio = np.log1p(np.random.default_rng([size, int(100 * shape)]).pareto(1 / shape, size))
    theirs, k_hat = azb.array_stats.psislw(-ratio)  # it takes log-likelihoods, and negates them
    ours = smooth(ratio)
    # The same published algorithm in the same precision: rounding only.
    assert ours.k_hat == pytest.approx(float(k_hat), abs=1e-9)
    np.testing.assert_allclose(ours.log_weight, normalised(np.asarray(theirs)), atol=1e-9)


def test_k_hat_is_the_shape_of_the_tail() -> None:
    # 300 exceedances: the SD of a shape near 0.5 is (1 + k) / sqrt(M) = 0.09, and the prior of ten pulls by 3%.
    for shape in (0.2, 0.6, 1.0):
        found = [smooth(np.log(np.random.default_rng([s, 1]).pareto(1 / shape, 10_000) + 1)).k_hat for s in range(8)]
        assert np.mean(found) == pytest.approx(shape, abs=0.1)
    # A change of sign of the ratios gives another answer, so the sign is tested.
    heavy = np.log(np.random.default_rng(1).pareto(1.0, 5000) + 1)
    assert smooth(-heavy).k_hat < 0.5 < smooth(heavy).k_hat


def test_smoothing_of_what_cannot_be_smoothed() -> None:
    assert smooth(np.zeros(100)).k_hat == np.inf
    assert smooth(np.full(100, -np.inf)).k_hat == np.inf
    assert smooth(np.zeros(100)).ess == pytest.approx(100)
    with pytest.raises(ValueError, match="at least 25"):
        smooth(np.zeros(24))
    with pytest.raises(ValueError, match="NaN"):
        smooth(np.full(100, np.nan))


def test_pieces_in_closed_form() -> None:
    assert highest_k_hat(100) == 0.5
    assert highest_k_hat(10_000) == 0.7
    assert kish(np.log([1.0, 1.0, 2.0])) == pytest.approx(16 / 6)
    at = np.array([0.1, 0.5, 0.99])
    np.testing.assert_allclose(pareto_quantile(at, 0.3, 2.0), stats.genpareto(0.3, scale=2.0).ppf(at), rtol=1e-12)
    np.testing.assert_allclose(pareto_quantile(at, 0.0, 2.0), stats.expon(scale=2.0).ppf(at), rtol=1e-12)
    values, weight = np.array([3.0, 1.0, 2.0]), np.array([0.25, 0.25, 0.5])
    np.testing.assert_allclose(weighted_quantile(values, weight, np.array([0.125, 0.5, 0.875])), [1, 2, 3])
    # Equal weights: the error of the mean is variance / S.
    assert function_ess(np.random.default_rng(1).normal(size=200), np.full(200, 1 / 200)) == pytest.approx(200)


def test_resampling_repeats_each_draw_as_its_weight_says() -> None:
    weight = np.array([0.5, 0.3, 0.2])
    counts = np.bincount(resample(np.log(weight), 100, np.random.default_rng(1)), minlength=3)
    assert (np.abs(counts - 100 * weight) < 1).all()


# Weighted draws.


def test_the_proposal_is_a_multivariate_t_in_opposite_pairs() -> None:
    z, log_density = proposal(3, 1, 0)
    np.testing.assert_array_equal(z[: BLOCK // 2], -z[BLOCK // 2 :])
    exact = stats.multivariate_t(np.zeros(3), np.eye(3), df=8).logpdf(z)
    np.testing.assert_allclose(log_density - log_density[0], exact - exact[0], atol=1e-12)
    pooled = np.concatenate([proposal(3, 1, k)[0][: BLOCK // 2, 0] for k in range(20)])
    assert stats.kstest(pooled, stats.t(8).cdf).pvalue > 0.001


def test_weighted_draws_of_a_known_density() -> None:
    # Independent log-gamma(4): mean digamma(4), variance trigamma(4); mode log 4, curvature 4.
    def evaluate(points: np.ndarray) -> np.ndarray:
        return (4 * points - np.exp(points)).sum(axis=1)

    drawn = weighted_draws(evaluate, np.full(3, np.log(4)), np.eye(3) / 2, seed=2, least_ess=4000)
    assert drawn.ess >= 4000
    assert drawn.reliable
    mean = drawn.weight @ drawn.x
    # Four standard errors of at least 4,000 draws.
    np.testing.assert_allclose(mean, 1.2561177, atol=4 * 0.53 / 4000**0.5)
    np.testing.assert_allclose(drawn.weight @ np.square(drawn.x - mean), 0.2838230, rtol=0.15)


def test_a_proposal_that_misses_the_target_is_told() -> None:
    # Negative control: a Cauchy target and a far-off one have ratios that no number of draws makes good.
    def cauchy(points: np.ndarray) -> np.ndarray:
        return -np.log1p(np.square(points)).sum(axis=1)

    bad = weighted_draws(cauchy, np.zeros(8), np.eye(8) * 0.3, seed=1, least_ess=500)
    assert not all(check.passed for check in importance_gate(bad))
    away = weighted_draws(lambda p: -0.5 * np.square(p - 6).sum(axis=1), np.zeros(4), np.eye(4), seed=1, least_ess=500)
    assert not all(check.passed for check in importance_gate(away))
    assert away.log_weight.size == 2 * BLOCK  # given up early
    nowhere = weighted_draws(lambda p: np.full(len(p), -np.inf), np.zeros(2), np.eye(2), seed=1, least_ess=500)
    assert not nowhere.reliable


def test_draws_do_not_depend_on_the_number_of_cores(data: JointData) -> None:
    prepared = prepare(SPEC, data)
    one, two = (weigh(prepared.program, prepared.mode, seed=3, cores=cores) for cores in (1, 2))
    assert np.array_equal(one.x, two.x)
    assert np.array_equal(one.log_weight, two.log_weight)
    other = weigh(prepared.program, prepared.mode, seed=4)
    assert not np.array_equal(one.x, other.x)


# The fit.


def test_a_weighted_fit_has_what_others_read(weighted_fit: Fit) -> None:
    assert weighted_fit.passed, weighted_fit.checks
    assert weighted_fit.method == weighted_fit.provenance["method"] == "psis"
    assert [check.name for check in weighted_fit.checks[:2]] == ["Pareto k-hat", "importance ESS"]
    assert weighted_fit.summary["r_hat"].is_nan().all()
    assert weighted_fit.summary["ess_bulk"].min() > 300
    assert weighted_fit.weighted is not None
    exact = weighted_fit.program.constrained(weighted_fit.weighted.x)
    place = weighted_fit.program.labels.index("association:value")
    row = weighted_fit.summary.row(by_predicate=pl.col("parameter") == "association:value", named=True)
    assert row["mean"] == pytest.approx(weighted_fit.weighted.weight @ exact[:, place], rel=1e-12)
    # Resampled draws give it with systematic resampling's error, far below that of the draws themselves.
    assert weighted_fit.flat("association:value").mean() == pytest.approx(row["mean"], abs=0.1 * row["sd"])
    assert "importance sampling" in repr(weighted_fit)
    assert weighted_fit.loglik(most=3).shape == (1, 3, 120)
    assert weighted_fit.population(20, seed=1)["slope"].shape == (20, 120)
    assert survival_curve(weighted_fit, [0.0, 6.0])["mean"][0] == 1.0


def test_both_methods_give_the_same_posterior(data: JointData, weighted_fit: Fit) -> None:
    chains = fit_data(SPEC, data, Sampling(chains=4, draws=400, tune=200), seed=5, method="nuts")
    for one, two in zip(weighted_fit.summary.iter_rows(named=True), chains.summary.iter_rows(named=True), strict=True):
        assert one["parameter"] == two["parameter"]
        # Four and a half Monte Carlo errors of a difference of means over about 15 quantities; SDs within 15%, which is four errors
        # of an SD from 400 draws (1 / sqrt(2 n)).
        error = two["sd"] * (1 / one["ess_bulk"] + 1 / two["ess_bulk"]) ** 0.5
        assert abs(one["mean"] - two["mean"]) < 4.5 * error, one["parameter"]
        assert abs(np.log(one["sd"] / two["sd"])) < 0.15, one["parameter"]


def test_auto_weighs_where_that_does_and_falls_back_where_it_does_not(
    data: JointData, weighted_fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    auto = fit_data(SPEC, data, SHORT, seed=5)
    assert auto.method == "psis"
    assert np.array_equal(auto.x, weighted_fit.x)

    def narrow(made: Program, mode: Mode, **settings: Any) -> Weighted:
        return weigh(made, replace(mode, scale=0.3 * mode.scale), **settings)

    module = sys.modules["alsmodel.inference.fit"]  # the package has a function of the same name
    monkeypatch.setattr(module, "weigh", narrow)
    fallen = fit_data(SPEC, data, SHORT, seed=5)
    assert fallen.method == "nuts"
    assert "k-hat" in fallen.provenance["fallback"] or "ESS" in fallen.provenance["fallback"]
    assert "importance sampling did not pass its checks" in repr(fallen).splitlines()[1]
    forced = fit_data(SPEC, data, SHORT, seed=5, method="psis")
    assert not forced.passed
    assert "checks failed" in repr(forced).splitlines()[0]


def test_a_weighted_fit_survives_the_disk_bit_for_bit(weighted_fit: Fit, tmp_path: Path) -> None:
    weighted_fit.save(tmp_path / "fit")
    again = Fit.load(tmp_path / "fit")
    assert np.array_equal(weighted_fit.x, again.x)
    assert weighted_fit.summary.equals(again.summary, null_equal=True)
    assert (weighted_fit.checks, weighted_fit.provenance) == (again.checks, again.provenance)
    assert weighted_fit.weighted is not None
    assert again.weighted is not None
    assert np.array_equal(weighted_fit.weighted.x, again.weighted.x)
    assert np.array_equal(weighted_fit.weighted.log_weight, again.weighted.log_weight)
    assert (weighted_fit.weighted.k_hat, weighted_fit.weighted.ess) == (again.weighted.k_hat, again.weighted.ess)


def test_an_unknown_method_is_refused(data: JointData) -> None:
    with pytest.raises(ValueError, match="auto"):
        fit_data(SPEC, data, SHORT, seed=1, method="vi")  # type: ignore[arg-type]
    assert fit_function.__kwdefaults__ is not None
    assert fit_function.__kwdefaults__["method"] == "auto"
