"""Frames to printed tables: one function per table of the report."""

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from alsmodel.plots import at_risk
from alsmodel.reports.blocks import Table
from alsmodel.reports.words import count, number, percent, readable, typeset

#: Box's p value below which prior and data are said to disagree.
CONFLICT = 0.05


def moment(time: float) -> str:
    """A time without needless decimals."""
    return f"{round(time, 2):g}"


def estimate_with_limits(mean: object, lower: object, upper: object) -> str:
    """Mean and 95% limits in one cell."""
    return f"{number(mean)} ({number(lower)} to {number(upper)})"


def share_with_limits(mean: float, lower: float, upper: float) -> str:
    """The same for fractions, as percentages."""
    return f"{percent(mean)} ({100 * lower:.0f} to {100 * upper:.0f}%)"


def table_one(frame: pl.DataFrame) -> Table:
    """Table 1 with its sections as headings."""
    groups = [column for column in frame.columns if column not in ("section", "characteristic", "statistic")]
    rows: list[list[str]] = []
    section = None
    for row in frame.iter_rows(named=True):
        if row["section"] != section:
            section = row["section"]
            rows.append([str(section)])
        rows.append([row["characteristic"], row["statistic"], *(row[group] for group in groups)])
    note = (
        "Counts from 1 to 4 are shown as <5; – means too few people for a summary. Percentages are of participants with a value. "
        "No significance tests: they answer no question about a cohort's description."
    )
    return Table(["", "", *groups], rows, "Table 1. Participants at baseline and their follow-up.", note, text_columns=2)


def file_flow(frame: pl.DataFrame) -> Table:
    """What became of every row read."""
    head = ["File", "Rows read", "Kept", "Repaired", "Rejected", "Set aside"]
    columns = ["file", "read", "kept", "repaired", "rejected", "set_aside"]
    rows = [[str(row[0]), *(number(cell) for cell in row[1:])] for row in frame.select(columns).iter_rows()]
    return Table(head, rows, "Rows read, by file.", "Read = kept + repaired + rejected + set aside.")


def paths(frame: pl.DataFrame, time_unit: str, outcome: str) -> Table:
    """Posterior mean paths at a few times."""
    by = [column for column in ("panel", "group") if column in frame.columns]
    alive = "p_alive" in frame.columns
    rows = [
        [*(str(row[column]) for column in by), moment(row["time"]), estimate_with_limits(row["mean"], row["lower"], row["upper"])]
        + ([percent(row["p_alive"])] if alive else [])
        for row in _few_times(frame, by).iter_rows(named=True)
    ]
    head = [*(column.capitalize() for column in by), time_unit.capitalize(), f"{outcome}, mean (95% CrI)"]
    return Table([*head, "Alive"] if alive else head, rows, text_columns=len(by))


def curves(posterior: pl.DataFrame, kaplan_meier: pl.DataFrame, time_unit: str) -> Table:
    """Posterior survival and Kaplan-Meier at a few times; never the event times of participants."""
    rows = []
    for row in _few_times(posterior, ["group"]).iter_rows(named=True):
        observed = kaplan_meier.filter(pl.col("group") == row["group"])
        before = observed.filter(pl.col("time") <= row["time"]).sort("time").tail(1)
        n = at_risk(observed, [row["time"]])[0]
        seen = "–"
        if before.height and n > 0:
            seen = share_with_limits(*(float(before[column][0]) for column in ("survival", "lower", "upper")))
        model = share_with_limits(row["mean"], row["lower"], row["upper"])
        rows.append([_group(row["group"]), moment(row["time"]), model, seen, count(n)])
    head = ["Group", time_unit.capitalize(), "Model (95% CrI)", "Kaplan-Meier (95% CI)", "At risk"]
    return Table(head, rows)


