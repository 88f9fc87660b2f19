"""Drugs taken from an unknown day on: the fit under both limits of what that day can have been.

A start that nobody recorded lies somewhere between long ago and the day of stopping, or the end of follow-up. A fit takes the first of the
two; here it is made under the second as well, and what depends on the day is what differs by more than a fit made again would.
"""

from dataclasses import dataclass, replace
from typing import final

import polars as pl

from alsmodel.cohort import Cohort
from alsmodel.cohort.arrays import JointData, joint_data
from alsmodel.cohort.selection import Selection
from alsmodel.errors import Fault, InvalidInput
from alsmodel.inference.fit import Fit, Method, fit_data
from alsmodel.inference.sampling import Advance, Sampling

#: A difference of means above this share of a posterior SD is told: weighted draws and chains repeat a mean to a tenth.
TOLD = 0.25


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class StartLimits:
    """A fit under both limits of unknown days of starting.

    Attributes
    ----------
    earliest, latest : Fit
        With unknown starts before time zero; and on the day of stopping, or at the end of follow-up.
    people : dict of str to int
        How many took each drug from an unknown day on.
    table : polars.DataFrame
        One row per parameter of both: parameter, label, unit, earliest, earliest_lower, earliest_upper, latest, latest_lower, latest_upper
        (posterior means and 95% intervals), shift (latest less earliest, in posterior SDs of the earliest).
    """

    earliest: Fit
    latest: Fit
    people: dict[str, int]
    table: pl.DataFrame

    def __str__(self) -> str:
        """What depends on the unknown days, in sentences."""
        counted = ", ".join(f"{count} of {name}" for name, count in self.people.items())
        moved = self.table.filter(pl.col("shift").abs() > TOLD).sort(pl.col("shift").abs(), descending=True)
        told = [
            f"{row['label']} is {row['earliest']:.3g} ({row['earliest_lower']:.3g} to {row['earliest_upper']:.3g}) if they started before "
            f"time zero and {row['latest']:.3g} ({row['latest_lower']:.3g} to {row['latest_upper']:.3g}) if as late as they can have"
            for row in moved.iter_rows(named=True)
        ]
        failed = "" if self.latest.passed else " The fit with late starts did not pass its checks."
        what = "; ".join(told) if told else f"no parameter moves by more than {TOLD:g} posterior SDs between the two limits"
        return f"Days of starting unknown: {counted}. {what[:1].upper()}{what[1:]}.{failed}"

    @property
    def of_drugs(self) -> pl.DataFrame:
        """Rows of `table` that are of these drugs, and of whatever else moves."""
        own = pl.Series([_drug_of(name) in self.people for name in self.table["parameter"]], dtype=pl.Boolean)
        return self.table.filter(own | (pl.col("shift").abs() > TOLD))


def _drug_of(parameter: str) -> str:
    """The treatment that a parameter or derived value is of, if it is of one."""
    return parameter.partition(":")[2].partition("@")[0].partition("[")[0]


def unknown_starts(data: JointData) -> dict[str, int]:
    """How many participants took each drug from an unknown day on; drugs without any are left out."""
    return {count.name: count.unknown_start for count in data.exposures if count.unknown_start}


def _started_late(selection: Selection) -> Selection:
    """The same selection with every unknown start as late as it can have been."""
    return replace(selection, exposures=tuple(replace(drug, unknown_start="latest") for drug in selection.exposures))


def start_limits(
    fit: Fit,
    cohort: Cohort,
    sampling: Sampling | None = None,
    *,
    method: Method = "auto",
    seed: int | None = None,
    progress: Advance | None = None,
) -> StartLimits:
    """Fit a model again with every unknown start as late as it can have been.

    Parameters
    ----------
    fit : Fit
        With unknown starts before time zero, as every fit has them.
    cohort : Cohort
        That was fitted.
    sampling, method, progress
        As in `alsmodel.inference.fit.fit`.
    seed : int, optional
        That of `fit` without it.

    Returns
    -------
    StartLimits
        Look at ``latest.passed`` too.

    Raises
    ------
    InvalidInput
        For another cohort, or where every start is known.
    FitFailed
        As `alsmodel.inference.fit.fit`.
    """
    people = unknown_starts(fit.data)
    if fit.provenance.get("data") not in (None, "", cohort.digest):
        raise InvalidInput([Fault("cohort", "It is not the cohort that was fitted.", "Give the one that the fit was made from.")])
    if not people:
        raise InvalidInput([Fault("model.treatments", "No drug was taken from an unknown day on, so that there are no limits.")])
    data = joint_data(cohort, _started_late(fit.spec.selection))
    latest = fit_data(
        fit.spec, data, sampling or Sampling(), seed=int(fit.provenance["seed"]) if seed is None else seed, method=method,
        progress=progress, digest=cohort.digest,
    )  # fmt: skip
    return both_limits(fit, latest)


def both_limits(earliest: Fit, latest: Fit) -> StartLimits:
    """Put two fits that were made before beside each other."""
    table = _beside(earliest.summary, latest.summary)
    return StartLimits(earliest=earliest, latest=latest, people=unknown_starts(earliest.data), table=table)


def _beside(earliest: pl.DataFrame, latest: pl.DataFrame) -> pl.DataFrame:
    after = latest.select("parameter", latest="mean", latest_lower="q2_5", latest_upper="q97_5")
    before = earliest.select(
        "parameter", "label", "unit", earliest="mean", earliest_lower="q2_5", earliest_upper="q97_5", spread="sd",
    )  # fmt: skip
    both = before.join(after, on="parameter", how="inner", maintain_order="left")
    return both.with_columns(shift=(pl.col("latest") - pl.col("earliest")) / pl.col("spread")).drop("spread")
