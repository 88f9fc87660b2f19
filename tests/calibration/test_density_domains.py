"""Density and gradient of every row of several outcomes against the literal integral and the stated prior, on literal data."""

from dataclasses import replace

import numpy as np
import pytest

from alsmodel.cohort.outcome_arrays import OutcomeData
from alsmodel.inference.domain_draws import named_domain_draws
from alsmodel.models.domain import DomainModel
from alsmodel.models.domain_program import DomainProgram, domain_program
from tests.calibration import literal_domains
from tests.calibration.rows import Floats, Row, arrays, of_domains, read_models, read_rows, simulate, stream, unconstrained

ROWS = {name: row for name, row in read_rows().items() if of_domains(row.model)}
SEED = read_models()["rule"]["seed"]
PEOPLE = 3


def small(row: Row, *, fine: bool) -> tuple[dict[str, float], list[literal_domains.Person], DomainProgram]:
    """Truth, a few participants and their program."""
    truth, people = simulate(row, stream(SEED, row.name, 10_000), participants=PEOPLE)
    spec, data = row.spec, arrays(row, people)
    assert isinstance(spec, DomainModel)
    assert isinstance(data, OutcomeData)
    if fine:
        return truth, people, domain_program(replace(spec, nodes=(48, 36)), data, tolerance=1e-9, event_nodes=11, more_time_nodes=4)
    return truth, people, domain_program(spec, data)


@pytest.mark.parametrize("name", ROWS)
def test_likelihood_is_the_literal_integral(name: str) -> None:
    row = ROWS[name]
    truth, people, made = small(row, fine=True)
    found = made.loglik(unconstrained(row, made, truth))
    for k, person in enumerate(people):
        expected, error = literal_domains.loglik(row.model, truth, person, 40_000, np.random.default_rng(k))
        # Four Monte Carlo errors, and 0.005 for what separates expectation propagation from the integral.
        assert abs(found[k] - expected) < 4 * error + 0.005
        assert error < 0.02


@pytest.mark.parametrize("name", ROWS)
def test_gradient_is_the_differenced_density(name: str) -> None:
    row = ROWS[name]
    truth, _, made = small(row, fine=True)
    x = unconstrained(row, made, truth)
    steps = 1e-4 * np.eye(x.size)
    numeric = [(made.density(x + step)[0] - made.density(x - step)[0]) / 2e-4 for step in steps]
    # The sites' moments are sums over nodes, and the gradient knows nothing of how the nodes move.
    np.testing.assert_allclose(made.density(x)[1], numeric, rtol=2e-3, atol=2e-2)


@pytest.mark.parametrize("name", ROWS)
def test_prior_is_the_one_stated(name: str) -> None:
    row = ROWS[name]
    truth, _, made = small(row, fine=False)
    here = unconstrained(row, made, truth)
    there = here + 0.2 * np.minimum(made.priors.b, 1.0) * np.random.default_rng(1).normal(size=here.size)
    found = [made.density(x)[0] - made.loglik(x).sum() for x in (here, there)]
    # A difference of two points: the literal prior leaves constants out. Its Jacobian is by differences.
    assert found[1] - found[0] == pytest.approx(_log_prior(row, made, there) - _log_prior(row, made, here), abs=1e-4)


def test_no_prior_depends_on_the_data() -> None:
    for row in ROWS.values():
        made = [domain_program(row.spec, arrays(row, simulate(row, stream(SEED, row.name, k))[1])) for k in (1, 2)]  # type: ignore[arg-type]
        np.testing.assert_array_equal(made[0].priors.a, made[1].priors.a)
        np.testing.assert_array_equal(made[0].priors.b, made[1].priors.b)


def _log_prior(row: Row, made: DomainProgram, x: Floats) -> float:
    """Log prior on the printed scale plus the log Jacobian by central differences."""
    prior, values = row.model["priors"], _named(row, made, x)
    steps = 1e-5 * np.eye(x.size)
    columns = [(np.array(list(_named(row, made, x + s).values())) - list(_named(row, made, x - s).values())) / 2e-5 for s in steps]
    total = np.linalg.slogdet(np.array(columns))[1]
    for label, value in values.items():
        part, _, rest = label.partition(":")
        if part == "sd":
            total -= 0.5 * (value / prior[f"sd_{rest.partition('.')[2]}"]) ** 2
        elif part != "corr":
            of = _prior_name(part, rest)
            total -= 0.5 * ((value - prior[of]["mean"]) / prior[of]["sd"]) ** 2
    unit = values | {f"sd:{effect}": 1.0 for effect in literal_domains.effects_of(row.model)}
    return float(total + (prior["correlation"] - 1.0) * np.linalg.slogdet(literal_domains.arrays_of(row.model, unit)["covariance"])[1])


def _prior_name(part: str, rest: str) -> str:
    if part == "association":
        return f"association_{rest}"
    if part.startswith("log_hazard"):
        return "log_hazard"
    stem = part.partition(".")[2] or part
    return f"{stem}_covariates" if rest else stem


def _named(row: Row, made: DomainProgram, x: Floats) -> dict[str, float]:
    assert isinstance(row.spec, DomainModel)
    return {name: float(value[0, 0]) for name, value in named_domain_draws(row.spec, made, x[None, None]).items()}
