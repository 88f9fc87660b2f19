"""The OPM coding of motor phenotypes: onset, propagation, motor neuron (Meyer et al., Neurol Res Pract 2025;7:27, doi
10.1186/s42466-025-00389-w; propagation in months since the international revision of September 2025).

- O, region and part of the first motor symptoms: known from history, from onset on.
- P, motor symptoms in a vertically distant region: PE within 12 months of onset, PL not within them, PN not yet classifiable.
  Revised: P1(n), propagation in month n; P0(n), none seen by month n.
- M, balance of the motor neurons, re-rated over time: M0 balanced, M1d and M1p dominant and pure UMN, M2d and M2p dominant and
  pure LMN, M3 LMN in the arms with UMN in the legs. M1p and M2p are certain from month 48 on.

Every computed code is a dated statement (`alsmodel.clinical.dated`): P and M are partly defined by survival.
"""

import re
from dataclasses import dataclass
from typing import Final, final

import polars as pl

from alsmodel.clinical.dated import (
    MONTHS_PURE,
    MONTHS_RESTRICTED,
    OPM_MOTOR_NEURON,
    OPM_ONSET,
    OPM_PROPAGATION,
    OPM_PROPAGATION_REVISED,
    day_after,
    statements,
)
from alsmodel.clinical.involvement import status_by_visit
from alsmodel.clinical.regions import REGIONS
from alsmodel.clinical.units import DAYS_PER_MONTH
from alsmodel.errors import Fault, InvalidInput

#: Code of onset -> (region, part).
ONSET: dict[str, tuple[str, str | None]] = {
    "O1": ("bulbar", None),
    "O2d": ("cervical", "distal"),
    "O2p": ("cervical", "proximal"),
    "O3r": ("thoracic", "respiratory"),
    "O3a": ("thoracic", "axial"),
    "O4d": ("lumbosacral", "distal"),
    "O4p": ("lumbosacral", "proximal"),
}
PROPAGATION: dict[str, str] = {
    "PE": "earlier propagation: within 12 months of onset",
    "PL": "later propagation: none within 12 months of onset",
    "PN": "not yet classifiable",
}
MOTOR_NEURON: dict[str, str] = {
    "M0": "balanced",
    "M1d": "dominant UMN",
    "M1p": "pure UMN",
    "M2d": "dominant LMN",
    "M2p": "pure LMN",
    "M3": "dissociated: LMN in the arms, UMN in the legs",
}

_REVISED: Final = re.compile(r"^P([01])\((\d{1,3})\)$")
#: participants.onset_site -> (region, part); other sites do not tell arm from leg.
_SITES: dict[str, tuple[str, str | None]] = {"bulbar": ("bulbar", None), "respiratory": ("thoracic", "respiratory")}


@final
@dataclass(frozen=True)
class Opm:
    """One OPM code; an axis that was not rated is None."""

    onset: str | None = None
    propagation: str | None = None
    motor_neuron: str | None = None

    def __str__(self) -> str:
        return ", ".join(part for part in (self.onset, self.propagation, self.motor_neuron) if part)

    @property
    def propagation_2025(self) -> str | None:
        """PE, PL or PN: a revised code read by the 12-month rule of the first version."""
        revised = _REVISED.match(self.propagation or "")
        if revised is None:
            return self.propagation
        spread, months = revised[1] == "1", int(revised[2])
        if spread:
            return "PE" if months <= MONTHS_RESTRICTED else "PL"
        return "PL" if months >= MONTHS_RESTRICTED else "PN"

    @property
    def old_name(self) -> str | None:
        """The historic name of this code, or None: flail arm is O2p, PL; flail leg O4d, PL; progressive bulbar palsy O1, PL."""
        restricted = {"O2p": "flail arm", "O4d": "flail leg", "O1": "progressive bulbar palsy"}
        if self.propagation_2025 == "PL" and self.onset in restricted:
            return restricted[self.onset]
        return {"M1p": "PLS", "M2p": "PMA"}.get(self.motor_neuron or "")


