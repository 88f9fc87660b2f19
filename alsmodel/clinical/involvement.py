"""Which regions show motor symptoms, and which motor neurons are affected, at each examination.

A motor symptom is weakness or slowed, poorly coordinated voluntary movement, dysarthria included (Meyer 2025, doi
10.1186/s42466-025-00389-w, and its revision of September 2025): a brisk reflex alone is a sign and no symptom. What was not examined on
a day stays unknown on that day; nothing is carried forward for symptoms.
"""

import polars as pl

from alsmodel.clinical.signs import NOT_EXAMINED, PRESENT, region_status
from alsmodel.clinical.stages import kings_regions

#: Signs that are motor symptoms of their region. ``clinical_lmn`` is a form's "any lower motor neuron sign", which is weakness or wasting.
MOTOR_SYMPTOMS: tuple[str, ...] = (
    "weakness",
    "slowed_movement",
    "slowed_tongue_movement",
    "palatal_weakness",
    "spastic_dysarthria",
    "flaccid_dysarthria",
    "clinical_lmn",
)
#: A form's "any upper motor neuron sign" may be slowed movement or a brisk reflex: while present, its region is not known to be free.
_UNDECIDED = "clinical_umn"


def symptoms_by_visit(signs: pl.DataFrame) -> pl.DataFrame:
    """Return whether each region showed a motor symptom on each day on which one was looked for.

    Parameters
    ----------
    signs : polars.DataFrame
        Canonical ``signs``.

    Returns
    -------
    polars.DataFrame
        participant_id, day, region, symptomatic: True when present on any side; False when absent from the region as a whole or from
        both sides; null otherwise.
    """
    sign, state, side = pl.col("sign"), pl.col("state"), pl.col("side")
    examined = signs.filter(sign.is_in([*MOTOR_SYMPTOMS, _UNDECIDED]) & (state != NOT_EXAMINED))
    symptom = sign != _UNDECIDED
    present = (symptom & (state == PRESENT)).any()
    absent = symptom & (state != PRESENT)
    whole = (absent & side.is_null()).any() | ((absent & (side == "left")).any() & (absent & (side == "right")).any())
    undecided = (~symptom & (state == PRESENT)).any()
    told = pl.when(present).then(statement=True).when(whole & ~undecided).then(statement=False)
    return examined.group_by("participant_id", "day", "region").agg(symptomatic=told).sort("participant_id", "day", "region")


def symptoms_from_scores(assessments: pl.DataFrame) -> pl.DataFrame:
    """Return the same from the ALSFRS-R, for data without signs: the regions of King's staging, and items 10 to 12 for the trunk.

    A score below 4 says that function is lost, not why: handwriting may fail through breathlessness. Use signs where there are any.
    """
    regions = kings_regions()
    flags = {
        "bulbar": regions["bulbar"],
        "cervical": regions["upper limb"],
        "thoracic": (pl.col("item_10") < 4) | (pl.col("item_11") < 4) | (pl.col("item_12") < 4),
        "lumbosacral": regions["lower limb"],
    }
    wide = assessments.select("participant_id", "day", **flags)
    long = wide.unpivot(index=["participant_id", "day"], variable_name="region", value_name="symptomatic")
    return long.filter(pl.col("symptomatic").is_not_null()).sort("participant_id", "day", "region")


def status_by_visit(signs: pl.DataFrame) -> pl.DataFrame:
    """Return the state of each region's motor neurons as of each examination, by the evidence of the Gold Coast criteria.

    Parameters
    ----------
    signs : polars.DataFrame
        Canonical ``signs``; only these rows count, so that a cut-off day before which nothing counts is a filter on them.

    Returns
    -------
    polars.DataFrame
        participant_id, day, region, umn, lmn_clinical, lmn_emg: the latest examined state of each sign on or before the day.
    """
    visits = signs.filter(pl.col("state") != NOT_EXAMINED).select("participant_id", visit="day").unique().sort("participant_id", "visit")
    visits = visits.with_row_index("key").with_columns(pl.col("key").cast(pl.String))
    # Each examination becomes a participant of its own who has seen the signs up to that day.
    until = visits.join(signs, on="participant_id").filter(pl.col("day") <= pl.col("visit"))
    status = region_status(until.with_columns(participant_id="key"), scheme="Gold Coast")
    named = status.rename({"participant_id": "key"}).join(visits, on="key", how="left", maintain_order="left")
    columns = ["participant_id", pl.col("visit").alias("day"), "region", "umn", "lmn_clinical", "lmn_emg"]
    return named.select(columns).sort("participant_id", "day", maintain_order=True)
