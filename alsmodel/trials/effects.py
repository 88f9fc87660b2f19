"""What the active arm does to the disease in a virtual trial."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@final
@dataclass(frozen=True, kw_only=True)
class BiomarkerEffect:
    """What treatment does to a biomarker, on the biomarker's own scale.

    Attributes
    ----------
    change : float
        At full effect; log 0.6 = -0.51 for a fall by 40% of something on the log scale.
    half_time : float
        Months in which half of it is reached; 0 is at once.
    from_month : float
        Month after the start of treatment at which it begins.
    """

    change: float
    half_time: float = 0.0
    from_month: float = 0.0

    def __post_init__(self) -> None:
        faults = [] if np.isfinite(self.change) else [f"change must be finite; got {self.change}."]
        for name in ("half_time", "from_month"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0):
                faults.append(f"{name} is months, at least 0; got {value}.")
        if faults:
            raise ValueError("Effect on a biomarker: " + " ".join(faults))

    def after(self, months: Floats) -> Floats:
        """Change so many months after treatment began, none before."""
        # What is taken on the day on which treatment begins is taken before it.
        since = np.where(months - self.from_month > 1e-6, months - self.from_month, 0.0)
        share = (since > 0) * 1.0 if self.half_time == 0 else 1.0 - np.exp2(-since / self.half_time)
        return np.asarray(self.change * share)


@final
@dataclass(frozen=True, kw_only=True)
class Effect:
    """A named treatment effect in everyone assigned to it, by default from randomisation to the end of follow-up.

    The two parts are separate. `slowing` bends the mean path, and with it the hazard as far as the hazard hangs on
    the trajectory. `hazard_ratio` is the *direct* effect beside that; the total effect on survival is larger
    when both act.

    Attributes
    ----------
    name : str
        Name in tables.
    slowing : float
        Share of the mean slope that is taken away: 0.25 makes -1.00 into -0.75 points per month; 1 stops decline on
        average; negative is harm.
    points_per_month : float
        Additive alternative to `slowing`: points per month added to everyone's slope.
    slope_spread : "kept" or "scaled"
        "kept": a participant's deviation from the mean slope is left as it is, so the effect is on the mean path
        only. "scaled": the deviation shrinks by the same share, so that every participant's own slope is multiplied
        (and those who improve are made worse).
    hazard_ratio : float
        Direct multiplier of the hazard at a given trajectory; 1 is none.
    hazard_ratio_periods : tuple of (float, float)
        Non-proportional hazards: (first month, hazard ratio) of each period, months increasing; the ratio of the last
        period holds on. Takes the place of `hazard_ratio`.
    from_month : float
        Month after randomisation at which the effect on the slope begins: a delayed onset.
    to_month : float or None
        Month at which it has washed out and the untreated slope is back; None is never. What was gained is kept.
    hazard_ratio_of : mapping of str to float
        Hazard ratio of intercurrent events by their names, direct and at a given trajectory: ``{"rescue": 0.6}``. An event that is
        not named is changed through the trajectory only, as far as its hazard hangs on that.
    biomarkers : mapping of str to BiomarkerEffect
        What it does to biomarkers of the trial, by their names; apart from what it does to the score.
    by_phenotype : mapping of str to float
        Share of the whole effect (on the log scale for hazards) that a phenotype has: 0 none, 1 all, the default.
    by_arm : tuple of float
        Share of the whole effect that each active arm has, as doses do; empty is all of it in every active arm.
    """

    name: str
    slowing: float = 0.0
    points_per_month: float = 0.0
    slope_spread: Literal["kept", "scaled"] = "kept"
    hazard_ratio: float = 1.0
    hazard_ratio_periods: tuple[tuple[float, float], ...] = ()
    from_month: float = 0.0
    to_month: float | None = None
    hazard_ratio_of: Mapping[str, float] = field(default_factory=dict)
    biomarkers: Mapping[str, BiomarkerEffect] = field(default_factory=dict)
    by_phenotype: Mapping[str, float] = field(default_factory=dict)
    by_arm: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        faults = []
        if not self.name.strip():
            faults.append("an effect needs a name for the tables, e.g. 'null' or '25% slowing'.")
        if not np.isfinite(self.slowing) or not -5 <= self.slowing <= 1:
            faults.append(f"slowing is the share of decline taken away, at most 1; got {self.slowing}. Write 25% as 0.25.")
        if not np.isfinite(self.points_per_month):
            faults.append(f"points_per_month must be a finite number; got {self.points_per_month}.")
        if self.slowing and self.points_per_month:
            faults.append(
                f"both slowing ({self.slowing}) and points_per_month ({self.points_per_month}): treatment would reach the slope twice. "
                "Keep one."
            )
        if not (np.isfinite(self.hazard_ratio) and self.hazard_ratio > 0):
            faults.append(f"hazard_ratio must be above 0, with 1 for no effect; got {self.hazard_ratio}.")
        faults += [*self._timing_faults(), *self._share_faults()]
        for name, ratio in self.hazard_ratio_of.items():
            if not (np.isfinite(ratio) and ratio > 0):
                faults.append(f"hazard_ratio_of.{name} must be above 0, with 1 for no effect; got {ratio}.")
        if faults:
            raise ValueError(f"Effect {self.name!r}: " + " ".join(faults))

    def _timing_faults(self) -> list[str]:
        faults = []
        starts = [start for start, _ in self.hazard_ratio_periods]
        if self.hazard_ratio_periods and self.hazard_ratio != 1:
            faults.append("hazard_ratio and hazard_ratio_periods are both given; keep one.")
        if starts and (starts[0] < 0 or any(b <= a for a, b in pairwise(starts)) or not np.isfinite(starts).all()):
            faults.append(f"hazard_ratio_periods start at increasing months from 0; got {starts}.")
        if any(not (np.isfinite(ratio) and ratio > 0) for _, ratio in self.hazard_ratio_periods):
            faults.append(f"each hazard ratio must be above 0; got {[ratio for _, ratio in self.hazard_ratio_periods]}.")
        if not (np.isfinite(self.from_month) and self.from_month >= 0):
            faults.append(f"from_month is months after randomisation, at least 0; got {self.from_month}.")
        if self.to_month is not None and not self.to_month > self.from_month:
            faults.append(f"to_month must lie after from_month ({self.from_month:g}); got {self.to_month}.")
        return faults

    def _share_faults(self) -> list[str]:
        wrong = {f"by_phenotype.{name}": share for name, share in self.by_phenotype.items()} | {
            f"by_arm[{a}]": share for a, share in enumerate(self.by_arm)
        }
        return [f"{name} is a share of the effect, 1 for all of it; got {share}." for name, share in wrong.items() if not abs(share) <= 5]

    @property
    def is_null(self) -> bool:
        """True when the arms are exchangeable: the sharp null."""
        return (
            self.slowing == 0
            and self.points_per_month == 0
            and self.hazard_ratio == 1
            and all(r == 1 for _, r in self.hazard_ratio_periods)
            and all(r == 1 for r in self.hazard_ratio_of.values())
            and all(each.change == 0 for each in self.biomarkers.values())
        )

    @property
    def changes(self) -> tuple[float, ...]:
        """Months after randomisation at which the effect changes."""
        ends = () if self.to_month is None else (self.to_month,)
        return tuple(sorted({self.from_month, *ends, *(start for start, _ in self.hazard_ratio_periods)} - {0.0}))

    def changes_after(self, switch: float | None) -> tuple[float, ...]:
        """`changes`, and those of a control arm that goes over to treatment at month `switch`."""
        if switch is None:
            return self.changes
        return tuple(sorted({*self.changes, switch, *(switch + month for month in self.changes)}))

    def tables(
        self, edges: Floats, phenotypes: Sequence[str], arms: int, switch: float | None = None
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """What each arm does to each phenotype in each segment of time.

        Parameters
        ----------
        edges : array, shape (S + 1,)
            Months; all of `changes_after` (the switch) up to the last edge are among them.
        phenotypes : sequence of str
            The groups, or one without a name.
        arms : int
            Control included; control gets no effect before the switch.
        switch : float or None
            Month at which control goes over to active arm 1, whose effect it has from then on as from a first month.

        Returns
        -------
        mean_factor, deviation_factor, points, log_ratio : array, shape (arms, groups, S)
            What multiplies the mean slope and a participant's deviation from it, points per month added, and the log
            hazard added.
        """
        since, on, share = self._exposure(edges, phenotypes, arms, switch)
        stop = np.inf if self.to_month is None else self.to_month
        acts = ((since >= self.from_month) & (since < stop)).astype(np.float64)[:, None, :]
        mean = 1.0 - share * self.slowing * acts
        deviation = mean if self.slope_spread == "scaled" else np.ones_like(mean)
        return mean, deviation, share * self.points_per_month * acts, share * np.where(on, self._log_ratio(since)[:, None, :], 0.0)

    def ratios_of(self, edges: Floats, phenotypes: Sequence[str], arms: int, switch: float | None = None) -> dict[str, Floats]:
        """Log hazard ratios of the intercurrent events that are named, each of shape (arms, groups, S); arguments as of `tables`."""
        _, on, share = self._exposure(edges, phenotypes, arms, switch)
        return {name: np.asarray(share * np.where(on, np.log(ratio), 0.0)) for name, ratio in self.hazard_ratio_of.items()}

    def on_biomarker(self, name: str, months: Floats, phenotypes: Sequence[str], arms: int, switch: float | None = None) -> Floats:
        """What each arm adds to a biomarker of each phenotype at some months, shape (arms, groups, months); see `tables`."""
        since, on, share = self._exposure(np.append(months, np.inf), phenotypes, arms, switch)
        effect = self.biomarkers.get(name, BiomarkerEffect(change=0.0))
        return np.asarray(share * np.where(on, effect.after(since)[:, None, :], 0.0))

    def _exposure(
        self, edges: Floats, phenotypes: Sequence[str], arms: int, switch: float | None
    ) -> tuple[Floats, npt.NDArray[np.bool_], Floats]:
        """Months since treatment began where segments start (arms, S), whether it has (arms, 1, S), and shares of the effect."""
        since = np.tile(edges[:-1], (arms, 1))
        if switch is not None:
            # A hair later, so that an edge where the effect changes is not missed by rounding.
            since[0] += 1e-9 - switch
        doses = np.array(self.by_arm if self.by_arm else (1.0,) * (arms - 1), dtype=np.float64)
        shares = np.array([self.by_phenotype.get(name, 1.0) for name in phenotypes], dtype=np.float64)
        own = 0.0 if switch is None else doses[0]
        share = np.concatenate([[own], doses])[:, None, None] * shares[None, :, None]
        return since, (since >= 0)[:, None, :], share

    def _log_ratio(self, start: Floats) -> Floats:
        if not self.hazard_ratio_periods:
            return np.full(start.shape, np.log(self.hazard_ratio))
        begins = np.array([begin for begin, _ in self.hazard_ratio_periods])
        ratios = np.log(np.array([1.0, *(ratio for _, ratio in self.hazard_ratio_periods)]))
        return np.asarray(ratios[np.searchsorted(begins, start, side="right")])
