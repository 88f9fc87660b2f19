"""Facts of participants from several forms joined into one row each; the first form of the mapping that says something counts."""

from collections.abc import Mapping, Sequence

import polars as pl

from alsmodel.cohort.ledger import Ledger


def merged(everyone: pl.Series, facts: Sequence[tuple[str, pl.DataFrame]], ledgers: Mapping[str, Ledger]) -> pl.DataFrame:
    """Return one row per participant with every fact; where two forms differ the participant is listed.

    Parameters
    ----------
    everyone : polars.Series
        Participants, in order.
    facts : sequence of (form, frame)
        One row per participant in each frame.
    ledgers : mapping
        Form -> ledger.
    """
    frame = everyone.to_frame()
    for form, more in facts:
        frame = frame.join(more, on="participant_id", how="left", maintain_order="left", suffix=_LATER)
        for name in [column for column in frame.columns if column.endswith(_LATER)]:
            first = name.removesuffix(_LATER)
            differs = frame.filter(pl.col(first) != pl.col(name))["participant_id"]
            if len(differs):
                ledgers[form].note("fact_conflict", column=first, participants=differs)
            frame = frame.with_columns(pl.coalesce(first, name).alias(first)).drop(name)
    return frame


_LATER = "\0later"
