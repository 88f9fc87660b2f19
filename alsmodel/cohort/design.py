"""Baseline values to the columns of a design: numbers centred and scaled, texts as indicators, missing ones as chosen."""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.cohort.baseline import missing_policy
from alsmodel.cohort.selection import Covariate, Selection
from alsmodel.errors import Fault

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def design_columns(
    values: Mapping[str, pl.Series], selection: Selection, faults: list[Fault], where: str
) -> tuple[dict[str, Floats], dict[str, Bools], dict[str, tuple[str, ...]]]:
    columns: dict[str, Floats] = {}
    missing: dict[str, Bools] = {}
    terms: dict[str, tuple[str, ...]] = {}
    for name, series in values.items():
        settings = selection.covariates[name]
        policy = missing_policy(name, series, selection)
        added = _numeric(name, series, settings) if series.dtype.is_numeric() else _dummies(name, series, settings, policy, faults, where)
        absent = series.is_null().to_numpy()
        if absent.any() and policy == "own level" and series.dtype.is_numeric():
            place = f"{where}.covariates.{name}.missing"
            faults.append(Fault(place, f'"own level" is for text; {name} is a number.', 'Use "impute" or "indicator".'))
            continue
        if absent.any() and policy == "indicator":
            added = {key: np.where(absent, column[~absent].mean(), column) for key, column in added.items()}
            added[f"{name} missing"] = absent.astype(float)
        elif absent.any() and policy == "impute":
            if not series.dtype.is_numeric():
                faults.append(Fault(f"{where}.covariates.{name}.missing", f'"impute" is for numbers; {name} is text.', 'Use "own level".'))
                continue
            missing[name] = absent
            added = {key: np.where(absent, column[~absent].mean(), column) for key, column in added.items()}
        columns |= added
        terms[name] = tuple(added)
    return columns, missing, terms


def _numeric(name: str, series: pl.Series, settings: Covariate) -> dict[str, Floats]:
    values: Floats = series.cast(pl.Float64).to_numpy()
    return {name: (values - settings.centre) / settings.scale}


def _dummies(name: str, series: pl.Series, settings: Covariate, policy: str, faults: list[Fault], where: str) -> dict[str, Floats]:
    levels = series.drop_nulls().value_counts(sort=True).sort(["count", name], descending=[True, False])[name].to_list()
    if policy == "own level" and series.null_count():
        levels.append("unknown")
        series = series.fill_null("unknown")
    reference = settings.reference if settings.reference is not None else levels[0]
    if reference not in levels:
        faults.append(
            Fault(
                f"{where}.covariates.{name}.reference",
                f"{reference!r} is not a level of {name}.",
                f"Levels: {', '.join(levels)}.",
            )
        )
        return {}
    if len(levels) < 2:
        faults.append(Fault(f"{where}.covariates.{name}", f"{name} has one level only ({levels[0]}).", "Leave it out."))
        return {}
    absent = series.is_null().to_numpy()
    dummies = {}
    for level in levels:
        if level != reference:
            flag = (series == level).fill_null(False).cast(pl.Float64).to_numpy().copy()
            flag[absent] = np.nan
            dummies[f"{name}[{level}]"] = flag
    return dummies


def text_groups(people: pl.DataFrame, values: Mapping[str, pl.Series]) -> dict[str, tuple[str | None, ...]]:
    texts = {name: tuple(series.to_list()) for name, series in values.items() if series.dtype == pl.String}
    for name in ("arm", "phenotype", "onset_site", "sex"):
        if name not in texts and people[name].null_count() < people.height:
            texts[name] = tuple(people[name].to_list())
    return texts
