"""PRO-ACT tables of one fact per participant: demographics, history, arm, El Escorial, family history."""

from collections.abc import Sequence

import polars as pl

from alsmodel.clinical.units import DAYS_PER_YEAR
from alsmodel.cohort.cells import DAY_RANGE, as_numbers, known_word, reject_copies, within
from alsmodel.cohort.ledger import Ledger
from alsmodel.cohort.proact.folder import Loaded

_FLAGS = {
    "onset_bulbar": "bulbar",
    "onset_limb": "limb",
    "onset_limb_and_bulbar": "limb and bulbar",
    "onset_spine": "spine",
    "onset_other": "other",
}
_ALS = r"(?i)\bals\b|amyotrophic|motor neuron|lou gehrig"
_NOT_A_GENE = r"(?i)^(?:no|none|negative|unknown|not\b.*|n/?a)\b"


def read_demographics(loaded: Loaded) -> pl.DataFrame:
    """Return sex and age (years at baseline); age from the birth day where only that is given."""
    loaded = loaded.with_participants()
    ledger, written, mapping = loaded.ledger, loaded.written, loaded.mapping
    frame = reject_copies(loaded.frame, ledger)
    frame = _first_of_each(frame, ledger, ("age", "birth_day", "sex"))
    frame = as_numbers(frame, ("age", "birth_day"), ledger, written)
    born = pl.col("age").is_null() & pl.col("birth_day").is_not_null()
    ledger.flag("age_from_birth", frame, born, column=written["birth_day"])
    # The birth day is a negative count of days before baseline, not a date; its sign is never dropped.
    frame = frame.with_columns(pl.coalesce("age", -pl.col("birth_day") / DAYS_PER_YEAR).alias("age"))
    frame = within(frame, {"age": mapping.ranges["age"]}, ledger, written)
    frame = known_word(frame, "sex", mapping.words["sex"], ledger, written["sex"])
    return frame.select("participant_id", "sex", "age")


def read_history(loaded: Loaded) -> pl.DataFrame:
    """Return site of onset, onset day and diagnosis day; several rows of a participant are joined."""
    loaded = loaded.with_participants()
    ledger, written = loaded.ledger, loaded.written
    frame = loaded.frame
    days = ("onset_day", "diagnosis_day")
    frame = within(as_numbers(frame, days, ledger, written), dict.fromkeys(days, DAY_RANGE), ledger, written)
    frame = _onset_site(frame, loaded)
    facts = ("onset_day", "diagnosis_day", "onset_site")
    # Rows with a symptom and no date or site are the rule in this table.
    ledger.flag("row_set_aside", frame, pl.all_horizontal(pl.col(facts).is_null()), detail="symptom only, no date and no site")
    frame = ledger.usable(frame).sort("onset_day", nulls_last=True, maintain_order=True)
    first = frame.group_by("participant_id", maintain_order=True).agg(pl.col(*facts).first(ignore_nulls=True))
    told = frame.join(first, on="participant_id", suffix="_used", maintain_order="left")
    differs = pl.any_horizontal(pl.col(fact) != pl.col(f"{fact}_used") for fact in facts)
    ledger.flag("history_conflict", told, differs)
    return _checked_onset(told.unique("participant_id", keep="first", maintain_order=True), ledger, written)


def read_arm(loaded: Loaded) -> pl.DataFrame:
    """Return the assigned arm, "active" or "placebo"; "active" pools different drugs and is no treatment."""
    return _one_word(loaded, "arm", "arm")


def read_el_escorial(loaded: Loaded) -> pl.DataFrame:
    """Return the recorded El Escorial category."""
    return _one_word(loaded, "el_escorial", "el_escorial")


