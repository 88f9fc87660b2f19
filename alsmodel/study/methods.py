"""What a study did, in the words, formulas and frames of its report's method sections."""

from typing import TYPE_CHECKING

import polars as pl

from alsmodel.cohort.accounts import continued
from alsmodel.models.domain import DomainModel
from alsmodel.models.domain_words import outcome_words
from alsmodel.study.fitted import joint_model, participants_of
from alsmodel.study.spec import Study

if TYPE_CHECKING:
    from alsmodel.cohort import Cohort
    from alsmodel.cohort.arrays import JointData
    from alsmodel.study.fitted import AnyFit
    from alsmodel.trials.settings import TrialSettings


def slope_unit(study: Study) -> str:
    """Unit of the model's slope."""
    return f"{outcome_unit(study)} per {study.model.time_unit}"


def outcome_unit(study: Study) -> str:
    """Unit of the model's outcome."""
    model = joint_model(study)
    points = model.outcome in {"alsfrs_r_total", "alsfrs_total", "bulbar", "fine_motor", "gross_motor", "respiratory"}
    unit = "points" if points else model.outcome
    return unit if model.transform == "identity" else f"{model.transform}({unit})"


def outcome_name(study: Study) -> str:
    """The outcome as people call it, with its unit."""
    if isinstance(study.model, DomainModel):
        return ", ".join(outcome_words(outcome) for outcome in study.model.outcomes)
    known = {"alsfrs_r_total": "ALSFRS-R total", "alsfrs_total": "ALSFRS total"}
    outcome = joint_model(study).outcome
    name = known.get(outcome, outcome.replace("_", " "))
    unit = outcome_unit(study)
    return name if unit == name else f"{name} ({unit})"


def model_words(study: Study, fit: "AnyFit | None" = None) -> list[str]:
    """The model in sentences, and what it made of events that lie between two days where those fitted had any."""
    words = study.model.words()
    data = None if fit is None else participants_of(fit)
    if data is not None and (count := int(data.interval_censored.sum())):
        words.append(
            f"{count} of {int(data.event.sum())} events are known only to lie between two days, and add the chance that they happened "
            "between them. Kaplan-Meier curves of the data put them in the middle of the two; in the predictive check of survival the data "
            "are drawn as Turnbull's estimate."
        )
    return words if data is None else [*words, *start_words(study, data)]


def start_words(study: Study, data: "JointData") -> list[str]:
    """Which drugs were taken from an unknown day on, by how many, and what was made of it; a sentence each."""
    where = "is fitted too" if study.fit.start_limits else "is another fit: start_limits = true in [fit]"
    return [
        f"{count.unknown_start} of {data.people} participants took {count.name} from an unknown day on, which is counted as before time "
        f"zero; the other limit, a start as late as it can have been, {where}."
        for count in data.exposures
        if count.unknown_start
    ]


def model_formulas(study: Study) -> list[str]:
    """The model in formulas."""
    return study.model.formulas()


def comparison_words(study: Study) -> list[str]:
    """Which models the study's own is to be compared with, in a sentence; none without."""
    if study.compare is None:
        return []
    return [f"Models to be compared: {', '.join((study.compare.name, *(each.name for each in study.compare.alternatives)))}."]


