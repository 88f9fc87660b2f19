"""Diagnostic criteria computed from signs: revised El Escorial, Awaji and Gold Coast, with what decided them.

A category is *determined* when every way of filling in what was not examined gives the same one; otherwise it
"cannot be determined", and the lowest and the highest category still possible are given with the examinations that
would matter. The rules stand in `criteria_rules`, what counts as a sign in `signs.RULES`.

El Escorial and Awaji presuppose that the impairment progresses and that other disease is excluded; signs say neither,
and these two conditions are asked for only by Gold Coast, where they are conditions of the definition.
"""

from collections.abc import Iterable

import numpy as np
import polars as pl

from alsmodel.clinical.criteria_rules import ATOMS, BIT, CATEGORIES, Findings, Reading, category_table, findings
from alsmodel.clinical.regions import LIMBS, REGIONS, SIDES
from alsmodel.clinical.signs import RULES, SIGNS, STATUS_COLUMNS, Scheme, cells_of, regions_of, seen

__all__ = ["CATEGORIES", "UNDETERMINED", "Reading", "classify", "classify_each_day", "disagreements", "recorded_category"]

UNDETERMINED = "cannot be determined"

#: Columns of the canonical ``classifications`` table.
CLASSIFICATION_COLUMNS = ("participant_id", "day", "scheme", "category", "origin", "decided_by")

_KIND_WORDS = {"umn": "UMN", "lmn_clinical": "LMN", "lmn_emg": "EMG"}
_EITHER = {region: BIT["lmn_emg", region, "left"] | BIT["lmn_emg", region, "right"] for region in LIMBS}
_PATTERN = ["yes", "no", *LIMBS]


def _bits(rows: pl.DataFrame, *, value: bool, name: str) -> pl.DataFrame:
    """Return the summed bits of the atoms that hold `value`, per participant."""
    return rows.filter(pl.col("value") == value).group_by("participant_id").agg(pl.col("bit").sum().alias(name))


def _patterns(found: pl.DataFrame, everyone: pl.DataFrame, scheme: Scheme) -> pl.DataFrame:
    """Return per participant the bits known to be present and absent, and whether EMG found an arm or leg without saying which side."""
    every_cell = cells_of(found, scheme)
    regions = regions_of(every_cell, everyone).unpivot(index=["participant_id", "region"], variable_name="kind")
    cells = every_cell.filter(pl.col("region").is_in(list(LIMBS)))
    whole = regions.with_columns(side=pl.lit(None, dtype=pl.String))
    emg = cells.select("participant_id", "region", kind=pl.lit("lmn_emg"), value="lmn_emg", side="side")
    # A record of a limb region without a side that is absent clears both limbs.
    cleared = emg.filter(pl.col("side").is_null(), ~pl.col("value")).drop("side").join(pl.DataFrame({"side": list(SIDES)}), how="cross")
    columns = ["participant_id", "kind", "region", "side", "value"]
    atoms = pl.DataFrame([(*atom, bit) for atom, bit in BIT.items()], schema=["kind", "region", "side", "bit"], orient="row")
    rows = (
        pl.concat([whole.select(columns), emg.filter(pl.col("side").is_not_null()).select(columns), cleared.select(columns)])
        .join(atoms, on=["kind", "region", "side"], nulls_equal=True)
        .group_by("participant_id", "kind", "region", "side", "bit")
        .agg(pl.col("value").any(ignore_nulls=True).alias("found"), pl.col("value").is_not_null().any().alias("examined"))
        .select("participant_id", "bit", value=pl.when(pl.col("found") | pl.col("examined")).then(pl.col("found")))
    )
    unsided = emg.filter(pl.col("side").is_null(), pl.col("value"))
    frame = everyone.join(_bits(rows, value=True, name="yes"), on="participant_id", how="left", maintain_order="left")
    frame = frame.join(_bits(rows, value=False, name="no"), on="participant_id", how="left", maintain_order="left")
    for region in LIMBS:
        some = unsided.filter(pl.col("region") == region).select(pl.col("participant_id").unique(), pl.lit(value=True).alias(region))
        frame = frame.join(some, on="participant_id", how="left", maintain_order="left")
    return frame.with_columns(pl.col("yes", "no").fill_null(0), *(pl.col(region).fill_null(value=False) for region in LIMBS))


