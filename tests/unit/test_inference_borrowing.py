"""Priors borrowed from elsewhere: slow quadrature, closed forms, what they do in a fit, and conflict."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import integrate, stats

from alsmodel.cohort.arrays import JointData, joint_data
from alsmodel.errors import InvalidInput
from alsmodel.inference import Fit, Sampling, fit_data
from alsmodel.inference.borrowing import (
    Borrowed,
    Source,
    beside_data,
    cohort_source,
    commensurate_prior,
    map_prior,
    power_prior,
    sources_of,
)
from alsmodel.inference.sensitivity import log_prior_of
from alsmodel.kernels.published_priors import PublishedPrior
from alsmodel.models import Exponential, JointModel, Linear, Mixture, NoAssociation, Normal, Priors
from alsmodel.models.joint import build
from alsmodel.models.priors import mixture_text
from alsmodel.models.program import program
from alsmodel.models.treatments import Treatment
from alsmodel.reports import tables
from alsmodel.settings import decode, encode

pytestmark = pytest.mark.xdist_group("nuts")
generator = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_generator.py"))))
SOURCES = (
    Source(name="one", estimate=-0.30, se=0.12, n=150),
    Source(name="two", estimate=-0.05, se=0.10, n=210),
    Source(name="three", estimate=-0.22, se=0.18, n=70),
)
SPEC = JointModel(outcome="score", decline=Linear(), survival=Exponential(), association=NoAssociation())
MIXED = Mixture(weights=(0.7, 0.3), means=(-0.7, -1.2), sds=(0.05, 0.6))


def test_the_predictive_density_is_that_of_a_slow_double_integral() -> None:
    """Cumulative probabilities, which the few normals must give too: by SciPy's adaptive rule over tau, mu integrated on a fine grid."""
    made = map_prior(SOURCES, tau_scale=0.2, sd=1.0)
    mu = np.linspace(-3, 3, 6001)
    log_mu = stats.norm(0, 1).logpdf(mu)

    def cell(tau: float, point: float | None) -> float:
        log_like = sum(stats.norm.logpdf(one.estimate, mu, np.hypot(one.se, tau)) for one in SOURCES) + log_mu
        ahead = 1.0 if point is None else stats.norm.cdf((point - mu) / max(tau, 1e-9))
        return float(np.sum(np.exp(log_like) * ahead) * stats.halfnorm.pdf(tau, scale=0.2))

    whole = integrate.quad(cell, 0, 1.6, args=(None,), epsrel=1e-7, limit=100)[0]
    for point in (-0.8, -0.4, -0.2, 0.0, 0.3):
        exact = integrate.quad(cell, 0, 1.6, args=(point,), epsrel=1e-7, limit=100)[0] / whole
        found = sum(w * stats.norm.cdf(point, m, s) for w, m, s in made.components)
        # A divergence below 0.001 moves a probability by at most sqrt(0.0005) (Pinsker); in fact by far less.
        assert found == pytest.approx(exact, abs=0.006), point
    half = integrate.quad(cell, 0, made.tau[0] if made.tau else 0.0, args=(None,), epsrel=1e-7, limit=100)[0] / whole
    assert half == pytest.approx(0.5, abs=0.01)
    assert made.divergence < 1e-3
    assert len(made.components) <= 4


def test_without_differences_sources_pool_and_with_great_ones_little_is_left() -> None:
    precision = np.array([one.se**-2 for one in SOURCES])
    pooled = float(precision @ [one.estimate for one in SOURCES] / precision.sum())
    same = map_prior(SOURCES, tau_scale=1e-5, sd=1e3)
    # Exact but for the vanishing tau and the flat prior of the mean.
    assert (same.mean, same.sd) == pytest.approx((pooled, precision.sum() ** -0.5), rel=1e-5)
    power = power_prior(SOURCES, [1.0, 1.0, 1.0])
    assert (power.mean, power.sd) == pytest.approx((pooled, precision.sum() ** -0.5), rel=1e-12)
    assert power_prior(SOURCES[:1], [0.25]).sd == pytest.approx(0.24)
    sizes = [map_prior(SOURCES, tau_scale=scale, sd=1.0).effective_sample_size() for scale in (0.01, 0.1, 0.4)]
    assert sizes[0] > sizes[1] > sizes[2]


