"""The sections of a report, in order: each takes the content and gives its blocks."""

import re
from collections.abc import Sequence
from typing import Any

import polars as pl

from alsmodel import plots
from alsmodel.reports import tables
from alsmodel.reports.blocks import Badges, Block, Code, Figure, Items, Pairs, Paragraph, Section
from alsmodel.reports.content import StudyReport
from alsmodel.reports.words import claimed, compared, plural


def _not_run(what: str) -> Paragraph:
    return Paragraph(what, tone="quiet")


def question(content: StudyReport) -> Section:
    """The question and the estimand."""
    blocks: list[Block] = [Paragraph(content.question)] if content.question else []
    if content.estimand:
        blocks.append(Pairs([(_titled(name), text) for name, text in content.estimand.items()]))
    else:
        blocks.append(_not_run("No estimand was set for this study."))
    return Section("question", "Question and estimand", blocks, shown=bool(content.question or content.estimand))


def who(content: StudyReport) -> Section:
    """Flow of participants and rows, and Table 1."""
    blocks: list[Block] = []
    flow = content.participant_flow
    if flow is not None and flow.height:
        columns = flow.select("step", "reason", "n", "excluded")
        svg = plots.participant_flow(flow, name="flow")
        legend = "How many were left after each step, and why the others were left out."
        blocks.append(Figure(svg, "Flow of participants.", legend, tables.anything(columns)))
    if content.table_one is not None:
        blocks.append(tables.table_one(content.table_one))
    if content.file_flow is not None and content.file_flow.height:
        blocks.append(tables.file_flow(content.file_flow))
    if not blocks:
        blocks.append(_not_run("No cohort was described in this report."))
    return Section("who", "Who was studied", blocks, shown=content.table_one is not None or flow is not None)


def progression(content: StudyReport) -> Section:
    """Mean paths by group."""
    frame = content.trajectories
    if frame is None:
        return Section("progression", "Progression", [_not_run("Trajectories were not computed: no fit was made.")], shown=False)
    blocks: list[Block] = []
    for number, (outcome, part) in enumerate(_by_outcome(content, frame)):
        svg = plots.trajectories(
            part,
            outcome=outcome,
            time_unit=content.time_unit,
            origin=content.origin,
            counts=dict(content.group_sizes),
            name=f"trajectories{number or ''}",
        )
        legend = (
            "Line and band: posterior mean and 95% credible band of the mean, given alive; not a range for single participants. "
            f"{'' if 'panel' in part.columns else 'Grey: the other groups. '}"
            "Paler, right of the dashed line: fewer than half are expected to be alive."
        )
        numbers = tables.paths(part, content.time_unit, outcome)
        blocks.append(Figure(svg, f"{outcome} over time, by {content.grouped_by}.", legend, numbers))
    note = "Posterior mean (95% credible interval)."
    blocks += [tables.printed(table, caption, note) for caption, table in content.outcomes.items()]
    blocks += _of_classes(content)
    return Section("progression", "Progression", blocks)


def _of_classes(content: StudyReport) -> list[Block]:
    """Latent classes: how large they are and how they fare; nobody's own class."""
    blocks: list[Block] = []
    where: dict[str, Any] = {"time_unit": content.time_unit, "origin": content.origin}
    if content.classes is not None:
        blocks.append(tables.classes(content.classes, content.time_unit))
    if content.class_trajectories is not None:
        svg = plots.trajectories(content.class_trajectories, outcome=content.outcome, **where, name="class-trajectories")
        legend = (
            "Line and band: posterior mean and 95% credible band of the mean of a class, given alive, for people with the covariates of "
            "everybody. Classes are a way of describing how people differ; that they exist is not shown."
        )
        numbers = tables.paths(content.class_trajectories, content.time_unit, content.outcome)
        blocks.append(Figure(svg, f"{content.outcome} over time, by latent class.", legend, numbers))
    if content.class_survival is not None:
        empty = pl.DataFrame(schema={"group": pl.String, "time": pl.Float64, "survival": pl.Float64, "at_risk": pl.Int64})
        svg = plots.survival(content.class_survival, empty, event=content.event, **where, name="class-survival")
        legend = "Posterior mean with 95% credible band, for people with everybody's covariates. No Kaplan-Meier: nobody's class is seen."
        numbers = tables.curves(content.class_survival, empty, content.time_unit)
        blocks.append(Figure(svg, f"Survival without {content.event}, by latent class.", legend, numbers))
    return blocks


