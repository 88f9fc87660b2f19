"""How a group-sequential design shares its error over the looks: spending functions and classical shapes.

A spending function gives the error that may have been used by information fraction t (Lan & DeMets, Biometrika
1983;70:659); it needs no fixed number or timing of looks. The classical shapes fix the form of the boundary instead and
hold at the planned looks only. Every choice is data: it prints, hashes and goes to TOML.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

Floats = npt.NDArray[np.float64]


class AbstractSpending(ABC):
    """The error that may be spent by an information fraction."""

    @abstractmethod
    def share(self, fraction: Floats, error: float) -> Floats:
        """Cumulative error at `fraction` inside (0, 1), of `error` in all."""

    def spent(self, fraction: npt.ArrayLike, error: float) -> Floats:
        """Cumulative error spent by an information fraction.

        Parameters
        ----------
        fraction : array
            Information over planned maximum information, at least 0; beyond 1 (overrun) counts as 1.
        error : float
            The error in all, of one side.

        Returns
        -------
        array
            0 at 0, `error` from 1 on, never falling between.
        """
        t = np.asarray(fraction, dtype=np.float64)
        inside = np.clip(t, 1e-12, 1.0)
        return np.where(t <= 0.0, 0.0, np.where(t >= 1.0, error, self.share(inside, error)))


@final
@dataclass(frozen=True, kw_only=True)
class OBrienFlemingSpending(AbstractSpending):
    """Very little early, as O'Brien and Fleming: 2 - 2 Phi(z_{alpha/2} / sqrt t); Lan & DeMets 1983."""

    kind: Literal["obrien_fleming_spending"] = "obrien_fleming_spending"

    def share(self, fraction: Floats, error: float) -> Floats:
        return np.asarray(2.0 * ndtr(ndtri(error / 2.0) / np.sqrt(fraction)))


@final
@dataclass(frozen=True, kw_only=True)
class PocockSpending(AbstractSpending):
    """Nearly even, as Pocock: alpha log(1 + (e - 1) t); Lan & DeMets 1983."""

    kind: Literal["pocock_spending"] = "pocock_spending"

    def share(self, fraction: Floats, error: float) -> Floats:
        return np.asarray(error * np.log1p((np.e - 1.0) * fraction))


@final
@dataclass(frozen=True, kw_only=True)
class HwangShihDeCani(AbstractSpending):
    """alpha (1 - exp(-gamma t)) / (1 - exp(-gamma)); Hwang, Shih & DeCani, Stat Med 1990;9:1439.

    Attributes
    ----------
    gamma : float
        -4 is close to O'Brien-Fleming, 1 to Pocock, 0 spends in proportion to information.
    """

    gamma: float = -4.0
    kind: Literal["hwang_shih_decani"] = "hwang_shih_decani"

    def __post_init__(self) -> None:
        if not -40.0 <= self.gamma <= 40.0:
            raise ValueError(f"gamma must lie between -40 and 40; got {self.gamma}. -4 is close to O'Brien-Fleming, 1 to Pocock.")

    def share(self, fraction: Floats, error: float) -> Floats:
        if self.gamma == 0.0:
            return error * fraction
        return np.asarray(error * np.expm1(-self.gamma * fraction) / np.expm1(-self.gamma))


@final
@dataclass(frozen=True, kw_only=True)
class KimDeMets(AbstractSpending):
    """alpha t^rho; Kim & DeMets, Biometrika 1987;74:149.

    Attributes
    ----------
    rho : float
        Above 0; 3 is close to O'Brien-Fleming, 1 spends in proportion to information.
    """

    rho: float = 3.0
    kind: Literal["kim_demets"] = "kim_demets"

    def __post_init__(self) -> None:
        if not 0.0 < self.rho <= 50.0:
            raise ValueError(f"rho must lie above 0 and be at most 50; got {self.rho}.")

    def share(self, fraction: Floats, error: float) -> Floats:
        return np.asarray(error * fraction**self.rho)


