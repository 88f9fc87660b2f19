"""Follow-up when several causes may end it, and what happens after one of them.

The first of all causes to happen ends the follow-up of the score. Two on one day: the one listed first counts, the main cause before all
others, so that somebody who died on the day of a tracheostomy has died.
"""

import polars as pl

from alsmodel.cohort.between import refuse_between
from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.selection import Selection
from alsmodel.cohort.steps import Steps
from alsmodel.errors import Fault


def causes_follow_up(cohort: Cohort, selection: Selection, visits: pl.DataFrame, faults: list[Fault], where: str) -> pl.DataFrame:
    """One row per participant with a score: entry, end, event, cause (its place); days.

    Nobody is followed past an event of any cause. An event on an unknown day is censored at last contact.
    """
    listed = (selection.events, *(cause.events for cause in selection.causes))
    places = [f"{where}.events", *(f"{where}.causes.{cause.name}.events" for cause in selection.causes)]
    known = set(cohort.events["kind"].unique().to_list())
    for kinds, place in zip(listed, places, strict=True):
        if not known & set(kinds):
            has = f"The cohort has {', '.join(sorted(known))}." if known else "The cohort has no events."
            remedy = f"{has} Why somebody left is an event too, of a kind of its own such as dropout, where the source records it."
            faults.append(Fault(place, f"No event is of kind {', '.join(kinds)}.", remedy))
    order = {kind: place for place, kinds in enumerate(listed) for kind in kinds}
    rows = cohort.events.filter(pl.col("kind").is_in(list(order))).with_columns(
        cause=pl.col("kind").replace_strict(list(order), list(order.values()), return_dtype=pl.Int64)
    )
    after = [kind for cause in selection.causes for kind in cause.then]
    why = "with several causes each needs a day, since the first of all ends the follow-up."
    refuse_between(cohort.events.filter(pl.col("kind").is_in([*order, *after])), faults, where, why)
    return followed_to(cohort, visits, rows)


def followed_to(cohort: Cohort, visits: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """One row per participant with a score, followed to the first of these events (participant_id, day, cause); days.

    An event on an unknown day is censored at last contact: with no upper bound on the day the likelihood of a death there is
    S(last contact), which is what censoring gives. Of events that lie between two days, the first happened after the earliest day known
    free of one of them, `free`, and by the earliest day known to have had one.
    """
    dated = events.drop_nulls("day").sort("day", "cause").group_by("participant_id", maintain_order=True).first()
    first = dated.select("participant_id", pl.col("day").alias("event_day"), "cause")
    clear = events.drop_nulls("day").group_by("participant_id").agg(free_day=pl.coalesce("free_until_day", "day").min())
    undated = events.filter(pl.col("day").is_null())["participant_id"].unique().implode()
    last = visits.group_by("participant_id").agg(pl.col("day").max().alias("last_visit"))
    return (
        cohort.participants.sort("participant_id")
        .join(last, on="participant_id", how="inner", maintain_order="left")
        .join(first, on="participant_id", how="left", maintain_order="left")
        .join(clear, on="participant_id", how="left", maintain_order="left")
        .with_columns(
            undated=pl.col("participant_id").is_in(undated),
            entry=pl.col("entry_day").fill_null(0.0),
            end=pl.coalesce("event_day", pl.max_horizontal("last_contact_day", "last_visit")),
            event=pl.col("event_day").is_not_null(),
            cause=pl.col("cause").fill_null(0),
            shift=pl.lit(0.0),
        )
        # Who is under observation is free of the event.
        .with_columns(free=pl.min_horizontal("end", pl.max_horizontal(pl.coalesce("free_day", "end"), "entry")))
        .with_row_index("row")
    )


def with_later(cohort: Cohort, selection: Selection, people: pl.DataFrame, steps: Steps, visits: int) -> pl.DataFrame:
    """Add the place of the cause, and the end of follow-up after it with whether it was what is looked for then.

    Without an event to look for, or without contact after the cause, that follow-up has no length.
    """
    if "cause" not in people.columns:
        people = people.with_columns(cause=pl.lit(0, pl.Int64))
    people = people.with_columns(later_end=pl.col("end"), later_event=pl.lit(False))
    for place, cause in enumerate(selection.causes, start=1):
        if not cause.then:
            continue
        rows = cohort.events.filter(pl.col("kind").is_in(list(cause.then)))
        first = rows.drop_nulls("day").group_by("participant_id").agg(pl.col("day").min().alias("then_day"))
        people = people.join(first, on="participant_id", how="left", maintain_order="left")
        mine = pl.col("event") & (pl.col("cause") == place)
        until = pl.coalesce("then_day", pl.max_horizontal("last_contact_day", "end"))
        people = people.with_columns(
            later_end=pl.when(mine & (until > pl.col("end"))).then(until).otherwise("later_end"),
            later_event=pl.when(mine & (until > pl.col("end"))).then(pl.col("then_day").is_not_null()).otherwise("later_event"),
        )
        had = people.filter(mine)
        followed, happened = had.filter(pl.col("later_end") > pl.col("end")).height, int(had["later_event"].sum())
        ill = int(had.select((pl.col("then_day") <= pl.col("end")).sum()).item() or 0)
        told = f"{had.height} had {cause.name} first; {followed} of them were followed after it, {happened} to {' or '.join(cause.then)}"
        extra = f"; {ill} had that on the same day or before, which is left out" if ill else ""
        steps.note(f"after {cause.name}", people.height, visits, told + extra)
        people = people.drop("then_day")
    return people