def test_effective_sample_sizes() -> None:
    normal = power_prior([Source(name="a", estimate=0.1, se=0.2, n=100)], [0.5])
    for method in ("elir", "moment"):
        assert normal.effective_sample_size(method=method) == pytest.approx(50, rel=1e-6)  # a0 n, for a normal in either way
    robust = normal.robust(0.2, 1.5)
    x = np.linspace(-15, 15, 600_001)
    curvature = -np.gradient(np.gradient(robust.logpdf(x), x), x)
    by_hand = np.trapezoid(np.exp(robust.logpdf(x)) * curvature, x) * 4.0
    assert robust.effective_sample_size() == pytest.approx(by_hand, rel=1e-3)
    assert robust.effective_sample_size() < 50
    assert robust.effective_sample_size(method="moment") == pytest.approx(4 / robust.sd**2)
    with pytest.raises(ValueError, match="unit_sd"):
        power_prior([Source(name="a", estimate=0, se=1)], [1.0]).effective_sample_size()


def test_a_commensurate_prior_has_the_moments_of_its_hierarchy() -> None:
    made = commensurate_prior(SOURCES[0], tau_scale=0.3)
    assert made.mean == pytest.approx(-0.3)
    assert made.sd == pytest.approx(np.hypot(0.12, 0.3), rel=0.01)  # var = se^2 + E tau^2


def test_conflict_and_how_a_robust_prior_gives_way() -> None:
    plain = map_prior(SOURCES, tau_scale=0.1, sd=1.0)
    robust = plain.robust(0.2, 2.0)
    near, far = robust.updated(-0.2, 0.1), robust.updated(1.2, 0.1)
    assert near.components[-1][0] < 0.05 < 0.95 < far.components[-1][0]
    assert far.mean == pytest.approx(1.2, abs=0.02)
    assert plain.updated(1.2, 0.1).mean < 1.0  # control: without the wide component the sources pull
    assert plain.conflict(-0.2, 0.1) > 0.5
    assert plain.conflict(1.2, 0.1) < 0.005
    normal = power_prior(SOURCES[:1], [1.0])
    assert normal.conflict(0.1, 0.05) == pytest.approx(2 * stats.norm.cdf(-0.4 / np.hypot(0.12, 0.05)), abs=1e-4)
    # The posterior of a mixture, by quadrature.
    x = np.linspace(-8, 8, 200_001)
    weight = np.exp(robust.logpdf(x) + stats.norm(0.5, 0.2).logpdf(x))
    assert robust.updated(0.5, 0.2).mean == pytest.approx(float(np.trapezoid(weight * x, x) / np.trapezoid(weight, x)), abs=1e-6)


def test_what_would_count_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match="one would count twice"):
        map_prior([SOURCES[0], SOURCES[0]], tau_scale=0.1)
    with pytest.raises(InvalidInput, match="no source"):
        power_prior([], [])
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        power_prior(SOURCES, [1.0, 0.0, 1.0])
    with pytest.raises(ValueError, match="above"):
        map_prior(SOURCES, tau_scale=0.1).robust(0.2, 0.01)
    base: dict[str, Any] = {"parameter": "theta", "mean": -0.1, "sd": 0.2, "se": 0.1, "discount": 0.25, "sources": (), "n": 80}
    a, b = PublishedPrior(**base, drug="x", trials=("A",)), PublishedPrior(**base, drug="x", trials=("A", "B"))
    with pytest.raises(InvalidInput, match="A would count twice"):
        sources_of([a, b])
    with pytest.raises(InvalidInput, match="different parameters"):
        sources_of([a, replace(b, drug="y", trials=("B",))])
    (one,) = sources_of([a])
    assert (one.estimate, one.se, one.n) == (-0.1, 0.1, 80)


# In a model.


@pytest.fixture(scope="module")
def data() -> JointData:
    return joint_data(generator.literal.cohort(generator.draw(21, 60)), SPEC.selection)


