"""What a study found, in the words and frames that its report shows."""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from alsmodel.models.association import kinds
from alsmodel.reports import Effect
from alsmodel.study import methods
from alsmodel.study.fitted import joint_model, participants_of
from alsmodel.study.spec import Study

if TYPE_CHECKING:
    from alsmodel.cohort.arrays import JointData
    from alsmodel.inference import Fit
    from alsmodel.study.fitted import AnyFit

Row = dict[str, Any]

#: Groups below this size are driven by the prior, so that sentences leave them out.
SMALL_GROUP = 10

#: Below this probability a difference has no direction that a sentence should name.
CLEAR = 0.9

#: What goes with a hazard, one unit of each association: said before the hazard ratio.
_REACHED = {
    "value": "the current true score is one unit higher",
    "slope": "the current true slope is one unit higher",
    "area": "the true score has on average been one unit higher since time zero",
    "shared:intercept": "a participant's path starts one unit higher than that of people alike in covariates",
    "shared:slope": "a participant's own slope is one unit higher than that of people alike in covariates",
}

_PANELS = {
    "intercept": "Mean at time zero",
    "slope": "Mean slope",
    "log_d50": "Mean log D50",
    "log_dx": "Mean log dx",
    "hazard": "Log hazard beside the score",
}


def effects(study: Study, fit: "Fit") -> list[Effect]:
    """One entry per drug: how much slower the mean decline is, positive is benefit."""
    found = []
    for drug in joint_model(study).treatments:
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
                unit="%" if drug.score == "clock" else methods.slope_unit(study),
                label="effect" if drug.source == "arm" else "association",
                informed=informed(fit, name),
                success_rule=study.report.success if drug.source == "arm" else None,
            )
        )
    return found


def informed(fit: "AnyFit", parameter: str) -> bool:
    """Whether the data say more about a parameter than its prior."""
    row = fit.summary.filter(pl.col("parameter") == parameter)
    return bool(row["informed"].item()) if row.height else False


def headline_effects(study: Study, fit: "Fit") -> list[Effect]:
    """The effects that open the report: none when the study asks for a parameter and nobody was randomised.

    An association then stands among the findings, where it cannot be taken for the answer.
    """
    found = effects(study, fit)
    randomised = any(effect.label == "effect" for effect in found)
    return found if randomised or study.report.parameter is None else []


def findings(study: Study, fit: "Fit", survival: pl.DataFrame | None) -> list[str]:
    """Plain sentences on decline and survival; the first answers the question when the study names a parameter."""
    rows = {row["parameter"]: row for row in fit.summary.iter_rows(named=True)}
    sentences = []
    if study.report.parameter in rows:
        sentences.append(_answer(study, fit, rows[study.report.parameter]))
    if "class share[1]" in rows:
        sentences.append(class_words(rows))
    elif "slope" in rows:
        sentences.append(f"Mean slope{_reference_words(study, fit)}: {estimate(rows['slope'])}.")
    if "d50" in rows:
        middle, loss = estimate(rows["d50"]), estimate(rows["dx"])
        sentences.append(f"Median time from onset until half of the score is gone (D50): {middle}; time constant of the loss (dx): {loss}.")
    for kind, words in _REACHED.items():
        for suffix, of in _hazards(study):
            row = rows.get(f"association:{kind}{suffix}")
            if row is not None:
                ratio = [float(np.exp(row[name])) for name in ("mean", "q2_5", "q97_5")]
                groups = "" if suffix else _by_group(study, rows, kind)
                sentences.append(
                    f"Where {words}, the hazard{of} is multiplied by {ratio[0]:.3f} "
                    f"(95% credible interval {ratio[1]:.3f} to {ratio[2]:.3f}){groups}."
                )
    sentences += shrinkage_words(study, fit)
    if survival is not None and survival.height:
        sentences.append(survival_words(study, participants_of(fit), survival))
    if not headline_effects(study, fit):
        sentences += [_association_words(effect) for effect in effects(study, fit)]
    return sentences


