"""Statements about participants that follow from what was read: criteria and phenotypes from signs, and recorded phenotypes."""

from collections.abc import Sequence
from typing import get_args

import polars as pl

from alsmodel.clinical import opm, phenotypes
from alsmodel.clinical.criteria import classify_each_day, disagreements
from alsmodel.clinical.dated import PHENOTYPE
from alsmodel.clinical.involvement import symptoms_by_visit
from alsmodel.clinical.signs import Scheme
from alsmodel.cohort.ledger import Ledger
from alsmodel.cohort.tables import conform, empty


def computed_statements(signs: pl.DataFrame, participants: pl.DataFrame) -> pl.DataFrame:
    """Return what the signs say of each participant, each statement from the day on which it can first be said.

    El Escorial, Awaji and Gold Coast (which also asks whether the impairment progresses and other disease is excluded, and that
    signs do not say), phenotype, and the OPM codes of onset, propagation and motor neurons.
    """
    if signs.is_empty():
        return empty("classifications")
    schemes: Sequence[Scheme] = get_args(Scheme.__value__)
    onset = opm.onset_of(participants)
    propagation, _ = opm.propagation_statements(symptoms_by_visit(signs), onset)
    parts = [
        *(classify_each_day(signs, scheme) for scheme in schemes),
        phenotypes.phenotype_statements(signs, onset),
        opm.onset_statements(onset),
        propagation,
        opm.motor_neuron_statements(signs, onset),
    ]
    return pl.concat(conform("classifications", part) for part in parts)


def note_disagreements(classifications: pl.DataFrame, ledger: Ledger) -> None:
    """List the participants whose recorded category is not the one that the signs give; both stay."""
    criteria = disagreements(classifications).select("participant_id", "scheme")
    named = phenotypes.disagreements(classifications).select("participant_id", pl.lit(PHENOTYPE).alias("scheme"))
    differ = pl.concat([criteria, named])
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
