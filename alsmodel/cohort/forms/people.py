"""Forms of one fact per participant: baseline, history, arm, El Escorial, family history."""

from collections.abc import Sequence

import polars as pl

from alsmodel.clinical.mimics import exclusion, rules_out
from alsmodel.clinical.units import DAYS_PER_UNIT, DAYS_PER_YEAR
from alsmodel.cohort.cells import finite, known_word, reject_copies, within
from alsmodel.cohort.forms.covariates import is_said, listed, marked_words, number_or_text
from alsmodel.cohort.forms.form import Form
from alsmodel.cohort.forms.measured import in_unit
from alsmodel.cohort.ledger import LINE, POSITION, Ledger
from alsmodel.cohort.tables import conform

_FLAGS = {
    "onset_bulbar": "bulbar",
    "onset_limb": "limb",
    "onset_limb_and_bulbar": "limb and bulbar",
    "onset_spine": "spine",
    "onset_respiratory": "respiratory",
    "onset_other": "other",
}
_ALS = r"(?i)\bals\b|amyotrophic|motor neuron|lou gehrig"
_NOT_A_GENE = r"(?i)^(?:no|none|negative|unknown|not\b.*|n/?a)\b"


#: Facts of baseline that are kept as the source says them, without its surrounding blanks.
_AS_SAID = ("site", "phenotype", "exclusion", "gene", "source")
_YES_NO = ("ftd", "family_history")


def read_participants(form: Form) -> pl.DataFrame:
    """Return facts of baseline, one row per participant.

    Age (years at the time origin) comes from the birth day where only that is given; height is in cm.
    """
    form = form.with_participants()
    ledger, written = form.ledger, form.written
    frame = reject_copies(form.frame, ledger)
    facts = [name for name in frame.columns if name not in (POSITION, LINE, "participant_id")]
    frame = _first_of_each(frame, ledger, facts)
    frame = form.numbers(frame, {"age": None})
    frame = form.days(frame, "birth_day", "entry_day", "phenotype_day")
    born = pl.col("age").is_null() & pl.col("birth_day").is_not_null()
    ledger.flag("age_from_birth", frame, born, column=written["birth_day"])
    # The birth day is a negative count of days before the time origin, not a date; its sign is never dropped.
    frame = frame.with_columns(pl.coalesce("age", -pl.col("birth_day") / DAYS_PER_YEAR).alias("age"))
    frame = within(frame, {"age": form.source.ranges["age"]}, ledger, written)
    frame = form.known(frame, "sex")
    frame = form.known(frame, "arm") if form.words("arm") else frame.with_columns(pl.col("arm").str.to_lowercase())
    for name in _YES_NO:
        frame = form.known(frame, name, "yes_no").with_columns((pl.col(name) == "yes").alias(name))
    frame = in_unit(form.numbers(frame, {"height": None}), "height", "cm", form)
    frame = within(frame, {"height": form.source.ranges["height"]}, ledger, written)
    frame = frame.with_columns(pl.col("exclusion").replace_strict(_exclusions(frame["exclusion"]), default=None, return_dtype=pl.String))
    said = {*form.map.spelled, *form.map.constants, "age"}
    kept = [name for name in ("sex", "age", "entry_day", "arm", *_AS_SAID, "phenotype_day", *_YES_NO) if name in said]
    return frame.select("participant_id", *kept, *([pl.col("height").alias("height_cm")] if "height" in said else []))


def _exclusions(said: pl.Series) -> dict[str, str | None]:
    """Return each text -> the reason not to analyse: a mimic with why it is one, else the text; a text that denies one is none."""
    words = said.drop_nulls().unique().to_list()
    denied = ("no", "none", "0", "false", "not excluded")
    return {text: None if text.lower() in denied or rules_out(text) else exclusion(text) or text for text in words} or {"": None}


