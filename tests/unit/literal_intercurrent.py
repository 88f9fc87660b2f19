"""One participant with intercurrent events, walked in small steps: a second hand that shares no code with the generator."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def walk(
    *,
    level: float,
    slope: float,
    deviation: float,
    slowing: float,
    hazard: float,
    per_point: float,
    centre_value: float,
    centre_slope: float,
    events: list[dict[str, Any]],
    masses: Floats,
    death_mass: float,
    duration: float,
    step: float,
) -> dict[str, Any]:
    """Euler steps from month 0 to `duration`: value at each step, month of each event, month of death (infinite for none).

    `events` are plain dictionaries: rate, per_point, per_slope, below, from_month, ratio (of this arm), points, slope, hazard_ratio,
    ends_treatment. Death stops nothing here.
    """
    months = np.arange(0.0, duration + step / 2, step)
    values = np.empty(months.size)
    happened = [np.inf] * len(events)
    used = [0.0] * len(events)
    died, dead_mass = np.inf, 0.0
    gain, harm, treated = 0.0, 1.0, True
    for j, t in enumerate(months):
        values[j] = level
        rate = slope * (1 - slowing if treated else 1.0) + deviation + gain
        middle = level + rate * step / 2
        for k, event in enumerate(events):
            if happened[k] < np.inf or t + step / 2 < event["from_month"] or middle >= event["below"]:
                continue
            ratio = event["ratio"] if treated else 1.0
            log = event["per_point"] * (middle - centre_value) + event["per_slope"] * (rate - centre_slope)
            used[k] += event["rate"] * ratio * np.exp(log) * step
            if used[k] >= masses[k]:
                happened[k] = t + step
        dead_mass += hazard * harm * np.exp(per_point * (middle - centre_value)) * step
        if died == np.inf and dead_mass >= death_mass:
            died = t + step
        level += rate * step
        for k, event in enumerate(events):
            if happened[k] == t + step:
                level += event["points"]
                gain += event["slope"]
                harm *= event["hazard_ratio"]
                treated = treated and not event["ends_treatment"]
    return {"months": months, "values": values, "happened": np.array(happened), "died": died}


def composite_and_censored(time: float, event: bool, failed: list[float], censored: list[float]) -> tuple[float, bool]:
    """The first thing that ends a participant's time: the end point, a failure (which is one), or a censoring event."""
    candidates = [(time, 1, event), *((t, 0, True) for t in failed if t < np.inf), *((t, 2, False) for t in censored if t < np.inf)]
    when, _, is_event = min(candidates, key=lambda c: (c[0], c[1]))
    return when, is_event
