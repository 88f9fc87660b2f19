"""A study's results in the words and frames that its report shows."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from alsmodel.reports import Effect
from alsmodel.study.spec import Study

if TYPE_CHECKING:
    from alsmodel.cohort import Cohort
    from alsmodel.inference import Fit

Row = dict[str, Any]

_PANELS = {
    "intercept": "Mean at time zero",
    "slope": "Mean slope",
    "hazard": "Log hazard beside the score",
}


def effects(study: Study, fit: "Fit") -> list[Effect]:
    """One entry per drug: how much slower the mean decline is, positive is benefit."""
    found = []
    for drug in study.model.treatments:
        name = f"theta:{drug.name}" if drug.score == "clock" else f"slope:{drug.name}"
        if drug.score == "none" or name not in fit.draws:
            continue
        draws = np.ravel(fit.draws[name])
        gain = 1 - np.exp(draws) if drug.score == "clock" else draws
        threshold = study.report.meaningful
        lower, upper = np.quantile(gain, [0.025, 0.975])
        found.append(
            Effect(
                drug=drug.name,
                mean=float(gain.mean()),
                lower=float(lower),
                upper=float(upper),
                p_any=float((gain > 0).mean()),
                p_meaningful=None if threshold is None else float((gain > threshold).mean()),
                meaningful=threshold,
                unit="%" if drug.score == "clock" else slope_unit(study),
                label="effect" if drug.source == "arm" else "association",
                informed=_informed(fit, name),
                success_rule=study.report.success if drug.source == "arm" else None,
            )
        )
    return found


def _informed(fit: "Fit", parameter: str) -> bool:
    row = fit.summary.filter(pl.col("parameter") == parameter)
    return bool(row["informed"].item()) if row.height else False


def slope_unit(study: Study) -> str:
    """Unit of the model's slope."""
    return f"{outcome_unit(study)} per {study.model.time_unit}"


def outcome_unit(study: Study) -> str:
    """Unit of the model's outcome."""
    model = study.model
    points = model.outcome in {"alsfrs_r_total", "alsfrs_total", "bulbar", "fine_motor", "gross_motor", "respiratory"}
    unit = "points" if points else model.outcome
    return unit if model.transform == "identity" else f"{model.transform}({unit})"


def outcome_name(study: Study) -> str:
    """The outcome as people call it, with its unit."""
    known = {"alsfrs_r_total": "ALSFRS-R total", "alsfrs_total": "ALSFRS total"}
    name = known.get(study.model.outcome, study.model.outcome.replace("_", " "))
    unit = outcome_unit(study)
    return name if unit == name else f"{name} ({unit})"


def findings(study: Study, fit: "Fit", survival: pl.DataFrame | None) -> list[str]:
    """Plain sentences on decline and survival."""
    rows = {row["parameter"]: row for row in fit.summary.iter_rows(named=True)}
    sentences = []
    chosen = study.report.parameter
    if chosen is not None and chosen in rows:
        sentences.append(f"{rows[chosen]['label']}: {_estimate(rows[chosen])}{_direction(fit, chosen)}.")
    if "slope" in rows:
        reference = _reference_words(study, fit)
        sentences.append(f"Mean slope{reference}: {_estimate(rows['slope'])}.")
    for kind, words in (("value", "higher by one"), ("slope", "steeper by one per unit of time")):
        row = rows.get(f"association:{kind}")
        if row is not None:
            ratio = [float(np.exp(row[name])) for name in ("mean", "q2_5", "q97_5")]
            sentences.append(
                f"The hazard is multiplied by {ratio[0]:.3f} (95% credible interval {ratio[1]:.3f} to {ratio[2]:.3f}) "
                f"where the current true {'score' if kind == 'value' else 'slope'} is {words}."
            )
    if survival is not None and survival.height:
        last = survival.filter(pl.col("time") == survival["time"].max())
        for row in last.iter_rows(named=True):
            sentences.append(
                f"Alive and event-free at {row['time']:g} {study.model.time_unit}s, {row['group']}: {row['mean']:.0%} "
                f"(95% credible interval {row['lower']:.0%} to {row['upper']:.0%})."
            )
    return sentences


