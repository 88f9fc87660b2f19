"""Motor phenotypes as dated statements: classic, bulbar, flail arm, flail leg, UMN-predominant, respiratory, PMA, PLS.

The names are those of Chio et al., J Neurol Neurosurg Psychiatry 2011;82:740, doi 10.1136/jnnp.2010.235952 (classic, bulbar, flail
arm, flail leg, pyramidal, respiratory, pure LMN, pure UMN). Its wording of each definition could not be read; the rules below are
built from definitions that could, and each names its source in `DEFINITIONS`. Flail arm, flail leg, PMA and PLS need 12 or 48
months of follow-up: each is a statement dated on the examination that first allows it, and `require_baseline_words` and
`alsmodel.clinical.dated.require_baseline` refuse it as a baseline covariate.
"""

import re
from dataclasses import dataclass
from typing import final

import polars as pl

from alsmodel.clinical.dated import MONTHS_PURE, OPM_MOTOR_NEURON, OPM_PROPAGATION, PHENOTYPE, day_after, follow_up_months, statements
from alsmodel.clinical.involvement import status_by_visit, symptoms_by_visit
from alsmodel.clinical.opm import balance, parse_opm, propagation_statements
from alsmodel.clinical.regions import REGIONS
from alsmodel.clinical.signs import PRESENT
from alsmodel.errors import Fault, InvalidInput

_OPM = "Meyer 2025, doi 10.1186/s42466-025-00389-w"
_FLAIL = f"{_OPM} (no propagation within 12 months); Wijesekera 2009, doi 10.1212/01.wnl.0000345041.83406.a2"


@final
@dataclass(frozen=True)
class Definition:
    """One phenotype: its rule, the months of follow-up it needs (0: none), its source, and other words for it."""

    name: str
    rule: str
    months: int
    source: str
    words: tuple[str, ...]


_ALL: tuple[Definition, ...] = (
    Definition(
        "classic",
        "limb onset, signs of both motor neurons without dominance of the upper, motor symptoms beyond the region of onset",
        0,
        f"{_OPM}, table 3 (classic ALS, arm onset)",
        ("classic", "classical", "charcot"),
    ),
    Definition("bulbar", "first motor symptoms in the head", 0, f"{_OPM} (O1)", ("bulbar", "head")),
    Definition(
        "flail arm",
        "arm onset, no motor symptoms elsewhere within 12 months, clinical LMN signs and never spasticity in the arms",
        12,
        f"{_FLAIL}; Hu 1998, doi 10.1136/jnnp.65.6.950; brisk reflexes and distal onset are common: doi 10.1080/21678421.2022.2164205",
        ("flail arm", "flail arms", "fas", "brachial amyotrophic diplegia", "man in the barrel", "vulpian bernhardt"),
    ),
    Definition(
        "flail leg",
        "leg onset, no motor symptoms elsewhere within 12 months, clinical LMN signs and never spasticity in the legs",
        12,
        _FLAIL,
        ("flail leg", "flail legs", "fls", "pseudopolyneuritic", "patrikios"),
    ),
    Definition(
        "UMN-predominant",
        "limb onset, signs of both motor neurons, UMN signs in more regions",
        0,
        f"{_OPM} (M1d)",
        ("umn predominant", "umn p", "pyramidal", "upper motor neuron predominant", "upper motor neurone predominant", "predominant umn"),
    ),
    Definition("respiratory", "first motor symptom respiratory", 0, f"{_OPM} (O3r)", ("respiratory", "diaphragmatic")),
    Definition(
        "PMA",
        "clinical LMN signs; never a clinical UMN sign, all four regions examined in month 48 or later; neither flail arm nor leg",
        48,
        f"{_OPM} (M2p); apart from flail arm and leg: Wijesekera 2009",
        ("pma", "plmn", "progressive muscular atrophy", "progressive muscle atrophy", "pure lmn", "pure lower motor neuron"),
    ),
    Definition(
        "PLS",
        "UMN signs in two regions or more; never a LMN sign, clinical or on EMG, all four regions examined in month 48 or later",
        48,
        f"{_OPM} (M1p); definite PLS: Turner 2020, doi 10.1136/jnnp-2019-322541",
        ("pls", "pumn", "primary lateral sclerosis", "pure umn", "pure upper motor neuron"),
    ),
)
#: Name -> definition, in the order of Chio 2011.
DEFINITIONS: dict[str, Definition] = {definition.name: definition for definition in _ALL}

