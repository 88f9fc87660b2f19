"""Riluzole, edaravone, tofersen and AMX0035: mechanism, who they are for, when they could be prescribed, and their names.

What each was shown to do stands in `alsmodel.clinical.published`, by the same drug names.
"""

from dataclasses import dataclass
from datetime import date
from typing import final

import polars as pl


@final
@dataclass(frozen=True)
class Approval:
    """A span in which a drug was approved for ALS in one region.

    Attributes
    ----------
    region : str
    start, end : str
        As precise as the source: "1995-12-12", "2015-06" or "2022"; an empty end means still approved when read.
    source : str
    """

    region: str
    start: str
    end: str
    source: str


@final
@dataclass(frozen=True, kw_only=True)
class Treatment:
    """One drug.

    Attributes
    ----------
    name : str
        Canonical, as in the exposures table.
    names : tuple of str
        As found in medication lists, lower case; any part of a cell that contains one is this drug.
    mechanism : str
    eligible : str
        Who may be given it, or whom the trial that led to approval enrolled.
    approvals : tuple of Approval
    enters_as : str
        What its exposure can plausibly change in a model.
    note : str
    """

    name: str
    names: tuple[str, ...]
    mechanism: str
    eligible: str
    approvals: tuple[Approval, ...]
    enters_as: str
    note: str = ""


TREATMENTS: tuple[Treatment, ...] = (
    Treatment(
        name="riluzole",
        names=("riluzole", "rilutek", "tiglutik", "exservan", "teglutik"),
        mechanism="lowers glutamate signalling",
        eligible="ALS; trials had VC 60% or more and up to 5 years of disease; no evidence in late stages (EU label)",
        approvals=(
            Approval("US", "1995-12-12", "", "Pink Sheet PS027399, 1995"),
            Approval("EU", "1996-06-10", "", "EMA, EPAR Rilutek, EMEA/H/C/000109"),
        ),
        enters_as="exposure interval; survival first, small or no change of slope",
    ),
    Treatment(
        name="edaravone",
        names=("edaravone", "radicava", "radicut"),
        mechanism="free radical scavenger",
        eligible="ALS; the trial behind approval (MCI186-19) enrolled up to 2 years of disease, FVC 80% or more, every item 2 or more",
        approvals=(
            Approval("Japan", "2015-06", "", "ALS Therapy Development Institute, 2017"),
            Approval("US", "2017-05-05", "", "FDA, Drug Trials Snapshots: Radicava"),
        ),
        enters_as="exposure interval; slope",
        note="Approved in Japan for ischaemic stroke since 2001: an earlier exposure need not be for ALS.",
    ),
    Treatment(
        name="tofersen",
        names=("tofersen", "qalsody", "biib067"),
        mechanism="antisense oligonucleotide against SOD1 messenger RNA, intrathecal",
        eligible="ALS with a SOD1 mutation",
        approvals=(
            Approval("US", "2023-04-25", "", "Biogen, release of 25 April 2023: accelerated approval on neurofilament light"),
            Approval("EU", "2024", "", "European Commission, exceptional circumstances, 2024"),
        ),
        enters_as="exposure interval with a delayed start of effect; neurofilament light, slope, survival",
    ),
    Treatment(
        name="AMX0035",
        names=("amx0035", "relyvrio", "albrioza"),
        mechanism="sodium phenylbutyrate with taurursodiol: endoplasmic reticulum and mitochondrial stress",
        eligible="ALS; the trial behind approval (CENTAUR) enrolled definite ALS of up to 18 months",
        approvals=(
            Approval("Canada", "2022", "2024", "Health Canada, letter of 7 June 2024: market withdrawal"),
            Approval("US", "2022-09", "2024", "Associated Press, April 2024: withdrawn after PHOENIX"),
        ),
        enters_as="exposure interval; slope; historical cohorts only",
        note="After withdrawal only by a programme for those already treated.",
    ),
)


def treatment(name: str) -> Treatment:
    """Return the treatment of that canonical name.

    Raises
    ------
    KeyError
        When there is none.
    """
    return {t.name: t for t in TREATMENTS}[name]


def treatments_in(text: pl.Expr) -> pl.Expr:
    """Return the canonical names found in a medication cell, as a list; empty when none is, null when the cell is.

    Examples
    --------
    >>> pl.DataFrame({"drug": ["RILUTEK 50 mg; vitamin E"]}).select(treatments_in(pl.col("drug"))).item().to_list()
    ['riluzole']
    """
    lower = text.str.to_lowercase()
    found = [pl.when(lower.str.contains_any(list(t.names))).then(pl.lit(t.name)) for t in TREATMENTS]
    return pl.when(text.is_not_null()).then(pl.concat_list(found).list.drop_nulls())


def approved(name: str, region: str, day: date) -> bool | None:
    """Say whether a drug could be prescribed for ALS in a region on a day; None when the dates known do not tell.

    Raises
    ------
    KeyError
        When no approval of that drug in that region is known here.
    """
    spans = [a for a in treatment(name).approvals if a.region == region]
    if not spans:
        raise KeyError(f"{name}, {region}")
    told = [_within(span, day) for span in spans]
    if any(told):
        return True
    return None if None in told else False


def treatments_table() -> pl.DataFrame:
    """Return one row per drug and region of approval: every attribute, lists joined by semicolons."""
    rows = [
        {
            "drug": t.name,
            "mechanism": t.mechanism,
            "eligible": t.eligible,
            "names": "; ".join(t.names),
            "enters_as": t.enters_as,
            "region": a.region,
            "approved_from": a.start,
            "approved_to": a.end or None,
            "source": a.source,
            "note": t.note or None,
        }
        for t in TREATMENTS
        for a in t.approvals
    ]
    return pl.DataFrame(rows, schema=dict.fromkeys(rows[0], pl.String))


def _within(span: Approval, day: date) -> bool | None:
    first, last = _bounds(span.start)
    gone_first, gone_last = _bounds(span.end) if span.end else (date.max, date.max)
    if day < first or day > gone_last:
        return False
    return True if last <= day < gone_first else None


def _bounds(text: str) -> tuple[date, date]:
    """First and last day that a date of limited precision can mean."""
    parts = [int(part) for part in text.split("-")]
    if len(parts) == 1:
        return date(parts[0], 1, 1), date(parts[0], 12, 31)
    if len(parts) == 2:
        after = date(parts[0] + parts[1] // 12, parts[1] % 12 + 1, 1)
        return date(parts[0], parts[1], 1), date.fromordinal(after.toordinal() - 1)
    day = date(parts[0], parts[1], parts[2])
    return day, day
