"""Words and conditions among an analysis' covariates, as indicators: in each virtual trial those that its participants can tell apart.

After minimisation an analysis adjusts for the factors that were balanced, or it is conservative (EMA guideline on adjustment for baseline
covariates 2015, section 4.2); a mixed model takes them as covariates.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from alsmodel.trials.analyses import AbstractAnalysis, Analysed, TrialData
from alsmodel.trials.conditions import Categories, Column, holds, parse

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def analysed(analysis: AbstractAnalysis, data: TrialData) -> Analysed:
    """What an analysis finds, where its covariates may be words and conditions too.

    A factor has an indicator for each of its levels but the one that most participants of the comparison have, and a level that nobody
    or everybody has has none. Which those are differs between small trials, so trials alike in this are analysed together; each
    trial's result depends on that trial alone.

    Parameters
    ----------
    analysis : AbstractAnalysis
    data : TrialData
        R trials.

    Returns
    -------
    Analysed
        Of shape (R,).
    """
    if all(isinstance(data.columns.get(name), np.ndarray) for name in analysis.covariates):
        return analysis.analyse(data)
    coded = np.broadcast_to(data.against_control(analysis.arm).arm, data.event_time.shape)
    made, used = _indicators(data.columns, analysis.covariates, coded >= 0)
    data = replace(data, columns={**data.columns, **made})
    out: dict[str, Any] = {}
    patterns, of = np.unique(used, axis=0, return_inverse=True)
    for k, pattern in enumerate(patterns):
        rows = np.flatnonzero(of.ravel() == k)
        names = tuple(name for name, use in zip(made, pattern, strict=True) if use)
        found = replace(analysis, covariates=names).analyse(data.take(rows))  # type: ignore[type-var]
        for name, value in vars(found).items():
            if value is not None:
                out.setdefault(name, np.empty(used.shape[0], dtype=value.dtype if value.dtype.kind != "U" else object))[rows] = value
    return Analysed(**{name: value.astype(str) if value.dtype == object else value for name, value in out.items()})


def _indicators(columns: Any, names: tuple[str, ...], inside: Bools) -> tuple[dict[str, Floats], Bools]:
    """Numeric columns of shape (R, n), and which of them each trial uses, shape (R, columns)."""
    made: dict[str, Floats] = {}
    used: list[Bools] = []
    for name in dict.fromkeys(names):
        column: Column | None = columns.get(name)
        if isinstance(column, Categories):
            counts = np.stack([((column.codes == code) & inside).sum(axis=1) for code in range(len(column.levels))], axis=1)
            most = counts.argmax(axis=1)
            for code, level in enumerate(column.levels):
                made[f"{name} is {level}"] = (column.codes == code).astype(np.float64)
                used.append((counts[:, code] > 0) & (most != code))
        elif column is None:
            true = holds(parse(name), columns)
            made[f"condition {name}"] = true.astype(np.float64)
            count = (true & inside).sum(axis=1)
            used.append((count > 0) & (count < inside.sum(axis=1)))
        else:
            made[name] = np.asarray(column, dtype=np.float64)
            used.append(np.ones(inside.shape[0], dtype=np.bool_))
    return made, np.stack(used, axis=1)
