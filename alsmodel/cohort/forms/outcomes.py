"""Forms of death, of other events and of drugs taken."""

import polars as pl

from alsmodel.clinical.events import DEATH
from alsmodel.cohort.between import checked_free_until
from alsmodel.cohort.cells import DAY_RANGE, finite, known_word, reject_copies
from alsmodel.cohort.forms.covariates import listed
from alsmodel.cohort.forms.form import Form
from alsmodel.cohort.ledger import POSITION, Ledger


def read_deaths(form: Form, last_visit: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return death events, and for everyone in the table whether death was recorded, as a covariate.

    Who is absent from the table is neither dead nor alive: no row of either result speaks of them.

    Parameters
    ----------
    form : Form
    last_visit : polars.DataFrame
        participant_id, last_visit: day of the last assessment.
    """
    form = form.with_participants()
    ledger, written = form.ledger, form.written
    frame = reject_copies(form.frame, ledger)
    frame = known_word(frame, "died", form.words("yes_no"), ledger, written["died"])
    if ledger.flag("nothing_recorded", frame, pl.col("died").is_null(), column=written["died"]):
        frame = ledger.usable(frame)
    frame = _days(form, frame)
    frame = frame.sort(pl.col("died") == "yes", pl.col("day").is_not_null(), descending=True, maintain_order=True)
    again = frame.filter(~pl.col("participant_id").is_first_distinct())
    if ledger.flag("death_conflict", again):
        frame = ledger.usable(frame)
    frame = frame.join(last_visit, on="participant_id", how="left", maintain_order="left")
    dead = pl.col("died") == "yes"
    early = dead & (pl.col("day") < pl.col("last_visit").fill_null(0.0))
    ledger.flag("death_day_missing", frame, dead & pl.col("day").is_null(), column=written["day"])
    ledger.flag("death_before_last_visit", frame, early, column=written["day"])
    frame = _between(form, frame.with_columns(_had=dead & ~early.fill_null(False)))
    events = frame.filter(dead).select(
        "participant_id",
        pl.lit("death").alias("kind"),
        pl.when(~early.fill_null(False)).then(pl.col("day")).alias("day"),
        pl.lit(DEATH.tag).alias("definition"),
        "free_until_day",
    )
    recorded = pl.when(dead).then(pl.lit("died")).otherwise(pl.lit("not died")).alias("text")
    return events, frame.select("participant_id", pl.lit("death_recorded").alias("name"), recorded)


def read_drug_use(form: Form) -> pl.DataFrame:
    """Return one drug's exposures: yes with its start, no as not taken; an empty answer is unknown and has no row."""
    form = form.with_participants()
    ledger, written = form.ledger, form.written
    frame = reject_copies(form.frame, ledger)
    frame = known_word(frame, "taken", form.words("yes_no"), ledger, written["taken"])
    if ledger.flag("nothing_recorded", frame, pl.col("taken").is_null(), column=written["taken"]):
        frame = ledger.usable(frame)
    frame = form.days(frame, "start_day")
    frame = frame.sort(pl.col("taken") == "yes", descending=True, maintain_order=True)
    again = frame.filter(~pl.col("participant_id").is_first_distinct())
    detail = "rows of one participant and drug differ; taken over not taken, then the first, was used"
    if ledger.flag("exposure_conflict", again, detail=detail):
        frame = ledger.usable(frame)
    taken = pl.col("taken") == "yes"
    return frame.select(
        "participant_id",
        pl.lit(form.map.drug).alias("drug"),
        taken.alias("taken"),
        pl.when(taken).then(pl.col("start_day")).alias("start_day"),
    )


def read_medications(form: Form) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return exposures to the drugs of the mapping, how they were taken, and the days of all medications.

    A cell may hold several drugs, separated by semicolons; other medications than those of the mapping are set aside.
    How a drug was taken are the covariates "DRUG_frequency" and "DRUG_route".
    """
    form = form.with_participants()
    ledger, mapping = form.ledger, form.source
    text = pl.col("drugs").str.to_lowercase()
    frame = form.frame.with_columns(
        text.str.contains_any(list(names)).fill_null(False).alias(f"drug:{drug}") for drug, names in mapping.drugs.items()
    )
    known = [f"drug:{drug}" for drug in mapping.drugs]
    days = days_told(form)
    ledger.flag("row_set_aside", frame, ~pl.any_horizontal(known), detail="a medication that is no ALS drug")
    frame = reject_copies(ledger.usable(frame), ledger)
    frame = _interval(form.numbers(frame, {"dose": None}), form)
    kept = ["participant_id", POSITION, "start_day", "stop_day", "dose", "dose_unit", "frequency", "route"]
    long = frame.unpivot(known, index=kept, variable_name="drug", value_name="taken")
    long = long.filter("taken").with_columns(pl.col("drug").str.strip_prefix("drug:"))
    how = [
        listed(long.filter(pl.col("drug") == drug).select("participant_id", POSITION, text=column), f"{drug}_{column}")
        for drug in mapping.drugs
        for column in ("frequency", "route")
    ]
    return long, pl.concat(how), days


def days_told(form: Form) -> pl.DataFrame:
    """Return participant_id and day: each start and stop that is a day; placeholders and what is none are left out, unflagged."""
    long = form.frame.unpivot(["start_day", "stop_day"], index="participant_id", value_name="text")
    own = form.clock.own(long["text"]).alias("day")
    long = long.with_columns(own.set(own.is_in(list(form.source.stop_sentinels)), None)).drop_nulls(["participant_id", "day"])
    if form.clock.origin is not None:
        long = long.join(form.clock.origin, on="participant_id").with_columns(pl.col("day") - pl.col("origin"))
    return long.filter(pl.col("day").is_between(*DAY_RANGE)).select("participant_id", "day")


def read_adverse_events(form: Form) -> pl.DataFrame:
    """Return the days of adverse events (participant_id, day); the events have no canonical place and are set aside."""
    form = form.with_participants()
    detail = "adverse events; of them only the days are used, for the last contact over all tables"
    form.ledger.flag("row_set_aside", form.frame, detail=detail)
    return days_told(form)


def read_exposures(form: Form) -> pl.DataFrame:
    """Return exposures to the study's own drug: a row per interval of doses; a drug that is not named is the form's `drug`."""
    form = form.with_participants()
    ledger, written = form.ledger, form.written
    frame = reject_copies(form.frame, ledger)
    frame = frame.with_columns(pl.coalesce("drug", pl.lit(form.map.drug or None, dtype=pl.String)).alias("drug"))
    if ledger.flag("nothing_recorded", frame, pl.col("drug").is_null(), column=written["drug"]):
        frame = ledger.usable(frame)
    frame = _interval(form.numbers(frame, {"dose": None}), form)
    frame = frame.with_columns(_canonical_drug(form).alias("drug"), pl.lit(True).alias("taken"))
    return frame.select("participant_id", "drug", "taken", "start_day", "stop_day", "dose", "dose_unit")


def read_event(form: Form) -> pl.DataFrame:
    """Return the form's event, first day of each participant; a row that says no event has no event.

    Without a column `happened` a row means that the event happened.
    """
    form = form.with_participants()
    ledger, written = form.ledger, form.written
    frame = reject_copies(form.frame, ledger)
    if "happened" in form.map.spelled:
        frame = form.known(frame, "happened", "yes_no")
        if ledger.flag("nothing_recorded", frame, pl.col("happened").is_null() & pl.col("day").is_null(), column=written["happened"]):
            frame = ledger.usable(frame)
        frame = frame.with_columns(pl.coalesce("happened", pl.lit("yes")).alias("happened"))
    else:
        frame = frame.with_columns(pl.lit("yes").alias("happened"))
    frame = _days(form, frame)
    happened = frame.filter(pl.col("happened") == "yes").sort("day", nulls_last=True, maintain_order=True)
    again = happened.filter(~pl.col("participant_id").is_first_distinct())
    ledger.flag("event_repeated", again)
    happened = happened.filter(pl.col("participant_id").is_first_distinct())
    ledger.flag("event_day_missing", happened, pl.col("day").is_null(), column=written["day"])
    happened = _between(form, happened.with_columns(_had=pl.lit(True)))
    named = (pl.lit(form.map.event).alias("kind"), "day", pl.lit(form.map.definition).alias("definition"))
    return happened.select("participant_id", *named, "free_until_day")


def _days(form: Form, frame: pl.DataFrame) -> pl.DataFrame:
    """Read the day of an event and the last one known free of it, with `_given`: whether the cell of the latter held anything."""
    return form.days(frame.with_columns(_given=pl.col("free_until_day").is_not_null()), "day", "free_until_day")


def _between(form: Form, frame: pl.DataFrame) -> pl.DataFrame:
    """Check the last day known free of the event where the form has it."""
    if "free_until_day" not in form.written:
        return frame.with_columns(free_until_day=pl.lit(None, pl.Float64))
    free, day, had, given = (pl.col(name) for name in ("free_until_day", "day", "_had", "_given"))
    column = form.written["free_until_day"]
    return frame.with_columns(checked_free_until(frame, form.ledger, given=given, free=free, day=day, happened=had, column=column))


def _interval(frame: pl.DataFrame, form: Form) -> pl.DataFrame:
    """Read start and stop: placeholders for no stop, and a stop before the start, count as unknown."""
    ledger, written = form.ledger, form.written
    sentinel = finite(pl.col("stop_day")).is_in(list(form.source.stop_sentinels))
    ledger.flag("stop_sentinel", frame, sentinel, column=written["stop_day"])
    frame = frame.with_columns(pl.when(~sentinel.fill_null(False)).then(pl.col("stop_day")).alias("stop_day"))
    frame = form.days(frame, "start_day", "stop_day")
    reversed_ = pl.col("stop_day") < pl.col("start_day")
    ledger.flag("exposure_reversed", frame, reversed_, column=written["stop_day"])
    return frame.with_columns(pl.when(~reversed_.fill_null(False)).then(pl.col("stop_day")).alias("stop_day"))


def _canonical_drug(form: Form) -> pl.Expr:
    """Return the canonical name of a drug that the source knows, else the name as said, in lower case."""
    said = pl.col("drug").str.to_lowercase()
    name = pl.lit(None, dtype=pl.String)
    for drug, names in form.source.drugs.items():
        name = pl.when(said.str.contains_any(list(names))).then(pl.lit(drug)).otherwise(name)
    return pl.coalesce(name, said)


def flag_contradictions(ledger: Ledger, not_taken: pl.DataFrame, medications: pl.DataFrame) -> None:
    """List the participants whose drug is recorded as not taken in one table and as taken in another."""
    no = not_taken.filter(~pl.col("taken"))
    both = no.join(medications, on=["participant_id", "drug"], how="semi")["participant_id"]
    if len(both):
        ledger.note("exposure_contradiction", participants=both)
