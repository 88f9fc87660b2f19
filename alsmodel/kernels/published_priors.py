r"""Priors made from published effects: what may inform what, discount, effective sample size, conflict with new data.

A published estimate informs only the parameter that it estimates. Writing :math:`\hat\phi` for the estimate on that parameter's
scale with standard error s, and :math:`0 < a_0 \le 1` for the discount, the prior is

.. math:: \phi \sim N(\hat\phi, \; s^2 / a_0),

the power prior of Ibrahim and Chen (Statistical Science 2000;15:46, doi 10.1214/ss/1009212673) with a normal likelihood raised
to the power :math:`a_0` and a flat initial prior. :math:`a_0 = 1` takes the estimate at its word; :math:`a_0 = 0.5` counts it as
half its size. Differences in points become ratios of slopes by `alsmodel.clinical.effect.log_slope_ratio`. A robust prior adds
a wide component (Schmidli et al., Biometrics 2014;70:1023, doi 10.1111/biom.12242).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from alsmodel.clinical.effect import PublishedEffect, log_slope_ratio
from alsmodel.errors import Fault, InvalidInput

Floats = NDArray[np.float64]
Parameter = Literal["theta", "additive", "direct", "total_log_hazard_ratio"]

#: Parameter -> what it is; the first three are the parameters of `alsmodel.models.spec`.
PARAMETERS: dict[str, str] = {
    "theta": "log ratio of slopes",
    "additive": "difference in slope, points per month",
    "direct": "log hazard ratio beside the association of the score with the hazard",
    "total_log_hazard_ratio": "log hazard ratio of a survival analysis without the score",
}
_ALLOWED: dict[str, tuple[str, ...]] = {
    "hazard ratio": ("total_log_hazard_ratio", "direct"),
    "slope ratio": ("theta",),
    "difference in ALSFRS-R points": ("theta", "additive"),
    "difference in ALSFRS-R points/month": ("theta", "additive"),
}
_LOG_2PI = math.log(2 * math.pi)
#: Quadrature over a prior: points per component SD, and how many SDs to each side.
_STEPS, _REACH = 40, 10.0


@final
@dataclass(frozen=True, kw_only=True)
class Robust:
    """The wide component of a mixture prior.

    Attributes
    ----------
    weight : float
        Of the wide component, strictly between 0 and 1.
    sd : float
        Of the wide component.
    mean : float
        Of the wide component; 0 is no effect on every parameter here.
    """

    weight: float
    sd: float
    mean: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.weight < 1 or not self.sd > 0:
            raise ValueError(f"weight must lie between 0 and 1 and sd be above 0; got {self.weight} and {self.sd}.")


@final
@dataclass(frozen=True, kw_only=True)
class PublishedPrior:
    """A prior on one parameter, with the trials it rests on.

    Attributes
    ----------
    parameter : str
        One of `PARAMETERS`.
    mean, sd : float
        Of the normal prior after the discount.
    se : float
        Standard error of the published estimate on the parameter's scale, before the discount.
    discount : float
        Power a0: the variance is se^2 / a0.
    drug : str
    trials : tuple of str
        Trials whose data the prior rests on.
    sources : tuple of str
    notes : tuple of str
        How the estimate and its standard error were obtained.
    n : int or None
        Participants behind the estimate.
    robust : Robust or None
    """

    parameter: str
    mean: float
    sd: float
    se: float
    discount: float
    drug: str
    trials: tuple[str, ...]
    sources: tuple[str, ...]
    notes: tuple[str, ...] = ()
    n: int | None = None
    robust: Robust | None = None

    @property
    def components(self) -> tuple[tuple[float, float, float], ...]:
        """Weight, mean and SD of each normal component."""
        if self.robust is None:
            return ((1.0, self.mean, self.sd),)
        return (1 - self.robust.weight, self.mean, self.sd), (self.robust.weight, self.robust.mean, self.robust.sd)

    def logpdf(self, x: Floats | float) -> Floats:
        """Log density at `x`, any shape."""
        return _log_mixture(np.asarray(x, dtype=float), self.components)

    def effective_sample_size(self, unit_sd: float | None = None) -> float | None:
        r"""Participants whose data would tell as much as the prior.

        .. math:: ESS = E_\pi[-\partial^2 \log \pi(\phi) / \partial \phi^2] \; \sigma_1^2

        with :math:`\sigma_1^2` the variance of an estimate from one participant: the expected local-information-ratio of
        Neuenschwander et al. (Biometrics 2020;76:578, doi 10.1111/biom.13252). For a normal prior it is
        :math:`\sigma_1^2 / sd^2`, which is also that of Morita, Thall and Müller (Biometrics 2008;64:595,
        doi 10.1111/j.1541-0420.2007.00888.x).

        Parameters
        ----------
        unit_sd : float, optional
            :math:`\sigma_1`. Left out: se times the root of n, the published trial's own, so that a normal prior counts a0 n.

        Returns
        -------
        float or None
            None when neither `unit_sd` nor n is known.
        """
        if unit_sd is None and self.n is None:
            return None
        variance = unit_sd**2 if unit_sd is not None else self.se**2 * float(self.n or 0)
        if self.robust is None:
            return variance / self.sd**2
        # E[-(log pi)''] equals E[((log pi)')^2] for a density that vanishes at both ends.
        x = _grid(self.components)
        log_density = self.logpdf(x)
        slope = sum(np.exp(math.log(w) + _log_normal(x, m, s) - log_density) * (m - x) / s**2 for w, m, s in self.components)
        return float(np.trapezoid(np.exp(log_density) * slope**2, x)) * variance

    def equivalent_events(self, treated_share: float = 0.5) -> float | None:
        r"""Events whose log-rank test would tell as much: :math:`1 / (p (1 - p) \, sd^2)`; None unless a log hazard ratio.

        Schoenfeld, Biometrika 1981;68:316, doi 10.1093/biomet/68.1.316. Of a robust prior: of its informative component.

        Parameters
        ----------
        treated_share : float
            p, the share of participants treated.
        """
        if self.parameter not in ("direct", "total_log_hazard_ratio"):
            return None
        return 1 / (treated_share * (1 - treated_share) * self.sd**2)

    def conflict(self, estimate: float, se: float) -> float:
        r"""Box's p value of a new estimate under the prior.

        :math:`P\{m(Y) \le m(y)\}` with m the prior predictive density, here the prior widened by se^2; for a normal prior
        :math:`2 \Phi(-|y - mean| / \sqrt{sd^2 + se^2})` (Box, J R Stat Soc A 1980;143:383, doi 10.2307/2982063). Small values say
        that the new data and the prior disagree; they do not say which is wrong.

        Parameters
        ----------
        estimate, se : float
            Of the same parameter from the new data alone.
        """
        wide = tuple((w, m, math.hypot(s, se)) for w, m, s in self.components)
        if self.robust is None:
            _, mean, sd = wide[0]
            return 2 * NormalDist().cdf(-abs(estimate - mean) / sd)
        y = _grid(wide)
        density = np.exp(_log_mixture(y, wide))
        seen = float(np.exp(_log_mixture(np.asarray(float(estimate)), wide)))
        rare = np.where(density <= seen, density, 0.0)
        return float(min(1.0, np.trapezoid(rare, y)))

    def __str__(self) -> str:
        """One line: parameter, mean, SD, discount, effective sample size, trials."""
        size = self.effective_sample_size()
        told = "" if size is None else f", worth {size:.0f} of {self.n} participants"
        wide = "" if self.robust is None else f", mixed with N({self.robust.mean:g}, {self.robust.sd:g}^2) at {self.robust.weight:g}"
        return (
            f"{self.parameter} of {self.drug} ~ N({self.mean:.3f}, {self.sd:.3f}^2){wide} "
            f"(a0 = {self.discount:g}{told}; {', '.join(self.trials)})"
        )


def published_prior(
    effect: PublishedEffect,
    parameter: Parameter,
    *,
    discount: float,
    events: str | None = None,
    association: Sequence[str] = ("value",),
    hazard: str = "none",
    robust: Robust | None = None,
) -> PublishedPrior:
    """Make the prior that a published effect gives for the parameter it estimates.

    Parameters
    ----------
    effect : PublishedEffect
    parameter : {"theta", "additive", "direct", "total_log_hazard_ratio"}
    discount : float
        Power a0, above 0 and at most 1. There is no default: how much a trial of other people counts is a decision.
    events : str, optional
        Tag of the event definition of the new analysis; needed for a hazard ratio, and must be the published one's.
    association : sequence of str
        Association terms of the model whose parameter it is. With any, a published hazard ratio is no `direct`: it contains what
        runs through function.
    hazard : {"none", "ratio", "clock", "DRR"}
        How the treatment reaches the hazard in that model. With "clock" or "DRR" its theta multiplies the hazard too, which no
        ratio of slopes estimates.
    robust : Robust, optional

    Returns
    -------
    PublishedPrior

    Raises
    ------
    InvalidInput
        With every reason why this effect does not inform this parameter.
    """
    if told := _reasons(effect, parameter, discount, events, association, hazard):
        raise InvalidInput([Fault("prior", message, remedy) for message, remedy in told])
    mean, se, notes = _on_parameter(effect, parameter)
    return PublishedPrior(
        parameter=parameter,
        mean=mean,
        sd=se / math.sqrt(discount),
        se=se,
        discount=discount,
        drug=effect.drug,
        trials=effect.trials,
        sources=(f"{effect.source}{f', doi {effect.doi}' if effect.doi else ''}",),
        notes=notes,
        n=effect.n,
        robust=robust,
    )


def combined(priors: Sequence[PublishedPrior], robust: Robust | None = None) -> PublishedPrior:
    r"""Multiply normal priors of one parameter from different trials: precisions add, means are weighted by them.

    It assumes one common effect in all the trials; discounts are the way to say that they differ. Robust components of the parts
    are left out: give one for the whole.

    Raises
    ------
    InvalidInput
        When the parameters or drugs differ, or a trial is behind more than one of them (it would count twice).
    """
    faults = [] if priors else [Fault("prior", "There is no prior to combine.")]
    if len({(p.parameter, p.drug) for p in priors}) > 1:
        faults.append(Fault("prior", "The priors are of different parameters or drugs.", "Combine priors of one parameter of one drug."))
    trials = [trial for p in priors for trial in p.trials]
    if twice := sorted({trial for trial in trials if trials.count(trial) > 1}):
        faults.append(Fault("prior", f"{', '.join(twice)} would count twice.", "Keep one of the effects that rest on it."))
    if faults:
        raise InvalidInput(faults)
    weight = np.array([p.sd**-2 for p in priors])
    mean = float(weight @ np.array([p.mean for p in priors]) / weight.sum())
    undiscounted = sum(p.se**-2 for p in priors)
    sizes = [p.n for p in priors]
    return replace(
        priors[0],
        mean=mean,
        sd=float(weight.sum() ** -0.5),
        se=undiscounted**-0.5,
        discount=float(weight.sum() / undiscounted),
        trials=tuple(trials),
        sources=tuple(dict.fromkeys(s for p in priors for s in p.sources)),
        notes=tuple(dict.fromkeys(n for p in priors for n in p.notes)),
        n=None if None in sizes else sum(n for n in sizes if n is not None),
        robust=robust,
    )


@final
@dataclass(frozen=True)
class DoubleUse:
    """Whether data may contain the trials that a prior rests on.

    Attributes
    ----------
    status : {"excluded", "cannot be excluded", "certain"}
    trials : tuple of str
        The trials in question.
    sentence : str
        As printed in reports; empty when excluded.
    """

    status: Literal["excluded", "cannot be excluded", "certain"]
    trials: tuple[str, ...]
    sentence: str


def double_use(prior: PublishedPrior, data: str, data_trials: Sequence[str] | None) -> DoubleUse:
    """Say whether a prior's trials may also be in the data.

    Parameters
    ----------
    prior : PublishedPrior
    data : str
        Name of the data, as printed.
    data_trials : sequence of str or None
        Trials that the data consist of, by the names in `alsmodel.clinical.published`; empty for a register or a new trial; None
        when the source hides them, as PRO-ACT does (pooled trials without their identity).
    """
    if data_trials is None:
        names = ", ".join(prior.trials)
        return DoubleUse(
            "cannot be excluded",
            prior.trials,
            f"The prior of {prior.drug} ({prior.parameter}) rests on {names}; {data} does not say which trials it holds, "
            "so that the same participants may count twice.",
        )
    shared = tuple(trial for trial in prior.trials if trial in set(data_trials))
    if not shared:
        return DoubleUse("excluded", (), "")
    return DoubleUse(
        "certain", shared, f"The prior of {prior.drug} ({prior.parameter}) rests on {', '.join(shared)}, which {data} contains: double use."
    )


def _reasons(
    effect: PublishedEffect, parameter: str, discount: float, events: str | None, association: Sequence[str], hazard: str
) -> list[tuple[str, str]]:
    told: list[tuple[str, str]] = []
    allowed = _ALLOWED.get(effect.scale, ())
    if parameter not in PARAMETERS:
        told.append((f"No parameter is called {parameter!r}.", f"Choose {', '.join(PARAMETERS)}."))
    elif parameter not in allowed:
        suits = f"It informs {' or '.join(allowed)}." if allowed else "It informs no parameter of the models."
        told.append((f"A {effect.scale} does not estimate {parameter}, the {PARAMETERS[parameter]}.", suits))
    if not 0 < discount <= 1:
        told.append(("The discount must be above 0 and at most 1.", "1 takes the estimate at its word; 0.5 counts it as half its size."))
    if effect.design != "randomised, v placebo":
        told.append((f"{effect.key} compares {effect.contrast} ({effect.design}).", "Take a randomised contrast with placebo."))
    if effect.estimate is None or effect.standard_error is None:
        told.append((f"{effect.key} has no estimate with a standard error.", "Take an effect whose source gives both."))
    if effect.scale == "hazard ratio" and parameter in allowed:
        if parameter == "direct" and association:
            why = "A published hazard ratio contains what runs through function; direct is beside the association."
            told.append((why, "Use total_log_hazard_ratio, or a model with association = []."))
        if events != effect.events:
            why = f'The published hazard ratio is of "{effect.events}", the analysis of "{events or "no end point named"}".'
            told.append((why, "Use the same end point, or no prior from this effect."))
    if parameter == "theta" and hazard in ("clock", "DRR"):
        why = f'With hazard = "{hazard}" theta is the ratio of slopes and of hazards at once, which {effect.key} does not estimate.'
        told.append((why, 'Use hazard = "ratio" or "none", or no prior from this effect.'))
    if parameter == "theta" and effect.scale.startswith("difference") and (effect.control is None or effect.control_se is None):
        why = f"{effect.key} gives no control change with its standard error, without which no ratio of slopes follows."
        told.append((why, "Use the parameter additive, or another trial."))
    return told


def _on_parameter(effect: PublishedEffect, parameter: str) -> tuple[float, float, tuple[str, ...]]:
    """Estimate, standard error and notes on the parameter's scale; the effect has been found fit."""
    found, estimate = effect.standard_error, effect.estimate
    if found is None or estimate is None:
        raise ValueError(f"{effect.key} has no estimate.")
    se, origin = found
    notes = [f"standard error {origin}"]
    if effect.is_ratio:
        return math.log(estimate), se, tuple(notes)
    if parameter == "theta" and effect.control is not None and effect.control_se is not None:
        mean, se = log_slope_ratio(estimate, se, effect.control, effect.control_se, effect.treated_se)
        how = "from the arms' standard errors" if effect.treated_se is not None else "with the arms taken as independent"
        notes.append(f"slope ratio by the delta method, {how}; straight decline assumed over {effect.follow_up}")
        return mean, se, tuple(notes)
    months = effect.months
    if months is not None:
        notes.append(f"points at week {effect.weeks:g} divided by {months:.2f} months; straight decline assumed")
        return estimate / months, se / months, tuple(notes)
    return estimate, se, tuple(notes)


def _log_normal(x: Floats, mean: float, sd: float) -> Floats:
    return np.asarray(-0.5 * ((x - mean) / sd) ** 2 - math.log(sd) - 0.5 * _LOG_2PI)


def _log_mixture(x: Floats, components: Sequence[tuple[float, float, float]]) -> Floats:
    return np.asarray(np.logaddexp.reduce(np.stack([math.log(w) + _log_normal(x, m, s) for w, m, s in components]), axis=0))


def _grid(components: Sequence[tuple[float, float, float]]) -> Floats:
    """Points dense around every component and reaching past its tails."""
    steps = np.linspace(-_REACH, _REACH, int(2 * _REACH * _STEPS) + 1)
    return np.unique(np.concatenate([m + s * steps for _, m, s in components]))
