"""CPU seconds to 400 effective draws of every population parameter: four ALSFRS-R domain scores with survival on the current total.

One thousand participants drawn by the literal generator of the tests (seed 11): 8 random effects, two thirds of respiratory and a third of
bulbar scores at 12. Counted: mode finding, judging the quadrature, adaptation and sampling, from arrays in memory to draws. Imports and
compilation are `startup_cpu_s`. ESS is bulk ESS, the minimum over parameters and correlations.

    python benchmarks/domains.py [--likelihood censored gaussian] [--draws 200]
"""

import argparse
import hashlib
import json
import os
import runpy
import sys
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy is first imported

START = time.process_time()
TESTS = Path(__file__).parent.parent / "tests" / "unit"
TARGET = {"censored": 300.0, "gaussian": 60.0}
PARTICIPANTS = 1000
TUNE = 100


def spec_of(likelihood: str):
    """Covariate on intercepts, slopes and hazard; hazard constant between three quantiles of the event times."""
    from alsmodel.models.domain import DOMAINS, DomainModel, Outcome
    from alsmodel.models.spec import PiecewiseExponential

    outcomes = tuple(Outcome(name=name, likelihood=likelihood, intercept=("x",), slope=("x",)) for name in DOMAINS)
    return DomainModel(outcomes=outcomes, survival=PiecewiseExponential(knots=3, covariates=["x"]), gaussian_at_bounds=True)


def data_of(participants: int):
    """Literal participants as arrays."""
    import numpy as np

    literal, arrays = (runpy.run_path(str(TESTS / f"{name}.py")) for name in ("literal_domains", "domain_data"))
    people = literal["draw_people"](literal["domain_truth"](), participants, np.random.default_rng(11))
    return arrays["outcome_arrays"](people, spec_of("censored").names)


def measure(likelihood: str, draws: int, chains: int, participants: int) -> dict[str, object]:
    """Fit once; CPU seconds, smallest ESS, and seconds to 400."""
    import numpy as np

    from alsmodel.inference import Sampling
    from alsmodel.inference.checks import diagnostics, gate
    from alsmodel.inference.domain_draws import named_domain_draws
    from alsmodel.inference.domain_fit import prepare_domains
    from alsmodel.inference.sampling import sample
    from alsmodel.models.domain_program import domain_program

    spec, data = spec_of(likelihood), data_of(participants)
    made = domain_program(spec, data)
    made.density(made.start)  # compiles
    startup = time.process_time() - START
    begun = time.process_time()
    made.density(made.start)
    one = time.process_time() - begun
    begun = time.process_time()
    spec, made, mode, check = prepare_domains(spec, data)
    prepared = time.process_time() - begun
    print(
        f"{likelihood}: {1000 * one:.0f} ms an evaluation, mode after {mode.evaluations} in {prepared:.0f} s", file=sys.stderr, flush=True
    )
    drawn = sample(made.density, mode, Sampling(chains=chains, draws=draws, tune=TUNE, cores=1), 1)
    used = time.process_time() - begun
    values = named_domain_draws(spec, made, drawn.x)
    measured = diagnostics(np.stack(list(values.values()), axis=-1))
    checks = (*gate(measured, drawn.energy, drawn.diverging), check)
    ess = float(measured.ess_bulk.min())
    per_draw = (used - prepared) / drawn.x.shape[0] / (draws + TUNE)
    to_400 = prepared + drawn.x.shape[0] * per_draw * (TUNE + draws * 400 / ess)
    digest = hashlib.sha256(b"".join(a.tobytes() for a in (data.row_time, data.row_value, data.base.event_time))).hexdigest()[:16]
    return {
        "name": f"domains, {likelihood}, N={participants}",
        "value": round(to_400, 1),
        "unit": "CPU seconds to bulk ESS 400 of every parameter",
        "target": TARGET[likelihood],
        "alternative": None,
        "alternative_value": None,
        "ratio": None,
        "peer": "none: no package fits this model",
        "peer_value": None,
        "peer_ratio": None,
        "startup_cpu_s": round(startup, 1),
        "cpu_s": round(used, 1),
        "mode_cpu_s": round(prepared, 1),
        "ess_min": round(ess),
        "parameters": made.size,
        "leapfrog_steps": round(float(drawn.steps.mean()), 1),
        "ms_per_evaluation": round(1000 * one, 1),
        "checks": {each.name: round(each.value, 4) for each in checks},
        "settings": f"{made.size} parameters, nodes {spec.nodes}, {chains} chains x {draws} draws after {TUNE}, seed 1",
        "data_digest": digest,
        "cores": 1,
        "cache": "warm",
    }


def main() -> None:
    """Print one JSON line per likelihood."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--likelihood", nargs="+", default=["gaussian", "censored"], choices=list(TARGET))
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--participants", type=int, default=PARTICIPANTS)
    chosen = parser.parse_args()
    for likelihood in chosen.likelihood:
        print(json.dumps(measure(likelihood, chosen.draws, chosen.chains, chosen.participants)), flush=True)


if __name__ == "__main__":
    main()
