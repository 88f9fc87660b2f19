"""DM, MH or CE, and DS prepared: who was in the study, in which arm, with which history, and how they left."""

import polars as pl

from alsmodel.cohort.cdisc.domain import PARTICIPANT, Domain
from alsmodel.cohort.cdisc.mapping import CdiscMapping
from alsmodel.cohort.cdisc.timing import Origins, dates

_PER_YEAR = {"YEARS": 1.0, "YEAR": 1.0, "MONTHS": 12.0, "WEEKS": 365.25 / 7, "DAYS": 365.25}
#: ARMCD or ARMNRS of participants who were never assigned (SDTM Implementation Guide 3.2, 5; 3.3, ARMNRS).
NOT_ASSIGNED = {
    "SCRNFAIL": "screen failure",
    "SCREEN FAILURE": "screen failure",
    "NOTASSGN": "not assigned to an arm",
    "NOT ASSIGNED": "not assigned to an arm",
}
_NO_ARM = (*NOT_ASSIGNED, "NOTTRT", "NOT TREATED", "UNPLAN", "UNPLANNED TREATMENT")
_UNKNOWN = ("U", "UNK", "UNKNOWN", "UNDIFFERENTIATED")
ALS = r"(?i)amyotrophic|motor neuron|\bals\b|lou gehrig"
_ONSET, _DIAGNOSIS = r"(?i)\bonset\b", r"(?i)diagnos"
_RELATIVE = r"(?i)family history"
_LOST = "LOST TO FOLLOW-UP"


def prepare_participants(dm: Domain) -> Origins:
    """Prepare DM and return day 0 of each participant: the day of RFSTDTC.

    The assigned arm (ARM, else ARMCD) is the cohort's arm; the arm as treated is a covariate. Screen failures and those never
    assigned stay, with the reason why they are not to be analysed.
    """
    origins = Origins.of(dm, "RFSTDTC")
    dm.put(PARTICIPANT, dm.get(PARTICIPANT))
    for name in ("SITEID", "STUDYID"):
        dm.put(name, dm.get(name))
    _put_age(dm, origins)
    sex = dm.get("SEX")
    dm.put("SEX", sex.set(sex.str.to_uppercase().is_in(_UNKNOWN).fill_null(False), None))
    reason = dm.upper("ARMNRS").replace_strict(NOT_ASSIGNED, default=None, return_dtype=pl.String)
    for name in ("ARMCD", "ARM"):
        told = dm.upper(name).replace_strict(NOT_ASSIGNED, default=None, return_dtype=pl.String)
        reason = reason.zip_with(reason.is_not_null(), told)
    dm.put("ARMNRS", reason, seen_as="ARMNRS" if dm.has("ARMNRS") else "ARMCD (reason)")
    dm.put("ARM", _assigned(dm, "ARM", "ARMCD"), seen_as="ARM" if dm.has("ARM") else "ARMCD")
    dm.put("ACTARM", _assigned(dm, "ACTARM", "ACTARMCD"), seen_as="ACTARM" if dm.has("ACTARM") else "ACTARMCD")
    return origins


def _assigned(domain: Domain, text: str, code: str) -> pl.Series:
    arm = domain.first(text, code)
    none = domain.upper(text).is_in(_NO_ARM).fill_null(False) | domain.upper(code).is_in(_NO_ARM).fill_null(False)
    return arm.set(none, None)


def _put_age(dm: Domain, origins: Origins) -> None:
    """Put age in years; where there is none, the birth day, from which the form computes it."""
    age, unit = dm.number("AGE"), dm.upper("AGEU").fill_null("YEARS")
    per = unit.replace_strict(_PER_YEAR, default=None, return_dtype=pl.Float64)
    dm.flag("not_a_number", dm.get("AGE").is_not_null() & age.is_null(), column="AGE")
    dm.flag("unit_unknown", age.is_not_null() & per.is_null(), column="AGEU")
    years = age / per
    dm.put("AGE", years)
    dm.put("BRTHDTC", dates(dm, "BRTHDTC", "BRTHDY", origins, years.is_null()))


def put_deaths(dm: Domain, origins: Origins) -> None:
    """Put DTHFL and DTHDTC: a date of death says that the participant died; an empty flag says nothing."""
    day = dates(dm, "DTHDTC", "DTHDY", origins)
    flag = dm.upper("DTHFL")
    died = flag.zip_with(flag.is_not_null() | dm.get("DTHDTC").is_null(), pl.repeat("Y", dm.frame.height, dtype=pl.String, eager=True))
    dm.put("DTHFL", died)
    dm.put("DTHDTC", day)


def put_end_of_participation(dm: Domain, origins: Origins) -> None:
    """Put RFPENDTC, the last known contact, of those who have one."""
    day = dates(dm, "RFPENDTC", "RFPENDY", origins)
    dm.put("RFPENDTC", day)
    dm.put("[contact]", pl.DataFrame({"day": day}).select(pl.when(pl.col("day").is_not_null()).then(pl.lit("yes"))).to_series())