def read_history(form: Form) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return site of onset, onset day and diagnosis day; several rows of a participant are joined.

    With them, as covariates: the first symptoms with their places, and the duration of disease where the form states it.
    """
    form = form.with_participants()
    ledger, written = form.ledger, form.written
    # How exactly the onset is known says how exactly delta-FRS is.
    frame = form.frame.with_columns(form.clock.precision(form.frame["onset_day"]).alias("onset_precision"))
    frame = form.days(frame, "onset_day", "diagnosis_day")
    frame = frame.with_columns(pl.when(pl.col("onset_day").is_not_null()).then("onset_precision").alias("onset_precision"))
    frame = _onset_site(frame, form)
    facts = ("onset_day", "diagnosis_day", "onset_site")
    # Rows with a symptom and no date or site are the rule in this table.
    further = pl.any_horizontal(pl.col("symptom", "symptom_other", "symptom_location", "symptom_location_other").is_not_null())
    silent = pl.all_horizontal(pl.col(*facts, "duration", "family_history").is_null()) & ~further & ~is_said(form)
    ledger.flag("row_set_aside", frame, silent, detail="no date, no site and no symptom")
    frame = ledger.usable(frame).sort("onset_day", nulls_last=True, maintain_order=True)
    dated = pl.col("onset_precision").filter(pl.col("onset_day").is_not_null()).first()
    first = frame.group_by("participant_id", maintain_order=True).agg(pl.col(*facts).first(ignore_nulls=True), dated.alias("_precision"))
    told = frame.join(first, on="participant_id", suffix="_used", maintain_order="left")
    differs = pl.any_horizontal(pl.col(fact) != pl.col(f"{fact}_used") for fact in facts)
    ledger.flag("history_conflict", told, differs)
    one = told.unique("participant_id", keep="first", maintain_order=True)
    family = form.known(one, "family_history", "yes_no").select("participant_id", pl.col("family_history") == "yes")
    people = _checked_onset(one, ledger, written).join(family, on="participant_id", how="left", maintain_order="left")
    used = ledger.usable(frame)
    _check_duration(used.join(people.select("participant_id", pl.col("onset_day").alias("_onset")), on="participant_id"), form)
    duration = number_or_text(used.select("participant_id", text="duration"), "disease_duration")
    return people, pl.concat([listed(used.with_columns(text=_symptom()), "first_symptoms"), duration])


def _symptom() -> pl.Expr:
    """Return the symptom of a row with its place: "weakness (hand)"; what is specified of "other" stands beside it."""
    symptom = pl.concat_str("symptom", "symptom_other", separator=" ", ignore_nulls=True)
    place = pl.concat_str("symptom_location", "symptom_location_other", separator=" ", ignore_nulls=True)
    text = pl.concat_str(symptom, pl.when(place != "").then(pl.format(" ({})", place)), ignore_nulls=True).str.strip_chars()
    return pl.when(text != "").then(text)


def _check_duration(frame: pl.DataFrame, form: Form) -> None:
    """Flag a stated duration of disease that the onset day agrees with in no unit, to within one of that unit."""
    stated, since = finite(pl.col("duration")), -pl.col("_onset")
    agrees = pl.any_horizontal((stated - since / DAYS_PER_UNIT[unit]).abs() <= 1 for unit in ("day", "month", "year"))
    form.ledger.flag("duration_differs", frame, ~agrees, column=form.written["duration"])


def read_arm(form: Form) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the assigned arm, "active" or "placebo", and the day on which its treatment started, as a covariate.

    "active" pools different drugs and is no treatment.
    """
    arms = _one_word(form, "arm")
    started = form.days(form.ledger.usable(form.frame).drop_nulls("participant_id"), "day").drop_nulls("day")
    started = started.unique("participant_id", keep="first", maintain_order=True)
    return arms, started.select("participant_id", pl.lit("treatment_start_day").alias("name"), pl.col("day").alias("number"))


def read_el_escorial(form: Form) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the first recorded El Escorial category of each participant, and every one with its day.

    A category of another day is a further statement; two of one day conflict.
    """
    form = form.with_participants()
    ledger = form.ledger
    frame = form.known(reject_copies(form.frame, ledger), "el_escorial")
    if ledger.flag("nothing_recorded", frame, pl.col("el_escorial").is_null()):
        frame = ledger.usable(frame)
    frame = form.days(frame, "form_day")
    again = frame.filter(~pl.struct("participant_id", "form_day").is_first_distinct())
    detail = "another category of this participant and day; the first was used"
    if ledger.flag("conflicting_row", again, detail=detail):
        frame = ledger.usable(frame)
    first = frame.sort("form_day", nulls_last=True, maintain_order=True).unique("participant_id", keep="first", maintain_order=True)
    return first.select("participant_id", "el_escorial"), frame.select("participant_id", "el_escorial", day="form_day")


def read_family(form: Form) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return family history of ALS (true, false or unknown), and as covariates the mutation, the diseases and the relatives.

    True: a relative's disease is ALS, or a mutation is named. False: the form says that there is no neurological
    disease in the family. Anything else is unknown. Each disease has the relatives of its rows beside it.
    """
    form = form.with_participants()
    ledger = form.ledger
    diseases = pl.concat_str("disease", "disease_other", "neuro_disease", "neuro_disease_other", separator=" ", ignore_nulls=True)
    specified = pl.when(pl.col("mutation").str.contains(r"(?i)^other\b")).then(pl.lit(None)).otherwise(pl.col("mutation"))
    mutation = pl.coalesce(specified, "mutation_other", "mutation")
    mutation = pl.when(~mutation.str.contains(_NOT_A_GENE)).then(mutation)
    affected = diseases.str.contains(_ALS).fill_null(False) | mutation.is_not_null()
    none = pl.col("neuro_disease").str.contains(r"(?i)^no\b") & pl.col("disease").is_null() & pl.col("disease_other").is_null()
    frame = form.frame.with_columns(
        pl.when(affected).then(True).when(none).then(False).alias("family_history"), mutation.alias("_mutation"), *_relatives(form)
    )
    silent = pl.all_horizontal(pl.col("family_history", "_disease", "_relatives").is_null()) & ~is_said(form)
    ledger.flag("row_set_aside", frame, silent, detail="not said which disease, mutation or relative")
    frame = ledger.usable(frame)
    history = frame.drop_nulls("family_history").group_by("participant_id", maintain_order=True).agg(pl.col("family_history").max())
    named = frame.drop_nulls("_mutation").unique("participant_id", keep="first", maintain_order=True)
    mutations = named.select("participant_id", pl.lit("family_mutation").alias("name"), pl.col("_mutation").alias("text"))
    lists = [("family_diseases", "_disease"), ("family_relatives_other", "relative_other")]
    return history, pl.concat(
        [conform("covariates", mutations), *(listed(frame.with_columns(text=column), name) for name, column in lists)]
    )


