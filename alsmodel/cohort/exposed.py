"""Exposure to drugs and arms as intervals over follow-up, and who informs each effect."""

from dataclasses import dataclass
from typing import final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.clinical.units import DAYS_PER_MONTH
from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.selection import Exposure, Selection
from alsmodel.errors import Fault

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ExposureCount:
    """Who informs the effect of a drug.

    Attributes
    ----------
    randomised, starts_or_stops, prevalent, unexposed, unknown : int
        Participants randomised to it; who started or stopped during follow-up; exposed throughout; never exposed; not recorded.
    unknown_start : int
        Participants who took it from an unknown day on; they are among the others too.
    """

    name: str
    source: str
    randomised: int
    starts_or_stops: int
    prevalent: int
    unexposed: int
    unknown: int
    unknown_start: int = 0


def exposure_table(cohort: Cohort, selection: Selection, people: pl.DataFrame, faults: list[Fault], where: str) -> pl.DataFrame:
    """Rows of exposures for the drugs asked for, arms turned into exposures from time zero on."""
    parts = [cohort.exposures.select("participant_id", "drug", "taken", "start_day", "stop_day").clear()]
    for drug in selection.exposures:
        part = _arm_rows(drug, people, faults, where) if drug.source == "arm" else _drug_rows(drug, cohort, people, faults, where)
        if part is not None:
            parts.append(part.select(parts[0].columns))
    return pl.concat(parts)


def _arm_rows(drug: Exposure, people: pl.DataFrame, faults: list[Fault], where: str) -> pl.DataFrame | None:
    arms = people["arm"]
    place = f"{where}.treatments.{drug.name}"
    levels = sorted(arms.drop_nulls().unique().to_list())
    if str(drug.level).casefold() not in {level.casefold() for level in levels}:
        faults.append(Fault(f"{place}.level", f"No arm is called {drug.level!r}.", f"Arms: {', '.join(levels) or 'none recorded'}."))
        return None
    if (lost := arms.null_count()) and drug.unknown == "refuse":
        faults.append(Fault(f"{place}.unknown", f"{lost} participants have no arm.", 'Leave them out by unknown = "exclude".'))
    known = people.filter(pl.col("arm").is_not_null())
    return known.select(
        "participant_id",
        drug=pl.lit(drug.name),
        taken=pl.col("arm").str.to_lowercase() == str(drug.level).lower(),
        start_day=pl.lit(0.0),
        stop_day=pl.lit(None, pl.Float64),
    )


def _drug_rows(drug: Exposure, cohort: Cohort, people: pl.DataFrame, faults: list[Fault], where: str) -> pl.DataFrame | None:
    rows = cohort.exposures.filter(pl.col("drug").str.to_lowercase() == drug.name.lower()).with_columns(drug=pl.lit(drug.name))
    rows = rows.join(people.select("participant_id"), on="participant_id", how="semi")
    place = f"{where}.treatments.{drug.name}"
    if rows.is_empty():
        known = ", ".join(sorted(cohort.exposures["drug"].unique().to_list())) or "none"
        faults.append(Fault(place, f"No exposure to {drug.name!r} is recorded.", f"The cohort has {known}."))
        return None
    lost = people.height - rows["participant_id"].n_unique()
    if lost and drug.unknown == "refuse":
        faults.append(
            Fault(
                f"{place}.unknown",
                f"Whether {lost} of {people.height} participants took {drug.name} was never recorded, and unknown is not no.",
                'Choose unknown = "exclude", or "unexposed" and "exposed" as the two limits of a sensitivity analysis.',
            )
        )
    return rows


def ineligible(drug: Exposure, cohort: Cohort, exposures: pl.DataFrame, people: pl.DataFrame) -> pl.Series:
    """Whether each of `people` is exposed to a drug that only carriers of a mutation may have, without one being recorded."""
    if drug.gene is None:
        return pl.Series(np.zeros(people.height, bool))
    gene = drug.gene.casefold()
    tested = cohort.genotypes.filter((pl.col("gene").str.to_lowercase() == gene) & (pl.col("result") == "mutation"))
    known = cohort.participants.filter(pl.col("gene").str.to_lowercase() == gene)
    carriers = pl.concat([tested.select("participant_id"), known.select("participant_id")])["participant_id"].implode()
    taking = exposures.filter((pl.col("drug") == drug.name) & pl.col("taken"))["participant_id"].unique().implode()
    return people.select(pl.col("participant_id").is_in(taking) & ~pl.col("participant_id").is_in(carriers)).to_series()