def _explain(found: Findings, category: str, scheme: Scheme) -> tuple[str, list[tuple[str, str]]]:
    """Return the clause that was met, and the (kind, region) pairs whose signs met it."""
    lmn = found.lmn if scheme == "El Escorial revised" else found.lmn | found.emg
    lmn_kinds = ("lmn_clinical",) if scheme == "El Escorial revised" else ("lmn_clinical", "lmn_emg")
    together = found.umn & lmn

    def in_order(kinds: Iterable[str], regions: Iterable[str]) -> list[tuple[str, str]]:
        return [(kind, region) for region in REGIONS if region in set(regions) for kind in kinds]

    if category == "definite" or (category == "ALS" and together):
        return "UMN and LMN together", in_order(("umn", *lmn_kinds), together)
    if category == "ALS":
        return "LMN in two regions", in_order(lmn_kinds, lmn)
    if category == "probable":
        return "UMN and LMN in two regions, UMN rostral", in_order(("umn",), found.umn) + in_order(lmn_kinds, lmn)
    if category == "probable, laboratory-supported":
        return "UMN, and LMN by EMG", in_order(("umn",), found.umn) + in_order(("lmn_emg",), found.emg)
    if category == "possible" and together:
        return "UMN and LMN together", in_order(("umn", *lmn_kinds), together)
    if category == "possible" and len(found.umn) >= 2:
        return "UMN in two regions", in_order(("umn",), found.umn)
    if category == "possible":
        return "LMN rostral to UMN", in_order(("umn",), found.umn) + in_order(lmn_kinds, lmn)
    if category == "suspected":
        return "LMN only", in_order(("lmn_clinical", "lmn_emg"), found.lmn | found.emg)
    return "no clause met", in_order(("umn",), found.umn) + in_order(("lmn_clinical", "lmn_emg"), found.lmn | found.emg)


def _name(atom: tuple[str, str, str | None]) -> str:
    kind, region, side = atom
    return f"{_KIND_WORDS[kind]} {region}" + (f" {side}" if side else "")


def _judge(pattern: dict[str, int], scheme: Scheme, reading: Reading) -> dict[str, object]:
    """Return the category of one pattern over every completion of what was not examined."""
    table, names = category_table(scheme, reading), CATEGORIES[scheme]
    yes, no = pattern["yes"], pattern["no"] & ~pattern["yes"]
    either = [bits for region, bits in _EITHER.items() if pattern[region]]
    for bits in either:
        # EMG found the region on a side it does not name while both sides are recorded absent: believe the finding.
        if bits & ~no == 0:
            no &= ~bits
    free = [atom for atom, bit in BIT.items() if not (yes | no) & bit]
    codes = np.array([yes])
    for atom in free:
        codes = np.concatenate([codes, codes | BIT[atom]])
    for bits in either:
        codes = codes[(codes & bits) != 0]
    ranks = table[codes]
    lowest, highest = names[int(ranks.min())], names[int(ranks.max())]
    matters = [atom for atom in free if (ranks != table[codes | BIT[atom]]).any()]
    present = findings(atom for atom in ATOMS if int(codes[ranks.argmin()]) & BIT[atom])
    clause, regions = _explain(present, lowest, scheme)
    return {
        "lowest": lowest,
        "highest": highest,
        "clause": clause,
        "deciding": [f"{kind} {region}" for kind, region in regions],
        "open": ", ".join(_name(atom) for atom in matters),
    }


def _sign_words(found: pl.DataFrame, scheme: Scheme) -> pl.DataFrame:
    """Return per participant and kind of evidence and region the present signs that count, as words."""
    rule = RULES[scheme]
    paired = {name for pair in rule.pairs for name in pair}
    counting = {
        name: kind
        for kind, place in STATUS_COLUMNS.items()
        for name, sign in SIGNS.items()
        if (sign.neuron, sign.evidence) == place and (name not in rule.not_alone or name in paired)
    }
    side = pl.when(pl.col("side").is_null()).then(pl.lit("")).otherwise(" " + pl.col("side"))
    return (
        found.filter(pl.col("present"), pl.col("sign").is_in(list(counting)))
        .with_columns(kind=pl.col("sign").replace_strict(counting, return_dtype=pl.String))
        .group_by("participant_id", "kind", "region")
        .agg(words=(pl.col("sign") + side).sort().str.join(", "))
        .select(
            "participant_id",
            deciding=pl.col("kind") + " " + pl.col("region"),
            words=pl.col("kind").replace_strict(_KIND_WORDS) + " " + pl.col("region") + " (" + pl.col("words") + ")",
        )
    )


