"""The one way in: a source in any known format to a `Cohort`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alsmodel.cohort.assemble import refuse_errors
from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.forms.mapping import authored_map
from alsmodel.cohort.forms.read import read_folder
from alsmodel.cohort.plain import read_tables
from alsmodel.cohort.sources import TablesSource
from alsmodel.errors import Fault, InvalidInput

FORMATS = ("proact", "tables", "cohort")


def read(
    source: Path | str,
    format: str,
    mapping: TablesSource | Mapping[str, Any] | None = None,
    strict: bool = False,
) -> Cohort:
    """Read a source into the canonical tables; every row is kept, repaired, rejected or set aside, and counted.

    Parameters
    ----------
    source : path
        Folder of the source's files; for "tables" the folder that the file names of `mapping` start from.
    format : {"proact", "tables", "cohort"}
        PRO-ACT's own CSV files; plain long and survival CSV files; a folder written by `Cohort.save`.
    mapping : TablesSource or mapping, optional
        For "tables": which columns are what (the ``[data]`` section of a study).
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
    if not source.is_dir():
        raise InvalidInput([Fault(source.name, "is not a folder.", "Give the folder that holds the data.")])
    if format == "cohort":
        cohort = Cohort.load(source)
        if strict:
            refuse_errors(cohort.issues)
        return cohort
    if format == "proact":
        return read_folder(source, authored_map("proact"), provenance={"format": "proact"}, strict=strict)
    if mapping is None:
        raise InvalidInput([Fault("mapping", 'format "tables" needs to know which columns are what.')])
    from alsmodel.settings import decode

    spec = mapping if isinstance(mapping, TablesSource) else decode(TablesSource, mapping, where="mapping")
    return read_tables(source, spec, strict=strict)
