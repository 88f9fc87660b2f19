"""Negative controls: rows broken on purpose. A rule that does not reject these proves nothing when it accepts."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from alsmodel.kernels.posterior import constrain
from alsmodel.models.domain import DomainModel
from alsmodel.models.program import Program
from tests.calibration.rows import Floats, Row
from tests.calibration.sbc import Breaking, Density, Simulation, run_simulation


def as_it_is(made: Program) -> Density:
    """The right density: what the other controls are held against."""
    return made.density


def association_flipped(made: Program) -> Density:
    """The association enters the hazard with the wrong sign."""
    k = made.labels.index("association:value")

    def density(x: Floats) -> tuple[float, Floats]:
        y = x.copy()
        y[k] = -x[k]
        value, gradient = made.density(y)
        gradient[k] = -gradient[k]
        mean, sd = made.priors.a[k], made.priors.b[k]  # the prior stays where it was
        gradient[k] += ((-x[k] - mean) * -1 - (x[k] - mean)) / sd**2
        return value + 0.5 * ((-x[k] - mean) ** 2 - (x[k] - mean) ** 2) / sd**2, gradient

    return density


def likelihood_dropped(made: Program) -> Density:
    """The data are ignored: ranks of the parameters stay uniform, that of the log-likelihood does not."""

    def density(x: Floats) -> tuple[float, Floats]:
        gradient = np.zeros(x.size)
        return constrain(x, made.priors, np.empty(x.size), np.empty(x.size), gradient), gradient

    return density


def jacobian_dropped(made: Program) -> Density:
    """The log Jacobian of the residual SD is left out."""
    k = made.labels.index("sd:residual")

    def density(x: Floats) -> tuple[float, Floats]:
        value, gradient = made.density(x)
        gradient[k] -= 1.0
        return value - x[k], gradient

    return density


#: How the density is broken, and changes to the design. The Jacobian matters where data are few, so few are given; the right
#: density under that design stands beside it.
FEW: dict[str, float] = {"participants": 5, "every": 4.5}
CONTROLS: dict[str, tuple[Breaking, dict[str, float]]] = {
    "control_association_flipped": (association_flipped, {}),
    "control_likelihood_dropped": (likelihood_dropped, {}),
    "control_jacobian_dropped": (jacobian_dropped, FEW),
    "control_few_data": (as_it_is, FEW),
}


def censoring_ignored(row: Row) -> Row:
    """Scores at a bound are taken for what they are, with Gaussian noise: the data as before, the wrong model of them."""
    assert isinstance(row.spec, DomainModel)
    plain = tuple(replace(outcome, likelihood="gaussian") for outcome in row.spec.outcomes)
    return replace(row, spec=replace(row.spec, outcomes=plain))


#: Models broken in their specification: the row that they were made of, and how.
OF_ROWS: dict[str, tuple[str, Callable[[Row], Row]]] = {"control_domains_censoring_ignored": ("domains", censoring_ignored)}
NAMES = (*CONTROLS, *OF_ROWS)


def row_of(name: str) -> str:
    """Row that a control was made of."""
    return OF_ROWS[name][0] if name in OF_ROWS else "base"


def run_control(name: str, row: Row, simulations: int, seed: int) -> Iterator[Simulation]:
    """All simulations of one control. A broken density may break the search for its mode: that counts as a failure."""
    for number in range(simulations):
        if name in OF_ROWS:
            yield run_simulation(OF_ROWS[name][1](row), number, seed)
        else:
            breaking, design = CONTROLS[name]
            yield run_simulation(row, number, seed, breaking, **design)
