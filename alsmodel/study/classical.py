"""Classical survival analyses of the arrays that the fit took."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from alsmodel.baselines import fit as classical_fit
from alsmodel.models.spec import JointModel
from alsmodel.study.fitted import joint_model, participants_of
from alsmodel.study.spec import Study

if TYPE_CHECKING:
    from alsmodel.baselines import Baselines
    from alsmodel.study.fitted import AnyFit


def classical_baselines(study: Study, fit: "AnyFit") -> "Baselines":
    """Kaplan-Meier by the study's groups, Cox and Weibull AFT on the hazard's covariates.

    With several causes Kaplan-Meier is of being free of all of them, and the regressions are of the main cause's own hazard.

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
    how: dict[str, Any] = {"entry_time": data.entry_time if late else None, "missing": "complete-case"}
    causes = study.model.causes if isinstance(study.model, JointModel) else ()
    if not causes:
        how["free_until"] = data.free_until
        return classical_fit(data.event_time, data.event, columns, groups, data.time_unit, **how)
    whole = classical_fit(data.event_time, data.event, {}, groups, data.time_unit, **how)
    own = classical_fit(data.event_time, data.event * (data.cause == 0), columns, {}, data.time_unit, **how)
    main = joint_model(study).main_words
    told = f"Events are those of {main}, as in Cox and AFT, which censor at every other cause; Kaplan-Meier is free of all causes."
    return replace(own, kaplan_meier=whole.kaplan_meier, notes=(told, *own.notes))
