"""What simulation has shown of the increments of each analysis at looks; docs/evidence/increments.md has designs and figures.

Boundaries take the increments of the score S_k = z_k sqrt(I_k) for independent. What plays the part of the information I_k is 1/SE² for
some analyses; for others only the correlations of z between looks say it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, final

if TYPE_CHECKING:
    from alsmodel.trials.analyses import AbstractAnalysis

Scale = Literal["1/SE²", "correlations", "none"]
PAGE = "docs/evidence/increments.md"


@final
@dataclass(frozen=True)
class Shown:
    """What 20,000 trials without effect showed of an analysis in each of several designs.

    Attributes
    ----------
    scale : "1/SE²", "correlations" or "none"
        On which scale of information increments are uncorrelated: 1/SE² of the analysis; squared correlations of z with that of the end; or
        on none.
    spends : bool
        Alpha was kept where it was spent by 1/SE² of each trial.
    correlation : float
        The correlation of increments by 1/SE² that is furthest from 0: with the scale 1/SE² in trials of 200 per arm, otherwise of
        neighbours in all designs.
    lowest, highest : float
        Type I errors at 0.025 one-sided with O'Brien-Fleming spending at fractions of that scale; with none at squared correlations.
    """

    scale: Scale
    spends: bool
    correlation: float
    lowest: float
    highest: float


#: By kind of analysis; a kind that is not here was not simulated.
SHOWN: dict[str, Shown] = {
    "ancova": Shown("1/SE²", True, -0.04, 0.0233, 0.0265),
    "joint_rank": Shown("correlations", False, -0.26, 0.024, 0.0255),
    "log_rank": Shown("1/SE²", True, 0.0, 0.0241, 0.0261),
    "mmrm": Shown("1/SE²", True, -0.01, 0.0237, 0.0257),
    "participant_slopes": Shown("none", False, -0.19, 0.0221, 0.0235),
    "random_slope": Shown("1/SE²", True, 0.04, 0.0237, 0.0246),
    "responder": Shown("1/SE²", True, -0.02, 0.0233, 0.0254),
    "rmst": Shown("1/SE²", False, -0.01, 0.0259, 0.0306),
    "time_to_drop": Shown("1/SE²", True, 0.02, 0.0235, 0.0252),
    "weighted_log_rank": Shown("correlations", False, -0.24, 0.0238, 0.0274),
    "win": Shown("correlations", False, -0.52, 0.0228, 0.0264),
}
#: The largest type I error that is 0.025 but for three Monte Carlo standard errors.
KEPT = 0.0283
#: Analyses that stand for another: the same score.
SAME = {"cox": "log_rank"}


def shown(analysis: "AbstractAnalysis") -> Shown | None:
    """What was shown of an analysis; None where nothing was, as with imputed ranks."""
    kind = str(getattr(analysis, "kind", ""))
    return None if getattr(analysis, "imputations", 0) else SHOWN.get(SAME.get(kind, kind))


def has_information(analysis: "AbstractAnalysis") -> bool:
    """Whether 1/SE² of an analysis is its information, and alpha was kept by spending it so."""
    found = shown(analysis)
    return found is not None and found.spends


def increment_words(analysis: "AbstractAnalysis") -> str:
    """What the boundaries take for granted of an analysis that decides at looks, and what was shown of it, in a sentence or two."""
    found = shown(analysis)
    if found is None:
        return (
            f"The boundaries take increments of {analysis.label} for independent, which no simulation has shown: judge them by the type I "
            "error of this design, with an effect of nothing among its effects."
        )
    level = f"type I error {found.lowest:.4f} to {found.highest:.4f} of 0.025 in simulated designs without effect ({PAGE})"
    if found.scale == "1/SE²":
        small = " At 50 per arm its test claims too often without looks as well: enlarge, or lower alpha." * (found.highest > KEPT)
        return f"The boundaries take increments of {analysis.label} for independent, as they are by simulation: {level}.{small}"
    furthest = f"increments by it are correlated by up to {found.correlation:.2f}"
    own = " Its increments are independent on no scale; a random slope's are." if found.scale == "none" else ""
    return (
        f"1/SE² of {analysis.label} is not its information at looks: {furthest}. Fractions that are squared correlations of its z with "
        f"that of the end keep alpha, {level}; much larger ones do not. alsmodel.trials.planned_fractions finds them.{own}"
    )
