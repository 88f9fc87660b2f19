"""Negative controls: the base row broken on purpose. A rule that does not reject these proves nothing when it accepts."""

from collections.abc import Callable
from typing import Any

import numpy as np

from alsmodel.inference.mode import find_mode
from alsmodel.inference.sampling import sample
from alsmodel.inference.summary import named_draws
from alsmodel.kernels.posterior import constrain
from alsmodel.models.program import Program, program
from tests.calibration.rows import Floats, Row, arrays, read_rows, sampling, simulate, stream, unconstrained
from tests.calibration.sbc import LOGLIK, Simulation, rank

Density = Callable[[Floats], tuple[float, Floats]]
KEPT = 99


def as_it_is(made: Program, row: Row) -> Density:
    """The right density: what the other controls are held against."""
    return made.density


def association_flipped(made: Program, row: Row) -> Density:
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


def likelihood_dropped(made: Program, row: Row) -> Density:
    """The data are ignored: ranks of the parameters stay uniform, that of the log-likelihood does not."""

    def density(x: Floats) -> tuple[float, Floats]:
        gradient = np.zeros(x.size)
        return constrain(x, made.priors, np.empty(x.size), np.empty(x.size), gradient), gradient

    return density


def jacobian_dropped(made: Program, row: Row) -> Density:
    """The log Jacobian of the residual SD is left out."""
    k = made.labels.index("sd:residual")

    def density(x: Floats) -> tuple[float, Floats]:
        value, gradient = made.density(x)
        gradient[k] -= 1.0
        return value - x[k], gradient

    return density


#: How the density is broken, and changes to the design. The Jacobian matters where data are few, so few are given; the right
#: density under that design stands beside it.
CONTROLS: dict[str, tuple[Callable[[Program, Row], Density], dict[str, Any]]] = {
    "control_association_flipped": (association_flipped, {}),
    "control_likelihood_dropped": (likelihood_dropped, {}),
    "control_jacobian_dropped": (jacobian_dropped, {"participants": 5, "every": 4.5}),
    "control_few_data": (as_it_is, {"participants": 5, "every": 4.5}),
}


def control_simulation(name: str, row: Row, number: int, seed: int) -> Simulation:
    """As `run_simulation`, with the broken density: program, mode, whitened sampler."""
    breaking, design = CONTROLS[name]
    data_seed, fit_seed = stream(seed, row.name, number).spawn(2)
    truth, people = simulate(row, data_seed, **design)
    data = arrays(row, people)
    made = program(row.spec, data)
    density = breaking(made, row)
    drawn = sample(density, find_mode(density, made.start), sampling(), int(fit_seed.generate_state(1)[0]))
    draws = named_draws(row.spec, data, made, drawn.x)
    ranks = {label: rank(truth[label], draws[label], KEPT) for label in truth}
    flat = drawn.x.reshape(-1, drawn.x.shape[-1])
    chosen = flat[np.linspace(0, len(flat) - 1, KEPT + 1).astype(np.int64)[:-1]]
    ranks[LOGLIK] = int((np.array([made.loglik(x).sum() for x in chosen]) < made.loglik(unconstrained(made, truth)).sum()).sum())
    return Simulation(ranks=ranks, divergences=int(drawn.diverging.sum()))


def run_control(name: str, simulations: int, seed: int) -> dict[str, Any]:
    """All simulations of one control, as a rank file."""
    from tests.calibration.run import add, empty

    row = read_rows()["base"]
    record = empty(row, seed) | {"row": name}
    for number in range(simulations):
        try:
            add(record, control_simulation(name, row, number, seed))
        except Exception as failure:  # a broken density may break the search for its mode
            if type(failure).__name__ not in ("FitFailed", "LinAlgError"):
                raise
            add(record, Simulation(ranks=None))
    return record
