"""Sample sizes in closed form, each with its formula, the numbers put in, and the source.

They say where to start and are what a simulation is checked against; a simulation knows more (deaths that truncate scores, recruitment,
looks). All of them compare two arms, control and active, `ratio` active participants to one of control.
"""

from dataclasses import dataclass
from math import ceil, log, sqrt
from typing import Literal, final

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import nctdtr, ndtr, ndtri, stdtrit

Floats = npt.NDArray[np.float64]


@final
@dataclass(frozen=True, kw_only=True)
class Plan:
    """Error rates and allocation.

    Attributes
    ----------
    alpha : float
        Significance level, of the side or sides named.
    side : "two-sided" or "one-sided"
    power : float
        At least 0.5.
    ratio : float
        Active participants per control participant.
    margin : float
        Non-inferiority margin, at least 0: the active arm may be worse by less than this. Points (per month) for scores; for events
        a hazard ratio above 1, with 0 for superiority. Needs a one-sided test.
    """

    alpha: float = 0.05
    side: Literal["two-sided", "one-sided"] = "two-sided"
    power: float = 0.8
    ratio: float = 1.0
    margin: float = 0.0

    def __post_init__(self) -> None:
        faults = []
        if not 0.0 < self.alpha < 0.5:
            faults.append(f"alpha must lie between 0 and 0.5; got {self.alpha}.")
        if self.side not in ("two-sided", "one-sided"):
            faults.append(f"side must be two-sided or one-sided; got {self.side!r}.")
        if not 0.5 <= self.power < 1.0:
            faults.append(f"power must be at least 0.5 and below 1; got {self.power}.")
        if not 0.0 < self.ratio < np.inf:
            faults.append(f"ratio is active per control and must be above 0; got {self.ratio}.")
        if not 0.0 <= self.margin < np.inf:
            faults.append(f"margin must be at least 0; got {self.margin}. It says how much worse the active arm may be.")
        if self.margin > 0.0 and self.side == "two-sided":
            faults.append("a non-inferiority margin needs side = one-sided; half of a two-sided alpha is usual.")
        if faults:
            raise ValueError(" ".join(faults))

    @property
    def tail(self) -> float:
        """Type I error of the side that matters."""
        return self.alpha / 2.0 if self.side == "two-sided" else self.alpha

    @property
    def z_alpha(self) -> float:
        return float(-ndtri(self.tail))

    @property
    def z_beta(self) -> float:
        return float(ndtri(self.power))

    @property
    def said(self) -> str:
        """Alpha, side, power and allocation in words."""
        ratio = f"{self.ratio:g}:1 active to control" if self.ratio != 1.0 else "1:1"
        return f"alpha {self.alpha:g} {self.side}, power {self.power:g}, allocation {ratio}"


@final
@dataclass(frozen=True, kw_only=True)
class SampleSize:
    """How many participants, and why.

    Attributes
    ----------
    endpoint : str
    control, active, total : int
        Randomised participants.
    power : float
        At those whole numbers, before they were raised for leaving.
    events : int or None
        Events needed, for event end points.
    formula, numbers, source : str
        In symbols, with the numbers put in, and where it comes from.
    assumptions : tuple of str
        Each a sentence.
    """

    endpoint: str
    control: int
    active: int
    total: int
    power: float
    events: int | None
    formula: str
    numbers: str
    source: str
    assumptions: tuple[str, ...]


