"""EX, CM, PR and CE prepared: doses, medications, and procedures that are events."""

import polars as pl

from alsmodel.cohort.cdisc.domain import PARTICIPANT, Domain
from alsmodel.cohort.cdisc.timing import Origins, dates, put_dates

#: Event -> words of the procedure, the first that fits; a removal or a refusal is none of them.
EVENTS = {
    "tracheostomy": r"(?i)tracheo(?:s)?tomy",
    "pav": r"(?i)permanent(?:ly)? (?:assisted )?ventilat|\bpav\b",
    "niv": r"(?i)non[\s-]?invasive|\bniv\b|\bnippv\b|bi-?level positive|\bbi?pap\b",
    "invasive_ventilation": r"(?i)invasive (?:mechanical )?ventilat|mechanical ventilat|\bimv\b",
    "gastrostomy": r"(?i)gastrostomy|\bpeg\b|\brig\b|feeding tube",
}
_NOT_THE_EVENT = r"(?i)remov|declin|refus|decannul|closure|discuss|planned|change|replace|revision"


def prepare_doses(ex: Domain, origins: Origins) -> None:
    """Prepare EX: one interval of doses per row."""
    ex.set_aside((ex.upper("--OCCUR") == "N").fill_null(False), "recorded as not taken (--OCCUR)")
    for name in (PARTICIPANT, "--TRT", "--DOSE", "--DOSU"):
        ex.put(name, ex.get(name))
    put_dates(ex, "--STDTC", "--STDY", origins)
    put_dates(ex, "--ENDTC", "--ENDY", origins)


def prepare_medications(cm: Domain, origins: Origins) -> None:
    """Prepare CM: names as coded and as reported, since either may hold the drug."""
    cm.set_aside((cm.upper("--OCCUR") == "N").fill_null(False), "recorded as not taken (--OCCUR)")
    cm.set_aside((cm.upper("--STAT") == "NOT DONE").fill_null(False), "not done (--STAT)")
    names = pl.DataFrame({"decoded": cm.get("--DECOD"), "reported": cm.get("--TRT")})
    cm.put("--TRT", names.select(pl.concat_str(pl.all(), separator=";", ignore_nulls=True)).to_series().replace("", None))
    for name in (PARTICIPANT, "--DOSE", "--DOSU"):
        cm.put(name, cm.get(name))
    put_dates(cm, "--STDTC", "--STDY", origins)
    put_dates(cm, "--ENDTC", "--ENDY", origins)


def put_procedures(domain: Domain, origins: Origins) -> dict[str, pl.Series]:
    """Prepare the procedures of PR or CE that are events; return event -> its rows. The rows of none are still to be set aside."""
    domain.set_aside((domain.upper("--STAT") == "NOT DONE").fill_null(False), "not done (--STAT)")
    names = [name for name in ("--DECOD", "--TRT", "--TERM", "--CAT") if domain.has(name)]
    words = domain.first(*names) if names else domain.get("--TRT")
    refused = words.str.contains(_NOT_THE_EVENT).fill_null(False)
    left = ~refused & ~domain.aside
    rows: dict[str, pl.Series] = {}
    for event, pattern in EVENTS.items():
        rows[event] = left & words.str.contains(pattern).fill_null(False)
        left = left & ~rows[event]
    any_event = pl.DataFrame(rows).select(pl.any_horizontal(pl.all())).to_series()
    domain.put(PARTICIPANT, domain.get(PARTICIPANT))
    # Without a word on it, a row means that the procedure was done.
    domain.put("--OCCUR", domain.get("--OCCUR").fill_null("Y"))
    day = dates(domain, "--STDTC", "--STDY", origins, any_event)
    shown = domain.shown("--STDTC")
    earlier = domain.made.get(shown)
    domain.put("--STDTC", day if earlier is None else day.zip_with(any_event, earlier))
    return rows
