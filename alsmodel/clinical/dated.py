"""Statements that become true on a day, and the guard against using them before it.

A category that needs follow-up can be given only to participants who lived that long: used as if it were known at
baseline it credits them with survival that defined the group (immortal time; Suissa, Am J Epidemiol 2008;167:492,
doi 10.1093/aje/kwm324). Every computed category therefore carries the day from which it can be said, in the columns of the
canonical ``classifications`` table, and `baseline_value` refuses one that came later.
"""

import re
from collections.abc import Sequence
from typing import Literal

import polars as pl

from alsmodel.clinical.units import DAYS_PER_MONTH
from alsmodel.errors import Fault, InvalidInput

#: Columns of ``classifications``.
STATEMENT: dict[str, pl.DataType | type[pl.DataType]] = {
    "participant_id": pl.String,
    "day": pl.Float64,
    "scheme": pl.String,
    "category": pl.String,
    "origin": pl.String,
    "decided_by": pl.String,
}

PHENOTYPE = "phenotype"
OPM_ONSET = "OPM onset"
OPM_PROPAGATION = "OPM propagation"
OPM_PROPAGATION_REVISED = "OPM propagation, revised"
OPM_MOTOR_NEURON = "OPM motor neuron"

#: Months of restriction to the region of onset that count (flail arm and leg, PL): Meyer 2025, doi 10.1186/s42466-025-00389-w.
MONTHS_RESTRICTED = 12
#: Months after which a pure syndrome is certain: Meyer 2025 (M1p, M2p); definite PLS, Turner 2020, doi 10.1136/jnnp-2019-322541.
MONTHS_PURE = 48

#: (scheme, category) -> months of follow-up from onset before it can be said, or said with certainty.
FOLLOW_UP: dict[tuple[str, str], int] = {
    (PHENOTYPE, "flail arm"): MONTHS_RESTRICTED,
    (PHENOTYPE, "flail leg"): MONTHS_RESTRICTED,
    (PHENOTYPE, "PMA"): MONTHS_PURE,
    (PHENOTYPE, "PLS"): MONTHS_PURE,
    (OPM_PROPAGATION, "PE"): MONTHS_RESTRICTED,
    (OPM_PROPAGATION, "PL"): MONTHS_RESTRICTED,
    (OPM_MOTOR_NEURON, "M1p"): MONTHS_PURE,
    (OPM_MOTOR_NEURON, "M2p"): MONTHS_PURE,
}
_NUMBERED = re.compile(r"^P[01]\((\d+)\)$")

_INSTEAD = (
    "Use what was known at baseline (later = 'ignore'), begin follow-up at a landmark on which the category is known for everyone, "
    "or let it enter as a time-varying covariate."
)


def follow_up_months(scheme: str, category: str) -> int | None:
    """Return the months from onset that a category needs, or None when it can be said at the first examination."""
    numbered = _NUMBERED.match(category) if scheme == OPM_PROPAGATION_REVISED else None
    return int(numbered[1]) if numbered else FOLLOW_UP.get((scheme, category))


def day_after(onset_day: pl.Expr, months: float) -> pl.Expr:
    """Return the day that lies `months` after onset."""
    return onset_day + months * DAYS_PER_MONTH


def statements(frame: pl.DataFrame) -> pl.DataFrame:
    """Return `frame` as computed rows of ``classifications``, ordered by participant and day."""
    rows = frame.with_columns(origin=pl.lit("computed")).select(pl.col(name).cast(dtype) for name, dtype in STATEMENT.items())
    return rows.sort("participant_id", "day", "scheme", maintain_order=True)


def _with_baseline(rows: pl.DataFrame, baseline: float | pl.DataFrame) -> pl.DataFrame:
    if isinstance(baseline, pl.DataFrame):
        days = baseline.select("participant_id", baseline_day=pl.col("day").cast(pl.Float64))
        return rows.join(days, on="participant_id", how="left", maintain_order="left")
    return rows.with_columns(baseline_day=pl.lit(float(baseline)))


