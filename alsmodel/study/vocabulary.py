"""The package's vocabulary as tables for a reader: treatments with published effects, definitions, signs, phenotypes, genes, rules."""

from collections.abc import Callable

import polars as pl

from alsmodel.clinical.events import EVENT_COMPONENTS, EVENT_DEFINITIONS
from alsmodel.clinical.genes import GENES
from alsmodel.clinical.phenotypes import DEFINITIONS
from alsmodel.clinical.published import effects_table
from alsmodel.clinical.sign_table import SIGNS
from alsmodel.clinical.treatments import treatments_table
from alsmodel.cohort.rules import rules_table


def vocabulary_table(topic: str) -> pl.DataFrame:
    """Return the table of a topic: treatments, effects, definitions, signs, phenotypes, genes or rules."""
    return _TOPICS[topic]()


def _effects() -> pl.DataFrame:
    """Every published effect in four columns; `effects_table` has the full records."""
    number = pl.col("estimate").round(3).cast(pl.String)
    interval = pl.when(pl.col("low").is_not_null()).then(pl.format("{} ({} to {})", number, "low", "high")).otherwise(number)
    what = pl.format("{}, {}: {}, {}", "drug", "contrast", "end_point", "scale")
    return effects_table().select("key", what.alias("effect"), interval.alias("estimate"), "source")


def _definitions() -> pl.DataFrame:
    rows = [("end point", d.tag, d.meaning, d.source) for d in EVENT_DEFINITIONS.values()]
    rows += [("event", c.tag, c.meaning, c.source) for c in EVENT_COMPONENTS.values() if c.tag not in EVENT_DEFINITIONS]
    return pl.DataFrame(rows, schema=["kind", "tag", "meaning", "source"], orient="row")


def _signs() -> pl.DataFrame:
    rows = [(s.name, s.neuron, s.evidence, ", ".join(s.regions), "yes" if s.sided else "no", s.meaning, s.source) for s in SIGNS.values()]
    return pl.DataFrame(rows, schema=["sign", "neuron", "evidence", "regions", "sided", "meaning", "source"], orient="row")


def _phenotypes() -> pl.DataFrame:
    rows = [(d.name, d.rule, d.months, d.source) for d in DEFINITIONS.values()]
    return pl.DataFrame(rows, schema=["phenotype", "rule", "months_of_follow_up", "source"], orient="row")


def _genes() -> pl.DataFrame:
    rows = [(g.name, g.protein, g.mechanism, g.positive, ", ".join(g.synonyms), g.source) for g in GENES.values()]
    return pl.DataFrame(rows, schema=["gene", "protein", "mechanism", "counts_as_mutation", "synonyms", "source"], orient="row")


_TOPICS: dict[str, Callable[[], pl.DataFrame]] = {
    "treatments": treatments_table,
    "effects": _effects,
    "definitions": _definitions,
    "signs": _signs,
    "phenotypes": _phenotypes,
    "genes": _genes,
    "rules": rules_table,
}
