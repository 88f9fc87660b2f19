"""How fast participants arrive: accrual that is constant by period, ramps up, and depends on the sites that are open."""

from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@final
@dataclass(frozen=True, kw_only=True)
class Recruitment:
    """Arrival of eligible participants as a Poisson process whose rate changes with calendar time.

    Attributes
    ----------
    per_month : tuple of float
        Participants per month in each period with every site open.
    from_month : tuple of float
        Calendar months at which the periods start, from 0; the last rate holds on.
    ramp_months : float
        Months over which the rate grows in a straight line from 0 to its full value; 0 for none.
    sites : int
        Number of sites; an arrival goes to any open site with the same chance.
    site_opening_months : float
        Sites open one by one, evenly over these months, the first at 0; the rate is shared among all sites, so that
        with half of them open half as many arrive. 0 opens all at once.
    """

    per_month: tuple[float, ...] = (20.0,)
    from_month: tuple[float, ...] = (0.0,)
    ramp_months: float = 0.0
    sites: int = 1
    site_opening_months: float = 0.0

    def __post_init__(self) -> None:
        faults = []
        starts = list(self.from_month)
        if (
            len(starts) != len(self.per_month)
            or not starts
            or starts[0] != 0
            or starts != sorted(set(starts))
            or not np.isfinite(starts).all()
        ):
            faults.append(f"from_month lists the increasing starts of the {len(self.per_month)} rates, the first 0; got {starts}.")
        if not self.per_month or not np.isfinite(self.per_month).all() or min(self.per_month) < 0 or self.per_month[-1] <= 0:
            faults.append(f"per_month is participants per month, at least 0, and above 0 in the last period; got {list(self.per_month)}.")
        for name in ("ramp_months", "site_opening_months"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                faults.append(f"{name} must be months, at least 0; got {getattr(self, name)}.")
        if self.sites < 1:
            faults.append(f"sites must be at least 1; got {self.sites}.")
        if faults:
            raise ValueError(" ".join(faults))

    @property
    def openings(self) -> Floats:
        """Calendar month at which each site opens, shape (sites,)."""
        return np.asarray(np.arange(self.sites) * (self.site_opening_months / self.sites))

    def rate(self, month: Floats) -> Floats:
        """Expected arrivals per month at calendar `month`."""
        full = np.array(self.per_month)[np.searchsorted(self.from_month, month, side="right") - 1]
        ramp = 1.0 if self.ramp_months == 0 else np.minimum(month / self.ramp_months, 1.0)
        return np.asarray(full * ramp * np.searchsorted(self.openings, month, side="right") / self.sites)

    def arrivals(self, mass: Floats) -> Floats:
        """Calendar months at which the expected number of arrivals reaches each of `mass`.

        Between two knots the rate is a straight line r0 + s t, so its integral m is solved exactly:
        ``t = 2 m / (r0 + sqrt(r0^2 + 2 s m))``.
        """
        knots = np.unique(np.concatenate([self.from_month, self.openings, [0.0, self.ramp_months]]))
        first = self.rate(knots)
        # The rate jumps at knots: its value just before the next knot, by the straight line through the middle.
        middle = self.rate(0.5 * (knots[:-1] + knots[1:]))
        slope = np.append(np.where(np.diff(knots) > 0, 2 * (middle - first[:-1]) / np.diff(knots), 0.0), 0.0)
        reached = np.concatenate([[0.0], np.cumsum(middle * np.diff(knots))])
        k = np.searchsorted(reached, mass, side="right") - 1
        rest = mass - reached[k]
        return np.asarray(knots[k] + 2 * rest / (first[k] + np.sqrt(first[k] ** 2 + 2 * slope[k] * rest)))

    def site(self, month: Floats, uniform: Floats) -> npt.NDArray[np.int64]:
        """Site of each arrival among those open at `month`."""
        open_now = np.searchsorted(self.openings, month, side="right")
        return np.asarray((uniform * open_now).astype(np.int64))
