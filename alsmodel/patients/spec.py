"""What a virtual cohort is made of: the settings, each with where its number comes from.

Numbers marked *invented* have no source that could be checked: they are settings of a simulation, not findings.
Sources of the rest, by short name:

- **HEALEY**: statistical analysis plan and results of the HEALEY ALS Platform Trial (Berry et al., JAMA 2025,
  doi 10.1001/jama.2024.27643, supplements); its simulation inputs were taken from PRO-ACT placebo participants and
  its baseline figures are those of the shared placebo group, n = 164.
- **van Eijk 2022**: joint model of the valproate trial (J Clin Epidemiol, S0895435622000701).
- **Wijesekera 2009**: Neurology 72:1087, doi 10.1212/01.wnl.0000345041.83406.a2.
- **China**: phenotype table of a cohort of 1,624 (J Neurol Neurosurg Psychiatry).
- **Westeneng 2018**: Lancet Neurol 17:423, doi 10.1016/S1474-4422(18)30089-9.
- **Benatar 2024**: eBioMedicine 108:105323.
- **Miller 2022**: tofersen, NEJM 387:1099.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

DAYS_PER_MONTH = 365.25 / 12


@dataclass(frozen=True, kw_only=True)
class Phenotype:
    """One phenotype of the mix.

    Attributes
    ----------
    name : str
        Name as used in the arrays and in `truth`.
    share : float
        Share of participants; the shares of a cohort sum to one.
    onset_site : str
        "limb", "bulbar" or "respiratory".
    slope : float
        Points per month added to the reference phenotype's slope. *Invented* size; the sign follows the ordering
        of median survival by phenotype in Wijesekera 2009.
    log_hazard : float
        Log hazard ratio against the reference phenotype at an equal score.
    umn, lmn : float
        Chance that an examined region shows upper / lower motor neuron signs. *Invented*.
    domain_order : tuple of four floats
        Lead of the bulbar, fine motor, gross motor and respiratory items in losing points; larger loses earlier.
        *Invented*.
    """

    name: str
    share: float
    onset_site: Literal["limb", "bulbar", "respiratory"] = "limb"
    slope: float = 0.0
    log_hazard: float = 0.0
    umn: float = 0.6
    lmn: float = 0.7
    domain_order: tuple[float, float, float, float] = (0.0, 1.0, 1.0, -0.5)


@dataclass(frozen=True, kw_only=True)
class Drug:
    """One background drug, taken or not by nobody's assignment.

    Attributes
    ----------
    name : str
        Drug name.
    baseline_share : float
        Share of the eligible who take it at baseline, started before.
    later_share : float
        Share of the other eligible who start during follow-up. *Invented*.
    stop_share : float
        Share of the takers who stop before the end of follow-up. *Invented*.
    log_slope_ratio : float
        theta: while taken, the slope is multiplied by exp(theta). *Invented*.
    log_hazard : float
        Direct log hazard ratio while taken, beside what runs through the score. *Invented*, 0 by default.
    gene : str or None
        If set, only carriers of a mutation in this gene are eligible.
    """

    name: str
    baseline_share: float
    later_share: float = 0.1
    stop_share: float = 0.15
    log_slope_ratio: float = 0.0
    log_hazard: float = 0.0
    gene: str | None = None


PHENOTYPES: tuple[Phenotype, ...] = (
    Phenotype(name="classic", share=0.568),
    Phenotype(
        name="bulbar",
        share=0.177,
        onset_site="bulbar",
        slope=-0.15,
        log_hazard=0.26,
        domain_order=(3.0, 0.3, 0.0, 0.3),
    ),
    Phenotype(
        name="flail arm",
        share=0.078,
        slope=0.25,
        log_hazard=-0.28,
        umn=0.3,
        lmn=0.8,
        domain_order=(-1.0, 3.0, 0.0, -1.0),
    ),
    Phenotype(
        name="flail leg",
        share=0.06,
        slope=0.25,
        log_hazard=-0.34,
        umn=0.3,
        lmn=0.8,
        domain_order=(-1.0, 0.0, 3.0, -1.0),
    ),
    Phenotype(
        name="UMN-predominant",
        share=0.06,
        slope=0.25,
        log_hazard=-0.3,
        umn=0.9,
        lmn=0.3,
        domain_order=(0.5, 0.5, 1.0, -1.0),
    ),
    Phenotype(
        name="respiratory",
        share=0.02,
        onset_site="respiratory",
        slope=-0.25,
        log_hazard=0.4,
        domain_order=(-0.5, 0.3, 0.3, 2.5),
    ),
    Phenotype(name="PMA", share=0.026, slope=0.1, log_hazard=-0.1, umn=0.0, lmn=0.9),
    Phenotype(
        name="PLS",
        share=0.011,
        slope=0.5,
        log_hazard=-1.0,
        umn=0.95,
        lmn=0.0,
        domain_order=(0.5, 0.3, 1.5, -2.0),
    ),
)
"""Default phenotype mix.