def _relatives(form: Form) -> tuple[pl.Expr, pl.Expr]:
    """Return the relatives of each row, and its disease with them: "als (father, maternal aunt)"."""
    who = pl.concat_str(marked_words(form, "family_relatives"), "relative_other", separator=", ", ignore_nulls=True)
    stated = pl.when(~pl.col("neuro_disease").str.contains(r"(?i)^(?:yes|no)\b")).then(pl.col("neuro_disease"))
    what = pl.concat_str("disease", "disease_other", stated, "neuro_disease_other", separator=" ", ignore_nulls=True)
    disease = pl.when(what != "").then(pl.concat_str(what, pl.when(who != "").then(pl.format(" ({})", who)), ignore_nulls=True))
    return pl.when(who != "").then(who).alias("_relatives"), disease.alias("_disease")


def _first_of_each(frame: pl.DataFrame, ledger: Ledger, facts: Sequence[str]) -> pl.DataFrame:
    """Keep the fullest row of each participant, then the first; reject the others."""
    filled = pl.sum_horizontal(pl.col(facts).is_not_null())
    ranked = frame.sort(filled, descending=True, maintain_order=True)
    again = ranked.filter(~pl.col("participant_id").is_first_distinct())
    detail = "another row of this participant differs; the fuller one, then the first, was used"
    return ledger.usable(frame) if ledger.flag("conflicting_row", again, detail=detail) else frame


def _one_word(form: Form, column: str) -> pl.DataFrame:
    form = form.with_participants()
    ledger = form.ledger
    frame = reject_copies(form.frame, ledger)
    frame = form.known(frame, column) if form.words(column) else frame.with_columns(pl.col(column).str.to_lowercase())
    if ledger.flag("nothing_recorded", frame, pl.col(column).is_null()):
        frame = ledger.usable(frame)
    return _first_of_each(frame, ledger, (column,)).select("participant_id", column)


def _onset_site(frame: pl.DataFrame, form: Form) -> pl.DataFrame:
    """Read the site of onset from the text, else from the flags; both bulbar and limb flags are the combined site."""
    ledger, written = form.ledger, form.written
    frame = frame.with_columns(pl.col("onset_site").str.replace(r"(?i)^onset:\s*", ""))
    frame = known_word(frame, "onset_site", form.words("onset_site"), ledger, written["onset_site"])
    set_ = [word for word, meaning in form.words("flag").items() if meaning == "set"]
    is_set = frame.select(pl.col(flag).str.to_lowercase().is_in(set_).fill_null(False) for flag in _FLAGS)
    number = pl.sum_horizontal(pl.col(*_FLAGS).cast(pl.UInt32))
    pair = (number == 2) & pl.col("onset_bulbar") & pl.col("onset_limb")
    one = pl.when(number == 1).then(pl.coalesce(pl.when(flag).then(pl.lit(site)) for flag, site in _FLAGS.items()))
    flagged = pl.when(pair).then(pl.lit("limb and bulbar")).otherwise(one)
    frame = frame.with_columns(is_set.select(flagged.alias("_flagged"), number.alias("_flags")))
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
        pl.when(onset <= 0).then(pl.col("_precision")).alias("onset_precision"),
        diagnosis.alias("diagnosis_day"),
        pl.col("onset_site_used").alias("onset_site"),
    )
