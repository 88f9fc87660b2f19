"""The flow of participants and visits through a selection, step by step."""

import polars as pl


class Steps:
    """The flow of participants and visits through the selection."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int, int, str]] = []

    def note(self, step: str, participants: int, visits: int, reason: str = "") -> None:
        """Add what is left after a step."""
        self.rows.append((step, participants, visits, reason))

    def frame(self) -> pl.DataFrame:
        """Return the steps as a table: step, participants, visits, reason."""
        schema = {"step": pl.String, "participants": pl.Int64, "visits": pl.Int64, "reason": pl.String}
        return pl.DataFrame(self.rows, schema=schema, orient="row")
