"""A model in sentences and in formulas."""

from typing import TYPE_CHECKING

from alsmodel.models.association import Associations, kinds
from alsmodel.models.class_words import class_formulas, class_sentences

if TYPE_CHECKING:
    from alsmodel.models.causes import AfterEvent, Cause
    from alsmodel.models.decline import Decline
    from alsmodel.models.spec import JointModel
    from alsmodel.models.survival import Survival
    from alsmodel.models.treatments import Treatment

#: What is made of an event known only to lie between two days, where it is not kept as that.
EVENT_DAYS = {
    "middle": "An event known only to lie between two days counts as if it had happened on the middle of the two.",
    "first known": "An event known only to lie between two days counts as if it had happened on the later of the two.",
}
#: Through what a path reaches the hazard, in words and in formulas; shared random effects have a phrase of their own.
_PATHS = {"value": "current value", "slope": "current slope", "area": "mean since time zero"}
_THROUGH = {"value": "α m(t)", "slope": "α' dm(t)/dt", "area": "α'' (1/t) ∫ m(s) ds from 0 to t", "shared": "λ'b"}
_OUTCOMES = {"alsfrs_r_total": "The ALSFRS-R total", "alsfrs_total": "The ALSFRS total"}


def sentences(spec: "JointModel") -> list[str]:
    """The model in sentences, one for each part that it has."""
    out = [_decline(spec), _survival(spec), _association(spec), *(_cause(cause) for cause in spec.causes)]
    if spec.causes:
        out.append(
            "The first cause to happen ends the follow-up of the score; given the participant's path, causes are independent until then."
        )
    out += [_after(after) for after in spec.after]
    out += [_treatment(t, spec.time_unit) for t in spec.treatments]
    out += class_sentences(spec)
    if spec.hierarchy:
        inside = " within ".join(reversed(spec.hierarchy))
        out.append(f"Every {inside} has a level and a slope of its own, normal about those of all, with SDs that are estimated.")
    if taken := EVENT_DAYS.get(spec.event_days):
        out.append(taken)
    if spec.population == "incident":
        out.append("Random effects describe everybody from onset; each likelihood is divided by the chance of having lived to entry.")
    out.append("Random effects are integrated out of the likelihood.")
    return out


def formulas(spec: "JointModel") -> list[str]:
    """The model in formulas."""
    bends = _bends(spec)
    groups = "".join(f" + u_{name}" for name in spec.hierarchy)
    clock = any(t.score == "clock" for t in spec.treatments)
    added = "".join(f" + a_{t.name} e_{t.name}(t)" for t in spec.treatments if t.score == "additive")
    tau, own = ("τ(t; θ)", "τ(t; ψ)") if clock else ("t", "t")
    if spec.decline.kind == "sigmoid":
        path = [
            f"m(t) = {spec.decline.top:g} / (1 + exp{{(u - D50) / dx}}),   u = o + {tau}   (o: time from onset to time zero)",
            f"log D50 = β0{chr(32) + '+ x' + chr(39) + 'β' if spec.intercept else ''} + b0,   "
            f"log dx = γ0{chr(32) + '+ w' + chr(39) + 'γ' if spec.slope else ''} + b1",
        ]
    lines = [
        f"m(t) = β0 + x'β + b0{groups} + (γ0 + w'γ{groups.replace('u_', 'v_')}) {tau} + b1 {own}{added}{bends}",
        f"y(t) = m(t) + ε,   ε ~ N(0, σ{f'[{spec.decline.residual_by}]' if spec.decline.residual_by else ''}²)",
        f"({', '.join(f'b{k}' for k in range(len(spec.effects)))}) ~ N(0, D)",
    ]
    if spec.decline.kind == "sigmoid":
        lines = [*path, *lines[1:]]
    if spec.decline.kind == "natural-spline":
        lines.append("B_k: natural cubic spline with B_k(0) = B_k'(0) = 0 and B_k'' = 2 at knot k, 0 at the others")
    if clock:
        lines.append("τ(t; θ) = ∫ exp{Σ θ_d x_d(s)} ds from 0 to t")
    terms = [
        _THROUGH[kind] if by is None else {"value": f"α c + α[{by}] (m(t) - c)", "slope": f"α'[{by}] dm(t)/dt"}[kind]
        for kind, by in kinds(spec.association).items()
    ]
    terms = [*(["z'δ"] if spec.hazard else []), *(_ratio(t) for t in spec.treatments if t.hazard in ("ratio", "DRR")), *terms]
    base = "h0_s" if spec.survival.strata else "h0"
    rate = " dτ/dt" if any(t.hazard == "clock" for t in spec.treatments) else ""
    lines.append(f"h(t) = {base}({_hazard_time(spec)}){rate}" + (f" exp{{{' + '.join(terms)}}}" if terms else ""))
    lines.append(_baseline_formula(spec.survival).replace("h0(", f"{base}("))
    lines += class_formulas(spec)
    for cause in spec.causes:
        terms = [_THROUGH[kind] for kind in kinds(cause.association)]
        terms = [*(["z'δ"] if cause.survival.covariates else []), *(_ratio(t) for t in spec.treatments if t.hazard == "ratio"), *terms]
        name = cause.name.replace(" ", "_")
        own = f" exp{{{' + '.join(terms)}}}   (α, δ, η of this cause)" if terms else ""
        lines.append(f"h_{name}(t) = h0_{name}(t){own}")
        lines.append(_baseline_formula(cause.survival).replace("h0(", f"h0_{name}("))
    for after in spec.after:
        name, u = f"after_{after.cause.replace(' ', '_')}", "u" if after.clock == "since event" else "t"
        lines.append(f"h_{name}({u}) = h0_{name}({u}){' exp{z' + chr(39) + 'δ}' if after.survival.covariates else ''}")
        lines.append(_baseline_formula(after.survival).replace("h0(t)", f"h0_{name}({u})").replace("(t", f"({u}"))
    return lines