_LIMBS: dict[str, str] = {"cervical": "flail arm", "lumbosacral": "flail leg"}
_SUFFIX = re.compile(r"\b(als|mnd|onset|syndrome|phenotype|variant|disease|type|amyotrophic lateral sclerosis)\b")


def _plain(text: str) -> str:
    words = re.sub(r"[^a-z0-9]+", " ", text.lower().replace("è", "e"))
    return " ".join(_SUFFIX.sub(" ", words).split())


_BY_WORD = {_plain(word): definition.name for definition in _ALL for word in (definition.name, *definition.words)}


def phenotype_name(text: str | None) -> str | None:
    """Return the phenotype that a recorded text names, or None.

    >>> phenotype_name("Flail-arm syndrome"), phenotype_name("PUMN"), phenotype_name("unknown")
    ('flail arm', 'PLS', None)
    """
    return _BY_WORD.get(_plain(text or ""))


def recorded_statements(recorded: pl.DataFrame) -> pl.DataFrame:
    """Return recorded phenotypes as rows of ``classifications``: the text that names a phenotype becomes its name, other text stays.

    Parameters
    ----------
    recorded : polars.DataFrame
        participant_id, phenotype (as written) and, where the source has one, day: from when it was said. Without a day, a
        phenotype that needs follow-up cannot be shown to have been known at baseline, and `dated.require_baseline` refuses it.
    """
    rows = recorded.filter(pl.col("phenotype").is_not_null())
    names = {text: phenotype_name(text) or text for text in rows["phenotype"].unique().to_list()}
    when = pl.col("day") if "day" in recorded.columns else pl.lit(None)
    category = pl.col("phenotype").replace(names)
    said = statements(rows.with_columns(day=when.cast(pl.Float64), scheme=pl.lit(PHENOTYPE), category=category, decided_by=pl.lit(None)))
    return said.with_columns(origin=pl.lit("recorded"))


def disagreements(classifications: pl.DataFrame) -> pl.DataFrame:
    """Return where a recorded phenotype and the computed one differ; both stay in the table.

    Each recorded row is held against the latest computed one on or before its day; without a day, against the latest of all.
    A recorded text that names no phenotype, and a participant without a computed one, are not listed.

    Returns
    -------
    polars.DataFrame
        participant_id, day (of the recorded row), recorded, computed, computed_day, decided_by.
    """
    rows = classifications.filter(pl.col("scheme") == PHENOTYPE)
    names = {text: phenotype_name(text) for text in rows["category"].unique().to_list()}
    named = rows.with_columns(name=pl.col("category").replace_strict(names, default=None, return_dtype=pl.String))
    recorded = named.filter((pl.col("origin") == "recorded") & pl.col("name").is_not_null()).with_row_index("row")
    computed = named.filter(pl.col("origin") == "computed").select("participant_id", "decided_by", computed="name", computed_day="day")
    paired = recorded.select("row", "participant_id", "day", recorded="name").join(computed, on="participant_id")
    paired = paired.filter(pl.col("day").is_null() | (pl.col("computed_day") <= pl.col("day"))).sort("row", "computed_day")
    last = paired.group_by("row", maintain_order=True).last().filter(pl.col("recorded") != pl.col("computed"))
    return last.select("participant_id", "day", "recorded", "computed", "computed_day", "decided_by")


def phenotype_statements(
    signs: pl.DataFrame, onset: pl.DataFrame, *, symptoms: pl.DataFrame | None = None, needed: tuple[str, ...] = REGIONS
) -> pl.DataFrame:
    """Return the phenotypes of each participant, each dated on the day from which it can be said.

    Parameters
    ----------
    signs : polars.DataFrame
        Canonical ``signs``.
    onset : polars.DataFrame
        participant_id, onset_day, onset_region, onset_part: `alsmodel.clinical.opm.onset_of`, or more precise.
    symptoms : polars.DataFrame, optional
        participant_id, day, region, symptomatic; made from `signs` when not given.
    needed : tuple of str
        Regions that must be seen free of symptoms for flail arm and leg, as in `opm.propagation_statements`.

    Returns
    -------
    polars.DataFrame
        Rows of ``classifications``, scheme "phenotype", origin "computed". A participant may have several, each replacing the one
        before: bulbar, then PLS. No row where nothing can be said.
    """
    seen = symptoms_by_visit(signs) if symptoms is None else symptoms
    propagation, _ = propagation_statements(seen, onset, needed=needed)
    status = status_by_visit(signs)
    flail = _flail(signs, status, onset, propagation)
    pure = _pure(signs, status, onset).join(flail.select("participant_id", flail="day"), on="participant_id", how="left")
    pure = pure.filter((pl.col("category") == "PLS") | pl.col("flail").is_null() | (pl.col("flail") > pl.col("day"))).drop("flail")
    return pl.concat([_from_onset(onset), _mixed(status, seen, onset, flail), flail, pure]).sort(
        "participant_id", "day", maintain_order=True
    )