def shrinkage_words(study: Study, fit: "Fit") -> list[str]:
    """Effects and associations that differ between groups: each group's, how far they were drawn together, and whose say the prior's."""
    model = joint_model(study)
    if not any(drug.by for drug in model.treatments) and not any(kinds(model.association).values()):
        return []
    from alsmodel.inference.shrinkage import associations_by_group, effects_by_group

    units = {
        "theta": "ratio of slopes",
        "hazard": "hazard ratio",
        "slope": methods.slope_unit(study),
        "association": "hazard ratio",
    }
    told = []
    for frame in (effects_by_group(fit), associations_by_group(fit)):
        groups: dict[str, list[Row]] = {}
        for row in frame.iter_rows(named=True):
            groups.setdefault(row["parameter"].partition("[")[0], []).append(row)
        for parameter, rows in groups.items():
            part, _, name = parameter.partition(":")
            scale: Callable[[float], float] = float if part == "slope" else math.exp
            each = [_of_group(row, scale) for row in rows]
            what = f"one unit more of the current {name}" if part == "association" else name
            told.append(
                f"By group, {what} ({units[part]}): {', '.join(each)}; pooling factor {max(rows[0]['pooling'], 0.0):.2f}, where 0 is every "
                "group by itself and 1 all as one."
            )
    return told


def _of_group(row: Row, scale: Callable[[float], float]) -> str:
    few = ", fewer than 10 participants: driven by the prior" if row["prior_driven"] else ""
    return f"{row['level']} {scale(row['mean']):.2f} ({scale(row['q2_5']):.2f} to {scale(row['q97_5']):.2f}{few})"


def class_words(rows: dict[str, Row]) -> str:
    """Size and slope of each latent class in a sentence."""
    told = []
    for k in range(1, sum(name.startswith("class share[") for name in rows) + 1):
        share, slope = rows[f"class share[{k}]"], rows["slope" if k == 1 else f"class slope[{k}]"]
        told.append(
            f"class {k}, {share['mean']:.0%} of participants ({share['q2_5']:.0%} to {share['q97_5']:.0%}), mean slope {estimate(slope)}"
        )
    return f"Latent classes: {'; '.join(told)}."


def _answer(study: Study, fit: "Fit", row: Row) -> str:
    part, _, term = row["parameter"].partition(":")
    covariate, _, level = term.partition("[")
    reference = reference_level(study, participants_of(fit), covariate)
    sure = max(share := float((np.ravel(fit.draws[row["parameter"]]) < 0).mean()), 1 - share)
    interval = f"95% credible interval {row['q2_5']:.3g} to {row['q97_5']:.3g}, probability of this direction {sure:.2f}"
    if part != "slope" or not level or reference is None:
        return f"{row['label']}: {row['mean']:.3g} {row['unit']} ({interval})."
    how = "steeper" if row["mean"] < 0 else "less steep"
    name = covariate.replace("_", " ")
    if sure < CLEAR:
        return (
            f"These data do not tell whether mean decline differs between {name} {level.removesuffix(']')} and {name} "
            f"{reference}: the slopes differ by {row['mean']:.3g} {row['unit']} ({interval})."
        )
    return (
        f"Mean decline is {how} with {name} {level.removesuffix(']')} than with {name} {reference}: "
        f"the slopes differ by {row['mean']:.3g} {row['unit']} ({interval})."
    )


def _hazards(study: Study) -> list[tuple[str, str]]:
    """What the parameters of each cause end with, and how its hazard is told apart; one of no words where there is one."""
    model = joint_model(study)
    if not model.causes:
        return [("", "")]
    return [("", f" of {model.main_words}"), *((cause.suffix, f" of {cause.name}") for cause in model.causes)]


def _by_group(study: Study, rows: dict[str, Row], kind: str) -> str:
    """What an association that differs between groups is in each of them; nothing where it is the same for all."""
    by = {str(name): by for name, by in kinds(study.model.association).items()}.get(kind)
    if by is None:
        return ""
    prefix = f"association:{kind}["
    each = [f"{name.removeprefix(prefix)[:-1]} {float(np.exp(row['mean'])):.3f}" for name, row in rows.items() if name.startswith(prefix)]
    return f", on average over groups; by {by.replace('_', ' ')}: {', '.join(each)}"


def survival_words(study: Study, data: "JointData", survival: pl.DataFrame) -> str:
    """Survival at the horizon; groups too small to say anything about are left to the figure."""
    by = study.report.by
    sizes = Counter(data.groups.get(by, ())) if by else Counter()
    last = survival.filter(pl.col("time") == survival["time"].max())
    told = [
        f"{row['group'] + ' ' if by else ''}{row['mean']:.0%} ({row['lower']:.0%} to {row['upper']:.0%})"
        for row in last.iter_rows(named=True)
        if not by or sizes[row["group"]] >= SMALL_GROUP
    ]
    when = f"{last['time'][0]:g} {study.model.time_unit}s"
    return f"Without {study.model.event_words} at {when} (95% credible interval): {', '.join(told)}."


