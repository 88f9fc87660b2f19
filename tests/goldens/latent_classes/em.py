"""Maximum likelihood of a joint latent class model by an EM algorithm of its own, with NumPy and SciPy alone.

Scores are normal with a random intercept and slope about the line of the class, events exponential at the rate of the class. Each
participant's scores are one multivariate normal vector; the E step gives the probability of each class, the M step has class lines by
generalised least squares, rates in closed form, shares as means, and the three random-effect parameters with the residual SD by BFGS.

Run: python em.py > raw_output.txt   (writes people.csv, scores.csv, reference.csv and versions.txt)
"""

import csv
from pathlib import Path

import numpy as np
import scipy
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

HERE = Path(__file__).parent
PEOPLE, VISITS = 300, np.array([0.0, 3.0, 6.0, 9.0, 12.0])
TRUE = {"share": 0.4, "intercept": (36.0, 40.0), "slope": (-1.8, -0.5), "rate": (0.06, 0.01), "sd": (3.0, 0.25), "corr": 0.3, "noise": 1.5}


def draw(rng):
    lower = np.diag(TRUE["sd"]) @ np.linalg.cholesky([[1.0, TRUE["corr"]], [TRUE["corr"], 1.0]])
    people = []
    for _ in range(PEOPLE):
        k = int(rng.uniform() > TRUE["share"])
        b = lower @ rng.normal(size=2)
        death, censored = rng.exponential(1.0 / TRUE["rate"][k]), rng.uniform(10.0, 18.0)
        end = min(death, censored)
        t = VISITS[end >= VISITS]
        y = TRUE["intercept"][k] + b[0] + (TRUE["slope"][k] + b[1]) * t + TRUE["noise"] * rng.normal(size=t.size)
        people.append((round(end, 4), int(death <= censored), t, np.round(y, 4)))
    return people


def covariances(theta, grids):
    sd0, sd1, noise = np.exp(theta[:3])
    off = np.tanh(theta[3]) * sd0 * sd1
    d = np.array([[sd0**2, off], [off, sd1**2]])
    return {m: z @ d @ z.T + noise**2 * np.eye(m) for m, z in grids.items()}


def em(people, lines, rates, share, theta, steps=2000, tolerance=1e-11):
    grids = {m: np.column_stack([np.ones(m), VISITS[:m]]) for m in range(1, VISITS.size + 1)}
    sizes = np.array([t.size for _, _, t, _ in people])
    ends, dead = np.array([p[0] for p in people]), np.array([p[1] for p in people])
    scores = {m: np.array([p[3] for p in people if p[2].size == m]).reshape(-1, m) for m in grids}
    members = {m: np.flatnonzero(sizes == m) for m in grids}
    last = -np.inf
    for step in range(steps):  # noqa: B007
        v = covariances(theta, grids)
        logs = np.empty((len(people), 2))
        for k in range(2):
            survival = dead * np.log(rates[k]) - rates[k] * ends
            for m, rows in members.items():
                logs[rows, k] = multivariate_normal(grids[m] @ lines[k], v[m]).logpdf(scores[m]).reshape(-1)
            logs[:, k] += survival + np.log(share[k])
        each = np.logaddexp(logs[:, 0], logs[:, 1])
        total, r = each.sum(), np.exp(logs - each[:, None])
        if total - last < tolerance * abs(total):
            break
        last = total
        share = r.mean(axis=0)
        rates = (r * dead[:, None]).sum(axis=0) / (r * ends[:, None]).sum(axis=0)
        for _ in range(2):  # conditional maximisation: lines given the covariance, then the covariance given the lines
            v = covariances(theta, grids)
            for k in range(2):
                gram, pull = np.zeros((2, 2)), np.zeros(2)
                for m, rows in members.items():
                    w = grids[m].T @ np.linalg.inv(v[m])
                    gram += r[rows, k].sum() * (w @ grids[m])
                    pull += w @ (r[rows, k] @ scores[m])
                lines[k] = np.linalg.solve(gram, pull)

            def loss(x, r=r, lines=lines):
                out = 0.0
                for m, rows in members.items():
                    vm = covariances(x, grids)[m]
                    inverse, logdet = np.linalg.inv(vm), np.linalg.slogdet(vm)[1]
                    for k in range(2):
                        e = scores[m] - grids[m] @ lines[k]
                        out += 0.5 * (r[rows, k] @ np.einsum("ij,jk,ik->i", e, inverse, e) + r[rows, k].sum() * logdet)
                return out

            theta = minimize(loss, theta, method="BFGS", options={"gtol": 1e-7, "maxiter": 30}).x
    return total, step, lines, rates, share, theta


def main():
    people = draw(np.random.default_rng(20261130))
    with (HERE / "people.csv").open("w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["person", "end", "event"])
        out.writerows([i, p[0], p[1]] for i, p in enumerate(people))
    with (HERE / "scores.csv").open("w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["person", "time", "score"])
        out.writerows([i, t, y] for i, p in enumerate(people) for t, y in zip(p[2], p[3], strict=True))
    best = None
    for start in ([[36, -1.5], [40, -0.6]], [[38, -1.2], [38, -0.8]]):
        found = em(
            people, np.array(start, float), np.array([0.05, 0.02]), np.array([0.5, 0.5]), np.log([3.0, 0.5, 2.0, np.e]) * [1, 1, 1, 0]
        )
        print(f"from lines {start}: log-likelihood {found[0]:.6f} after {found[1]} steps")
        best = found if best is None or found[0] > best[0] else best
    total, _, lines, rates, share, theta = best
    order = np.argsort(lines[:, 1])
    lines, rates, share = lines[order], rates[order], share[order]
    rows = {"loglik": total, "sd:intercept": np.exp(theta[0]), "sd:slope": np.exp(theta[1]), "sd:residual": np.exp(theta[2])}
    rows |= {"corr:intercept,slope": np.tanh(theta[3])}
    for k in range(2):
        rows |= {
            f"intercept {k + 1}": lines[k, 0],
            f"slope {k + 1}": lines[k, 1],
            f"log rate {k + 1}": np.log(rates[k]),
            f"share {k + 1}": share[k],
        }
    with (HERE / "reference.csv").open("w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["quantity", "value"])
        out.writerows([name, f"{value:.7f}"] for name, value in rows.items())
    for name, value in rows.items():
        print(f"{name:<24}{value: .7f}")
    (HERE / "versions.txt").write_text(f"numpy {np.__version__}\nscipy {scipy.__version__}\n")


main()
