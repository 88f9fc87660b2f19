"""What became of the participants of a source, and of the issues of a kind: counts for pages and consoles.

Nothing here returns an identifier, and a cell only where it is asked for.
"""

from collections.abc import Mapping

import polars as pl

from alsmodel.clinical.mimics import MIMICS
from alsmodel.cohort.tables import SEVERITIES, distinct

#: Name of the steps by which the source's own exclusions leave; one row per reason.
NOT_SET_APART = "not set apart by the source"
#: What a source's own words for an exclusion become when they are few people's: they may say too much of them.
UNTOLD = "another reason that the source records"
FEW = 5
_MIMICS = {words for mimic in MIMICS for words in (mimic.name, f"{mimic.name}: {mimic.reason}")}
#: Lines of a file that stand for the rows of a kind of issue.
FIRST_ROWS = 5


def participants_through(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Count participants from the source to those who can be analysed.

    A participant counts as read when any row names them, rejected or not. They leave when none of their rows was
    usable, when the source gives a reason not to analyse them (`participants.exclusion`, such as a mimic of ALS), and
    when they have neither an assessment nor a measurement; whoever has several reasons leaves for the first of these.
    A reason in the source's own words is shown when it is that of five participants or more, and pooled otherwise.

    Parameters
    ----------
    tables : mapping
        Canonical tables by name: participants, assessments, measurements, issues.

    Returns
    -------
    polars.DataFrame
        ``step``, ``n`` left after it, ``excluded`` by it, ``reason``, ``repaired``: of the `n`, those with a repaired
        row. Each `n` is the one before less `excluded`.
    """
    issues = tables["issues"].select("participant_id", "action").drop_nulls("participant_id")
    people = tables["participants"].select("participant_id", _told(pl.col("exclusion")).alias("exclusion"))
    repaired = distinct(issues.filter(pl.col("action") == "repaired")["participant_id"]).to_frame()
    observed = pl.concat([distinct(tables[name]["participant_id"]) for name in ("assessments", "measurements")]).to_frame()
    lost = distinct(issues["participant_id"]).to_frame().join(people, on="participant_id", how="anti")
    reasons = people.drop_nulls("exclusion").group_by("exclusion").len().sort("len", "exclusion", descending=[True, False])
    left = pl.concat([people.select("participant_id"), lost])
    leaving = [
        ("with a usable row", "no usable row", lost),
        *((NOT_SET_APART, reason, people.filter(pl.col("exclusion") == reason)) for reason in reasons["exclusion"]),
        ("can be analysed", "no assessment and no measurement", left.join(observed, on="participant_id", how="anti")),
    ]
    rows = [_step("named in the source", left, 0, None, repaired)]
    for step, reason, gone in leaving:
        before = left.height
        left = left.join(gone, on="participant_id", how="anti")
        excluded = before - left.height
        if excluded or step == leaving[-1][0]:
            rows.append(_step(step, left, excluded, reason if excluded else None, repaired))
    schema = {"step": pl.String, "n": pl.Int64, "excluded": pl.Int64, "reason": pl.String, "repaired": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _told(reason: pl.Expr) -> pl.Expr:
    """Keep a reason that names a mimic or is that of several participants."""
    shown = reason.is_null() | reason.is_in(sorted(_MIMICS)) | (pl.len().over(reason) >= FEW)
    return pl.when(shown).then(reason).otherwise(pl.lit(UNTOLD))


def _step(step: str, left: pl.DataFrame, excluded: int, reason: str | None, repaired: pl.DataFrame) -> tuple[str | int | None, ...]:
    return step, left.height, excluded, reason, left.join(repaired, on="participant_id", how="semi").height


def continued(flow: pl.DataFrame, steps: pl.DataFrame) -> pl.DataFrame:
    """Append the steps of an analysis to the flow of its source, so that the whole adds up.

    Parameters
    ----------
    flow : polars.DataFrame
        ``step``, ``n``, ``excluded``, ``reason``: what a cohort has as `participant_flow`.
    steps : polars.DataFrame
        ``step``, ``participants`` left after it, ``reason``; in order. Steps at which as many are left as before are kept.

    Raises
    ------
    ValueError
        When a step leaves more participants than there were before it: those of the flow are not those of the analysis.
    """
    before: int = flow["n"].to_list()[-1] if flow.height else max(steps["participants"].to_list(), default=0)
    rows = []
    for step in steps.iter_rows(named=True):
        left = step["participants"]
        if left > before:
            raise ValueError(f"{left} participants are left after {step['step']!r}, but there were {before} before it.")
        rows.append((step["step"], left, before - left, step["reason"] if before > left else None))
        before = left
    columns = {"step": pl.String, "n": pl.Int64, "excluded": pl.Int64, "reason": pl.String}
    return pl.concat([flow.select(*columns), pl.DataFrame(rows, schema=columns, orient="row")])


def issue_groups(issues: pl.DataFrame, *, with_values: bool = False) -> pl.DataFrame:
    """Count issues by rule, file and column: errors first, then the most frequent.

    Parameters
    ----------
    issues : polars.DataFrame
        Canonical issues.
    with_values : bool
        Add ``cells``, the first distinct cells of each kind.

    Returns
    -------
    polars.DataFrame
        ``severity``, ``rule``, ``action``, ``file``, ``column``, ``issues``, ``participants`` (distinct, where rows name
        them), ``rows`` (the first lines), ``detail`` (the first) and ``details`` (how many different ones).
    """
    severity = pl.col("severity").cast(pl.Enum(SEVERITIES))
    cells = [pl.col("value").drop_nulls().unique(maintain_order=True).head(FIRST_ROWS).alias("cells")] if with_values else []
    return (
        issues.group_by("severity", "rule", "action", "file", "column", maintain_order=True)
        .agg(
            pl.len().alias("issues"),
            pl.col("participant_id").drop_nulls().n_unique().alias("participants"),
            pl.col("row").drop_nulls().unique().sort().head(FIRST_ROWS).alias("rows"),
            pl.col("detail").first(),
            pl.col("detail").n_unique().alias("details"),
            *cells,
        )
        .with_columns(pl.col("issues").sum().over("severity", "rule").alias("of_rule"))
        .sort(severity, "of_rule", "rule", "issues", "file", "column", descending=[False, True, False, True, False, False])
        .drop("of_rule")
    )