def read_family(loaded: Loaded) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return family history of ALS (true, false or unknown) and the mutation found in the family, as a covariate.

    True: a relative's disease is ALS, or a mutation is named. False: the form says that there is no neurological
    disease in the family. Anything else is unknown.
    """
    loaded = loaded.with_participants()
    ledger = loaded.ledger
    diseases = pl.concat_str("disease", "disease_other", "neuro_disease", "neuro_disease_other", separator=" ", ignore_nulls=True)
    mutation = pl.when(~pl.col("mutation").str.contains(_NOT_A_GENE)).then(pl.col("mutation"))
    affected = diseases.str.contains(_ALS).fill_null(False) | mutation.is_not_null()
    none = pl.col("neuro_disease").str.contains(r"(?i)^no\b") & pl.col("disease").is_null() & pl.col("disease_other").is_null()
    frame = loaded.frame.with_columns(pl.when(affected).then(True).when(none).then(False).alias("family_history"), mutation.alias("text"))
    other = pl.col("family_history").is_null()
    ledger.flag("row_set_aside", frame, other, detail="a family disease other than ALS, or nothing said of ALS")
    frame = ledger.usable(frame)
    history = frame.group_by("participant_id", maintain_order=True).agg(pl.col("family_history").max())
    named = frame.drop_nulls("text").unique("participant_id", keep="first", maintain_order=True)
    return history, named.select("participant_id", pl.lit("family_mutation").alias("name"), "text")


def _first_of_each(frame: pl.DataFrame, ledger: Ledger, facts: Sequence[str]) -> pl.DataFrame:
    """Keep the fullest row of each participant, then the first; reject the others."""
    filled = pl.sum_horizontal(pl.col(facts).is_not_null())
    ranked = frame.sort(filled, descending=True, maintain_order=True)
    again = ranked.filter(~pl.col("participant_id").is_first_distinct())
    detail = "another row of this participant differs; the fuller one, then the first, was used"
    return ledger.usable(frame) if ledger.flag("conflicting_row", again, detail=detail) else frame


def _one_word(loaded: Loaded, column: str, words: str) -> pl.DataFrame:
    loaded = loaded.with_participants()
    ledger = loaded.ledger
    frame = reject_copies(loaded.frame, ledger)
    frame = known_word(frame, column, loaded.mapping.words[words], ledger, loaded.written[column])
    if ledger.flag("nothing_recorded", frame, pl.col(column).is_null()):
        frame = ledger.usable(frame)
    return _first_of_each(frame, ledger, (column,)).select("participant_id", column)


def _onset_site(frame: pl.DataFrame, loaded: Loaded) -> pl.DataFrame:
    """Read the site of onset from the text, else from the flags; both bulbar and limb flags are the combined site."""
    ledger, written = loaded.ledger, loaded.written
    frame = frame.with_columns(pl.col("onset_site").str.replace(r"(?i)^onset:\s*", ""))
    frame = known_word(frame, "onset_site", loaded.mapping.words["onset_site"], ledger, written["onset_site"])
    flags = [pl.when(pl.col(flag).str.strip_chars_end(".0") == "1").then(pl.lit(site)) for flag, site in _FLAGS.items()]
    set_flags = pl.concat_list(flags).list.drop_nulls()
    one = pl.when(set_flags.list.len() == 1).then(set_flags.list.first())
    pair = (set_flags.list.len() == 2) & set_flags.list.contains("bulbar") & set_flags.list.contains("limb")
    flagged = pl.when(pair).then(pl.lit("limb and bulbar")).otherwise(one)
    frame = frame.with_columns(flagged.alias("_flagged"), set_flags.list.len().alias("_flags"))
    torn = pl.col("onset_site").is_not_null() & (pl.col("_flags") > 0) & pl.col("_flagged").ne_missing(pl.col("onset_site"))
    ledger.flag("onset_site_conflict", frame, torn, column=written["onset_site"])
    several = pl.col("onset_site").is_null() & (pl.col("_flags") > 1) & pl.col("_flagged").is_null()
    detail = "several flags of the onset site are set; the site counts as unknown"
    ledger.flag("onset_site_conflict", frame, several, column=written["onset_bulbar"], detail=detail)
    return frame.with_columns(pl.coalesce("onset_site", "_flagged").alias("onset_site"))


def _checked_onset(people: pl.DataFrame, ledger: Ledger, written: dict[str, str]) -> pl.DataFrame:
    """Flag impossible onset days; a positive onset is not turned round, since its sign cannot be known to be wrong."""
    onset, diagnosis = pl.col("onset_day_used"), pl.col("diagnosis_day_used")
    ledger.flag("onset_after_baseline", people, onset > 0, column=written["onset_day"])
    ledger.flag("onset_after_diagnosis", people, (onset <= 0) & (onset > diagnosis), column=written["onset_day"])
    return people.select(
        "participant_id",
        pl.when(onset <= 0).then(onset).alias("onset_day"),
        diagnosis.alias("diagnosis_day"),
        pl.col("onset_site_used").alias("onset_site"),
    )
