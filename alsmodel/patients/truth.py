"""The parameters that generated a cohort, under the names that a fit gives them."""

from dataclasses import asdict
from typing import Any

import numpy as np

from alsmodel.patients.spec import VirtualCohort

_SITE_SHARES = {"limb and bulbar": 0.05, "spine": 0.03}


def true_parameters(spec: VirtualCohort, seed: int, n: int) -> dict[str, Any]:
    """Collect the true values.

    Parameters
    ----------
    spec : VirtualCohort
        Settings.
    seed, n : int
        What was simulated.

    Returns
    -------
    dict
        ``parameters`` (name -> value: points, months, log hazards per month; the reference phenotype is the first of
        the settings, ages enter as years from ``age_mean``), ``settings``, ``seed`` and ``participants``. The
        values are coefficients of the generator, not estimands.
    """
    reference = spec.phenotypes[0]
    parameters: dict[str, float] = {
        "intercept": spec.baseline_mean,
        "slope": spec.reference_slope,
        "slope:mean": spec.slope_mean,
        "sd:intercept": spec.intercept_sd,
        "sd:slope": spec.within_slope_sd,
        "corr:intercept,slope": spec.correlation,
        "sd:residual": spec.residual_sd,
        "association:value": spec.association_value,
        "association:slope": spec.association_slope,
        "hazard:age": spec.age_log_hazard,
        "hazard:arm[active]": spec.arm_log_hazard,
    }
    for phenotype in spec.phenotypes[1:]:
        parameters[f"slope:phenotype[{phenotype.name}]"] = phenotype.slope - reference.slope
        parameters[f"hazard:phenotype[{phenotype.name}]"] = phenotype.log_hazard - reference.log_hazard
    parameters |= _by_onset_site(spec)
    for drug in spec.drugs:
        parameters[f"theta:{drug.name}"] = drug.log_slope_ratio
        parameters[f"hazard:{drug.name}"] = drug.log_hazard
    if spec.treatment == "additive":
        parameters["slope:arm[active]"] = float(np.expm1(spec.arm_log_slope_ratio) * spec.slope_mean)
    else:
        parameters["theta:arm[active]"] = spec.arm_log_slope_ratio
    if spec.hazard == "weibull":
        parameters["weibull:shape"] = spec.weibull_shape
        parameters["weibull:log_rate"] = spec.weibull_log_rate
    else:
        for k, level in enumerate(spec.log_baseline_hazard, start=1):
            parameters[f"log_hazard[{k}]"] = level
    return {"parameters": parameters, "settings": asdict(spec), "seed": seed, "participants": n}


def _by_onset_site(spec: VirtualCohort) -> dict[str, float]:
    """Mean slope of bulbar and respiratory onset against limb onset, points per month.

    Onset site is what the PRO-ACT layout can hold of the phenotype. The limb group leaves out the few reference
    participants who are recorded as mixed or spinal onset.
    """
    means = {}
    for site in ("limb", "bulbar", "respiratory"):
        kinds = [(i, p) for i, p in enumerate(spec.phenotypes) if p.onset_site == site]
        kept = 1.0 - sum(_SITE_SHARES.values())
        weights = np.array([p.share * (kept if i == 0 and site == "limb" else 1.0) for i, p in kinds])
        if weights.sum() > 0:
            means[site] = float(weights @ np.array([p.slope for _, p in kinds]) / weights.sum())
    if "limb" not in means:
        return {}
    return {f"slope:onset_site[{site}]": mean - means["limb"] for site, mean in means.items() if site != "limb"}
