"""From a study's results to the content of its report."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl

from alsmodel.models.domain import DomainModel
from alsmodel.reports import StudyReport, of_fit, table_one
from alsmodel.study import domains, methods, narrative
from alsmodel.study.fitted import of_one_outcome, participants_of
from alsmodel.study.spec import Study

if TYPE_CHECKING:
    from alsmodel.baselines import Baselines
    from alsmodel.cohort import Cohort
    from alsmodel.inference import DomainFit
    from alsmodel.inference.start_limits import StartLimits
    from alsmodel.study.comparing import ModelsCompared
    from alsmodel.study.fitted import AnyFit
    from alsmodel.trials import Assurance, OperatingCharacteristics

#: Points in time at which curves are computed.
CURVE_POINTS = 25


def content(
    study: Study,
    *,
    name: str,
    cohort: "Cohort | None" = None,
    fit: "AnyFit | None" = None,
    starts: "StartLimits | None" = None,
    compare: "ModelsCompared | None" = None,
    baselines: "Baselines | None" = None,
    trial: "OperatingCharacteristics | None" = None,
    assurance: "Assurance | None" = None,
    reproducibility: dict[str, str] | None = None,
) -> StudyReport:
    """Collect everything that the report shows; what was not run is left out.

    Parameters
    ----------
    study : Study
    name : str
        The study's short name.
    cohort, fit, starts, compare, baselines, trial, assurance
        Results of the steps.
    reproducibility : dict of str to str
        What to print at the end.
    """
    several = isinstance(study.model, DomainModel) and len(study.model.outcomes) > 1
    shared: dict[str, Any] = {
        "byline": f"{name} · joint model of {'several outcomes' if several else 'decline'} and survival",
        "synthetic": study.report.synthetic,
        "outcome": methods.outcome_name(study),
        "event": study.model.event_words,
        "time_unit": study.model.time_unit,
        "estimand": methods.estimand_rows(study),
        "model_words": methods.model_words(study, fit),
        "model_formulas": methods.model_formulas(study),
        "comparison": None if compare is None else compare.table,
        "comparison_words": compare.words if compare is not None else methods.comparison_words(study),
        "comparison_warnings": () if compare is None else compare.warnings,
        "start_limits": None if starts is None else starts.of_drugs,
        "baselines": baselines,
        "operating_characteristics": None if trial is None else trial.table,
        "family": None if trial is None else trial.family,
        "by_look": None if trial is None else trial.by_look,
        "assurance": assurance,
        "assurance_words": methods.assurance_words(study),
        "intercurrent": None if trial is None else trial.intercurrent,
        "trial_words": methods.trial_words(study),
        "effect_label": "Effect of the active arm",
        "reproducibility": reproducibility,
        "limits": methods.limits(study),
    }
    if cohort is not None:
        people = None if fit is None else list(participants_of(fit).participant_ids)
        shared |= {
            "participant_flow": methods.participant_flow(cohort, fit),
            "file_flow": cohort.flow,
            "table_one": table_one(cohort, by=study.report.by, participants=people, small_cells=study.report.small_cells),
        }
    if fit is None:
        return StudyReport(title=study.title, question=study.question, **shared)
    times = np.linspace(0.0, horizon(study, fit), CURVE_POINTS)
    page = of_fit(fit, title=study.title, question=study.question, by=study.report.by, times=times)
    found = _found(study, fit, page.survival)
    found["findings"] = [*found["findings"], *narrative.total_words(study, page.total_effects), *([] if starts is None else [str(starts)])]
    return replace(page, **shared, **found)


def _found(study: Study, fit: "AnyFit", survival: pl.DataFrame | None) -> dict[str, Any]:
    """What the study found, in words and frames."""
    if isinstance(study.model, DomainModel):
        several = cast("DomainFit", fit)
        return {
            "effects": domains.effects(study, several),
            "findings": domains.findings(study, several, survival),
            "group_effects": domains.group_effects(study, several),
            "identification": domains.identification(several),
        }
    one = of_one_outcome(fit)
    return {
        "effects": narrative.headline_effects(study, one),
        "findings": narrative.findings(study, one, survival),
        "group_effects": narrative.group_effects(study, one),
        "identification": narrative.identification(study, one),
    }


def horizon(study: Study, fit: "AnyFit") -> float:
    """Where curves end: as chosen, or the follow-up that a tenth of the participants reach, in whole units if it can be."""
    if study.report.horizon is not None:
        return study.report.horizon
    end = float(np.quantile(participants_of(fit).event_time, 0.9))
    return float(np.floor(end)) if end >= 2 else end