def _bends(spec: "JointModel") -> str:
    """What bends the path, in the formula of m(t)."""
    if spec.decline.kind == "linear":
        return ""
    mean, own = spec.fixed_quadratic, spec.random_effects != "linear"
    if spec.decline.kind == "quadratic":
        return " + (κ + b2) t²" if mean and own else " + κ t²" if mean else " + b2 t²"
    plain = len(spec.bends) == 1
    k, effect = ("1", "2") if plain else ("k", "(1+k)")
    inside = f"(κ{k} + b{effect})" if mean and own else f"κ{k}" if mean else f"b{effect}"
    return f" + {'' if plain else 'Σ '}{inside} B{k}(t)"


def listed(names: tuple[str, ...]) -> str:
    """Names in a row, the last after "and"."""
    plain = [name.replace("_", " ") for name in names]
    return plain[0] if len(plain) == 1 else f"{', '.join(plain[:-1])} and {plain[-1]}"


def _decline(spec: "JointModel") -> str:
    name = _OUTCOMES.get(spec.outcome, spec.outcome.replace("_", " "))
    if spec.decline.kind == "sigmoid":
        return _sigmoid(spec, name)
    scale = "" if spec.transform == "identity" else f", on the {spec.transform} scale,"
    shape = {"linear": "a straight line", "quadratic": "a parabola"}.get(spec.decline.kind) or _spline(spec.decline)
    own = {
        "linear": "random intercept and slope",
        "quadratic": "random intercept, slope and quadratic term",
        "natural-spline": "random intercept, slope and curvature at each knot",
    }[str(spec.random_effects)]
    text = f"{name}{scale} follows {shape} in time for every participant ({own}), with independent normal residuals"
    if by := spec.decline.residual_by:
        text += f" whose SD is each {by.replace('_', ' ')}'s own"
    parts = [f"its {what} differs by {listed(names)}" for what, names in (("level", spec.intercept), ("slope", spec.slope)) if names]
    return f"{text}; {' and '.join(parts)}." if parts else f"{text}."


def _sigmoid(spec: "JointModel", name: str) -> str:
    """A sigmoid decline in words."""
    assert spec.decline.kind == "sigmoid"
    text = (
        f"{name} falls along a sigmoid from {spec.decline.top:g} to 0 over the time since symptom onset for every participant "
        f"(random log D50, the time at which half of it is gone, and log dx, the time constant of the loss), "
        "with independent normal residuals"
    )
    if by := spec.decline.residual_by:
        text += f" whose SD is each {by.replace('_', ' ')}'s own"
    parts = [f"{what} differs by {listed(names)}" for what, names in (("D50", spec.intercept), ("dx", spec.slope)) if names]
    return f"{text}; {' and '.join(parts)}." if parts else f"{text}."


def _spline(part: "Decline") -> str:
    """The curve in words."""
    assert part.kind == "natural-spline"
    count = part.terms
    knots = f"{count} inner knot{'s' if count > 1 else ''}"
    if isinstance(part.knots, tuple):
        return f"a natural cubic spline with {knots} at {', '.join(f'{k:g}' for k in part.knots)}"
    return f"a natural cubic spline with {knots} at quantiles of the visit times"


def _survival(spec: "JointModel") -> str:
    part = spec.survival
    text = f"The hazard of {spec.main_words} is {hazard_words(part)}"
    if part.strata is not None:
        how = "drawn towards a common one" if part.pooling == "partial" else "each of its own"
        text += f", with a baseline for every {part.strata.replace('_', ' ')}, {how}"
    return f"{text}; it is multiplied by effects of {listed(part.covariates)}." if part.covariates else f"{text}."


