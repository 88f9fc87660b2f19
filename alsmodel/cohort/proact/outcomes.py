"""PRO-ACT tables of death and of drugs taken."""

import polars as pl

from alsmodel.clinical.events import DEATH
from alsmodel.cohort.cells import DAY_RANGE, as_numbers, known_word, reject_copies, within
from alsmodel.cohort.ledger import Ledger
from alsmodel.cohort.proact.folder import Loaded


def read_deaths(loaded: Loaded, last_visit: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return death events, and for everyone in the table whether death was recorded, as a covariate.

    Who is absent from the table is neither dead nor alive: no row of either result speaks of them.

    Parameters
    ----------
    loaded : Loaded
    last_visit : polars.DataFrame
        participant_id, last_visit: day of the last assessment.
    """
    loaded = loaded.with_participants()
    ledger, written = loaded.ledger, loaded.written
    frame = reject_copies(loaded.frame, ledger)
    frame = known_word(frame, "died", loaded.mapping.words["yes_no"], ledger, written["died"])
    if ledger.flag("nothing_recorded", frame, pl.col("died").is_null(), column=written["died"]):
        frame = ledger.usable(frame)
    frame = within(as_numbers(frame, ("day",), ledger, written), {"day": DAY_RANGE}, ledger, written)
    frame = frame.sort(pl.col("died") == "yes", pl.col("day").is_not_null(), descending=True, maintain_order=True)
    again = frame.filter(~pl.col("participant_id").is_first_distinct())
    if ledger.flag("death_conflict", again):
        frame = ledger.usable(frame)
    frame = frame.join(last_visit, on="participant_id", how="left", maintain_order="left")
    dead = pl.col("died") == "yes"
    early = dead & (pl.col("day") < pl.col("last_visit").fill_null(0.0))
    ledger.flag("death_day_missing", frame, dead & pl.col("day").is_null(), column=written["day"])
    ledger.flag("death_before_last_visit", frame, early, column=written["day"])
    events = frame.filter(dead).select(
        "participant_id",
        pl.lit("death").alias("kind"),
        pl.when(~early.fill_null(False)).then(pl.col("day")).alias("day"),
        pl.lit(DEATH.tag).alias("definition"),
    )
    recorded = pl.when(dead).then(pl.lit("died")).otherwise(pl.lit("not died")).alias("text")
    return events, frame.select("participant_id", pl.lit("death_recorded").alias("name"), recorded)


def read_drug_use(loaded: Loaded) -> pl.DataFrame:
    """Return one drug's exposures: yes with its start, no as not taken; an empty answer is unknown and has no row."""
    loaded = loaded.with_participants()
    ledger, written = loaded.ledger, loaded.written
    frame = reject_copies(loaded.frame, ledger)
    frame = known_word(frame, "taken", loaded.mapping.words["yes_no"], ledger, written["taken"])
    if ledger.flag("nothing_recorded", frame, pl.col("taken").is_null(), column=written["taken"]):
        frame = ledger.usable(frame)
    frame = within(as_numbers(frame, ("start_day",), ledger, written), {"start_day": DAY_RANGE}, ledger, written)
    frame = frame.sort(pl.col("taken") == "yes", descending=True, maintain_order=True)
    again = frame.filter(~pl.col("participant_id").is_first_distinct())
    detail = "rows of one participant and drug differ; taken over not taken, then the first, was used"
    if ledger.flag("exposure_conflict", again, detail=detail):
        frame = ledger.usable(frame)
    taken = pl.col("taken") == "yes"
    return frame.select(
        "participant_id",
        pl.lit(loaded.table.drug).alias("drug"),
        taken.alias("taken"),
        pl.when(taken).then(pl.col("start_day")).alias("start_day"),
    )


def read_medications(loaded: Loaded) -> pl.DataFrame:
    """Return exposures to the drugs of the mapping; other medications are set aside.

    A cell may hold several drugs, separated by semicolons.
    """
    loaded = loaded.with_participants()
    ledger, written, mapping = loaded.ledger, loaded.written, loaded.mapping
    text = pl.col("drugs").str.to_lowercase()
    frame = loaded.frame.with_columns(
        text.str.contains_any(list(names)).fill_null(False).alias(f"drug:{drug}") for drug, names in mapping.drugs.items()
    )
    known = [f"drug:{drug}" for drug in mapping.drugs]
    ledger.flag("row_set_aside", frame, ~pl.any_horizontal(known), detail="a medication that is no ALS drug")
    frame = reject_copies(ledger.usable(frame), ledger)
    frame = as_numbers(frame, ("start_day", "stop_day", "dose"), ledger, written)
    sentinel = pl.col("stop_day").is_in(list(mapping.stop_sentinels))
    ledger.flag("stop_sentinel", frame, sentinel, column=written["stop_day"])
    frame = frame.with_columns(pl.when(~sentinel).then(pl.col("stop_day")).alias("stop_day"))
    frame = within(frame, {"start_day": DAY_RANGE, "stop_day": DAY_RANGE}, ledger, written)
    reversed_ = pl.col("stop_day") < pl.col("start_day")
    ledger.flag("exposure_reversed", frame, reversed_, column=written["stop_day"])
    frame = frame.with_columns(pl.when(~reversed_.fill_null(False)).then(pl.col("stop_day")).alias("stop_day"))
    long = frame.unpivot(
        known, index=["participant_id", "start_day", "stop_day", "dose", "dose_unit"], variable_name="drug", value_name="taken"
    )
    return long.filter("taken").with_columns(pl.col("drug").str.strip_prefix("drug:"))


def flag_contradictions(ledger: Ledger, not_taken: pl.DataFrame, medications: pl.DataFrame) -> None:
    """List the participants whose drug is recorded as not taken in one table and as taken in another."""
    no = not_taken.filter(~pl.col("taken"))
    both = no.join(medications, on=["participant_id", "drug"], how="semi")["participant_id"]
    if len(both):
        ledger.note("exposure_contradiction", participants=both)
