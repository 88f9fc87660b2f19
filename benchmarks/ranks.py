"""Rank analyses of simulated trials per CPU second on one core, n = 300 and 7 visits, beside a vectorised numpy version.

No package in the environment has the joint rank or the win ratio with function at the last visit in common; the
alternative is the matrix of all pairs in numpy.

    python benchmarks/ranks.py
"""

from _trial_events import PEOPLE, REPLICATES, make, per_second, report


def all_pairs(scores, time, event):
    """Matrix of +1, 0, -1 of everyone against everyone, in numpy."""
    import numpy as np

    change = scores[:, 1:] - scores[:, :1]
    earlier = (time[:, None] < time[None]) | ((time[:, None] == time[None]) & (event[:, None] > event[None]))
    lost = (event[:, None] > 0) & earlier
    sign = np.zeros(lost.shape)
    for v in range(change.shape[1]):
        difference = change[:, None, v] - change[None, :, v]
        sign = np.where(np.isnan(difference), sign, np.sign(difference))
    return np.where(lost, -1.0, np.where(lost.T, 1.0, sign))


def main() -> None:
    """Print one JSON line per analysis."""
    from scipy.stats import rankdata

    from alsmodel.estimators import fit_joint_rank, fit_win

    scores, time, event, arm, stratum, covariates = make()
    smooth = make(whole=False)[0]
    data = (scores, time, event, arm, stratum, covariates)
    slow = {
        "joint rank": per_second(lambda: rankdata(all_pairs(scores[0], time[0], event[0]).sum(axis=1)), 1),
        "win ratio": per_second(lambda: all_pairs(scores[0], time[0], event[0])[arm == 1][:, arm == 0].mean(axis=1), 1),
    }
    rows = {
        "joint rank (CAFS), ANCOVA with 3 covariates": (
            lambda: fit_joint_rank(scores, time, event, arm, covariates=covariates), 8_000, "joint rank"
        ),
        "joint rank (CAFS), scores with decimals": (
            lambda: fit_joint_rank(smooth, time, event, arm, covariates=covariates), None, "joint rank"
        ),
        "win ratio": (lambda: fit_win(scores, time, event, arm), 5_000, "win ratio"),
        "win ratio, 4 strata": (lambda: fit_win(scores, time, event, arm, strata=stratum), None, None),
    }  # fmt: skip
    for name, (call, target, key) in rows.items():
        settings = f"{REPLICATES} null trials of {PEOPLE} x 7 visits, {event.mean():.0%} events, 3% of visits missed"
        alternative = None if key is None else "all pairs as a matrix, numpy"
        report(name, per_second(call, REPLICATES), target, alternative, slow.get(key or ""), settings, data)


if __name__ == "__main__":
    main()
