"""How far groups that are drawn towards each other were drawn, and which of them say more about the prior than about the data."""

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.models.association import kinds
from alsmodel.models.effects import levels_of, varies
from alsmodel.models.groups import FEW, members
from alsmodel.models.reach import WHERE

if TYPE_CHECKING:
    from alsmodel.inference.fit import Fit


def effects_by_group(fit: "Fit") -> pl.DataFrame:
    r"""Each treatment's effect in every level of its `by`, with the pooling factor.

    The pooling factor of Gelman and Pardoe (Technometrics 2006;48:241, doi 10.1198/004017005000000517) is
    :math:`1 - \mathrm{Var}_k(E[\epsilon_k]) / E[\mathrm{Var}_k(\epsilon_k)]` over the levels' deviations :math:`\epsilon_k` from the
    common effect: 0 when every level keeps its own estimate, 1 when all share one.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    polars.DataFrame
        drug, parameter, level, n_exposed (participants of the level ever exposed), mean, q2_5, q97_5 (log ratio; points per time unit for
        an additive effect), pooling, prior_driven (fewer than 10 exposed). No rows when no treatment has a `by`.
    """
    rows: list[dict[str, Any]] = []
    for k, drug in enumerate(fit.spec.treatments):
        levels = levels_of(fit.spec, fit.data, drug)
        if not levels or drug.by is None:
            continue
        what = f"{varies(drug)}:{drug.name}"
        own = members(fit.data, (drug.by,), where="model.treatments")[1]
        people = np.unique(fit.data.exposure_person[fit.data.exposure_drug == k])
        counts = np.bincount(own[people], minlength=len(levels))
        draws, pooling = _levels(fit, what, levels)
        for level, n, values in zip(levels, counts, draws, strict=True):
            low, high = np.quantile(values, [0.025, 0.975])
            rows.append(
                {
                    "drug": drug.name, "parameter": f"{what}[{level}]", "level": level, "n_exposed": int(n), "mean": float(values.mean()),
                    "q2_5": float(low), "q97_5": float(high), "pooling": pooling, "prior_driven": bool(n < FEW),
                }
            )  # fmt: skip
    schema = {
        "drug": pl.String, "parameter": pl.String, "level": pl.String, "n_exposed": pl.Int64, "mean": pl.Float64, "q2_5": pl.Float64,
        "q97_5": pl.Float64, "pooling": pl.Float64, "prior_driven": pl.Boolean,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema)


def associations_by_group(fit: "Fit") -> pl.DataFrame:
    """The association in every level of its `by`, with the pooling factor of `effects_by_group`.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    polars.DataFrame
        by, parameter, level, n (participants), events, mean, q2_5, q97_5 (log hazard per unit of the path's value or slope), pooling,
        prior_driven (fewer than 10 participants). No rows when the association is the same for all.
    """
    rows: list[dict[str, Any]] = []
    for kind, by in kinds(fit.spec.association).items():
        if by is None:
            continue
        levels, own = members(fit.data, (by,), where=WHERE)
        draws, pooling = _levels(fit, f"association:{kind}", levels)
        counts = np.bincount(own, minlength=len(levels))
        events = np.bincount(own, fit.data.event * (fit.data.cause == 0), minlength=len(levels))  # those of the main cause, whose it is
        for level, n, ended, values in zip(levels, counts, events, draws, strict=True):
            low, high = np.quantile(values, [0.025, 0.975])
            rows.append(
                {
                    "by": by, "parameter": f"association:{kind}[{level}]", "level": level, "n": int(n), "events": int(ended),
                    "mean": float(values.mean()), "q2_5": float(low), "q97_5": float(high), "pooling": pooling,
                    "prior_driven": bool(n < FEW),
                }
            )  # fmt: skip
    schema = {
        "by": pl.String, "parameter": pl.String, "level": pl.String, "n": pl.Int64, "events": pl.Int64, "mean": pl.Float64,
        "q2_5": pl.Float64, "q97_5": pl.Float64, "pooling": pl.Float64, "prior_driven": pl.Boolean,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema)


def _levels(fit: "Fit", what: str, levels: tuple[str, ...]) -> tuple[NDArray[np.float64], float]:
    """Draws of each level's value, shape (levels, draws), and the pooling factor."""
    draws = np.stack([fit.draws[f"{what}[{level}]"].ravel() for level in levels])
    deviation = draws - fit.draws[what].ravel()
    within = float(deviation.var(axis=0, ddof=1).mean())
    return draws, 1.0 - float(deviation.mean(axis=1).var(ddof=1)) / within if within > 0 else 1.0