def _estimate(row: Row) -> str:
    return f"{row['mean']:.3g} {row['unit']} (95% credible interval {row['q2_5']:.3g} to {row['q97_5']:.3g})"


def _direction(fit: "Fit", parameter: str) -> str:
    share = float((np.ravel(fit.draws[parameter]) < 0).mean())
    return f"; probability of being below zero {share:.2f}"


def _reference_words(study: Study, fit: "Fit") -> str:
    parts = []
    for name in study.model.slope:
        reference = reference_level(study, fit, name)
        if reference is not None:
            parts.append(f"{name.replace('_', ' ')} {reference}")
        elif name in study.model.covariates:
            parts.append(f"{name.replace('_', ' ')} {study.model.covariates[name].centre:g}")
    return f" at {', '.join(parts)}" if parts else ""


def reference_level(study: Study, fit: "Fit", covariate: str) -> str | None:
    """The level of a text covariate that has no coefficient."""
    levels = fit.data.groups.get(covariate)
    if levels is None:
        return None
    chosen = study.model.covariates.get(covariate)
    if chosen is not None and chosen.reference is not None:
        return chosen.reference
    counted = Counter(level for level in levels if level is not None)
    return counted.most_common(1)[0][0] if counted else None


def group_effects(study: Study, fit: "Fit") -> pl.DataFrame | None:
    """Differences between the levels of the report's grouping covariate, as the report draws them."""
    by = study.report.by
    if by is None:
        return None
    reference = reference_level(study, fit, by)
    sizes = Counter(level for level in fit.data.groups.get(by, ()) if level is not None)
    rows = []
    for part, title in _PANELS.items():
        prefix = f"{part}:{by}["
        for row in fit.summary.iter_rows(named=True):
            if not row["parameter"].startswith(prefix):
                continue
            level = row["parameter"].removeprefix(prefix).removesuffix("]")
            rows.append(
                {
                    "panel": f"{title}, difference from {reference} ({row['unit']})",
                    "label": level,
                    "mean": row["mean"],
                    "lower": row["q2_5"],
                    "upper": row["q97_5"],
                    "reference": 0.0,
                    "informed": row["informed"],
                    "n": sizes.get(level, 0),
                }
            )
    return pl.DataFrame(rows) if rows else None


def identification(study: Study, fit: "Fit") -> pl.DataFrame | None:
    """Who informs each drug: randomised, own starts and stops, or users throughout."""
    rows = []
    for count in fit.data.exposures:
        drug = next((each for each in study.model.treatments if each.name == count.name), None)
        if drug is None:
            continue
        parameter = f"theta:{drug.name}" if drug.score == "clock" else f"slope:{drug.name}"
        rows.append(
            {
                "drug": count.name,
                "randomised": count.randomised,
                "within_person": count.starts_or_stops,
                "prevalent": count.prevalent,
                "label": "effect" if count.randomised else "association",
                "informed": _informed(fit, parameter),
            }
        )
    return pl.DataFrame(rows) if rows else None


