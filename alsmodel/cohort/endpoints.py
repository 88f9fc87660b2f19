"""End points of survival from a cohort's events: who was followed from when to when, and whether the event happened.

What a source records of everyone is not visible in its rows: nobody with a tracheostomy may mean that nobody had one, or that it
was not asked. Readers state it in ``provenance["records_events"]``, a list of ``{"kind": ..., "definition": ...}``; an end point
that needs more than that is refused.
"""

import polars as pl

from alsmodel.clinical.events import DIED, EVENT_COMPONENTS, EVENT_DEFINITIONS, EventDefinition, require, supports
from alsmodel.cohort.cohort import Cohort
from alsmodel.errors import Fault, InvalidInput

RECORDS = "records_events"
_DECLARE = "Declare what the source records (kind and definition) under records_events."

#: Columns of `end_point` and their types.
COLUMNS: dict[str, pl.DataType] = {
    "participant_id": pl.String(),
    "entry_day": pl.Float64(),
    "end_day": pl.Float64(),
    "happened": pl.Boolean(),
    "component": pl.String(),
    "undated": pl.Boolean(),
    "at_entry": pl.Boolean(),
    "after_last_contact": pl.Boolean(),
    "later_death_day": pl.Float64(),
    "definition": pl.String(),
}


def recorded_events(cohort: Cohort, *, where: str = "cohort") -> tuple[str, ...]:
    """Return the tags of the events that the cohort's source records of everyone.

    Raises
    ------
    InvalidInput
        When the cohort does not say, or says it in another form.
    """
    declared = cohort.provenance.get(RECORDS)
    if declared is None:
        message = "The cohort does not say which events its source records of everyone, and missing rows do not show it."
        raise InvalidInput([Fault(f"{where}.{RECORDS}", message, _DECLARE)])
    if not isinstance(declared, list) or not all(isinstance(e, dict) and isinstance(e.get("definition"), str) for e in declared):
        raise InvalidInput([Fault(f"{where}.{RECORDS}", "A list of kind and definition was expected.", _DECLARE)])
    return tuple(dict.fromkeys(e["definition"] for e in declared))


def end_point(cohort: Cohort, definition: EventDefinition | str, *, where: str = "end_point") -> pl.DataFrame:
    """Follow every participant from entry to the first component of an end point, or to censoring.

    Parameters
    ----------
    cohort : Cohort
    definition : EventDefinition or str
        Or its tag: one of `alsmodel.clinical.events.EVENT_DEFINITIONS`, or one that the source records in its own words.
    where : str
        Where the faults are said to lie.

    Returns
    -------
    polars.DataFrame
        One row per participant, sorted; days from the time origin:

        - entry_day: observation begins (0 where the source does not say);
        - end_day: the event, or the last contact; null when there was no contact at all;
        - happened: whether the event ended it. False is censored, never "alive";
        - component: tag of what came first (on the same day, the first in the definition), null when nothing is recorded;
        - undated: a component happened on an unknown day. Without a dated one the participant is censored at last contact, which
          is exact for death and a limit for anything else (it may have happened before); with a dated one that one counts,
          and the truth may be earlier;
        - at_entry: it happened on or before entry; censored at entry, as HEALEY does with PAV at baseline;
        - after_last_contact: it happened after the last contact and counts. Where deaths are found so but the living are
          censored at last contact, hazards are overstated: count these;
        - later_death_day: death after another component came first, for illness-death models;
        - definition.

    Raises
    ------
    InvalidInput
        When the source does not record every component, naming all that are missing; or the definition is not known.
    """
    recorded = recorded_events(cohort, where=where)
    chosen = _named(definition, recorded, where)
    tags = _required(cohort, chosen, recorded, where)
    people = _contact(cohort).join(_first(cohort, tags), on="participant_id", how="left", maintain_order="left")
    dead = cohort.events.filter(pl.col("definition") == DIED.tag).group_by("participant_id").agg(pl.col("day").min().alias("death_day"))
    people = people.join(dead, on="participant_id", how="left", maintain_order="left")
    return _followed(people, chosen.tag)


def end_point_counts(frame: pl.DataFrame) -> pl.DataFrame:
    """Count the participants of an `end_point` by what became of them; the counts add up to everyone.

    Returns
    -------
    polars.DataFrame
        fate ("happened", "censored", "on an unknown day: censored at last contact", "on or before entry: censored at entry",
        "no contact") and participants, in that order, and of those who had it "happened after last contact" and "happened, perhaps
        earlier on an unknown day" as parts of "happened".
    """
    happened = pl.col("happened")
    fate = (
        pl.when(happened)
        .then(pl.lit("happened"))
        .when("at_entry")
        .then(pl.lit("on or before entry: censored at entry"))
        .when(pl.col("end_day").is_null())
        .then(pl.lit("no contact"))
        .when("undated")
        .then(pl.lit("on an unknown day: censored at last contact"))
        .otherwise(pl.lit("censored"))
    )
    fates = frame.select(fate.alias("fate"))["fate"]
    order = (
        "happened",
        "censored",
        "on an unknown day: censored at last contact",
        "on or before entry: censored at entry",
        "no contact",
    )
    rows = [(name, "everyone", int((fates == name).sum())) for name in order]
    parts = {
        "happened after last contact": happened & pl.col("after_last_contact"),
        "happened, perhaps earlier on an unknown day": happened & pl.col("undated"),
    }
    rows += [(name, "happened", int(frame.select(part.sum()).item() or 0)) for name, part in parts.items()]
    return pl.DataFrame(rows, schema={"fate": pl.String, "part_of": pl.String, "participants": pl.Int64}, orient="row")