def exposure_intervals(
    exposures: pl.DataFrame, selection: Selection, people: pl.DataFrame, per: float
) -> tuple[tuple[Ints, Ints, Floats, Floats], tuple[ExposureCount, ...]]:
    """Exposure intervals as arrays sorted by participant, and who informs each drug.

    An unknown start means before the origin, or, where the drug's `unknown_start` is "latest", the day of stopping or the end of follow-up.
    """
    order = {drug.name: k for k, drug in enumerate(selection.exposures)}
    rows = exposures.join(people.select("participant_id", "person", "entry", "end"), on="participant_id", how="inner")
    # The effect starts some time after exposure does, and outlasts it.
    later = {"": 0.0, **{drug.name: drug.onset_delay_months * DAYS_PER_MONTH for drug in selection.exposures}}
    longer = {"": 0.0, **{drug.name: drug.washout_months * DAYS_PER_MONTH for drug in selection.exposures}}
    late = [drug.name for drug in selection.exposures if drug.unknown_start == "latest"]
    latest = pl.min_horizontal("stop_day", "end")
    limit = pl.when(pl.col("drug").is_in(late)).then(latest).otherwise(float("-inf"))
    taken = rows.filter("taken").with_columns(
        start=pl.coalesce("start_day", limit) + pl.col("drug").replace_strict(later, return_dtype=pl.Float64),
        stop=pl.col("stop_day").fill_null(float("inf")) + pl.col("drug").replace_strict(longer, return_dtype=pl.Float64),
    )
    counts = []
    for drug in selection.exposures:
        mine = taken.filter(pl.col("drug") == drug.name)
        recorded = rows.filter(pl.col("drug") == drug.name)["person"].n_unique()
        unknown = people.height - recorded
        if drug.unknown == "exposed" and unknown:
            absent = people.join(rows.filter(pl.col("drug") == drug.name).select("person"), on="person", how="anti")
            extra = absent.select(
                "participant_id", "person", "entry", "end", drug=pl.lit(drug.name), taken=True,
                start=pl.lit(float("-inf")), stop=pl.lit(float("inf")),
            )  # fmt: skip
            taken = pl.concat([taken, extra.select(taken.drop("start_day", "stop_day").columns)], how="diagonal")
        acting = mine.filter(pl.col("stop") > pl.col("start"))  # what ends before its effect begins informs nothing
        within = acting.filter(
            ((pl.col("start") > pl.col("entry")) & (pl.col("start") < pl.col("end")))
            | ((pl.col("stop") > pl.col("entry")) & (pl.col("stop") < pl.col("end")))
        )["person"].n_unique()
        exposed = acting.filter((pl.col("start") < pl.col("end")) & (pl.col("stop") > pl.col("entry")))["person"].n_unique()
        arm = drug.source == "arm"
        counts.append(
            ExposureCount(
                name=drug.name,
                source=drug.source,
                randomised=people.height - unknown if arm else 0,
                starts_or_stops=0 if arm else within,
                prevalent=0 if arm else exposed - within,
                unexposed=recorded - exposed,
                unknown=unknown,
                unknown_start=mine.filter(pl.col("start_day").is_null())["person"].n_unique(),
            )
        )
    taken = _merged(taken)
    return (
        taken["person"].cast(pl.Int64).to_numpy().copy(),
        np.array([order[name] for name in taken["drug"].to_list()], np.int64),
        taken["start"].to_numpy() / per,
        taken["stop"].to_numpy() / per,
    ), tuple(counts)


def _merged(taken: pl.DataFrame) -> pl.DataFrame:
    """Union of overlapping intervals per participant and drug: a drug recorded twice is not taken twice."""
    keys = ["person", "drug"]
    ordered = taken.filter(pl.col("stop") > pl.col("start")).sort("person", "drug", "start", "stop")
    reach = pl.col("stop").cum_max().shift(1).over(keys)
    fresh = (pl.col("start") > reach).fill_null(True).cast(pl.Int64).cum_sum().over(keys).alias("run")
    merged = ordered.with_columns(fresh).group_by(*keys, "run").agg(pl.col("start").min(), pl.col("stop").max())
    return merged.sort("person", "drug", "start")
