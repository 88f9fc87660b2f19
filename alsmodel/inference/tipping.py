r"""How much worse must those who left have fared before the conclusion about a treatment changes?

A fit takes scores after leaving as missing at random: as those of a participant with the same scores who stayed. The data cannot say
otherwise, so that the departure is put in by hand, as a pattern mixture (Little 1993, doi 10.1080/01621459.1993.10594302; delta adjustment:
Carpenter & Kenward 2013, doi 10.1002/9781119942283): somebody who leaves at time T for a reason other than death loses
:math:`\delta` points per unit of time more from then on. At the horizon H the difference between the arms is then

.. math:: D(\delta_1, \delta_0) = D_{\text{MAR}} - \delta_1 L_1 + \delta_0 L_0, \qquad L_a = E_a[1\{\text{left}\}\, (H - T)_+],

with :math:`D_{\text{MAR}}` drawn from the posterior and :math:`L_a` from the Bayesian bootstrap over the participants of each arm
(Rubin 1981, doi 10.1214/aos/1176345338). Nothing is added after a death that was seen: the difference is the hypothetical one of paths,
as that of the slopes is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.errors import Fault, InvalidInput
from alsmodel.inference.sampling import evenly

if TYPE_CHECKING:
    from alsmodel.inference.fit import Fit

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
STREAM = 9
SUCCESS = 0.975  # probability of benefit; its interval of 95% then excludes zero


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class TippingPoint:
    """A conclusion under departures from missing at random.

    Attributes
    ----------
    table : polars.DataFrame
        delta_treated, delta_control (points per unit of time lost in addition after leaving), difference at the horizon with sd, lower
        and upper (95%), p_benefit, holds (whether p_benefit reaches the threshold).
    treated_alone : float
        Smallest delta at which the conclusion no longer holds, were only those who left the treated arm to fare worse: infinite where
        none does that, 0 where it does not hold to begin with.
    both : float
        The same with the same delta in both arms.
    left : tuple of int
        Participants who left before the horizon, treated and control.
    lost_time : tuple of float
        Mean over an arm of the time between leaving and the horizon.
    threshold : float
    horizon : float
    time_unit : str
    """

    table: pl.DataFrame
    treated_alone: float
    both: float
    left: tuple[int, int]
    lost_time: tuple[float, float]
    threshold: float
    horizon: float
    time_unit: str

    def __str__(self) -> str:
        """The answer in a sentence."""
        left = f"{self.left[0]} treated and {self.left[1]} control participants left before {self.horizon:g} {self.time_unit}s"
        if self.treated_alone == 0:
            return f"{left}; benefit is not concluded even with missing at random."
        if np.isinf(self.treated_alone):
            return f"{left}; no loss after leaving the treated arm changes the conclusion."
        return (
            f"{left}; the conclusion of benefit holds until those who left the treated arm lose {self.treated_alone:.2g} points per "
            f"{self.time_unit} more than if they had stayed."
        )


def tipping_point(
    fit: "Fit",
    effect: str,
    horizon: float,
    deltas: Sequence[float] | Floats,
    *,
    control_deltas: Sequence[float] | Floats | None = None,
    left: Bools | str | None = None,
    threshold: float = SUCCESS,
    draws: int = 4000,
    seed: int = 1,
) -> TippingPoint:
    """Find where the conclusion that a treatment slows decline gives way to departures from missing at random.

    Parameters
    ----------
    fit : Fit
    effect : str
        A treatment of the model with ``source = "arm"``, by name, or a coefficient on the slope of a 0/1 column such as
        ``slope:arm[active]``. A higher score is better.
    horizon : float
        In the fit's time unit, from the time origin.
    deltas : sequence of float
        Points per unit of time lost in addition after leaving the treated arm; at least 0.
    control_deltas : sequence of float, optional
        The same in the control arm; every pair is computed. Without it 0 and, for each of `deltas`, the same.
    left : bool array, shape (N,), or str, optional
        Who left for a reason other than death; or the further cause of the model that leaving is, such as "dropout". Without it
        everybody whose follow-up ended before the horizon without an event; where follow-up ended there for administrative reasons,
        say who left. A model with several causes needs it.
    threshold : float
        Probability of benefit from which it is concluded.
    draws : int
        At most this many posterior draws.
    seed : int
        Of the bootstrap.

    Raises
    ------
    InvalidInput
        When the effect is no such one, the outcome is transformed, or an arm is empty.
    ValueError
        When a delta is negative or not finite, or the horizon or the threshold is impossible.
    """
    treated_deltas = np.asarray(deltas, dtype=float)
    pairs = _pairs(treated_deltas, control_deltas)
    if not 0 < horizon < np.inf or not 0.5 <= threshold < 1:
        raise ValueError(f"horizon must be above 0 and threshold from 0.5 and below 1; got {horizon:g} and {threshold:g}.")
    gain, treated = _effect(fit, effect, horizon)
    gain = gain[evenly(gain.size, draws)]
    data = fit.data
    gone = _gone(fit, left, horizon)
    lost = np.where(gone, np.maximum(horizon - data.event_time, 0.0), 0.0)
    rng = np.random.default_rng([seed, STREAM])
    lost_treated, lost_control = (_bootstrapped(lost[arm], gain.size, rng) for arm in (treated, ~treated))
    rows = []
    for a, c in pairs:
        difference = gain - a * lost_treated + c * lost_control
        benefit = float((difference > 0).mean())
        rows.append(
            {
                "delta_treated": a,
                "delta_control": c,
                "difference": float(difference.mean()),
                "sd": float(difference.std(ddof=1)),
                "lower": float(np.quantile(difference, 0.025)),
                "upper": float(np.quantile(difference, 0.975)),
                "p_benefit": benefit,
                "holds": benefit >= threshold,
            }
        )
    before = lost > 0
    return TippingPoint(
        table=pl.DataFrame(rows),
        treated_alone=_tips(gain, lost_treated, threshold),
        both=_tips(gain, lost_treated - lost_control, threshold),
        left=(int((before & treated).sum()), int((before & ~treated).sum())),
        lost_time=(float(lost[treated].mean()), float(lost[~treated].mean())),
        threshold=threshold,
        horizon=horizon,
        time_unit=fit.time_unit,
    )


def _pairs(treated: Floats, control: Sequence[float] | Floats | None) -> list[tuple[float, float]]:
    own = treated if control is None else np.asarray(control, dtype=float)
    if treated.size == 0 or own.size == 0 or not (np.isfinite(treated).all() and np.isfinite(own).all()):
        raise ValueError("deltas must be finite numbers, at least one.")
    if treated.min() < 0 or own.min() < 0:
        raise ValueError("deltas are points lost in addition and must be at least 0.")
    if control is not None:
        return [(float(a), float(c)) for a in treated for c in own]
    return list(dict.fromkeys((float(a), c) for a in treated for c in (0.0, float(a))))


def _gone(fit: "Fit", left: Bools | str | None, horizon: float) -> Bools:
    """Who left, as an array, by name of the cause, or by the end of follow-up."""
    data, names = fit.data, [cause.name for cause in fit.spec.causes]
    if left is None:
        if names:
            fault = f"With several causes of leaving ({', '.join(names)}), who left for a reason other than death must be said."
            raise InvalidInput([Fault("left", fault, f'Name the cause that leaving is, such as left = "{names[-1]}", or give an array.')])
        return np.asarray((data.event == 0) & (data.event_time < horizon))
    if isinstance(left, str):
        if left not in names:
            known = f"Its further causes are {', '.join(names)}." if names else "Fit a model with causes, or say who left by an array."
            raise InvalidInput([Fault("left", f"{left!r} is no further cause of this model.", known)])
        return np.asarray((data.event > 0) & (data.cause == names.index(left) + 1))
    died = (data.event > 0) & (data.cause == 0) if names else data.event > 0
    return np.asarray(np.asarray(left, bool) & ~died)


def _effect(fit: "Fit", effect: str, horizon: float) -> tuple[Floats, Bools]:
    """Draws of the difference at the horizon had nobody left, and who is treated."""
    data, spec = fit.data, fit.spec
    if spec.transform != "identity":
        raise InvalidInput([Fault("model.transform", f"Deltas are points; the outcome is its {spec.transform}.")])
    if spec.decline.kind == "sigmoid":
        fault = "A tipping point is stated in points along a line; the decline of this fit is a sigmoid."
        raise InvalidInput([Fault("model.decline", fault, "Fit a linear decline for it.")])
    column = data.columns.get(effect.removeprefix("slope:"))
    names = [t.name for t in spec.treatments]
    if effect in names:
        place = names.index(effect)
        drug, mine = spec.treatments[place], data.exposure_drug == place
        if drug.source != "arm" or drug.by is not None or drug.score == "none":
            fault = f"{effect} is not one randomised effect on the slope."
            raise InvalidInput([Fault("effect", fault, 'Name a treatment with source = "arm", an effect on the score and no by.')])
        treated = np.zeros(data.people, bool)
        treated[data.exposure_person[mine]] = True
        time = np.clip(np.minimum(data.exposure_stop[mine], horizon) - np.maximum(data.exposure_start[mine], 0.0), 0.0, None)
        length = float(time.sum() / max(treated.sum(), 1))
        draws = fit.flat(f"slope difference:{effect}" if drug.score == "clock" else f"slope:{effect}") * length
    elif effect in fit.draws and effect.startswith("slope:") and column is not None and np.isin(column, (0.0, 1.0)).all():
        treated, draws = column == 1.0, fit.flat(effect) * horizon
    else:
        known = [*names, *(f"slope:{name}" for name in data.columns if f"slope:{name}" in fit.draws)]
        raise InvalidInput(
            [Fault("effect", f"{effect!r} is no treatment and no 0/1 coefficient on the slope.", f"Known: {', '.join(known)}.")]
        )
    if treated.all() or not treated.any():
        raise InvalidInput([Fault("effect", f"{effect}: one of the arms is empty.")])
    return draws, treated


def _bootstrapped(values: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Means of `values` under weights from a flat Dirichlet; shape (draws,)."""
    weight = rng.standard_exponential((draws, values.size))
    return np.asarray(weight @ values / weight.sum(axis=1))


def _tips(gain: Floats, lost: Floats, threshold: float) -> float:
    """Smallest delta >= 0 at which the share of draws with gain > delta lost falls below the threshold."""
    holds = gain > 0
    need = threshold * gain.size
    if holds.sum() < need:
        return 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        turn = gain / lost
    down, up = np.sort(turn[holds & (lost > 0)]), np.sort(turn[~holds & (lost < 0)])
    # The share changes only where a draw turns; draws that turn to benefit come with negative lost time.
    count = holds.sum() - np.arange(1, down.size + 1) + np.searchsorted(up, down, side="left")
    first = np.flatnonzero(count < need)
    return float(down[first[0]]) if first.size else float("inf")
