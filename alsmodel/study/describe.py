"""What a cohort holds, in the field's words: tables, end points it can support, criteria, phenotypes, stages, genes, drugs."""

from dataclasses import dataclass
from typing import final

import polars as pl

from alsmodel.clinical import criteria, phenotypes, stages
from alsmodel.clinical.treatments import TREATMENTS
from alsmodel.cohort import Cohort
from alsmodel.cohort.derived import BASELINE_DAYS
from alsmodel.cohort.endpoints import end_point_table


@final
@dataclass(frozen=True)
class Section:
    """One table of a description.

    Attributes
    ----------
    name, title : str
        For machines and for readers.
    rows : polars.DataFrame
        Counts only; no participant.
    """

    name: str
    title: str
    rows: pl.DataFrame


def describe(cohort: Cohort) -> tuple[Section, ...]:
    """Count what a cohort holds; sections without rows are left out."""
    found = (
        Section("tables", "Tables", _tables(cohort)),
        Section("measurements", "Measurements", _measurements(cohort)),
        Section("end_points", "Survival end points", _end_points(cohort)),
        Section("stages", "Stages at baseline", _stages(cohort)),
        Section("classifications", "Criteria and phenotypes", _classifications(cohort)),
        Section("disagreements", "Recorded and computed categories that differ", _disagreements(cohort)),
        Section("genes", "Genetic tests", _genes(cohort)),
        Section("drugs", "Drugs", _drugs(cohort)),
    )
    return tuple(section for section in found if section.rows.height)


def _tables(cohort: Cohort) -> pl.DataFrame:
    names = ("participants", "covariates", "assessments", "measurements", "events", "exposures", "signs", "genotypes", "classifications")
    rows = [(name, cohort.tables[name].height, cohort.tables[name]["participant_id"].n_unique()) for name in names]
    return pl.DataFrame([row for row in rows if row[1]], schema=["table", "rows", "participants"], orient="row")


def _measurements(cohort: Cohort) -> pl.DataFrame:
    counted = cohort.measurements.group_by("name", "unit").agg(
        pl.len().alias("rows"), pl.col("participant_id").n_unique().alias("participants")
    )
    return counted.sort("rows", "name", descending=[True, False])


def _end_points(cohort: Cohort) -> pl.DataFrame:
    table = end_point_table(cohort)
    return table.select("definition", "supported", pl.col("happened"), "reason")


def _stages(cohort: Cohort) -> pl.DataFrame:
    near = cohort.assessments.filter(pl.col("day").abs() <= BASELINE_DAYS)
    told = stages.classify_stages(near).sort("participant_id", pl.col("day").abs(), "day")
    first = told.group_by("participant_id", "scheme", maintain_order=True).first()
    counted = first.group_by("scheme", "category").agg(pl.len().alias("participants")).sort("scheme", "category")
    return counted.rename({"category": "stage"})


def _classifications(cohort: Cohort) -> pl.DataFrame:
    last = cohort.classifications.sort("participant_id", "day", nulls_last=False, maintain_order=True)
    latest = last.group_by("participant_id", "scheme", "origin", maintain_order=True).last()
    return latest.group_by("scheme", "origin", "category").agg(pl.len().alias("participants")).sort("scheme", "origin", "category")


def _disagreements(cohort: Cohort) -> pl.DataFrame:
    parts = [
        criteria.disagreements(cohort.classifications).select("scheme", "recorded", "computed"),
        phenotypes.disagreements(cohort.classifications).select(pl.lit("phenotype").alias("scheme"), "recorded", "computed"),
    ]
    return (
        pl.concat(parts)
        .group_by("scheme", "recorded", "computed")
        .agg(pl.len().alias("participants"))
        .sort("scheme", "recorded", "computed")
    )


def _genes(cohort: Cohort) -> pl.DataFrame:
    return cohort.genotypes.group_by("gene", "result").agg(pl.len().alias("participants")).sort("gene", "result")


def _drugs(cohort: Cohort) -> pl.DataFrame:
    """Participants recorded as exposed (since an unknown day among them), as not exposed, and not at all; the last is never "no"."""
    people = cohort.participants.height
    known = {drug.name for drug in TREATMENTS}
    rows = []
    for (drug,), mine in cohort.exposures.group_by("drug", maintain_order=True):
        yes = mine.filter("taken")["participant_id"].n_unique()
        recorded = mine["participant_id"].n_unique()
        undated = mine.filter(pl.col("taken") & pl.col("start_day").is_null())["participant_id"].n_unique()
        rows.append((drug, yes, undated, recorded - yes, people - recorded, "yes" if drug in known else "no"))
    schema = {
        "drug": pl.String,
        "taken": pl.Int64,
        "start day unknown": pl.Int64,
        "not taken": pl.Int64,
        "unknown": pl.Int64,
        "published effects": pl.String,
    }
    return pl.DataFrame(rows, schema=schema, orient="row").sort("drug")
