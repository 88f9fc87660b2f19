"""What day 0 of each participant is, found before anything else is read."""

from collections.abc import Mapping

import polars as pl

from alsmodel.cohort.cells import DAY_RANGE
from alsmodel.cohort.forms.clock import Clock
from alsmodel.cohort.forms.form import Form, Opened
from alsmodel.cohort.forms.mapping import SourceMap

_NO_SCORE = ("participant_id", "day", "mode", "respondent", "gastrostomy", "item")


def origins(opened: Mapping[str, Opened], source: SourceMap) -> Clock:
    """Return the source's clock, with each participant's origin in the source's own days where the mapping asks for one.

    For "first assessment": the first day with a score. For "column": the cell of `origin_day`, the first of a participant.
    """
    clock = Clock(source.time)
    if source.time.origin == "recorded":
        return clock
    found = []
    for one in opened.values():
        if source.time.origin == "column" and "origin_day" in one.map.columns.values():
            found.append(_days(one.load(source, clock, note_columns=False), "origin_day"))
        if source.time.origin == "first assessment" and one.map.kind.startswith("assessments"):
            form = one.load(source, clock, note_columns=False)
            scores = [name for name in form.map.columns.values() if name not in _NO_SCORE]
            found.append(_days(form, "day", pl.any_horizontal(pl.col(scores).is_not_null())))
    days = pl.concat([pl.DataFrame(schema={"participant_id": pl.String, "origin": pl.Float64}), *found])
    first = pl.col("origin").min() if source.time.origin == "first assessment" else pl.col("origin").first()
    return clock.at(days.group_by("participant_id", maintain_order=True).agg(first))


def _days(form: Form, name: str, where: pl.Expr | None = None) -> pl.DataFrame:
    frame = form.frame if where is None else form.frame.filter(where)
    days = frame.select("participant_id", form.clock.own(frame[name]).alias("origin"))
    return days.filter(pl.col("participant_id").is_not_null() & pl.col("origin").is_between(*DAY_RANGE))