def test_a_mixture_enters_the_density_with_its_gradient(data: JointData) -> None:
    wide = replace(SPEC, priors=Priors(slope=Normal(mean=-1.0, sd=1.0)))
    mixed = replace(SPEC, priors=Priors(slope=MIXED))
    plain, made = program(wide, data), program(mixed, data)
    k = made.labels.index("slope")
    for value in (-1.6, -1.0, -0.7):
        x = made.start.copy()
        x[k] = value
        expected = np.log(sum(w * stats.norm(m, s).pdf(value) for w, m, s in MIXED.components)) - stats.norm(-1, 1).logpdf(value)
        assert made.density(x)[0] - plain.density(x)[0] == pytest.approx(expected, abs=1e-8)
        assert log_prior_of(made, x) - log_prior_of(plain, x) == pytest.approx(expected, abs=1e-8)
        up, low = x.copy(), x.copy()
        up[k], low[k] = value + 1e-6, value - 1e-6
        slope = (made.mixture_terms(up)[0] - made.mixture_terms(low)[0]) / 2e-6
        assert made.mixture_terms(x)[1][k] == pytest.approx(slope, abs=1e-6)
        np.testing.assert_array_equal(np.delete(made.density(x)[1], k), np.delete(plain.density(x)[1], k))
    model = build(mixed, data)
    logp = model.compile_logp(vars=model["slope"], jacobian=False)
    point = {name: np.asarray(v) for name, v in model.initial_point().items()} | {"slope": np.asarray(-0.9)}
    assert float(logp(point)) == pytest.approx(np.log(sum(w * stats.norm(m, s).pdf(-0.9) for w, m, s in MIXED.components)))


def test_one_component_is_a_normal_and_other_priors_are_untouched(data: JointData) -> None:
    normal = program(replace(SPEC, priors=Priors(slope=Normal(mean=-0.8, sd=0.3))), data)
    single = program(replace(SPEC, priors=Priors(slope=Mixture(weights=(1.0,), means=(-0.8,), sds=(0.3,)))), data)
    value, gradient = normal.density(normal.start)
    assert single.density(normal.start)[0] == pytest.approx(value, abs=1e-10)
    np.testing.assert_allclose(single.density(normal.start)[1], gradient, atol=1e-10)
    assert normal.mixtures == ()


def test_a_mixture_survives_the_study_file() -> None:
    priors = Priors(theta=MIXED, slope=Normal(mean=-1.0, sd=0.5))
    assert decode(Priors, encode(priors)) == priors
    assert "0.7 N(-0.7, 0.05^2) + 0.3 N(-1.2, 0.6^2)" in str(MIXED)
    with pytest.raises(ValueError, match="sum to one"):
        Mixture(weights=(0.5, 0.4), means=(0.0, 1.0), sds=(1.0, 1.0))


def test_the_posterior_is_that_of_the_reweighted_draws_and_the_cohort_is_a_source(data: JointData) -> None:
    wide = fit_data(replace(SPEC, priors=Priors(slope=Normal(mean=0.0, sd=3.0))), data, Sampling(cores=1), method="psis", seed=1)
    conflicting = replace(SPEC, priors=Priors(slope=MIXED))
    mixed = fit_data(conflicting, data, Sampling(chains=2, draws=800, tune=200, cores=1), seed=1)
    assert mixed.method == "nuts"
    assert "prior of slope is a mixture" in mixed.route
    with pytest.raises(InvalidInput, match="several"):
        fit_data(conflicting, data, Sampling(), method="psis", seed=1)
    draws = wide.flat("slope")
    log_ratio = np.log(sum(w * stats.norm(m, s).pdf(draws) for w, m, s in MIXED.components)) - stats.norm(0, 3).logpdf(draws)
    weight = np.exp(log_ratio - log_ratio.max())
    expected = float(weight @ draws / weight.sum())
    row = mixed.summary.filter(mixed.summary["parameter"] == "slope").row(0, named=True)
    # About 500 effective draws there, of which weighing leaves 150, and those of the chains: five standard errors.
    left = 500 * float(weight.sum() ** 2 / np.square(weight).sum() / weight.size)
    assert row["mean"] == pytest.approx(expected, abs=5 * row["sd"] * np.sqrt(1 / row["ess_bulk"] + 1 / left))
    assert abs(row["mean"] - draws.mean()) > 0.01  # the prior does something
    assert "0.7 N(" in row["prior"]
    source = cohort_source(wide, "slope", "this cohort")
    assert source.n == 60
    assert source.se == pytest.approx(draws.std(), rel=0.06)
    assert source.estimate == pytest.approx(draws.mean(), abs=0.02)
    with pytest.raises(InvalidInput, match="no parameter with a normal prior"):
        cohort_source(mixed, "slope", "this cohort")