def hazard_words(part: "Survival") -> str:
    """The baseline's form in words."""
    if part.kind == "exponential":
        return "constant over time"
    if part.kind == "weibull":
        return "of Weibull form"
    where = f"at {', '.join(f'{k:g}' for k in part.knots)}" if isinstance(part.knots, tuple) else "at quantiles of the event times"
    count = len(part.knots) if isinstance(part.knots, tuple) else part.knots
    if part.kind == "piecewise":
        return f"constant within {count + 1} intervals, cut {where}"
    if part.kind == "royston-parmar":
        return (
            f"a smooth curve in log time, on the scale of the log cumulative hazard ({count} inner knots {where}), drawn towards a Weibull"
        )
    return f"a smooth curve (M-splines of degree {part.degree} with {count} inner knots {where}), drawn towards a constant"


def _association(spec: "JointModel") -> str:
    if not spec.association and spec.classes is not None and spec.classes.number > 1 and spec.classes.hazard:
        return "Score and hazard are joined by the latent class alone: within a class the score's path does not enter the hazard."
    if not spec.association:
        return "Score and hazard share covariates and treatments only: the score's path does not enter the hazard."
    paths, found = _PATHS, kinds(spec.association)
    text = f"The hazard depends on {_reached(spec.association, "the participant's true path")}, never on the observed score"
    for by in dict.fromkeys(by for by in found.values() if by is not None):
        those = [paths[kind] for kind, own in found.items() if own == by]
        which = "how strongly" if len(those) == len(found) else f"how strongly on the {those[0]}"
        text += f"; {which} differs by {by.replace('_', ' ')}, with levels drawn towards each other"
    return f"{text}."


def _cause(cause: "Cause") -> str:
    text = f"The hazard of {_called(cause.name, cause.events)} is {hazard_words(cause.survival)}"
    if cause.survival.covariates:
        text += f"; it is multiplied by effects of {listed(cause.survival.covariates)}"
    through = _reached(cause.association, "the path")
    return f"{text}; it {f'depends on {through}' if through else 'does not depend on the path'}."


def _reached(association: Associations, path: str) -> str:
    """Through what a path reaches a hazard, in words; nothing where it does not."""
    found = kinds(association)
    through = " and the ".join(_PATHS[kind] for kind in found if kind in _PATHS)
    told = [f"the {through} of {path}"] if through else []
    if "shared" in found:
        told.append("the participant's own random effects")
    return " and on ".join(told)


def _called(name: str, events: tuple[str, ...]) -> str:
    return name if events == (name,) else f"{name} ({' or '.join(events)})"


def _after(after: "AfterEvent") -> str:
    clock = f"over the time since {after.cause}" if after.clock == "since event" else "over the time of the study"
    text = f"After {after.cause} the hazard of {' or '.join(after.events)} is {hazard_words(after.survival)}, {clock}"
    if after.survival.covariates:
        text += f", and multiplied by effects of {listed(after.survival.covariates)}"
    return f"{text}; no scores are followed there, and it does not depend on the path."


def _treatment(t: "Treatment", unit: str) -> str:
    source = (
        f"the assigned arm {t.level!r}, whatever was taken"
        if t.source == "arm"
        else "the intervals in which it was taken, so that its coefficient is an association"
    )
    how = {"clock": "on the clock of decline", "additive": f"by points per {unit}", "none": "not on the score"}[t.score]
    acts = {"ratio": "a direct hazard ratio", "clock": "the clock of the hazard", "DRR": "the same ratio on the hazard"}
    hazard = acts.get(t.hazard)
    text = f"{t.name} acts {how}{f' and by {hazard}' if hazard else ''}; exposure is {source}"
    if t.hazard_periods:
        text += f"; the hazard ratio may change at {', '.join(f'{p:g}' for p in t.hazard_periods)} {unit}s"
    if t.by:
        text += f"; its effect differs by {t.by.replace('_', ' ')}, with levels drawn towards each other"
    if t.onset_delay_months:
        text += f"; the effect starts {t.onset_delay_months:g} months after exposure"
    if t.washout_months:
        text += f"; it lasts {t.washout_months:g} months after exposure ends"
    if t.gene:
        text += f"; only carriers of a {t.gene} mutation are eligible"
    return f"{text}."


def _ratio(t: "Treatment") -> str:
    kind = "θ" if t.hazard == "DRR" else "η"
    return f"{kind}_{t.name}{'(t)' if t.hazard_periods else ''} x_{t.name}(t)"


def _hazard_time(spec: "JointModel") -> str:
    if any(t.hazard == "clock" for t in spec.treatments):
        return "τ(t; θ)"
    return "t since onset" if spec.population == "incident" else "t"


def _baseline_formula(part: "Survival") -> str:
    if part.kind == "exponential":
        return "h0(t) = exp(λ)"
    if part.kind == "piecewise":
        return "h0(t) = exp(λ_k) between knots"
    if part.kind == "weibull":
        return "h0(t) = exp(λ) (t / t*)^(ρ - 1)"
    if part.kind == "royston-parmar":
        return "log ∫ h0(u) du from 0 to t = λ + log t* + s(log t),   s(log t*) = 0,   s' = Σ w_k N_k > 0,   log w_k a random walk"
    return "h0(t) = exp(λ) (U - L) Σ w_k M_k(t),   log(w_k / w0_k) a random walk"