def trial_words(study: Study) -> list[str]:
    """The simulated design in sentences."""
    plan = study.trial
    if plan is None:
        return []
    from alsmodel.trials.biomarkers import words_of as words_of_biomarkers
    from alsmodel.trials.intercurrent import words_of

    design, decision = plan.design, plan.decision
    truth = _truth_words(plan)
    arms = {2: "Two", 3: "Three", 4: "Four"}.get(len(design.allocation), str(len(design.allocation)))
    more = [f"Eligible: {' and '.join(plan.population.eligibility)}."] if plan.population.eligibility else []
    if plan.population.screened:
        more.append(f"{' and '.join(plan.population.screened)}: measured at screening as well, with an error of its own.")
    if plan.prognosis is not None:
        ahead = plan.prognosis
        more.append(
            f"predicted_survival is the probability of no event within {ahead.months:g} months of baseline, predicted by the fit above "
            "from what is known then, never from the path that is simulated."
        )
    if design.delayed_start is not None:
        more.append(f"Control goes over to the active treatment at month {design.delayed_start:g}; the effect follows exposure.")
    if design.looks:
        spent = " Alpha is spent by the information that came." if design.information is not None else ""
        what = "on the first analysis" if plan.multiplicity is None else _stop_words(plan)
        more.append(f"{len(design.looks)} interim looks may stop the trial {what}.{spent}")
    if design.reestimation is not None:
        seen = {
            "blinded_variance": "the SD of both arms together",
            "blinded_events": "the event rate of both arms together",
            "promising_zone": "the conditional power of the first analysis",
        }[design.reestimation.kind]
        more.append(f"One look sets the number of participants anew by {seen}, up to {design.reestimation.most:g} times that planned.")
    more += words_of(plan.intercurrent) + words_of_biomarkers(plan.biomarkers) + assumption_words(plan)
    named = plan.population.leaving
    leaving = f"{design.dropout_per_month:.0%} leave per month" if named is None else f"people leave by the fit's hazard of {named},"
    return [
        f"{arms} parallel arms, allocated {':'.join(map(str, design.allocation))}, {design.duration:g} months of follow-up with visits at "
        f"months {', '.join(f'{visit:g}' for visit in design.visits)}; {leaving} and "
        f"{design.missing_visit_probability:.0%} of visits are missed.",
        *more,
        truth,
        *([] if plan.multiplicity is None else [_family_words(plan)]),
        f"Success: p below {decision.alpha:g}, {decision.side}. {plan.replicates:,} simulated trials per cell; a trial whose "
        "analysis fails counts as no success.",
    ]


def assumption_words(plan: "TrialSettings") -> list[str]:
    """What the analyses take for granted and this design does not give them, in sentences."""
    from alsmodel.trials.families import members
    from alsmodel.trials.increments import increment_words
    from alsmodel.trials.randomisation import Minimisation, factors_of

    design, said = plan.design, []
    if isinstance(design.randomisation, Minimisation):
        for analysis in plan.analyses:
            left = [name for name in factors_of(design.randomisation) if name not in (*analysis.covariates, *analysis.strata)]
            if left:
                said.append(
                    f"Arms are balanced by minimisation over {' and '.join(left)}, for which {analysis.label} does not adjust: its p "
                    "values are too large. Name it among the covariates or strata."
                )
    for look, sizes in _unreached(plan).items():
        said.append(
            f"{look.capitalize()} is never reached with {' or '.join(map(str, sizes))} per arm, which are over by then: boundaries at "
            "planned fractions lose the alpha of that look. Look sooner, or leave these sizes out."
        )
    if design.looks:
        labels = [analysis.label for analysis in plan.analyses]
        deciding = labels[:1] if plan.multiplicity is None else members(plan.multiplicity, labels)
        said += [increment_words(analysis) for analysis in plan.analyses if analysis.label in deciding]
    return said


def _unreached(plan: "TrialSettings") -> dict[str, list[int]]:
    """Looks by calendar month that some sizes never last for, with these sizes."""
    from alsmodel.trials.designs import never_reached

    found: dict[str, list[int]] = {}
    for n in plan.n_per_arm:
        for _, look, _ in never_reached(plan.design, plan.design.randomised(n)):
            found.setdefault(look.said, []).append(n)
    return found


def assurance_words(study: Study) -> list[str]:
    """What is believed of the effect, in sentences."""
    plan = study.trial
    believed = None if plan is None else plan.assurance
    if believed is None:
        return []
    if believed.kind == "posterior":
        return [
            f"The effect is that of {believed.treatment} in the fit above: {believed.draws} posterior draws, each with the population of "
            f"the same draw, in {believed.strata} groups of neighbouring effect."
        ]
    parts = []
    if believed.slowing_sd > 0:
        parts.append(f"slowing of decline normal with mean {believed.slowing_mean:.0%} and SD {believed.slowing_sd:.0%}")
    if believed.log_hazard_ratio_sd > 0:
        parts.append(f"log hazard ratio normal with mean {believed.log_hazard_ratio_mean:g} and SD {believed.log_hazard_ratio_sd:g}")
    together = f", correlated by {believed.correlation:g}" if len(parts) == 2 and believed.correlation else ""
    return [f"What is believed of the effect: {' and '.join(parts)}{together}; {believed.strata} strata of the same probability."]


