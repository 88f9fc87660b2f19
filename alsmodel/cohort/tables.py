"""The canonical tables: what a cohort looks like after reading, whatever it was read from.

Every day is a Float64 count of days from the time origin of the source (for PRO-ACT the trial's
baseline, day 0). A missing row means *unknown*, never *no*.
"""

from collections.abc import Sequence

import dataframely as dy
import polars as pl

from alsmodel.clinical import genes, onset, regions

SEXES = ("female", "male")
ONSET_SITES = ("bulbar", "limb", "limb and bulbar", "spine", "respiratory", "other")
SCALES = ("ALSFRS-R", "ALSFRS")
NEURONS = ("UMN", "LMN")
SIGN_STATES = ("present", "absent", "not examined")
SIDES: tuple[str, ...] = regions.SIDES
REGIONS: tuple[str, ...] = regions.REGIONS
PRECISIONS: tuple[str, ...] = onset.PRECISIONS
GENES = tuple(genes.GENES)
GENE_RESULTS = genes.RESULTS
ORIGINS = ("recorded", "computed")
SEVERITIES = ("error", "warning", "note")
ACTIONS = ("kept", "repaired", "rejected", "set aside")

_DAY = {"unit": "day", "origin": "time origin of the source (baseline)"}
_POINT = {"unit": "point"}


def _item(meaning: str) -> dy.Int8:
    return dy.Int8(nullable=True, min=0, max=4, metadata={**_POINT, "meaning": meaning})


def _word(words: tuple[str, ...], *, nullable: bool = False) -> dy.String:
    return dy.String(nullable=nullable, check=lambda c: c.is_in(list(words)), metadata={"words": list(words)})


class Participants(dy.Schema):
    """One row per participant; null means that the source does not say."""

    participant_id = dy.String(primary_key=True)
    source = dy.String(nullable=True, metadata={"meaning": "study or register the person comes from"})
    site = dy.String(nullable=True, metadata={"meaning": "centre"})
    entry_day = dy.Float64(nullable=True, metadata={**_DAY, "meaning": "day observation begins"})
    sex = _word(SEXES, nullable=True)
    age = dy.Float64(nullable=True, min=0.0, max=130.0, metadata={"unit": "year", "meaning": "age at the time origin"})
    onset_day = dy.Float64(nullable=True, metadata={**_DAY, "meaning": "first symptom; normally negative"})
    onset_precision = _word(PRECISIONS, nullable=True)
    diagnosis_day = dy.Float64(nullable=True, metadata={**_DAY, "meaning": "diagnosis"})
    onset_site = _word(ONSET_SITES, nullable=True)
    phenotype = dy.String(nullable=True)
    el_escorial = dy.String(nullable=True, metadata={"meaning": "recorded El Escorial category"})
    gene = dy.String(nullable=True, metadata={"meaning": "known ALS gene"})
    ftd = dy.Bool(nullable=True, metadata={"meaning": "frontotemporal dementia at the time origin"})
    exclusion = dy.String(nullable=True, metadata={"meaning": "reason why the participant is not to be analysed, such as a mimic"})
    family_history = dy.Bool(nullable=True, metadata={"meaning": "ALS in the family"})
    arm = dy.String(nullable=True, metadata={"meaning": "assigned arm, as recorded, lower case"})
    last_contact_day = dy.Float64(nullable=True, metadata={**_DAY, "meaning": "last contact over assessments and measured tables"})
    height_cm = dy.Float64(nullable=True, min=0.0, metadata={"unit": "cm"})


class Covariates(dy.Schema):
    """Baseline columns without a canonical place: a number or a text per participant and name."""

    participant_id = dy.String(primary_key=True)
    name = dy.String(primary_key=True)
    number = dy.Float64(nullable=True)
    text = dy.String(nullable=True)

    @dy.rule()
    def holds_a_number_or_a_text(cls) -> pl.Expr:
        return pl.col("number").is_not_null() != pl.col("text").is_not_null()