def slope_variance(
    months: npt.ArrayLike,
    slope_sd: float,
    residual_sd: float,
    intercept_sd: float,
    correlation: float,
    dropout: float,
    ratio: float,
    common: bool,
) -> float:
    """Variance of the estimated slope difference, times the number of control participants.

    The information of one participant is E[Z' V^-1 Z] over the last visit, Z = [1, t], V = Z D Z' + sigma² I, with leaving at a
    constant rate that has lost the share `dropout` by the last visit.

    Parameters
    ----------
    months : array, shape (V,)
        Visits, the first at randomisation.
    slope_sd, residual_sd, intercept_sd, correlation : float
        Of the random-slope model.
    dropout : float
        Share not seen at the last visit.
    ratio : float
        Active per control.
    common : bool
        One mean at the first visit for both arms; otherwise each arm has its own.

    Returns
    -------
    float
        Squared points per month.
    """
    t = np.asarray(months, dtype=np.float64)
    cross = correlation * intercept_sd * slope_sd
    spread = np.array([[intercept_sd**2, cross], [cross, slope_sd**2]])
    seen = (1.0 - dropout) ** ((t - t[0]) / (t[-1] - t[0]))
    chance = seen - np.append(seen[1:], 0.0)
    one = np.zeros((2, 2))
    for last, weight in enumerate(chance, start=1):
        z = np.column_stack([np.ones(last), t[:last]])
        one += weight * z.T @ np.linalg.solve(z @ spread @ z.T + residual_sd**2 * np.eye(last), z)
    if not common:
        return float(np.linalg.inv(one)[1, 1] * (1.0 + 1.0 / ratio))
    # Coefficients: level, slope, slope x arm. The active arm's design is Z times [[1, 0, 0], [0, 1, 1]].
    control, active = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    return float(np.linalg.inv(control.T @ one @ control + ratio * active.T @ one @ active)[2, 2])


def size_slope(
    plan: Plan,
    *,
    difference: float,
    months: npt.ArrayLike,
    slope_sd: float,
    residual_sd: float,
    intercept_sd: float = 6.46,
    correlation: float = 0.0,
    dropout: float = 0.0,
    common_baseline: bool = True,
) -> SampleSize:
    """Size a trial whose end point is the difference in slope under a random-slope model.

    n = (z_alpha + z_beta)² V / (difference + margin)², V from `slope_variance`; without leaving and with a mean of its own at
    baseline in each arm, V = (1 + 1/r) (slope_sd² + residual_sd² / sum (t - mean t)²).

    Parameters
    ----------
    plan : Plan
    difference : float
        True difference, points per month, positive in favour of the active arm; may be 0 for non-inferiority.
    months : array, shape (V,)
        Visits from randomisation.
    slope_sd, residual_sd, intercept_sd : float
        SD of slopes between participants (points per month), of the residual and of the level (points).
    correlation : float
        Of level and slope.
    dropout : float
        Share no longer seen at the last visit, death included; scores until then are used, so no further inflation is due.
    common_baseline : bool
        Arms share their mean at the first visit, as randomisation makes it.

    Raises
    ------
    ValueError
        Impossible values, all named.

    Examples
    --------
    >>> plan = Plan(power=0.8)
    >>> size_slope(plan, difference=0.25, months=range(0, 19, 3), slope_sd=0.76, residual_sd=1.77).total
    298
    """
    t, faults = np.asarray(months, dtype=np.float64), []
    if t.ndim != 1 or t.size < 2 or not np.isfinite(t).all() or (np.diff(t) <= 0.0).any():
        faults.append(f"months needs at least two rising visits; got {t.tolist()}.")
    if (
        not slope_sd >= 0.0
        or not intercept_sd >= 0.0
        or not residual_sd > 0.0
        or not np.isfinite([slope_sd, intercept_sd, residual_sd]).all()
    ):
        faults.append(f"standard deviations must be finite, the residual above 0; got {slope_sd}, {intercept_sd}, {residual_sd}.")
    if not -1.0 <= correlation <= 1.0:
        faults.append(f"correlation must lie between -1 and 1; got {correlation}.")
    faults += _effect_faults(difference, plan) + _dropout_faults(dropout)
    if faults:
        raise ValueError(" ".join(faults))
    v = slope_variance(
        t, slope_sd=slope_sd, residual_sd=residual_sd, intercept_sd=intercept_sd, correlation=correlation, dropout=dropout,
        ratio=plan.ratio, common=common_baseline,
    )  # fmt: skip
    effect = abs(difference) if plan.margin == 0.0 else difference + plan.margin
    raw = (plan.z_alpha + plan.z_beta) ** 2 * v / effect**2
    control, active = _whole(raw, plan.ratio)
    return SampleSize(
        endpoint="slope difference",
        control=control,
        active=active,
        total=control + active,
        power=float(ndtr(effect * sqrt(control / v) - plan.z_alpha)),
        events=None,
        formula="n control = (z_alpha + z_beta)² V / (difference + margin)²;  V = [sum over arms of n_arm E(Z'V_i^-1 Z)]^-1 for arm x time",
        numbers=f"({plan.z_alpha:.4f} + {plan.z_beta:.4f})² x {v:.5f} / {effect:.4g}² = {raw:.2f}",
        source="Laird & Ware, Biometrics 1982;38:963; Diggle, Heagerty, Liang & Zeger, Analysis of Longitudinal Data 2002, section 2.4",
        assumptions=(
            f"{plan.said}" + _margin_said(plan, "points per month"),
            f"Slopes differ by {difference:g} points per month; SD of slopes {slope_sd:g}, residual {residual_sd:g}, "
            f"level {intercept_sd:g}, correlation {correlation:g}.",
            f"Visits at {', '.join(f'{x:g}' for x in t)} months; {dropout:.0%} no longer seen at the last, leaving at a constant rate.",
            *_direction_said(plan),
            "The arms share one mean at the first visit." if common_baseline else "Each arm has a mean of its own at the first visit.",
            "Variances taken as known; add a few participants below 30 per arm.",
        ),
    )


