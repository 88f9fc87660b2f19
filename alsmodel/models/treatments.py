"""Treatments: how a drug's exposure is read, whom it may be given to, and what it changes."""

from dataclasses import dataclass
from typing import Any, Literal, final

from alsmodel.cohort.selection import Unknown

#: Drugs that only carriers of a mutation in this gene may be given.
GENE_OF_DRUG = {"tofersen": "SOD1"}


@final
@dataclass(frozen=True, kw_only=True)
class Treatment:
    """One drug, entering the score model exactly once.

    Attributes
    ----------
    name : str
        Name of the drug or arm as it is to be printed.
    source : {"arm", "exposure"}
        "arm": the randomised arm, from time zero to the end whatever was taken (a randomised comparison).
        "exposure": intervals actually taken, before the time origin included (an observational association).
    level : str or None
        The arm that counts as treated; needed when `source` is "arm".
    score : {"clock", "additive", "none"}
        "clock": time runs exp(theta) as fast on the mean path while exposed, so exp(theta) is the ratio of slopes.
        "additive": points per time unit added to the slope while exposed.
    own_clock : {"free", "scaled", "none"}
        How the participant's own deviation from the mean path responds: its own log ratio psi ("free", the default),
        the same as theta ("scaled"), or not at all ("none"). Only with the clock.
    hazard : {"ratio", "clock", "DRR", "none"}
        "ratio": a log hazard ratio beside the association, the *direct* effect. "clock": the baseline hazard runs on the
        disease clock (Weibull only). "DRR": exp(theta) multiplies the hazard as well; refused with an association.
    hazard_periods : tuple of float
        Times from time zero at which the direct hazard ratio may change (non-proportional hazards); one ratio for each period.
    by : str or None
        A text covariate by whose levels the effect differs: on the score where it has one, else on the hazard. Levels are pooled:
        each is normal about the common effect, with a half-normal(0.2) SD on the log scale.
    eligible : str or None
        Gene in which a mutation must be recorded for exposure to be believed. Tofersen always needs SOD1.
    ineligible : {"refuse", "exclude"}
        What to do with those exposed without being eligible; who is excluded is counted in the flow.
    onset_delay_months, washout_months : float
        The effect starts so long after exposure, and lasts so long after its end.
    unknown : {"refuse", "exclude", "unexposed", "exposed"}
        What to do with participants whose exposure was never recorded. The last two are sensitivity limits.
    """

    name: str
    source: Literal["arm", "exposure"] = "exposure"
    level: str | None = None
    score: Literal["clock", "additive", "none"] = "clock"
    own_clock: Literal["free", "scaled", "none"] = "free"
    hazard: Literal["ratio", "clock", "DRR", "none"] = "ratio"
    hazard_periods: tuple[float, ...] = ()
    by: str | None = None
    eligible: str | None = None
    ineligible: Literal["refuse", "exclude"] = "refuse"
    onset_delay_months: float = 0.0
    washout_months: float = 0.0
    unknown: Unknown = "refuse"

    def __post_init__(self) -> None:
        object.__setattr__(self, "hazard_periods", tuple(self.hazard_periods))
        faults = _faults(self)
        if faults:
            raise ValueError(f"treatment {self.name!r}: " + " ".join(faults))

    @property
    def gene(self) -> str | None:
        """Gene in which a mutation must be recorded, in capitals as genes are written."""
        chosen = self.eligible or GENE_OF_DRUG.get(self.name.casefold())
        return None if chosen is None else chosen.upper()


def _faults(t: Treatment) -> list[str]:
    faults = []
    if t.source == "arm" and t.level is None:
        faults.append("it comes from the arm, so level must name the treated arm.")
    if t.hazard in ("clock", "DRR") and t.score != "clock":
        faults.append(f'hazard = "{t.hazard}" needs score = "clock".')
    if t.hazard_periods and t.hazard != "ratio":
        faults.append('hazard_periods are periods of the direct hazard ratio and need hazard = "ratio".')
    if list(t.hazard_periods) != sorted({p for p in t.hazard_periods if p > 0}):
        faults.append(f"hazard_periods must be positive and increasing; got {list(t.hazard_periods)}.")
    if t.by is not None and t.score == "none" and t.hazard != "ratio":
        faults.append(f'by = "{t.by}" needs an effect that may differ: a score, or hazard = "ratio".')
    if t.by is not None and t.score == "none" and t.hazard_periods:
        faults.append("by and hazard_periods on one hazard ratio are too much; choose one.")
    if t.onset_delay_months < 0 or t.washout_months < 0:
        faults.append("onset_delay_months and washout_months are lengths of time, 0 or more.")
    required = GENE_OF_DRUG.get(t.name.casefold())
    if required and t.eligible is not None and t.eligible.upper() != required:
        faults.append(f"it is given to carriers of a {required} mutation; eligible = {t.eligible!r} is not that.")
    return faults


def Riluzole(**choices: Any) -> Treatment:
    """Riluzole as taken; `choices` are fields of `Treatment`."""
    return Treatment(name="riluzole", **choices)


def Edaravone(**choices: Any) -> Treatment:
    """Edaravone as taken; `choices` are fields of `Treatment`."""
    return Treatment(name="edaravone", **choices)


def Tofersen(**choices: Any) -> Treatment:
    """Tofersen as taken, for carriers of a SOD1 mutation; `choices` are fields of `Treatment`."""
    return Treatment(name="tofersen", **{"eligible": "sod1", **choices})


def AMX0035(**choices: Any) -> Treatment:
    """Sodium phenylbutyrate with taurursodiol as taken; `choices` are fields of `Treatment`."""
    return Treatment(name="AMX0035", **choices)
