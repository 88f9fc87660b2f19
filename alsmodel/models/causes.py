"""Further causes that end follow-up, each with a hazard of its own, and what happens after one of them."""

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Literal, final

from alsmodel.cohort.selection import Leaving
from alsmodel.models.association import Associations, ByGroup
from alsmodel.models.priors import Priors
from alsmodel.models.survival import Exponential, PiecewiseExponential, Survival

if TYPE_CHECKING:
    from alsmodel.models.spec import JointModel


@final
@dataclass(frozen=True, kw_only=True)
class Cause:
    """One further way in which follow-up of the score ends, such as tracheostomy or leaving the study.

    Its parameters are called as those of the main cause with the cause's name after them, as in ``association:value@tracheostomy``,
    ``log_hazard[1]@tracheostomy`` and ``hazard:age@tracheostomy``.

    Attributes
    ----------
    name : str
        As printed.
    events : tuple of str
        Event kinds that are this cause, whichever comes first.
    survival : Exponential, PiecewiseExponential, Weibull or MSpline
        Baseline hazard and covariates of this cause.
    association : tuple of {"value", "slope", "area", "shared"}
        Through what the participant's path reaches the hazard of this cause.
    priors : Priors or None
        Of this cause's own parameters; those of the model when left out. Only priors of hazards are read.
    """

    name: str
    events: tuple[str, ...]
    survival: Survival = field(default_factory=PiecewiseExponential)
    association: Associations = ("value",)
    priors: Priors | None = None

    def __post_init__(self) -> None:
        for name in ("events", "association"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        faults = [*_named(self), *_plain(self.survival)]
        if any(isinstance(term, ByGroup) for term in self.association):
            faults.append("an association by group belongs to the main cause alone; leave out `by`.")
        if len(set(self.association)) < len(self.association):
            faults.append("association lists a term twice.")
        if faults:
            raise ValueError(f"cause {self.name!r}: " + " ".join(faults))

    @property
    def suffix(self) -> str:
        """What the names of its parameters end with."""
        return f"@{self.name}"


@final
@dataclass(frozen=True, kw_only=True)
class AfterEvent:
    """What happens after a cause that is not the end: death after tracheostomy, in an illness-death model.

    No scores exist there, so that the hazard does not depend on the participant's path. Its parameters are called with
    ``@after tracheostomy`` behind them.

    Attributes
    ----------
    cause : str
        Name of the cause.
    events : tuple of str
        Event kinds that are looked for after it.
    survival : Exponential, PiecewiseExponential, Weibull or MSpline
        Baseline hazard and baseline covariates, an arm among them.
    clock : {"since event", "study"}
        "since event": the baseline hazard counts from the cause (semi-Markov). "study": from the time origin, as all others do
        (Markov).
    priors : Priors or None
        As in `Cause`.
    """

    cause: str
    events: tuple[str, ...] = ("death",)
    survival: Survival = field(default_factory=Exponential)
    clock: Literal["since event", "study"] = "since event"
    priors: Priors | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "events", tuple(self.events))
        faults = [*_plain(self.survival), *([] if self.events else ["events must name at least one event kind."])]
        if faults:
            raise ValueError(f"after {self.cause!r}: " + " ".join(faults))

    @property
    def suffix(self) -> str:
        """What the names of its parameters end with."""
        return f"@after {self.cause}"


def _named(cause: Cause) -> list[str]:
    faults = [] if cause.events else ["events must name at least one event kind."]
    if not cause.name.strip() or set(cause.name) & set("@:[]|"):
        faults.append("name is printed behind parameters and must not be empty nor contain any of @ : [ ] |.")
    return faults


def _plain(survival: Survival) -> list[str]:
    if survival.strata is None:
        return []
    return [f"survival.strata = {survival.strata!r} belongs to the main cause alone; put {survival.strata} among its covariates."]


def cause_faults(spec: "JointModel") -> list[str]:
    """What several causes do not go with, and causes that contradict each other."""
    if not spec.causes:
        return [f"after names {one.cause!r}, but the model has no further causes; list it in causes." for one in spec.after]
    faults = []
    names = [cause.name for cause in spec.causes]
    faults += [f"the cause {name!r} is listed twice." for name in sorted({n for n in names if names.count(n) > 1})]
    kinds = [*spec.events, *(kind for cause in spec.causes for kind in cause.events)]
    faults += [
        f"the event kind {kind!r} belongs to two causes; it can be one only." for kind in sorted({k for k in kinds if kinds.count(k) > 1})
    ]
    faults += [
        f"after names {one.cause!r}, which is no cause; the causes are {', '.join(names)}." for one in spec.after if one.cause not in names
    ]
    places = [one.cause for one in spec.after]
    faults += [f"after lists {name!r} twice." for name in sorted({n for n in places if places.count(n) > 1})]
    if spec.end_point is not None:
        faults.append("end_point and causes do not go together: one end point is one cause. Name the event kinds of each cause by events.")
    if spec.population == "incident":
        faults.append('causes need population = "enrolled": from onset, who left before entry for which cause is not known.')
    for t in spec.treatments:
        if t.hazard in ("clock", "DRR"):
            faults.append(
                f'treatment {t.name!r}: hazard = "{t.hazard}" is one effect on one hazard and is not defined with several causes. '
                'Choose hazard = "ratio", a ratio for each cause.'
            )
        if t.score == "none" and t.by is not None:
            faults.append(f"treatment {t.name!r}: a hazard ratio by group is not available with several causes; leave out by.")
        columns = {t.name, "arm"} if t.source == "arm" else {t.name}
        for cause in spec.causes:
            if t.hazard != "none" and columns & set(cause.survival.covariates):
                faults.append(
                    f"{t.name!r} reaches the hazard of {cause.name} both as a treatment and as a covariate; take it out of its survival."
                )
    return [*faults, *_prior_faults(spec)]


#: Priors that belong to hazards; the others of a further cause are those of the model.
_OF_HAZARDS = {
    "hazard_covariates", "association_value", "association_slope", "association_area", "association_shared_intercept",
    "association_shared_slope", "association_shared_quadratic", "direct", "log_hazard", "log_shape", "sd_spline",
}  # fmt: skip


def _prior_faults(spec: "JointModel") -> list[str]:
    plain, faults = Priors(), []
    further: tuple[Cause | AfterEvent, ...] = (*spec.causes, *spec.after)
    for one in further:
        if one.priors is None:
            continue
        strange = [f.name for f in fields(Priors) if f.name not in _OF_HAZARDS and getattr(one.priors, f.name) != getattr(plain, f.name)]
        if strange:
            faults.append(f"priors of {one.suffix.removeprefix('@')} sets {', '.join(strange)}, which is no prior of a hazard.")
    return faults


def leaving(spec: "JointModel") -> tuple[Leaving, ...]:
    """The further causes as a selection from a cohort takes them."""
    then = {one.cause: one.events for one in spec.after}
    return tuple(Leaving(name=cause.name, events=cause.events, then=then.get(cause.name, ())) for cause in spec.causes)


def suffixes(spec: "JointModel") -> tuple[str, ...]:
    """What the names of the parameters of each further hazard end with."""
    return (*(cause.suffix for cause in spec.causes), *(after.suffix for after in spec.after))


def cause_names(spec: "JointModel") -> tuple[str, ...]:
    """Printed names of all causes, the main one first."""
    return (spec.main_words, *(cause.name for cause in spec.causes))
