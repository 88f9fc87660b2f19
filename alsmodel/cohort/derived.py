"""Baseline covariates computed from the cohort: delta-FRS, prognostic scores, stages, burdens, criteria and phenotype.

Each is what was known at the start of follow-up; what needs follow-up of its own is refused (immortal time). Scores that contain
delta-FRS share its rule on double use (`Selection.delta_frs`).
"""

from collections.abc import Callable

import polars as pl

from alsmodel.clinical import criteria, stages
from alsmodel.clinical.alsfrs import delta_frs
from alsmodel.clinical.burden import burden
from alsmodel.clinical.dated import PHENOTYPE, baseline_value, require_baseline
from alsmodel.clinical.phenotypes import recorded_statements
from alsmodel.clinical.prognosis import risk_scores
from alsmodel.clinical.signs import Scheme
from alsmodel.clinical.units import DAYS_PER_MONTH, DAYS_PER_YEAR
from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.selection import Selection

BASELINE_DAYS = 14  # a score within two weeks of the time origin is the baseline score
#: Vital capacity within this many days of the time origin is the baseline's; a choice of this package.
CAPACITY_DAYS = 45

#: Names of covariates that are made of delta-FRS.
OF_DELTA_FRS = ("delta_frs", "encals_score", "tricals_score")
#: Names of covariates that are made of a functional score at or before the start of follow-up.
OF_SCORES = (*OF_DELTA_FRS, "kings_stage", "mitos_stage")

_SCHEMES: dict[str, Scheme] = {
    "computed_el_escorial": "El Escorial revised",
    "computed_awaji": "Awaji",
    "computed_gold_coast": "Gold Coast",
}


def baseline_score(cohort: Cohort, selection: Selection) -> pl.DataFrame:
    """Return participant_id, day, value: the score that delta-FRS is made of, from where the rule on double use allows."""
    totals = cohort.measurements.filter(pl.col("name") == "alsfrs_r_total").select("participant_id", "day", "value")
    if selection.delta_frs == "screening":
        ordered = totals.filter(pl.col("day") < 0).sort("participant_id", "day")
    else:
        near = totals.filter(pl.col("day").abs() <= BASELINE_DAYS)
        ordered = near.with_columns(off=pl.col("day").abs()).sort("participant_id", "off", "day")
    return ordered.group_by("participant_id", maintain_order=True).agg(pl.col("day", "value").first())


def _progression(cohort: Cohort, selection: Selection, people: pl.DataFrame) -> pl.Series:
    """Points lost per month from onset."""
    joined = _beside(people.select("participant_id", "onset_day"), baseline_score(cohort, selection))
    return joined.select(delta_frs(pl.col("value"), pl.col("day") - pl.col("onset_day"))).to_series()


def _log_onset_months(cohort: Cohort, selection: Selection, people: pl.DataFrame) -> pl.Series:
    """Log of months from onset to the time origin, null where onset is unknown or not before it."""
    months = -pl.col("onset_day").cast(pl.Float64) / DAYS_PER_MONTH
    return people.select(pl.when(months > 0).then(months.log())).to_series()


def prognostic_inputs(cohort: Cohort, selection: Selection, people: pl.DataFrame) -> pl.DataFrame:
    """Return the inputs of `alsmodel.clinical.prognosis.risk_scores`, in the order of `people`; null where unknown.

    Age at onset is the age at the time origin less the time since onset. Vital capacity is the percentage of predicted nearest the
    time origin, slow before forced, within 45 days. Bulbar onset together with limb onset counts as unknown, since the score knows
    one site only. "Definite" is the recorded revised El Escorial category.
    """
    near = cohort.measurements.filter(pl.col("name").is_in(["svc_percent", "fvc_percent"]) & (pl.col("day").abs() <= CAPACITY_DAYS))
    order = [pl.col("name") == "fvc_percent", pl.col("day").abs(), pl.col("day")]
    capacity = near.sort(order).group_by("participant_id", maintain_order=True).agg(vital_capacity=pl.col("value").first())
    tested = cohort.genotypes.filter(pl.col("gene") == "C9orf72", pl.col("result") != "uncertain")
    gene = tested.select("participant_id", c9orf72=pl.col("result") == "mutation")
    site = pl.col("onset_site")
    frame = people.with_columns(progression_rate=_progression(cohort, selection, people))
    frame = _beside(_beside(frame, capacity), gene)
    return frame.select(
        "participant_id",
        "vital_capacity",
        "c9orf72",
        pl.col("progression_rate"),
        age_at_onset=pl.col("age") + pl.col("onset_day") / DAYS_PER_YEAR,
        diagnostic_delay=(pl.col("diagnosis_day") - pl.col("onset_day")) / DAYS_PER_MONTH,
        bulbar_onset=pl.when(site != "limb and bulbar").then(site == "bulbar"),
        definite=pl.col("el_escorial") == "definite",
        ftd=pl.col("ftd"),
    )


