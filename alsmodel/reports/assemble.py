"""From a fit, a cohort and a simulation straight to a page, without a study file."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from alsmodel.reports.content import Array, BaselinesLike, StudyReport
from alsmodel.reports.page import study_report
from alsmodel.reports.table_one import table_one

if TYPE_CHECKING:
    from alsmodel.cohort import Cohort
    from alsmodel.inference import DomainFit, Fit
    from alsmodel.trials import OperatingCharacteristics

POINTS = 25


def posterior(
    fit: "Fit | DomainFit",
    cohort: "Cohort | None" = None,
    *,
    title: str,
    question: str = "",
    by: str | None = None,
    times: Array | None = None,
    baselines: BaselinesLike | None = None,
    **more: Any,
) -> str:
    """The posterior report of one fit.

    Parameters
    ----------
    fit : Fit or DomainFit
    cohort : Cohort, optional
        For Table 1 and the flow of participants.
    title, question : str
    by : str, optional
        Covariate whose levels get a curve each; everybody together without it.
    times : array, optional
        Where curves are computed, in the fit's time unit; up to the 90% quantile of follow-up without it.
    baselines : Baselines, optional
        Classical analyses to show beside.
    **more
        Further fields of `StudyReport`, which win over those taken from the fit.

    Returns
    -------
    str
        HTML.
    """
    content = replace(of_fit(fit, title=title, question=question, by=by, times=times), baselines=baselines)
    if cohort is not None:
        people: Any = getattr(fit.data, "base", fit.data)
        content = replace(
            content,
            participant_flow=cohort.participant_flow,
            file_flow=cohort.flow,
            table_one=table_one(cohort, by=by, participants=list(people.participant_ids)),
        )
    return study_report(replace(content, **more))


def simulation(operating_characteristics: "OperatingCharacteristics", *, title: str, question: str = "", **more: Any) -> str:
    """The report of one simulated trial; `more` are further fields of `StudyReport`, such as ``trial_words``."""
    content = StudyReport(
        title=title,
        question=question,
        operating_characteristics=operating_characteristics.table,
        family=operating_characteristics.family,
        by_look=operating_characteristics.by_look,
        intercurrent=operating_characteristics.intercurrent,
        reproducibility=_printed(operating_characteristics.provenance),
    )
    return study_report(replace(content, **more))


def of_fit(fit: "Fit | DomainFit", *, title: str, question: str = "", by: str | None = None, times: Array | None = None) -> StudyReport:
    """Everything that a fit alone can tell, as content; curves and checks are computed here.

    Parameters
    ----------
    fit, title, question, by, times
        As in `posterior`.
    """
    from alsmodel.inference import DomainFit, predict
    from alsmodel.inference.borrowing import beside_data
    from alsmodel.inference.classes import class_table
    from alsmodel.inference.total_effect import total_effects
    from alsmodel.models.priors import Priors

    if isinstance(fit, DomainFit):
        from alsmodel.reports.domains import of_domain_fit

        return of_domain_fit(fit, title=title, question=question, by=by, times=times)
    data, enrolled = fit.data, predict.can_predict(fit.spec)
    at = np.linspace(0.0, float(np.quantile(data.event_time, 0.9)), POINTS) if times is None else np.asarray(times, dtype=float)
    mixed = fit.spec.classes is not None and fit.spec.classes.number > 1
    labels: Sequence[str | None] = data.groups.get(by, ()) if by else ()
    return StudyReport(
        title=title,
        question=question,
        outcome=str(fit.spec.outcome).replace("_", " "),
        event=fit.spec.event_words,
        time_unit=fit.time_unit,
        participants=len(data.participant_ids),
        visits=int(data.outcome.size),
        events=int(data.event.sum()),
        summary=fit.summary,
        draws=fit.draws,
        checks=fit.checks,
        passed=fit.passed,
        route=fit.route,
        trajectories=predict.trajectory(fit, at, by=by) if enrolled else None,
        survival=predict.survival_curve(fit, at, by=by) if enrolled else None,
        incidence=fit.cumulative_incidence(at, by) if enrolled and fit.spec.causes else None,
        classes=class_table(fit) if mixed else None,
        class_trajectories=predict.trajectory(fit, at, by=predict.LATENT) if mixed else None,
        class_survival=predict.survival_curve(fit, at, by=predict.LATENT) if mixed else None,
        states=fit.state_occupation(at, by) if enrolled and fit.spec.after else None,
        total_effects=total_effects(fit, float(at.max())) if enrolled and fit.spec.treatments else None,
        group_sizes=dict(Counter(label for label in labels if label is not None)),
        grouped_by=(by or "everybody").replace("_", " "),
        score_check=predict.score_check(fit) if enrolled else None,
        event_check=predict.event_check(fit) if enrolled else None,
        prior_check=predict.prior_check(fit.spec, data),
        priors_beside_data=beside_data(fit) if fit.spec.priors != Priors() else None,
        prior_words=_prior_words(fit) if enrolled else (),
        reproducibility=_printed(fit.provenance),
    )


def _prior_words(fit: "Fit") -> Sequence[str]:
    """The share of impossible paths that the priors expect, where the scale has bounds."""
    from alsmodel.cohort.arrays import BOUNDS
    from alsmodel.inference.prior_predictive import prior_predictive

    bounded = fit.spec.outcome in BOUNDS and fit.spec.transform == "identity"
    return [str(prior_predictive(fit.spec, fit.data, draws=200, people=50))] if bounded else ()


def _printed(provenance: dict[str, Any]) -> dict[str, str]:
    return {key: value if isinstance(value, str) else repr(value) for key, value in provenance.items()}
