"""Survival events, the definitions under which they are recorded, and the end points made of them.

Trials count different things as the end of survival, so that an event without its definition cannot be compared with
another; every event carries one of these tags, or words of the user's own. A *component* is one thing that a source can
record (death; tracheostomy; ventilation above some hours a day). An *end point* is a set of required components. Whether data
support an end point depends on what their source records of everyone, which the absence of rows does not show:
`supports` compares the two and `require` refuses, naming every missing component.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from alsmodel.errors import Fault, InvalidInput


@final
@dataclass(frozen=True)
class EventComponent:
    """One thing that happens and that a source can record.

    Attributes
    ----------
    tag : str
        As stored in the column ``definition`` of the events table.
    kind : str
        As stored in the column ``kind``.
    meaning : str
        What counts, and on which day it is dated.
    remedy : str
        What to do when it is needed and not recorded.
    source : str
        Who defines it so.
    """

    tag: str
    kind: str
    meaning: str
    remedy: str
    source: str


@final
@dataclass(frozen=True)
class Requirement:
    """One component that an end point needs.

    Attributes
    ----------
    name : str
        As printed.
    accepted : tuple of str
        Component tags any one of which provides it, the preferred first.
    """

    name: str
    accepted: tuple[str, ...]


@final
@dataclass(frozen=True)
class EventDefinition:
    """One definition of a survival event.

    Attributes
    ----------
    tag : str
        As stored with each event.
    meaning : str
        What counts.
    source : str
        Trial, register or paper that uses it.
    needs : tuple of Requirement
        What a source must record; the first of them to happen is the event. Empty: only a source that records this very
        definition supports it.
    """

    tag: str
    meaning: str
    source: str
    needs: tuple[Requirement, ...] = ()


#: The tag of death is shared by the component and the end point made of it alone.
_DEATH = "death, any cause"
_HEALEY = "HEALEY ALS platform trial, M-SAP v3.0, 2023 (supplement 2 of Berry et al., JAMA 2025, doi 10.1001/jama.2024.27643)"
_ENCALS = "ENCALS survival model, Westeneng 2018, doi 10.1016/S1474-4422(18)30089-9"
_INTERVALS = "Give ventilation intervals with hours per day"

DIED = EventComponent(
    _DEATH, "death", "death of any cause, on its day", "Give the deaths: who died and on which day.", "PRO-ACT DEATHDATA; LiCALS, 2013"
)
TRACHEOSTOMY = EventComponent(
    "tracheostomy",
    "tracheostomy",
    "tracheostomy, on the day of the operation",
    "Give the days of tracheostomy.",
    "riluzole registration trials: Lacomblez 1996, doi 10.1016/S0140-6736(96)91680-3",
)
PAV_22 = EventComponent(
    "PAV > 22 h/day for > 7 days",
    "pav_22h",
    "assisted ventilation more than 22 hours a day on more than 7 consecutive days, dated on the first of them; by month only: the 15th",
    f"{_INTERVALS} (alsmodel.clinical.ventilation.pav_from_ventilation).",
    _HEALEY,
)
PAV_RECORDED = EventComponent(
    "PAV, hours not recorded",
    "pav",
    "permanent assisted ventilation as the source recorded it, without hours or duration",
    "Give the day of permanent assisted ventilation, or ventilation intervals with hours per day.",
    "registers and case report forms that ask for PAV by name (NeuroBANK form Permanent Assisted Ventilation)",
)
NIV_23 = EventComponent(
    "NIV > 23 h/day",
    "niv_23h",
    "non-invasive ventilation more than 23 hours a day, dated on the first such day",
    f"{_INTERVALS} and device (alsmodel.clinical.ventilation.niv_from_ventilation).",
    _ENCALS,
)
NIV_STARTED = EventComponent(
    "NIV started, hours not recorded",
    "niv",
    "first use of non-invasive ventilation, however short",
    "Give the day non-invasive ventilation began.",
    "registers and case report forms (NeuroBANK form NIV Log)",
)
INVASIVE = EventComponent(
    "invasive ventilation, hours not recorded",
    "invasive_ventilation",
    "first invasive ventilation, by tube or tracheostomy, however short; ALSFRS-R item 12 scored 0 says the same of its day",
    "Give the day invasive ventilation began.",
    "ALSFRS-R item 12, Cedarbaum 1999, doi 10.1016/s0022-510x(99)00210-5",
)

#: Tag -> component.
EVENT_COMPONENTS: dict[str, EventComponent] = {c.tag: c for c in (DIED, TRACHEOSTOMY, PAV_22, PAV_RECORDED, NIV_23, NIV_STARTED, INVASIVE)}

_needs_death = Requirement("death", (DIED.tag,))
_needs_tracheostomy = Requirement("tracheostomy", (TRACHEOSTOMY.tag,))

DEATH = EventDefinition(_DEATH, "death of any cause", "PRO-ACT DEATHDATA; LiCALS, 2013", (_needs_death,))
TRACHEOSTOMY_FREE = EventDefinition(
    "death or tracheostomy",
    "death or tracheostomy, whichever is first",
    "riluzole registration trials: Bensimon 1994, Lacomblez 1996, doi 10.1016/S0140-6736(96)91680-3",
    (_needs_death, _needs_tracheostomy),
)
PAV_HEALEY = EventDefinition(
    "death or PAV > 22 h/day for > 7 days",
    "death, or ventilation more than 22 hours a day for more than 7 consecutive days, dated on the first day",
    _HEALEY,
    (_needs_death, Requirement(PAV_22.tag, (PAV_22.tag,))),
)
COMPOSITE_ENCALS = EventDefinition(
    "death, tracheostomy or NIV > 23 h/day",
    "death, tracheostomy, or non-invasive ventilation more than 23 hours a day",
    _ENCALS,
    (_needs_death, _needs_tracheostomy, Requirement(NIV_23.tag, (NIV_23.tag,))),
)
COMPOSITE_CENTAUR = EventDefinition(
    "death, tracheostomy or PAV",
    "death, tracheostomy or permanent assisted ventilation",
    "CENTAUR, Paganoni 2022, doi 10.1136/jnnp-2022-329024",
    (_needs_death, _needs_tracheostomy, Requirement("permanent assisted ventilation", (PAV_22.tag, PAV_RECORDED.tag))),
)

#: Tag -> definition.
EVENT_DEFINITIONS: dict[str, EventDefinition] = {
    d.tag: d for d in (DEATH, TRACHEOSTOMY_FREE, PAV_HEALEY, COMPOSITE_ENCALS, COMPOSITE_CENTAUR)
}

#: Needed tag -> tags that look like it and do not show it, with the reason.
_NOT_ENOUGH: dict[str, dict[str, str]] = {
    PAV_22.tag: {
        PAV_RECORDED.tag: "PAV recorded without hours does not show 22 hours a day on more than 7 days",
        NIV_23.tag: "a day above 23 hours does not show more than 7 consecutive days",
        NIV_STARTED.tag: "the start of NIV does not show its hours",
        INVASIVE.tag: "the start of invasive ventilation does not show its hours or its length",
        TRACHEOSTOMY.tag: "a tracheostomy is not ventilation",
    },
    NIV_23.tag: {
        NIV_STARTED.tag: "the start of NIV does not show its hours",
        PAV_RECORDED.tag: "PAV recorded without hours does not show 23 hours a day, nor that it was non-invasive",
        PAV_22.tag: "more than 22 hours a day is not more than 23",
    },
    TRACHEOSTOMY.tag: {INVASIVE.tag: "invasive ventilation may be by tube, without a tracheostomy"},
    PAV_RECORDED.tag: {NIV_STARTED.tag: "the start of NIV does not show that it was permanent"},
}


@final
@dataclass(frozen=True)
class Support:
    """Whether what a source records makes up an end point.

    Attributes
    ----------
    definition : EventDefinition
    uses : tuple of str
        Tags of the recorded events that make it up, in the order of its requirements.
    missing : tuple of Requirement
        What the source does not record; empty means supported.
    reasons : tuple of str
        One sentence per missing requirement.
    """

    definition: EventDefinition
    uses: tuple[str, ...]
    missing: tuple[Requirement, ...]
    reasons: tuple[str, ...]

    @property
    def yes(self) -> bool:
        """Whether the end point can be made."""
        return not self.missing


def supports(recorded: Iterable[str], definition: EventDefinition) -> Support:
    """Compare what a source records of everyone with what a definition needs.

    Parameters
    ----------
    recorded : iterable of str
        Tags that the source records; not merely the tags that occur in its rows.
    definition : EventDefinition

    Returns
    -------
    Support

    Examples
    --------
    >>> supports(["death, any cause"], TRACHEOSTOMY_FREE).reasons
    ('tracheostomy is not recorded.',)
    """
    known = set(recorded)
    if definition.tag in known:
        return Support(definition, (definition.tag,), (), ())
    needs = definition.needs or (Requirement(definition.tag, (definition.tag,)),)
    chosen = [next((tag for tag in need.accepted if tag in known), None) for need in needs]
    missing = tuple(need for need, tag in zip(needs, chosen, strict=True) if tag is None)
    return Support(
        definition,
        tuple(tag for tag in chosen if tag is not None),
        missing,
        tuple(_reason(need, known) for need in missing),
    )


def require(recorded: Iterable[str], definition: EventDefinition, *, place: str = "events") -> tuple[str, ...]:
    """Return the tags that make up `definition`, or refuse.

    Parameters
    ----------
    recorded, definition
        As in `supports`.
    place : str
        Where the faults are said to lie.

    Raises
    ------
    InvalidInput
        One fault for every component that the source does not record, each with what to do.
    """
    recorded = tuple(recorded)
    support = supports(recorded, definition)
    if not support.yes:
        others = [d.tag for d in EVENT_DEFINITIONS.values() if supports(recorded, d).yes]
        choose = f" Or choose an end point that the source supports: {'; '.join(others)}." if others else ""
        raise InvalidInput(
            [
                Fault(place, f'"{definition.tag}" needs {need.name}: {reason}', f"{_remedy(need)}{choose}")
                for need, reason in zip(support.missing, support.reasons, strict=True)
            ]
        )
    return support.uses


def _reason(need: Requirement, known: set[str]) -> str:
    near = [why for tag in need.accepted for look, why in _NOT_ENOUGH.get(tag, {}).items() if look in known]
    return f"{need.name} is not recorded" + (f"; {'; '.join(dict.fromkeys(near))}" if near else "") + "."


def _remedy(need: Requirement) -> str:
    component = EVENT_COMPONENTS.get(need.accepted[0])
    return component.remedy if component else "Give it as an event of that definition."