def t_power(control: float, ratio: float, effect: float, plan: Plan, covariates: int = 0) -> float:
    """Power of the t test of two arms with standardised difference `effect`, from the noncentral t; rejections in its direction only."""
    n = control * (1.0 + ratio)
    df = n - 2.0 - covariates
    if df <= 0.0:
        return 0.0
    shift = effect * sqrt(control * ratio / (1.0 + ratio))
    return float(1.0 - nctdtr(df, shift, -stdtrit(df, plan.tail)))


def size_change(
    plan: Plan,
    *,
    difference: float,
    sd: float,
    correlation: float = 0.0,
    analysis: Literal["ancova", "change", "final"] = "ancova",
    dropout: float = 0.0,
) -> SampleSize:
    """Size a trial whose end point is a score at one visit, or its change from baseline.

    The t test of two arms, by the noncentral t, with the variance that the analysis leaves: sd² (1 - rho²) for ANCOVA with the
    baseline score, 2 sd² (1 - rho) for the change, sd² for the final score (Borm, Fransen & Lemmens, J Clin Epidemiol 2007;60:1234).

    Parameters
    ----------
    plan : Plan
    difference : float
        True difference in points, positive in favour of the active arm; may be 0 for non-inferiority.
    sd : float
        SD of the score within an arm, at baseline as at the visit. For the SD of the change itself give ``analysis="final"``.
    correlation : float
        Of the score at baseline and at the visit.
    analysis : "ancova", "change" or "final"
    dropout : float
        Share without a score at the visit; the size is divided by 1 minus it.

    Raises
    ------
    ValueError
        Impossible values, all named.

    Examples
    --------
    The textbook case: half a standard deviation, 80% power.

    >>> size_change(Plan(), difference=0.5, sd=1.0, analysis="final").control
    64
    """
    factors = {"ancova": 1.0 - correlation**2, "change": 2.0 * (1.0 - correlation), "final": 1.0}
    faults = []
    if not 0.0 < sd < np.inf:
        faults.append(f"sd must be above 0 and finite; got {sd}.")
    if not -1.0 < correlation < 1.0:
        faults.append(f"correlation must lie between -1 and 1; got {correlation}.")
    if analysis not in factors:
        faults.append(f"analysis must be ancova, change or final; got {analysis!r}.")
    faults += _effect_faults(difference, plan) + _dropout_faults(dropout)
    if faults:
        raise ValueError(" ".join(faults))
    left = sd * sqrt(factors[analysis])
    effect = (abs(difference) if plan.margin == 0.0 else difference + plan.margin) / left
    extra = 1 if analysis == "ancova" else 0
    start = (plan.z_alpha + plan.z_beta) ** 2 * (1.0 + 1.0 / plan.ratio) / effect**2
    least = (2.0 + extra + 1e-3) / (1.0 + plan.ratio)

    def lack(n: float) -> float:
        return t_power(n, plan.ratio, effect, plan, extra) - plan.power

    raw = least if lack(least) >= 0.0 else float(brentq(lack, least, 2.0 * start + 100.0, xtol=1e-9))
    seen, seen_active = _whole(raw, plan.ratio)
    control, active = _raised(seen, dropout), _raised(seen_active, dropout)
    shares = {"ancova": "1 - rho²", "change": "2 (1 - rho)", "final": "1"}
    return SampleSize(
        endpoint="score at a visit" if analysis == "final" else f"change from baseline, {analysis}",
        control=control,
        active=active,
        total=control + active,
        power=t_power(seen, seen_active / seen, effect, plan, extra),
        events=None,
        formula="smallest n with P(T > t_alpha) >= power, T noncentral t with shift (difference + margin) / s x sqrt(n r / (1 + r)); "
        f"s² = sd² x ({shares[analysis]})",
        numbers=f"s = {sd:g} x sqrt({factors[analysis]:.4f}) = {left:.4f}; about (z_alpha + z_beta)² (1 + 1/r) s² / (difference "
        f"+ margin)² = {start:.2f}, exactly {raw:.2f}; {seen} / (1 - {dropout:g}) = {control}",
        source="Borm, Fransen & Lemmens, J Clin Epidemiol 2007;60:1234; noncentral t as in any text on the two-sample t test",
        assumptions=(
            f"{plan.said}" + _margin_said(plan, "points"),
            f"The arms differ by {difference:g} points; SD {sd:g}, correlation with baseline {correlation:g}.",
            f"{dropout:.0%} have no score at the visit; the rest are analysed.",
            *_direction_said(plan),
        ),
    )


