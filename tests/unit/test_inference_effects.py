"""Random effects drawn after the parameters have the moments that brute force gives."""

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from alsmodel.cohort.arrays import joint_data
from alsmodel.inference import effects
from alsmodel.inference.effects import draw_given, participant_effects, path_at
from alsmodel.kernels.effects import draw_effects
from alsmodel.kernels.effects_linear import draw_linear_effects
from alsmodel.models.program import program

literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))
DRAWS = 4000
#: Every way in which treatment, hazard and path reach the random effects.
BENT = (
    "random and fixed quadratic, weibull", "natural spline of one knot, weibull, two drugs", "area and random effects, clock",
    "value and area of a spline, weibull, two drugs",
)  # fmt: skip
NAMES = (
    "piecewise, value and slope", "weibull, value and slope", BENT[0], "clock, own clock free", "additive",
    "hazard on the clock", "arm on the clock", "incident", "covariates everywhere, imputed", "exponential, pooled strata",
    "m-spline, value and slope", "m-spline, pooled strata", "piecewise, pooled strata", "weibull, strata, incident",
    "hazard ratio in periods", "hazard ratio by group", "hierarchy", "value and slope by group", "residual SD by group",
    *BENT[1:], "royston-parmar, pooled strata",
)  # fmt: skip


def literals(spec: Any) -> list[Any]:
    """The six participants by brute force."""
    missing = [p.name for p in literal.PEOPLE if p.age is None]
    out = []
    for p in literal.PEOPLE:
        age = (
            literal.VALUES[f"imputed:age[{missing.index(p.name) + 1}]"]
            if p.age is None
            else (p.age - literal.AGE.centre) / literal.AGE.scale
        )
        out.append(literal.Literal(spec=spec, person=p, v=literal.VALUES, age=age))
    return out


def moments(one: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of b given one participant's data, on a dense grid around the mode."""
    from scipy.optimize import minimize

    size = one.size
    sd = np.sqrt(np.diag(one.covariance()))
    best = minimize(lambda z: -float(one.log_integrand((z * sd)[None])[0]), np.zeros(size), method="Nelder-Mead", options={"xatol": 1e-3})
    side = np.linspace(-4.5, 4.5, 31 if size == 2 else 19)
    # Two passes: the second in the coordinates of the first one's covariance, so that a strong correlation is no matter.
    centre, root = best.x * sd, np.diag(sd * 0.5)
    for _ in range(3):
        z = np.stack([g.ravel() for g in np.meshgrid(*([side] * size), indexing="ij")], axis=1)
        b = centre + z @ root.T
        log_weight = one.log_integrand(b)
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        centre = weight @ b
        covariance = (b - centre).T @ ((b - centre) * weight[:, None])
        root = np.linalg.cholesky(covariance)
    return centre, covariance


def drawn(name: str, kernel: Any = draw_effects, draws: int = DRAWS, **changes: float) -> np.ndarray:
    """Draws of the effects of the six at the literal values, shape (draws, 6, q)."""
    spec = literal.SPECS[name]
    made = program(spec, joint_data(literal.cohort(), spec.selection))
    value = made.constrained(literal.unconstrained(made, literal.VALUES | changes))
    path, shared = path_at(made, value, made.segments, made.cuts)
    rng = np.random.default_rng(7)
    out = np.empty((draws, 6, made.wiring.sds.size))
    tries = sum(kernel(path, shared, made.cuts, made.weibull, rng, row) for row in out)
    assert 6 * draws <= tries < 3 * 6 * draws  # few proposals are lost
    return out


@pytest.mark.parametrize("name", NAMES)
def test_moments_of_drawn_effects_are_those_of_brute_force(name: str) -> None:
    expected = [moments(one) for one in literals(literal.SPECS[name])]
    for kernel in (draw_effects,) if name in BENT else (draw_effects, draw_linear_effects):
        found = drawn(name, kernel)
        for person, (mean, covariance) in enumerate(expected):
            sd = np.sqrt(np.diag(covariance))
            away = (found[:, person].mean(axis=0) - mean) / sd
            # Five standard errors of 4,000 independent draws, for means, SDs and correlations alike; some 250 numbers in all.
            np.testing.assert_allclose(away, 0, atol=5 / DRAWS**0.5, err_msg=f"mean, {person}")
            np.testing.assert_allclose(found[:, person].std(axis=0) / sd, 1, atol=5 / (2 * DRAWS) ** 0.5, err_msg=f"sd, {person}")
            correlation = np.corrcoef(found[:, person].T) - covariance / np.outer(sd, sd)
            np.testing.assert_allclose(correlation, 0, atol=5 / DRAWS**0.5, err_msg=f"correlation, {person}")


def test_those_whom_the_first_proposal_fails_are_drawn_from_the_same_posterior() -> None:
    # A hazard that moves by half with each point makes the tangent a poor bound, so that many proposals are lost.
    name = "piecewise, value and slope"
    steep = {"association:value": -0.4, "association:slope": 0.0, **{f"log_hazard[{k}]": 12.0 for k in (1, 2, 3)}}
    one, other = drawn(name, draw_effects, 4000, **steep), drawn(name, draw_linear_effects, 4000, **steep)
    for person in range(6):
        sd = one[:, person].std(axis=0)
        np.testing.assert_allclose((one[:, person].mean(axis=0) - other[:, person].mean(axis=0)) / sd, 0, atol=5 * (2 / DRAWS) ** 0.5)
        np.testing.assert_allclose(other[:, person].std(axis=0) / sd, 1, atol=5 / DRAWS**0.5)


def test_lines_are_drawn_by_the_kernel_made_for_them_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []
    monkeypatch.setattr(effects, "draw_effects", lambda *_: used.append("any") or 1)
    monkeypatch.setattr(effects, "draw_linear_effects", lambda *_: used.append("line") or 1)
    for name in ("piecewise, value and slope", *BENT):
        spec = literal.SPECS[name]
        made = program(spec, joint_data(literal.cohort(), spec.selection))
        path, shared = path_at(made, made.constrained(literal.unconstrained(made)), made.segments, made.cuts)
        draw_given(path, shared, made.cuts, made.weibull, np.random.default_rng(1), np.empty((6, 2)))
    assert used == ["line", *["any"] * len(BENT)]


def test_without_the_event_the_moments_are_others() -> None:
    # Negative control: an association of zero, where the truth is not, is seen at these tolerances.
    name = "piecewise, value and slope"
    found = drawn(name, **{"association:value": 0.0, "association:slope": 0.0})
    worst = 0.0
    for person, one in enumerate(literals(literal.SPECS[name])):
        mean, covariance = moments(one)
        worst = max(worst, float(np.abs((found[:, person].mean(axis=0) - mean) / np.sqrt(np.diag(covariance))).max()))
    assert worst > 10 / DRAWS**0.5


def test_effects_do_not_depend_on_cores_and_follow_the_seed() -> None:
    spec = literal.SPECS["piecewise, value and slope"]
    made = program(spec, joint_data(literal.cohort(), spec.selection))
    x = literal.unconstrained(made) + np.random.default_rng(1).normal(0, 0.01, (1, 40, made.size))
    fit: Any = SimpleNamespace(spec=spec, program=made, x=x)
    places, one = participant_effects(fit, 20, seed=3, cores=1)
    again, two = participant_effects(fit, 20, seed=3, cores=2)
    assert one.shape == (20, 6, 2)
    assert np.array_equal(places, again)
    assert np.array_equal(one, two)
    assert not np.array_equal(one, participant_effects(fit, 20, seed=4)[1])
    assert participant_effects(fit, 1000, seed=3)[1].shape == (40, 6, 2)