def end_point_table(cohort: Cohort) -> pl.DataFrame:
    """List every known end point, and those that the source names itself, with whether the cohort supports it and why not.

    Returns
    -------
    polars.DataFrame
        definition, meaning, source, supported, reason (null when supported), happened (participants; null when not supported).
    """
    try:
        recorded, unsaid = recorded_events(cohort), None
    except InvalidInput as error:
        recorded, unsaid = (), error.faults[0].message
    own = [EventDefinition(tag, tag, "the source") for tag in recorded if tag not in EVENT_DEFINITIONS and tag not in EVENT_COMPONENTS]
    rows = []
    for known in (*EVENT_DEFINITIONS.values(), *own):
        support = supports(recorded, known)
        count = int(end_point(cohort, known)["happened"].sum()) if support.yes else None
        reason = None if support.yes else unsaid or " ".join(support.reasons)
        rows.append((known.tag, known.meaning, known.source, support.yes, reason, count))
    schema = {
        "definition": pl.String, "meaning": pl.String, "source": pl.String, "supported": pl.Boolean, "reason": pl.String,
        "happened": pl.Int64,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def _named(definition: EventDefinition | str, recorded: tuple[str, ...], where: str) -> EventDefinition:
    if isinstance(definition, EventDefinition):
        return definition
    if definition in EVENT_DEFINITIONS:
        return EVENT_DEFINITIONS[definition]
    if definition in recorded:
        return EventDefinition(definition, definition, "the source")
    known = "; ".join(dict.fromkeys((*EVENT_DEFINITIONS, *recorded)))
    raise InvalidInput([Fault(where, f"No end point is called {definition!r}.", f"Choose one of: {known}.")])


def _required(cohort: Cohort, definition: EventDefinition, recorded: tuple[str, ...], where: str) -> tuple[str, ...]:
    """Tags that make up `definition`; a refusal also says which of the missing ones have rows all the same."""
    try:
        return require(recorded, definition, place=where)
    except InvalidInput as error:
        needed = [tag for need in supports(recorded, definition).missing for tag in need.accepted]
        counts = {tag: cohort.events.filter(pl.col("definition") == tag).height for tag in needed}
        there = [
            Fault(where, f'{count} events are of "{tag}", but the source is not declared to record it of everyone.', _DECLARE)
            for tag, count in counts.items()
            if count
        ]
        raise InvalidInput([*error.faults, *there]) from None


def _followed(people: pl.DataFrame, tag: str) -> pl.DataFrame:
    """The columns of `end_point` from entry, last contact, first dated and undated component, and day of death."""
    day, entry = pl.col("day"), pl.col("entry_day")
    at_entry = (day <= entry).fill_null(False)
    happened = day.is_not_null() & ~at_entry
    # Nobody is at risk of anything after death, whichever event is looked at.
    censored = pl.max_horizontal(entry, pl.min_horizontal("last_contact", "death_day"))
    end = pl.when(at_entry).then(entry).when(happened).then(day).when(pl.col("last_contact").is_not_null()).then(censored)
    undated = pl.col("undated").fill_null(False)
    return (
        people.with_columns(
            end_day=end,
            happened=happened,
            component=pl.coalesce("component", "undated_component"),
            # A death on an unknown day cannot have come before a dated component.
            undated=pl.when(day.is_null()).then(undated).otherwise(undated & (pl.col("undated_component") != DIED.tag)),
            at_entry=at_entry,
            after_last_contact=happened & (day > pl.col("last_contact")).fill_null(True),
            later_death_day=pl.when(day.is_not_null() & (pl.col("component") != DIED.tag) & (pl.col("death_day") >= day)).then("death_day"),
            definition=pl.lit(tag),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in COLUMNS.items())
        .sort("participant_id")
    )


def _contact(cohort: Cohort) -> pl.DataFrame:
    """participant_id, entry_day, last_contact."""
    seen = [frame.select("participant_id", "day") for frame in (cohort.assessments, cohort.measurements)]
    last = pl.concat(seen).group_by("participant_id").agg(pl.col("day").max().alias("last_seen"))
    return cohort.participants.join(last, on="participant_id", how="left", maintain_order="left").select(
        "participant_id",
        pl.col("entry_day").fill_null(0.0),
        pl.max_horizontal("last_contact_day", "last_seen").alias("last_contact"),
    )


def _first(cohort: Cohort, tags: tuple[str, ...]) -> pl.DataFrame:
    """Per participant with any of `tags`: first dated one (day, component), and whether one is undated, and which."""
    order = pl.col("definition").replace_strict(list(tags), list(range(len(tags))), return_dtype=pl.Int64)
    rows = cohort.events.filter(pl.col("definition").is_in(list(tags))).with_columns(order.alias("order"))
    dated = rows.drop_nulls("day").sort("day", "order").group_by("participant_id", maintain_order=True).first()
    # Of several undated ones that which can have come first: any other before death.
    fatal = (pl.col("definition") == DIED.tag).alias("fatal")
    undated = rows.filter(pl.col("day").is_null()).sort(fatal, "order").group_by("participant_id", maintain_order=True).first()
    return dated.select("participant_id", "day", pl.col("definition").alias("component")).join(
        undated.select("participant_id", undated=pl.lit(True), undated_component="definition"),
        on="participant_id",
        how="full",
        coalesce=True,
    )
