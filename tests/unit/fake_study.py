"""Invented frames with the columns that fit, predict, baselines and trials give; no participant exists."""

from types import SimpleNamespace

import numpy as np
import polars as pl

PHENOTYPES = {"limb": 300, "bulbar": 150, "respiratory": 32, "primary lateral sclerosis": 18}
_SLOPE = {"limb": -0.95, "bulbar": -1.25, "respiratory": -1.4, "primary lateral sclerosis": -0.35}
_RATE = {"limb": 0.022, "bulbar": 0.035, "respiratory": 0.05, "primary lateral sclerosis": 0.006}


def trajectory() -> pl.DataFrame:
    rows = []
    for group, n in PHENOTYPES.items():
        for t in np.arange(0, 18.1, 1.0):
            mean, half = 38 + _SLOPE[group] * t, (0.35 + 0.05 * t) * np.sqrt(150 / n)
            rows.append((group, t, mean, mean - half, mean + half, float(np.exp(-_RATE[group] * t * (1 + t / 20)))))
    return pl.DataFrame(rows, schema=["group", "time", "mean", "lower", "upper", "p_alive"], orient="row")


def survival_curve() -> pl.DataFrame:
    rows = []
    for group, n in PHENOTYPES.items():
        for t in np.arange(0, 18.1, 0.5):
            mean = float(np.exp(-_RATE[group] * t * (1 + t / 20)))
            half = 1.96 * np.sqrt(mean * (1 - mean) / n) * 0.8
            rows.append((group, t, mean, max(mean - half, 0.0), min(mean + half, 1.0)))
    return pl.DataFrame(rows, schema=["group", "time", "mean", "lower", "upper"], orient="row")


def kaplan_meier() -> pl.DataFrame:
    rng, rows = np.random.default_rng(4), []
    for group, n in PHENOTYPES.items():
        time = rng.exponential(1 / (_RATE[group] * 1.4), n)
        stop = rng.uniform(9, 18, n)
        end, event = np.minimum(time, stop), time <= stop
        rows.append(("phenotype", group, 0.0, 1.0, 1.0, 1.0, n, 0))
        s = 1.0
        for t in np.sort(end[event]):
            risk = int((end >= t).sum())
            s *= 1 - 1 / risk
            rows.append(("phenotype", group, float(t), s, max(s - 0.08, 0), min(s + 0.08, 1), risk, 1))
        rows.append(("phenotype", group, float(end.max()), s, s, s, int((end >= end.max()).sum()), 0))
    schema = ["by", "group", "time", "survival", "lower", "upper", "at_risk", "events"]
    return pl.DataFrame(rows, schema=schema, orient="row")


PARAMETERS = {
    "intercept": ("Mean at baseline", "points", 38.0, 0.3, "N(36, 8^2)", 8.0),
    "slope": ("Mean slope", "points per month", -0.95, 0.05, "N(-1, 0.5^2)", 0.5),
    "slope:phenotype[bulbar]": ("Slope, bulbar", "points per month", -0.3, 0.08, "N(0, 0.5^2)", 0.5),
    "slope:phenotype[respiratory]": ("Slope, respiratory", "points per month", -0.45, 0.15, "N(0, 0.5^2)", 0.5),
    "slope:phenotype[primary lateral sclerosis]": ("Slope, PLS", "points per month", 0.6, 0.2, "N(0, 0.5^2)", 0.5),
    "theta:riluzole": ("Riluzole, log slope ratio", "log ratio", -0.05, 0.19, "N(0, 0.2^2)", 0.2),
    "slope:arm[active]": ("Slope, active against placebo", "points per month", 0.17, 0.08, "N(0, 0.5^2)", 0.5),
    "hazard:age": ("Age", "log hazard ratio per year", 0.03, 0.006, "N(0, 0.1^2)", 0.1),
    "hazard:phenotype[bulbar]": ("Hazard, bulbar", "log hazard ratio", 0.35, 0.16, "N(0, 1^2)", 1.0),
    "hazard:phenotype[respiratory]": ("Hazard, respiratory", "log hazard ratio", 0.6, 0.28, "N(0, 1^2)", 1.0),
    "association:value": ("Current score", "log hazard ratio per point", -0.09, 0.01, "N(0, 0.2^2)", 0.2),
    "sd:intercept": ("SD of intercepts", "points", 6.4, 0.2, "half-normal(10)", 6.0),
    "sd:slope": ("SD of slopes", "points per month", 0.72, 0.03, "half-normal(1)", 0.6),
    "sd:residual": ("Residual SD", "points", 1.78, 0.02, "half-normal(5)", 3.0),
    "log_hazard[1]": ("Log baseline hazard, interval 1", "log per month", -4.1, 0.2, "N(-4, 2^2)", 2.0),
}  # fmt: skip


