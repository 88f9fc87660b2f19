"""Cohorts drawn literally from straight lines and a hazard, apart from `alsmodel.patients` and from every kernel."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np

literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))


def draw(
    seed: int,
    n: int,
    *,
    intercept: float = 37.0,
    slope: float = -1.0,
    sd: tuple[float, float, float] = (5.5, 0.7, 1.9),
    correlation: float = 0.2,
    association: float = -0.08,
    log_hazard: float = -1.2,
    arm_slope: float = 0.0,
    arm_hazard: float = 0.0,
    arm_association: float = 0.0,
    arm_residual: float = 1.0,
    horizon: float = 18.0,
    every: float = 2.0,
) -> tuple:
    """Participants with arm "active" or "placebo" in turn, a constant baseline hazard, and censoring at the horizon only.

    The event is where the cumulative hazard, summed on cells of 0.01 months, crosses a unit exponential.
    """
    people = []
    edges = np.arange(0, horizon + 0.005, 0.01)
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        active = i % 2
        z = rng.normal(size=2)
        b0, b1 = sd[0] * z[0], sd[1] * (correlation * z[0] + np.sqrt(1 - correlation**2) * z[1])
        speed = slope + arm_slope * active + b1
        middle = (edges[1:] + edges[:-1]) / 2
        hazard = np.exp(log_hazard + arm_hazard * active + (association + arm_association * active) * (intercept + b0 + speed * middle))
        cumulative = np.concatenate([[0.0], np.cumsum(hazard * 0.01)])
        died_at = np.interp(rng.exponential(), cumulative, edges, right=np.inf)
        end = min(died_at, horizon)
        times = np.arange(0, end, every)
        scores = intercept + b0 + speed * times + rng.normal(0, sd[2] * (arm_residual if active else 1.0), times.size)
        person = literal.Person(
            name=f"{i:04d}",
            visits=tuple(zip(times.tolist(), scores.tolist())),
            end=float(end),
            died=bool(died_at <= horizon),
            arm="active" if active else "placebo",
            age=50 + 20 * float(rng.random()),
        )
        people.append(person)
    return tuple(people)
