"""Words and conditions among an analysis' covariates, as indicators: in each virtual trial those that its participants can tell apart.

After minimisation an analysis adjusts for the factors that were balanced, or it is conservative (EMA guideline on adjustment for baseline
covariates 2015, section 4.2); a mixed model takes them as covariates.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

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
    patterns, of = np.unique(used, axis=0, return_inverse=True)
    rows = [np.flatnonzero(of.ravel() == k) for k in range(len(patterns))]
    found = []
    for trials, pattern in zip(rows, patterns, strict=True):
        names = tuple(name for name, use in zip(made, pattern, strict=True) if use)
        found.append(vars(replace(analysis, covariates=names).analyse(data.take(trials))))  # type: ignore[type-var]
    back = np.argsort(np.concatenate(rows))
    return Analysed(**{name: np.concatenate([one[name] for one in found])[back] for name in found[0] if found[0][name] is not None})


def _indicators(columns: Mapping[str, Column], names: tuple[str, ...], inside: Bools) -> tuple[dict[str, Floats], Bools]:
    """Numeric columns of shape (R, n), and which of them each trial uses, shape (R, columns)."""
    made: dict[str, Floats] = {}
    used: list[Bools] = []
    for name in dict.fromkeys(names):
        column = columns.get(name)
        if isinstance(column, np.ndarray):
            coded = [(name, np.asarray(column, dtype=np.float64), np.ones(inside.shape[0], dtype=np.bool_))]
        else:
            coded = list(indicators_of(name, columns, inside))
        made |= {label: values for label, values, _ in coded}
        used += [use for _, _, use in coded]
    return made, np.stack(used, axis=1)


def indicators_of(name: str, columns: Mapping[str, Column], inside: Bools) -> Iterator[tuple[str, Floats, Bools]]:
    """Indicators of a column of words, or of a condition.

    Parameters
    ----------
    name : str
    columns : mapping
        Baseline columns, each (R, n).
    inside : array of bool, shape (R, n)
        Who is in the comparison.

    Yields
    ------
    label, values, used : str, array of shape (R, n), array of bool of shape (R,)
        `used` where some of those inside have it and some have not, and it is not that of the most frequent level.
    """
    column = columns.get(name)
    if isinstance(column, Categories):
        counts = np.stack([((column.codes == code) & inside).sum(axis=1) for code in range(len(column.levels))], axis=1)
        most = counts.argmax(axis=1)
        for code, level in enumerate(column.levels):
            yield f"{name} is {level}", (column.codes == code).astype(np.float64), (counts[:, code] > 0) & (most != code)
    else:
        true = holds(parse(name), columns)
        count = (true & inside).sum(axis=1)
        yield f"condition {name}", true.astype(np.float64), (count > 0) & (count < inside.sum(axis=1))
