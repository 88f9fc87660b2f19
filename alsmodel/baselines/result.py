"""What the baselines give back: plain frames, counts and notes."""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, final

import polars as pl

KAPLAN_MEIER: Final = {
    "by": pl.String,
    "group": pl.String,
    "time": pl.Float64,
    "survival": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "at_risk": pl.Int64,
    "events": pl.Int64,
}
COX: Final = {
    "term": pl.String,
    "log_hr": pl.Float64,
    "se": pl.Float64,
    "hr": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "p": pl.Float64,
}
WEIBULL_AFT: Final = {
    "term": pl.String,
    "log_time_ratio": pl.Float64,
    "se": pl.Float64,
    "time_ratio": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "p": pl.Float64,
    "hr": pl.Float64,
}
MISSING: Final = {"covariate": pl.String, "missing": pl.Int64}
_FRAMES: Final = {"kaplan_meier": KAPLAN_MEIER, "cox": COX, "weibull_aft": WEIBULL_AFT, "missing": MISSING}


@final
@dataclass(frozen=True, kw_only=True)
class Baselines:
    """Kaplan-Meier, Cox and Weibull AFT of one set of event times.

    Attributes
    ----------
    kaplan_meier : polars.DataFrame
        ``by`` (grouping variable, "all" for everybody), ``group``, ``time`` (in `time_unit`), ``survival``
        with 95% limits on the log(-log) scale, ``at_risk`` just before ``time``, ``events`` at ``time``.
    cox : polars.DataFrame
        One row per term: ``log_hr``, ``se``, ``hr`` with 95% Wald limits, ``p``. Ties by Efron's method.
    weibull_aft : polars.DataFrame
        One row per term: ``log_time_ratio``, ``se``, ``time_ratio`` with 95% Wald limits, ``p`` and the
        hazard ratio ``hr = exp(-shape * log_time_ratio)`` that the model implies. The row "(scale)" holds
        log and value of the scale in `time_unit` at covariates zero; "(shape)" log and value of the shape.
    missing : polars.DataFrame
        Participants without a value, per covariate.
    n, events : int
        Participants and events in the Kaplan-Meier estimate of everybody.
    n_regression, events_regression : int
        The same for Cox and AFT, after complete-case exclusion.
    time_unit : str
        Unit of every time.
    notes : tuple of str
        What the reader must know: exclusions, non-convergence, what was not run.
    """

    kaplan_meier: pl.DataFrame
    cox: pl.DataFrame
    weibull_aft: pl.DataFrame
    missing: pl.DataFrame
    n: int
    events: int
    n_regression: int
    events_regression: int
    time_unit: str
    notes: tuple[str, ...] = ()

    def save(self, folder: Path) -> None:
        """Write four Parquet files and ``baselines.json`` into `folder`, each first under a temporary name."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in _FRAMES:
            target = folder / f"{name}.parquet"
            temporary = _beside(target)
            getattr(self, name).write_parquet(temporary)
            temporary.replace(target)
        plain = {key: value for key, value in vars(self).items() if key not in _FRAMES}
        target = folder / "baselines.json"
        temporary = _beside(target)
        temporary.write_text(json.dumps(plain, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        temporary.replace(target)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        plain = json.loads((folder / "baselines.json").read_text(encoding="utf-8"))
        plain["notes"] = tuple(plain["notes"])
        plain |= {name: pl.read_parquet(folder / f"{name}.parquet") for name in _FRAMES}
        return cls(**plain)

    def _repr_html_(self) -> str:
        note = "".join(f"<p>{text}</p>" for text in self.notes)
        head = f"<p>{self.n} participants, {self.events} events; time in {self.time_unit}s</p>"
        return head + self.cox._repr_html_() + self.weibull_aft._repr_html_() + note


def _beside(target: Path) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(handle)
    return Path(name)
