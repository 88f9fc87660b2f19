"""A source's mapping as frozen objects: which file is which form, which column is what, how its days count."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, final

from alsmodel.cohort.forms.kinds import KINDS, Kind, is_known
from alsmodel.cohort.forms.questions import answered
from alsmodel.cohort.raw import collapsed
from alsmodel.cohort.schema_files import load_mapping, load_vocabulary
from alsmodel.errors import InvalidInput

Words = dict[str, dict[str, str]]


@final
@dataclass(frozen=True, kw_only=True)
class FormMap:
    """How one file, or one part of a file, is read.

    Attributes
    ----------
    kind : str
        What kind of form it is; see :mod:`alsmodel.cohort.forms.kinds`.
    file : str
        Name of the file in the folder; forms without one are matched by `stems`.
    sheet : str
        Sheet of a spreadsheet; the first without it.
    stems : tuple of str
        File names without prefix, extension and underscores, lower case.
    required : bool
        Without it the folder cannot be read.
    needs : tuple of str
        Columns without which the form cannot be read, as the source spells them.
    columns : mapping
        Column of the file -> name that the kind knows. Columns match in any case, repeated and outer underscores collapsed.
    variants : mapping
        Other names of columns -> name that the kind knows, for sources whose spelling is uncertain; each counts where the
        column of `columns` is not in the file.
    set_aside : tuple of str
        Known columns for which the canonical tables have no place.
    where : mapping
        Column -> cells: only rows with one of these cells belong to the form (any case).
    constants : mapping
        Name that the kind knows -> cell that every row has.
    measure, drug, event, definition : str
        Prefix of the measurements; the drug; the kind of event and the tag of its definition.
    words : mapping
        Name -> (word of the file -> canonical word), before those of the source.
    units : mapping
        Measured name -> unit, for kinds without a unit column.
    """

    kind: Kind
    file: str = ""
    sheet: str = ""
    stems: tuple[str, ...] = ()
    required: bool = False
    needs: tuple[str, ...] = ()
    columns: dict[str, str] = field(default_factory=dict)
    variants: dict[str, str] = field(default_factory=dict)
    set_aside: tuple[str, ...] = ()
    where: dict[str, tuple[str, ...]] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    measure: str = ""
    drug: str = ""
    event: str = ""
    definition: str = ""
    words: Words = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        spec = KINDS[self.kind]
        given = [*self.columns.values(), *self.constants]
        for target in (*given, *self.variants.values()):
            if not is_known(self.kind, target):
                known = ", ".join([*spec.needs, *spec.knows, *(f"{prefix}NAME" for prefix in spec.prefixes)])
                raise ValueError(f"a form of kind {self.kind} has no {target}; it may have {known}.")
            if given.count(target) > 1:
                raise ValueError(f"{target} is given twice.")
        for target in spec.needs:
            if target not in given:
                raise ValueError(f"a form of kind {self.kind} needs a column for {target}.")
        if self.kind == "event" and not (self.event and self.definition):
            raise ValueError("a form of kind event needs event = ... and definition = ....")
        if self.kind == "drug_use" and not self.drug:
            raise ValueError("a form of kind drug_use needs drug = ....")

    @property
    def targets(self) -> dict[str, str]:
        """Collapsed column name -> name that the kind knows."""
        return {collapsed(written): target for written, target in self.columns.items()}

    @property
    def spelled(self) -> dict[str, str]:
        """Name that the kind knows -> column as the mapping spells it."""
        return {target: written for written, target in self.columns.items()}


@final
@dataclass(frozen=True, kw_only=True)
class TimeMap:
    """How the source counts time.

    Attributes
    ----------
    unit : {"day", "week", "month", "year", "date"}
        Unit of every column of days; "date" for calendar dates.
    origin : {"recorded", "first assessment", "column"}
        What day 0 is: the source's own zero; each participant's first ALSFRS-R or ALSFRS assessment; or the column mapped to
        `origin_day` in a form of kind participants. Calendar dates never reach the cohort.
    formats : tuple of str
        Formats of dates beside ISO 8601, as in strftime: "%d/%m/%Y". None is guessed.
    skips_zero : bool
        The source has no day 0: the day before day 1 is day -1, as in SDTM's study days.
    """

    unit: Literal["day", "week", "month", "year", "date"] = "day"
    origin: Literal["recorded", "first assessment", "column"] = "recorded"
    formats: tuple[str, ...] = ()
    skips_zero: bool = False

    def __post_init__(self) -> None:
        if self.unit == "date" and self.origin == "recorded":
            raise ValueError('dates need an origin: "first assessment" or "column".')
        if self.skips_zero and self.unit != "day":
            raise ValueError("skips_zero goes with the unit day.")


@final
@dataclass(frozen=True, kw_only=True)
class SourceMap:
    """The whole mapping of a source.

    Attributes
    ----------
    source : str
        Name of the source, kept with every participant.
    tables : mapping
        Name -> form.
    time : TimeMap
    prefixes : tuple of str
        Beginnings of file names that carry nothing, lower case.
    extension : str
        End of the names of the source's files; files with another are passed over.
    delimiter : str
        What stands between the cells of text files; by the file's ending without it.
    nulls : tuple of str
        Cells that mean missing.
    words : mapping
        Name -> (word of the source -> canonical word), added to the package's vocabulary.
    ranges : mapping
        Measured name -> plausible least and most, in the canonical unit.
    units : mapping
        Measured name -> canonical unit.
    drugs : mapping
        Canonical drug -> names looked for.
    stop_sentinels : tuple of float
        Days that mean "no stop day".
    questions : mapping
        Question -> answer, of what could not be known from the data; see :mod:`alsmodel.cohort.forms.questions`.
    """

    source: str
    tables: dict[str, FormMap]
    time: TimeMap = field(default_factory=TimeMap)
    prefixes: tuple[str, ...] = ()
    extension: str = ""
    delimiter: str = ""
    nulls: tuple[str, ...] = ("", "NA", ".", "-")
    words: Words = field(default_factory=dict)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    drugs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    stop_sentinels: tuple[float, ...] = ()
    questions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = [target for form in self.tables.values() for target in (*form.columns.values(), *form.constants)]
        if self.time.origin == "column" and "origin_day" not in given:
            raise ValueError('time.origin = "column" needs a column mapped to origin_day in a form of kind participants.')
        if self.time.origin == "first assessment" and not any(form.kind.startswith("assessments") for form in self.tables.values()):
            raise ValueError('time.origin = "first assessment" needs a form of kind assessments.')

    def stem(self, file: str) -> str | None:
        """Return the stem by which a file's name is matched, or None for another extension."""
        name = file.lower()
        if self.extension and not name.endswith(f".{self.extension}"):
            return None
        name = name.rsplit(".", 1)[0]
        for prefix in self.prefixes:
            name = name.removeprefix(prefix)
        return name.replace("_", "")


def source_map(values: Mapping[str, Any], *, where: str, lines: Mapping[Any, int] | None = None) -> SourceMap:
    """Build the mapping of a source, with the package's vocabulary beneath it.

    Raises
    ------
    InvalidInput
        With everything wrong in the mapping at once.
    """
    from alsmodel.settings import decode

    settled, faults = answered(values, where=where, lines=lines)
    try:
        given = decode(SourceMap, settled, where=where, lines=lines)
    except InvalidInput as error:
        raise InvalidInput([*faults, *error.faults]) from None
    if faults:
        raise InvalidInput(faults)
    base = load_vocabulary()
    words = {name: {**base["words"].get(name, {}), **given.words.get(name, {})} for name in {**base["words"], **given.words}}
    ranges = {name: (float(low), float(high)) for name, (low, high) in base["ranges"].items()}
    drugs = {drug: tuple(names) for drug, names in base["drugs"].items()}
    from dataclasses import replace

    return replace(given, words=words, ranges=ranges | given.ranges, units=base["units"] | given.units, drugs=drugs | given.drugs)


@cache
def authored_map(source: str) -> SourceMap:
    """Load a mapping of `data_schemas/sources/`."""
    return source_map(load_mapping(source), where=f"{source}.toml")