Shares: bulbar 0.177 (HEALEY), flail arm 0.078 and PMA 0.026 (China), flail leg 0.06 (Wijesekera 2009); the others
*invented*, with classic as the rest. Log hazards: half of the log ratio of median survival to limb onset in
Wijesekera 2009 (limb 35, bulbar 27, flail arm 61, flail leg 69 months) for flail arm and flail leg, the whole of it
for bulbar, since part of the survival difference runs through the score; the others *invented*.
"""

DRUGS: tuple[Drug, ...] = (
    Drug(name="riluzole", baseline_share=0.768, later_share=0.3, log_slope_ratio=-0.05),
    Drug(name="edaravone", baseline_share=0.25, later_share=0.1, log_slope_ratio=-0.10),
    Drug(name="tofersen", baseline_share=0.3, later_share=0.6, log_slope_ratio=-0.5, gene="SOD1"),
)
"""Default drugs. Baseline shares of riluzole and edaravone: HEALEY. Everything else *invented*."""

GENES: tuple[tuple[str, float], ...] = (("SOD1", 0.02), ("C9orf72", 0.07), ("FUS", 0.01), ("TARDBP", 0.01))
"""Carrier shares. SOD1 is about 2% of cases, C9orf72 the commonest cause; the other sizes are *invented*."""


@dataclass(frozen=True, kw_only=True)
class VirtualCohort:
    """Settings of a virtual cohort (rule: only settings here, no data).

    Score of person i at month t from baseline, before treatment: ``intercept + b0 + (slope + b1) t`` plus a residual.
    Hazard per month: ``exp(log_baseline(t) + log_hazard_i + association_value value_i(t) + association_slope
    slope_i(t))``, where value has no residual and slope is the slope in force (drugs included).

    Attributes
    ----------
    baseline_mean : float
        Mean score at baseline, points (35.1 in HEALEY).
    intercept_sd : float
        SD of the true baseline score, points. The observed baseline SD is 6.7 (HEALEY), and an observed score
        carries the residual: sqrt(6.7^2 - 1.77^2) = 6.46. Taking 6.7 here would count the residual twice.
    slope_mean, slope_sd : float
        Mean and SD of the untreated slope over the whole cohort, points per month (-1.03 and 0.76, HEALEY's
        PRO-ACT placebo population). Phenotype differences are inside these moments: the reference phenotype's mean
        and the within-phenotype SD are derived so that the mixture has them.
    slope_skew : float
        Log SD s of the reversed log-normal from which b1 is drawn (mean, SD and correlation unchanged; 0 is
        normal). A normal slope with these moments leaves 9% of people improving, whom a treatment that multiplies
        the slope would make worse; 0.66 = sqrt(log(1 + (0.76 / 1.03)^2)) is the log-normal decline rate with
        these moments and leaves about 1%. That population had at least three scores over 24 weeks, so it
        is one of survivors.
    correlation : float
        Correlation of b0 and b1 (0.2: a simulator built on van Eijk's 2018 joint model has 0.21).
    residual_sd : float
        Residual SD of a score, points (1.77, HEALEY's PRO-ACT placebo population).
    phenotypes : tuple of Phenotype
        The mix; the first is the reference.
    drugs : tuple of Drug
        Background drugs.
    genes : tuple of (name, share)
        Mutation carriers; the rest have none.
    association_value : float
        Log hazard per point of the current true score (-0.08, van Eijk 2022).
    association_slope : float
        Log hazard per point per month of the current slope.
    hazard : {"piecewise", "weibull"}
        Form of the baseline hazard.
    hazard_knots, log_baseline_hazard : tuple of float
        Piecewise form: months from 0, and log hazard per month in each interval (at score 0); the last level holds
        on. *Invented*: chosen so that about three in ten die within 18 months.
    weibull_shape, weibull_log_rate : float
        Weibull form, shape t^(shape - 1) exp(log_rate) per month (at score 0). *Invented* level; shape 1.44 is that
        of the simulator named under `correlation`.
    age_mean, age_sd : float
        Years at baseline, 57.2 (11.3) in HEALEY.
    age_log_hazard : float
        Log hazard per year of age: log(1.03) for age at onset in Westeneng 2018.
    female_share : float
        0.35 (pridopidine regimen of HEALEY).
    onset_months_mean, onset_months_sd : float
        Symptom onset before baseline, months: 21.9 (8.7) in HEALEY; log-normal, shorter in fast decliners.
    vital_capacity_mean, vital_capacity_sd : float
        Vital capacity at baseline, % predicted: 76.0 (16.5) in HEALEY.
    vital_capacity_slope : float
        Mean change, % predicted per month: -2.24 in PRO-ACT; each person's is proportional to the score's slope.
    nfl_median, nfl_log_sd : float
        Serum neurofilament light at baseline, pg/mL: median 67.6, quartiles 44.3 and 91.6 in HEALEY, hence a log SD
        of log(91.6 / 44.3) / 1.349 = 0.54.
    nfl_slope_correlation : float
        Correlation of log NfL with the decline rate; *invented*, below the 0.67 between prediction and slope
        that Witzel et al. 2021 reach with NfL and site of onset.
    active_share : float
        Share randomised to the active arm.
    arm_log_slope_ratio : float
        theta of the active arm from day 0: 0 is no effect.
    arm_log_hazard : float
        Direct log hazard ratio of the active arm.
    treatment : {"multiplicative", "additive"}
        How every theta acts: the slope times exp(theta), or the slope plus (exp(theta) - 1) slope_mean points per
        month for everyone alike.
    follow_up : float
        Months until administrative censoring.
    visit_months : tuple of float
        Planned visits, from 0.
    visit_jitter_days : float
        Half-width of the uniform jitter of a visit after baseline.
    missed_visit : float
        Chance that a visit after baseline is missed. *Invented*.
    screening_day, screening_share : float
        Day of an earlier assessment with a residual of its own, and the share of people who have it. It allows a
        delta-FRS that does not reuse the baseline score.
    dropout : float
        Rate of leaving per month for reasons other than death (0.02, HEALEY); 0 turns it off.
    rounding, clamping : bool
        Round scores to integers; keep them within 0..48. Turn both off, and dropout to 0, for recovery tests.
    """

    baseline_mean: float = 35.0
    intercept_sd: float = 6.46
    slope_mean: float = -1.03
    slope_sd: float = 0.76
    slope_skew: float = 0.66
    correlation: float = 0.2
    residual_sd: float = 1.77
    phenotypes: tuple[Phenotype, ...] = PHENOTYPES
    drugs: tuple[Drug, ...] = DRUGS
    genes: tuple[tuple[str, float], ...] = GENES
    association_value: float = -0.08
    association_slope: float = 0.0
    hazard: Literal["piecewise", "weibull"] = "piecewise"
    hazard_knots: tuple[float, ...] = (0.0, 6.0, 12.0, 18.0)
    log_baseline_hazard: tuple[float, ...] = (-2.0, -1.8, -1.7)
    weibull_shape: float = 1.44
    weibull_log_rate: float = -3.0
    age_mean: float = 57.2
    age_sd: float = 11.3
    age_log_hazard: float = float(np.log(1.03))
    female_share: float = 0.35
    onset_months_mean: float = 21.9
    onset_months_sd: float = 8.7
    vital_capacity_mean: float = 76.0
    vital_capacity_sd: float = 16.5
    vital_capacity_slope: float = -2.24
    nfl_median: float = 67.6
    nfl_log_sd: float = 0.54
    nfl_slope_correlation: float = 0.5
    active_share: float = 0.5
    arm_log_slope_ratio: float = 0.0
    arm_log_hazard: float = 0.0
    treatment: Literal["multiplicative", "additive"] = "multiplicative"
    follow_up: float = 18.0
    visit_months: tuple[float, ...] = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 15.0, 18.0)
    visit_jitter_days: float = 6.0
    missed_visit: float = 0.04
    screening_day: float = -21.0
    screening_share: float = 1.0
    dropout: float = 0.02
    rounding: bool = True
    clamping: bool = True

    def __post_init__(self) -> None:
        """Refuse settings that cannot be simulated, all at once."""
        faults = list(_faults(self))
        if faults:
            raise ValueError("VirtualCohort: " + " ".join(faults))

    @property
    def phenotype_slope_sd(self) -> float:
        """SD between phenotype mean slopes, points per month."""
        shares = np.array([p.share for p in self.phenotypes])
        slopes = np.array([p.slope for p in self.phenotypes])
        return float(np.sqrt(shares @ (slopes - shares @ slopes) ** 2))

    @property
    def within_slope_sd(self) -> float:
        """SD of b1, points per month: the cohort's slope variance less the variance between phenotypes."""
        return float(np.sqrt(self.slope_sd**2 - self.phenotype_slope_sd**2))

    @property
    def reference_slope(self) -> float:
        """Mean slope of the reference phenotype (the first), points per month."""
        return self.slope_mean - sum(p.share * (p.slope - self.phenotypes[0].slope) for p in self.phenotypes)


def _faults(spec: VirtualCohort) -> list[str]:
    """List what is wrong with the settings."""
    faults = []
    shares = sum(p.share for p in spec.phenotypes)
    if not spec.phenotypes or abs(shares - 1) > 1e-9:
        faults.append(f"phenotype shares must sum to 1, got {shares:g}.")
    elif spec.phenotype_slope_sd >= spec.slope_sd:
        faults.append("phenotype slopes alone vary more than slope_sd; make slope_sd larger.")
    if sum(share for _, share in spec.genes) > 1:
        faults.append("gene shares must not exceed 1 together.")
    for name in ("intercept_sd", "slope_sd", "residual_sd", "follow_up", "age_sd"):
        if getattr(spec, name) <= 0:
            faults.append(f"{name} must be above 0, got {getattr(spec, name):g}.")
    for name in ("dropout", "slope_skew", "missed_visit"):
        if getattr(spec, name) < 0:
            faults.append(f"{name} must not be negative, got {getattr(spec, name):g}.")
    if abs(spec.correlation) >= 1:
        faults.append(f"correlation must lie between -1 and 1, got {spec.correlation:g}.")
    if len(spec.hazard_knots) != len(spec.log_baseline_hazard) + 1 or spec.hazard_knots[0] != 0:
        faults.append("hazard_knots must start at 0 and be one longer than log_baseline_hazard.")
    if not spec.visit_months or spec.visit_months[0] != 0 or np.any(np.diff(spec.visit_months) <= 0):
        faults.append("visit_months must start at 0 and increase.")
    return faults