def model_words(study: Study) -> list[str]:
    """The model in sentences."""
    model = study.model
    random = "intercept and slope" if model.random_effects == "linear" else "intercept, slope and quadratic term"
    hazard = (
        f"constant within {model.baseline_hazard.intervals} intervals between quantiles of the event times"
        if model.baseline_hazard.kind == "piecewise"
        else "of Weibull form"
    )
    words = [
        f"{outcome_name(study)} follows a straight line in time plus each participant's own deviation (a random {random}), "
        "with independent normal residuals.",
        f"The baseline hazard of {' or '.join(model.events)} is {hazard}, and is multiplied by the exponential of the "
        "covariates' effects and of the association with the participant's true path, never with the observed score.",
    ]
    for part in ("intercept", "slope", "hazard"):
        names = getattr(model, part)
        if names:
            words.append(f"Covariates of the {part}: {', '.join(name.replace('_', ' ') for name in names)}.")
    for drug in model.treatments:
        source = (
            f"the assigned arm {drug.level!r}, whatever was taken"
            if drug.source == "arm"
            else "the intervals in which it was taken, so that its coefficient is an association"
        )
        how = {"clock": "on the clock of decline", "additive": "by points per unit of time", "none": "not on the score"}
        words.append(f"{drug.name} acts {how[drug.score]}; exposure is {source}.")
    words.append("Random effects are integrated out of the likelihood; the sampler sees population parameters only.")
    return words


def model_formulas(study: Study) -> list[str]:
    """The model in formulas."""
    model = study.model
    lines = [
        "y(t) = intercept + x'β + b0 + (slope + w'γ) τ(t; θ) + b1 τ(t; ψ) + ε,   ε ~ N(0, σ²)",
        "(b0, b1) ~ N(0, D)",
        "τ(t; θ) = ∫ exp{Σ θ_d x_d(s)} ds from 0 to t",
    ]
    terms = {"value": "α m(t)", "slope": "α' dm(t)/dt"}
    link = " + ".join(terms[name] for name in model.association)
    lines.append(f"h(t) = h0(t) exp{{z'δ + Σ η_d x_d(t){' + ' + link if link else ''}}}")
    return lines


def trial_words(study: Study) -> list[str]:
    """The simulated design in sentences."""
    plan = study.trial
    if plan is None:
        return []
    design, decision = plan.design, plan.decision
    truth = (
        f"Each simulated trial takes one of {plan.truth.draws} posterior draws of the fit above and new participants with "
        "covariates resampled from the cohort, so that power is averaged over what the fit does not know (assurance)."
        if plan.truth.kind == "posterior"
        else "Participants decline and die by the numbers named in the study file."
    )
    active, control = design.allocation[1], design.allocation[0]
    return [
        f"Two parallel arms, allocated {control}:{active}, {design.duration:g} months of follow-up with visits at months "
        f"{', '.join(f'{visit:g}' for visit in design.visits)}; {design.dropout_per_month:.0%} leave per month and "
        f"{design.missing_visit_probability:.0%} of visits are missed.",
        truth,
        f"Success: p below {decision.alpha:g}, {decision.side}. {plan.replicates:,} simulated trials per cell; a trial whose "
        "analysis fails counts as no success.",
    ]


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


def participant_flow(cohort: "Cohort", fit: "Fit | None") -> pl.DataFrame:
    """Participants from the source to the fit, one row per step."""
    flow = cohort.participant_flow.select("step", "n", "excluded", "reason")
    if fit is None:
        return flow
    rows, before = [], cohort.participants.height
    for step in fit.data.steps.iter_rows(named=True):
        left = step["participants"]
        if step["step"] != "in the cohort":
            rows.append({"step": step["step"], "n": left, "excluded": before - left, "reason": step["reason"]})
        before = left
    return pl.concat([flow, pl.DataFrame(rows, schema=flow.schema)])


def limits(study: Study) -> list[str]:
    """What a reader must not take from the report."""
    found = []
    if any(drug.source == "exposure" for drug in study.model.treatments):
        found.append(
            "Drugs that were taken, not assigned, differ between people for many reasons: their coefficients are associations."
        )
    if study.data.format == "proact":
        found.append(
            "PRO-ACT hides which trial a participant was in and pools active arms; no difference between its arms is an effect."
        )
    found.append(
        "Scores after death do not exist; a mean score is that of people still alive or, where said so, of the true path."
    )
    if study.trial is not None and study.trial.truth.kind == "posterior":
        found.append("The trial's power holds for people like those of the cohort, under the model that was fitted to it.")
    return found