def event_probability(hazard: float, accrual: float, follow_up: float, leaving: float = 0.0) -> float:
    """Probability of an event by the end, with uniform entry over `accrual` months and then `follow_up` more.

    P = h / (h + g) x [1 - (exp(-(h + g) f) - exp(-(h + g)(a + f))) / ((h + g) a)] for hazards h of the event and g of leaving
    (Lachin & Foulkes, Biometrics 1986;42:507).

    Examples
    --------
    >>> round(event_probability(0.02, accrual=0.0, follow_up=12.0), 6)  # 1 - exp(-0.24)
    0.213372
    """
    both = hazard + leaving
    entry = 1.0 if accrual == 0.0 else -np.expm1(-both * accrual) / (both * accrual)
    kept = np.exp(-both * follow_up) * entry
    return float(hazard / both * (1.0 - kept))


def size_events(
    plan: Plan,
    *,
    hazard_ratio: float,
    control_median: float,
    accrual: float,
    follow_up: float,
    dropout: float = 0.0,
) -> SampleSize:
    """Size a trial whose end point is the time to an event.

    Events d = (z_alpha + z_beta)² / {p (1 - p) (log HR - log margin)²}, p the share of one arm (Schoenfeld, Biometrika 1981;68:316);
    participants = d / the probability of an event, exponential in each arm (`event_probability`).

    Parameters
    ----------
    plan : Plan
        `margin` is a hazard ratio above 1, or 0 for superiority.
    hazard_ratio : float
        Active against control; below 1 is benefit, 1 is allowed for non-inferiority.
    control_median : float
        Median time to the event in the control arm, months.
    accrual, follow_up : float
        Months of uniform recruitment, and from the last entry to the end.
    dropout : float
        Share that would have left by 12 months had there been no events; exponential.

    Raises
    ------
    ValueError
        Impossible values, all named.

    Examples
    --------
    >>> size_events(Plan(), hazard_ratio=0.7, control_median=24.0, accrual=18.0, follow_up=12.0).events
    247
    """
    faults = []
    if not 0.0 < hazard_ratio < np.inf:
        faults.append(f"hazard_ratio must be above 0; got {hazard_ratio}.")
    if plan.margin != 0.0 and plan.margin <= 1.0:
        faults.append(f"the margin of an event end point is a hazard ratio above 1, such as 1.3; got {plan.margin}.")
    limit = plan.margin or 1.0
    if hazard_ratio == limit:
        faults.append(f"hazard_ratio equals {limit:g}, what is to be excluded; no number of events shows a difference.")
    elif plan.margin != 0.0 and hazard_ratio > limit:
        faults.append(f"hazard_ratio {hazard_ratio:g} is beyond the margin {limit:g}: non-inferiority is not true then.")
    if not 0.0 < control_median < np.inf:
        faults.append(f"control_median must be above 0 months; got {control_median}.")
    if not accrual >= 0.0 or not follow_up >= 0.0 or not 0.0 < accrual + follow_up < np.inf:
        faults.append(f"accrual and follow_up must be at least 0 months and not both 0; got {accrual} and {follow_up}.")
    faults += _dropout_faults(dropout)
    if faults:
        raise ValueError(" ".join(faults))
    share = plan.ratio / (1.0 + plan.ratio)
    effect = log(hazard_ratio) - log(limit)
    raw = (plan.z_alpha + plan.z_beta) ** 2 / (share * (1.0 - share) * effect**2)
    hazard, leaving = log(2.0) / control_median, -log(1.0 - dropout) / 12.0
    control_p = event_probability(hazard, accrual, follow_up, leaving)
    active_p = event_probability(hazard * hazard_ratio, accrual, follow_up, leaving)
    mean = (1.0 - share) * control_p + share * active_p
    control, active = _whole(raw / mean * (1.0 - share), plan.ratio)
    events = ceil(raw - 1e-9)
    return SampleSize(
        endpoint="time to event",
        control=control,
        active=active,
        total=control + active,
        power=float(ndtr(abs(effect) * sqrt(events * share * (1.0 - share)) - plan.z_alpha)),
        events=events,
        formula="events = (z_alpha + z_beta)² / {p (1 - p) (log HR - log margin)²};  n = events / {(1 - p) P_control + p P_active}",
        numbers=f"({plan.z_alpha:.4f} + {plan.z_beta:.4f})² / ({share:.4f} x {1 - share:.4f} x ({effect:.4f})²) = {raw:.2f} events; "
        f"/ ({1 - share:.4f} x {control_p:.4f} + {share:.4f} x {active_p:.4f}) = {raw / mean:.2f}",
        source="Schoenfeld, Biometrika 1981;68:316; Lachin & Foulkes, Biometrics 1986;42:507",
        assumptions=(
            f"{plan.said}" + (f"; non-inferiority margin: hazard ratio {plan.margin:g}" if plan.margin else ""),
            f"Hazard ratio {hazard_ratio:g}, proportional and constant hazards; control median {control_median:g} months.",
            f"Recruitment over {accrual:g} months at an even rate, then {follow_up:g} months; {dropout:.0%} would leave by 12 months.",
            *_direction_said(plan),
        ),
    )


