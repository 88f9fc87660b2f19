"""Participants with three causes of leaving and death after tracheostomy, drawn literally with numpy alone. Months."""

import numpy as np
import polars as pl

from alsmodel.cohort import Cohort

MONTH = 365.25 / 12
TRUTH = {
    "intercept": 38.0, "slope": -1.0, "sd:intercept": 5.0, "sd:slope": 0.5, "corr:intercept,slope": 0.2, "sd:residual": 1.5,
    "log_hazard[1]": -1.0, "association:value": -0.09, "hazard:active": -0.5,
    "log_hazard[1]@tracheostomy": 0.6, "association:value@tracheostomy": -0.16, "hazard:active@tracheostomy": 0.3,
    "log_hazard[1]@dropout": -5.4, "association:value@dropout": 0.04, "hazard:active@dropout": 0.0,
    "log_hazard[1]@after tracheostomy": -2.6, "theta:active": -0.25,
}  # fmt: skip


def first_time(rng: np.random.Generator, level: np.ndarray, alpha: float, start: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Time to an event of hazard exp(level + alpha (start + slope t)), by its closed inverse; infinite where it never happens."""
    pull = alpha * slope
    room = rng.exponential(size=start.size) * pull / np.exp(level + alpha * start)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(room > -1, np.log1p(room) / pull, np.inf)


def draw(people: int, seed: int, *, censored: tuple[float, float] = (12.0, 24.0)) -> dict[str, np.ndarray]:
    """One data set: what happened first and when, what came later, and the line of each participant."""
    rng, v = np.random.default_rng(seed), TRUTH
    active = np.arange(people) % 2 == 1
    r = v["corr:intercept,slope"]
    z = rng.normal(size=(2, people))
    start = v["intercept"] + v["sd:intercept"] * z[0]
    own = v["sd:slope"] * (r * z[0] + np.sqrt(1 - r * r) * z[1])
    slope = v["slope"] * np.exp(v["theta:active"] * active) + own
    times = []
    for suffix in ("", "@tracheostomy", "@dropout"):
        level = v[f"log_hazard[1]{suffix}"] + v[f"hazard:active{suffix}"] * active
        times.append(first_time(rng, level, v[f"association:value{suffix}"], start, slope))
    happened = np.array(times)
    censoring = rng.uniform(*censored, people)
    end = np.minimum(happened.min(axis=0), censoring)
    cause = np.where(happened.min(axis=0) <= censoring, happened.argmin(axis=0), -1)
    death = end + rng.exponential(np.exp(-v["log_hazard[1]@after tracheostomy"]), people)
    later = np.where(cause == 1, np.minimum(death, censoring), end)
    noise = v["sd:residual"] * rng.normal(size=(people, 9))
    return {
        "active": active, "start": start, "slope": slope, "end": end, "cause": cause, "later": later,
        "died_later": (cause == 1) & (death <= censoring), "noise": noise,
    }  # fmt: skip


def cohort(drawn: dict[str, np.ndarray], *, after: bool = True) -> Cohort:
    """The same as canonical tables; with `after`, wild scores are recorded after a tracheostomy."""
    names = [f"L{i:04d}" for i in range(drawn["end"].size)]
    rows, events = [], []
    for i, name in enumerate(names):
        for k, t in enumerate(np.arange(0.0, 25.0, 3.0)):
            if t <= drawn["end"][i]:
                rows.append((name, t * MONTH, "score", drawn["start"][i] + drawn["slope"][i] * t + drawn["noise"][i, k]))
            elif after and t <= drawn["later"][i]:
                rows.append((name, t * MONTH, "score", 200.0))
        if drawn["cause"][i] >= 0:
            events.append((name, ("death", "tracheostomy", "dropout")[drawn["cause"][i]], drawn["end"][i] * MONTH, "invented"))
        if drawn["died_later"][i]:
            events.append((name, "death", drawn["later"][i] * MONTH, "invented"))
    return Cohort.of(
        participants=pl.DataFrame(
            {
                "participant_id": names,
                "entry_day": np.zeros(len(names)),
                "arm": np.where(drawn["active"], "active", "placebo"),
                "last_contact_day": drawn["later"] * MONTH,
            }
        ),
        measurements=pl.DataFrame(rows, schema=["participant_id", "day", "name", "value"], orient="row"),
        events=pl.DataFrame(events, schema=["participant_id", "kind", "day", "definition"], orient="row"),
    )
