"""A folder of SDTM domains to a cohort.

Read are DM, MH and CE (onset and diagnosis), DS, QS, FT and RS (ALSFRS-R), RE, LB, VS, EX, CM, PR. Other data sets about
participants, supplemental qualifiers among them, are set aside row by row; those about none (trial design, relations) are listed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import polars as pl

from alsmodel.cohort.cdisc import findings, interventions, people
from alsmodel.cohort.cdisc.domain import Domain, folder_of, forms_over, known_variables, read_domains
from alsmodel.cohort.cdisc.mapping import CdiscMapping, cdisc_mapping
from alsmodel.cohort.cdisc.timing import Origins
from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.forms.form import Opened
from alsmodel.cohort.forms.mapping import SourceMap, authored_map
from alsmodel.cohort.forms.read import read_opened
from alsmodel.errors import Fault, InvalidInput

_SCORED, _EVENT_FORMS = ("qs", "ft", "rs"), {
    "tracheostomy": "TRACHEOSTOMY",
    "pav": "PAV",
    "niv": "NIV",
    "invasive_ventilation": "INVASIVE",
    "gastrostomy": "GASTROSTOMY",
}  # fmt: skip
_NEEDS = {
    "dm": ("RFSTDTC",),
    "mh": ("MHTERM",),
    "ce": ("CETERM",),
    "ex": ("EXTRT",),
    "lb": ("LBTESTCD",),
    "re": ("RETESTCD",),
    "vs": ("VSTESTCD",),
}


def read_sdtm(folder: Path | str, *, mapping: CdiscMapping | Mapping[str, Any] | None = None, strict: bool = False) -> Cohort:
    """Read SDTM domains, as XPT, Dataset-JSON or NDJSON, into the canonical tables.

    Parameters
    ----------
    folder : path
        Files named by their domain: dm.xpt, qs.xpt, qsal.json, ...
    mapping : CdiscMapping or mapping, optional
        Codes of the items, columns that are covariates, ...
    strict : bool
        Refuse data with an issue of severity "error".

    Returns
    -------
    Cohort
        Day 0 is the day of DM.RFSTDTC, which is SDTM's study day 1.

    Raises
    ------
    InvalidInput
        For every structural fault of every file at once.
    """
    folder, chosen = Path(folder), cdisc_mapping(mapping)
    domains, others, faults = read_domains(folder, "SDTM")
    if "dm" not in domains and not faults:
        faults.append(Fault("dm", "is missing: expected a file dm.xpt, dm.json or dm.ndjson.", "Give the whole SDTM folder."))
    for stem, domain in domains.items():
        faults += [
            Fault(f"{domain.table.name}:{name}", "the data set has no such column.", "Give the data set as SDTM has it.")
            for name in _NEEDS.get(_kind(stem), ())
            if not domain.has(name)
        ]
    if faults:
        raise InvalidInput(faults)
    reading = _Reading(domains, authored_map("sdtm"), chosen)
    found, source = folder_of(reading.forms(), reading.source, others, _absent(domains))
    record = {"format": "sdtm", "time_origin": "DM.RFSTDTC (study day 1 is day 0)"}
    return read_opened(found, source, provenance=record, strict=strict)


def _kind(stem: str) -> str:
    """Return the domain of a file: "qs" for qs, qsal or qs_al; supplemental qualifiers are a kind of their own."""
    return "supp" if stem.startswith(("supp", "sq")) else stem[:2]


def _absent(domains: Mapping[str, Domain]) -> list[str]:
    kinds = {_kind(stem) for stem in domains}
    alone = [name.upper() for name in ("ds", "mh", "re", "lb", "ex") if name not in kinds]
    return alone if kinds & set(_SCORED) else ["QS, FT or RS", *alone]


@final
@dataclass
class _Reading:
    """The forms over the domains of a folder, in the order in which they count."""

    domains: dict[str, Domain]
    source: SourceMap
    mapping: CdiscMapping
    opened: list[Opened] = field(default_factory=list)
    scores: list[pl.DataFrame] = field(default_factory=list)

    def forms(self) -> list[Opened]:
        """Prepare every domain and return its forms."""
        dm = self.domains["dm"]
        origins = people.prepare_participants(dm)
        deaths = self._participants(dm, origins)
        for stem, domain in self.domains.items():
            if stem != "dm":
                self._domain(stem, domain, origins, deaths)
        return self.opened

    def _participants(self, dm: Domain, origins: Origins) -> pl.DataFrame:
        extra = people.put_extras(dm, self.mapping)
        names = ["DEMOGRAPHICS"]
        if dm.has("DTHFL") or dm.has("DTHDTC"):
            people.put_deaths(dm, origins)
            names.append("DEATH")
        if dm.has("RFPENDTC"):
            people.put_end_of_participation(dm, origins)
            names.append("PARTICIPATION")
        self._open(dm, {name: name for name in names}, extra=extra)
        return people.deaths_of(dm)

    def _open(self, domain: Domain, forms: Mapping[str, str], extra: Mapping[str, str] | None = None) -> None:
        """Add forms, name -> table of the mapping, over a prepared domain; `extra` are columns that the user names."""
        raw = domain.prepared(known_variables(self.source))
        self.opened += forms_over(domain, raw, {name: self.source.tables[table] for name, table in forms.items()}, extra or {})

    def _domain(self, stem: str, domain: Domain, origins: Origins, deaths: pl.DataFrame) -> None:
        kind = _kind(stem)
        if kind in _SCORED:
            keys = findings.prepare_scores(domain, origins, self.mapping, self.scores)
            if keys is not None:
                name = "ALSFRS" if not self.scores else f"ALSFRS:{stem}"
                self.scores.append(keys)
                self._open(domain, {name: "ALSFRS"})
                return
        elif kind == "ds":
            people.prepare_disposition(domain, origins, deaths)
            self._open(domain, {f"DISPOSITION:{stem}": "DISPOSITION", f"CONTACT:{stem}": "CONTACT"})
            return
        elif kind in ("mh", "ce", "pr"):
            if self._events(stem, kind, domain, origins):
                return
        elif kind in ("re", "lb", "vs", "ex", "cm"):
            self._single(stem, kind, domain, origins)
            return
        self._nothing(stem, domain)

    def _single(self, stem: str, kind: str, domain: Domain, origins: Origins) -> None:
        prepare = {
            "re": findings.prepare_capacity,
            "lb": findings.prepare_labs,
            "vs": findings.prepare_vitals,
            "ex": interventions.prepare_doses,
            "cm": interventions.prepare_medications,
        }[kind]
        prepare(domain, origins)
        table = {"re": "CAPACITY", "lb": "LABS", "vs": "VITALS", "ex": "EXPOSURE", "cm": "MEDICATIONS"}[kind]
        self._open(domain, {f"{table}:{stem}": table})

    def _events(self, stem: str, kind: str, domain: Domain, origins: Origins) -> bool:
        """Add the forms of MH, CE or PR: history, events, or both; say whether there are any."""
        uses: dict[str, pl.Series] = {}
        forms: dict[str, str] = {}
        if kind != "pr":
            uses["history"] = people.put_history(domain, origins)
            if kind == "mh" or uses["history"].any():
                forms[f"HISTORY:{stem}"] = "HISTORY"
        if kind != "mh":
            rows = interventions.put_procedures(domain, origins)
            # A study that records procedures records a tracheostomy, whether or not anybody had one.
            there = {event: mine for event, mine in rows.items() if mine.any() or (kind == "pr" and event == "tracheostomy")}
            uses |= there
            forms |= {f"{_EVENT_FORMS[event]}:{stem}": _EVENT_FORMS[event] for event in there}
        if forms:
            people.put_use(domain, uses)
            self._open(domain, forms)
        return bool(forms)

    def _nothing(self, stem: str, domain: Domain) -> None:
        domain.made.clear()
        domain.flags.clear()
        domain.used |= set(domain.frame.columns)
        self._open(domain, {f"NOTHING:{stem}": "NOTHING"})
