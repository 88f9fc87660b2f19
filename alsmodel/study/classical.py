"""Classical survival analyses of the arrays that the fit took."""

from typing import TYPE_CHECKING, Any

import numpy as np

from alsmodel.baselines import fit as classical_fit
from alsmodel.study.fitted import participants_of
from alsmodel.study.spec import Study

if TYPE_CHECKING:
    from alsmodel.baselines import Baselines
    from alsmodel.study.fitted import AnyFit


def classical_baselines(study: Study, fit: "AnyFit") -> "Baselines":
    """Kaplan-Meier by the study's groups, Cox and Weibull AFT on the hazard's covariates.

    A covariate that the fit imputed is missing here again: these analyses leave such participants out and say so.
    Delayed entry is kept, so that both sides look at the same person-time.
    """
    data = participants_of(fit)
    columns: dict[str, Any] = {}
    for name in (column for term in study.model.hazard for column in data.terms[term]):
        absent = data.missing.get(name)
        columns[name] = data.columns[name] if absent is None else np.where(absent, np.nan, data.columns[name])
    chosen = [name for name in dict.fromkeys((*study.baselines.by, study.report.by)) if name is not None]
    groups = {name: np.array(data.groups[name], dtype=object) for name in chosen if name in data.groups}
    late = bool((data.entry_time > 0).any())
    return classical_fit(
        data.event_time,
        data.event,
        columns,
        groups,
        data.time_unit,
        entry_time=data.entry_time if late else None,
        missing="complete-case",
    )