class Assessments(dy.Schema):
    """ALSFRS-R and ALSFRS assessments: one row per participant and day, items as scored.

    Item 10 of the original scale (``item_10_original``) is a question of its own and never stands
    in for dyspnoea (``item_10``); totals on 40 and on 48 are kept apart.
    """

    participant_id = dy.String(primary_key=True)
    day = dy.Float64(primary_key=True, metadata=_DAY)
    item_1 = _item("speech")
    item_2 = _item("salivation")
    item_3 = _item("swallowing")
    item_4 = _item("handwriting")
    item_5 = _item("cutting food and handling utensils, 5a or with gastrostomy 5b")
    item_6 = _item("dressing and hygiene")
    item_7 = _item("turning in bed")
    item_8 = _item("walking")
    item_9 = _item("climbing stairs")
    item_10 = _item("dyspnoea")
    item_11 = _item("orthopnoea")
    item_12 = _item("respiratory insufficiency")
    item_10_original = _item("breathing, item 10 of the ten-item ALSFRS")
    gastrostomy = dy.Bool(nullable=True, metadata={"meaning": "item 5 was asked in its form 5b"})
    total_48 = dy.Int16(nullable=True, min=0, max=48, metadata={**_POINT, "meaning": "ALSFRS-R total"})
    total_40 = dy.Int16(nullable=True, min=0, max=40, metadata={**_POINT, "meaning": "ALSFRS total"})
    scale = _word(SCALES)
    mode = dy.String(nullable=True, metadata={"meaning": "in person, telephone, ..."})
    respondent = dy.String(nullable=True, metadata={"meaning": "participant, caregiver, ..."})


class Measurements(dy.Schema):
    """One long table of named values: totals, domains, vital capacity, laboratory, or any outcome."""

    participant_id = dy.String()
    day = dy.Float64(metadata=_DAY)
    name = dy.String()
    value = dy.Float64(allow_inf=False, allow_nan=False)
    unit = dy.String(nullable=True)


class Events(dy.Schema):
    """Things that happened; a null day means that it happened on an unknown day."""

    participant_id = dy.String(primary_key=True)
    kind = dy.String(primary_key=True, metadata={"meaning": "death, tracheostomy, pav, or a name of your own"})
    day = dy.Float64(nullable=True, metadata=_DAY)
    definition = dy.String(metadata={"meaning": "tag of the event's definition"})
    free_until_day = dy.Float64(
        nullable=True,
        metadata={**_DAY, "meaning": "last day known free of the event, which happened after it and by `day`; null: it happened on `day`"},
    )

    @dy.rule()
    def free_before_the_event(cls) -> pl.Expr:
        return pl.col("free_until_day").is_null() | (pl.col("free_until_day") < pl.col("day")).fill_null(False)


class Exposures(dy.Schema):
    """Drugs: ``taken`` false means recorded as not taken; no row at all means unknown."""

    participant_id = dy.String()
    drug = dy.String()
    taken = dy.Bool()
    start_day = dy.Float64(nullable=True, metadata={**_DAY, "meaning": "null: start unknown"})
    stop_day = dy.Float64(nullable=True, metadata={**_DAY, "meaning": "null: not stopped, or unknown"})
    dose = dy.Float64(nullable=True)
    dose_unit = dy.String(nullable=True)


class Signs(dy.Schema):
    """Upper and lower motor neuron signs by body region and side."""

    participant_id = dy.String()
    day = dy.Float64(metadata=_DAY)
    region = _word(REGIONS)
    side = _word(SIDES, nullable=True)
    neuron = _word(NEURONS)
    sign = dy.String(metadata={"meaning": "name of the sign, as in the clinical vocabulary"})
    state = _word(SIGN_STATES)


class Genotypes(dy.Schema):
    """Genetic tests: one row per participant and gene; no row means not tested, or not known."""

    participant_id = dy.String(primary_key=True)
    gene = dy.String(primary_key=True)
    result = _word(GENE_RESULTS)
    variant = dy.String(nullable=True, metadata={"meaning": "variant or repeat length, as recorded"})


class Classifications(dy.Schema):
    """Categories of a participant under a named scheme, recorded by a clinician or computed from signs and scores.

    A category that needs follow-up (propagation within 12 months, pure motor neuron disease at 48) is true from the
    day on which it could first be said, never from baseline.
    """

    participant_id = dy.String()
    day = dy.Float64(nullable=True, metadata={**_DAY, "meaning": "day from which the category can be said; null: not recorded"})
    scheme = dy.String(metadata={"meaning": "El Escorial, Awaji, Gold Coast, phenotype, OPM onset, King's, ..."})
    category = dy.String()
    origin = _word(ORIGINS)
    decided_by = dy.String(nullable=True, metadata={"meaning": "regions, signs or items that decided it"})


