"""Which release of PRO-ACT a folder holds, known by the names of its files."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import final

from alsmodel.cohort.forms.mapping import SourceMap
from alsmodel.errors import Fault

#: Releases by the years in which they were given out: coded workbooks; plain names; PROACT_ before them; F_PROACT_ before them.
CODED, PLAIN, PREFIXED, LATEST = VINTAGES = ("2013", "2015-16", "2022-25", "2026")

_CODED_NAME = re.compile(r"^(?:proact_)?(?:\d{4}_\d{2}_\d{2}_)?(.+)_(data|dictionary)\.(?:xlsx|xlsm|xls|csv)$", re.IGNORECASE)


@final
@dataclass(frozen=True)
class CodedFile:
    """A file of the release of 2013.

    Attributes
    ----------
    path : Path
    form : str
        Name of the form in lower case, without underscores.
    is_dictionary : bool
    """

    path: Path
    form: str
    is_dictionary: bool


def coded_files(folder: Path) -> list[CodedFile]:
    """Return the files named like those of 2013, in the order of their names."""
    found = [(path, _CODED_NAME.match(path.name)) for path in sorted(folder.iterdir()) if path.is_file()]
    return [CodedFile(path, m[1].lower().replace("_", ""), m[2].lower() == "dictionary") for path, m in found if m is not None]


def vintages_of(folder: Path, source: SourceMap, coded_forms: Iterable[str]) -> dict[str, list[str]]:
    """Return the releases that the names in the folder belong to, each with its files; files of no known table are left out."""
    known = {stem for form in source.tables.values() for stem in form.stems}
    forms = set(coded_forms) | known
    found: dict[str, list[str]] = {}
    for file in coded_files(folder):
        # A dictionary alone says nothing: any release may have one beside it.
        if file.form in forms and not file.is_dictionary:
            found.setdefault(CODED, []).append(file.path.name)
    for path in sorted(folder.iterdir()):
        name = path.name.lower()
        if path.is_file() and source.stem(name) in known:
            prefixed = PREFIXED if name.startswith("proact_") else PLAIN
            found.setdefault(LATEST if name.startswith("f_") else prefixed, []).append(path.name)
    return {vintage: found[vintage] for vintage in VINTAGES if vintage in found}


def mixture(found: dict[str, list[str]]) -> list[Fault]:
    """Return a fault when the files of a folder belong to several releases, naming one file of each."""
    if len(found) < 2:
        return []
    names = " and ".join(files[0] for files in found.values())
    message = f"are of different releases of PRO-ACT ({', '.join(found)})."
    return [Fault(names, message, "Keep the files of one release in the folder: participants are not the same in all of them.")]
