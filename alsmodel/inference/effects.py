"""Random effects of participants, drawn after the population parameters: exact, and independent between participants."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alsmodel.errors import FitFailed
from alsmodel.inference.classes import require_one_population
from alsmodel.inference.sampling import evenly
from alsmodel.kernels.baseline import extend
from alsmodel.kernels.effects import draw_effects, follow_effects
from alsmodel.kernels.effects_linear import draw_linear_effects
from alsmodel.kernels.joint import only_lines
from alsmodel.kernels.posterior import Segments, paths
from alsmodel.kernels.records import Cuts, Path, Shared
from alsmodel.kernels.sigmoid_effects import draw_sigmoid_effects, follow_sigmoid_effects
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
        Intercept, slope (per time unit), and the terms that bend where the model has them, in the order of
        `JointModel.effects`: deviations from the participant's mean path.

    Raises
    ------
    FitFailed
        When a participant's posterior does not exist at some draw.
    InvalidInput
        For a model with latent classes.
    """
    require_one_population(fit.spec, "Random effects of participants")
    made = fit.program
    flat = fit.x.reshape(-1, made.size)
    places = evenly(len(flat), draws)
    values = made.constrained(flat[places])
    people, random = made.wiring.shift.size, made.wiring.sds.size
    out = np.empty((places.size, people, random))

    def one(k: int) -> None:
        path, shared = path_at(made, values[k], made.segments, made.cuts)
        rng = np.random.default_rng([seed, STREAM, int(places[k])])
        draw_given(path, shared, made.cuts, made.weibull, rng, out[k])

    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(one, range(places.size)))
    if not np.isfinite(out).all():
        raise FitFailed("The posterior of a participant's random effects does not exist at some draw of the parameters.")
    return places, out


def draw_given(path: Path, shared: Shared, cuts: Cuts, weibull: bool, rng: np.random.Generator, out: Floats) -> int:
    """`alsmodel.kernels.effects.draw_effects`, or its faster like for lines, or its like for sigmoid paths.

    Each is compiled only for those who have such paths.
    """
    drawn: int = -1
    if cuts.top > 0:
        drawn = draw_sigmoid_effects(path, shared, cuts, weibull, rng, out)
    elif only_lines(shared, cuts):
        drawn = draw_linear_effects(path, shared, cuts, weibull, rng, out)
    return drawn if drawn >= 0 else draw_effects(path, shared, cuts, weibull, rng, out)


def follow_given(path: Path, shared: Shared, cuts: Cuts, weibull: bool, effects: Floats, cumulative: Floats, value: Floats) -> None:
    """`alsmodel.kernels.effects.follow_effects`, or its like for sigmoid paths."""
    (follow_sigmoid_effects if cuts.top > 0 else follow_effects)(path, shared, cuts, weibull, effects, cumulative, value)


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
    path, shared, _ = paths(extend(value, made.wiring.derived), made.wiring, segments)
    return path, shared