@final
@dataclass(frozen=True, kw_only=True)
class UserSpending(AbstractSpending):
    """Cumulative shares of the error at named fractions; straight lines between them.

    Attributes
    ----------
    fractions : tuple of float
        Rising, above 0; the last is 1.
    shares : tuple of float
        Share of the error that may be spent by each, never falling; the last is 1.
    """

    fractions: tuple[float, ...]
    shares: tuple[float, ...]
    kind: Literal["user_spending"] = "user_spending"

    def __post_init__(self) -> None:
        faults = []
        if len(self.fractions) != len(self.shares) or not self.fractions:
            faults.append(f"{len(self.fractions)} fractions and {len(self.shares)} shares: give one share per fraction.")
        elif self.fractions[-1] != 1.0 or self.shares[-1] != 1.0:
            faults.append(f"the last fraction and share must be 1; got {self.fractions[-1]} and {self.shares[-1]}.")
        if any(b <= a for a, b in pairwise((0.0, *self.fractions))):
            faults.append(f"fractions must rise from above 0; got {self.fractions}.")
        if any(b < a for a, b in pairwise((0.0, *self.shares))):
            faults.append(f"shares are cumulative and must not fall; got {self.shares}. Were these increments?")
        if faults:
            raise ValueError("User-defined spending: " + " ".join(faults))

    def share(self, fraction: Floats, error: float) -> Floats:
        return np.asarray(error * np.interp(fraction, (0.0, *self.fractions), (0.0, *self.shares)))


@final
@dataclass(frozen=True, kw_only=True)
class WangTsiatis:
    """Boundary C t^(delta - 1/2) at the planned looks; Wang & Tsiatis, Biometrics 1987;43:193.

    Attributes
    ----------
    delta : float
        0 is O'Brien & Fleming (Biometrics 1979;35:549), 0.5 is Pocock (Biometrika 1977;64:191).
    """

    delta: float = 0.0
    kind: Literal["wang_tsiatis"] = "wang_tsiatis"

    def __post_init__(self) -> None:
        if not -1.0 <= self.delta <= 1.0:
            raise ValueError(f"delta must lie between -1 and 1; got {self.delta}. 0 is O'Brien-Fleming, 0.5 is Pocock.")


@final
@dataclass(frozen=True, kw_only=True)
class HaybittlePeto:
    """One large z at every interim look; the last look has what is left of alpha.

    Haybittle, Br J Radiol 1971;44:793; Peto and others, Br J Cancer 1976;34:585.

    Attributes
    ----------
    z : float
        Boundary at interim looks.
    """

    z: float = 3.0
    kind: Literal["haybittle_peto"] = "haybittle_peto"

    def __post_init__(self) -> None:
        if not 0.0 < self.z < 40.0:
            raise ValueError(f"z must lie between 0 and 40; got {self.z}. 3 is usual.")


def obrien_fleming() -> WangTsiatis:
    """Return the classical O'Brien-Fleming shape, for equally or unequally spaced planned looks."""
    return WangTsiatis(delta=0.0)


def pocock() -> WangTsiatis:
    """Return the classical Pocock shape: the same z at every planned look."""
    return WangTsiatis(delta=0.5)


Spending = OBrienFlemingSpending | PocockSpending | HwangShihDeCani | KimDeMets | UserSpending
Efficacy = Spending | WangTsiatis | HaybittlePeto


@final
@dataclass(frozen=True, kw_only=True)
class BetaSpending:
    """Futility by spending the type II error under the alternative; Pampallona, Tsiatis & Kim, Drug Inf J 2001;35:1113.

    Attributes
    ----------
    beta : float
        Type II error in all; the design's drift follows from it.
    function : spending function
        How it is shared over the looks.
    binding : bool
        Efficacy boundaries rely on stopping at futility. Not binding is the safe choice: alpha holds if it is overruled.
    """

    beta: float = 0.2
    function: Spending = OBrienFlemingSpending()
    binding: bool = False
    kind: Literal["beta_spending"] = "beta_spending"

    def __post_init__(self) -> None:
        if not 0.0 < self.beta < 0.9:
            raise ValueError(f"beta must lie between 0 and 0.9; got {self.beta}. Power 80% is beta = 0.2.")


@final
@dataclass(frozen=True, kw_only=True)
class FixedFutility:
    """Stop for futility when z is at or below a number named for each interim look.

    Attributes
    ----------
    z : tuple of float
        One per interim look; -inf for none.
    binding : bool
        As for `BetaSpending`.
    """

    z: tuple[float, ...]
    binding: bool = False
    kind: Literal["fixed_futility"] = "fixed_futility"

    def __post_init__(self) -> None:
        if any(np.isnan(self.z)) or any(value == np.inf for value in self.z):
            raise ValueError(f"z holds a missing or infinite number; got {self.z}. -inf means no futility at that look.")


Futility = BetaSpending | FixedFutility