def put_extras(domain: Domain, mapping: CdiscMapping) -> dict[str, str]:
    """Put the columns that the user names; return column -> name that the form knows."""
    wanted = {column.upper(): fact for column, fact in mapping.columns.items()}
    wanted |= {column.upper(): f"covariate:{name}" for column, name in mapping.covariates.items()}
    there = {column: target for column, target in wanted.items() if domain.has(column)}
    for column in there:
        domain.put(column, domain.get(column))
    return there


def put_history(domain: Domain, origins: Origins) -> pl.Series:
    """Put onset and diagnosis of ALS from MH or CE; return which rows say something of them.

    The kind of date is --EVDTYP (SYMPTOM ONSET, DIAGNOSIS), else the words of --TERM or --DECOD. A row is about ALS when its term or its
    category says so.
    """
    words = _joined(domain, "--TERM", "--DECOD", "--CAT", "--SCAT")
    kind = domain.get("--EVDTYP")
    kind = kind.zip_with(kind.is_not_null(), _joined(domain, "--TERM", "--DECOD"))
    about = (words.str.contains(ALS) & ~words.str.contains(_RELATIVE)).fill_null(False)
    onset = about & kind.str.contains(_ONSET).fill_null(False)
    diagnosis = about & ~onset & kind.str.contains(_DIAGNOSIS).fill_null(False)
    not_occurred = (domain.upper("--OCCUR") == "N").fill_null(False)
    domain.put(PARTICIPANT, domain.get(PARTICIPANT))
    mine = (onset | diagnosis) & ~not_occurred
    day = dates(domain, "--STDTC", "--STDY", origins, mine)
    domain.put("--STDTC", day.set(~onset, None))
    domain.put("--STDTC (diagnosis)", day.set(~diagnosis, None))
    place = domain.get("--LOC")
    place = place.set(place.str.to_uppercase().is_in(_UNKNOWN).fill_null(False), None)
    domain.put("--LOC", place.set(~onset, None))
    return mine


def prepare_disposition(ds: Domain, origins: Origins, deaths: pl.DataFrame) -> None:
    """Prepare DS: deaths, and days on which a participant was in the study.

    Parameters
    ----------
    ds : Domain
    origins : Origins
    deaths : polars.DataFrame
        USUBJID, _death (date by DM, null where unknown), _flag (whether DM says that the participant died).

    Notes
    -----
    The day of death is that of DM, where it has one; a day of DS that differs is listed. The day on which somebody was
    declared lost to follow-up is no contact with them.
    """
    what = ds.first("--DECOD", "--TERM").str.to_uppercase()
    dead = (what == "DEATH").fill_null(False) | what.str.contains(r"^(?:DIED|DEATH\b)").fill_null(False)
    lost = what.str.starts_with(_LOST).fill_null(False)
    ds.set_aside(lost, "declared lost to follow-up: no contact on that day")
    day = dates(ds, "--STDTC", "--STDY", origins)
    by_dm = ds.frame.select(PARTICIPANT).join(deaths, on=PARTICIPANT, how="left", maintain_order="left")
    ds.flag("death_sources_differ", dead & (by_dm["_death"] != day), column="--STDTC")
    detail = "a death that DM does not flag; it is used"
    ds.flag("death_sources_differ", dead & ~by_dm["_flag"].fill_null(False), column="--DECOD", detail=detail)
    ds.put(PARTICIPANT, ds.get(PARTICIPANT))
    ds.put(
        "--STDTC",
        day.zip_with(~(dead & by_dm["_death"].is_not_null()), by_dm["_death"]),
        seen_as="--STDTC" if ds.has("--STDTC") else "--STDY",
    )
    ds.set_aside(~dead & day.is_null(), "a disposition without a usable day")
    put_use(ds, {"death": dead, "contact": ~dead})


def deaths_of(dm: Domain, date: str = "DTHDTC") -> pl.DataFrame:
    """Return USUBJID, _death (date of death) and _flag, one row per participant, from a prepared DM or ADSL."""
    day, flag = dm.made.get(dm.shown(date)), dm.made.get("DTHFL")
    frame = pl.DataFrame(
        {
            PARTICIPANT: dm.made[PARTICIPANT],
            "_death": day if day is not None else pl.repeat(None, dm.frame.height, dtype=pl.String, eager=True),
            "_flag": (flag == "Y") if flag is not None else pl.repeat(True, dm.frame.height, dtype=pl.Boolean, eager=True),
        }
    )
    return frame.drop_nulls(PARTICIPANT).unique(PARTICIPANT, keep="first", maintain_order=True)


def put_use(domain: Domain, uses: dict[str, pl.Series]) -> None:
    """Put which form reads each row; rows of none are set aside."""
    use = pl.lit(None, dtype=pl.String)
    for name in uses:
        use = pl.when(name).then(pl.lit(name)).otherwise(use)
    told = (
        pl.DataFrame(uses).select(use.alias("use")).to_series() if uses else pl.Series("use", [None] * domain.frame.height, dtype=pl.String)
    )
    domain.set_aside(told.is_null(), "rows for which the canonical tables have no place")
    domain.put("[use]", told)


def _joined(domain: Domain, *names: str) -> pl.Series:
    cells = pl.DataFrame({name: domain.get(name) for name in names})
    return cells.select(pl.concat_str(pl.all(), separator=" ", ignore_nulls=True)).to_series()
