"""The package's vocabulary as tables for a reader: treatments with published effects, definitions, signs, phenotypes, genes, rules."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import polars as pl

from alsmodel.clinical.events import EVENT_COMPONENTS, EVENT_DEFINITIONS
from alsmodel.clinical.genes import GENES
from alsmodel.clinical.phenotypes import DEFINITIONS
from alsmodel.clinical.published import EFFECTS, effect, effects_table
from alsmodel.clinical.sign_table import SIGNS
from alsmodel.clinical.treatments import treatments_table
from alsmodel.cohort.rules import rules_table
from alsmodel.errors import Fault, InvalidInput
from alsmodel.kernels.published_priors import Parameter, double_use, published_prior


def vocabulary_table(topic: str) -> pl.DataFrame:
    """Return the table of a topic: treatments, effects, definitions, signs, phenotypes, genes or rules."""
    return _TOPICS[topic]()


@final
@dataclass(frozen=True)
class PriorAccount:
    """A prior made from a published effect, for readers and for machines.

    Attributes
    ----------
    lines : tuple of str
    record : dict
    """

    lines: tuple[str, ...]
    record: dict[str, Any]


def prior_account(key: str, parameter: Parameter, discount: float, events: str | None) -> PriorAccount:
    """Make the prior of the published effect `key` on `parameter` and say what it rests on.

    Raises
    ------
    InvalidInput
        When there is no such effect, or it does not inform the parameter.
    """
    known = [effect.key for effect in EFFECTS]
    if key not in known:
        close = difflib.get_close_matches(key, known, n=1)
        remedy = f"Did you mean {close[0]}?" if close else "List them with: alsmodel vocabulary effects"
        raise InvalidInput([Fault("EFFECT", f"No published effect is called {key!r}.", remedy)])
    made = published_prior(effect(key), parameter, discount=discount, events=events)
    size = made.effective_sample_size()
    use = double_use(made, "PRO-ACT", None)
    lines = [
        f"{parameter} of {made.drug}: normal, mean {made.mean:.4g}, SD {made.sd:.4g} (estimate's standard error {made.se:.4g})",
        f"Rests on: {'; '.join(made.sources)}",
        *made.notes,
        _worth(size, made.equivalent_events()),
        f"In a study file, for every drug on this parameter: [model.priors] {parameter} = {{ mean = {made.mean:.4g}, sd = {made.sd:.4g} }}",
        f"PRO-ACT: double use {use.status}. {use.sentence}",
    ]
    record = {
        "effect": key, "parameter": parameter, "drug": made.drug, "mean": made.mean, "sd": made.sd, "se": made.se, "discount": discount,
        "effective_sample_size": size, "equivalent_events": made.equivalent_events(), "trials": list(made.trials),
        "sources": list(made.sources), "notes": list(made.notes),
    }  # fmt: skip
    return PriorAccount(tuple(lines), record)


def _worth(participants: float | None, events: float | None) -> str:
    """Say what the prior counts as: participants where their number was published, and for a hazard ratio events."""
    told = [f"{participants:.0f} participants"] if participants is not None else []
    told += [f"{events:.0f} events, equal arms"] if events is not None else []
    return f"Effective sample size: {'; '.join(told) or 'unknown (participants not given)'}"


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
