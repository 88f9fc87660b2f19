"""A model of several outcomes in sentences and in formulas."""

from typing import TYPE_CHECKING

from alsmodel.models.words import EVENT_DAYS, hazard_words, listed

if TYPE_CHECKING:
    from alsmodel.models.domain import DomainModel, Outcome

_KNOWN = {
    "bulbar": "bulbar function",
    "fine_motor": "fine motor function",
    "gross_motor": "gross motor function",
    "respiratory": "respiratory function",
    "alsfrs_r_total": "ALSFRS-R total",
    "alsfrs_total": "ALSFRS total",
    "svc_percent": "slow vital capacity (% predicted)",
    "svc_litres": "slow vital capacity (litres)",
    "fvc_percent": "forced vital capacity (% predicted)",
    "fvc_litres": "forced vital capacity (litres)",
    "nfl_serum": "serum neurofilament light",
    "nfl_plasma": "plasma neurofilament light",
    "nfl_csf": "CSF neurofilament light",
}


def outcome_words(outcome: "Outcome") -> str:
    """An outcome as people call it, and its logarithm where that is what is modelled."""
    name = _KNOWN.get(outcome.name, outcome.name.replace("_", " "))
    return name if outcome.transform == "identity" else f"log of {name}"


def sentences(spec: "DomainModel") -> list[str]:
    """The model in sentences, one for each part that it has."""
    names = tuple(outcome_words(outcome) for outcome in spec.outcomes)
    shape = "follows a straight line in time for every participant, with random intercept and slope"
    if len(names) == 1:
        out = [f"{_upper(names[0])} {shape}, which may be correlated."]
    else:
        out = [f"Each of {listed(names)} {shape}; all {2 * len(names)} random effects of a participant may be correlated."]
    out += [*_noise(spec), *_covariates(spec), _survival(spec), _association(spec), *_treatment(spec)]
    if taken := EVENT_DAYS.get(spec.event_days):
        out.append(taken)
    if spec.residual_by_arm:
        out.append("Residual SDs differ between arms.")
    return [*out, "Random effects are integrated out of the likelihood."]


def _noise(spec: "DomainModel") -> list[str]:
    out = []
    for outcome in spec.outcomes:
        if outcome.likelihood == "censored":
            ends = [f"{end:g}" for end in outcome.bounds if end is not None]
            own = f"at {' or '.join(ends)}"
            out.append((own, outcome_words(outcome)))
    told = []
    for own in dict.fromkeys(own for own, _ in out):
        names = tuple(name for each, name in out if each == own)
        told.append(f"A score of {listed(names)} {own} says that the true value plus normal noise lies there or beyond.")
    for kind, words in (("gaussian", "normal"), ("student", "Student-t")):
        if names := tuple(outcome_words(outcome) for outcome in spec.outcomes if outcome.likelihood == kind):
            told.append(f"Residuals of {listed(names)} are independent and {words}.")
    return told


def _covariates(spec: "DomainModel") -> list[str]:
    """Outcomes with the same covariates share a sentence."""
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for outcome in spec.outcomes:
        groups.setdefault((outcome.intercept, outcome.slope), []).append(outcome_words(outcome))
    told = []
    for (intercept, slope), names in groups.items():
        parts = [f"level differs by {listed(intercept)}"] if intercept else []
        parts += [f"slope differs by {listed(slope)}"] if slope else []
        if parts:
            whose = "Each outcome's" if len(names) == len(spec.outcomes) > 1 else f"For {listed(tuple(names))}, the"
            told.append(f"{whose} {' and its '.join(parts)}.")
    return told


def _survival(spec: "DomainModel") -> str:
    text = f"The hazard of {spec.event_words} is {hazard_words(spec.survival)}"
    return f"{text}; it is multiplied by effects of {listed(spec.hazard)}." if spec.hazard else f"{text}."


def projection_words(spec: "DomainModel") -> str:
    """What reaches the hazard: the sum of latent lines by their weights."""
    used = [outcome for outcome in spec.outcomes if outcome.weight]
    if len(used) == 1:
        times = "" if used[0].weight == 1 else f"{used[0].weight:g} times "
        return f"{times}{outcome_words(used[0])}"
    if all(outcome.weight == 1 for outcome in used):
        return f"the sum of {listed(tuple(outcome_words(outcome) for outcome in used))}"
    return f"the weighted sum {' + '.join(f'{outcome.weight:g} x {outcome_words(outcome)}' for outcome in used)}"


def _association(spec: "DomainModel") -> str:
    if not spec.association:
        return "Outcomes and hazard share covariates and treatment only: the lines do not enter the hazard."
    joined = " and the ".join({"value": "current value", "slope": "current slope"}[name] for name in spec.association)
    return f"The hazard depends on the {joined} of {projection_words(spec)}, taken from the true lines, never from observed scores."


def _treatment(spec: "DomainModel") -> list[str]:
    drug = spec.treatment
    if drug is None:
        return []
    how = {
        "common": "multiplies the mean slopes of all outcomes by one ratio",
        "pooled": "multiplies the mean slope of each outcome by a ratio of its own, drawn towards a common one",
        "separate": "multiplies the mean slope of each outcome by a ratio of its own",
    }[drug.across]
    direct = " and acts by a direct hazard ratio" if drug.hazard == "ratio" else ""
    return [f"{drug.name} {how}{direct}; exposure is the assigned arm {drug.level!r}, whatever was taken."]


def formulas(spec: "DomainModel") -> list[str]:
    """The model in formulas."""
    drug = spec.treatment
    ratio = "" if drug is None else f" exp(θ{'' if drug.across == 'common' else '_k'} z)"
    lines = [
        f"m_k(t) = a_k0 + a_k1 t,   k = 1..{len(spec.outcomes)}",
        f"E a_k0 = β_k + x'b_k,   E a_k1 = (γ_k + w'g_k){ratio},   a ~ N(E a, D)",
        f"y_k(t) = m_k(t) + ε_k,   ε_k ~ {'σ_k t(ν)' if spec.student else 'N(0, σ_k²)'}",
    ]
    if any(outcome.likelihood == "censored" for outcome in spec.outcomes):
        lines.append("censored outcomes: recorded at an end of the scale where y_k(t) lies there or beyond")
    if drug is not None and drug.across == "pooled":
        lines.append("θ_k ~ N(θ, τ²)")
    terms = [*(["v'δ"] if spec.hazard else []), *(["η z"] if drug is not None and drug.hazard == "ratio" else [])]
    terms += [{"value": "α M(t)", "slope": "α' dM(t)/dt"}[name] for name in spec.association]
    lines.append(f"h(t) = h0(t){f' exp{{{" + ".join(terms)}}}' if terms else ''},   M(t) = Σ c_k m_k(t)")
    return [*lines, "h0(t) = exp(λ_j) between knots"]


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