def parse_opm(text: str, *, place: str = "") -> Opm:
    """Read a code such as "O2p, PL, M2p" or "O1 P1(10) M0"; the order and the separators are free.

    Parameters
    ----------
    text : str
        At most one code of each axis.
    place : str
        Where the text stands, for the message.

    Raises
    ------
    InvalidInput
        With one fault per part that is no code, and per axis that is coded twice.
    """
    found: dict[str, str] = {}
    faults = []
    for number, part in enumerate(re.findall(r"[^\s,;/+|]+", text), start=1):
        word = part[0].upper() + part[1:].lower() if part[0].upper() in "OM" else part.upper()
        axis = _axis(word)
        if axis is None:
            faults.append(
                Fault(place, f"part {number} is no OPM code.", f"Codes: {', '.join([*ONSET, *PROPAGATION, *MOTOR_NEURON])}, P0(n), P1(n).")
            )
        elif axis in found:
            faults.append(Fault(place, f"the {axis} is coded twice.", "Give one code per axis."))
        else:
            found[axis] = word
    if not found and not faults:
        faults.append(Fault(place, "there is no OPM code.", "Leave the cell empty where it was not rated."))
    if faults:
        raise InvalidInput(faults)
    return Opm(found.get("onset"), found.get("propagation"), found.get("motor neuron"))


def _axis(word: str) -> str | None:
    if word in ONSET:
        return "onset"
    if word in PROPAGATION or _REVISED.match(word):
        return "propagation"
    return "motor neuron" if word in MOTOR_NEURON else None


def onset_of(participants: pl.DataFrame) -> pl.DataFrame:
    """Return participant_id, onset_day, onset_region, onset_part from canonical ``participants``.

    Only bulbar and respiratory onset name a region: "limb" does not say arm or leg, and those stay null. Where the source says
    more, make this table from it: region of `ONSET`, part distal, proximal, respiratory or axial.
    """
    region, part = ({site: parts[i] for site, parts in _SITES.items()} for i in (0, 1))
    site = pl.col("onset_site")
    return participants.select(
        "participant_id",
        pl.col("onset_day").cast(pl.Float64),
        onset_region=site.replace_strict(region, default=None, return_dtype=pl.String),
        onset_part=site.replace_strict(part, default=None, return_dtype=pl.String),
    )


def onset_statements(onset: pl.DataFrame) -> pl.DataFrame:
    """Return the O code of everyone whose region and part of onset are known, dated on the day of onset."""
    codes = pl.DataFrame(
        [(code, region, part) for code, (region, part) in ONSET.items()],
        schema={"category": pl.String, "onset_region": pl.String, "code_part": pl.String},
        orient="row",
    )
    coded = onset.join(codes, on="onset_region").filter(pl.col("code_part").is_null() | (pl.col("code_part") == pl.col("onset_part")))
    return statements(coded.with_columns(day=pl.col("onset_day"), scheme=pl.lit(OPM_ONSET), decided_by=pl.lit("history of onset")))


def _elsewhere(symptoms: pl.DataFrame, onset: pl.DataFrame) -> pl.DataFrame:
    """Examinations of the regions other than that of onset, from onset on, with the limit of 12 months."""
    known = onset.filter(pl.col("onset_day").is_not_null() & pl.col("onset_region").is_not_null())
    rows = symptoms.join(known.select("participant_id", "onset_day", "onset_region"), on="participant_id")
    rows = rows.filter((pl.col("day") >= pl.col("onset_day")) & (pl.col("region") != pl.col("onset_region")))
    return rows.with_columns(limit=day_after(pl.col("onset_day"), MONTHS_RESTRICTED))


