"""PRO-ACT: its own files, of any release, to a cohort."""

from pathlib import Path

from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.forms.form import open_folder
from alsmodel.cohort.forms.mapping import authored_map
from alsmodel.cohort.forms.read import read_opened
from alsmodel.cohort.proact.coded import coded_forms, open_coded
from alsmodel.cohort.proact.vintages import CODED, mixture, vintages_of
from alsmodel.cohort.schema_files import load_mapping
from alsmodel.errors import InvalidInput


def read_proact(folder: Path, *, strict: bool = False) -> Cohort:
    """Read PRO-ACT's own files.

    Four releases are known by the names of their files: "2013", coded workbooks with dictionaries; "2015-16", plain names;
    "2022-25", PROACT_ before the names; "2026", F_PROACT_ before them. The one found is in the cohort's provenance.

    Parameters
    ----------
    folder : Path
    strict : bool
        Refuse data with an issue of severity "error".

    Raises
    ------
    InvalidInput
        For every structural fault at once, files of several releases in one folder among them; for row errors when `strict`.
    """
    source, notes = authored_map("proact"), load_mapping("proact_2013")
    found = vintages_of(folder, source, coded_forms(notes))
    faults = mixture(found)
    record = {"format": "proact", "vintage": next(iter(found), "unknown")}
    if CODED in found:
        coded, dictionaries = open_coded(folder, source, notes, faults)
        return read_opened(coded, source, provenance={**record, "dictionaries": dictionaries}, strict=strict)
    try:
        opened = open_folder(folder, source)
    except InvalidInput as error:
        raise InvalidInput([*error.faults, *faults]) from None
    if faults:
        raise InvalidInput(faults)
    return read_opened(opened, source, provenance=record, strict=strict)
