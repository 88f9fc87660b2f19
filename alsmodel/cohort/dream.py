"""The long format of the DREAM ALS challenges: a row per participant, day and feature, to a cohort.

Every row is claimed by one form of the mapping, by the name of its form or of its feature. The rows of a form become one row per
participant and day, or per participant; what is found there goes back to the rows of the file, each of which keeps a fate of
its own.

Küffner R, Zach N, Norel R, et al (2015). Crowdsourced analysis of clinical trial data to predict amyotrophic lateral sclerosis
progression. Nat Biotechnol 33:51-57. doi:10.1038/nbt.3051
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import final

import polars as pl

from alsmodel.cohort.cells import flag_copies, need_participant
from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.files.table import TextTable
from alsmodel.cohort.forms.clock import Clock
from alsmodel.cohort.forms.form import Form, match_columns
from alsmodel.cohort.forms.kinds import KINDS
from alsmodel.cohort.forms.long import WideLedger
from alsmodel.cohort.forms.mapping import FormMap, SourceMap, authored_map
from alsmodel.cohort.forms.outcomes import days_told
from alsmodel.cohort.forms.parts import Parts
from alsmodel.cohort.forms.read import joined, read_into
from alsmodel.cohort.ledger import LINE, POSITION, Ledger
from alsmodel.cohort.raw import RawFile, collapsed, open_raw
from alsmodel.errors import Fault, InvalidInput

_FORMS, _SLOPE, _SURVIVAL = "all_forms", "SLOPE", "SURVIVAL"
_FILES = {_FORMS: r"all_?forms_.+", _SLOPE: r"alsfrs_?slope_.+", _SURVIVAL: r"surv_?response_.+"}
#: Columns of the long files -> names here; the first four must be there.
_COLUMNS = {
    "SubjectID": "participant_id",
    "feature_name": "feature",
    "feature_value": "value",
    "feature_delta": "day",
    "form_name": "form",
    "feature_unit": "unit",
}
_NEEDED = tuple(_COLUMNS)[:4]
#: Unknown features named one by one, and what a name may look like to be shown: a cell that has slipped is not.
_MOST_NAMED = 300
_A_NAME = re.compile(r"[A-Za-z][A-Za-z0-9 _.,()/%+#'-]{0,60}")


def read_dream(folder: Path, *, strict: bool = False) -> Cohort:
    """Read the files of a DREAM ALS challenge made of PRO-ACT.

    ``all_forms_*.txt`` hold the features, ``ALSFRS_slope_*.txt`` and ``surv_response_*.txt`` the responses; several of each are
    joined. The slope (points per month between months 3 and 12) becomes the covariate "alsfrs_slope_3_12"; status 1 of the
    survival response is death on that day, another status the last contact.

    Parameters
    ----------
    folder : Path
    strict : bool
        Refuse data with an issue of severity "error".

    Raises
    ------
    InvalidInput
        For every structural fault at once; for row errors when `strict`.
    """
    source = authored_map("dream")
    found, unknown = _matched(folder, source)
    faults: list[Fault] = []
    if not found[_FORMS]:
        faults.append(Fault(folder.name, "holds no file all_forms_<name>.txt.", "Give the challenge's own folder."))
    opened = {kind: [raw for path in paths if (raw := _opened(path, source, faults)) is not None] for kind, paths in found.items()}
    for raw in opened[_FORMS]:
        spelled = {collapsed(column) for column in raw.header}
        lacking = [column for column in _NEEDED if collapsed(column) not in spelled]
        faults += [Fault(f"{raw.name}:1:{column}", "the file has no such column.", "Give the challenge's own file.") for column in lacking]
    responses = [(match_columns(kind, source.tables[kind], raw, faults), raw) for kind in (_SLOPE, _SURVIVAL) for raw in opened[kind]]
    if faults:
        raise InvalidInput(faults)
    parts = Parts()
    claims = Claims(source)
    for raw in opened[_FORMS]:
        read_features(raw, claims, parts)
    for response, raw in responses:
        form = response.load(source, Clock(source.time))
        parts.ledgers[raw.name] = form.ledger
        parts.files.append(raw.without_text())
        parts.seen.append(form.named)
        read_into(form, parts)
        if response.name == _SURVIVAL:
            parts.contacts.append(_followed(form))
    for rule, names in (("file_unknown", unknown), ("file_absent", [kind for kind in (_SLOPE, _SURVIVAL) if not found[kind]])):
        for name in names:
            parts.ledgers[f"{rule}:{name}"] = Ledger(name, 0)
            parts.ledgers[f"{rule}:{name}"].note(rule)
    return joined(parts, source, provenance={"format": "dream"}, strict=strict)


def _matched(folder: Path, source: SourceMap) -> tuple[dict[str, list[Path]], list[str]]:
    found: dict[str, list[Path]] = {kind: [] for kind in _FILES}
    unknown = []
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix.lower() == f".{source.extension}":
            kinds = [kind for kind, pattern in _FILES.items() if re.fullmatch(pattern, path.stem, re.IGNORECASE)]
            if kinds:
                found[kinds[0]].append(path)
            else:
                unknown.append(path.name)
    return found, unknown


def _opened(path: Path, source: SourceMap, faults: list[Fault]) -> RawFile | None:
    raw = open_raw(path, faults, source.delimiter)
    # Cells are not quoted: a mark within free text must not swallow the lines up to the next.
    return None if raw is None else raw.without_quotes()


def _followed(form: Form) -> pl.DataFrame:
    """Return the days up to which the living were followed."""
    alive = [word for word, meaning in form.words("yes_no").items() if meaning == "no"]
    frame = form.ledger.usable(form.frame.drop_nulls("participant_id"))
    frame = frame.filter(pl.col("died").str.to_lowercase().is_in(alive))
    return form.days(frame, "day").drop_nulls("day").group_by("participant_id").agg(pl.col("day").max())


@final
class Claims:
    """Which form of the mapping each row of a long file belongs to.

    Parameters
    ----------
    source : SourceMap

    Attributes
    ----------
    forms : dict
        Name of the form -> the form.
    targets : dict
        Form -> collapsed feature -> name that the kind knows.
    participants : set of str
        Participants of the files read so far.
    """

    def __init__(self, source: SourceMap) -> None:
        self.source = source
        self.forms = {name: form for name, form in source.tables.items() if not form.stems}
        columns = {collapsed(column) for column in _COLUMNS}
        self.targets = {
            name: {collapsed(f): t for f, t in (form.columns | form.variants).items() if collapsed(f) not in columns}
            for name, form in self.forms.items()
        }
        self.aside = {collapsed(feature) for form in self.forms.values() for feature in form.set_aside}
        self.participants: set[str] = set()

    def by_form(self, cell: str, kind: str) -> str | None:
        """Return the form of `kind` that claims rows by the name of their form."""
        return next((n for n, f in self.forms.items() if f.kind == kind and cell.lower() in _lower(f, "form_name")), None)

    def by_feature(self, cell: str) -> tuple[str | None, str | None]:
        """Return the form that claims rows by the name of their feature, and the name that its kind knows."""
        key = collapsed(cell)
        for name, targets in self.targets.items():
            if key in targets:
                return name, targets[key]
        named = next((n for n, f in self.forms.items() if cell.strip().lower() in _lower(f, "feature_name")), None)
        return named, None

    def of(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Add `_claim`, the form of each row (null: none), and `_target`, the name of its feature there."""
        features = {cell: self.by_feature(cell) for cell in frame["feature"].drop_nulls().unique()}
        forms = frame["form"].drop_nulls().unique()
        set_apart = {cell: name for cell in forms if (name := self.by_form(cell, "adverse_events")) is not None}
        laboratory = {cell: name for cell in forms if (name := self.by_form(cell, "labs")) is not None}
        feature, form = pl.col("feature"), pl.col("form")
        by_feature = _looked_up(feature, {cell: name for cell, (name, _) in features.items() if name is not None})
        claimed = frame.with_columns(
            pl.coalesce(_looked_up(form, set_apart), by_feature, _looked_up(form, laboratory)).alias("_claim"),
            _looked_up(feature, {cell: target for cell, (_, target) in features.items() if target is not None}).alias("_target"),
            feature.is_in([cell for cell in features if collapsed(cell) in self.aside]).alias("_aside"),
        )
        return claimed.with_columns(pl.col("_aside") & ~_looked_up(form, set_apart).is_not_null())


