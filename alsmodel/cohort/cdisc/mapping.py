"""What a user can say of CDISC data sets that no standard says: codes of the items, covariates, sponsor columns, end points."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, final

from alsmodel.cohort.forms.kinds import is_known

#: What a test code may be mapped to.
ITEMS = (
    *(f"item_{number}" for number in (1, 2, 3, 4, 5, "5a", "5b", 6, 7, 8, 9, 10, 11, 12)),
    *("item_10_original", "total_48", "total_40"),
)


@final
@dataclass(frozen=True, kw_only=True)
class CdiscMapping:
    """Choices of the user about SDTM or ADaM data sets.

    Attributes
    ----------
    items : mapping
        --TESTCD or PARAMCD -> item_1 ... item_12, item_5a (without gastrostomy), item_5b (with), item_10_original, total_48,
        total_40. There are no official codes; without a mapping the items are found by the words of --TEST or PARAM.
    columns : mapping
        Column of ADSL or DM -> fact of the participant that a form of kind participants or history knows, such as
        {"ONSETDT": "onset_day"}.
    covariates : mapping
        Column of ADSL or DM -> name of the covariate.
    events : mapping
        PARAMCD of ADTTE -> tag of the definition, one of `alsmodel.clinical.events` or words of your own.
    first_day : {0, 1}, optional
        What AVAL of ADTTE says of an event on the day on which time starts, in days; needed only where ADTTE has neither ADT nor ADY.
    """

    items: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    covariates: dict[str, str] = field(default_factory=dict)
    events: dict[str, str] = field(default_factory=dict)
    first_day: Literal[0, 1] | None = None

    def __post_init__(self) -> None:
        for code, item in self.items.items():
            if item not in ITEMS:
                raise ValueError(f"items.{code}: {item} is no item; expected one of {', '.join(ITEMS)}.")
        for column, fact in self.columns.items():
            if not is_known("participants", fact) and not is_known("history", fact):
                raise ValueError(f"columns.{column} is no fact of a participant that the cohort holds.")


def cdisc_mapping(given: CdiscMapping | Mapping[str, Any] | None) -> CdiscMapping:
    """Return the user's mapping, checked.

    Raises
    ------
    InvalidInput
        With everything wrong in it at once.
    """
    if given is None or isinstance(given, CdiscMapping):
        return given or CdiscMapping()
    from alsmodel.settings import decode

    return decode(CdiscMapping, given, where="mapping")
