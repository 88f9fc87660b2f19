"""Effective draws of the association per CPU second, one core, on the seeded ALS-like sets (N = 300 and 1,000).

Counted: mode finding, judging the quadrature, adaptation and sampling, from arrays in memory to draws. Imports and compilation are
`startup_cpu_s`. ESS is bulk ESS, the minimum over seeds 1 to 3, 4 chains x 1,000 draws; the fit must pass its own gate.
The alternative, run live for N = 300, is the plain hierarchical model with explicit participant effects (centred) in PyMC with nutpie.

    python benchmarks/joint.py [--sizes 300 1000] [--no-alternative]
"""

import argparse
import hashlib
import json
import os
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy is first imported

START = time.process_time()
DATA = Path(__file__).parent.parent / "tests" / "goldens" / "joint_model"
TARGET = {1000: 420.0}
PEER = {300: 15.0, 1000: 8.4}  # JMbayes2 0.6-5, quiet machine; tests/goldens/joint_model/README.md
SEEDS = (1, 2, 3)


def cohort_of(size: int):
    """The seeded set as a cohort, read as any user's CSV files would be."""
    from alsmodel.cohort import read

    mapping = {
        "format": "tables",
        "time_unit": "month",
        "longitudinal": {"file": f"long_{size}.csv", "participant": "id", "time": "time_months", "outcomes": ["alsfrsr"]},
        "survival": {
            "file": f"surv_{size}.csv", "participant": "id", "time": "time", "event": "event", "event_values": [1],
            "event_name": "death", "definition": "simulated", "covariates": ["bulbar", "age_z", "arm"],
        },
    }  # fmt: skip
    return read(DATA, "tables", mapping)


def spec_of():
    """As the peers fit: straight lines, arm on the slope and the hazard, seven quantile pieces."""
    from alsmodel.models import JointModel, Linear, PiecewiseExponential

    return JointModel(
        outcome="alsfrsr", decline=Linear(covariates=["arm"]), survival=PiecewiseExponential(covariates=["bulbar", "age_z", "arm"])
    )


def measure(size: int) -> dict[str, float]:
    """Worst seed: effective draws of association and slope x arm, CPU seconds, and their ratio."""
    from alsmodel.cohort.arrays import joint_data
    from alsmodel.inference import Sampling, fit_data
    from alsmodel.inference.checks import diagnostics

    spec = spec_of()
    data = joint_data(cohort_of(size), spec.selection)
    fit_data(spec, data, Sampling(chains=2, draws=100, tune=50, cores=1), seed=9, method="nuts")  # compiles
    rows = []
    for seed in SEEDS:
        begun = time.process_time()
        fit = fit_data(spec, data, Sampling(cores=1, tune=100), seed=seed, method="nuts")
        used = time.process_time() - begun
        assert fit.passed, [check for check in fit.checks if not check.passed]
        ess = diagnostics(fit.draws["association:value"][..., None]).ess_bulk[0]
        arm = diagnostics(fit.draws["slope:arm"][..., None]).ess_bulk[0]
        rows.append({"ess": float(ess), "cpu_s": used, "rate": float(ess / used), "rate_slope_arm": float(arm / used)})
    return min(rows, key=lambda row: row["rate"])


