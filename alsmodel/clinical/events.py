"""Survival events and the definitions under which they were recorded.

Trials count different things as the end of survival, so that an event without its definition cannot be
compared with another; every event carries one of these tags, or words of the user's own.
"""

from dataclasses import dataclass
from typing import final


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
    """

    tag: str
    meaning: str
    source: str


DEATH = EventDefinition("death, any cause", "death of any cause", "PRO-ACT DEATHDATA; LiCALS, 2013")
TRACHEOSTOMY_FREE = EventDefinition("death or tracheostomy", "death or tracheostomy, whichever is first", "riluzole registration trials")
PAV_HEALEY = EventDefinition(
    "death or PAV > 22 h/day for > 7 days",
    "death, or ventilation more than 22 hours a day for more than 7 consecutive days, dated on the first day",
    "HEALEY ALS platform trial, M-SAP v3.0, 2023",
)
COMPOSITE_ENCALS = EventDefinition(
    "death, tracheostomy or NIV > 23 h/day",
    "death, tracheostomy, or non-invasive ventilation more than 23 hours a day",
    "ENCALS survival model, Westeneng 2018, doi 10.1016/S1474-4422(18)30089-9",
)
COMPOSITE_CENTAUR = EventDefinition("death, tracheostomy or PAV", "death, tracheostomy or permanent assisted ventilation", "CENTAUR, 2020")

#: Tag -> definition.
EVENT_DEFINITIONS: dict[str, EventDefinition] = {
    d.tag: d for d in (DEATH, TRACHEOSTOMY_FREE, PAV_HEALEY, COMPOSITE_ENCALS, COMPOSITE_CENTAUR)
}
