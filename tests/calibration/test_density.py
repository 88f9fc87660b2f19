"""Every row's compiled density and gradient against the literal integral, on literal data."""

from dataclasses import replace

import numpy as np
import pytest

from alsmodel.cohort.arrays import JointData
from alsmodel.inference.summary import named_draws
from alsmodel.models.program import Program, program
from alsmodel.models.spec import JointModel
from alsmodel.settings import decode
from tests.calibration import literal
from tests.calibration.rows import Floats, Row, arrays, generator_of, of_domains, read_models, read_rows, simulate, stream, unconstrained

ROWS = {name: row for name, row in read_rows().items() if not of_domains(row.model)}
SEED = read_models()["rule"]["seed"]
PEOPLE = 4


def small(row: Row, **changes: object) -> tuple[dict[str, float], list[literal.Person], Program]:
    """Truth, a few participants and their program; `changes` to the specification."""
    missing = min(row.design["missing"], 1)
    truth, people = simulate(row, stream(SEED, row.name, 10_000), participants=PEOPLE, missing=missing)
    model = {**row.model, **changes}
    changed = replace(row, spec=decode(JointModel, model))
    return truth, people, program(changed.spec, arrays(changed, people))


@pytest.mark.parametrize("name", ROWS)
def test_likelihood_is_the_literal_integral(name: str) -> None:
    row = ROWS[name]
    nodes = {**row.model["survival"], "nodes": 30}
    truth, people, made = small(row, hermite=15, survival=nodes)
    found = made.loglik(unconstrained(row, made, truth))
    dense = 61 if row.spec.decline.kind == "sigmoid" else {2: 15, 3: 9}.get(len(row.spec.effects), 5)
    people = people[: 2 if dense in (5, 61) else None]  # a grid of four dimensions, or without weights, takes its time
    expected = [generator_of(row.model).loglik(row.model, truth, person, dense) for person in people]
    # The literal integral adds hazards up over cells of 0.01 month, which leaves errors of about 1e-5.
    np.testing.assert_allclose(found[: len(people)], expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ROWS)
def test_prior_is_the_one_stated(name: str) -> None:
    row = ROWS[name]
    truth, _, made = small(row)
    here = unconstrained(row, made, truth)
    there = here + np.random.default_rng(1).normal(0.0, 0.2, here.size)
    found = [made.density(x)[0] - made.loglik(x).sum() for x in (here, there)]
    expected = [_log_prior(row, made, x) for x in (here, there)]
    # A difference of two points: the literal prior leaves constants out. Its Jacobian is by differences.
    assert found[1] - found[0] == pytest.approx(expected[1] - expected[0], abs=1e-5)


@pytest.mark.parametrize("name", ROWS)
def test_gradient_is_the_differenced_density(name: str) -> None:
    truth, _, made = small(ROWS[name], hermite=15)
    x = unconstrained(ROWS[name], made, truth)
    # The panels of a sigmoid's integral end where the density has fallen by a factor of e^10, and the gradient knows nothing of their ends.
    near = 2e-3 if ROWS[name].spec.decline.kind == "sigmoid" else 2e-5
    np.testing.assert_allclose(made.density(x)[1], differenced(made, x), rtol=near, atol=near)


@pytest.mark.parametrize("name", ROWS)
def test_gradient_under_the_default_rule_is_near_the_fine_one(name: str) -> None:
    truth, _, coarse = small(ROWS[name])
    _, _, fine = small(ROWS[name], hermite=15)
    x = unconstrained(ROWS[name], coarse, truth)
    # Fisher's identity under three nodes: off by the error of the quadrature.
    np.testing.assert_allclose(coarse.density(x)[1], fine.density(x)[1], rtol=0.02, atol=0.02)
    np.testing.assert_allclose(coarse.loglik(x), fine.loglik(x), atol=0.01)


def differenced(made: Program, x: Floats) -> Floats:
    """Gradient of the density by central differences."""
    steps = 1e-4 * np.eye(x.size)
    return np.array([(made.density(x + step)[0] - made.density(x - step)[0]) / 2e-4 for step in steps])


def test_no_prior_depends_on_the_data() -> None:
    for row in ROWS.values():
        made = [program(row.spec, arrays(row, simulate(row, stream(SEED, row.name, k), missing=0)[1])) for k in (1, 2)]
        np.testing.assert_array_equal(made[0].priors.a, made[1].priors.a)
        np.testing.assert_array_equal(made[0].priors.b, made[1].priors.b)


def _log_prior(row: Row, made: Program, x: Floats) -> float:
    """Log prior on the printed scale plus the log Jacobian by central differences."""
    names = _named(row, made, x)
    pri = row.model["priors"]
    total = np.linalg.slogdet(_jacobian(row, made, x))[1]
    for label, value in names.items():
        part, _, rest = label.partition("@")[0].partition(":")
        if part == "sd":
            total -= 0.5 * (value / pri[f"sd_{rest.partition('[')[0]}"]) ** 2
        elif part == "group_sd":
            total -= 0.5 * (value / pri[_SDS.get(rest, "sd_effect")]) ** 2
        elif part == "z":
            total -= 0.5 * value**2
        elif part == "imputed":
            block = next(b for b in made.blocks if label in b.labels)
            total -= 0.5 * ((value - block.a[0]) / block.b[0]) ** 2
        elif part != "corr":
            prior = pri[_prior_name(part, rest)]
            total -= 0.5 * ((value - prior["mean"]) / prior["sd"]) ** 2
    covariance = getattr(generator_of(row.model), "covariance", literal.covariance)
    unit = {f"sd:{effect}": 1.0 for effect in row.spec.effects}
    return float(total + (pri["correlation"] - 1.0) * np.linalg.slogdet(covariance(row.model, names | unit))[1])


_SDS = {
    "spline": "sd_spline", "baseline_level": "sd_baseline_level", "baseline_shape": "sd_baseline_shape",
    "intercept:cohort": "sd_level_groups", "slope:cohort": "sd_slope_groups", "association:value": "sd_association_value",
}  # fmt: skip


def _prior_name(part: str, rest: str) -> str:
    if rest.partition("[")[0] == "drug":
        return {"hazard": "direct", "slope": "additive"}.get(part, part)
    if part.startswith(("log_hazard", "log_level")):
        return "log_hazard"
    if part.startswith(("log_shape", "log_slope")):
        return "log_shape"
    if part == "association":
        return f"association_{rest.partition('[')[0].replace(':', '_')}"
    if part == "class":
        return "class_covariates" if ":" in rest else f"class_{rest.partition('[')[0]}"
    return f"{part}_covariates" if rest else part.partition("[")[0]


def _named(row: Row, made: Program, x: Floats) -> dict[str, float]:
    data = no_data(row)
    values = named_draws(replace(row.spec, treatments=()), data, made, x[None, None])
    made_of_others = {one.label for one in made.derived} | {"d50", "dx"}
    return {name: float(value[0, 0]) for name, value in values.items() if name not in made_of_others and not name.startswith("class ")}


def no_data(row: Row) -> JointData:
    """Any data of this row: only the names of its columns are read."""
    return arrays(row, simulate(row, stream(SEED, row.name, 10_000), participants=3, missing=0)[1])


def _jacobian(row: Row, made: Program, x: Floats) -> Floats:
    columns = []
    for k in range(x.size):
        step = np.zeros(x.size)
        step[k] = 1e-5
        up, low = _named(row, made, x + step), _named(row, made, x - step)
        columns.append([(up[name] - low[name]) / 2e-5 for name in up])
    return np.array(columns).T