def propagation_statements(
    symptoms: pl.DataFrame, onset: pl.DataFrame, *, needed: tuple[str, ...] = REGIONS
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return when PN, PE and PL can be said of each participant, and why of others neither PE nor PL can.

    Parameters
    ----------
    symptoms : polars.DataFrame
        participant_id, day, region, symptomatic: `involvement.symptoms_by_visit`, or a history in the same form.
    onset : polars.DataFrame
        participant_id, onset_day, onset_region.
    needed : tuple of str
        Regions that have to be seen free of symptoms in month 12 or later before PL is said. Leaving one out trusts that it was free.

    Returns
    -------
    tuple of polars.DataFrame
        Rows of ``classifications``: PN from the first examination before month 12 without propagation; PE from the examination that
        shows it; PL from the first on which every other needed region has been seen free in month 12 or later. And participant_id, reason.
    """
    rows = _elsewhere(symptoms, onset)
    seen, free = pl.col("symptomatic") == pl.lit(value=True), pl.col("symptomatic") == pl.lit(value=False)
    by_region = rows.group_by("participant_id", "region", "limit").agg(
        spread=pl.col("day").filter(seen).min(),
        clear=pl.col("day").filter(free & (pl.col("day") >= pl.col("limit"))).min(),
        first=pl.col("day").filter(pl.col("day") < pl.col("limit")).min(),
    )
    still_clear = pl.when(pl.col("spread").is_null() | (pl.col("clear") < pl.col("spread"))).then("clear")
    by_region = by_region.with_columns(clear=still_clear)
    in_time = pl.col("spread") <= pl.col("limit")
    people = (
        onset.filter(pl.col("onset_region").is_in(list(REGIONS)) & pl.col("onset_day").is_not_null())
        .select("participant_id", "onset_region", limit=day_after(pl.col("onset_day"), MONTHS_RESTRICTED))
        .join(
            by_region.group_by("participant_id").agg(
                spread=pl.col("spread").min(),
                where=pl.col("region").filter(in_time & (pl.col("spread") == pl.col("spread").min())).sort().str.join(", "),
                cleared=pl.col("region").filter(pl.col("clear").is_not_null() & pl.col("region").is_in(list(needed))),
                clear=pl.col("clear").filter(pl.col("region").is_in(list(needed))).max(),
                first=pl.col("first").min(),
            ),
            on="participant_id",
            how="left",
            maintain_order="left",
        )
        .with_columns(pl.col("cleared").fill_null([]))
    )
    lacking = [
        pl.when((pl.col("onset_region") != region) & ~pl.col("cleared").list.contains(region)).then(pl.lit(region))
        for region in sorted(needed)
    ]
    people = people.with_columns(
        early=(pl.col("spread") <= pl.col("limit")).fill_null(value=False),
        missing=pl.concat_str(lacking, separator=", ", ignore_nulls=True),
    )
    late = ~pl.col("early") & (pl.col("missing") == "")
    pn = people.filter(pl.col("first").is_not_null() & ~(pl.col("early") & (pl.col("spread") <= pl.col("first"))))
    parts = [
        _said(people.filter("early"), "PE", pl.col("spread"), pl.format("symptoms in {}", "where")),
        _said(people.filter(late), "PL", pl.col("clear"), pl.lit("no symptoms elsewhere in month 12 or later")),
        _said(pn, "PN", pl.col("first"), pl.lit("examined before month 12")),
    ]
    why = pl.when(pl.col("spread").is_not_null()).then(
        pl.format("propagation first seen after month 12; not seen free then: {}", "missing")
    )
    open_ = people.filter(~pl.col("early") & ~late).select(
        "participant_id", reason=why.otherwise(pl.format("not seen free in month 12 or later: {}", "missing"))
    )
    return pl.concat(parts).sort("participant_id", "day", maintain_order=True), open_.sort("participant_id")


def _said(people: pl.DataFrame, code: str, day: pl.Expr, why: pl.Expr) -> pl.DataFrame:
    return statements(people.with_columns(day=day, scheme=pl.lit(OPM_PROPAGATION), category=pl.lit(code), decided_by=why))


def revised_propagation_statements(symptoms: pl.DataFrame, onset: pl.DataFrame, *, needed: tuple[str, ...] = REGIONS) -> pl.DataFrame:
    """Return P1(n) on the examination that shows propagation, and P0(n) on each earlier one that saw every other needed region free.

    n are completed months from onset. An examination sees propagation later than it came: n of P1 is an upper limit.
    """
    rows = _elsewhere(symptoms, onset)
    count = len(needed) - pl.col("onset_region").is_in(list(needed)).cast(pl.Int64)
    by_day = rows.group_by("participant_id", "day", "onset_day", "onset_region").agg(
        spread=pl.col("symptomatic").any(),
        free=pl.col("region").filter((pl.col("symptomatic") == pl.lit(value=False)) & pl.col("region").is_in(list(needed))).n_unique(),
    )
    first = pl.col("day").filter("spread").min().over("participant_id")
    by_day = by_day.with_columns(first=first, month=((pl.col("day") - pl.col("onset_day")) / DAYS_PER_MONTH + 1e-9).floor().cast(pl.Int64))
    none = (pl.col("day") < pl.col("first")) | pl.col("first").is_null()
    code = pl.when(pl.col("day") == pl.col("first")).then(pl.lit("P1")).when(none & (pl.col("free") == count)).then(pl.lit("P0"))
    told = by_day.with_columns(code=code).filter(pl.col("code").is_not_null())
    return statements(
        told.with_columns(
            scheme=pl.lit(OPM_PROPAGATION_REVISED), category=pl.format("{}({})", "code", "month"), decided_by=pl.lit("examination")
        )
    )


def motor_neuron_statements(signs: pl.DataFrame, onset: pl.DataFrame) -> pl.DataFrame:
    """Return the M code as of each examination on which it changes.

    The authors rate the *degree* of dysfunction; signs tell only *where* it is. Dominant here means clinical signs in more regions,
    counted over the regions examined for both neurons; pure means no clinical sign of the other neuron in any of the four
    regions, all examined. ``decided_by`` names the regions and the month; before month 48 it says provisional for M1p and M2p.
    """
    status = status_by_visit(signs).join(
        onset.select("participant_id", "onset_day"), on="participant_id", how="left", maintain_order="left"
    )
    coded = _balance(status).filter(pl.col("category").is_not_null())
    changed = coded.with_columns(before=pl.col("category").shift(1).over("participant_id"))
    return statements(
        changed.filter(pl.col("before").is_null() | (pl.col("before") != pl.col("category"))).with_columns(scheme=pl.lit(OPM_MOTOR_NEURON))
    )


def balance(status: pl.DataFrame) -> pl.DataFrame:
    """Return participant_id, day, category: the M code of each examination of `status_by_visit`, null where it cannot be told."""
    return _balance(status.with_columns(onset_day=pl.lit(None, dtype=pl.Float64))).select("participant_id", "day", "category")


def _balance(status: pl.DataFrame) -> pl.DataFrame:
    """One row per examination: the M code and what decided it."""
    umn, lmn = pl.col("umn"), pl.col("lmn_clinical")
    both = umn.is_not_null() & lmn.is_not_null()

    def is_in(region: str, flag: pl.Expr) -> pl.Expr:
        return (flag & (pl.col("region") == region)).any()

    dissociated = is_in("cervical", lmn & ~umn) & is_in("lumbosacral", umn & ~lmn)
    rows = status.group_by("participant_id", "day", maintain_order=True).agg(
        pl.col("onset_day").first(),
        n_umn=(umn & both).sum(),
        n_lmn=(lmn & both).sum(),
        any_umn=umn.any(),
        any_lmn=lmn.any(),
        no_umn=(umn == pl.lit(value=False)).sum() == len(REGIONS),
        no_lmn=(lmn == pl.lit(value=False)).sum() == len(REGIONS),
        dissociated=dissociated,
        umn_in=pl.col("region").filter(umn).str.join(", "),
        lmn_in=pl.col("region").filter(lmn).str.join(", "),
    )
    mixed = pl.col("any_umn") & pl.col("any_lmn")
    counted = pl.col("n_umn") + pl.col("n_lmn") > 0
    code = (
        pl.when(pl.col("any_umn") & pl.col("no_lmn")).then(pl.lit("M1p"))
        .when(pl.col("any_lmn") & pl.col("no_umn")).then(pl.lit("M2p"))
        .when(mixed & pl.col("dissociated")).then(pl.lit("M3"))
        .when(mixed & counted & (pl.col("n_umn") > pl.col("n_lmn"))).then(pl.lit("M1d"))
        .when(mixed & counted & (pl.col("n_umn") < pl.col("n_lmn"))).then(pl.lit("M2d"))
        .when(mixed & counted).then(pl.lit("M0"))
    )  # fmt: skip
    month = ((pl.col("day") - pl.col("onset_day")) / DAYS_PER_MONTH).floor().cast(pl.Int64)
    rows = rows.with_columns(category=code, month=month)
    pure = pl.col("category").is_in(["M1p", "M2p"]) & ~(pl.col("month") >= MONTHS_PURE).fill_null(value=False)
    where = pl.format(
        "UMN: {}; LMN: {}", *(pl.when(pl.col(c) == "").then(pl.lit("none")).otherwise(pl.col(c)) for c in ("umn_in", "lmn_in"))
    )
    when = pl.when(month.is_not_null()).then(pl.format("; month {}", "month")).otherwise(pl.lit(""))
    return rows.with_columns(decided_by=where + when + pl.when(pure).then(pl.lit("; provisional")).otherwise(pl.lit("")))
