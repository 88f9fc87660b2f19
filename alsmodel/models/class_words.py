"""Latent classes in sentences and formulas, and their parameters in words."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alsmodel.models.spec import JointModel

_NUMBERS = {2: "two", 3: "three", 4: "four"}


def class_sentences(spec: "JointModel") -> list[str]:
    """What the classes are, in sentences; none without them."""
    part = spec.classes
    if part is None:
        return []
    if part.number == 1:
        return ["There is one class: everybody is of one population, and this is the model without latent classes."]
    many = _NUMBERS[part.number]
    own = "mean level, a mean slope and a level of the hazard" if part.hazard else "mean level and a mean slope"
    hazard = "the shape of the baseline hazard" if part.hazard else "the baseline hazard"
    out = [
        f"Every participant belongs to one of {many} latent classes, which nobody is seen to belong to; each has a {own} of its own.",
        f"Common to the classes are the covariance of the random effects, the residuals, {hazard}, and all effects of covariates and "
        "treatments.",
        "Classes are told apart by their slopes, which increase from class to class, so that they cannot change places: class 1 has the "
        "lowest, the fastest decline of a score that falls.",
        "Given the class, score and event are independent.",
    ]
    if part.covariates:
        names = [name.replace("_", " ") for name in part.covariates]
        listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
        out.append(f"The chance of each class depends on {listed}.")
    return out


def class_formulas(spec: "JointModel") -> list[str]:
    """What the classes change, in formulas."""
    part = spec.classes
    if part is None or part.number == 1:
        return []
    lines = [
        f"C in 1..{part.number},   log P(C = k) / P(C = 1) = ξ_k{' + v' + chr(39) + 'ζ_k' if part.covariates else ''},   ξ_1 = 0",
        "β0 = β0[C],   γ0 = γ0[C],   γ0[k] = γ0[k - 1] + exp(s_k)",
    ]
    return [*lines, "h(t | C) = h(t) exp(ω[C]),   ω[1] = 0"] if part.hazard else lines


def class_label(name: str) -> str:
    """A parameter or derived value of the classes in words."""
    if name.startswith("class "):  # derived
        what, _, k = name.removeprefix("class ").removesuffix("]").partition("[")
        return {"intercept": "Mean at time zero", "slope": "Mean slope", "share": "Share of participants"}[what] + f", class {k}"
    _, what, *of = name.split(":")
    part, _, k = what.removesuffix("]").partition("[")
    words = {
        "intercept": f"Mean at time zero, class {k} less class 1",
        "log_step": f"Log distance of slopes, class {k} from the one before",
        "hazard": f"Log hazard ratio, class {k} against class 1",
        "odds": f"Log odds of class {k} against class 1",
    }
    return words[part] + (f", per unit of {':'.join(of)}" if of else "")


def class_unit(name: str, outcome: str, time: str) -> str:
    """Unit of a parameter or derived value of the classes."""
    if name.startswith("class "):
        return {"intercept": outcome, "slope": f"{outcome}/{time}", "share": "fraction"}[name.removeprefix("class ").partition("[")[0]]
    part = name.split(":")[1].partition("[")[0]
    return {"intercept": outcome, "log_step": f"log of {outcome}/{time}", "hazard": "log ratio", "odds": "log odds"}[part]