def _truth_words(plan: "TrialSettings") -> str:
    if plan.truth.kind == "named":
        return "Participants decline and die by the numbers named in the study file."
    if plan.truth.kind == "posterior":
        return (
            f"Each simulated trial takes one of {plan.truth.draws} posterior draws of the fit above and new participants with "
            "covariates resampled from the cohort, so that power is averaged over what the fit does not know (assurance)."
        )
    beyond = {
        "continue": "where a record ends, the own line goes on and a hazard fitted to the cohort takes over",
        "end of record": "nothing is known of a participant beyond the end of the record",
    }[plan.truth.horizon]
    rules = f" who are eligible ({' and '.join(plan.truth.eligibility)})" if plan.truth.eligibility else ""
    return (
        f"Participants are people of the cohort{rules}, drawn with replacement: each has the own fitted line, residuals and event "
        f"time, and the effect changes the line and the hazard, never the residuals; {beyond}."
    )


def _family_words(plan: "TrialSettings") -> str:
    from alsmodel.trials.families import members

    assert plan.multiplicity is not None
    names = members(plan.multiplicity, [analysis.label for analysis in plan.analyses])
    looks = " at the looks, each with boundaries of its own level" if plan.design.looks else ""
    return (
        f"These hypotheses share alpha by {plan.multiplicity.words}{looks}: {'; '.join(names)}. "
        "Success of each is rejection after adjustment."
    )


def _stop_words(plan: "TrialSettings") -> str:
    from alsmodel.trials.family_watch import looks_of_family

    assert plan.multiplicity is not None
    every = looks_of_family(plan.multiplicity).stop == "all"
    return "once all of its hypotheses are rejected" if every else "once one of its hypotheses is rejected"


def estimand_rows(study: Study) -> dict[str, str]:
    """The estimand's attributes by name."""
    plan = study.estimand
    events = "; ".join(f"{each.event}: {each.strategy}" for each in plan.intercurrent_events)
    return {
        "Population": plan.population,
        "Treatments": plan.treatment,
        "Variable": plan.variable,
        "Intercurrent events": events,
        "Summary measure": plan.summary,
    }


def participant_flow(cohort: "Cohort", fit: "AnyFit | None") -> pl.DataFrame:
    """Participants from the source to the fit, one row per step."""
    flow = cohort.participant_flow.select("step", "n", "excluded", "reason")
    if fit is None:
        return flow
    # Who is set apart by the source has left the flow already.
    earlier = ("in the cohort", "not set apart by the source")
    return continued(flow, participants_of(fit).steps.filter(~pl.col("step").is_in(earlier)))


def _domain_limits(model: DomainModel) -> list[str]:
    """What several outcomes do not show."""
    told = ["Lines are straight; a decline that speeds up or levels off is averaged over."]
    if any(outcome.likelihood == "censored" for outcome in model.outcomes):
        told.append(
            "Beyond an end of its scale a true value is the model's own: no score tells how far a region at full function is from trouble."
        )
    if len(model.outcomes) > 1:
        told.append("A correlation between outcomes is one between people; it says nothing of which region leads to which.")
    return told


def limits(study: Study) -> list[str]:
    """What a reader must not take from the report."""
    found = []
    if isinstance(study.model, DomainModel):
        found += _domain_limits(study.model)
    elif study.model.classes is not None and study.model.classes.number > 1:
        found.append(
            "Latent classes describe how participants differ. A model with classes may predict better than one without because lines are "
            "not normal about one mean, without there being kinds of patients; compare both, and models with an association."
        )
    if not isinstance(study.model, DomainModel) and any(drug.source == "exposure" for drug in study.model.treatments):
        found.append("Drugs that were taken, not assigned, differ between people for many reasons: their coefficients are associations.")
    if study.data.format == "proact":
        found.append("PRO-ACT hides which trial a participant was in and pools active arms; no difference between its arms is an effect.")
    found.append("Scores after death do not exist; a mean score is that of people still alive or, where said so, of the true path.")
    if study.trial is not None and study.trial.truth.kind == "posterior":
        found.append("The trial's power holds for people like those of the cohort, under the model that was fitted to it.")
    if study.trial is not None and study.trial.truth.kind == "resampled":
        found.append("The trial's power holds for people like those of the cohort, whose own lines are partly chance.")
    return found
