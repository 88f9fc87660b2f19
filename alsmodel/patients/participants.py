"""Simulating a virtual cohort: who the participants are, how they decline, when they die or leave."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alsmodel.patients.draws import Draws, Purpose
from alsmodel.patients.features import body, history, signs
from alsmodel.patients.items import ITEM_DOMAIN, MAXIMUM, loss_orders, spread
from alsmodel.patients.paths import Paths, bend, event_months
from alsmodel.patients.spec import DAYS_PER_MONTH, VirtualCohort
from alsmodel.patients.streams import stream_key
from alsmodel.patients.trial import skewed
from alsmodel.patients.truth import true_parameters

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Texts = NDArray[np.str_]

COHORT_STREAM = 1
EL_ESCORIAL = ("Definite", "Probable", "Probable Laboratory Supported", "Possible", "Suspected")
_EL_ESCORIAL_SHARES = np.array([26.8, 22.8, 12.6, 19.7, 3.9]) / 85.8
"""Shares among the classified participants of the Chinese cohort named in `alsmodel.patients.spec`."""

_PER_DRUG = 5


@dataclass(frozen=True, kw_only=True)
class VirtualParticipants:
    """A simulated cohort as arrays; n participants, V planned visits, D drugs.

    Days are from baseline (day 0), rounded to whole days as a case report form has them. Missing numbers are NaN in
    float arrays and -1 in integer ones.

    Attributes
    ----------
    spec, seed
        What was simulated.
    phenotype, onset_site, sex, gene, el_escorial : array of str, shape (n,)
        Labels; onset sites are "limb", "bulbar", "limb and bulbar", "spine" and "respiratory"; no gene is "".
    family_history : array of bool, shape (n,)
    arm : array of int, shape (n,)
        1 is active.
    age : array, shape (n,)
        Years at baseline.
    onset_day, diagnosis_day : array, shape (n,)
        Days (negative) of symptom onset and of diagnosis.
    height_cm : array, shape (n,)
    intercept, slope : array, shape (n,)
        True score at baseline, and untreated true slope in points per month.
    visit_day : array, shape (n, V)
        Days of the visits, made or not.
    true_value, score : array, shape (n, V)
        True score and score of each visit that was made; NaN elsewhere.
    total : array of int16, shape (n, V)
        The score rounded and kept within 0..48; -1 where there is none.
    items : array of int8, shape (n, V, 12)
        Items that add up to `total`.
    gastrostomy : array of bool, shape (n, V)
    screening_day, screening_score : array, shape (n,)
        An earlier assessment; NaN if there is none.
    screening_items : array of int8, shape (n, 12)
    event : array of bool, shape (n,)
        Died under observation.
    end_month, end_day : array, shape (n,)
        Death, dropout or end of follow-up, whichever is first: exact months, and days rounded up.
    end_reason : array of str, shape (n,)
        "death", "dropout" or "administrative".
    vital_capacity, nfl, weight_kg : array, shape (n, V)
        % predicted; serum neurofilament light in pg/mL; kilograms.
    exposure_start, exposure_stop : array, shape (n, D)
        Days; NaN start means never, infinite stop means not stopped.
    examined, umn, lmn : array of int, shape (n,)
        Regions examined of four, and how many of those show upper / lower motor neuron signs. A burden is a count
        over `examined`.
    truth : dict
        The parameters that generated the data, under the names that a fit uses.
    """

    spec: VirtualCohort
    seed: int
    phenotype: Texts
    onset_site: Texts
    sex: Texts
    gene: Texts
    el_escorial: Texts
    family_history: NDArray[np.bool_]
    arm: Ints
    age: Floats
    onset_day: Floats
    diagnosis_day: Floats
    height_cm: Floats
    intercept: Floats
    slope: Floats
    visit_day: Floats
    true_value: Floats
    score: Floats
    total: NDArray[np.int16]
    items: NDArray[np.int8]
    gastrostomy: NDArray[np.bool_]
    screening_day: Floats
    screening_score: Floats
    screening_items: NDArray[np.int8]
    event: NDArray[np.bool_]
    end_month: Floats
    end_day: Floats
    end_reason: Texts
    vital_capacity: Floats
    nfl: Floats
    weight_kg: Floats
    exposure_start: Floats
    exposure_stop: Floats
    examined: Ints
    umn: Ints
    lmn: Ints
    truth: dict[str, Any] = field(repr=False)

    @property
    def n(self) -> int:
        """Number of participants."""
        return int(self.intercept.size)


def simulate(spec: VirtualCohort, n: int, seed: int) -> VirtualParticipants:
    """Simulate a virtual cohort.

    Parameters
    ----------
    spec : VirtualCohort
        Settings.
    n : int
        Number of participants, >= 1. The first m participants are the same for every n >= m.
    seed : int
        Seed, >= 0.

    Returns
    -------
    VirtualParticipants
        Arrays and the true parameters.

    Raises
    ------
    ValueError
        If `n` is below 1 or `seed` is negative.

    Examples
    --------
    >>> cohort = simulate(VirtualCohort(), n=5, seed=1)
    >>> bool((cohort.items[cohort.total >= 0].sum(axis=1) == cohort.total[cohort.total >= 0]).all())
    True
    """
    if n < 1 or seed < 0:
        raise ValueError(f"simulate needs n >= 1 and seed >= 0; got n = {n}, seed = {seed}.")
    draws = Draws(stream_key(seed, COHORT_STREAM), n)
    kind = _pick(draws.uniform(Purpose.PHENOTYPE), np.array([p.share for p in spec.phenotypes]))
    gene = _gene(spec, draws)
    intercept, slope, decline = _random_effects(spec, draws, kind)
    exposure_start, exposure_stop = _exposures(spec, draws, gene)
    arm = (draws.uniform(Purpose.ARM) < spec.active_share).astype(np.int64)
    age = np.clip(spec.age_mean + spec.age_sd * draws.normal(Purpose.AGE), 18.0, 95.0)
    paths = _paths(spec, kind, age, arm, intercept, slope, exposure_start, exposure_stop)
    end_month, end_reason = _ends(spec, draws, paths)
    scores = _scores(spec, draws, kind, paths, end_month)
    return VirtualParticipants(
        spec=spec,
        seed=seed,
        phenotype=np.array([p.name for p in spec.phenotypes])[kind],
        onset_site=_onset_site(spec, draws, kind),
        gene=gene,
        el_escorial=np.array(EL_ESCORIAL)[_pick(draws.uniform(Purpose.CRITERIA), _EL_ESCORIAL_SHARES)],
        family_history=draws.uniform(Purpose.FAMILY) < np.where(gene == "", 0.05, 0.6),
        arm=arm,
        age=age,
        intercept=intercept,
        slope=slope,
        event=end_reason == "death",
        end_month=end_month,
        end_day=np.ceil(end_month * DAYS_PER_MONTH),
        end_reason=end_reason,
        exposure_start=exposure_start,
        exposure_stop=exposure_stop,
        truth=true_parameters(spec, seed, n),
        **scores,
        **history(spec, draws, decline),
        **body(spec, draws, scores["visit_day"], scores["score"], slope, decline, exposure_start, exposure_stop),
        **signs(spec, draws, kind),
    )


def _pick(u: Floats, shares: Floats) -> Ints:
    """Category of each uniform number."""
    edges = np.cumsum(shares)
    return np.minimum(np.searchsorted(edges, u, side="right"), len(shares) - 1)


def _gene(spec: VirtualCohort, draws: Draws) -> Texts:
    names = np.array([name for name, _ in spec.genes] + [""])
    shares = np.array([share for _, share in spec.genes])
    return names[_pick(draws.uniform(Purpose.GENE), np.append(shares, 1.0 - shares.sum()))]


def _onset_site(spec: VirtualCohort, draws: Draws, kind: Ints) -> Texts:
    """Site of onset; a few limb onsets of the reference phenotype are recorded as mixed or spinal (invented shares)."""
    site = np.array([p.onset_site for p in spec.phenotypes], dtype="U15")[kind]
    u = draws.uniform(Purpose.SITE)
    site[(kind == 0) & (u < 0.05)] = "limb and bulbar"
    site[(kind == 0) & (u > 0.97)] = "spine"
    return site


def _random_effects(spec: VirtualCohort, draws: Draws, kind: Ints) -> tuple[Floats, Floats, Floats]:
    """True intercept, untreated slope, and the standardised decline (high is fast)."""
    z0 = draws.normal(Purpose.INTERCEPT)
    z1 = np.array([skewed(z, spec.slope_skew) for z in draws.normal(Purpose.SLOPE)])
    rest = np.sqrt(1.0 - spec.correlation**2)
    deviate = spec.correlation * z0 + rest * z1
    mean = spec.reference_slope + np.array([p.slope for p in spec.phenotypes])[kind] - spec.phenotypes[0].slope
    return spec.baseline_mean + spec.intercept_sd * z0, mean + spec.within_slope_sd * deviate, -deviate


def _exposures(spec: VirtualCohort, draws: Draws, gene: Texts) -> tuple[Floats, Floats]:
    """Start and stop day of every drug; starts before baseline are 10 to 400 days old."""
    n, end = draws.n, spec.follow_up * DAYS_PER_MONTH
    start, stop = np.full((n, len(spec.drugs)), np.nan), np.full((n, len(spec.drugs)), np.inf)
    for d, drug in enumerate(spec.drugs):
        taken, later, day, quits, gap = draws.uniform_table(Purpose.DRUG + d, _PER_DRUG).T
        eligible = np.full(n, True) if drug.gene is None else gene == drug.gene
        before = eligible & (taken < drug.baseline_share)
        during = eligible & ~before & (later < drug.later_share)
        start[before, d] = -np.round(10.0 + 390.0 * day[before])
        start[during, d] = np.round(1.0 + (0.8 * end - 1.0) * day[during])
        leaves = (before | during) & (quits < drug.stop_share)
        first = np.maximum(start[leaves, d], 0.0)
        stop[leaves, d] = np.ceil(first + 1.0 + (end - first - 1.0) * gap[leaves])
    return start, stop


def _paths(
    spec: VirtualCohort,
    kind: Ints,
    age: Floats,
    arm: Ints,
    intercept: Floats,
    slope: Floats,
    start_day: Floats,
    stop_day: Floats,
) -> Paths:
    """Bend everybody's line by background drugs and by the arm (a drug from day 0 to the end)."""
    arm_start = np.where(arm == 1, 0.0, np.nan)[:, None]
    start = np.concatenate([start_day / DAYS_PER_MONTH, arm_start], axis=1)
    stop = np.concatenate([stop_day / DAYS_PER_MONTH, np.full((len(arm), 1), np.inf)], axis=1)
    theta = np.array([d.log_slope_ratio for d in spec.drugs] + [spec.arm_log_slope_ratio])
    effect = np.array([d.log_hazard for d in spec.drugs] + [spec.arm_log_hazard])
    log_hazard = np.array([p.log_hazard for p in spec.phenotypes])[kind] - spec.phenotypes[0].log_hazard
    additive = np.expm1(theta) * spec.slope_mean if spec.treatment == "additive" else None
    horizon = max(spec.follow_up, spec.visit_months[-1] + spec.visit_jitter_days / DAYS_PER_MONTH)
    log_hazard = log_hazard + spec.age_log_hazard * (age - spec.age_mean)
    return bend(intercept, slope, log_hazard, start, stop, theta, effect, additive, horizon)


