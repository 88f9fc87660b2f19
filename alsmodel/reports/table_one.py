"""Table 1: who was studied, by group, with missing counts and without significance tests."""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from alsmodel.clinical.units import DAYS_PER_MONTH
from alsmodel.reports.words import SMALL_CELL, count

BASELINE_WINDOW_DAYS = 31.0
#: A covariate of more levels may be free text, so that a level of few people may say too much of them; and a table has an end.
CODED_LEVELS, MOST_LEVELS = 6, 12

Cell = Callable[[pl.DataFrame], str]
Row = tuple[str, str, str, Cell]


def table_one(
    cohort: Any,
    *,
    by: str | None = "arm",
    participants: Sequence[str] | None = None,
    outcome: str | None = None,
    small_cells: bool = False,
) -> pl.DataFrame:
    """Characteristics at baseline and follow-up, overall and by group.

    Parameters
    ----------
    cohort : Cohort
        Canonical tables as polars frames.
    by : str or None
        Column of ``participants`` (arm, phenotype, sex, ...) or name in ``covariates``; None for overall only. Falls back to
        overall when nobody has a value.
    participants : sequence of str, optional
        Only these ids, in the fit, say.
    outcome : str, optional
        Name in ``measurements`` to describe at baseline besides the ALSFRS-R total.
    small_cells : bool
        Print counts from 1 to 4 as they are; otherwise they are "<5".

    Returns
    -------
    polars.DataFrame
        ``section``, ``characteristic``, ``statistic``, then one text column per group, headed "Name (N = n)".

    Notes
    -----
    The baseline score is the one nearest to day 0 within 31 days. delta-FRS is (48 - total) / months from onset. A
    variable that nobody has is left out. Percentages are of participants with a value. Of a covariate with more than six
    different texts the twelve most frequent have rows of their own, and of these only those of five participants or more.
    """
    people = _people(cohort, participants, outcome)
    groups = [("Overall", people)]
    if by is not None and by in people.columns and people[by].drop_nulls().len():
        levels = sorted(str(level) for level in people[by].drop_nulls().unique())
        groups += [(_titled(level), people.filter(pl.col(by).cast(pl.String) == level)) for level in levels]
        if people[by].null_count():
            groups.append((f"No {by} recorded", people.filter(pl.col(by).is_null())))
    rows = _rows(people, cohort, by, outcome, small_cells)
    columns: dict[str, list[str]] = {"section": [], "characteristic": [], "statistic": []}
    headed = [(f"{name} (N = {count(frame.height, small=small_cells)})", frame) for name, frame in groups]
    columns |= {head: [] for head, _ in headed}
    for section, characteristic, statistic, cell in rows:
        columns["section"].append(section)
        columns["characteristic"].append(characteristic)
        columns["statistic"].append(statistic)
        for head, frame in headed:
            columns[head].append(cell(frame))
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def _people(cohort: Any, participants: Sequence[str] | None, outcome: str | None) -> pl.DataFrame:
    """One row per participant with everything that the rows below need."""
    people: pl.DataFrame = cohort.participants
    if participants is not None:
        people = people.filter(pl.col("participant_id").is_in(list(participants)))
    covariates: pl.DataFrame = cohort.covariates
    for name in sorted(set(covariates["name"].to_list()) - set(people.columns)):
        own = covariates.filter(pl.col("name") == name)
        column = "number" if own["number"].null_count() < own.height else "text"
        people = people.join(own.select("participant_id", pl.col(column).alias(name)), on="participant_id", how="left")
    people = _with_score(people, cohort.assessments, "total_48", "_score")
    people = _with_score(people, cohort.assessments, "total_40", "_score_40")
    if outcome is not None:
        chosen = cohort.measurements.filter(pl.col("name") == outcome)
        people = _with_score(people, chosen, "value", "_outcome")
    events: pl.DataFrame = cohort.events
    for kind in sorted(set(events["kind"].to_list())):
        had = events.filter(pl.col("kind") == kind)["participant_id"].unique().to_list()
        people = people.with_columns(pl.col("participant_id").is_in(had).alias(f"_event:{kind}"))
    for drug in sorted(set(cohort.exposures["drug"].to_list())):
        taken = cohort.exposures.filter(pl.col("drug") == drug).group_by("participant_id").agg(pl.col("taken").any())
        people = people.join(taken.rename({"taken": f"_drug:{drug}"}), on="participant_id", how="left")
    onset = -pl.col("onset_day") / DAYS_PER_MONTH
    return people.with_columns(
        onset.alias("_onset"),
        (-pl.col("diagnosis_day") / DAYS_PER_MONTH).alias("_diagnosis"),
        pl.when(onset > 0).then((48 - pl.col("_score")) / onset).alias("_delta"),
        (pl.col("last_contact_day") / DAYS_PER_MONTH).alias("_follow_up"),
    )


def _with_score(people: pl.DataFrame, table: pl.DataFrame, column: str, name: str) -> pl.DataFrame:
    nearest = (
        table.filter(pl.col(column).is_not_null() & (pl.col("day").abs() <= BASELINE_WINDOW_DAYS))
        .with_columns(pl.col("day").abs().alias("_away"))
        .sort("participant_id", "_away", "day")
        .unique("participant_id", keep="first", maintain_order=True)
    )
    picked = nearest.select("participant_id", pl.col(column).cast(pl.Float64).alias(name))
    return people.join(picked, on="participant_id", how="left")