def incidence(frame: pl.DataFrame, column: str, time_unit: str) -> Table:
    """Chance of each cause or state at a few times: model and Aalen-Johansen."""
    rows = []
    for row in _few_times(frame, ["group", column]).iter_rows(named=True):
        model = share_with_limits(row["mean"], row["lower"], row["upper"])
        seen = "–" if row["observed"] is None else share_with_limits(row["observed"], row["observed_lower"], row["observed_upper"])
        rows.append([_group(row["group"]), str(row[column]), moment(row["time"]), model, seen])
    head = ["Group", column.capitalize(), time_unit.capitalize(), "Model (95% CrI)", "Aalen-Johansen (95% CI)"]
    note = "Shares of everybody who started; within a group and a time the states add up to one." if column == "state" else ""
    return Table(head, rows, "Where participants are over time." if column == "state" else "", note, text_columns=2)


def _group(name: str) -> str:
    return "Everybody" if name == "all" else name


def _few_times(frame: pl.DataFrame, by: Sequence[str], most: int = 7) -> pl.DataFrame:
    """At most `most` evenly picked times per group, the first and the last among them."""
    parts = []
    for _, part in frame.group_by(by, maintain_order=True):
        step = max(-(-(part.height - 1) // (most - 1)), 1)
        parts.append(part.gather_every(step) if (part.height - 1) % step == 0 else pl.concat([part.gather_every(step), part.tail(1)]))
    return pl.concat(parts)


def group_effects(frame: pl.DataFrame) -> Table:
    """The forest's numbers, and whether the data or the prior speak."""
    sized = "n" in frame.columns
    rows = []
    for row in frame.iter_rows(named=True):
        few = sized and row["n"] is not None and row["n"] < 10
        source = "prior-driven (fewer than 10 people)" if few else ("data" if row["informed"] else "not informed by these data")
        cells = [row["label"], row["panel"], estimate_with_limits(row["mean"], row["lower"], row["upper"])]
        rows.append([*cells, *([count(row["n"])] if sized else []), source])
    head = ["", "Scale", "Mean (95% CrI)", *(["Participants"] if sized else []), "Informed by"]
    return Table(head, rows, text_columns=2)


def identification(frame: pl.DataFrame) -> Table:
    """Who informs each drug's coefficient."""
    dated = ["start_unknown"] if "start_unknown" in frame.columns and frame["start_unknown"].sum() else []
    rows = [
        [
            str(row["drug"]),
            *(count(int(row[name])) for name in ("randomised", "within_person", "prevalent", *dated)),
            str(row["label"]),
            "yes" if row["informed"] else "not informed by these data",
        ]
        for row in frame.iter_rows(named=True)
    ]
    since = ["Day of starting unknown"] if dated else []
    head = ["Drug", "Randomised", "Starts or stops in follow-up", "Prevalent users", *since, "To be read as", "Informed"]
    note = "Prevalent users are compared with other people, who differ in more than the drug: an association, never an effect."
    if dated:
        note += " An unknown day of starting counts as before time zero."
    return Table(head, rows, "Participants who inform each drug's coefficient.", note)


def priors_beside_data(frame: pl.DataFrame) -> Table:
    """What priors that were set are worth, and whether the data alone agree with them."""
    rows = []
    for row in frame.iter_rows(named=True):
        if row["estimate"] is None:
            rows.append([row["label"], row["prior"], "say little beyond the prior", "–", "–"])
            continue
        alone = f"{number(row['estimate'])} (standard error {number(row['se'])})"
        p = number(row["conflict"], 2) + (": prior and data disagree" if row["conflict"] < CONFLICT else "")
        prior = row["prior"] + (f"; weights with the data: {row['weights']}" if row["weights"] else "")
        rows.append([row["label"], prior, alone, number(row["worth"], 2), p])
    head = ["", "Prior", "Data alone", "Prior is worth (participants)", "Box's p value"]
    note = (
        "Worth: so many participants like these would tell as much as the prior (expected local-information-ratio). Box's p value: the "
        "probability, under the prior, of data no more likely than these; small where the two disagree. The likelihood is taken as normal."
    )
    return Table(head, rows, "Priors that were set, beside the data.", note, text_columns=3)


def start_limits(frame: pl.DataFrame) -> Table:
    """Parameters with unknown days of starting a drug at either limit."""
    rows = [
        [row["label"], row["unit"], *(_limits(row, name) for name in ("earliest", "latest")), number(row["shift"], 2)]
        for row in frame.iter_rows(named=True)
    ]
    head = ["", "Unit", "Started before time zero (95% CrI)", "As late as can be (95% CrI)", "Shift (posterior SDs)"]
    note = "As late as can be: on the day of stopping, or at the end of follow-up. What was not recorded lies between the two."
    return Table(head, rows, "Days of starting that were not recorded: the two limits.", note, text_columns=2)


def _limits(row: dict[str, Any], name: str) -> str:
    return estimate_with_limits(row[name], row[f"{name}_lower"], row[f"{name}_upper"])


def total_effects(frame: pl.DataFrame, summary: pl.DataFrame | None, time_unit: str, event: str) -> Table:
    """What a treatment does to survival: its direct log hazard ratios, and everybody treated against nobody."""
    rows = []
    for (drug,), part in frame.group_by("treatment", maintain_order=True):
        name, label = str(drug), str(part["label"][0])
        for row in _direct(summary, name):
            told = str(row["label"]).removeprefix(f"{name}: ")
            limits = estimate_with_limits(row["mean"], row["q2_5"], row["q97_5"])
            rows.append([name, told, "–", "–", limits, f"direct {label}{'' if row['informed'] else ', not informed by these data'}"])
        for row in part.iter_rows(named=True):
            when = f"{moment(row['time'])} {time_unit}s"
            if row["quantity"] == "restricted mean":
                what = f"mean {time_unit}s without {event}, of the first {moment(row['time'])}"
                cells = [number(row["treated"]), number(row["untreated"]), estimate_with_limits(row["mean"], row["lower"], row["upper"])]
            else:
                what = f"without {event} at {when}" if row["cause"] is None else f"{row['cause']} first, by {when}"
                cells = [percent(row["treated"], 1), percent(row["untreated"], 1), _points(row["mean"], row["lower"], row["upper"])]
            rows.append([name, what, *cells, f"total {label}"])
    head = ["Treatment", "", "Everybody treated", "Nobody treated", "Difference (95% CrI)", "To be read as"]
    note = (
        "Direct: what is left of the hazard ratio where the path of the score is the same. Total: everybody treated from time zero against "
        "nobody, through the path and beside it, in the same people. An association is a difference between people who took a drug and "
        "people who did not: nobody was assigned it, so that other differences may explain it."
    )
    return Table(head, rows, "Treatment and survival: direct, and in all.", note, text_columns=2)


def _direct(summary: pl.DataFrame | None, drug: str) -> list[dict[str, Any]]:
    """Direct log hazard ratios of a treatment, of every period, group and cause."""
    if summary is None:
        return []
    name = f"hazard:{drug}"
    return [
        row
        for row in summary.iter_rows(named=True)
        if row["parameter"].startswith(name)
        and row["parameter"][len(name) :][:1] in ("", "[", "@")
        and "direct log hazard ratio" in row["label"]
    ]


def _points(mean: float, lower: float, upper: float) -> str:
    """A difference of shares in percentage points, with limits."""
    return typeset(f"{100 * mean:.1f} ({100 * lower:.1f} to {100 * upper:.1f}) percentage points")


def hazards_beside(cox: pl.DataFrame, aft: pl.DataFrame, summary: pl.DataFrame | None) -> Table:
    """Cox and Weibull AFT hazard ratios beside those of the joint model."""
    model = {}
    if summary is not None:
        for row in summary.filter(pl.col("parameter").str.starts_with("hazard:")).iter_rows(named=True):
            ratio = [pl.Series([row[name]]).exp()[0] for name in ("median", "q2_5", "q97_5")]
            model[row["parameter"].removeprefix("hazard:").replace("@", ", ")] = estimate_with_limits(*ratio)
    cox_rows = {row["term"]: row for row in cox.iter_rows(named=True)}
    aft_rows = {row["term"]: row for row in aft.iter_rows(named=True)}
    terms = [*cox_rows, *(t for t in aft_rows if t not in cox_rows and not t.startswith("("))]
    terms += [t for t in model if t not in terms]
    rows = []
    for term in terms:
        c, a = cox_rows.get(term), aft_rows.get(term)
        rows.append(
            [
                readable(term),
                estimate_with_limits(c["hr"], c["lower"], c["upper"]) if c else "–",
                estimate_with_limits(a["time_ratio"], a["lower"], a["upper"]) if a else "–",
                number(a["hr"]) if a else "–",
                model.get(term, "–"),
            ]
        )
    head = ["", "Cox hazard ratio (95% CI)", "AFT time ratio (95% CI)", "AFT hazard ratio", "Joint model hazard ratio (95% CrI)"]
    note = (
        "Cox with Efron's ties; AFT with a Weibull baseline. The joint model's ratio is given the current score or slope (the "
        "direct part), so it differs from the other two wherever a covariate also acts through the score."
    )
    return Table(head, rows, "Hazards in classical models and in the joint model.", note)


def comparison(frame: pl.DataFrame) -> Table:
    """Models by what they expect of participants whom they have not seen, the best first."""
    weighted_out = frame["high_k"].is_not_null().any()
    rows = []
    for place, row in enumerate(frame.iter_rows(named=True)):
        apart = [_difference(row, suffix) for suffix in ("", "_scores", "_events")] if place else ["best", "–", "–"]
        trusted = [] if not weighted_out else [count(row["high_k"])]
        rows.append(
            [row["model"], row["differs"], f"{row['elpd']:,.1f}".replace("-", "−"), *apart, *trusted, "yes" if row["passed"] else "no"]
        )
    head = ["Model", "What differs", "Expected log density", "Difference (SE)", "of scores", "of events"]
    note = (
        "Expected log density of new participants, random effects integrated out; differences are to the best model, with their standard "
        "error over participants. A difference below 4, or below twice its standard error, tells no models apart."
    )
    head += (["Participants with unreliable weights"] if weighted_out else []) + ["Fit's checks pass"]
    return Table(head, rows, "Models compared.", note, text_columns=2)


def _difference(row: dict[str, Any], suffix: str) -> str:
    return f"{row[f'difference{suffix}']:,.1f} ({row[f'standard_error{suffix}']:,.1f})".replace("-", "−")


def priors(summary: pl.DataFrame) -> Table:
    """Each prior, how much the data narrowed it, and why it is what it is."""
    rows, said = [], "reason" in summary.columns
    for row in summary.iter_rows(named=True):
        if str(row.get("parameter", "")).startswith("z:"):
            continue  # standardised deviations, which are N(0, 1) by construction
        ratio = row["sd"] / row["prior_sd"] if row["prior_sd"] else None
        informed = "yes" if row["informed"] else "not informed by these data"
        why = [str(row["reason"] or "–")] if said else []
        rows.append([row["label"], typeset(str(row["prior"] or "–")), row["unit"], number(ratio, 2), informed, *why])
    head = ["Parameter", "Prior", "Unit", "Posterior SD / prior SD", "Informed", *(["Why this prior"] if said else [])]
    return Table(head, rows, "Priors.", "A ratio above 0.9 counts as not informed.", text_columns=3)


def parameters(summary: pl.DataFrame) -> Table:
    """Every parameter with its estimate and convergence."""
    rows = [
        [
            row["label"],
            row["unit"],
            number(row["mean"]),
            number(row["sd"]),
            f"{number(row['q2_5'])} to {number(row['q97_5'])}",
            _rhat(row["r_hat"]),
            number(_whole(row["ess_bulk"])),
            number(_whole(row["ess_tail"])),
        ]
        for row in summary.iter_rows(named=True)
    ]
    words = "CrI: credible interval; ESS: effective sample size, draws."
    if weighted(summary):
        head = ["Parameter", "Unit", "Mean", "SD", "95% CrI", "ESS of the mean", "ESS of the tails"]
        note = f"From weighted draws around the mode; there are no chains to compare. {words}"
        return Table(head, [[*row[:5], *row[6:]] for row in rows], "Every parameter.", note, text_columns=2)
    head = ["Parameter", "Unit", "Mean", "SD", "95% CrI", "R-hat", "Bulk ESS", "Tail ESS"]
    note = f"Each should have R-hat at most 1.01 and both ESS at least 400. {words}"
    return Table(head, rows, "Every parameter.", note, text_columns=2)


def weighted(summary: pl.DataFrame) -> bool:
    """Whether the posterior was computed by weighted draws: then no parameter has an R-hat."""
    return summary["r_hat"].fill_nan(None).is_null().all()


def _rhat(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.3f}"


def _whole(value: Any) -> int | None:
    return None if value is None or value != value else round(value)


def score_check(frame: pl.DataFrame, time_unit: str) -> Table:
    """Observed and predicted mean and SD per time."""
    rows = [
        [
            moment(row["time"]),
            count(int(row["n"])),
            number(row["observed_mean"]) if row["n"] >= 5 else "–",
            estimate_with_limits(row["predicted_mean"], row["lower"], row["upper"]),
            number(row["observed_sd"]) if row["n"] >= 5 else "–",
            estimate_with_limits(row["predicted_sd"], row["sd_lower"], row["sd_upper"]),
        ]
        for row in frame.iter_rows(named=True)
    ]
    head = [time_unit.capitalize(), "Visits", "Mean seen", "Mean predicted (95%)", "SD seen", "SD predicted (95%)"]
    return Table(head, rows, text_columns=0)


def end_check(frame: pl.DataFrame) -> Table:
    """Share of scores at the ends of a scale, seen and predicted."""
    rows = [
        [
            str(row["outcome"]),
            f"{row['end']:g}",
            count(int(row["n"])),
            percent(row["observed"]),
            share_with_limits(row["predicted"], row["lower"], row["upper"]),
        ]
        for row in frame.iter_rows(named=True)
    ]
    note = "Where a share lies outside its limits, the noise at the ends of the scale is not as the model has it."
    return Table(["Outcome", "Score", "Scores", "Seen", "Predicted (95%)"], rows, "Share of scores at the ends of a scale.", note)


def classes(frame: pl.DataFrame, time_unit: str) -> Table:
    """Latent classes: slope, share, and how clearly participants are told apart."""
    rows = [
        [
            str(row["class"]),
            estimate_with_limits(row["slope"], row["slope_lower"], row["slope_upper"]),
            share_with_limits(row["share"], row["share_lower"], row["share_upper"]),
            count(int(row["assigned"])),
            percent(row["certainty"]) if row["assigned"] >= 5 else "–",
        ]
        for row in frame.iter_rows(named=True)
    ]
    note = (
        f"Slope: per {time_unit}, mean of the class. Most likely: participants whose most likely class it is, and how probable it is for "
        "them on average. "
        f"Relative entropy {number(frame['entropy'][0])}: 1 when everybody's class is certain, 0 when nothing is known of it."
    )
    head = ["", "Mean slope (95%)", "Share (95%)", "Most likely, participants", "Certainty"]
    return Table(head, rows, "Latent classes.", note)


def printed(frame: pl.DataFrame, caption: str, note: str) -> Table:
    """A frame of words that are printed already."""
    words = sum(name in ("outcome", "unit") for name in frame.columns)
    head = ["", *(name.replace("_", " ").capitalize() if name in ("outcome", "unit") else name for name in frame.columns[1:])]
    return Table(head, [[str(cell) for cell in row] for row in frame.iter_rows()], caption, note, text_columns=words)


def event_check(frame: pl.DataFrame, time_unit: str) -> Table:
    """Observed and predicted survival at a few times."""
    few = _few_times(frame.with_columns(pl.lit("").alias("_")), ["_"])
    rows = [
        [
            moment(row["time"]),
            count(int(row["n_at_risk"])),
            percent(row["kaplan_meier"]),
            share_with_limits(row["mean"], row["lower"], row["upper"]),
        ]
        for row in few.iter_rows(named=True)
    ]
    return Table([time_unit.capitalize(), "At risk", "Seen (Kaplan-Meier)", "Predicted (95%)"], rows, text_columns=0)


def family(frame: pl.DataFrame, effect_label: str) -> Table:
    """What a family of hypotheses does in every scenario, each share with its Monte Carlo error."""
    shares = {"at_least_one": "At least one (MCSE)", "all": "All (MCSE)", "family_wise_error": "Family-wise error (MCSE)"}
    rows = [
        [str(row["scenario"]), str(row["procedure"]), f"{row['true_nulls']} of {row['hypotheses']}"]
        + [_shared(row[name], row[f"{name}_mcse"]) for name in shares]
        for row in frame.iter_rows(named=True)
    ]
    note = (
        "Share of all simulated trials. Family-wise error: at least one rejected among the true hypotheses, those of arms which the "
        "effect leaves exchangeable with control. MCSE: Monte Carlo standard error, in percentage points."
    )
    return Table([effect_label, "Procedure", "True nulls", *shares.values()], rows, "Family of hypotheses.", note, text_columns=2)


def by_look(frame: pl.DataFrame, effect_label: str) -> Table:
    """Share of trials that have rejected each hypothesis by each look, with its Monte Carlo error."""
    looks = sorted(frame["look"].unique().to_list())
    rows = []
    for (scenario, name), mine in frame.group_by("scenario", "hypothesis", maintain_order=True):
        found = {row["look"]: _shared(row["by_then"], row["by_then_mcse"]) for row in mine.iter_rows(named=True)}
        rows.append([str(scenario), str(name), *(found.get(look, "–") for look in looks)])
    note = (
        "Share of all simulated trials that have rejected the hypothesis by the look; the last is the final analysis. "
        "MCSE: Monte Carlo standard error, in percentage points."
    )
    heads = [effect_label, "Hypothesis", *(f"By look {look} (MCSE)" for look in looks)]
    return Table(heads, rows, "Hypotheses by look.", note, text_columns=2)


def intercurrent(frame: pl.DataFrame, effect_label: str) -> Table:
    """How many participants had each intercurrent event, by scenario and arm, with the strategy for it."""
    rows = []
    for row in frame.iter_rows(named=True):
        arm = "Control" if row["arm"] == 0 else f"Arm {row['arm']}"
        number = "–" if row["mean_number"] is None else f"{row['mean_number']:.1f}"
        share = _shared(row["share"], row["share_mcse"])
        rows.append([str(row["scenario"]), str(row["event"]), str(row["strategy"]), arm, number, share])
    note = (
        "Mean over all simulated trials of the participants who were seen to have the event by the data of the last analysis. The strategy "
        "is that of every analysis whose name states no other. MCSE: Monte Carlo standard error, in percentage points."
    )
    heads = [effect_label, "Event", "Strategy", "Arm", "Participants", "Share of the arm (MCSE)"]
    return Table(heads, rows, "Intercurrent events.", note, text_columns=4)


def _shared(value: float | None, mcse: float | None) -> str:
    return "–" if value is None or mcse is None else f"{percent(value, 1)} ({100 * mcse:.1f})"


def operating_characteristics(frame: pl.DataFrame, effect_label: str) -> Table:
    """Every scenario and analysis with Monte Carlo error; failed replicates counted."""
    from alsmodel.trials.results import axes_of, unstated_of  # here: most reports have no trial

    names = {
        "n_per_arm": "Per arm",
        "n_total": "In all",
        "effect": effect_label,
        **{column: name.replace("_", " ").capitalize() for column, name in axes_of(frame).items()},
        "replicates": "Replicates",
        "failures": "Failed",
        "power": "Power (MCSE)",
        "adjusted_power": "After adjustment (MCSE)",
        "benefit": "In favour",
        "mean_estimate": "Mean estimate",
        "mean_se": "Mean SE",
        "true_value": "True value (MCSE)",
        "empirical_sd": "SD of estimates",
        "bias": "Bias (MCSE)",
        "coverage": "Coverage (MCSE)",
        "median_events": "Median events",
        "mean_participants": "Mean randomised (MCSE)",
        "participants_p90": "90% randomise at most",
        "enlarged": "Enlarged (MCSE)",
    }
    shown = {column: name for column, name in names.items() if column in frame.columns}
    for column in ("adjusted_power", "enlarged"):
        if column in shown and frame[column].is_null().all():
            del shown[column]
    rows = [
        [str(row["analysis"]), *(_characteristic(row, column) for column in shown)]
        for row in frame.sort("analysis", maintain_order=True).iter_rows(named=True)
    ]
    note = (
        "Power is the share of replicates that reject; at no effect it is the type I error. A failed replicate stays in the "
        "denominator. MCSE: Monte Carlo standard error, in percentage points for power and coverage."
    )
    note += "".join(f" {analysis} has no true value: {reason}." for analysis, reason in unstated_of(frame).items())
    return Table(["Analysis", *shown.values()], rows, "Operating characteristics.", note)


def _characteristic(row: dict[str, Any], column: str) -> str:
    value = row[column]
    own = {"power": "mcse", "adjusted_power": "adjusted_mcse", "mean_participants": "participants_mcse"}
    error = row.get(own.get(column, f"{column}_mcse"))
    if column in ("power", "adjusted_power", "coverage", "benefit", "enlarged"):
        return percent(value, 1) if error is None or value is None else f"{percent(value, 1)} ({100 * error:.1f})"
    if column == "effect" and isinstance(value, float):
        return f"{value:g}"
    return number(value) if error is None or value is None else f"{number(value, 2)} ({number(error, 2)})"


def assurance(frame: pl.DataFrame) -> Table:
    """Assurance of every size and analysis, beside the probability that the effect is beneficial at all."""
    rows = [
        [
            str(row["analysis"]),
            f"{row['n_per_arm']:,}",
            _shared(row["assurance"], row["mcse"]),
            percent(row["true_benefit"], 1),
            _shared(row["success_and_benefit"], row["success_and_benefit_mcse"]),
        ]
        for row in frame.sort("analysis", "n_per_arm", maintain_order=True).iter_rows(named=True)
    ]
    head = ["Analysis", "Per arm", "Assurance (MCSE)", "True benefit", "Success and true benefit (MCSE)"]
    note = (
        "Assurance: probability of a claim in favour of the active arm, averaged over what is believed of the effect. True benefit: "
        "probability that the effect is beneficial at all. MCSE: Monte Carlo standard error, in percentage points."
    )
    return Table(head, rows, "Assurance.", note)


def power_along(frame: pl.DataFrame) -> Table:
    """Power at each stratum of the effect."""
    rows = [
        [
            str(row["analysis"]),
            f"{row['n_per_arm']:,}",
            percent(row["quantile"], 1),
            percent(row["slowing"], 1),
            number(row["hazard_ratio"]),
            _shared(row["power"], row["mcse"]),
        ]
        for row in frame.iter_rows(named=True)
    ]
    return Table(["Analysis", "Per arm", "Quantile of the effect", "Slowing", "Hazard ratio", "Power (MCSE)"], rows)


def endings(frame: pl.DataFrame) -> Table:
    """How virtual trials end, the shares of every size and analysis summing to one."""
    causes = list(dict.fromkeys(frame["cause"].to_list()))
    rows = []
    for (analysis, size), part in frame.group_by("analysis", "n_per_arm", maintain_order=True):
        shares = {row["cause"]: _shared(row["share"], row["mcse"]) for row in part.iter_rows(named=True)}
        rows.append([str(analysis), f"{size:,}", *(shares[cause] for cause in causes)])
    note = (
        "Unconditional shares of all virtual trials; each row sums to one. In brackets the Monte Carlo standard error, percentage points."
    )
    return Table(["Analysis", "Per arm", *(cause.capitalize() for cause in causes)], rows, "How trials end.", note)


def anything(frame: pl.DataFrame, caption: str = "") -> Table:
    """Any frame as it is: words left, numbers right."""
    words = 0
    for dtype in frame.dtypes:
        if dtype != pl.String:
            break
        words += 1
    head = [column.replace("_", " ").capitalize() for column in frame.columns]
    return Table(head, [[number(cell) for cell in row] for row in frame.iter_rows()], caption, text_columns=words)


def densities(summary: pl.DataFrame, names: Iterable[str]) -> Table:
    """The numbers behind prior and posterior densities."""
    return priors(summary.filter(pl.col("parameter").is_in(list(names))))
