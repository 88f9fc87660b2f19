"""The study's data section: which files it means, and how to read them."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

from alsmodel.cohort import Cohort, read
from alsmodel.cohort.sources import CohortSource, FolderSource, MappedSource, ProactSource, TablesSource
from alsmodel.errors import Fault
from alsmodel.settings.toml import SettingPath

Source = TablesSource | ProactSource | FolderSource | MappedSource | CohortSource


def named_files(source: Source) -> dict[SettingPath, Path]:
    """The files and folders that `source` names, by the setting that names each; relative to the study file."""
    if isinstance(source, TablesSource):
        files: dict[SettingPath, Path] = {("data", "longitudinal", "file"): Path(source.longitudinal.file)}
        if source.survival is not None:
            files["data", "survival", "file"] = Path(source.survival.file)
        return files
    if isinstance(source, MappedSource):
        return {("data", "path"): Path(source.path), ("data", "mapping"): Path(source.mapping)}
    return {("data", "folder"): Path(source.folder)}


def file_faults(source: Source, base: Path) -> dict[SettingPath, Fault]:
    """What is wrong with the files of `source`, by setting; each place is still to be completed with a line."""
    faults: dict[SettingPath, Fault] = {}
    for setting, relative in named_files(source).items():
        path = base / relative
        # A mapping may be for a folder or for one file.
        is_file = path.is_file() if setting[-1] == "path" else not isinstance(source, ProactSource | FolderSource | CohortSource)
        name = ".".join(str(part) for part in setting)
        kind = "file" if is_file else "folder"
        if not path.exists():
            faults[setting] = Fault("", f"{name}: there is no {kind} {relative.as_posix()}.", "Paths are relative to the study file.")
        elif path.is_file() != is_file:
            faults[setting] = Fault("", f"{name}: {relative.as_posix()} is not a {kind}.")
    return faults


def rebased(source: Source, base: Path, new: Path) -> Source:
    """The same source for a study file that lies in `new` instead of `base`."""

    def move(relative: str) -> str:
        try:
            return Path(os.path.relpath(base / relative, new)).as_posix()
        except ValueError:  # on another drive, from where no relative path leads here
            return (base / relative).absolute().as_posix()

    if isinstance(source, TablesSource):
        survival = source.survival and replace(source.survival, file=move(source.survival.file))
        return replace(source, longitudinal=replace(source.longitudinal, file=move(source.longitudinal.file)), survival=survival)
    if isinstance(source, MappedSource):
        return replace(source, path=move(source.path), mapping=move(source.mapping))
    return replace(source, folder=move(source.folder))


def content_digest(source: Source, base: Path) -> str:
    """SHA-256 over the names and the bytes of every file that reading `source` may open."""
    total = hashlib.sha256()
    for relative in named_files(source).values():
        path = base / relative
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                with file.open("rb") as stream:
                    inner = hashlib.file_digest(stream, "sha256").hexdigest()
                total.update(f"{file.relative_to(path).as_posix()}\0{inner}\n".encode())
    return total.hexdigest()


def read_source(source: Source, base: Path) -> Cohort:
    """Read the study's data.

    Raises
    ------
    InvalidInput
        When the source has a structural fault.
    """
    if isinstance(source, TablesSource):
        return read(base, "tables", mapping=source)
    if isinstance(source, MappedSource):
        return read(base / source.path, "mapped", mapping=base / source.mapping)
    return read(base / source.folder, source.format)
