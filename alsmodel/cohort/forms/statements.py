"""Statements about participants that follow from what was read: criteria computed from signs, and recorded phenotypes."""

from collections.abc import Sequence
from typing import get_args

import polars as pl

from alsmodel.clinical.criteria import classify_each_day, disagreements
from alsmodel.clinical.dated import PHENOTYPE
from alsmodel.clinical.signs import Scheme
from alsmodel.cohort.ledger import Ledger
from alsmodel.cohort.tables import conform, empty


def computed_criteria(signs: pl.DataFrame) -> pl.DataFrame:
    """Return the El Escorial, Awaji and Gold Coast categories that the signs give, from each day on which they change.

    Gold Coast also asks whether the impairment progresses and other disease is excluded, which signs do not say.
    """
    if signs.is_empty():
        return empty("classifications")
    schemes: Sequence[Scheme] = get_args(Scheme.__value__)
    return pl.concat(conform("classifications", classify_each_day(signs, scheme)) for scheme in schemes)


def note_disagreements(classifications: pl.DataFrame, ledger: Ledger) -> None:
    """List the participants whose recorded category is not the one that the signs give; both stay."""
    differ = disagreements(classifications)
    for (scheme,), rows in differ.group_by("scheme", maintain_order=True):
        detail = f"{scheme}: the recorded category is not the one that the signs give; both are kept"
        ledger.note("criteria_disagree", detail=detail, participants=rows["participant_id"].unique(maintain_order=True))


def recorded_phenotypes(facts: pl.DataFrame) -> pl.DataFrame:
    """Return recorded phenotypes as statements: participant_id, phenotype and, where it is known, phenotype_day."""
    day = pl.col("phenotype_day") if "phenotype_day" in facts.columns else pl.lit(None, dtype=pl.Float64)
    told = facts.drop_nulls("phenotype").select(
        "participant_id",
        day.alias("day"),
        pl.lit(PHENOTYPE).alias("scheme"),
        pl.col("phenotype").alias("category"),
        pl.lit("recorded").alias("origin"),
    )
    return conform("classifications", told)
