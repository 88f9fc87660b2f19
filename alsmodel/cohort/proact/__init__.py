"""PRO-ACT: its own files, of any vintage, to a cohort."""

from pathlib import Path

from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.forms.mapping import authored_map
from alsmodel.cohort.forms.read import read_folder


def read_proact(folder: Path, *, strict: bool = False) -> Cohort:
    """Read PRO-ACT's own CSV files.

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
    return read_folder(folder, authored_map("proact"), provenance={"format": "proact"}, strict=strict)