def total_words(study: Study, totals: pl.DataFrame | None) -> list[str]:
    """What each assigned treatment does to survival in all, in a sentence; associations are left to the table, which calls them so."""
    if totals is None:
        return []
    unit, event, told = study.model.time_unit, study.model.event_words, []
    effects = totals.filter((pl.col("label") == "effect") & pl.col("cause").is_null())
    for (drug,), rows in effects.group_by("treatment", maintain_order=True):
        last = rows.filter(pl.col("quantity") == "survival").sort("time").row(-1, named=True)
        mean = rows.filter(pl.col("quantity") == "restricted mean").row(0, named=True)
        told.append(
            f"In all, with {drug} {last['treated']:.1%} of participants would be without {event} at {last['time']:g} {unit}s and "
            f"{last['untreated']:.1%} without it, a difference of {100 * last['mean']:.1f} percentage points (95% credible interval "
            f"{100 * last['lower']:.1f} to {100 * last['upper']:.1f}); of the first {mean['time']:g} {unit}s they would have "
            f"{mean['mean']:.2f} more without {event} ({mean['lower']:.2f} to {mean['upper']:.2f})."
        )
    return told


def _association_words(effect: Effect) -> str:
    percent = effect.unit == "%"
    mean, lower, upper = (f"{100 * x:.0f}%" if percent else f"{x:.2g}" for x in (effect.mean, effect.lower, effect.upper))
    amount = mean if percent else f"{mean} {effect.unit}"
    if not effect.informed:
        return f"{effect.drug.capitalize()}: these data hardly tell anything beyond the prior ({lower} to {upper})."
    return (
        f"While taking {effect.drug}, decline was {amount} slower than it is estimated to be without "
        f"(95% credible interval {lower} to {upper}, probability of being slower at all {effect.p_any:.2f}). "
        "This is an association, not an effect: nobody was assigned the drug."
    )


def estimate(row: Row) -> str:
    """Mean, unit and interval of a parameter."""
    return f"{row['mean']:.3g} {row['unit']} (95% credible interval {row['q2_5']:.3g} to {row['q97_5']:.3g})"


def _reference_words(study: Study, fit: "Fit") -> str:
    parts = []
    for name in joint_model(study).slope:
        reference = reference_level(study, participants_of(fit), name)
        if reference is not None:
            parts.append(f"{name.replace('_', ' ')} {reference}")
        elif name in joint_model(study).covariates:
            parts.append(f"{name.replace('_', ' ')} {joint_model(study).covariates[name].centre:g}")
    return f" at {', '.join(parts)}" if parts else ""


def reference_level(study: Study, data: "JointData", covariate: str) -> str | None:
    """The level of a text covariate that has no coefficient."""
    levels = data.groups.get(covariate)
    if levels is None:
        return None
    chosen = study.model.covariates.get(covariate)
    if chosen is not None and chosen.reference is not None:
        return chosen.reference
    counted = Counter(level for level in levels if level is not None)
    # Of levels as common as each other the first by name, as in `alsmodel.cohort.design`.
    return min(counted, key=lambda level: (-counted[level], level)) if counted else None


def group_effects(study: Study, fit: "Fit") -> pl.DataFrame | None:
    """Differences between the levels of the report's grouping covariate, as the report draws them."""
    by = study.report.by
    if by is None or by in joint_model(study).hierarchy:  # groups of a hierarchy differ from the mean of all, not from a reference
        return None
    return differences(study, participants_of(fit), fit.summary, by, _PANELS)


def differences(study: Study, data: "JointData", summary: pl.DataFrame, by: str, panels: Mapping[str, str]) -> pl.DataFrame | None:
    """Coefficients of the levels of `by`, a panel for each of the `panels`: the parameter without its level -> title."""
    reference = reference_level(study, data, by)
    sizes = Counter(level for level in data.groups.get(by, ()) if level is not None)
    rows = []
    for part, title in panels.items():
        prefix = f"{part}:{by}["
        for row in summary.iter_rows(named=True):
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
        drug = next((each for each in joint_model(study).treatments if each.name == count.name), None)
        if drug is None:
            continue
        part = {"clock": "theta", "additive": "slope", "none": "hazard"}[drug.score]
        periods = range(1, len(drug.hazard_periods) + 2) if drug.score == "none" and drug.hazard_periods else ()
        parameters = [f"{part}:{drug.name}[{k}]" for k in periods] or [f"{part}:{drug.name}"]
        rows.append(
            {
                "drug": count.name,
                "randomised": count.randomised,
                "within_person": count.starts_or_stops,
                "prevalent": count.prevalent,
                "start_unknown": count.unknown_start,
                "label": "effect" if count.randomised else "association",
                "informed": any(informed(fit, parameter) for parameter in parameters),
            }
        )
    return pl.DataFrame(rows) if rows else None
