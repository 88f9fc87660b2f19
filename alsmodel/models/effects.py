"""What acts on whom: a treatment's exposure cut by the groups and periods between which its effect may differ."""

from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.models.groups import members
from alsmodel.models.spec import JointModel
from alsmodel.models.treatments import Treatment

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@final
@dataclass(frozen=True, kw_only=True)
class Acting:
    """Labels of the parameters by which one drug acts in one group or period; empty where it does not.

    Attributes
    ----------
    drug : str
    theta, psi, additive, ratio, clock : str
        On the mean path's clock; on the participant's own; on the slope; log hazard ratio; on the hazard's clock.
    """

    drug: str
    theta: str = ""
    psi: str = ""
    additive: str = ""
    ratio: str = ""
    clock: str = ""

    @property
    def labels(self) -> tuple[str, str, str, str, str]:
        """In the order that the kernel reads them."""
        return self.theta, self.psi, self.additive, self.ratio, self.clock


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Exposed:
    """Who acts, and exposure to each as intervals sorted by participant."""

    acting: tuple[Acting, ...]
    person: Ints
    which: Ints
    start: Floats
    stop: Floats


def varies(treatment: Treatment) -> str:
    """Which effect of a treatment differs between the levels of `by`: "theta", "slope" or "hazard"."""
    return {"clock": "theta", "additive": "slope", "none": "hazard"}[treatment.score]


def levels_of(spec: JointModel, data: JointData, treatment: Treatment) -> tuple[str, ...]:
    """Levels of a treatment's `by`; none when its effect is the same for all."""
    if treatment.by is None:
        return ()
    return members(data, (treatment.by,), where=f"model.treatments.{treatment.name}.by")[0]


def exposed(spec: JointModel, data: JointData) -> Exposed:
    """Cut the exposure intervals of every treatment by group and by period."""
    acting: list[Acting] = []
    parts: list[tuple[Ints, int, Floats, Floats]] = []
    for k, t in enumerate(spec.treatments):
        mine = data.exposure_drug == k
        person, start, stop = data.exposure_person[mine], data.exposure_start[mine], data.exposure_stop[mine]
        groups: list[tuple[str, NDArray[np.bool_]]] = [("", np.ones(person.size, bool))]
        if t.by is not None:
            levels, index = members(data, (t.by,), where=f"model.treatments.{t.name}.by")
            groups = [(f"[{level}]", index[person] == g) for g, level in enumerate(levels)]
        for suffix, inside in groups:
            parts.append((person[inside], len(acting), start[inside], stop[inside]))
            acting.append(_acting(t, suffix))
        bounds = [-np.inf, *t.hazard_periods, np.inf] if t.hazard_periods else []
        for p, (left, right) in enumerate(pairwise(bounds)):
            a, b = np.maximum(start, left), np.minimum(stop, right)
            parts.append((person[a < b], len(acting), a[a < b], b[a < b]))
            acting.append(Acting(drug=t.name, ratio=f"hazard:{t.name}[{p + 1}]"))
    person = np.concatenate([np.zeros(0, np.int64), *(part[0] for part in parts)])
    which = np.concatenate([np.zeros(0, np.int64), *(np.full(part[0].size, part[1], np.int64) for part in parts)])
    start = np.concatenate([np.zeros(0), *(part[2] for part in parts)])
    stop = np.concatenate([np.zeros(0), *(part[3] for part in parts)])
    order = np.argsort(person, kind="stable")
    return Exposed(acting=tuple(acting), person=person[order], which=which[order], start=start[order], stop=stop[order])


def _acting(t: Treatment, suffix: str) -> Acting:
    what = varies(t)
    theta = f"theta:{t.name}{suffix}" if t.score == "clock" else ""
    ratio = ""
    if t.hazard == "DRR":
        ratio = theta
    elif t.hazard == "ratio" and not t.hazard_periods:
        ratio = f"hazard:{t.name}{suffix if what == 'hazard' else ''}"
    return Acting(
        drug=t.name,
        theta=theta,
        psi=({"scaled": theta, "free": f"psi:{t.name}"}.get(t.own_clock, "") if t.score == "clock" else ""),
        additive=f"slope:{t.name}{suffix}" if t.score == "additive" else "",
        ratio=ratio,
        clock=theta if t.hazard == "clock" else "",
    )
