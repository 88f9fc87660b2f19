"""From a study's results to the content of its report."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from alsmodel.reports import StudyReport, of_fit, table_one
from alsmodel.study import methods, narrative
from alsmodel.study.spec import Study

if TYPE_CHECKING:
    from alsmodel.baselines import Baselines
    from alsmodel.cohort import Cohort
    from alsmodel.inference import Fit
    from alsmodel.trials import OperatingCharacteristics

#: Points in time at which curves are computed.
CURVE_POINTS = 25


def content(
    study: Study,
    *,
    name: str,
    cohort: "Cohort | None" = None,
    fit: "Fit | None" = None,
    baselines: "Baselines | None" = None,
    trial: "OperatingCharacteristics | None" = None,
    reproducibility: dict[str, str] | None = None,
) -> StudyReport:
    """Collect everything that the report shows; what was not run is left out.

    Parameters
    ----------
    study : Study
    name : str
        The study's short name.
    cohort, fit, baselines, trial
        Results of the steps.
    reproducibility : dict of str to str
        What to print at the end.
    """
    shared: dict[str, Any] = {
        "byline": f"{name} · joint model of decline and survival",
        "synthetic": study.report.synthetic,
        "outcome": methods.outcome_name(study),
        "event": study.model.event_words,
        "time_unit": study.model.time_unit,
        "estimand": methods.estimand_rows(study),
        "model_words": methods.model_words(study),
        "model_formulas": methods.model_formulas(study),
        "baselines": baselines,
        "operating_characteristics": None if trial is None else trial.table,
        "family": None if trial is None else trial.family,
        "intercurrent": None if trial is None else trial.intercurrent,
        "trial_words": methods.trial_words(study),
        "effect_label": "Effect of the active arm",
        "reproducibility": reproducibility,
        "limits": methods.limits(study),
    }
    if cohort is not None:
        people = None if fit is None else list(fit.data.participant_ids)
        shared |= {
            "participant_flow": methods.participant_flow(cohort, fit),
            "file_flow": cohort.flow,
            "table_one": table_one(cohort, by=study.report.by, participants=people, small_cells=study.report.small_cells),
        }
    if fit is None:
        return StudyReport(title=study.title, question=study.question, **shared)
    times = np.linspace(0.0, horizon(study, fit), CURVE_POINTS)
    page = of_fit(fit, title=study.title, question=study.question, by=study.report.by, times=times)
    shared |= {
        "effects": narrative.headline_effects(study, fit),
        "findings": narrative.findings(study, fit, page.survival),
        "group_effects": narrative.group_effects(study, fit),
        "identification": narrative.identification(study, fit),
    }
    return replace(page, **shared)


def horizon(study: Study, fit: "Fit") -> float:
    """Where curves end: as chosen, or the follow-up that a tenth of the participants reach, in whole units if it can be."""
    if study.report.horizon is not None:
        return study.report.horizon
    end = float(np.quantile(fit.data.event_time, 0.9))
    return float(np.floor(end)) if end >= 2 else end