def _lower(form: FormMap, column: str) -> set[str]:
    return {cell.lower() for cell in form.where.get(column, ())}


def _looked_up(column: pl.Expr, words: Mapping[str, str]) -> pl.Expr:
    if not words:
        return pl.lit(None, dtype=pl.String)
    return column.replace_strict(list(words), list(words.values()), default=None, return_dtype=pl.String)


def read_features(raw: TextTable, claims: Claims, parts: Parts) -> None:
    """Read one long file into `parts`."""
    source = claims.source
    spelled = {collapsed(column): column for column in raw.header}
    written = {name: spelled[collapsed(column)] for column, name in _COLUMNS.items() if collapsed(column) in spelled}
    frame, ledger = raw.table({column: name for name, column in written.items()}, source.nulls)
    parts.ledgers[raw.name] = ledger
    parts.files.append(raw.without_text())
    for column in raw.header:
        if column and column not in written.values():
            ledger.note("column_unknown", column=column)
    absent = [name for name in _COLUMNS.values() if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in absent)
    written |= {name: name for name in absent}
    # A cell that was quoted has an apostrophe at either end now.
    bare = {name: pl.col(name).str.strip_chars("'") for name in _COLUMNS.values()}
    frame = frame.with_columns(pl.when(~cell.is_in(list(source.nulls))).then(cell).alias(name) for name, cell in bare.items())
    frame = need_participant(frame, ledger, written["participant_id"])
    named = frame["participant_id"].unique()
    twice = pl.col("participant_id").is_in(sorted(claims.participants & set(named)))
    if ledger.flag("participant_in_two_files", frame, twice):
        frame = ledger.usable(frame)
    claims.participants |= set(named)
    parts.seen.append(named)
    if ledger.flag("feature_missing", frame, pl.col("feature").is_null(), column=written["feature"]):
        frame = ledger.usable(frame)
    if flag_copies(frame, ledger):
        frame = ledger.usable(frame)
    frame = claims.of(frame)
    _set_aside(frame, ledger)
    frame = frame.filter(~pl.col("_aside") & pl.col("_claim").is_not_null())
    for name, form in claims.forms.items():
        rows = frame.filter(pl.col("_claim") == name).drop("_claim", "_aside", "form")
        if rows.height:
            _read_rows(Form(name, form, source, Clock(source.time), rows, ledger, written, frozenset(form.columns.values()), named), parts)


