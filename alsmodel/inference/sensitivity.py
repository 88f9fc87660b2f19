"""How much a posterior leans on its priors, by scaling prior or likelihood a little and weighing the draws again."""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.inference.sampling import evenly
from alsmodel.kernels.posterior import IDENTITY, constrain
from alsmodel.models.program import Program

if TYPE_CHECKING:
    from alsmodel.inference.fit import Fit

Floats = NDArray[np.float64]
SENSITIVE = 0.05


def prior_sensitivity(fit: "Fit", draws: int = 1000) -> pl.DataFrame:
    """Power-scaling sensitivity of every parameter to the priors and to the likelihood.

    Parameters
    ----------
    fit : Fit
    draws : int
        Posterior draws, taken evenly from each chain.

    Returns
    -------
    polars.DataFrame
        parameter; prior, likelihood (change of the posterior, as a distance between distributions, per doubling of the power);
        diagnosis in the words of ArviZ. A prior sensitivity above 0.05 says that the prior matters: with a likelihood
        sensitivity above it too, the two may disagree; with one below, the data say little.

    Notes
    -----
    Kallioinen, Paananen, Bürkner & Vehtari 2024, Stat Comput 34:57, doi 10.1007/s11222-023-10366-5, as computed by
    `arviz_stats.psense_summary`.
    """
    import arviz_base
    import arviz_stats

    chains = fit.x.shape[0]
    places = evenly(fit.x.shape[1], max(draws // chains, 100))
    x, made = fit.x[:, places], fit.program
    log_prior = np.array([[log_prior_of(made, point) for point in chain] for chain in x])
    log_likelihood = np.array([[made.loglik(point).sum() for point in chain] for chain in x])
    tree = arviz_base.from_dict(
        {
            "posterior": {name: value[:, places] for name, value in fit.draws.items()},
            "log_prior": {"priors": log_prior},
            "log_likelihood": {"participants": log_likelihood},
        }
    )
    table = arviz_stats.psense_summary(tree, threshold=SENSITIVE, round_to=12)  # type: ignore[attr-defined,no-untyped-call]
    return pl.DataFrame(
        {
            "parameter": [str(name) for name in table.index],
            "prior": [float(value) for value in table["prior"]],
            "likelihood": [float(value) for value in table["likelihood"]],
            "diagnosis": [str(value) for value in table["diagnosis"]],
        }
    )


def log_prior_of(made: Program, x: Floats) -> float:
    """Log prior density of the parameters on their own scale (no Jacobian) at an unconstrained vector of shape (P,)."""
    slope = np.empty(x.size)
    with_jacobian = float(constrain(x, made.priors, np.empty(x.size), slope, np.zeros(x.size)))
    mixed = made.mixture_terms(x)[0] if made.mixtures else 0.0
    return with_jacobian - float(np.log(slope[made.priors.transform != IDENTITY]).sum()) + mixed
