"""Baseline covariates of participants: columns of the cohort, and values derived from scores, signs and statements."""

from dataclasses import replace

import polars as pl

from alsmodel.clinical.phenotypes import require_baseline_words
from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.derived import DERIVED, OF_DELTA_FRS, baseline_score, phenotype
from alsmodel.cohort.selection import Covariate, Selection
from alsmodel.cohort.steps import Steps
from alsmodel.errors import Fault, InvalidInput
from alsmodel.settings.names import nearest

#: Participant columns that may stand in a model as baseline covariates.
COLUMNS = ("age", "sex", "onset_site", "phenotype", "arm", "el_escorial", "gene", "source", "site", "height_cm")

#: Outcomes that share items with the total that delta-FRS is made of.
PARTS_OF_TOTAL = ("alsfrs_r_total", "alsfrs_total", "bulbar", "fine_motor", "gross_motor", "respiratory")


def covariate_values(
    cohort: Cohort, selection: Selection, people: pl.DataFrame, visits: pl.DataFrame, faults: list[Fault], where: str
) -> dict[str, pl.Series]:
    """Raw values of each covariate in the order of `people`, and the faults of missing ones without a choice."""
    extra = set(cohort.covariates["name"].unique().to_list())
    values: dict[str, pl.Series] = {}
    for name in selection.covariates:
        if name in DERIVED:
            values[name] = DERIVED[name](cohort, selection, people)
        elif name == "phenotype" and name not in extra:
            try:
                values[name] = phenotype(cohort, people, f"{where}.covariates.{name}")
            except InvalidInput as refusal:
                faults += refusal.faults
                continue
        elif name in COLUMNS and (people[name].null_count() < people.height or name not in extra):
            values[name] = people[name].cast(pl.Float64) if people[name].dtype.is_numeric() else people[name].cast(pl.String)
        elif name in extra:
            rows = cohort.covariates.filter(pl.col("name") == name)
            joined = people.select("participant_id").join(rows, on="participant_id", how="left", maintain_order="left")
            values[name] = joined["number"] if joined["number"].null_count() < joined.height else joined["text"]
            faults += _immortal(values[name], f"{where}.covariates.{name}")
        else:
            known = sorted(extra | {"age", "sex", "onset_site", "phenotype", "arm"} | set(DERIVED))
            said = f"The cohort has {', '.join(known)}."
            meant = nearest(name, known, otherwise="")
            faults.append(Fault(f"{where}.covariates.{name}", f"No covariate is called {name!r}.", f"{meant} {said}".strip()))
            continue
        values[name] = values[name].alias(name)
        lost = values[name].null_count()
        if lost == people.height:
            faults.append(Fault(f"{where}.covariates.{name}", f"{name} is missing for everyone.", "Leave it out."))
        elif lost and missing_policy(name, values[name], selection) == "refuse":
            faults.append(
                Fault(
                    f"{where}.covariates.{name}.missing",
                    f"{name} is missing for {lost} of {people.height} participants and nothing was chosen for them.",
                    'Choose missing = "own level" (text), "impute" (numbers), "indicator" (randomised comparisons) or "complete-case".',
                )
            )
    return values


def group_values(
    cohort: Cohort, selection: Selection, people: pl.DataFrame, visits: pl.DataFrame, faults: list[Fault], where: str
) -> dict[str, pl.Series]:
    """Level of each participant in every group asked for, in the order of `people`; null where none is recorded."""
    columns = {name: "source" if name == "cohort" else name for name in selection.groups}
    asked = replace(selection, covariates={column: Covariate(missing="own level") for column in columns.values()})
    found = covariate_values(cohort, asked, people, visits, faults, where)
    out = {}
    for name, column in columns.items():
        if column in found and found[column].dtype.is_numeric():
            faults.append(Fault(f"{where}.{name}", f"{name} is a number; groups are texts.", "Choose a text covariate."))
        elif column in found:
            out[name] = found[column].alias(name)
    return out


def _immortal(values: pl.Series, place: str) -> tuple[Fault, ...]:
    """Return the faults of a text covariate whose words need follow-up, such as a phenotype without its day."""
    if values.dtype != pl.String:
        return ()
    try:
        require_baseline_words(values, place=place)
    except InvalidInput as refusal:
        return refusal.faults
    return ()


def without_score_of_covariates(
    cohort: Cohort, selection: Selection, people: pl.DataFrame, visits: pl.DataFrame, steps: Steps
) -> pl.DataFrame:
    """Take the score that delta-FRS is made of, and those before it, out of the outcomes; unless kept on purpose ("attenuated")."""
    if not set(OF_DELTA_FRS) & set(selection.covariates) or selection.delta_frs == "attenuated" or selection.outcome not in PARTS_OF_TOTAL:
        return visits
    used = baseline_score(cohort, selection).select("participant_id", used="day")
    kept = visits.join(used, on="participant_id", how="left", maintain_order="left")
    kept = kept.filter(pl.col("used").is_null() | (pl.col("day") > pl.col("used"))).drop("used")
    steps.note(
        "outcomes after the score behind delta-FRS", people.height, kept.height,
        f"{visits.height - kept.height} scores are part of a covariate and no longer outcomes",
    )  # fmt: skip
    return kept


def missing_policy(name: str, series: pl.Series, selection: Selection) -> str:
    chosen = selection.covariates[name].missing
    if chosen is not None:
        return chosen
    if selection.randomised:
        return "indicator"
    return "impute" if series.dtype.is_numeric() else "refuse"