def _decide(found: pl.DataFrame, everyone: pl.DataFrame, scheme: Scheme, reading: Reading) -> pl.DataFrame:
    """Return category, lowest, highest and the words of the decision per participant, from signs alone."""
    patterns = _patterns(found, everyone, scheme)
    unique = patterns.select(_PATTERN).unique(maintain_order=True)
    texts = dict.fromkeys(("lowest", "highest", "clause", "open"), pl.String())
    schema: dict[str, pl.DataType] = {**texts, "deciding": pl.List(pl.String)}
    judged = pl.DataFrame([_judge(row, scheme, reading) for row in unique.iter_rows(named=True)], schema=schema)
    result = patterns.join(pl.concat([unique, judged], how="horizontal"), on=_PATTERN, how="left", maintain_order="left")
    words = (
        result.select("participant_id", "deciding")
        .explode("deciding", empty_as_null=False, keep_nulls=False)
        .join(_sign_words(found, scheme), on=["participant_id", "deciding"], maintain_order="left")
        .group_by("participant_id", maintain_order=True)
        .agg(pl.col("words").str.join("; "))
    )
    result = result.join(words, on="participant_id", how="left", maintain_order="left")
    determined = pl.col("lowest") == pl.col("highest")
    said = pl.when(pl.col("words").is_null()).then(pl.col("clause")).otherwise(pl.col("clause") + ": " + pl.col("words"))
    bounds = pl.format("at least {} ({}), at most {}; not examined and able to change it: {}", "lowest", said, "highest", "open")
    return result.select(
        "participant_id",
        category=pl.when(determined).then(pl.col("lowest")).otherwise(pl.lit(UNDETERMINED)),
        decided_by=pl.when(determined).then(said).otherwise(bounds),
        lowest="lowest",
        highest="highest",
    )


def _with_history(decided: pl.DataFrame, history: pl.DataFrame | None) -> pl.DataFrame:
    """Apply the two conditions of the Gold Coast criteria that signs do not show."""
    asked = {"progressive": pl.Boolean, "other_disease_excluded": pl.Boolean}
    given = pl.DataFrame(schema={"participant_id": pl.String, **asked}) if history is None else history
    frame = decided.join(given.select("participant_id", *asked), on="participant_id", how="left", maintain_order="left")
    progressive, excluded = pl.col("progressive"), pl.col("other_disease_excluded")
    refused = (progressive.eq_missing(other=False)) | (excluded.eq_missing(other=False))
    unknown = pl.concat_str(
        pl.when(progressive.is_null()).then(pl.lit("progressive impairment")),
        pl.when(excluded.is_null()).then(pl.lit("exclusion of other disease")),
        separator=", ",
        ignore_nulls=True,
    )
    reason = pl.when(progressive.eq_missing(other=False)).then(pl.lit("impairment is not progressive")).otherwise(pl.lit("other disease"))
    unmet = refused | (pl.col("highest") == "not met")
    held = ~unmet & (progressive.is_null() | excluded.is_null())
    told = pl.concat_str(pl.col("decided_by"), pl.lit("; not recorded: "), unknown)
    return frame.with_columns(
        category=pl.when(refused).then(pl.lit("not met")).when(held).then(pl.lit(UNDETERMINED)).otherwise(pl.col("category")),
        decided_by=pl.when(refused).then(reason).when(held).then(told).otherwise(pl.col("decided_by")),
        lowest=pl.when(unmet | held).then(pl.lit("not met")).otherwise(pl.col("lowest")),
        highest=pl.when(unmet).then(pl.lit("not met")).otherwise(pl.col("highest")),
    ).drop(*asked)


