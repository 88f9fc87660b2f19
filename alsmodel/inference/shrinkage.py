"""How far groups that are drawn towards each other were drawn, and which of them say more about the prior than about the data."""

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from alsmodel.models.effects import levels_of, varies
from alsmodel.models.groups import FEW, members

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
        draws = np.stack([fit.draws[f"{what}[{level}]"].ravel() for level in levels])
        deviation = draws - fit.draws[what].ravel()
        within = float(deviation.var(axis=0, ddof=1).mean())
        pooling = 1.0 - float(deviation.mean(axis=1).var(ddof=1)) / within if within > 0 else 1.0
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
