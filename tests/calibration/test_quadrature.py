"""The rule that a fit settles on is fine enough: twice the nodes move the log-likelihood alike at all draws of the posterior."""

from dataclasses import replace

import numpy as np
import pytest

from alsmodel.estimators.psis import resample
from alsmodel.inference.importance import weigh
from alsmodel.inference.refine import prepare
from alsmodel.models.processes import with_nodes
from alsmodel.models.program import program
from alsmodel.models.spec import JointModel
from alsmodel.settings import decode
from tests.calibration.literal import Mapping
from tests.calibration.rows import arrays, merged, read_rows, simulate, stream

ROWS = read_rows()
DRAWS = 200
#: Row, what is changed in its design, and in its priors from which the truth is drawn.
CASES: dict[str, tuple[str, Mapping, Mapping]] = {
    "as it is": ("base", {}, {}),
    "strong association": ("base", {}, {"association_value": {"mean": -0.3, "sd": 0.02}, "log_hazard": {"mean": -5.0, "sd": 0.3}}),
    "few visits": ("base", {"every": 9.0}, {}),
    "long follow-up": ("base", {"shortest": 48.0, "longest": 60.0, "every": 6.0}, {}),
    "all three": (
        "base", {"shortest": 48.0, "longest": 60.0, "every": 18.0},
        {"association_value": {"mean": -0.3, "sd": 0.02}, "log_hazard": {"mean": -6.0, "sd": 0.3}},
    ),
    "slope": ("association_slope", {}, {}),
    "mean since time zero": ("association_area", {"shortest": 48.0, "longest": 60.0, "every": 9.0}, {}),
    "shared random effects": ("association_shared", {"every": 9.0}, {}),
    "Weibull": ("weibull", {"every": 9.0}, {}),
}  # fmt: skip


def spread(name: str, hermite: int | None = None) -> float:
    """SD over draws of the posterior of how far twice the nodes, along each random effect and in time, move the log-likelihood.

    With `hermite`, of that number of nodes in the place of those that the fit settles on.
    """
    of, design, priors = CASES[name]
    model = merged(ROWS[of].model, {"priors": priors})
    row = replace(ROWS[of], model=model, design={**ROWS[of].design, **design, "participants": 200}, spec=decode(JointModel, model))
    data = arrays(row, simulate(row, stream(8, row.name, 0))[1])
    ready = prepare(row.spec, data)
    weighted = weigh(ready.program, ready.mode, seed=1, cores=1)
    at = weighted.x[resample(weighted.log_weight, DRAWS, np.random.default_rng(1))]
    spec = ready.spec if hermite is None else replace(ready.spec, hermite=hermite)
    coarse = program(spec, data)
    fine = program(with_nodes(spec, lambda survival: 2 * survival.nodes), data).with_hermite(2 * spec.hermite)
    moved = [fine.loglik(x).sum() - coarse.loglik(x).sum() for x in at]
    return float(np.std(moved))


@pytest.mark.parametrize("name", CASES)
def test_twice_the_nodes_move_the_log_likelihood_alike_at_all_draws(name: str) -> None:
    assert spread(name) < 0.02


def test_too_few_nodes_would_be_seen() -> None:
    """The control: with one node at each participant's mode, a Laplace step, the limit is passed."""
    assert spread("all three", hermite=1) > 0.02