def classify(
    signs: pl.DataFrame,
    scheme: Scheme,
    *,
    day: float | None = None,
    reading: Reading | None = None,
    history: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return the category of every participant of `signs` under `scheme`.

    Parameters
    ----------
    signs : polars.DataFrame
        The canonical ``signs`` table.
    scheme : {"El Escorial revised", "Awaji", "Gold Coast"}
        Whose criteria.
    day : float, optional
        Days from the time origin: signs examined later are not used. Without it, everything recorded is.
    reading : Reading, optional
        How to read the clauses on laboratory support and on the two regions of "probable".
    history : polars.DataFrame, optional
        For Gold Coast: participant_id, progressive, other_disease_excluded (null, or no row: unknown).

    Returns
    -------
    polars.DataFrame
        The columns of the canonical ``classifications`` table (origin "computed"; `day`, or the participant's last
        examined day), then ``lowest`` and ``highest``: the categories still possible, equal when it is determined.
    """
    found = seen(signs, day)
    decided = _decide(found, signs.select(pl.col("participant_id").unique().sort()), scheme, reading or Reading())
    if scheme == "Gold Coast":
        decided = _with_history(decided, history)
    last = found.group_by("participant_id").agg(pl.col("day").max())
    stated = pl.col("day") if day is None else pl.lit(float(day))
    return decided.join(last, on="participant_id", how="left", maintain_order="left").select(
        "participant_id",
        stated.cast(pl.Float64).alias("day"),
        pl.lit(scheme).alias("scheme"),
        "category",
        pl.lit("computed").alias("origin"),
        "decided_by",
        "lowest",
        "highest",
    )


def classify_each_day(
    signs: pl.DataFrame, scheme: Scheme, *, reading: Reading | None = None, history: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return the category on the first examined day and on every day on which it changes, from what was known by then.

    Parameters, columns and sources are those of `classify`; a category holds from its day to the participant's next row.
    """
    visits = (
        signs.filter(pl.col("state") != "not examined").select("participant_id", as_of="day").unique().sort("participant_id", "as_of")
    ).with_columns(visit=pl.int_range(pl.len()).cast(pl.String))
    known = visits.join(signs, on="participant_id").filter(pl.col("day") <= pl.col("as_of"))
    by_visit = known.drop("participant_id", "as_of").rename({"visit": "participant_id"}).select(signs.columns)
    given = None
    if history is not None:
        given = visits.join(history, on="participant_id").drop("participant_id", "as_of").rename({"visit": "participant_id"})
    result = classify(by_visit, scheme, reading=reading, history=given).rename({"participant_id": "visit"})
    dated = visits.join(result.drop("day"), on="visit", how="left", maintain_order="left")
    changed = pl.col("category").ne_missing(pl.col("category").shift()).over("participant_id") | (
        pl.col("as_of") == pl.col("as_of").min().over("participant_id")
    )
    return dated.filter(changed).select(
        "participant_id", pl.col("as_of").alias("day"), "scheme", "category", "origin", "decided_by", "lowest", "highest"
    )


def recorded_category(text: pl.Expr) -> pl.Expr:
    """Return a recorded category in the words of `CATEGORIES`; words that name none of them stay as they are.

    "Clinically definite ALS" is "definite", "Probable Laboratory Supported" is "probable, laboratory-supported".
    """
    low = text.str.to_lowercase()
    return (
        pl.when(low.str.contains("laborator|lab[- ]?support"))
        .then(pl.lit("probable, laboratory-supported"))
        .when(low.str.contains("definite"))
        .then(pl.lit("definite"))
        .when(low.str.contains("probable"))
        .then(pl.lit("probable"))
        .when(low.str.contains("possible"))
        .then(pl.lit("possible"))
        .when(low.str.contains("suspect"))
        .then(pl.lit("suspected"))
        .otherwise(text)
    )


def disagreements(classifications: pl.DataFrame) -> pl.DataFrame:
    """Return where a recorded category and the computed one differ; both stay in the table.

    Each recorded row is held against the computed row of the same participant and scheme with the latest day on or
    before its own; a recorded row without a day against the latest computed row.

    Parameters
    ----------
    classifications : polars.DataFrame
        The canonical ``classifications`` table.

    Returns
    -------
    polars.DataFrame
        participant_id, scheme, recorded, computed, day (of the recorded row), computed_day, decided_by; a computed
        "cannot be determined" is listed too, since it neither confirms nor contradicts.
    """
    keys = ["participant_id", "scheme"]
    known = list(CATEGORIES)
    recorded = classifications.filter(pl.col("origin") == "recorded", pl.col("scheme").is_in(known)).select(
        *keys, "day", recorded=recorded_category(pl.col("category"))
    )
    computed = classifications.filter(pl.col("origin") == "computed").select(
        *keys, computed_day="day", computed="category", decided_by="decided_by"
    )
    paired = (
        recorded.with_row_index("row")
        .join(computed, on=keys)
        .filter(pl.col("day").is_null() | pl.col("computed_day").is_null() | (pl.col("computed_day") <= pl.col("day")))
        .sort("row", "computed_day", nulls_last=False)
        .group_by("row", maintain_order=True)
        .last()
    )
    return paired.filter(pl.col("recorded").str.to_lowercase() != pl.col("computed").str.to_lowercase()).select(
        *keys, "recorded", "computed", "day", "computed_day", "decided_by"
    )
