"""From arrays to a checked posterior, and what is predicted from it."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from alsmodel.cohort.arrays import JointData, joint_data
from alsmodel.cohort.selection import Covariate
from alsmodel.errors import FitFailed, InvalidInput
from alsmodel.inference import Fit, Sampling, fit_data
from alsmodel.inference.checks import Check, Diagnostics, diagnostics, energy_information, gate
from alsmodel.inference.mode import find_mode
from alsmodel.inference.predict import event_check, kaplan_meier, prior_check, score_check, survival_curve, trajectory
from alsmodel.models.spec import JointModel, Linear, PiecewiseExponential, Treatment, Weibull

generator = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_generator.py"))))
SPEC = JointModel(
    outcome="score", decline=Linear(covariates=("arm",)), covariates={"arm": Covariate(reference="placebo")},
    survival=PiecewiseExponential(knots=2, covariates=("arm",)),
)  # fmt: skip
SAMPLING = Sampling(chains=4, draws=400, tune=200)


@pytest.fixture(scope="module")
def data() -> JointData:
    return joint_data(generator.literal.cohort(generator.draw(3, 120)), SPEC.selection)


@pytest.fixture(scope="module")
def fitted(data: JointData) -> Fit:
    return fit_data(SPEC, data, SAMPLING, seed=5, method="nuts")


# The gate.


def measured(r_hat: float = 1.0, bulk: float = 1e4, tail: float = 1e4) -> Diagnostics:
    return Diagnostics(r_hat=np.array([1.0, r_hat]), ess_bulk=np.array([1e4, bulk]), ess_tail=np.array([1e4, tail]))


@pytest.mark.parametrize(
    ("numbers", "diverging", "failed"),
    [
        (measured(), 0, None),
        (measured(r_hat=1.01, bulk=400, tail=400), 0, None),
        (measured(r_hat=1.0101), 0, "R-hat"),
        (measured(bulk=399.9), 0, "bulk"),
        (measured(tail=399.9), 0, "tail"),
        (measured(), 1, "divergences"),
        (measured(r_hat=float("nan")), 0, "R-hat"),
        (measured(bulk=float("nan")), 0, "bulk"),
    ],
)
def test_gate_holds_every_number_to_its_limit(numbers: Diagnostics, diverging: int, failed: str | None) -> None:
    energy = np.random.default_rng(1).normal(size=(4, 500))
    flags = np.zeros((4, 500), bool)
    flags.ravel()[:diverging] = True
    checks = gate(numbers, energy, flags)
    assert [c.name.split(",")[0].removesuffix(" ESS").split(" ")[0] for c in checks if not c.passed] == ([failed] if failed else [])


def test_gate_sees_poor_energy() -> None:
    walk = np.cumsum(np.random.default_rng(1).normal(size=(4, 500)), axis=1)
    assert energy_information(walk).min() < 0.3
    flags = np.zeros((4, 500), bool)
    assert not all(c.passed for c in gate(measured(), walk, flags))
    # Independent energies: E-BFMI is 2, since the variance of a difference is twice the variance.
    assert energy_information(np.random.default_rng(1).normal(size=(4, 50_000))) == pytest.approx(2.0, abs=0.05)


def test_diagnostics_see_chains_that_disagree_and_draws_that_repeat() -> None:
    rng = np.random.default_rng(1)
    good = rng.normal(size=(4, 500))
    apart = good + np.arange(4)[:, None]
    sticky = np.repeat(rng.normal(size=(4, 25)), 20, axis=1)
    found = diagnostics(np.stack([good, apart, sticky], axis=-1))
    assert found.r_hat[0] < 1.01 < found.r_hat[1]
    assert found.ess_bulk[0] > 1500
    assert found.ess_bulk[2] < 200


@pytest.mark.parametrize("bad", [{"chains": 1}, {"draws": 50}, {"tune": 10}, {"target_accept": 1.0}, {"cores": 0}])
def test_sampling_settings_are_checked(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        Sampling(**bad)


# The mode.


def test_mode_and_scale_of_a_gaussian_are_its_mean_and_covariance() -> None:
    rng = np.random.default_rng(2)
    root = rng.normal(size=(5, 5))
    covariance = (root @ root.T + np.eye(5)) * np.outer([1, 100, 1e-3, 1, 10], [1, 100, 1e-3, 1, 10])
    mean, precision = np.array([3.0, -500.0, 0.01, 0.0, 40.0]), np.linalg.inv(covariance)
    found = find_mode(lambda x: (-0.5 * (x - mean) @ precision @ (x - mean), -precision @ (x - mean)), np.zeros(5))
    sd = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose((found.at - mean) / sd, 0, atol=2e-3)  # it stops at a Newton step of a thousandth of an SD
    np.testing.assert_allclose(found.scale @ found.scale.T / np.outer(sd, sd), covariance / np.outer(sd, sd), atol=1e-4)
    assert np.array_equal(found.scale, np.tril(found.scale))


def test_mode_of_a_skewed_density_is_found() -> None:
    # log density k x - exp(x): mode log k, curvature k.
    found = find_mode(lambda x: (float((7 * x - np.exp(x)).sum()), 7 - np.exp(x)), np.full(3, -2.0))
    np.testing.assert_allclose(found.at, np.log(7), atol=1e-3)
    np.testing.assert_allclose(np.diag(found.scale), 7**-0.5, rtol=1e-3)


def test_a_density_that_is_nowhere_finite_is_refused() -> None:
    with pytest.raises(FitFailed):
        find_mode(lambda x: (-np.inf, np.zeros_like(x)), np.zeros(2))


def test_a_density_without_a_mode_is_refused() -> None:
    with pytest.raises(FitFailed):
        find_mode(lambda x: (float(x.sum()), np.ones_like(x)), np.zeros(2))


def test_a_saddle_too_sharp_for_a_curvature_is_refused_not_a_crash() -> None:
    with pytest.raises(FitFailed, match="did not settle"):
        find_mode(lambda x: (-float(x[0] * x[1]), -x[::-1]), np.zeros(2))


# The fit.


def test_fit_has_what_others_read(fitted: Fit) -> None:
    assert fitted.passed, [c for c in fitted.checks if not c.passed]
    columns = {"parameter", "label", "unit", "mean", "sd", "q2_5", "median", "q97_5", "r_hat", "ess_bulk", "ess_tail", "prior", "prior_sd"}
    assert columns <= set(fitted.summary.columns)
    assert set(fitted.summary["parameter"]) == set(fitted.draws)
    assert {"intercept", "slope:arm[active]", "hazard:arm[active]", "association:value", "corr:intercept,slope"} <= set(fitted.draws)
    assert all(value.shape == fitted.x.shape[:2] for value in fitted.draws.values())  # more than asked for where a second try was needed
    row = fitted.summary.row(by_predicate=pl.col("parameter") == "slope", named=True)
    assert row["mean"] == pytest.approx(fitted.flat("slope").mean(), rel=1e-12)
    assert row["q97_5"] == pytest.approx(np.quantile(fitted.flat("slope"), 0.975), rel=1e-12)
    assert row["unit"] == "outcome units/month"
    assert fitted.time_unit == "month"
    assert set(fitted.provenance) >= {"seed", "sampling", "model", "data", "code", "versions", "knots"}


def test_truth_lies_inside(fitted: Fit) -> None:
    truth = {"intercept": 37.0, "slope": -1.0, "slope:arm[active]": 0.0, "hazard:arm[active]": 0.0, "association:value": -0.08}
    truth |= {"sd:intercept": 5.5, "sd:slope": 0.7, "sd:residual": 1.9, "corr:intercept,slope": 0.2}
    for name, value in truth.items():
        draws = fitted.flat(name)
        assert abs(draws.mean() - value) < 3.5 * draws.std(), name


def test_draws_are_those_of_the_unconstrained_vector(fitted: Fit) -> None:
    made = fitted.program
    where = {label: k for k, label in enumerate(made.labels)}
    np.testing.assert_array_equal(fitted.draws["sd:slope"], np.exp(fitted.x[..., where["sd:slope"]]))
    odds = fitted.x[..., where["partial:intercept,slope"]]
    np.testing.assert_allclose(fitted.draws["corr:intercept,slope"], np.tanh(odds / 2), rtol=1e-12, atol=1e-15)


def test_same_seed_same_draws_for_any_number_of_cores(data: JointData, fitted: Fit) -> None:
    short = Sampling(chains=2, draws=100, tune=50)
    one = fit_data(SPEC, data, replace(short, cores=1), seed=11, method="nuts")
    two = fit_data(SPEC, data, replace(short, cores=2), seed=11, method="nuts")
    other = fit_data(SPEC, data, replace(short, cores=2), seed=12, method="nuts")
    assert np.array_equal(one.x, two.x)
    assert not np.array_equal(one.x, other.x)


def test_a_failed_check_is_printed_first(fitted: Fit) -> None:
    failed = replace(fitted, checks=(*fitted.checks, Check(name="divergences", passed=False, value=3, limit=0, meaning="")))
    assert not failed.passed
    assert "checks failed: divergences" in repr(failed).splitlines()[0]


def test_a_fit_survives_the_disk_bit_for_bit(fitted: Fit, tmp_path: Path) -> None:
    fitted.save(tmp_path / "fit")
    again = Fit.load(tmp_path / "fit")
    assert np.array_equal(fitted.x, again.x)
    assert fitted.draws.keys() == again.draws.keys()
    assert all(np.array_equal(fitted.draws[k], again.draws[k]) for k in fitted.draws)
    assert fitted.summary.equals(again.summary)
    assert (fitted.spec, fitted.checks, fitted.provenance) == (again.spec, again.checks, again.provenance)
    assert fitted.program.density(fitted.x[0, 0])[0] == again.program.density(again.x[0, 0])[0]
    assert survival_curve(fitted, [6.0]).equals(survival_curve(again, [6.0]))
    fitted.save(tmp_path / "fit")  # over the older one
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fit"]


def test_data_with_everything_in_them_survive_the_disk(tmp_path: Path) -> None:
    from alsmodel.inference.store import read_data, write_data

    literal = generator.literal
    spec = replace(
        literal.SPECS["covariates everywhere, imputed"],
        treatments=(Treatment(name="x"),),
        transform="logit",
        upper=60.0,
        population="incident",
    )
    before = joint_data(literal.cohort(), spec.selection)
    write_data(before, tmp_path)
    after = read_data(tmp_path)
    for name, value in vars(before).items():
        if isinstance(value, np.ndarray):
            assert np.array_equal(value, getattr(after, name)), name
            assert value.dtype == getattr(after, name).dtype, name
        elif isinstance(value, dict) and name != "terms" and name != "groups":
            assert all(np.array_equal(v, getattr(after, name)[k]) for k, v in value.items()), name
        elif name == "exposures":
            assert [vars(e) for e in value] == [vars(e) for e in after.exposures]
        elif isinstance(value, pl.DataFrame):
            assert value.equals(getattr(after, name))
        else:
            assert value == getattr(after, name), name


def test_loglik_is_the_density_less_the_prior(fitted: Fit) -> None:
    from alsmodel.kernels.posterior import constrain

    found = fitted.loglik(most=5)
    assert found.shape == (4, 5, 120)
    made, x = fitted.program, fitted.x[0, 0]
    prior = constrain(x, made.priors, np.empty(x.size), np.empty(x.size), np.zeros(x.size))
    assert found[0, 0].sum() + prior == pytest.approx(made.density(x)[0], abs=1e-8)


# Predictions.


def with_draws(fitted: Fit, spec: JointModel, values: dict[str, float], count: int = 8) -> Fit:
    """The same data with a posterior that is one point."""
    draws = {name: np.full((2, count), value) for name, value in values.items()}
    return replace(fitted, spec=spec, draws=draws)


FLAT = {
    "intercept": 30.0, "slope": -1.0, "sd:intercept": 4.0, "sd:slope": 0.5, "corr:intercept,slope": 0.3, "sd:residual": 2.0,
}  # fmt: skip


def test_survival_without_association_is_the_piecewise_exponential(fitted: Fit) -> None:
    spec = replace(SPEC, association=(), decline=Linear(), covariates={}, survival=PiecewiseExponential(knots=(4.0, 9.0)))
    point = with_draws(fitted, spec, FLAT | {"log_hazard[1]": -3.0, "log_hazard[2]": -2.5, "log_hazard[3]": -4.0})
    point = replace(point, provenance=fitted.provenance | {"knots": [4.0, 9.0]})
    times = np.array([0.0, 2.0, 4.0, 7.0, 12.0, 16.0])
    levels = np.exp([-3.0, -2.5, -4.0])
    widths = np.stack([np.clip(times, 0, 4), np.clip(times - 4, 0, 5), np.clip(times - 9, 0, None)])
    frame = survival_curve(point, times)
    # A cell of 1/6 month that straddles a knot takes one level: at most half a cell times the difference of the levels.
    np.testing.assert_allclose(frame["mean"], np.exp(-levels @ widths), atol=0.004)
    np.testing.assert_array_equal(frame["lower"], frame["upper"])
    assert frame["group"].to_list() == ["all"] * 6


def test_survival_of_a_weibull_without_association(fitted: Fit) -> None:
    spec = replace(SPEC, association=(), decline=Linear(), covariates={}, survival=Weibull(at=1.0))
    point = with_draws(fitted, spec, FLAT | {"log_level": -4.0 + 0.3, "log_shape": 0.3})
    point = replace(point, provenance=fitted.provenance | {"knots": [1.0]})
    times = np.array([3.0, 9.0, 18.0])
    # Midpoint cells on t^0.35: error of a few 1e-4 near zero.
    np.testing.assert_allclose(survival_curve(point, times)["mean"], np.exp(-np.exp(-4.0) * times ** np.exp(0.3)), atol=1e-3)


def test_trajectory_without_association_is_the_mean_line(fitted: Fit) -> None:
    spec = replace(SPEC, association=(), survival=replace(SPEC.survival, covariates=()))
    values = FLAT | {"slope:arm[active]": 0.4} | {f"log_hazard[{k}]": -5.0 for k in (1, 2, 3)}
    point = with_draws(fitted, spec, values, count=100)
    times = np.array([0.0, 6.0, 12.0])
    frame = trajectory(point, times, by="arm")
    for arm, slope in (("active", -0.6), ("placebo", -1.0)):
        rows = frame.filter(pl.col("group") == arm)
        # The random effects of 240 drawn people in each of 200 draws average out: SD of the mean at 12 months is 0.035.
        np.testing.assert_allclose(rows["mean"], 30 + slope * times, atol=0.15)
        np.testing.assert_allclose(rows["p_alive"], np.exp(-np.exp(-5.0) * times), atol=1e-6)


def test_the_living_are_better_than_everybody_when_low_scores_kill(fitted: Fit) -> None:
    values = {name: float(value.mean()) for name, value in fitted.draws.items()}
    frame = trajectory(fitted, [0.0, 18.0])
    line = values["intercept"] + (values["slope"] + values["slope:arm[active]"] / 2) * 18.0
    assert frame["mean"][1] > line + 0.3
    assert frame["p_alive"][0] == 1.0


def test_predicted_survival_follows_kaplan_meier_and_groups_are_named(fitted: Fit) -> None:
    frame = event_check(fitted)
    inside = (frame["kaplan_meier"] >= frame["lower"]) & (frame["kaplan_meier"] <= frame["upper"])
    assert inside.mean() > 0.9
    assert set(survival_curve(fitted, [6.0], by="arm")["group"]) == {"active", "placebo"}
    with pytest.raises(ValueError, match="phenotype"):
        survival_curve(fitted, [6.0], by="phenotype")


def test_scores_of_replicates_cover_those_observed(fitted: Fit) -> None:
    frame = score_check(fitted)
    assert frame["n"].sum() == fitted.data.outcome.size
    assert ((frame["observed_mean"] >= frame["lower"]) & (frame["observed_mean"] <= frame["upper"])).mean() >= 0.75
    assert ((frame["observed_sd"] >= frame["sd_lower"]) & (frame["observed_sd"] <= frame["sd_upper"])).mean() >= 0.75


def shifted(fitted: Fit, **changes: float) -> Fit:
    return replace(fitted, draws={name: value + changes.get(name.replace(":", "_"), 0.0) for name, value in fitted.draws.items()})


def test_checks_flag_a_model_that_is_badly_wrong(fitted: Fit) -> None:
    # Negative controls: a hazard three times too high, a residual SD four points too high, a slope half a point too flat.
    high = replace(fitted, draws={k: v + np.log(3) if k.startswith("log_hazard") else v for k, v in fitted.draws.items()})
    frame = event_check(high)
    outside = (frame["kaplan_meier"] < frame["lower"]) | (frame["kaplan_meier"] > frame["upper"])
    assert outside[5:].mean() > 0.8
    frame = score_check(shifted(fitted, sd_residual=4.0))
    assert (frame["observed_sd"] < frame["sd_lower"]).mean() > 0.7
    frame = score_check(shifted(fitted, slope=0.5))
    assert (frame["observed_mean"] < frame["lower"]).tail(4).mean() > 0.7


def test_kaplan_meier_by_hand() -> None:
    time, event = np.array([1.0, 2.0, 2.0, 3.0, 5.0]), np.array([1.0, 1.0, 0.0, 0.0, 1.0])
    found = kaplan_meier(time, event, np.array([0.0, 0.99, 1.0, 2.0, 4.9, 5.0]))
    np.testing.assert_allclose(found, [1, 1, 0.8, 0.6, 0.6, 0.0], atol=1e-12)


def test_priors_alone_cover_what_was_seen(data: JointData) -> None:
    frame = prior_check(SPEC, data)
    seen = frame.filter(pl.col("observed").is_not_nan())
    assert seen.height == 3
    assert ((seen["observed"] > seen["q2_5"]) & (seen["observed"] < seen["q97_5"])).all()


# Population parameters for trials.


def test_population_says_the_same_in_months(fitted: Fit) -> None:
    out = fitted.population(50, seed=1)
    # What else is there are baseline values that a prediction at screening may know.
    assert {k for k in out if ":" in k} == {f"column:{name}" for name in fitted.data.columns}
    assert {k: v.shape for k, v in out.items() if ":" not in k} == {
        "slope_spread": (50, 120),
        "intercept": (50, 120), "slope": (50, 120), "log_hazard": (50, 120), "random_cholesky": (50, 2, 2), "residual_sd": (50,),
        "knots": (4,), "log_baseline_hazard": (50, 3), "association_value": (50,), "association_slope": (50,),
    }  # fmt: skip
    assert out["knots"][0] == 0
    assert np.isinf(out["knots"][-1])
    # The same posterior, told in years: months come out the same.
    yearly = replace(
        fitted,
        spec=replace(SPEC, time_unit="year"),
        data=replace(
            fitted.data,
            entry_time=fitted.data.entry_time / 12,
            event_time=fitted.data.event_time / 12,
            visit_time=fitted.data.visit_time / 12,
            free_until=fitted.data.free_until / 12,
        ),
        draws={
            k: v * 12 if k.startswith("slope") or k == "sd:slope" else v + np.log(12) if k.startswith("log_hazard") else v
            for k, v in fitted.draws.items()
        },
        provenance=fitted.provenance | {"knots": [k / 12 for k in fitted.provenance["knots"]]},
    )
    again = yearly.population(50, seed=1)
    for name, value in out.items():
        np.testing.assert_allclose(again[name], value, rtol=1e-10, err_msg=name)
    cholesky = out["random_cholesky"][0]
    assert cholesky[0, 0] in fitted.draws["sd:intercept"]
    aging = replace(SPEC, survival=Weibull(), treatments=(Treatment(name="riluzole", hazard="clock"),))
    with pytest.raises(InvalidInput, match="takes riluzole runs on a clock of its own"):
        replace(fitted, spec=aging).population(5, seed=1)


def test_arviz_summarises_the_draws_and_zarr_keeps_them(fitted: Fit, tmp_path: Path) -> None:
    import arviz
    import xarray

    tree = replace(
        fitted, draws=fitted.draws | {"slope:drug[a/b]": fitted.draws["slope"], "imputed:age[1]": fitted.draws["slope"]}
    ).to_datatree()
    assert "imputed:age[1]" not in tree["posterior"].data_vars
    table = arviz.summary(tree, round_to="none")
    told = dict(fitted.summary.select("parameter", "mean").iter_rows())
    np.testing.assert_allclose(table["mean"].loc[list(told)], list(told.values()), rtol=1e-12)
    assert table["mean"].loc["slope:drug[a|b]"] == table["mean"].loc["slope"]
    tree.to_zarr(tmp_path / "posterior.zarr", consolidated=False)
    back = xarray.open_datatree(tmp_path / "posterior.zarr", engine="zarr", consolidated=False)
    np.testing.assert_array_equal(back["posterior"]["slope"].values, fitted.draws["slope"])
    assert back["posterior"].attrs["seed"] == fitted.provenance["seed"]