def _by_outcome(content: StudyReport, frame: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """The label of each outcome and its rows, where there are several."""
    if "outcome" not in frame.columns:
        return [(content.outcome, frame)]
    parts = [(str(name), part.drop("outcome")) for (name,), part in frame.group_by("outcome", maintain_order=True)]
    if "panel" not in frame.columns:
        return parts
    return [(name, part.drop("panel") if (part["panel"] == part["group"]).all() else part) for name, part in parts]


def effects(content: StudyReport) -> Section:
    """Effects by group, and who informs each drug."""
    blocks: list[Block] = []
    if content.group_effects is not None and content.group_effects.height:
        legend = (
            "Points and lines: posterior mean and 95% credible interval. Hollow: the prior speaks, not the data. The "
            "vertical line is no difference."
        )
        numbers = tables.group_effects(content.group_effects)
        title = f"Effects by {content.grouped_by}."
        blocks.append(Figure(plots.effects_forest(content.group_effects), title, legend, numbers))
    if content.total_effects is not None and content.total_effects.height:
        blocks.append(tables.total_effects(content.total_effects, content.summary, content.time_unit, content.event))
    if content.identification is not None and content.identification.height:
        blocks.append(tables.identification(content.identification))
        if content.start_limits is not None and content.start_limits.height:
            blocks.append(tables.start_limits(content.start_limits))
    elif not content.effects:
        blocks.append(_not_run("No treatment entered the model, so no treatment effect was estimated."))
    return Section("effects", "Effects", blocks, shown=len(blocks) > 1 or content.group_effects is not None)


def survival(content: StudyReport) -> Section:
    """Posterior survival against Kaplan-Meier, and the classical models."""
    blocks: list[Block] = []
    baselines = content.baselines
    if content.survival is not None:
        empty = pl.DataFrame(schema={"group": pl.String, "time": pl.Float64, "survival": pl.Float64, "at_risk": pl.Int64})
        observed = _same_groups(content, content.survival, baselines.kaplan_meier) if baselines is not None else empty
        svg = plots.survival(content.survival, observed, event=content.event, time_unit=content.time_unit, origin=content.origin)
        legend = "Coloured: posterior mean with 95% credible band. Steps: Kaplan-Meier of the same participants."
        numbers = tables.curves(content.survival, observed, content.time_unit)
        blocks.append(Figure(svg, f"Survival without {content.event}.", legend, numbers))
    else:
        blocks.append(_not_run("Posterior survival was not computed: no fit was made."))
    if content.incidence is not None:
        svg = plots.incidence(content.incidence, time_unit=content.time_unit, origin=content.origin)
        legend = (
            "Coloured: posterior mean of the cumulative incidence with its 95% credible band. Steps: Aalen-Johansen of the same "
            "participants. One minus the survival of a single cause, which takes the others for censoring, is larger and is not shown."
        )
        numbers = tables.incidence(content.incidence, "cause", content.time_unit)
        blocks.append(Figure(svg, "Chance that each cause has come first.", legend, numbers))
    if content.states is not None:
        blocks.append(tables.incidence(content.states, "state", content.time_unit))
    if baselines is not None:
        if baselines.cox.height or baselines.weibull_aft.height:
            beside = tables.hazards_beside(baselines.cox, baselines.weibull_aft, content.summary)
            blocks += [beside] if beside.rows else []
        counted = f"{plural(baselines.n, 'participant')}, {plural(baselines.events, 'event')}."
        blocks.append(Paragraph(" ".join((counted, *baselines.notes)), tone="quiet"))
    else:
        blocks.append(_not_run("Kaplan-Meier, Cox and accelerated failure time models were not run."))
    return Section("survival", "Survival", blocks, shown=content.survival is not None or baselines is not None)


def _same_groups(content: StudyReport, posterior: pl.DataFrame, observed: pl.DataFrame) -> pl.DataFrame:
    """Kaplan-Meier of the grouping that the posterior curves have, under the same names."""
    groups = posterior["group"].unique().to_list()
    if "by" not in observed.columns:
        return observed
    own = observed.filter(pl.col("by").str.replace_all("_", " ") == content.grouped_by.replace("_", " "))
    if len(groups) == 1 and own.filter(pl.col("group") == groups[0]).is_empty():
        return observed.filter(pl.col("by") == "all").with_columns(pl.lit(groups[0]).alias("group"))
    return own


def model(content: StudyReport) -> Section:
    """The model in words and formulas, and its priors."""
    if content.summary is None:
        return Section("model", "Model and priors", [_not_run("No Bayesian model was fitted.")], shown=False)
    blocks: list[Block] = [Items(content.model_words)] if content.model_words else []
    if content.model_formulas:
        blocks.append(Code(content.model_formulas))
    blocks += _prior_figure(content, content.summary)
    blocks.append(tables.priors(content.summary))
    if content.priors_beside_data is not None and content.priors_beside_data.height:
        blocks.append(tables.priors_beside_data(content.priors_beside_data))
    if content.prior_check is not None and content.prior_check.height:
        caption = "Prior predictive check: what the priors alone expect."
        blocks.append(tables.anything(content.prior_check, caption))
    else:
        blocks.append(_not_run("A prior predictive check was not run."))
    if content.prior_words:
        blocks.append(Items(content.prior_words))
    return Section("model", "Model and priors", blocks)


def _prior_figure(content: StudyReport, summary: pl.DataFrame, most: int = 9) -> list[Block]:
    if not content.draws:
        return []
    rows = [row for row in summary.iter_rows(named=True) if row["parameter"] in content.draws]
    chosen = [row for row in rows if not row["parameter"].startswith("log_hazard[")][:most]
    if not chosen:
        return []
    names = [row["parameter"] for row in chosen]
    curves = {row["parameter"]: curve for row in chosen if (curve := prior_curve(str(row["prior"]))) is not None}
    svg = plots.prior_posterior({name: content.draws[name] for name in names}, curves, _labels(chosen))
    legend = "Filled: posterior. Dashed: prior, nearly flat where the data say far more than it does."
    return [Figure(svg, "Priors and posteriors.", legend, tables.densities(summary, names))]


def prior_curve(text: str) -> plots.PriorCurve | None:
    """The density that a printed prior names, or None when it is of another kind.

    Understands ``normal(m, s)``, ``N(m, s^2)`` and ``half-normal(s)``, however capitalised.
    """
    figure = r"([-+−]?[0-9.]+(?:e[-+]?\d+)?)"
    plain = text.strip().lower().replace("−", "-").replace("²", "^2")
    if match := re.match(rf"half-?\s?normal\({figure}(\^2)?\)", plain):
        return plots.PriorCurve("half-normal", 0.0, float(match[1]))
    if match := re.match(rf"n(?:ormal)?\({figure},\s*{figure}(\^2)?\)", plain):
        return plots.PriorCurve("normal", float(match[1]), float(match[2]))
    return None


def _labels(rows: Sequence[dict[str, object]]) -> dict[str, str]:
    return {str(row["parameter"]): f"{row['label']} ({row['unit']})" if row["unit"] else str(row["label"]) for row in rows}


def computation(content: StudyReport) -> Section:
    """Checks, every parameter, traces."""
    title = "Was the computation sound?"
    if content.passed is None:
        return Section("computation", title, [_not_run("Nothing was sampled, so there is nothing to check.")], shown=False)
    rows = [
        (check.passed, check.name, f"{compared(check.value)} (limit {compared(check.limit)}): {check.meaning}") for check in content.checks
    ]
    blocks: list[Block] = [Paragraph(content.route)] if content.route else []
    blocks.append(Badges(rows))
    if content.summary is not None:
        blocks.append(tables.parameters(content.summary))
        blocks += _trace_figure(content, content.summary)
    return Section("computation", title, blocks)


def _trace_figure(content: StudyReport, summary: pl.DataFrame) -> list[Block]:
    if not content.draws or tables.weighted(summary):
        return []  # draws of equal weight made of weighted ones have no order to trace
    ranked = summary.filter(pl.col("parameter").is_in(list(content.draws)))
    worst = ranked.with_columns(pl.col("r_hat").fill_nan(None)).sort("r_hat", descending=True, nulls_last=True, maintain_order=True).head(4)
    if worst.is_empty():
        return []
    rows = worst.to_dicts()
    svg = plots.traces({row["parameter"]: content.draws[row["parameter"]] for row in rows}, _labels(rows))
    legend = "The four parameters with the highest R-hat. Left: draws in order, by chain. Right: rank densities, 1 when the chains agree."
    return [Figure(svg, "Traces and ranks.", legend, tables.parameters(worst))]


def model_fit(content: StudyReport) -> Section:
    """Posterior predictive checks."""
    blocks: list[Block] = []
    where = {"time_unit": content.time_unit, "origin": content.origin}
    if content.score_check is not None:
        legend = "Points: the data. Band: 95% of data sets replicated from the posterior, with the same visits."
        for number, (outcome, part) in enumerate(_by_outcome(content, content.score_check)):
            svg = plots.score_check(part, outcome=outcome, **where, name=f"score-check{number or ''}")
            blocks.append(Figure(svg, f"Predictive check of {outcome}.", legend, tables.score_check(part, content.time_unit)))
    if content.end_check is not None and content.end_check.height:
        blocks.append(tables.end_check(content.end_check))
    if content.event_check is not None:
        svg = plots.event_check(content.event_check, event=content.event, **where)
        legend = "Points: Kaplan-Meier of the data. Band: 95% of Kaplan-Meier curves of replicated data."
        numbers = tables.event_check(content.event_check, content.time_unit)
        blocks.append(Figure(svg, f"Predictive check of survival without {content.event}.", legend, numbers))
    shown = bool(blocks)
    if content.score_check is None:
        blocks.append(_not_run("A predictive check of the score was not run."))
    if content.event_check is None:
        blocks.append(_not_run("A predictive check of the event was not run."))
    return Section("model-fit", "Does the model fit?", blocks, shown=shown)


def comparison(content: StudyReport) -> Section:
    """Which of several models predicts better."""
    title = "Which model predicts better?"
    if content.comparison is None:
        asked = "A comparison of models was asked for and is not in this run folder for the present settings: alsmodel compare computes it."
        return Section("comparison", title, [_not_run(asked)] if content.comparison_words else [], shown=False)
    blocks: list[Block] = [Items(content.comparison_words)]
    if content.comparison_warnings:
        blocks.append(Badges([(False, "Not to be trusted yet", warning) for warning in content.comparison_warnings]))
    blocks.append(tables.comparison(content.comparison))
    return Section("comparison", title, blocks)


def trial(content: StudyReport) -> Section:
    """Power of a simulated trial."""
    frame = content.operating_characteristics
    if frame is None or frame.is_empty():
        return Section("trial", "Trial power", [_not_run("No trial was simulated in this study.")], shown=False)
    blocks: list[Block] = [Items(content.trial_words)] if content.trial_words else []
    legend = "Bars: 1.96 Monte Carlo standard errors. Dashed: 80% and 90%. At no effect, the curve is the type I error."
    numbers = tables.operating_characteristics(frame, content.effect_label)
    power = claimed(frame)
    brief = power.select("analysis", "effect", "n_per_arm", "power", "mcse")
    svg = plots.power(power, effect_label=content.effect_label)
    if content.family is not None and content.family.height:
        legend += " Claims are those after adjustment for the family of hypotheses."
    blocks += [Figure(svg, "Power by sample size.", legend, tables.anything(brief)), numbers]
    if content.family is not None and content.family.height:
        blocks.append(tables.family(content.family, content.effect_label))
    if content.by_look is not None and content.by_look.height:
        blocks.append(tables.by_look(content.by_look, content.effect_label))
    if content.intercurrent is not None and content.intercurrent.height:
        blocks.append(tables.intercurrent(content.intercurrent, content.effect_label))
    return Section("trial", "Trial power", blocks)


def assurance(content: StudyReport) -> Section:
    """Power averaged over what is believed of the effect, along it, and how trials end."""
    found, title = content.assurance, "Assurance"
    if found is None:
        asked = "Assurance was asked for and is not in this run folder for the present settings: alsmodel assurance computes it."
        return Section("assurance", title, [_not_run(asked)] if content.assurance_words else [], shown=False)
    blocks: list[Block] = [Items(content.assurance_words)] if content.assurance_words else []
    blocks.append(tables.assurance(found.table))
    legend = "Points: strata of the effect of the same probability. Bars: 1.96 Monte Carlo standard errors. Vertical line: no effect."
    numbers = tables.power_along(found.strata)
    blocks.append(Figure(plots.power_along(found.strata), "Power along what is believed of the effect.", legend, numbers))
    blocks.append(tables.endings(found.causes))
    return Section("assurance", title, blocks)


def limits(content: StudyReport) -> Section:
    """What these numbers do not show."""
    if not content.limits:
        return Section("limits", "Assumptions and limits", [_not_run("No limits were listed for this study.")], shown=False)
    return Section("limits", "Assumptions and limits", [Items(content.limits)])


def reproduce(content: StudyReport) -> Section:
    """Command, digests, seed, versions."""
    if not content.reproducibility:
        return Section("reproduce", "Reproduce this report", [_not_run("No provenance was given.")], shown=False)
    command = content.reproducibility.get("command")
    blocks: list[Block] = [Code([command])] if command else []
    blocks.append(Pairs([(_titled(key), value) for key, value in content.reproducibility.items() if key != "command"]))
    return Section("reproduce", "Reproduce this report", blocks)


def _titled(text: str) -> str:
    plain = text.replace("_", " ")
    return plain[:1].upper() + plain[1:]


def sections(content: StudyReport) -> list[Section]:
    """All numbered sections after the summary, in the order of the page."""
    builders = (
        question,
        who,
        progression,
        effects,
        survival,
        model,
        computation,
        model_fit,
        comparison,
        trial,
        assurance,
        limits,
        reproduce,
    )
    return [build(content) for build in builders]
