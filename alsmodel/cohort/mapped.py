"""Files of any layout to a cohort, by a mapping file of the user's own."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import final

from alsmodel.cohort.cohort import Cohort
from alsmodel.cohort.forms.form import Folder, open_folder
from alsmodel.cohort.forms.mapping import FormMap, SourceMap, source_map
from alsmodel.cohort.forms.read import read_opened
from alsmodel.cohort.forms.targets import open_target, word_faults
from alsmodel.errors import Fault, InvalidInput


def read_mapped(source_path: Path | str, mapping_path: Path | str, strict: bool = False) -> Cohort:
    """Read a folder, or one file, by a mapping file.

    Parameters
    ----------
    source_path : path
        The folder in which the mapping's files lie; or one file, which is then read in place of the one file that the mapping
        names, whatever its name.
    mapping_path : path
        TOML; `data_schemas/README.md` says what it may hold.
    strict : bool
        Refuse data with any issue of severity "error".

    Raises
    ------
    InvalidInput
        With every fault of the mapping by its line, among them each question that is not answered; then with every file and
        column that the mapping names and the data lack.
    """
    from alsmodel.settings import digest_of, encode

    source_path, mapping_path = Path(source_path), Path(mapping_path)
    mapping = load_mapping_file(mapping_path)
    found, mapping = _opened(source_path, mapping, mapping_path.name)
    content = mapping_path.read_bytes()
    record = {"name": mapping_path.name, "sha256": hashlib.sha256(content).hexdigest(), "digest": digest_of(encode(mapping))}
    return read_opened(found, mapping, provenance={"format": "mapped", "mapping": record}, strict=strict)


def load_mapping_file(path: Path) -> SourceMap:
    """Load and check a mapping file.

    Raises
    ------
    InvalidInput
        With every fault found; each names the line.
    """
    from alsmodel.settings import load_toml

    document = load_toml(path)
    mapping = source_map(document.values, where=document.where, lines=document.lines)
    faults = list(_Checked(mapping, document.where, document.lines).faults())
    if faults:
        raise InvalidInput(faults)
    return mapping


def _opened(source: Path, mapping: SourceMap, where: str) -> tuple[Folder, SourceMap]:
    if source.is_dir():
        return open_folder(source, mapping), mapping
    if not source.is_file():
        raise InvalidInput([Fault(str(source), "no such file or folder.", "Give the data that the mapping was written for.")])
    files = {form.file.lower() for form in mapping.tables.values() if form.file}
    if len(files) > 1 or not all(form.file or not form.stems for form in mapping.tables.values()):
        message = f"{where} reads several files, and this is one file."
        raise InvalidInput([Fault(source.name, message, "Give the folder that holds them all.")])
    tables = {name: replace(form, file=source.name) for name, form in mapping.tables.items()}
    mapping = replace(mapping, tables=tables)
    return open_folder(source.parent, mapping), mapping


@final
class _Checked:
    """What is wrong in a mapping that its types do not say."""

    def __init__(self, mapping: SourceMap, where: str, lines: Mapping[tuple[str | int, ...], int]) -> None:
        self.mapping, self.where, self.lines = mapping, where, lines

    def faults(self) -> Iterator[Fault]:
        """Yield every fault, in the order of the mapping."""
        if not self.mapping.tables:
            yield self._fault(("tables",), "the mapping has no form.", "Add at least [tables.NAME] with its kind, file and columns.")
        for name, form in self.mapping.tables.items():
            yield from self._form(("tables", name), form)
        # The package's own vocabulary has been added, of which the file says nothing.
        yield from self._words(("words",), {name: words for name, words in self.mapping.words.items() if ("words", name) in self.lines})
        for name, (low, high) in self.mapping.ranges.items():
            if not low <= high:
                yield self._fault(("ranges", name), "expected the least and the most plausible number, in this order.")

    def _form(self, path: tuple[str, ...], form: FormMap) -> Iterator[Fault]:
        if not form.file and not form.stems:
            yield self._fault(path, "the form names no file.", 'Add file = "..." with the name of the file.')
        elif form.file and not _is_plain(form.file):
            message = "expected the name of a file in the folder of the data, not a path."
            yield self._fault((*path, "file"), message, "Put the file into the folder, and name it here.")
        for section, given in (("columns", form.columns.items()), ("constants", ((target, target) for target in form.constants))):
            for written, target in given:
                wrong = open_target(form, target)
                if wrong:
                    yield self._fault((*path, section, written), f"{target}: {wrong}")
        yield from self._words((*path, "words"), form.words)

    def _words(self, path: tuple[str, ...], words: Mapping[str, Mapping[str, str]]) -> Iterator[Fault]:
        for rest, message, remedy in word_faults(words):
            yield self._fault((*path, *rest), message, remedy)

    def _fault(self, path: Iterable[str], message: str, remedy: str = "") -> Fault:
        from alsmodel.settings.toml import line_of

        line = line_of(self.lines, tuple(path))
        return Fault(self.where if line is None else f"{self.where}:{line}", message, remedy)


def _is_plain(name: str) -> bool:
    """Say whether `name` is the name of a file and no way to somewhere else."""
    return name not in ("", ".", "..") and not any(mark in name for mark in ("/", "\\", "\0", ":"))