def _ends(spec: VirtualCohort, draws: Draws, paths: Paths) -> tuple[Floats, Texts]:
    """Month and reason of the end of observation."""
    if spec.hazard == "weibull":
        knots = np.append(np.arange(np.ceil(spec.follow_up)), np.inf)
        levels, shape = np.full(len(knots) - 1, spec.weibull_log_rate), spec.weibull_shape
    else:
        knots, levels, shape = np.array(spec.hazard_knots), np.array(spec.log_baseline_hazard), 0.0
    died = event_months(
        draws.key,
        int(Purpose.EVENT),
        paths.breaks,
        paths.start,
        paths.rate,
        paths.log_hazard,
        spec.association_value,
        spec.association_slope,
        knots,
        levels,
        shape,
    )
    left = -np.log(draws.uniform(Purpose.DROPOUT)) / spec.dropout if spec.dropout > 0 else np.full(draws.n, np.inf)
    end = np.minimum(np.minimum(died, left), spec.follow_up)
    reason = np.where(died <= end, "death", np.where(left <= end, "dropout", "administrative"))
    return end, reason


def _scores(spec: VirtualCohort, draws: Draws, kind: Ints, paths: Paths, end: Floats) -> dict[str, Any]:
    """Visits, scores, items and gastrostomy."""
    width = len(spec.visit_months)
    jitter = (2.0 * draws.uniform_table(Purpose.JITTER, width) - 1.0) * spec.visit_jitter_days
    jitter[:, 0] = 0.0
    planned = np.array(spec.visit_months)
    # Jitter must not carry the last visit past the end of follow-up, where nobody is at risk any more.
    last = np.where(planned <= spec.follow_up, np.floor(spec.follow_up * DAYS_PER_MONTH), np.inf)
    day = np.minimum(np.round(planned * DAYS_PER_MONTH + jitter), last)
    month = day / DAYS_PER_MONTH
    made = month <= end[:, None]
    missed = draws.uniform_table(Purpose.MISSED, width) < spec.missed_visit
    missed[:, 0] = False
    value = np.where(made & ~missed, paths.value(month), np.nan)
    score = _measured(spec, value + spec.residual_sd * draws.normal_table(Purpose.RESIDUAL, width))
    screened = draws.uniform_table(Purpose.SCREENING, 2)[:, 0] < spec.screening_share
    screening_day = np.where(screened, spec.screening_day, np.nan)
    before = paths.value(screening_day[:, None] / DAYS_PER_MONTH)[:, 0]
    screening = _measured(spec, before + spec.residual_sd * draws.normal(Purpose.SCREENING_RESIDUAL))
    lead = np.array([p.domain_order for p in spec.phenotypes])[kind]
    order = loss_orders(draws.key, int(Purpose.ORDER), lead, ITEM_DOMAIN)
    total = _total(score)
    items = spread(order, total)
    # A tube is placed in some once swallowing (item 3) has fallen to 1 or 0 (invented share), and stays.
    tube = (draws.uniform(Purpose.TUBE) < 0.5)[:, None] & (items[:, :, 2] <= 1) & (total >= 0)
    return {
        "visit_day": day,
        "true_value": value,
        "score": score,
        "total": total,
        "items": items,
        "gastrostomy": np.maximum.accumulate(tube, axis=1) & (total >= 0),
        "screening_day": screening_day,
        "screening_score": screening,
        "screening_items": spread(order, _total(screening[:, None]))[:, 0],
    }


def _measured(spec: VirtualCohort, score: Floats) -> Floats:
    """Round and clamp a score if the settings say so."""
    rounded = np.round(score) if spec.rounding else score
    return np.clip(rounded, 0.0, float(MAXIMUM)) if spec.clamping else rounded


def _total(score: Floats) -> NDArray[np.int16]:
    """Score as an integer total within 0..48; -1 for NaN."""
    return np.where(np.isnan(score), -1, np.clip(np.round(score), 0, MAXIMUM)).astype(np.int16)
