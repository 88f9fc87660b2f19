"""Latent classes of a fit as a reader sees them: their sizes and how clearly they are told apart, never who belongs to which."""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.errors import Fault, InvalidInput
from alsmodel.inference.sampling import evenly

if TYPE_CHECKING:
    from alsmodel.inference.fit import Fit
    from alsmodel.models.spec import JointModel

Floats = NDArray[np.float64]
INTERVAL = (0.025, 0.975)


def memberships(fit: "Fit", draws: int = 400) -> Floats:
    """Posterior probability of each latent class for each participant, parameters averaged over; shape (K, N).

    Parameters
    ----------
    fit : Fit
    draws : int
        Posterior draws, taken evenly.

    Raises
    ------
    InvalidInput
        When the model has no classes.
    """
    if fit.spec.classes is None:
        raise InvalidInput([Fault("model.classes", "This fit has no latent classes.", "Fit one with classes = LatentClasses(number=2).")])
    flat = fit.x.reshape(-1, fit.program.size)
    return np.asarray(np.mean([fit.program.memberships(x) for x in flat[evenly(len(flat), draws)]], axis=0))


def relative_entropy(membership: Floats) -> float:
    r"""How clearly classes are told apart: 1 when everybody's is certain, 0 when nothing is known of anybody.

    .. math:: 1 + \frac{\sum_i \sum_k p_{ik} \log p_{ik}}{N \log K}

    (Ramaswamy et al. 1993, doi 10.1287/mksc.12.1.103). NaN for a single class.
    """
    count, people = membership.shape
    if count == 1:
        return float("nan")
    surprise = membership * np.log(np.maximum(membership, 1e-300))
    return float(1 + surprise.sum() / (people * np.log(count)))


def class_table(fit: "Fit", draws: int = 400) -> pl.DataFrame:
    """One row for each class: its share of the population, and of whom it is the most likely class.

    Returns
    -------
    polars.DataFrame
        class, slope with lower and upper, share with lower and upper (95%), assigned (participants whose most likely class it is),
        certainty (mean probability of the class among them; NaN where there are none), entropy (`relative_entropy`, of all).
    """
    membership = memberships(fit, draws)
    likely, rows = membership.argmax(axis=0), []
    names = fit.spec.classes.names if fit.spec.classes is not None else ()
    for k, name in enumerate(names):
        mine = likely == k
        slope = fit.flat("slope" if k == 0 else f"class slope[{k + 1}]")
        share = fit.flat(f"class share[{k + 1}]") if len(names) > 1 else np.ones(1)
        rows.append(
            {
                "class": name,
                **_told("slope", slope),
                **_told("share", share),
                "assigned": int(mine.sum()),
                "certainty": float(membership[k, mine].mean()) if mine.any() else float("nan"),
                "entropy": relative_entropy(membership),
            }
        )
    return pl.DataFrame(rows)


def _told(name: str, draws: Floats) -> dict[str, float]:
    lower, upper = np.quantile(draws, INTERVAL)
    return {name: float(draws.mean()), f"{name}_lower": float(lower), f"{name}_upper": float(upper)}


def require_one_population(spec: "JointModel", what: str) -> None:
    """Refuse `what` of a model with latent classes, where the random effects of a participant are those of a class that is not known.

    Raises
    ------
    InvalidInput
    """
    if spec.classes is not None:
        fault = f"{what} of a model with latent classes mix over classes that are not known of anybody, and are not offered."
        raise InvalidInput([Fault("model.classes", fault, "Use a joint model with an association; classes are for comparing models.")])
