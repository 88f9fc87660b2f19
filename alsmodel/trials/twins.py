"""Counterfactual twins: what happens to a block of participants under one arm, as the question of an analysis takes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, final

import numpy as np
import numpy.typing as npt

from alsmodel.trials.analyses import AbstractAnalysis
from alsmodel.trials.conditions import Categories, Column
from alsmodel.trials.strategies import Strategy, counted, kept

if TYPE_CHECKING:
    from alsmodel.trials.world import Observed

Floats = npt.NDArray[np.float64]


@final
@dataclass(frozen=True, kw_only=True)
class Twin:
    """A block of participants under one arm, as far as it is asked for.

    Attributes
    ----------
    seen : Observed or None
        Events, and scores at the planned visits, of people who never leave.
    path : array, shape (R, n, V), or None
        True scores at the planned visits, death set aside.
    columns : dict
        Baseline columns, each (R, n).
    ended : dict
        Months of intercurrent events along `path`, death set aside, each (R, n).
    residual_sd : float
        Of the scores, points; a mean over trials.
    markers : dict
        True values of biomarkers at the planned visits by name, each (R, n, V), where asked for.
    leaving : dict
        Where asked for, what becomes of the same people when they may leave: months of ``left`` and of the ``death`` that is known of
        them, each (R, n), infinite where there is none.
    """

    seen: "Observed | None"
    path: Floats | None
    columns: dict[str, Column]
    ended: dict[str, Floats] = field(default_factory=dict)
    residual_sd: float = 0.0
    markers: dict[str, Floats] = field(default_factory=dict)
    leaving: dict[str, Floats] = field(default_factory=dict)

    def rows(self, which: npt.NDArray[np.int64]) -> "Twin":
        """The twins of some of the trials."""

        def some(values: dict[str, Floats]) -> dict[str, Floats]:
            return {name: value[which] for name, value in values.items()}

        seen = self.seen
        if seen is not None:
            arrays = {name: getattr(seen, name)[which] for name in ("scores", "months", "event_time", "event", "left")}
            seen = replace(seen, **arrays, intercurrent=some(seen.intercurrent))
        columns: dict[str, Column] = {
            name: Categories(column.codes[which], column.levels) if isinstance(column, Categories) else column[which]
            for name, column in self.columns.items()
        }
        path = None if self.path is None else self.path[which]
        return Twin(
            seen=seen,
            path=path,
            columns=columns,
            ended=some(self.ended),
            leaving=some(self.leaving),
            residual_sd=self.residual_sd,
            markers=some(self.markers),
        )

    def under(self, analysis: AbstractAnalysis, chosen: Mapping[str, Strategy], visits: tuple[float, ...]) -> "Twin":
        """The same people under the strategies of an analysis; in their world what is hypothetical does not happen.

        Beyond the end of the time on treatment the last visit up to it stands for the later ones, or the path is missing.
        """
        seen, path = self.seen, self.path
        chosen = {name: strategy for name, strategy in chosen.items() if strategy != "hypothetical"}
        if all(strategy == "treatment policy" for strategy in chosen.values()):
            return self
        months = np.array(visits, dtype=np.float64)
        if seen is not None:
            time, event = counted(seen.event_time, seen.event, seen.intercurrent, chosen)
            # Where survival alone is asked for there are no scores in between.
            scores = seen.scores
            if scores.shape[-1] == months.size:
                scores = kept(scores, months, seen.intercurrent, chosen, carried=analysis.carries)
            seen = replace(seen, scores=scores, event_time=time, event=event)
        if path is not None:
            path = kept(path, months, self.ended, chosen, carried=analysis.carries)
        markers = {name: kept(value, months, self.ended, chosen, carried=analysis.carries) for name, value in self.markers.items()}
        return replace(self, seen=seen, path=path, markers=markers)

    def until(self, month: float | None, visits: tuple[float, ...]) -> "Twin":
        """The same people with what is known at `month` after randomisation; None is everything."""
        if month is None:
            return self

        def cut(happened: dict[str, Floats]) -> dict[str, Floats]:
            return {name: np.where(when > month, np.inf, when) for name, when in happened.items()}

        upto, seen = sum(visit <= month for visit in visits), self.seen
        if seen is not None:
            scores = seen.scores[..., :upto] if seen.scores.shape[-1] == len(visits) else seen.scores
            event = np.where(seen.event_time > month, 0, seen.event)
            time = np.minimum(seen.event_time, month)
            seen = replace(seen, scores=scores, event=event, event_time=time, intercurrent=cut(seen.intercurrent))
        return replace(
            self,
            seen=seen,
            path=None if self.path is None else self.path[..., :upto],
            ended=cut(self.ended),
            markers={name: value[..., :upto] for name, value in self.markers.items()},
        )

    @property
    def followed(self) -> "Observed":
        """What was observed of them."""
        if self.seen is None:
            raise ValueError("Twins were not followed for events.")
        return self.seen