def _effect_faults(difference: float, plan: Plan) -> list[str]:
    if not np.isfinite(difference):
        return [f"difference must be finite; got {difference}."]
    if plan.margin == 0.0 and difference == 0.0:
        return ["a difference of 0 cannot be shown. Give a difference, or a non-inferiority margin."]
    if plan.margin > 0.0 and difference + plan.margin <= 0.0:
        return [f"the true difference {difference:g} is at or beyond the margin {plan.margin:g}: non-inferiority is not true then."]
    return []


def _dropout_faults(dropout: float) -> list[str]:
    return [] if 0.0 <= dropout < 1.0 else [f"dropout is a share, at least 0 and below 1; got {dropout}."]


def _margin_said(plan: Plan, unit: str) -> str:
    return f"; non-inferiority margin {plan.margin:g} {unit}" if plan.margin else ""


def _direction_said(plan: Plan) -> tuple[str, ...]:
    """That a one-sided test for superiority looks where the effect is, whatever its sign."""
    one = plan.side == "one-sided" and plan.margin == 0.0
    return ("The one-sided test looks in the direction of the effect given, whichever arm that favours.",) if one else ()


def _whole(control: float, ratio: float) -> tuple[int, int]:
    """Whole participants of both arms, each rounded up."""
    return max(ceil(control - 1e-9), 1), max(ceil(control * ratio - 1e-9), 1)


def _raised(size: int, dropout: float) -> int:
    return ceil(size / (1.0 - dropout) - 1e-9)