def plain_model(size: int):
    """The same model with an intercept and a slope per participant as parameters."""
    import numpy as np
    import polars as pl
    import pymc as pm
    import pytensor.tensor as pt

    visits = pl.read_csv(DATA / f"long_{size}.csv").sort("id", "time_months")
    people = pl.read_csv(DATA / f"surv_{size}.csv").sort("id")
    row = visits["id"].to_numpy() - 1
    end, event, arm = (people[c].to_numpy().astype(float) for c in ("time", "event", "arm"))
    knots = np.concatenate([[0.0], np.quantile(end[event > 0], np.arange(1, 7) / 7), [np.inf]])
    x, w = np.polynomial.legendre.leggauss(3)
    width = np.clip(np.minimum(end[:, None], knots[1:]) - knots[:-1], 0.0, None)
    node = knots[:-1, None] + width[..., None] * (x + 1) / 2
    weight = width[..., None] * w / 2
    piece = np.searchsorted(knots[1:-1], end, side="left")
    with pm.Model() as model:
        mean, slope = pm.Normal("intercept", 30, 100), pm.Normal("slope", 0, 5)
        by_arm, alpha = pm.Normal("slope:arm", 0, 10), pm.Normal("association", 0, 0.25)
        beta = pm.Normal("hazard", 0, 5, shape=3)
        level = pm.Normal("log_hazard", -3.5, 10, shape=7)
        sd = pm.HalfNormal("sd", np.array([23.0, 5.0]), shape=2)
        r = 2 * pm.Beta("partial", 1, 1) - 1
        sigma = pm.HalfNormal("sigma", 23)
        b0 = pm.Normal("b0", mean, sd[0], shape=people.height)
        b1 = pm.Normal("b1", slope + by_arm * arm + r * sd[1] / sd[0] * (b0 - mean), sd[1] * pt.sqrt(1 - r**2), shape=people.height)
        pm.Normal("y", b0[row] + b1[row] * visits["time_months"].to_numpy(), sigma, observed=visits["alsfrsr"].to_numpy())
        shift = pt.dot(people.select("bulbar", "age_z", "arm").to_numpy(), beta)
        at_event = level[piece] + shift + alpha * (b0 + b1 * end)
        path = b0[:, None, None] + b1[:, None, None] * node
        cumulative = (pt.exp(level[None, :, None] + shift[:, None, None] + alpha * path) * weight).sum(axis=(1, 2))
        pm.Potential("survival", (event * at_event - cumulative).sum())
    return model


def alternative(size: int) -> float:
    """Effective draws of the association per CPU second of the plain model; one seed."""
    import nutpie

    from alsmodel.inference.checks import diagnostics

    compiled = nutpie.compile_pymc_model(plain_model(size))
    begun = time.process_time()
    trace = nutpie.sample(compiled, draws=1000, tune=1000, chains=4, cores=1, seed=1, progress_bar=False, save_warmup=False)
    used = time.process_time() - begun
    return float(diagnostics(trace["posterior"]["association"].to_numpy()[..., None]).ess_bulk[0] / used)


def main() -> None:
    """Print one JSON line per size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 1000])
    parser.add_argument("--no-alternative", action="store_true")
    chosen = parser.parse_args()
    startup = None
    for size in chosen.sizes:
        before = time.process_time()
        cohort_of(size)
        startup = startup if startup is not None else time.process_time() - START
        result = measure(size)
        other = None if chosen.no_alternative or size > 300 else alternative(size)
        digest = hashlib.sha256(b"".join((DATA / f"{kind}_{size}.csv").read_bytes() for kind in ("long", "surv"))).hexdigest()[:16]
        line = {
            "name": f"joint, association, N={size}",
            "value": round(result["rate"], 1),
            "unit": "effective draws per CPU second",
            "target": TARGET.get(size),
            "alternative": None if other is None else "explicit participant effects, centred, PyMC + nutpie",
            "alternative_value": None if other is None else round(other, 1),
            "ratio": None if other is None else round(result["rate"] / other, 2),
            "peer": "JMbayes2 0.6-5, 3 x 3,000 draws",
            "peer_value": PEER[size],
            "peer_ratio": round(result["rate"] / PEER[size], 1),
            "slope_x_arm": round(result["rate_slope_arm"], 1),
            "cpu_s": round(result["cpu_s"], 2),
            "startup_cpu_s": round(startup, 1),
            "settings": "q=2, 7 quantile pieces, 4 x 1,000 draws after 100, minimum over seeds 1-3",
            "data_digest": digest,
            "cores": 1,
            "cache": "warm",
            "total_cpu_s": round(time.process_time() - before, 1),
        }
        print(json.dumps(line))


if __name__ == "__main__":
    main()