def _encals(cohort: Cohort, selection: Selection, people: pl.DataFrame) -> pl.Series:
    return risk_scores(prognostic_inputs(cohort, selection, people), c9orf72_unknown="null")["encals"]


def _tricals(cohort: Cohort, selection: Selection, people: pl.DataFrame) -> pl.Series:
    return risk_scores(prognostic_inputs(cohort, selection, people))["tricals"]


def _stage(scheme: str) -> Callable[[Cohort, Selection, pl.DataFrame], pl.Series]:
    def value(cohort: Cohort, selection: Selection, people: pl.DataFrame) -> pl.Series:
        near = cohort.assessments.filter(pl.col("day").abs() <= BASELINE_DAYS)
        told = stages.classify_stages(near).filter(pl.col("scheme") == scheme)
        first = told.sort("participant_id", pl.col("day").abs(), "day").group_by("participant_id", maintain_order=True)
        return _beside(people, first.agg(stage=pl.col("category").first().cast(pl.Float64)))["stage"]

    return value


def _burden(column: str) -> Callable[[Cohort, Selection, pl.DataFrame], pl.Series]:
    def value(cohort: Cohort, selection: Selection, people: pl.DataFrame) -> pl.Series:
        counted = burden(_known_signs(cohort, people)).with_columns(
            umn_burden_share=pl.col("umn_burden") / pl.col("umn_examined"),
            lmn_burden_share=pl.col("lmn_burden") / pl.col("lmn_examined"),
        )
        return _beside(people, counted.select("participant_id", pl.col(column).alias("_burden")))["_burden"].cast(pl.Float64)

    return value


def _computed(scheme: Scheme) -> Callable[[Cohort, Selection, pl.DataFrame], pl.Series]:
    def value(cohort: Cohort, selection: Selection, people: pl.DataFrame) -> pl.Series:
        told = criteria.classify(_known_signs(cohort, people), scheme).select("participant_id", "category")
        return _beside(people, told)["category"]

    return value


def _known_signs(cohort: Cohort, people: pl.DataFrame) -> pl.DataFrame:
    """Return the signs examined on or before each participant's entry."""
    entry = people.select("participant_id", pl.col("entry_day").fill_null(0.0).alias("_entry"))
    known = cohort.signs.join(entry, on="participant_id", how="inner", maintain_order="left")
    return known.filter(pl.col("day") <= pl.col("_entry")).drop("_entry")


def _phenotype_at_entry(cohort: Cohort, selection: Selection, people: pl.DataFrame) -> pl.Series:
    baseline = people.select("participant_id", pl.col("entry_day").fill_null(0.0).alias("day"))
    stated = cohort.classifications.join(baseline, on="participant_id", how="semi")
    return _beside(people, baseline_value(stated, scheme=PHENOTYPE, baseline=baseline, later="ignore"))["category"]


#: Name of a covariate -> how it is computed.
DERIVED: dict[str, Callable[[Cohort, Selection, pl.DataFrame], pl.Series]] = {
    "delta_frs": _progression,
    "log_onset_months": _log_onset_months,
    "encals_score": _encals,
    "tricals_score": _tricals,
    "kings_stage": _stage(stages.KINGS),
    "mitos_stage": _stage(stages.MITOS),
    "umn_burden_share": _burden("umn_burden_share"),
    "lmn_burden_share": _burden("lmn_burden_share"),
    "motor_neuron_balance": _burden("balance"),
    "phenotype_at_entry": _phenotype_at_entry,
    **{name: _computed(scheme) for name, scheme in _SCHEMES.items()},
}


def phenotype(cohort: Cohort, people: pl.DataFrame, place: str) -> pl.Series:
    """Return the recorded phenotype, if all of it was known at entry; a category that had to be lived for is refused.

    `phenotype_at_entry` is the covariate of what was known by then, recorded or computed from signs.

    Raises
    ------
    InvalidInput
        When a phenotype that needs follow-up is dated after entry, or has no day.
    """
    baseline = people.select("participant_id", pl.col("entry_day").fill_null(0.0).alias("day"))
    stated = cohort.classifications.filter(pl.col("origin") == "recorded").join(baseline, on="participant_id", how="semi")
    said = stated.filter(pl.col("scheme") == PHENOTYPE)["participant_id"].unique().implode()
    # What is recorded of a participant without a statement is a statement without a day.
    bare = recorded_statements(people.filter(~pl.col("participant_id").is_in(said)).select("participant_id", "phenotype"))
    every = pl.concat([stated.select(bare.columns), bare])
    require_baseline(every, scheme=PHENOTYPE, baseline=baseline, place=place)
    known = baseline_value(stated, scheme=PHENOTYPE, baseline=baseline, place=place)
    return _beside(people, known).select(pl.coalesce("category", "phenotype")).to_series()


def _beside(people: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """Join facts to people, keeping their order."""
    return people.join(facts, on="participant_id", how="left", maintain_order="left", suffix="_of_fact")