def draws() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {name: rng.normal(mean, sd, (4, 500)) for name, (_, _, mean, sd, _, _) in PARAMETERS.items()}


def summary(*, bad: bool = False) -> pl.DataFrame:
    rows = []
    for i, (name, (label, unit, mean, sd, prior, prior_sd)) in enumerate(PARAMETERS.items()):
        r_hat = 1.043 if bad and i == 4 else 1.002
        rows.append(
            (name, label, unit, mean, sd, mean - 1.96 * sd, mean, mean + 1.96 * sd, r_hat,
             1800.0, 1500.0, prior, prior_sd, sd / prior_sd <= 0.9)
        )  # fmt: skip
    schema = [
        "parameter", "label", "unit", "mean", "sd", "q2_5", "median", "q97_5",
        "r_hat", "ess_bulk", "ess_tail", "prior", "prior_sd", "informed",
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def checks(*, bad: bool = False) -> tuple[SimpleNamespace, ...]:
    def check(name: str, passed: bool, value: float, limit: float, meaning: str) -> SimpleNamespace:
        return SimpleNamespace(name=name, passed=passed, value=value, limit=limit, meaning=meaning)

    return (
        check("R-hat", not bad, 1.043 if bad else 1.002, 1.01, "chains agree; the largest over all parameters"),
        check("bulk ESS", True, 1800.0, 400.0, "effective draws for means; the smallest"),
        check("divergences", True, 0.0, 0.0, "the sampler met no region it could not follow"),
        check("E-BFMI", True, 0.91, 0.3, "energy moves freely between draws; the smallest"),
    )


def score_check() -> pl.DataFrame:
    rng, rows = np.random.default_rng(11), []
    for t, n in zip(range(0, 19, 2), (500, 480, 455, 430, 396, 350, 260, 170, 90, 31)):
        mean, sd = 37.6 - 0.9 * t, 6.6 + 0.2 * t
        se = sd / np.sqrt(n)
        rows.append(
            (float(t), mean + rng.normal(0, se), mean, mean - 2 * se, mean + 2 * se,
             sd + rng.normal(0, se * 0.7), sd, sd - 1.4 * se, sd + 1.4 * se, n)
        )  # fmt: skip
    schema = [
        "time", "observed_mean", "predicted_mean", "lower", "upper",
        "observed_sd", "predicted_sd", "sd_lower", "sd_upper", "n",
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def event_check() -> pl.DataFrame:
    rng, rows = np.random.default_rng(12), []
    for t in np.arange(0, 18.1, 1.0):
        s = float(np.exp(-0.028 * t * (1 + t / 20)))
        seen = 1.0 if t == 0 else s + float(rng.normal(0, 0.008))
        rows.append((t, seen, s, max(s - 0.05, 0), min(s + 0.04, 1.0), int(500 * s * (1 if t < 9 else (18.5 - t) / 9.5))))
    return pl.DataFrame(rows, schema=["time", "kaplan_meier", "mean", "lower", "upper", "n_at_risk"], orient="row")


def cox() -> pl.DataFrame:
    rows = [
        ("age", 0.031, 0.007, 1.031, 1.018, 1.046, 1e-5),
        ("phenotype[bulbar]", 0.5, 0.14, 1.65, 1.25, 2.17, 4e-4),
        ("phenotype[respiratory]", 0.81, 0.25, 2.25, 1.38, 3.67, 1.2e-3),
    ]
    return pl.DataFrame(rows, schema=["term", "log_hr", "se", "hr", "lower", "upper", "p"], orient="row")


def weibull_aft() -> pl.DataFrame:
    rows = [
        ("age", -0.022, 0.005, 0.978, 0.968, 0.988, 1e-5, 1.03),
        ("phenotype[bulbar]", -0.36, 0.1, 0.70, 0.57, 0.85, 3e-4, 1.64),
        ("phenotype[respiratory]", -0.58, 0.18, 0.56, 0.39, 0.80, 1.3e-3, 2.22),
        ("(scale)", 3.6, 0.1, 36.6, 30.1, 44.5, None, None),
        ("(shape)", 0.32, 0.06, 1.38, 1.22, 1.55, None, None),
    ]
    schema = ["term", "log_time_ratio", "se", "time_ratio", "lower", "upper", "p", "hr"]
    return pl.DataFrame(rows, schema=schema, orient="row")


def power_table() -> pl.DataFrame:
    rng, rows = np.random.default_rng(13), []
    for analysis, scale in (("random slope", 0.062), ("log-rank", 0.035)):
        for effect in (0.0, 0.2, 0.3):
            for n in (60, 100, 150, 200, 300):
                z = effect * np.sqrt(n) * scale * 13 - 1.96
                p = float(0.5 * (1 + np.tanh(0.8 * z))) if effect else 0.05
                p = min(max(p + float(rng.normal(0, 0.006)), 0.0), 1.0)
                mcse = float(np.sqrt(p * (1 - p) / 1000))
                slope = analysis == "random slope"
                rows.append(
                    (f"n={n} effect={effect:g}", n, effect, analysis, 1000, 2 if n == 60 else 0, p, mcse,
                     effect * 1.02, 0.11, *((effect * 1.03, 0.004, 0.951) if slope else (None, None, None)), 55.0 + n / 4)
                )  # fmt: skip
    schema = {
        "scenario": pl.String, "n_per_arm": pl.Int64, "effect": pl.Float64, "analysis": pl.String,
        "replicates": pl.Int64, "failures": pl.Int64, "power": pl.Float64, "mcse": pl.Float64,
        "mean_estimate": pl.Float64, "mean_se": pl.Float64, "true_value": pl.Float64, "bias": pl.Float64,
        "coverage": pl.Float64, "median_events": pl.Float64,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def participant_flow() -> pl.DataFrame:
    rows = [
        ("Participants in the source", 540, 0, ""),
        ("With at least one ALSFRS-R total", 512, 28, "no assessment with all twelve items"),
        ("Event time known", 503, 9, "death recorded without a day"),
        ("In the joint model", 500, 3, "no phenotype"),
    ]
    return pl.DataFrame(rows, schema=["step", "n", "excluded", "reason"], orient="row")


def file_flow() -> pl.DataFrame:
    rows = [("F_PROACT_ALSFRS.csv", 4012, 3900, 80, 12, 20), ("F_PROACT_DEATHDATA.csv", 540, 531, 0, 9, 0)]
    return pl.DataFrame(rows, schema=["file", "read", "kept", "repaired", "rejected", "set_aside"], orient="row")


def cohort(*, secret: str = "SECRET-ID-0001") -> SimpleNamespace:
    """A cohort by its attributes; one participant is called `secret`."""
    rng = np.random.default_rng(5)
    n = 120
    ids = [secret] + [f"P{i:04d}" for i in range(1, n)]
    phenotype = rng.choice(["limb", "bulbar", "respiratory"], n, p=[0.62, 0.355, 0.025])
    age: list[float | None] = rng.normal(60, 11, n).round(1).tolist()
    age[3:10] = [None] * 7
    participants = pl.DataFrame(
        {
            "participant_id": ids,
            "age": age,
            "sex": rng.choice(["female", "male"], n).tolist(),
            "onset_day": (-rng.gamma(4, 120, n)).tolist(),
            "diagnosis_day": (-rng.gamma(3, 60, n)).tolist(),
            "onset_site": np.where(phenotype == "bulbar", "bulbar", "limb").tolist(),
            "phenotype": phenotype.tolist(),
            "arm": rng.choice(["active", "placebo"], n).tolist(),
            "last_contact_day": rng.uniform(100, 540, n).tolist(),
        }
    )
    total = rng.normal(38, 5, n).clip(10, 48).round().astype(int)
    assessments = pl.DataFrame({"participant_id": ids, "day": [0.0] * n, "total_48": total.tolist(), "total_40": [None] * n})
    exposures = pl.DataFrame({"participant_id": ids[:90], "drug": ["riluzole"] * 90, "taken": [True] * 70 + [False] * 20})
    events = pl.DataFrame(
        {
            "participant_id": ids[:30],
            "kind": ["death"] * 30,
            "day": rng.uniform(100, 500, 30).tolist(),
            "definition": ["death"] * 30,
        }
    )
    empty = pl.DataFrame(schema={"participant_id": pl.String, "name": pl.String, "number": pl.Float64, "text": pl.String})
    measurements = pl.DataFrame(
        schema={"participant_id": pl.String, "day": pl.Float64, "name": pl.String, "value": pl.Float64, "unit": pl.String}
    )
    return SimpleNamespace(
        participants=participants, assessments=assessments, exposures=exposures, events=events, covariates=empty,
        measurements=measurements, participant_flow=participant_flow(), flow=file_flow(), digest="c0ffee" * 8, provenance={},
    )  # fmt: skip


def group_effects() -> pl.DataFrame:
    slope, hazard = "Slope against limb (points per month)", "Direct hazard ratio against limb"
    rows = [
        (slope, "bulbar", -0.30, -0.45, -0.15, 0.0, True, 150),
        (slope, "respiratory", -0.45, -0.74, -0.16, 0.0, True, 32),
        (slope, "primary lateral sclerosis", 0.6, 0.2, 1.0, 0.0, True, 18),
        (hazard, "bulbar", 1.42, 1.04, 1.94, 1.0, True, 150),
        (hazard, "respiratory", 1.82, 1.05, 3.15, 1.0, True, 32),
        (hazard, "primary lateral sclerosis", 0.5, 0.1, 2.4, 1.0, False, 18),
    ]
    schema = ["panel", "label", "mean", "lower", "upper", "reference", "informed", "n"]
    return pl.DataFrame(rows, schema=schema, orient="row")


def identification() -> pl.DataFrame:
    rows = [("active arm", 500, 0, 0, "effect", True), ("riluzole", 0, 41, 260, "association", False)]
    return pl.DataFrame(rows, schema=["drug", "randomised", "within_person", "prevalent", "label", "informed"], orient="row")


def baselines() -> SimpleNamespace:
    return SimpleNamespace(
        kaplan_meier=kaplan_meier(), cox=cox(), weibull_aft=weibull_aft(), n=500, events=148, notes=(), time_unit="month"
    )


ESTIMAND = {
    "population": "Adults with ALS within 36 months of symptom onset, as randomised",
    "treatments": "Active against placebo, on top of standard care",
    "variable": "ALSFRS-R total (0 to 48 points), months 0 to 12",
    "intercurrent events": "Death and permanent ventilation: modelled jointly (while-alive strategy for the score)",
    "summary measure": "Percentage slowing of the mean monthly decline, active relative to placebo",
}


def content(*, bad: bool = False) -> dict[str, object]:
    """Fields of a full report; `bad` fails one check. Effects are added by the caller, who has the class."""
    from alsmodel.reports.table_one import table_one

    return {
        "title": "Active treatment against placebo in ALS: posterior report",
        "question": "Does the active treatment slow functional decline, and does it lengthen survival?",
        "byline": "SYNTH-ALS-01 · final analysis · alsmodel 0.1.0",
        "synthetic": True,
        "estimand": ESTIMAND,
        "findings": ("By month 18 survival differed by 8 percentage points (−2 to 17).",),
        "participants": 500,
        "visits": 2762,
        "events": 148,
        "participant_flow": participant_flow(),
        "file_flow": file_flow(),
        "table_one": table_one(cohort()),
        "model_words": (
            "Each participant's score falls along a line with a random intercept and slope.",
            "The hazard is constant within seven intervals and depends on the current true score.",
        ),
        "model_formulas": (
            "y_ij = b0 + b0_i + (b1 + x_i'd + b1_i) t_ij + e_ij,   e_ij ~ N(0, s^2)",
            "h_i(t) = h0(t) exp(z_i'g + a m_i(t))",
        ),
        "summary": summary(bad=bad),
        "draws": draws(),
        "checks": checks(bad=bad),
        "passed": not bad,
        "group_effects": group_effects(),
        "trajectories": trajectory(),
        "survival": survival_curve(),
        "group_sizes": PHENOTYPES,
        "baselines": baselines(),
        "score_check": score_check(),
        "event_check": event_check(),
        "prior_check": pl.DataFrame(
            {"quantity": ["slope, points per month"], "lower": [-2.0], "median": [-1.0], "upper": [0.1], "observed": [-0.98]}
        ),
        "identification": identification(),
        "operating_characteristics": power_table(),
        "trial_words": ("Two parallel arms, 1:1, visits every 2 months for 12 months; two-sided alpha 5%.",),
        "effect_label": "Slowing of decline (fraction)",
        "reproducibility": {
            "command": "alsmodel run studies/demo/study.toml",
            "configuration digest": "sha256:8f2c0d3e",
            "data digest": "sha256:1b7de0aa",
            "seed": "20260301",
            "versions": "alsmodel 0.1.0, pymc 6.4, nutpie 0.16",
        },
        "limits": (
            "Scores after death are not defined; means are of those alive.",
            "Dropout is taken to be ignorable given the score.",
        ),
    }