def _set_aside(frame: pl.DataFrame, ledger: Ledger) -> None:
    """Set the rows of features that are sums of others, and of unknown ones, aside; each is named, as far as it looks like a name."""
    for rule, rows in (
        ("column_set_aside", frame.filter(pl.col("_aside"))),
        ("feature_unknown", frame.filter(pl.col("_claim").is_null() & ~pl.col("_aside"))),
    ):
        counts = rows.group_by("feature").len().sort("len", "feature", descending=[True, False])
        shown = [name for name in counts["feature"] if _A_NAME.fullmatch(name)][:_MOST_NAMED]
        for name, part in rows.filter(pl.col("feature").is_in(shown)).partition_by("feature", as_dict=True, maintain_order=True).items():
            ledger.flag(rule, part, column=str(name[0]))
        ledger.flag(rule, rows, ~pl.col("feature").is_in(shown), detail="features that are rare, or whose name looks like no name")


def _read_rows(form: Form, parts: Parts) -> None:
    """Read the rows of one form: laboratory results as they are, others as a row per participant and day, or per participant."""
    if form.map.kind == "adverse_events":
        said = form.frame.select("participant_id", start_day="day", stop_day=pl.lit(None, dtype=pl.String))
        parts.later.append(days_told(_with(form, said, form.ledger)).group_by("participant_id").agg(pl.col("day").max()))
        detail = f"rows of the form {form.map.where['form_name'][0]}; of them only the days are used, for the last contact over all tables"
        form.ledger.flag("row_set_aside", form.frame, detail=detail)
        return
    if form.map.kind == "labs":
        frame = form.frame.rename({"feature": "name", "value": "result"}).drop("_target").with_columns(pl.lit(None).alias("matrix"))
        lab = {"name": form.written["feature"], "result": form.written["value"]}
        read_into(_with(form, frame, form.ledger, form.written | lab), parts)
        return
    has_day = "day" in KINDS[form.map.kind].needs
    if has_day:
        form = form.with_days()
    read_into(_pivoted(form, ["participant_id", "day"] if has_day else ["participant_id"]), parts)


def _pivoted(form: Form, keys: list[str]) -> Form:
    """Return the form with a row per key and a column per feature; see `alsmodel.cohort.forms.long.WideLedger`."""
    ledger, frame, written = form.ledger, form.frame, form.written
    if ledger.flag("nothing_recorded", frame, pl.col("value").is_null(), column=written["value"]):
        frame = ledger.usable(frame)
    again = frame.filter(~pl.struct(*keys, "_target").is_first_distinct())
    detail = "another row of this participant, day and feature differs; the first was used"
    if ledger.flag("conflicting_row", again, column=written["value"], detail=detail):
        frame = ledger.usable(frame)
    groups = frame.select(keys).unique(maintain_order=True).with_row_index("_group")
    members = frame.join(groups, on=keys, maintain_order="left").select("_group", POSITION, LINE, "unit", "day", "value", item="_target")
    cells = members.pivot("item", index="_group", values="value", aggregate_function="first") if frame.height else members.select("_group")
    first = members.group_by("_group", maintain_order=True).agg(pl.col(LINE).first(), pl.col("day").drop_nulls().first())
    wide = groups.join(first if "day" not in keys else first.drop("day"), on="_group", maintain_order="left")
    wide = wide.join(cells, on="_group", how="left", maintain_order="left")
    spec = KINDS[form.map.kind]
    known = (*spec.needs, *spec.knows)
    # A unit belongs to one feature, and stands in its row.
    measured = [name for name in wide.columns if f"{name}_unit" in known]
    for name in measured:
        unit = members.filter(pl.col("item") == name).select("_group", pl.col("unit").alias(f"{name}_unit"))
        wide = wide.join(unit, on="_group", how="left", maintain_order="left")
    open_names = [name for name in form.map.columns.values() if ":" in name]
    absent = [name for name in (*known, *open_names) if name not in wide.columns]
    wide = wide.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in absent).rename({"_group": POSITION})
    within = WideLedger(ledger, members.select("_group", POSITION, LINE, "item"), written["value"], wide.height)
    spelled = {name: name for name in wide.columns} | {f"{name}_unit": name for name in measured}
    return _with(form, wide, within, spelled | {"participant_id": written["participant_id"], "day": written["day"]})


def _with(form: Form, frame: pl.DataFrame, ledger: Ledger, written: dict[str, str] | None = None) -> Form:
    return Form(form.name, form.map, form.source, form.clock, frame, ledger, written or form.written, form.given, form.named)
