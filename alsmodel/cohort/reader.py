"""The one way in: a source in any known format to a `Cohort`."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from alsmodel.cohort.assemble import refuse_errors
from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.plain import read_tables
from alsmodel.cohort.sources import TablesSource
from alsmodel.errors import Fault, InvalidInput

#: Format -> module and function that reads a folder of it; loaded when asked for.
_FOLDERS = {
    "proact": ("proact", "read_proact"),
    "dream": ("dream", "read_dream"),
    "answer-als": ("neurobank", "read_answer_als"),
    "all-als": ("neurobank", "read_all_als"),
    "sdtm": ("cdisc", "read_sdtm"),
    "adam": ("cdisc", "read_adam"),
}
FORMATS = (*_FOLDERS, "mapped", "tables", "cohort")


def read(
    source: Path | str,
    format: str,
    mapping: TablesSource | Mapping[str, Any] | Path | str | None = None,
    strict: bool = False,
) -> Cohort:
    """Read a source into the canonical tables; every row is kept, repaired, rejected or set aside, and counted.

    Parameters
    ----------
    source : path
        Folder of the source's files; for "mapped" also one file; for "tables" the folder that the file names of `mapping`
        start from.
    format : str
        "proact", PRO-ACT's own files of any vintage; "dream", the DREAM challenge's long format; "answer-als" and "all-als",
        NeuroBANK exports; "sdtm" and "adam", CDISC data sets; "mapped", any files by a mapping file; "tables", plain long and
        survival CSV files; "cohort", a folder written by `Cohort.save`.
    mapping : TablesSource, mapping or path, optional
        For "tables": which columns are what (the ``[data]`` section of a study). For "mapped": the mapping file.
    strict : bool
        Refuse data with any issue of severity "error".

    Returns
    -------
    Cohort

    Raises
    ------
    InvalidInput
        With all structural faults at once; nothing has been written then.
    """
    source = Path(source)
    if format not in FORMATS:
        raise InvalidInput([Fault("format", f"expected one of {', '.join(FORMATS)}.")])
    if format == "mapped":
        if not isinstance(mapping, Path | str):
            remedy = "Propose one with: alsmodel map FILE --out mapping.toml"
            raise InvalidInput([Fault("mapping", 'format "mapped" needs a mapping file.', remedy)])
        return _reader("mapped", "read_mapped")(source, Path(mapping), strict=strict)
    if not source.is_dir():
        raise InvalidInput([Fault(source.name, "is not a folder.", "Give the folder that holds the data.")])
    if format == "cohort":
        cohort = Cohort.load(source)
        if strict:
            refuse_errors(cohort.issues)
        return cohort
    if format in _FOLDERS:
        return _reader(*_FOLDERS[format])(source, strict=strict)
    if mapping is None or isinstance(mapping, Path | str):
        raise InvalidInput([Fault("mapping", 'format "tables" needs to know which columns are what.')])
    from alsmodel.settings import decode

    spec = mapping if isinstance(mapping, TablesSource) else decode(TablesSource, mapping, where="mapping")
    return read_tables(source, spec, strict=strict)


def _reader(module: str, function: str) -> Callable[..., Cohort]:
    reader: Callable[..., Cohort] = getattr(import_module(f"alsmodel.cohort.{module}"), function)
    return reader
