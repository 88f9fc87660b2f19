"""Type I error of the survival and rank analyses under the sharp null, two-sided 5%, n = 100 to 400.

The cells, the seed and the number of replicates are fixed here; results go to `type_one_events.json` beside this file, and
`tests/calibration/test_type_one_events.py` holds them against 3 Monte Carlo standard errors, except for the cells that
are known not to hold their level, whose figure the documentation gives.

    python -m tests.calibration.type_one_events
"""

import json
from pathlib import Path

import numpy as np

from alsmodel.estimators import fit_cox, fit_joint_rank, fit_log_rank, fit_max_combo, fit_rmst, fit_weighted_log_rank, fit_win

OUT = Path(__file__).parent / "type_one_events.json"
SEED, REPLICATES, BLOCK, ALPHA = 20261129, 20000, 1000, 0.05
SIZES = (100, 200, 300, 400)
MONTHS = np.arange(7) * 3.0


def trials(rng: np.random.Generator, people: int, hazard: float):
    """Trials without any effect: scores, time, event; a faster decline dies sooner; strata and a covariate that matter."""
    shape = (BLOCK, people)
    stratum = rng.integers(0, 3, shape)
    slope = -rng.gamma(2.0, 0.5, shape)
    death = rng.exponential(1.0 / (hazard * np.exp(-0.4 * (slope + 1.0) + 0.4 * (stratum - 1))))
    gone = np.minimum(rng.exponential(120.0, shape), 18.0)
    # Two participants of each arm are followed to the end, as in any trial of this size: the horizon is then observed.
    gone[:, :4] = 18.0
    time, event = np.minimum(death, gone), (death <= gone).astype(np.int64)
    scores = np.round(38 + rng.normal(0, 5.5, (*shape, 1)) + slope[..., None] * MONTHS + rng.normal(0, 1.8, (*shape, 7)))
    scores = np.clip(scores, 0, 48)
    scores[time[..., None] < MONTHS] = np.nan
    return scores, time, event, np.arange(people) % 2, stratum


def analyses(scores, time, event, arm, stratum, rare: bool):
    """Name and fit of every analysis; with rare events those of survival that they may disturb."""
    yield "Cox, Wald", fit_cox(time, event, arm)
    yield "Cox, score", fit_cox(time, event, arm, test="score")
    yield "Cox, likelihood ratio", fit_cox(time, event, arm, test="likelihood ratio")
    quarter = slice(None, BLOCK // 4)  # the slow ones
    yield "Cox, Firth, likelihood ratio", fit_cox(time[quarter], event[quarter], arm, penalty="firth", test="likelihood ratio")
    yield "log-rank, stratified", fit_log_rank(time, event, arm, strata=stratum)
    yield "log-rank", fit_log_rank(time, event, arm)
    if rare:
        return
    yield "Cox, Wald, stratified", fit_cox(time, event, arm, strata=stratum)
    yield "weighted log-rank (0, 1)", fit_weighted_log_rank(time, event, arm, gamma=1.0)
    yield "max-combo", fit_max_combo(time[quarter], event[quarter], arm)
    yield "RMST, 18 months", fit_rmst(time, event, arm, horizon=18.0, beyond="flat")
    yield "joint rank, t", fit_joint_rank(scores, time, event, arm, strata=stratum)
    yield "joint rank, normal", fit_joint_rank(scores, time, event, arm, strata=stratum, reference="normal")
    yield "win ratio", fit_win(scores, time, event, arm)
    yield "win odds", fit_win(scores, time, event, arm, measure="win odds")
    yield "net benefit", fit_win(scores, time, event, arm, measure="net benefit")


def run(analyses, cells) -> list[dict[str, object]]:
    """Rejections per cell, which is (participants, hazard) by its number; a failed fit does not reject and is counted."""
    rows = []
    for cell, (people, hazard) in cells.items():
        rng = np.random.default_rng([SEED, cell])
        counts: dict[str, list[int]] = {}
        share = 0.0
        for _ in range(REPLICATES // BLOCK):
            data = trials(rng, people, hazard)
            share += data[2].mean() * BLOCK / REPLICATES
            for name, fit in analyses(*data, rare=hazard < 0.01):
                count = counts.setdefault(name, [0, 0, 0])
                count[0] += int((fit.p_value < ALPHA).sum())
                count[1] += int(fit.failed.sum())
                count[2] += fit.failed.size
        for name, (rejected, failed, total) in counts.items():
            rows.append(
                {"analysis": name, "n": people, "events": round(share, 3), "replicates": total, "rejected": rejected, "failed": failed}
            )
            print(rows[-1], flush=True)
    return rows


def write(rows: list[dict[str, object]], out: Path) -> None:
    """One line per cell."""
    lines = ",\n".join(json.dumps(row) for row in rows)
    out.write_text(f'{{"seed": {SEED}, "alpha": {ALPHA}, "side": "two-sided", "rows": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    write(run(analyses, dict(enumerate([*((n, 0.025) for n in SIZES), (100, 0.004)]))), OUT)
