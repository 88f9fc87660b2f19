"""A folder of ADaM data sets to a cohort: ADSL, ADTTE, ADLB, and the ALSFRS-R of ADQS or any other data set of that structure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import polars as pl

from alsmodel.clinical.events import DEATH, EVENT_COMPONENTS, EVENT_DEFINITIONS, TRACHEOSTOMY_FREE
from alsmodel.cohort.cdisc import scale
from alsmodel.cohort.cdisc.domain import PARTICIPANT, Domain, folder_of, forms_over, known_variables, read_domains
from alsmodel.cohort.cdisc.mapping import CdiscMapping, cdisc_mapping
from alsmodel.cohort.cdisc.people import deaths_of, put_extras
from alsmodel.cohort.cdisc.timing import Origins, dates, day_numbers, put_dates, text_of_days
from alsmodel.cohort.cells import finite_series
from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.forms.form import Opened
from alsmodel.cohort.forms.mapping import FormMap, SourceMap, authored_map
from alsmodel.cohort.forms.read import read_opened
from alsmodel.errors import Fault, InvalidInput

#: Flags of the analysis populations and strata that become covariates where ADSL has them.
_COVARIATES = r"^(?:ITTFL|SAFFL|STRAT\w*)$"
_DEATH_WORDS = (
    r"^(?:overall survival|(?:time to )?(?:all[- ]cause )?death(?:,? (?:(?:from|of|due to) )?any cause)?"
    r"|(?:time to )?all[- ]cause mortality)$"
)
_TRACHEOSTOMY_WORDS = r"^(?:time to )?(?:tracheostomy[- ]free survival|death or tracheostomy|tracheostomy or death)$"
#: First words of the definition of one event, however it was dated, and the event's kind in the cohort; a composite has none.
_OWN_KINDS = {
    r"^gastrostomy\b": "gastrostomy",
    r"^tracheostomy\b": "tracheostomy",
    r"^(?:niv\b|(?:start of )?non-?invasive ventilation)": "niv",
    r"^(?:pav\b|permanent (?:assisted )?ventilation)": "pav",
}
_COMPOSITE = r"death|survival|\bor\b.*(?:trach|gastro|niv|pav|ventil)"
#: What may follow the words of an end point: its unit.
_UNIT = r"\s*\((days?|weeks?|months?|years?)\)\s*$"
_NFL = r"(?i)neurofilament light|\bnfl\b"
_IN_BRACKETS = r"\s*\(([^()]*)\)\s*$"


def read_adam(folder: Path | str, *, mapping: CdiscMapping | Mapping[str, Any] | None = None, strict: bool = False) -> Cohort:
    """Read ADaM data sets, as XPT, Dataset-JSON or NDJSON, into the canonical tables.

    Parameters
    ----------
    folder : path
        Files named by their data set: adsl.xpt, adqs.json, ...
    mapping : CdiscMapping or mapping, optional
        Codes of the items, sponsor columns of ADSL, definitions of the end points, ...
    strict : bool
        Refuse data with an issue of severity "error".

    Returns
    -------
    Cohort
        Day 0 is the day of ADSL.TRTSDT, else RANDDT. Rows that were derived or imputed (DTYPE) are set aside: the cohort holds what was
        observed.

    Raises
    ------
    InvalidInput
        For every structural fault of every file at once.
    """
    folder, chosen = Path(folder), cdisc_mapping(mapping)
    domains, others, faults = read_domains(folder, "ADaM")
    if "adsl" not in domains and not faults:
        faults.append(Fault("adsl", "is missing: expected a file adsl.xpt, adsl.json or adsl.ndjson.", "Give the whole ADaM folder."))
    for stem, domain in domains.items():
        if stem.startswith("adtte"):
            faults += _faults_of_events(domain, chosen)
    if faults:
        raise InvalidInput(faults)
    reading = _Reading(domains, authored_map("adam"), chosen)
    found, source = folder_of(reading.forms(), reading.source, others, [n.upper() for n in ("adqs", "adtte", "adlb") if n not in domains])
    record = {"format": "adam", "time_origin": "ADSL.TRTSDT, else RANDDT (analysis day 1 is day 0)"}
    return read_opened(found, source, provenance=record, strict=strict)


def _faults_of_events(adtte: Domain, mapping: CdiscMapping) -> list[Fault]:
    faults = [
        Fault(f"{adtte.table.name}:{name}", "the data set has no such column.", "Give ADTTE as ADaM has it.")
        for name in ("PARAMCD", "CNSR")
        if not adtte.has(name)
    ]
    if not adtte.has("ADT") and not adtte.has("ADY") and mapping.first_day is None:
        message = "has neither ADT nor ADY, and AVAL alone does not say whether it counts the first day."
        faults.append(Fault(adtte.table.name, message, "Add ADT or ADY, or give first_day = 0 or 1 in the mapping."))
    return faults


@final
@dataclass
class _Reading:
    """The forms over the data sets of a folder, in the order in which they count."""

    domains: dict[str, Domain]
    source: SourceMap
    mapping: CdiscMapping
    opened: list[Opened] = field(default_factory=list)
    scores: list[pl.DataFrame] = field(default_factory=list)

    def forms(self) -> list[Opened]:
        """Prepare every data set and return its forms."""
        adsl = self.domains["adsl"]
        origins = Origins.of(adsl, "TRTSDT", "RANDDT")
        self._participants(adsl, origins)
        deaths = deaths_of(adsl, "DTHDT")
        for stem, domain in self.domains.items():
            if stem == "adsl":
                continue
            if stem.startswith("adtte"):
                self._end_points(stem, domain, origins, deaths)
            elif stem.startswith("adlb"):
                self._labs(stem, domain, origins)
            elif not (domain.has("PARAMCD") and domain.has("AVAL") and self._scores(stem, domain, origins)):
                self._nothing(stem, domain)
        return self.opened

    def _participants(self, adsl: Domain, origins: Origins) -> None:
        for name in (PARTICIPANT, "SEX", "SITEID", "STUDYID", "TRT01A", "EXCLREAS"):
            adsl.put(name, adsl.get(name))
        adsl.put("AGE", adsl.get("AGE"))
        unit = adsl.upper("AGEU").fill_null("YEARS")
        adsl.flag("unit_unknown", unit != "YEARS", column="AGEU")
        adsl.put("AGE", adsl.get("AGE").set(unit != "YEARS", None))
        adsl.put("TRT01P", adsl.first("TRT01P", "ARM"), seen_as="TRT01P" if adsl.has("TRT01P") else "ARM")
        extra = {name: f"covariate:{name.lower()}" for name in adsl.frame.columns if re.match(_COVARIATES, name)}
        for name in extra:
            adsl.put(name, adsl.get(name))
        extra |= put_extras(adsl, self.mapping)
        names = ["DEMOGRAPHICS", "CONTACT", "HISTORY"]
        if adsl.has("DTHFL") or adsl.has("DTHDT") or adsl.has("DTHADY"):
            _put_death(adsl, origins)
            names.append("DEATH")
        last = dates(adsl, "LSTALVDT", "LSTALVDY", origins)
        adsl.put("LSTALVDT", last, seen_as="LSTALVDT" if adsl.has("LSTALVDT") else "LSTALVDY")
        adsl.put("[contact]", _yes(last.is_not_null()))
        self._history(adsl, origins)
        self._open(adsl, {name: self.source.tables[name] for name in names}, extra)

    def _history(self, adsl: Domain, origins: Origins) -> None:
        for date, day in (("DISONSDT", "DISONSDY"), ("DIAGDT", "DIAGDY")):
            put_dates(adsl, date, day, origins)
        adsl.put("ONSETLOC", adsl.get("ONSETLOC"))
        given = [adsl.made[adsl.shown(name)].is_not_null() for name in ("DISONSDT", "DIAGDT", "ONSETLOC")]
        adsl.put("[history]", _yes(given[0] | given[1] | given[2]))

    def _scores(self, stem: str, domain: Domain, origins: Origins) -> bool:
        """Add the form of a data set that holds the ALSFRS-R; say whether it does."""
        belongs, item = scale.items(domain.get("PARAMCD"), domain.get("PARAM"), domain.get("PARCAT1"), self.mapping.items)
        if not belongs.any():
            return False
        domain.set_aside(~belongs, "rows of other questionnaires")
        domain.set_aside((item == "aside").fill_null(False), "sums of some items; they are computed from the items")
        domain.set_aside(domain.get("DTYPE").is_not_null(), "derived or imputed (DTYPE)")
        unknown = domain.first("PARAM", "PARAMCD")
        shown = "PARAM" if domain.has("PARAM") else "PARAMCD"
        domain.put("PARAM", item.zip_with(item.is_not_null(), "test: " + unknown), seen_as=shown)
        domain.put("AVAL", domain.first("AVAL", "AVALC"))
        domain.put(PARTICIPANT, domain.get(PARTICIPANT))
        put_dates(domain, "ADT", "ADY", origins)
        keys = pl.DataFrame({PARTICIPANT: domain.get(PARTICIPANT), "day": day_numbers(domain.made[domain.shown("ADT")])})
        if self.scores:
            earlier = pl.concat(self.scores).unique().with_columns(again=pl.lit(True))
            again = keys.join(earlier, on=keys.columns, how="left", maintain_order="left")["again"].fill_null(False)
            domain.flag("repeated_elsewhere", again)
        name = "ALSFRS" if not self.scores else f"ALSFRS:{stem}"
        self.scores.append(keys.filter(~domain.aside).drop_nulls())
        self._open(domain, {name: self.source.tables["ALSFRS"]})
        return True

    def _labs(self, stem: str, domain: Domain, origins: Origins) -> None:
        domain.set_aside(domain.get("DTYPE").is_not_null(), "derived or imputed (DTYPE)")
        param = domain.first("PARAM", "PARAMCD")
        unit = domain.get("AVALU")
        unit = unit.zip_with(unit.is_not_null(), param.str.extract(_IN_BRACKETS, 1))
        light = (param.str.contains(_NFL) | domain.upper("PARAMCD").is_in(["NFLP", "NFL"])).fill_null(False)
        name = param.str.replace(_IN_BRACKETS, "")
        domain.put("PARAM", name.set(light, "neurofilament light"), seen_as="PARAM" if domain.has("PARAM") else "PARAMCD")
        result = domain.first("AVAL", "AVALC")
        domain.set_aside(result.is_null(), "rows without a result")
        domain.put("AVAL", result, seen_as="AVAL" if domain.has("AVAL") else "AVALC")
        domain.put("AVALU", unit)
        domain.put("LBSPEC", domain.get("LBSPEC"))
        domain.put(PARTICIPANT, domain.get(PARTICIPANT))
        put_dates(domain, "ADT", "ADY", origins)
        self._open(domain, {f"LABS:{stem}": self.source.tables["LABS"]})

    def _end_points(self, stem: str, adtte: Domain, origins: Origins, deaths: pl.DataFrame) -> None:
        """Add a form for each parameter of ADTTE: CNSR = 0 means that the event happened, any larger number that it was censored."""
        code, param = adtte.upper("PARAMCD"), adtte.first("PARAM", "PARAMCD")
        adtte.set_aside(adtte.get("DTYPE").is_not_null(), "derived or imputed (DTYPE)")
        censor = adtte.number("CNSR")
        known = censor.is_not_null() & (censor >= 0) & (censor == censor.round(0))
        adtte.flag("event_missing", ~known.fill_null(False), column="CNSR")
        adtte.set_aside(~known.fill_null(False), "not said whether the event happened (CNSR)")
        happened = pl.DataFrame({"c": censor}).select(pl.when(pl.col("c") == 0).then(pl.lit("yes")).otherwise(pl.lit("no"))).to_series()
        day = self._event_dates(adtte, origins)
        named = pl.DataFrame({"code": code, "words": param}).drop_nulls("code").unique("code", maintain_order=True)
        points = {text: _definition(text, str(words or text), self.mapping) for text, words in named.iter_rows()}
        fatal = code.is_in([text for text, (kind, _) in points.items() if kind == "death"]).fill_null(False) & (happened == "yes")
        by_adsl = adtte.frame.select(PARTICIPANT).join(deaths, on=PARTICIPANT, how="left", maintain_order="left")
        adtte.flag("death_sources_differ", fatal & (by_adsl["_death"] != day), column="ADT" if adtte.has("ADT") else "ADY")
        detail = "a death that the participants' data set does not flag; it is used"
        adtte.flag("death_sources_differ", fatal & ~by_adsl["_flag"].fill_null(False), column="CNSR", detail=detail)
        day = day.zip_with(~(fatal & by_adsl["_death"].is_not_null()), by_adsl["_death"])
        shown = next((name for name in ("ADT", "ADY", "AVAL") if adtte.has(name)), "ADT")
        adtte.put(PARTICIPANT, adtte.get(PARTICIPANT))
        adtte.put("ADT", day, seen_as=shown)
        adtte.put("PARAMCD", code)
        adtte.put("CNSR", happened)
        adtte.put("[contact]", _yes((happened == "no") & day.is_not_null()))
        adtte.set_aside(code.is_null(), "rows without PARAMCD")
        maps = {f"END POINT {text}:{stem}": _event_form(text, *point) for text, point in points.items()}
        contact = self.source.tables["CONTACT"]
        maps[f"CONTACT:{stem}"] = FormMap(kind="contacts", columns={PARTICIPANT: "participant_id", "ADT": "day"}, where=contact.where)
        self._open(adtte, maps)

    def _event_dates(self, adtte: Domain, origins: Origins) -> pl.Series:
        adtte.used |= {"STARTDT", "EVNTDESC", "AVAL", "AVALU"}
        if adtte.has("ADT") or adtte.has("ADY"):
            return dates(adtte, "ADT", "ADY", origins)
        start = day_numbers(dates(adtte, "STARTDT", "ASTDY", origins))
        counted = finite_series(adtte.get("AVAL")) - float(self.mapping.first_day or 0)
        origin = origins.for_rows(adtte)["_day"]
        return text_of_days(start.zip_with(start.is_not_null(), origin) + counted)

    def _open(self, domain: Domain, forms: Mapping[str, FormMap], extra: Mapping[str, str] | None = None) -> None:
        raw = domain.prepared(known_variables(self.source))
        self.opened += forms_over(domain, raw, forms, extra or {})

    def _nothing(self, stem: str, domain: Domain) -> None:
        domain.made.clear()
        domain.flags.clear()
        domain.used |= set(domain.frame.columns)
        self._open(domain, {f"NOTHING:{stem}": self.source.tables["NOTHING"]})


def _put_death(adsl: Domain, origins: Origins) -> None:
    """Put DTHFL and DTHDT (or DTHADY): a date of death says that the participant died; an empty flag says nothing."""
    day = dates(adsl, "DTHDT", "DTHADY", origins)
    flag, given = adsl.upper("DTHFL"), adsl.first("DTHDT", "DTHADY").is_not_null()
    adsl.put("DTHFL", flag.set(flag.is_null() & given, "Y"))
    adsl.put("DTHDT", day, seen_as="DTHDT" if adsl.has("DTHDT") else "DTHADY")


def _yes(rows: pl.Series) -> pl.Series:
    return pl.DataFrame({"rows": rows}).select(pl.when("rows").then(pl.lit("yes"))).to_series()


def _definition(code: str, words: str, mapping: CdiscMapping) -> tuple[str, str]:
    """Return kind and definition of an end point: the user's, else the known one that its words name, else its own words."""
    told = {given.upper(): tag for given, tag in mapping.events.items()}.get(code)
    plain = re.sub(_UNIT, "", words, flags=re.IGNORECASE).strip()
    tag = told or plain
    known = {name.lower(): name for name in (*EVENT_DEFINITIONS, *EVENT_COMPONENTS)}
    if tag.lower() in known:
        tag = known[tag.lower()]
    elif told is None and re.search(_TRACHEOSTOMY_WORDS, plain, re.IGNORECASE):
        tag = TRACHEOSTOMY_FREE.tag
    elif told is None and re.search(_DEATH_WORDS, plain, re.IGNORECASE):
        tag = DEATH.tag
    if tag == DEATH.tag:
        return "death", tag
    return (EVENT_COMPONENTS[tag].kind if tag in EVENT_COMPONENTS else _kind(code, tag)), tag


def _kind(code: str, tag: str) -> str:
    """Return the kind of an event that is no component of a known end point: by its words, else its parameter code."""
    if re.search(_COMPOSITE, tag, re.IGNORECASE):
        return code.lower()
    return next((kind for words, kind in _OWN_KINDS.items() if re.search(words, tag, re.IGNORECASE)), code.lower())


def _event_form(code: str, kind: str, definition: str) -> FormMap:
    columns = {PARTICIPANT: "participant_id", "ADT": "day"}
    where: dict[str, tuple[str, ...]] = {"PARAMCD": (code,)}
    if kind == "death":
        return FormMap(kind="death", columns={**columns, "CNSR": "died"}, where=where)
    return FormMap(kind="event", event=kind, definition=definition, columns={**columns, "CNSR": "happened"}, where=where)
