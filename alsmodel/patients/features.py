"""What a virtual participant has besides scores and events: history, body, signs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from alsmodel.patients.draws import Draws, Purpose
from alsmodel.patients.spec import DAYS_PER_MONTH, VirtualCohort

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_TOFERSEN_NFL = np.log(0.45)
_TOFERSEN_NFL_DAYS = 113.0
"""Tofersen lowered plasma NfL by 55% in Miller 2022, falling to about day 113 and flat from there."""


def history(spec: VirtualCohort, draws: Draws, decline: Floats) -> dict[str, Any]:
    """Onset, diagnosis, sex. Fast decliners enrol sooner (correlation -0.4 on the log scale, invented)."""
    log_sd = np.sqrt(np.log1p((spec.onset_months_sd / spec.onset_months_mean) ** 2))
    z = -0.4 * np.clip(decline, -2.5, 2.5) + np.sqrt(1.0 - 0.16) * draws.normal(Purpose.ONSET)
    months = spec.onset_months_mean * np.exp(log_sd * z - 0.5 * log_sd**2)
    onset = -np.round(np.maximum(months, 1.5) * DAYS_PER_MONTH)
    # Diagnosis comes after 30 to 80% of the time from onset to baseline (invented).
    diagnosis = np.round(onset * (1.0 - (0.3 + 0.5 * draws.uniform(Purpose.DELAY))))
    sex = np.where(draws.uniform(Purpose.SEX) < spec.female_share, "female", "male")
    # 175 cm and 162 cm, SD 7 cm: invented.
    height = np.where(sex == "male", 175.0, 162.0) + 7.0 * draws.normal(Purpose.HEIGHT)
    return {"onset_day": onset, "diagnosis_day": diagnosis, "sex": sex, "height_cm": np.round(height, 1)}


def body(
    spec: VirtualCohort,
    draws: Draws,
    day: Floats,
    score: Floats,
    slope: Floats,
    decline: Floats,
    start: Floats,
    stop: Floats,
) -> dict[str, Any]:
    """Vital capacity, NfL and weight at the visits that were made (noise sizes invented)."""
    width = day.shape[1]
    month = day / DAYS_PER_MONTH
    pace = slope / spec.slope_mean
    base = spec.vital_capacity_mean + spec.vital_capacity_sd * draws.normal(Purpose.CAPACITY)
    capacity = base[:, None] + spec.vital_capacity_slope * pace[:, None] * month
    capacity = np.clip(capacity + 4.0 * draws.normal_table(Purpose.CAPACITY_NOISE, width), 5.0, 150.0)
    r = spec.nfl_slope_correlation
    z = r * np.clip(decline, -3.0, 3.0) + np.sqrt(1.0 - r**2) * draws.normal(Purpose.NFL)
    log_nfl = np.log(spec.nfl_median) + spec.nfl_log_sd * z[:, None] + 0.15 * draws.normal_table(Purpose.NFL_NOISE, width)
    for d, drug in enumerate(spec.drugs):
        if drug.name == "tofersen":
            since = np.clip(np.minimum(day, stop[:, d : d + 1]) - start[:, d : d + 1], 0.0, _TOFERSEN_NFL_DAYS)
            log_nfl = log_nfl + _TOFERSEN_NFL * np.nan_to_num(since) / _TOFERSEN_NFL_DAYS
    weight = 76.0 + 13.0 * draws.normal(Purpose.WEIGHT)[:, None] - 0.25 * month + draws.normal_table(Purpose.WEIGHT_NOISE, width)
    seen = np.isnan(score)
    return {
        "vital_capacity": np.where(seen, np.nan, capacity),
        "nfl": np.where(seen, np.nan, np.exp(log_nfl)),
        "weight_kg": np.where(seen, np.nan, np.maximum(weight, 35.0)),
    }


def signs(spec: VirtualCohort, draws: Draws, kind: Ints) -> dict[str, Any]:
    """Regions examined (at least one of four) and how many show signs."""
    examined = draws.uniform_table(Purpose.EXAMINED, 4) < 0.9
    examined[:, 0] = True
    umn = draws.uniform_table(Purpose.UMN, 4) < np.array([p.umn for p in spec.phenotypes])[kind][:, None]
    lmn = draws.uniform_table(Purpose.LMN, 4) < np.array([p.lmn for p in spec.phenotypes])[kind][:, None]
    return {
        "examined": examined.sum(axis=1),
        "umn": (umn & examined).sum(axis=1),
        "lmn": (lmn & examined).sum(axis=1),
    }