def _rows(people: pl.DataFrame, cohort: Any, by: str | None, outcome: str | None, small: bool) -> list[Row]:
    demographics, history, follow_up = "Demographics", "Disease history", "Follow-up"
    rows = [
        *_mean(people, demographics, "Age, years", "age", small),
        *_levels(people, demographics, "Sex", "sex", by, small),
        *_median(people, history, "Months since symptom onset", "_onset", small),
        *_median(people, history, "Months since diagnosis", "_diagnosis", small),
        *_mean(people, history, "ALSFRS-R total at baseline, points (0 to 48)", "_score", small),
        *_mean(people, history, "ALSFRS total at baseline, points (0 to 40)", "_score_40", small),
        *_median(people, history, "delta-FRS, points lost per month from onset", "_delta", small),
    ]
    if outcome is not None:
        rows += _mean(people, "Outcome", f"{outcome} at baseline", "_outcome", small)
    rows += _levels(people, "Phenotype", "Phenotype", "phenotype", by, small)
    rows += _levels(people, "Site of onset", "Site of onset", "onset_site", by, small)
    for column in (c for c in people.columns if c.startswith("_drug:")):
        rows += _drug(column, small)
    for name in sorted(set(cohort.covariates["name"].to_list())):
        if name not in cohort.participants.columns:
            numeric = people[name].dtype.is_numeric()
            rows += _mean(people, "Covariates", name, name, small) if numeric else _levels(people, "Covariates", name, name, by, small)
    rows += _median(people, follow_up, "Months of follow-up", "_follow_up", small)
    for column in (c for c in people.columns if c.startswith("_event:")):
        name = _titled(column.removeprefix("_event:"))
        rows.append((follow_up, name, "n (%)", _share(pl.col(column), pl.lit(True), small)))
    return rows


def _mean(people: pl.DataFrame, section: str, label: str, column: str, small: bool) -> list[Row]:
    def cell(frame: pl.DataFrame) -> str:
        values = frame[column].drop_nulls()
        if values.len() < 2 or (values.len() < SMALL_CELL and not small):
            return "–"
        return f"{float(str(values.mean())):.1f} ({float(str(values.std())):.1f})"

    return _with_missing(people, (section, label, "Mean (SD)", cell), column, small)


def _median(people: pl.DataFrame, section: str, label: str, column: str, small: bool) -> list[Row]:
    def cell(frame: pl.DataFrame) -> str:
        values = frame[column].drop_nulls()
        if values.len() == 0 or (values.len() < SMALL_CELL and not small):
            return "–"
        low, middle, high = (values.quantile(q, "linear") for q in (0.25, 0.5, 0.75))
        return f"{middle:.1f} [{low:.1f}, {high:.1f}]"

    return _with_missing(people, (section, label, "Median [IQR]", cell), column, small)


def _levels(people: pl.DataFrame, section: str, label: str, column: str, by: str | None, small: bool) -> list[Row]:
    if column not in people.columns or column == by:
        return []
    known = pl.col(column).is_not_null()
    rows: list[Row] = []
    levels, others = _told_levels(people[column], free=section == "Covariates", small=small)
    for level in levels:
        name = _titled(level) if section != "Covariates" else f"{label}: {level}"
        rows.append((section, name, "n (%)", _share(pl.col(column).cast(pl.String) == level, known, small)))
    if others:
        rest = known & ~pl.col(column).cast(pl.String).is_in(levels)
        rows.append((section, f"{label}: other ({others} different)", "n (%)", _share(rest, known, small)))
    return rows + _missing(people, section, label, column, small) if rows else []


def _told_levels(values: pl.Series, *, free: bool, small: bool) -> tuple[list[str], int]:
    """Levels that have a row of their own, in order, and how many others there are."""
    counted = values.drop_nulls().cast(pl.String).alias("level").to_frame().group_by("level").len(name="n").sort("level")
    if not free or counted.height <= CODED_LEVELS:
        return counted["level"].to_list(), 0
    told = counted if small else counted.filter(pl.col("n") >= SMALL_CELL)
    told = told.sort("n", "level", descending=[True, False]).head(MOST_LEVELS).sort("level")
    return told["level"].to_list(), counted.height - told.height


def _drug(column: str, small: bool) -> list[Row]:
    drug = _titled(column.removeprefix("_drug:"))
    everyone = pl.lit(True)
    taken, refused = (pl.col(column).fill_null(False), (~pl.col(column)).fill_null(False))
    return [
        ("Treatments recorded", f"{drug}, taken", "n (%)", _share(taken, everyone, small)),
        ("Treatments recorded", f"{drug}, recorded as not taken", "n (%)", _share(refused, everyone, small)),
        ("Treatments recorded", f"{drug}, unknown", "n (%)", _share(pl.col(column).is_null(), everyone, small)),
    ]


def _share(holds: pl.Expr, among: pl.Expr, small: bool) -> Cell:
    def cell(frame: pl.DataFrame) -> str:
        n, total = frame.select((holds & among).sum().alias("n"), among.cast(pl.Int64).sum().alias("total")).row(0)
        total = frame.height if among.meta.is_literal() else total
        if total == 0 or n is None:
            return "–"
        if not small and 0 < n < SMALL_CELL:
            return count(n)
        return f"{n:,} ({100 * n / total:.0f}%)"

    return cell


def _with_missing(people: pl.DataFrame, row: Row, column: str, small: bool) -> list[Row]:
    if column not in people.columns or people[column].null_count() == people.height:
        return []
    return [row, *_missing(people, row[0], row[1].split(",")[0], column, small)]


def _missing(people: pl.DataFrame, section: str, label: str, column: str, small: bool) -> list[Row]:
    if people[column].null_count() == 0:
        return []
    return [(section, f"{label}: missing", "n", lambda frame: count(frame[column].null_count(), small=small))]


def _titled(text: str) -> str:
    return text[:1].upper() + text[1:]