class Issues(dy.Schema):
    """What reading met: which rule, where, what was done, and the cell as it was.

    The value stays in the cohort folder: the console, logs, pages and exported copies leave it out unless asked for it.
    """

    severity = _word(SEVERITIES)
    rule = dy.String()
    file = dy.String()
    row = dy.Int64(nullable=True, metadata={"meaning": "line in the file, the header being line 1"})
    column = dy.String(nullable=True)
    participant_id = dy.String(nullable=True)
    action = _word(ACTIONS)
    detail = dy.String()
    value = dy.String(nullable=True, metadata={"meaning": "the cell as it was; kept in the cohort folder only"})


class Flow(dy.Schema):
    """Rows of each file: every row read ends in exactly one of the other four columns."""

    file = dy.String(primary_key=True)
    read = dy.Int64(min=0)
    kept = dy.Int64(min=0)
    repaired = dy.Int64(min=0)
    rejected = dy.Int64(min=0)
    set_aside = dy.Int64(min=0)

    @dy.rule()
    def counts_add_up(cls) -> pl.Expr:
        return pl.col("read") == pl.col("kept") + pl.col("repaired") + pl.col("rejected") + pl.col("set_aside")


class ParticipantFlow(dy.Schema):
    """Participants left after each step of reading, in order, with the reason for those who left."""

    step = dy.String()
    n = dy.Int64(min=0)
    excluded = dy.Int64(min=0)
    reason = dy.String(nullable=True)

    @dy.rule()
    def counts_add_up(cls) -> pl.Expr:
        # The first step has nobody before it, and so nobody to leave out.
        return pl.col("n") == pl.col("n").shift(1).fill_null(pl.col("n")) - pl.col("excluded")

    @dy.rule()
    def who_left_has_a_reason(cls) -> pl.Expr:
        return (pl.col("excluded") == 0) | pl.col("reason").is_not_null()


#: Name of each table in a cohort -> its schema; the order is the order of the files of a saved cohort.
SCHEMAS: dict[str, type[dy.Schema]] = {
    "participants": Participants,
    "covariates": Covariates,
    "assessments": Assessments,
    "measurements": Measurements,
    "events": Events,
    "exposures": Exposures,
    "signs": Signs,
    "genotypes": Genotypes,
    "classifications": Classifications,
    "issues": Issues,
    "flow": Flow,
    "participant_flow": ParticipantFlow,
}


def polars_schema(name: str) -> dict[str, pl.DataType]:
    """Return column name -> polars type of table `name`."""
    return {column: spec.dtype for column, spec in SCHEMAS[name].columns().items()}


def empty(name: str) -> pl.DataFrame:
    """Return the canonical table `name` with its columns and no rows."""
    return pl.DataFrame(schema=polars_schema(name))


def conform(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Put `frame` into the columns, order and types of table `name`; columns it lacks become null.

    Raises
    ------
    polars.exceptions.PolarsError
        When a value does not fit its type: a fault of the reader, not of the data.
    """
    schema = polars_schema(name)
    return frame.select(
        (pl.col(column) if column in frame.columns else pl.lit(None)).cast(dtype).alias(column) for column, dtype in schema.items()
    )


def measured(frame: pl.DataFrame, value: pl.Expr, name: str, unit: str | None, keep: Sequence[str] = ()) -> pl.DataFrame:
    """Return the rows where `value` is not null as measurements of one name; the columns `keep` go with them."""
    told = {"name": pl.lit(name), "value": value.cast(pl.Float64), "unit": pl.lit(unit, dtype=pl.String)}
    return frame.lazy().select("participant_id", "day", *keep, **told).drop_nulls("value").collect()


def distinct(values: pl.Series) -> pl.Series:
    """Return the distinct values, null among them, in no order.

    Tables list a participant's rows together: comparing neighbours first leaves few values to hash.
    """
    if not len(values):
        return values
    return values.filter(values.ne_missing(values.shift()).scatter(0, True)).unique()