def _needs(scheme: str, categories: Sequence[str]) -> str:
    needed: dict[int, list[str]] = {}
    for category in sorted(set(categories)):
        months = follow_up_months(scheme, category)
        if months is not None:
            needed.setdefault(months, []).append(category)
    return "; ".join(f"{', '.join(names)} needs {months} months from onset" for months, names in sorted(needed.items()))


def require_baseline(
    classifications: pl.DataFrame, *, scheme: str, baseline: float | pl.DataFrame = 0.0, place: str = "classifications"
) -> None:
    """Refuse a scheme as a baseline covariate when any of its categories was not known at baseline.

    Parameters
    ----------
    classifications : polars.DataFrame
        Canonical ``classifications``: participant_id, day, scheme, category.
    scheme : str
        Which scheme is wanted.
    baseline : float or polars.DataFrame
        Day on which follow-up begins, for all or per participant (participant_id, day). A null day is no baseline at all.
    place : str
        Where the wish stands, such as ``study.toml: model.covariates.phenotype``.

    Raises
    ------
    InvalidInput
        With one fault for categories dated after baseline, one for categories that need follow-up and have no day, and
        one for participants without a baseline day.
    """
    rows = _with_baseline(classifications.filter(pl.col("scheme") == scheme), baseline)
    later = rows.filter(pl.col("day") > pl.col("baseline_day"))
    needing = [c for c in rows["category"].unique().to_list() if follow_up_months(scheme, c) is not None]
    undated = rows.filter(pl.col("day").is_null() & pl.col("category").is_in(needing))
    faults = []
    for found, what in ((later, "dated after baseline"), (undated, "without a day although it needs follow-up")):
        if found.height:
            needs = _needs(scheme, found["category"].to_list()) or "the category was told at a later examination"
            n = found["participant_id"].n_unique()
            message = (
                f"{scheme} is no baseline covariate: {n} participants have a category {what} ({needs}), which they had to live to reach."
            )
            faults.append(Fault(place, message, _INSTEAD))
    if rows["baseline_day"].null_count():
        n = rows.filter(pl.col("baseline_day").is_null())["participant_id"].n_unique()
        faults.append(Fault(place, f"{n} participants have a {scheme} category and no baseline day.", "Give their entry day."))
    if faults:
        raise InvalidInput(faults)


def baseline_value(
    classifications: pl.DataFrame,
    *,
    scheme: str,
    baseline: float | pl.DataFrame = 0.0,
    later: Literal["refuse", "ignore"] = "refuse",
    origin: Literal["recorded", "computed"] | None = None,
    place: str = "classifications",
) -> pl.DataFrame:
    """Return the category of each participant as known at baseline.

    Parameters
    ----------
    classifications, scheme, baseline, place
        As in `require_baseline`.
    later : {"refuse", "ignore"}
        With "refuse", any category that was not known at baseline is an error. With "ignore" such categories are left out, as
        someone at baseline would have: participants who have none other get no row.
    origin : {"recorded", "computed"}, optional
        Only categories of this origin; without it, a recorded one is preferred to a computed one of the same day.

    Returns
    -------
    polars.DataFrame
        participant_id, category: the latest statement on or before the baseline day; an undated category that needs no
        follow-up counts where there is no dated one.
    """
    rows = classifications.filter(pl.col("scheme") == scheme)
    if origin is not None:
        rows = rows.filter(pl.col("origin") == origin)
    if later == "refuse":
        require_baseline(rows, scheme=scheme, baseline=baseline, place=place)
    needing = [c for c in rows["category"].unique().to_list() if follow_up_months(scheme, c) is not None]
    usable = (pl.col("day") <= pl.col("baseline_day")) | (pl.col("day").is_null() & ~pl.col("category").is_in(needing))
    known = _with_baseline(rows, baseline).filter(usable & pl.col("baseline_day").is_not_null())
    ordered = known.with_columns(recorded=pl.col("origin") == "recorded").sort(
        "participant_id", "day", "recorded", nulls_last=False, maintain_order=True
    )
    return ordered.group_by("participant_id", maintain_order=True).agg(pl.col("category").last())
