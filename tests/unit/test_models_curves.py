"""Natural-spline paths and Royston-Parmar baselines: against scipy, closed forms and lifelines; one fit of each, and controls."""

import runpy
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad

from alsmodel.cohort.arrays import joint_data
from alsmodel.errors import InvalidInput
from alsmodel.inference.dynamic import futures
from alsmodel.inference.fit import Fit, fit_data
from alsmodel.inference.predict import trajectory
from alsmodel.inference.refine import prepare
from alsmodel.inference.sampling import Sampling
from alsmodel.inference.summary import label_of, unit_of
from alsmodel.kernels.bends import bends_over
from alsmodel.models.baseline import hazard_knots, log_baseline, log_cumulative
from alsmodel.models.bends import bend_knots, settled
from alsmodel.models.decline import Linear, NaturalSpline
from alsmodel.models.program import program
from alsmodel.models.spec import JointModel
from alsmodel.models.survival import Exponential, RoystonParmar, Weibull
from alsmodel.settings import decode, encode

literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))
TIMES = np.linspace(-6.0, 25.0, 63)


# Natural splines -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("knots", [(-1.0, 3.0, 8.0, 14.0), (2.0, 5.0, 12.0), (0.0, 1.0, 2.0, 7.0, 20.0)])
def test_bending_terms_are_scipys_natural_splines(knots: tuple[float, ...]) -> None:
    part = NaturalSpline(knots=knots[1:-1], boundary=(knots[0], knots[-1]))
    value, speed = bends_over(TIMES, np.array(knots))
    # Made of scipy's natural splines by solving for their second derivatives; only rounding of that system separates them.
    np.testing.assert_allclose(value, [literal.natural_spline(part, t, 0) for t in TIMES], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(speed, [literal.natural_spline(part, t, 1) for t in TIMES], rtol=1e-9, atol=1e-9)


def test_a_spline_is_a_line_beyond_its_knots_and_flat_at_zero() -> None:
    knots = np.array([-1.0, 3.0, 8.0, 14.0])
    value, speed = bends_over(np.array([0.0, -9.0, -5.0, -1.0, 14.0, 20.0, 90.0]), knots)
    assert not value[0].any()
    assert not speed[0].any()
    for k in range(2):
        assert np.ptp(speed[1:4, k]) < 1e-12
        assert np.ptp(speed[4:, k]) < 1e-12
        assert value[6, k] == pytest.approx(value[4, k] + 76.0 * speed[4, k], rel=1e-13)


def test_equal_coefficients_make_a_parabola_between_the_inner_knots() -> None:
    # Second derivatives of 2 at every inner knot: t^2 there, but for a line.
    knots, at = np.array([-40.0, -20.0, 20.0, 40.0]), np.linspace(-19.0, 19.0, 21)
    np.testing.assert_allclose(bends_over(at, knots)[0].sum(axis=1), at**2, rtol=1e-12, atol=1e-11)
    np.testing.assert_array_equal(bends_over(at, np.empty(0))[0][:, 0], at * at)


def test_knots_are_quantiles_of_the_visits_unless_given() -> None:
    spec = replace(literal.BASE, decline=NaturalSpline(knots=2))
    data = joint_data(literal.cohort(), spec.selection)
    np.testing.assert_allclose(bend_knots(spec, data), [-2.0, *np.quantile(data.visit_time, [1 / 3, 2 / 3]), 16.0], rtol=1e-12)
    given = replace(literal.BASE, decline=NaturalSpline(knots=(3.0,), boundary=(1.0, 9.0)))
    np.testing.assert_array_equal(bend_knots(given, data), [1.0, 3.0, 9.0])
    # Written out, the same curve is read off other data.
    fixed = settled(spec, data)
    fewer = replace(data, visit_time=data.visit_time[:3], visit_person=data.visit_person[:3], outcome=data.outcome[:3])
    np.testing.assert_allclose(bend_knots(fixed, fewer), bend_knots(spec, data), rtol=1e-5)
    assert settled(literal.BASE, data) is literal.BASE


def test_knots_that_the_visits_do_not_bear_are_refused() -> None:
    spec = replace(literal.BASE, decline=NaturalSpline(knots=3))
    data = joint_data(literal.cohort(), spec.selection)
    at_zero = replace(data, visit_time=np.where(data.visit_time < 12, 0.0, data.visit_time))
    with pytest.raises(InvalidInput, match="do not lie apart"):
        bend_knots(spec, at_zero)
    with pytest.raises(InvalidInput, match="do not lie apart"):
        bend_knots(replace(spec, decline=NaturalSpline(knots=(3.0, 40.0))), data)
    nothing = replace(data, visit_time=np.zeros(0), visit_person=np.zeros(0, np.int64), outcome=np.zeros(0))
    with pytest.raises(InvalidInput, match="No visit"):
        bend_knots(spec, nothing)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: NaturalSpline(knots=0), "Linear"),
        (lambda: NaturalSpline(knots=4), "random = False"),
        (lambda: NaturalSpline(knots=11, random=False), "between 1 and 10"),
        (lambda: NaturalSpline(knots=(3.0, 3.0)), "increasing"),
        (lambda: NaturalSpline(knots=(3.0, float("inf"))), "finite"),
        (lambda: NaturalSpline(knots=(3.0,), boundary=(4.0, 9.0)), "between the boundary"),
        (lambda: NaturalSpline(boundary=(9.0, 4.0)), "later last knot"),
        (lambda: NaturalSpline(mean=False, random=False), "straight line"),
        (lambda: NaturalSpline(knots=0, boundary=(9.0, 4.0)), r"(?s)Linear.*later last knot"),
        (lambda: RoystonParmar(knots=0), "Weibull"),
        (lambda: RoystonParmar(knots=(3.0, 2.0)), "increasing"),
        (lambda: RoystonParmar(knots=(3.0,), boundary=(0.0, 9.0)), "after zero"),
        (lambda: RoystonParmar(knots=(3.0,), boundary=(4.0, 9.0)), "between"),
        (lambda: RoystonParmar(at=0.0), "after zero"),
        (lambda: RoystonParmar(nodes=3), "nodes"),
    ],
)
def test_impossible_curves_are_refused(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_curves_survive_the_way_through_settings_and_print_as_sentences() -> None:
    spec = JointModel(
        decline=NaturalSpline(knots=(4.0, 9.0), boundary=(0.0, 18.0), covariates=("age",), random=False),
        survival=RoystonParmar(knots=3, strata="sex", pooling="partial"),
    )
    assert decode(JointModel, encode(spec)) == spec
    assert decode(JointModel, {"decline": {"kind": "natural-spline"}, "survival": {"kind": "royston-parmar"}}) == JointModel(
        decline=NaturalSpline(), survival=RoystonParmar()
    )
    assert "natural cubic spline with 2 inner knots at 4, 9" in str(spec)
    assert "Σ κk Bk(t)" in str(spec)
    assert "drawn towards a Weibull" in str(spec)
    assert "(b0, b1, b2, b3) ~ N(0, D)" in str(JointModel(decline=NaturalSpline()))
    assert label_of("quadratic[2]", spec) == "Mean quadratic coefficient at knot 2"
    assert unit_of("sd:quadratic[2]", spec) == "points/month²"


# Royston-Parmar baselines --------------------------------------------------------------------------------------------


def test_equal_slopes_are_a_weibull() -> None:
    curve, weibull = JointModel(survival=RoystonParmar()), JointModel(survival=Weibull())
    knots, at = np.array([6.0, 1.0, 4.0, 9.0, 16.0]), np.array([0.01, 0.5, 1.0, 3.0, 6.0, 12.0, 16.0, 40.0])
    shape = 1.4
    values = {"log_level": -2.0, **{f"log_slope[{k}]": np.log(shape) for k in (1, 2, 3)}}
    # H(at) = at exp(log_level), and a Weibull's is at h(at) / shape.
    same = {"log_level": -2.0 + np.log(shape), "log_shape": np.log(shape)}
    found = log_baseline(curve, knots, values.__getitem__, at)
    np.testing.assert_allclose(found, log_baseline(weibull, knots[:1], same.__getitem__, at), rtol=0, atol=1e-12)


def test_the_hazard_is_the_slope_of_a_cumulative_hazard_that_rises() -> None:
    spec, knots = JointModel(survival=RoystonParmar()), np.array([6.0, 1.0, 4.0, 9.0, 16.0])
    c = np.array([-2.0, 0.3, -1.5, 0.8])
    values = dict(zip(["log_level", "log_slope[1]", "log_slope[2]", "log_slope[3]"], c, strict=True))
    height = lambda u: float(np.exp(log_baseline(spec, knots, values.__getitem__, np.array([u]))[0]))  # noqa: E731
    total = lambda u: float(np.exp(log_cumulative(knots, c, np.array([u]))[0]))  # noqa: E731
    assert total(6.0) == pytest.approx(6.0 * np.exp(-2.0), rel=1e-13)
    for start, stop in ((0.2, 0.9), (1.0, 4.0), (4.0, 16.0), (16.0, 30.0)):
        area = quad(height, start, stop, points=[k for k in knots[1:] if start < k < stop] or None, epsabs=1e-12, epsrel=1e-12)[0]
        assert area == pytest.approx(total(stop) - total(start), rel=1e-9)
    assert (np.diff([total(u) for u in np.linspace(0.01, 60.0, 500)]) > 0).all()
    # Weibull tails: log cumulative hazard is a line of log time outside the boundary knots, and the hazard has no jump there.
    for a, b, slope in ((0.01, 0.5, c[1]), (20.0, 80.0, c[3])):
        assert np.log(total(b) / total(a)) / np.log(b / a) == pytest.approx(np.exp(slope), rel=1e-12)
    for edge in (1.0, 16.0):
        assert height(edge - 1e-7) == pytest.approx(height(edge + 1e-7), rel=1e-5)


def test_knots_of_the_curve_come_from_the_event_times() -> None:
    data = joint_data(literal.cohort(), literal.BASE.selection)  # events at 2.2, 6.3, 11.5 and 15
    spec = replace(literal.BASE, survival=RoystonParmar(knots=1))
    np.testing.assert_allclose(hazard_knots(spec, data), [8.9, 2.2, 8.9, 15.0])
    given = replace(literal.BASE, survival=RoystonParmar(knots=(3.0, 7.0), boundary=(1.0, 20.0), at=5.0))
    np.testing.assert_allclose(hazard_knots(given, data), [5.0, 1.0, 3.0, 7.0, 20.0])
    one = replace(data, event=np.where(np.arange(data.people) == 0, 1.0, 0.0))
    assert (np.diff(hazard_knots(spec, one)[1:]) > 0).all()


def test_entry_before_time_zero_is_refused_since_log_time_has_no_value_there() -> None:
    people = (replace(literal.PEOPLE[0], entry=-1.5), *literal.PEOPLE[1:])
    spec = replace(literal.BASE, survival=RoystonParmar())
    with pytest.raises(InvalidInput, match="Royston-Parmar hazard starts at time zero"):
        program(spec, joint_data(literal.cohort(people), spec.selection))


def lived(rng: np.random.Generator, n: int) -> np.ndarray:
    """Times with a hazard that rises and falls again: a mixture of two Weibulls."""
    early = rng.random(n) < 0.4
    return np.where(early, 5.0 * rng.weibull(2.5, n), 20.0 * rng.weibull(3.5, n))


def test_fitted_survival_is_that_of_lifelines() -> None:
    from lifelines import KaplanMeierFitter, SplineFitter

    rng = np.random.default_rng(5)
    died, horizon = lived(rng, 600), 22.0
    people = tuple(
        literal.Person(
            name=f"{i:03d}", visits=((0.0, 35 + rng.normal()), (2.0, 34 + rng.normal())), end=min(t, horizon), died=bool(t < horizon)
        )
        for i, t in enumerate(died)
    )
    spec = replace(literal.BASE, association=(), survival=RoystonParmar(knots=3), hermite=3)
    ready = prepare(spec, joint_data(literal.cohort(people), spec.selection))
    made = ready.program
    values = dict(zip(made.labels, made.constrained(ready.mode.at[None])[0], strict=True))
    values |= {label: float(v[0]) for label, v in made.derived_values(made.constrained(ready.mode.at[None])).items()}
    names = ["log_level", *(f"log_slope[{k}]" for k in range(1, 5))]
    at = np.linspace(1.0, 21.0, 21)
    found = np.exp(-np.exp(log_cumulative(made.knots, np.array([values[name] for name in names]), at)))
    seen, event = np.minimum(died, horizon), died < horizon
    theirs = SplineFitter(knot_locations=made.knots[1:]).fit(seen, event).survival_function_at_times(at).to_numpy()
    assert np.abs(found - theirs).max() < 0.02
    observed = KaplanMeierFitter().fit(seen, event).survival_function_at_times(at).to_numpy()
    assert np.abs(found - observed).max() < 0.03
    # A Weibull cannot follow this hazard: it misses by several times as much.
    plain = prepare(replace(spec, survival=Weibull()), joint_data(literal.cohort(people), spec.selection))
    level, shape = (plain.program.constrained(plain.mode.at[None])[0][plain.program.labels.index(x)] for x in ("log_level", "log_shape"))
    where = plain.program.knots[0]
    weibull = np.exp(-where * np.exp(level - shape) * (at / where) ** np.exp(shape))
    assert np.abs(weibull - observed).max() > 0.05


# A fit ---------------------------------------------------------------------------------------------------------------

TRUTH = {
    "intercept": 38.0, "slope": -0.6, "quadratic[1]": -0.03, "sd:intercept": 4.0, "sd:slope": 0.4, "sd:quadratic[1]": 0.03,
    "sd:residual": 1.0, "association:value": -0.08, "log_hazard[1]": -0.7,
}  # fmt: skip
CURVE = NaturalSpline(knots=(8.0,), boundary=(0.0, 18.0))
PLACE = 8.0  # landmark of predictions


@cache
def drawn(n: int = 250) -> tuple[tuple[Any, ...], np.ndarray]:
    """Participants whose paths bend, drawn with the splines of scipy; and their true scores at 8 and 14 months."""
    rng = np.random.default_rng(3)
    people, later = [], []
    edges = np.arange(0.0, 18.005, 0.01)
    middle = (edges[1:] + edges[:-1]) / 2
    bend = np.array([literal.natural_spline(CURVE, t, 0)[0] for t in middle])
    for i in range(n):
        b = rng.normal(size=3) * [TRUTH["sd:intercept"], TRUTH["sd:slope"], TRUTH["sd:quadratic[1]"]]
        start, speed, turn = TRUTH["intercept"] + b[0], TRUTH["slope"] + b[1], TRUTH["quadratic[1]"] + b[2]
        path = start + speed * middle + turn * bend
        total = np.concatenate([[0.0], np.cumsum(0.01 * np.exp(TRUTH["log_hazard[1]"] + TRUTH["association:value"] * path))])
        died = np.interp(rng.exponential(), total, edges, right=np.inf)
        end = min(float(died), 18.0)
        times = np.arange(0.0, end, 2.0)
        scores = np.interp(times, middle, path) + rng.normal(0.0, TRUTH["sd:residual"], times.size)
        people.append(
            literal.Person(name=f"{i:03d}", visits=tuple(zip(times.tolist(), scores.tolist(), strict=True)), end=end, died=died <= 18.0)
        )
        later.append(np.interp(14.0, middle, path))
    return tuple(people), np.array(later)


@cache
def fitted() -> Fit:
    spec = JointModel(outcome="score", decline=replace(CURVE, knots=1, boundary=None), survival=Exponential())
    data = joint_data(literal.cohort(drawn()[0]), spec.selection)
    spec = replace(spec, decline=CURVE)
    return fit_data(spec, data, Sampling(cores=1), seed=1, method="psis")


def test_a_bent_truth_is_found_again() -> None:
    found = {row["parameter"]: row for row in fitted().summary.iter_rows(named=True)}
    for name, true in TRUTH.items():
        # Nine parameters, one data set: beyond four and a half posterior SDs is no chance.
        assert abs(found[name]["mean"] - true) < 4.5 * found[name]["sd"], name
    assert found["quadratic[1]"]["mean"] + 4 * found["quadratic[1]"]["sd"] < 0  # the bend is seen, not merely allowed for


def test_lines_fitted_to_bent_paths_are_told_from_them() -> None:
    made = fitted()
    lines = prepare(replace(made.spec, decline=Linear()), made.data)
    bent = prepare(made.spec, made.data)
    # What the lines miss goes into the residuals.
    k = lines.program.labels.index("sd:residual")
    sd = np.sqrt((lines.mode.scale @ lines.mode.scale.T)[k, k])
    assert (lines.mode.at[k] - np.log(TRUTH["sd:residual"])) / sd > 6
    assert bent.program.loglik(bent.mode.at).sum() > lines.program.loglik(lines.mode.at).sum() + 100


def test_a_spline_is_saved_predicted_and_drawn_like_any_other_path(tmp_path: Path) -> None:
    made = fitted()
    made.save(tmp_path / "fit")
    again = Fit.load(tmp_path / "fit")
    assert again.spec == made.spec
    np.testing.assert_array_equal(again.x, made.x)
    np.testing.assert_array_equal(again.loglik(most=2), made.loglik(most=2))
    assert made.effects(20)[1].shape == (20, made.data.people, 3)
    # True scores six months after the landmark, of those who were followed to it: nineteen in twenty lie within their 95% interval.
    ahead = futures(made, PLACE, (14.0,), draws=200)
    weighted = ahead.value[:, :, 0]
    low, high = np.quantile(weighted, [0.025, 0.975], axis=0)
    true = drawn()[1][ahead.people]
    inside = float(((low < true) & (true < high)).mean())
    assert 0.88 < inside <= 1.0
    # The mean of the living bends as the truth does.
    path = trajectory(made, [0.0, 8.0, 16.0])["mean"].to_numpy()
    steps = np.diff(path)
    assert steps[1] < steps[0] - 0.5
    assert made.population(5, seed=1)["random_cholesky"].shape == (5, 3, 3)