def _from_onset(onset: pl.DataFrame) -> pl.DataFrame:
    """Bulbar and respiratory: known from the history, from onset on."""
    respiratory = (pl.col("onset_region") == "thoracic") & (pl.col("onset_part") == "respiratory")
    category = pl.when(pl.col("onset_region") == "bulbar").then(pl.lit("bulbar")).when(respiratory).then(pl.lit("respiratory"))
    told = onset.with_columns(category=category).filter(pl.col("category").is_not_null() & pl.col("onset_day").is_not_null())
    return statements(told.with_columns(day="onset_day", scheme=pl.lit(PHENOTYPE), decided_by=pl.lit("region of onset")))


def _flail(signs: pl.DataFrame, status: pl.DataFrame, onset: pl.DataFrame, propagation: pl.DataFrame) -> pl.DataFrame:
    """Flail arm and leg: restricted for 12 months, LMN signs in a limb never spastic, on the first examination that shows all of it.

    Brisk reflexes do not exclude it: nearly half of those who meet published criteria have UMN signs at diagnosis.
    """
    late = propagation.filter(pl.col("category") == "PL").select("participant_id", restricted="day")
    limb = pl.col("onset_region").replace_strict(_LIMBS, default=None, return_dtype=pl.String)
    people = onset.select("participant_id", region="onset_region", category=limb).filter(pl.col("category").is_not_null())
    spastic = signs.filter((pl.col("sign") == "spasticity") & (pl.col("state") == PRESENT))
    spastic = spastic.group_by("participant_id", "region").agg(spastic=pl.col("day").min())
    rows = status.join(people, on=["participant_id", "region"]).join(late, on="participant_id")
    rows = rows.join(spastic, on=["participant_id", "region"], how="left")
    flaccid = pl.col("spastic").is_null() | (pl.col("spastic") > pl.col("day"))
    shown = rows.filter(pl.col("lmn_clinical") & flaccid & (pl.col("day") >= pl.col("restricted")))
    first = shown.group_by("participant_id", "category", "region").agg(pl.col("day").min())
    why = pl.format("no symptoms elsewhere within 12 months; LMN signs and no spasticity: {}", "region")
    return statements(first.with_columns(scheme=pl.lit(PHENOTYPE), decided_by=why))


def _pure(signs: pl.DataFrame, status: pl.DataFrame, onset: pl.DataFrame) -> pl.DataFrame:
    """PMA and PLS: all four regions examined afresh in month 48 or later without the other neuron, which was never seen before either."""
    limits = onset.select("participant_id", limit=day_after(pl.col("onset_day"), MONTHS_PURE)).filter(pl.col("limit").is_not_null())
    fresh = signs.join(limits, on="participant_id").filter(pl.col("day") >= pl.col("limit")).drop("limit")
    ever = _any_so_far(status)
    late = (
        status_by_visit(fresh)
        .group_by("participant_id", "day")
        .agg(
            no_umn=(pl.col("umn") == pl.lit(value=False)).sum() == len(REGIONS),
            no_lmn=(pl.col("lmn_clinical") == pl.lit(value=False)).sum() == len(REGIONS),
        )
    )
    rows = late.join(ever, on=["participant_id", "day"])
    pma = pl.col("no_umn") & ~pl.col("ever_umn") & pl.col("ever_lmn")
    pls = pl.col("no_lmn") & ~pl.col("ever_lmn") & ~pl.col("ever_emg") & (pl.col("umn_regions") >= 2)
    category = pl.when(pma).then(pl.lit("PMA")).when(pls).then(pl.lit("PLS"))
    told = rows.with_columns(category=category).filter(pl.col("category").is_not_null())
    first = told.group_by("participant_id", "category").agg(pl.col("day").min())
    why = pl.lit(f"all regions examined in month {MONTHS_PURE} or later; no sign of the other motor neuron at any time")
    return statements(first.with_columns(scheme=pl.lit(PHENOTYPE), decided_by=why))


