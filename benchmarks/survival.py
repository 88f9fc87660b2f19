"""Survival analyses of simulated trials per CPU second on one core, n = 300, beside lifelines and, where present, R survival.

python benchmarks/survival.py
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from _trial_events import PEOPLE, REPLICATES, make, per_second, report

R_LOOP = """
suppressPackageStartupMessages(library(survival)); d <- read.csv("{file}")
run <- list(cox = function() coxph(Surv(t, e) ~ a, d), logrank = function() survdiff(Surv(t, e) ~ a + strata(s), d),
            rmst = function() summary(survfit(Surv(t, e) ~ a, d), rmean = 18))
for (n in names(run)) {{ k <- 100; u <- system.time(for (i in 1:k) run[[n]]()); cat(n, k / (u[[1]] + u[[2]]), "\\n") }}
"""


def with_lifelines(time, event, arm, stratum, covariates) -> dict[str, float]:
    """The same analyses of one trial by lifelines, which has no stratified log-rank test: the plain one stands for it."""
    import pandas as pd
    from lifelines import CoxPHFitter, KaplanMeierFitter
    from lifelines.statistics import logrank_test
    from lifelines.utils import restricted_mean_survival_time

    frame = pd.DataFrame({"time": time, "event": event, "arm": arm})
    adjusted = frame.assign(**{f"x{j}": covariates[:, j] for j in range(covariates.shape[1])})
    parts = [(time[arm == k], event[arm == k]) for k in (0, 1)]
    return {
        "cox": per_second(lambda: CoxPHFitter().fit(frame, "time", "event"), 1),
        "adjusted": per_second(lambda: CoxPHFitter().fit(adjusted, "time", "event"), 1),
        "logrank": per_second(lambda: logrank_test(parts[0][0], parts[1][0], parts[0][1], parts[1][1]), 1),
        "rmst": per_second(
            lambda: [restricted_mean_survival_time(KaplanMeierFitter().fit(*part), t=18.0, return_variance=True) for part in parts], 1
        ),
    }


def with_r(time, event, arm, stratum) -> dict[str, float]:
    """Fits per CPU second of R survival; empty where R or the package is missing."""
    if shutil.which("Rscript") is None:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trial.csv"
        rows = (f"{t!r},{e},{a},{s}" for t, e, a, s in zip(time.tolist(), event.tolist(), arm.tolist(), stratum.tolist()))
        file.write_text("t,e,a,s\n" + "\n".join(rows) + "\n")
        done = subprocess.run(["Rscript", "-e", R_LOOP.format(file=file)], capture_output=True, text=True)
    return {words[0]: float(words[1]) for words in map(str.split, done.stdout.splitlines()) if len(words) == 2}


def main() -> None:
    """Print one JSON line per analysis."""
    from alsmodel.estimators import fit_cox, fit_log_rank, fit_max_combo, fit_rmst, fit_weighted_log_rank

    _, time, event, arm, stratum, covariates = make()
    data = (time, event, arm, stratum, covariates)
    rows = {
        "Cox, Efron, Wald": (lambda: fit_cox(time, event, arm), 15_000, "cox"),
        "Cox, Efron, 3 covariates": (lambda: fit_cox(time, event, arm, covariates=covariates), None, "adjusted"),
        "Cox, Firth": (lambda: fit_cox(time, event, arm, penalty="firth"), None, None),
        "log-rank, 4 strata": (lambda: fit_log_rank(time, event, arm, strata=stratum), 50_000, "logrank"),
        "weighted log-rank (0, 1)": (lambda: fit_weighted_log_rank(time, event, arm, gamma=1.0), None, None),
        "max-combo, 4 weights": (lambda: fit_max_combo(time[:200], event[:200], arm), None, None),
        "RMST, 18 months": (lambda: fit_rmst(time, event, arm, horizon=18.0, beyond="flat"), 40_000, "rmst"),
    }
    theirs, r = with_lifelines(time[0], event[0], arm, stratum, covariates), with_r(time[0], event[0], arm, stratum)
    for name, (call, target, key) in rows.items():
        value = per_second(call, 200 if "combo" in name else REPLICATES)
        settings = f"{REPLICATES} null trials of {PEOPLE}, {event.mean():.0%} events"
        if key in r:
            settings += f"; R survival {r[key]:.0f}/s"
        report(name, value, target, "lifelines" if key else None, theirs.get(key or ""), settings, data)


if __name__ == "__main__":
    main()
