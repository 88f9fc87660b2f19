"""Twice the quadrature nodes change the log-likelihood by a constant: its SD over the posterior is below 0.02.

A constant does not move a posterior; what varies over its draws does, by about as many posterior SDs. The cases are those in which
integration over random effects is hardest: a strong association, few visits, long follow-up.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from alsmodel.inference import Sampling
from alsmodel.inference.fit import fit_data
from alsmodel.models.program import program
from tests.calibration import literal
from tests.calibration.rows import arrays, read_rows

LIMIT = 0.02
DRAWS = 200
HARD: dict[str, tuple[str, dict[str, Any], float]] = {
    "strong association": ("base", {}, -0.25),
    "strong association, value and slope": ("association_both", {}, -0.25),
    "few visits": ("weibull", {"every": 9.0}, -0.15),
    "long follow-up": ("base", {"longest": 48.0, "shortest": 36.0, "every": 6.0}, -0.15),
}


def spread_of_the_difference(name: str, nodes: int | None = None) -> float:
    row_name, changes, association = HARD[name]
    row, rng = read_rows()[row_name], np.random.default_rng(5)
    design = {**row.design, "participants": 300, **changes}
    truth = literal.draw_truth(row.model, design, rng) | {"association:value": association}
    data = arrays(row, list(literal.draw_people(row.model, design, truth, rng)))
    fit = fit_data(row.spec, data, Sampling(chains=2, draws=200, tune=200, cores=1), seed=1)
    spec, x = fit.spec, fit.x.reshape(-1, fit.x.shape[-1])
    coarse = fit.program if nodes is None else program(replace(spec, survival=replace(spec.survival, nodes=nodes)), data, fit.program.knots)
    doubled = replace(spec, hermite=2 * spec.hermite, survival=replace(spec.survival, nodes=2 * spec.survival.nodes))
    fine = program(doubled, data, fit.program.knots)
    chosen = x[np.linspace(0, len(x) - 1, DRAWS).astype(int)]
    return float(np.std([fine.loglik(point).sum() - coarse.loglik(point).sum() for point in chosen], ddof=1))


@pytest.mark.parametrize("name", HARD)
def test_twice_the_nodes_leave_the_posterior_where_it_is(name: str) -> None:
    assert spread_of_the_difference(name) < LIMIT


def test_one_node_in_time_would_be_noticed() -> None:
    assert spread_of_the_difference("strong association", nodes=1) > 2 * LIMIT