def _any_so_far(status: pl.DataFrame) -> pl.DataFrame:
    """Per examination: whether each neuron was ever seen affected up to it, and the most regions with UMN signs."""
    by_day = status.group_by("participant_id", "day").agg(
        umn_regions=pl.col("umn").sum(), lmn=pl.col("lmn_clinical").any(), emg=pl.col("lmn_emg").any()
    )
    by_day = by_day.sort("participant_id", "day")
    return by_day.select(
        "participant_id",
        "day",
        pl.col("umn_regions").cum_max().over("participant_id"),
        ever_umn=(pl.col("umn_regions") > 0).cast(pl.Int8).cum_max().over("participant_id") > 0,
        ever_lmn=pl.col("lmn").cast(pl.Int8).cum_max().over("participant_id") > 0,
        ever_emg=pl.col("emg").cast(pl.Int8).cum_max().over("participant_id") > 0,
    )


def _mixed(status: pl.DataFrame, symptoms: pl.DataFrame, onset: pl.DataFrame, flail: pl.DataFrame) -> pl.DataFrame:
    """Classic and UMN-predominant: limb onset with both motor neurons, restated on each examination on which it changes."""
    limb = onset.filter(pl.col("onset_region").is_in(list(_LIMBS))).select("participant_id", "onset_region")
    beyond = symptoms.join(limb, on="participant_id").filter((pl.col("region") != pl.col("onset_region")) & pl.col("symptomatic"))
    spread = beyond.group_by("participant_id").agg(spread=pl.col("day").min())
    rows = balance(status).join(limb, on="participant_id").join(spread, on="participant_id", how="left")
    rows = rows.join(flail.select("participant_id", flail="day"), on="participant_id", how="left").sort("participant_id", "day")
    code, both = pl.col("category"), ["M0", "M2d", "M3"]
    classic = code.is_in(both) & (pl.col("day") >= pl.col("spread")) & (pl.col("flail").is_null() | (pl.col("flail") > pl.col("day")))
    name = pl.when(code == "M1d").then(pl.lit("UMN-predominant")).when(classic).then(pl.lit("classic"))
    told = rows.with_columns(name=name).filter(pl.col("name").is_not_null())
    told = told.with_columns(before=pl.col("name").shift(1).over("participant_id"))
    changed = told.filter(pl.col("before").is_null() | (pl.col("before") != pl.col("name")))
    why = pl.format("{} onset, motor neurons {}", "onset_region", "category")
    return statements(changed.with_columns(scheme=pl.lit(PHENOTYPE), decided_by=why, category=pl.col("name")))


def require_baseline_words(values: pl.Series, *, place: str) -> None:
    """Refuse a column of recorded phenotypes without dates as a baseline covariate when some of them need follow-up.

    Parameters
    ----------
    values : polars.Series
        Text per participant, such as ``participants.phenotype`` or an OPM code.
    place : str
        Where the wish stands, such as ``study.toml: model.covariates.phenotype``.

    Raises
    ------
    InvalidInput
        With one fault per number of months that some value needs. The values themselves are not told.
    """
    counts: dict[int, int] = {}
    for value, n in values.drop_nulls().cast(pl.String).value_counts(name="n").iter_rows():
        months = _months_of(value)
        if months is not None:
            counts[months] = counts.get(months, 0) + n
    faults = []
    for months, n in sorted(counts.items()):
        names = " or ".join(d.name for d in _ALL if d.months == months)
        message = (
            f"{n} participants have a phenotype without a date that can be said only {months} months after onset ({names}): "
            "it is no baseline covariate, for they had to live to reach it."
        )
        remedy = (
            f"Record the day from which it could be said in the classifications table, begin follow-up at a landmark of {months} months "
            "from onset, let it enter as a time-varying covariate, or use the region of onset instead."
        )
        faults.append(Fault(place, message, remedy))
    if faults:
        raise InvalidInput(faults)


def _months_of(text: str) -> int | None:
    """Months of follow-up that a recorded phenotype or OPM code needs, or None."""
    name = phenotype_name(text)
    if name is not None:
        return DEFINITIONS[name].months or None
    try:
        code = parse_opm(text)
    except InvalidInput:
        return None
    needs = [follow_up_months(OPM_PROPAGATION, code.propagation_2025 or ""), follow_up_months(OPM_MOTOR_NEURON, code.motor_neuron or "")]
    return max((n for n in needs if n), default=None)