# Beside the data, in a report.

DRUGGED = replace(
    SPEC,
    treatments=(Treatment(name="drug", source="arm", level="active", score="additive"),),
    priors=Priors(slope=Normal(mean=-1.0, sd=0.2), direct=MIXED, sd_slope=2.0),
)


def posterior_of(data: JointData, **draws: np.ndarray) -> Fit:
    """Draws of some parameters, as a fit would have them."""
    facts = {"seed": 1, "knots": []}
    made = {name: value[None] for name, value in draws.items()}
    return Fit(spec=DRUGGED, data=data, x=np.zeros((1, 1, 1)), draws=made, summary=pl.DataFrame(), checks=(), provenance=facts)


def test_set_priors_are_held_against_the_data_without_them() -> None:
    data = joint_data(generator.literal.cohort(generator.draw(21, 60)), SPEC.selection)
    slope, se = -1.5, 0.15  # what the data alone say; with the prior, a normal that is known
    precision = se**-2 + 0.2**-2
    levels = (np.random.default_rng(1).permutation(4000) + 0.5) / 4000
    together = stats.norm((slope * se**-2 - 0.2**-2) / precision, precision**-0.5).ppf(levels)
    mixture = Borrowed(kind="", components=MIXED.components, sources=())
    rng, own = np.random.default_rng(2), mixture.updated(-1.1, 0.1).components
    which = rng.choice(2, 40_000, p=[w for w, _, _ in own])
    direct = rng.normal(np.array([m for _, m, _ in own])[which], np.array([s for _, _, s in own])[which])
    fit = posterior_of(data, **{"slope": together, "hazard:drug": direct})
    frame = beside_data(fit)
    # The prior of a drug's additive effect was left alone, and SDs are not borrowed.
    assert frame["parameter"].to_list() == ["slope", "hazard:drug"]
    one, other = frame.iter_rows(named=True)
    # 4,000 evenly spaced quantiles have the moments of a normal to a thousandth.
    assert one["estimate"] == pytest.approx(slope, abs=0.005)
    assert one["se"] == pytest.approx(se, rel=0.01)
    assert one["worth"] == pytest.approx(60 * se**2 / 0.2**2, rel=0.02)
    assert one["conflict"] == pytest.approx(2 * stats.norm.sf(0.5 / np.hypot(se, 0.2)), abs=0.005)
    assert one["weights"] == ""
    # Weighing leaves 39,000 of 40,000 draws: four standard errors, of the mean and of the SD.
    assert other["estimate"] == pytest.approx(-1.1, abs=0.002)
    assert other["se"] == pytest.approx(0.1, rel=0.015)
    assert other["conflict"] == pytest.approx(mixture.conflict(-1.1, 0.1), abs=0.004)
    assert other["worth"] == pytest.approx(mixture.effective_sample_size(0.1 * np.sqrt(60)), rel=0.03)
    before, after = other["weights"].split(", ")
    assert before == f"0.70 to {own[0][0]:.2f}"
    assert after.startswith("0.30 to ")
    rows = tables.priors_beside_data(frame).rows
    assert rows[0][4].endswith(": prior and data disagree") == (one["conflict"] < 0.05)
    assert rows[1][1] == f"{mixture_text(MIXED.components)}; weights with the data: {other['weights']}"
    vague = posterior_of(data, **{"slope": stats.norm(-1.0, 0.19).ppf(levels), "hazard:drug": direct[:150]})
    assert beside_data(vague).select("estimate", "worth", "conflict").null_count().row(0) == (2, 2, 2)
    assert tables.priors_beside_data(beside_data(vague)).rows[0][2] == "say little beyond the prior"
    assert beside_data(replace(fit, spec=replace(DRUGGED, priors=Priors(sd_slope=2.0)))).is_empty()
