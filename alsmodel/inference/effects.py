"""Random effects of participants, drawn after the population parameters: exact, and independent between participants."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alsmodel.errors import FitFailed
from alsmodel.kernels.baseline import baseline, extend
from alsmodel.kernels.effects import draw_effects
from alsmodel.kernels.posterior import Segments, correlation_factor
from alsmodel.kernels.records import Cuts, Path, Shared
from alsmodel.models.program import Program

if TYPE_CHECKING:
    from alsmodel.inference.fit import Fit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
STREAM = 5


def participant_effects(fit: "Fit", draws: int = 1000, *, seed: int = 1, cores: int = 2) -> tuple[Ints, Floats]:
    r"""Draw the random effects of every participant, one set for each of some posterior draws.

    Given the parameters, participants are independent, and the posterior of one participant's effects is log-concave; it is drawn
    from exactly, by rejection under a tangent (`alsmodel.kernels.effects`). Over the posterior draws the effects are then draws of
    their posterior given everybody's data.

    Parameters
    ----------
    fit : Fit
    draws : int
        Posterior draws, D, taken evenly; all of them when there are fewer.
    seed : int
    cores : int
        Threads; the draws do not depend on it.

    Returns
    -------
    places : int array, shape (D,)
        Which posterior draws, chains one after the other.
    effects : array, shape (D, N, q)
        Intercept, slope (per time unit), and quadratic where the model has it: deviations from the participant's mean path.

    Raises
    ------
    FitFailed
        When a participant's posterior does not exist at some draw.
    """
    made = fit.program
    flat = fit.x.reshape(-1, made.size)
    places = np.unique(np.linspace(0, len(flat) - 1, min(draws, len(flat))).astype(np.int64))
    values = made.constrained(flat[places])
    people, random = made.wiring.shift.size, made.wiring.sds.size
    out = np.empty((places.size, people, random))

    def one(k: int) -> None:
        path, shared = path_at(made, values[k], made.segments, made.cuts)
        rng = np.random.default_rng([seed, STREAM, int(places[k])])
        draw_effects(path, shared, made.cuts, made.weibull, rng, out[k])

    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(one, range(places.size)))
    if not np.isfinite(out).all():
        raise FitFailed("The posterior of a participant's random effects does not exist at some draw of the parameters.")
    return places, out


def path_at(made: Program, value: Floats, segments: Segments, cuts: Cuts) -> tuple[Path, Shared]:
    """Mean paths and shared parameters at one vector of parameters on their own scale.

    Parameters
    ----------
    made : Program
    value : array, shape (P,)
        Values of groups, strata and spline weights are made of them here.
    segments : Segments
    cuts : Cuts
        Of the data on which the paths are wanted.
    """
    wiring, person, first = made.wiring, segments.person, cuts.seg_ptr[:-1]
    value = extend(value, wiring.derived)

    def gain(rate: Floats) -> Floats:
        """Integral of a rate from time zero to each reference time."""
        steps = rate * segments.inside
        running = np.cumsum(steps) - steps
        early = np.add.reduceat(rate * segments.before, first)
        return np.asarray(running - running[first][person] - early[person])

    def log_rate(column: int) -> Floats:
        total = np.zeros(person.size)
        for k, place in enumerate(wiring.drugs[:, column]):
            if place >= 0:
                total += value[place] * segments.exposed[:, k]
        return total

    start = _linear(made, value, _at(value, wiring.one[0]), wiring.intercept, wiring.x_intercept, 2)
    speed = _linear(made, value, _at(value, wiring.one[1]), wiring.slope, wiring.x_slope, 3)
    hazard = _linear(made, value, 0.0, wiring.hazard, wiring.x_hazard, 4)
    mean_rate, own_rate, clock_rate = (np.exp(log_rate(column)) for column in (0, 1, 4))
    added = log_rate(2)
    path = Path(
        level=start[person] + speed[person] * gain(mean_rate) + gain(added),
        rate=speed[person] * mean_rate + added,
        own_level=gain(own_rate),
        own_rate=own_rate,
        clock_level=wiring.shift[person] + gain(clock_rate),
        clock_rate=clock_rate,
        offset=hazard[person] + np.log(clock_rate) + log_rate(3),
    )
    lower = value[wiring.sds][:, None] * correlation_factor(value, wiring.partials, wiring.sds.size)
    alpha = np.array([_at(value, k) for k in wiring.alpha])
    base = baseline(value, wiring.base, wiring.base_kind, wiring.base_reference, segments.basis, segments.stratum)
    return path, Shared(base, alpha, _at(value, wiring.one[2]), float(value[wiring.one[3]]), lower @ lower.T)


def _at(value: Floats, place: int) -> float:
    return float(value[place]) if place >= 0 else 0.0


def _linear(made: Program, value: Floats, start: float, coefficients: Ints, design: Floats, column: int) -> Floats:
    """start + design @ coefficients, imputed numbers in place of the means that stand in for them."""
    out = np.full(design.shape[0], start)
    for k, place in enumerate(coefficients):
        out += design[:, k] * value[place]
    for row in made.wiring.imputed:
        if (k := row[column]) >= 0:
            out[row[1]] += (value[row[0]] - design[row[1], k]) * value[coefficients[k]]
    return out
