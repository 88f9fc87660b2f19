"""Random-slope REML fits with Kenward-Roger per CPU second, one core: n = 300 and 7 visits, scheduled and on actual days.

Counted: from arrays in memory to estimate, adjusted SE, df and p value. Trials are drawn with a fixed seed
(18 months, deaths and dropout, so that visits are missing after them); their making is not counted. The alternative, run live, is
statsmodels MixedLM on a few of the same trials (no degrees of freedom); with Rscript, lme4 and nlme there, those too.

    python benchmarks/lmm.py [--replicates 2000] [--no-alternative]
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy is first imported

START = time.process_time()
PEOPLE, MONTHS = 300, (0.0, 3.0, 6.0, 9.0, 12.0, 15.0, 18.0)
TARGET = {"scheduled": 15000.0, "scheduled, 5% of visits missing besides": None, "actual days": 2000.0}
RECORDED = {"lme4 1.1-31 (no df)": 1 / 0.068, "nlme 3.1-162": 1 / 0.170}  # fits per CPU s, n = 300 x 7, one core, quiet machine

R_SCRIPT = """
suppressPackageStartupMessages({library(lme4); library(nlme)})
d <- read.csv(commandArgs(TRUE)[1])
used <- function(fit) { t <- system.time(for (r in unique(d$trial)) fit(d[d$trial == r, ])); sum(t[c(1, 2)]) / length(unique(d$trial)) }
cat(used(function(x) lmer(score ~ month + month:arm + (month | id), x)), "\\n")
cat(used(function(x) lme(score ~ month + month:arm, random = ~ month | id, data = x)), "\\n")
"""


def trials(replicates: int):
    """Scores (R, n, 7) by kind of visit, their months, and the arm; slowing of 0.25 points per month, dropout over 18 months."""
    import numpy as np

    rng = np.random.default_rng(20)
    arm = np.arange(PEOPLE) % 2
    months = np.array(MONTHS)
    lines = rng.multivariate_normal([38.0, -1.03], [[41.7, 1.0], [1.0, 0.58]], size=(replicates, PEOPLE))
    lines[..., 1] += 0.25 * arm
    last = np.minimum(rng.exponential(60.0, size=(replicates, PEOPLE)), rng.exponential(120.0, size=(replicates, PEOPLE)))
    jitter = np.where(months > 0, rng.normal(0.0, 0.25, size=(replicates, PEOPLE, months.size)), 0.0)
    noise = rng.normal(0.0, 1.77, size=jitter.shape)
    planned = np.broadcast_to(months, jitter.shape)
    actual = planned + jitter
    made = {}
    for kind, when in (("scheduled", planned), ("actual days", actual)):
        scores = lines[..., :1] + lines[..., 1:] * when + noise
        scores[when > last[..., None]] = np.nan
        made[kind] = (scores, months if kind == "scheduled" else actual)
    holes = made["scheduled"][0].copy()
    holes[(rng.random(holes.shape) < 0.05) & (planned > 0)] = np.nan
    made["scheduled, 5% of visits missing besides"] = (holes, months)
    return made, arm


def rate(scores, months, arm) -> tuple[float, int]:
    """Fits per CPU second of the best of three runs, and failures."""
    from alsmodel.estimators import fit_random_slope

    few = months if months.ndim == 1 else months[:2]
    fit_random_slope(scores[:2], few, arm, df_method="kenward-roger")
    best, failures = 0.0, 0
    for _ in range(3):
        begun = time.process_time()
        fit = fit_random_slope(scores, months, arm, df_method="kenward-roger")
        best, failures = max(best, len(scores) / (time.process_time() - begun)), int(fit.failed.sum())
    return best, failures


def long_table(scores, months, arm, trial: int):
    """One trial as columns: trial, id, arm, month, score."""
    import numpy as np

    when = np.broadcast_to(months if months.ndim == 1 else months[trial], scores[trial].shape)
    person, visit = np.nonzero(~np.isnan(scores[trial]))
    return {
        "trial": np.full(person.size, trial), "id": person, "arm": arm[person],
        "month": when[person, visit], "score": scores[trial][person, visit],
    }  # fmt: skip


def statsmodels_rate(scores, months, arm) -> float:
    """Fits per CPU second of MixedLM on two trials."""
    import warnings

    import pandas as pd
    import statsmodels.formula.api as smf

    tables = [pd.DataFrame(long_table(scores, months, arm, trial)) for trial in range(2)]
    begun = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for table in tables:
            smf.mixedlm("score ~ month + month:arm", table, groups="id", re_formula="~month").fit(reml=True)
    return len(tables) / (time.process_time() - begun)


def r_rates(scores, months, arm) -> dict[str, float]:
    """Fits per CPU second of lme4 and nlme on ten trials; empty without R."""
    import pandas as pd

    if shutil.which("Rscript") is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        data, script = Path(folder) / "trials.csv", Path(folder) / "fit.R"
        pd.concat(pd.DataFrame(long_table(scores, months, arm, trial)) for trial in range(10)).to_csv(data, index=False)
        script.write_text(R_SCRIPT)
        answer = subprocess.run(["Rscript", str(script), str(data)], capture_output=True, text=True, check=False)
    seconds = answer.stdout.split()
    return {} if len(seconds) != 2 else {"lme4 (live)": 1 / float(seconds[0]), "nlme (live)": 1 / float(seconds[1])}


def main() -> None:
    """Print one JSON line per kind of visit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--no-alternative", action="store_true")
    chosen = parser.parse_args()
    cache = Path(os.environ.get("ALSMODEL_CACHE", Path.home() / ".cache" / "alsmodel"))
    warm = any(cache.rglob("*.nbi"))
    made, arm = trials(chosen.replicates)
    startup = None
    for kind, target in TARGET.items():
        scores, months = made[kind]
        value, failures = rate(scores, months, arm)
        startup = startup if startup is not None else time.process_time() - START
        other = None if chosen.no_alternative else statsmodels_rate(scores, months, arm)
        peers = RECORDED | ({} if chosen.no_alternative else r_rates(scores, months, arm))
        peer = "lme4 (live)" if "lme4 (live)" in peers else "lme4 1.1-31 (no df)"
        line = {
            "name": f"random-slope REML with Kenward-Roger, n=300 x 7, {kind}",
            "value": round(value),
            "unit": "fits per CPU second",
            "target": target,
            "alternative": None if other is None else "statsmodels MixedLM, no df",
            "alternative_value": None if other is None else round(other, 2),
            "ratio": None if other is None else round(value / other),
            "peer": peer,
            "peer_value": round(peers[peer], 1),
            "peer_ratio": round(value / peers[peer]),
            "peers": {name: round(number, 1) for name, number in peers.items()},
            "failures": failures,
            "startup_cpu_s": round(startup, 1),
            "settings": f"{chosen.replicates} trials, slowing by 0.25, deaths and dropout over 18 months, best of 3",
            "data_digest": hashlib.sha256(scores.tobytes()).hexdigest()[:16],
            "cores": 1,
            "cache": "warm" if warm else "cold",
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
