"""A real trial from its study file to saved tables; no model is fitted and nothing is simulated."""

import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from alsmodel.cohort.export import csv_writer, write_together
from alsmodel.errors import Fault, InvalidInput
from alsmodel.settings import digest_of, encode, installed_version
from alsmodel.study.data import read_source
from alsmodel.study.loading import LoadedStudy, load
from alsmodel.study.progress import Progress, Silent, working
from alsmodel.study.runs import RunFolder
from alsmodel.trials.comparison import AtDeath

if TYPE_CHECKING:
    from alsmodel.trials.compared import Compared

#: Folder of the results within the run folder.
FOLDER = "analyse"
_VERSIONS = ("alsmodel", "numba", "numpy", "scipy", "polars")


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class AnalysedTrial:
    """What analysing a real trial gave.

    Attributes
    ----------
    folder : Path
        Tables as Parquet and CSV, with a manifest.
    manifest : dict
        Settings, estimand, versions and the digest of the data.
    results : Compared
    """

    folder: Path
    manifest: dict[str, Any]
    results: "Compared"


def analyse(path: Path | str, out: Path | str | None = None, *, progress: Progress | None = None) -> AnalysedTrial:
    """Compare the arms of a real trial as the study's ``[analyse]`` section says, and save the tables.

    Parameters
    ----------
    path : path
        The study file.
    out : path, optional
        Run folder; ``runs/<study>`` by default. The tables lie in its folder ``analyse``.
    progress : Progress, optional
        Whom to tell.

    Raises
    ------
    InvalidInput
        When the study has no ``[analyse]`` section, or it does not fit the data; all faults at once, and nothing is written.
    """
    from alsmodel.trials.compared import compare

    loaded = load(path)
    study, progress = loaded.study, progress or Silent()
    if study.analyse is None:
        remedy = "Add an [analyse] section: control, active, visits, analyses."
        raise InvalidInput([Fault(loaded.path.name, "the study has no real trial to analyse.", remedy)])
    with progress.stage("Reading the data"):
        cohort = read_source(study.data, loaded.base)
    with working(progress, "Comparing the arms"):
        try:
            results = compare(cohort, study.analyse, small_cells=study.report.small_cells)
        except InvalidInput as refusal:
            raise InvalidInput([loaded.placed(fault) for fault in refusal.faults]) from None
    manifest = _manifest(loaded, cohort.digest, results)
    run = RunFolder.open(Path(out) if out is not None else Path("runs") / loaded.name)
    folder = run.replace(FOLDER, partial(_save, results, manifest))
    return AnalysedTrial(folder=folder, manifest=manifest, results=results)


def _manifest(loaded: LoadedStudy, digest: str, results: "Compared") -> dict[str, Any]:
    """Everything that the tables depend on, as plain values; no time stamps and no paths."""
    from alsmodel.trials.compared import MEANING, SMALL_CELL

    study = loaded.study
    assert study.analyse is not None
    settings = encode(study.analyse)
    hidden = None if results.small_cells else f"counts of 1 to {SMALL_CELL - 1} people are null, and <{SMALL_CELL} in the CSV files"
    return {
        "format": "alsmodel analysis of a trial",
        "title": study.title,
        "question": study.question,
        "estimand": asdict(study.estimand),
        "settings": settings,
        "settings_digest": digest_of(settings),
        "data_digest": digest,
        "at_death": {analysis.label: AtDeath.of(analysis, study.analyse) for analysis in study.analyse.analyses},
        "small_cells": hidden,
        "tables": {name: {"rows": frame.height, "holds": MEANING[name]} for name, frame in results.tables.items()},
        "failed": list(results.failed),
        "versions": {name: installed_version(name) for name in _VERSIONS} | {"python": platform.python_version()},
    }


def _save(results: "Compared", manifest: dict[str, Any], folder: Path) -> None:
    """Write every table as Parquet and as spreadsheet-safe CSV, and the manifest, into a new folder."""
    writers: dict[str, Callable[[Path], object]] = {}
    for name, frame in results.tables.items():
        writers[f"{name}.parquet"] = partial(frame.write_parquet, compression="zstd")
        writers[f"{name}.csv"] = csv_writer(results.shown(name))
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    writers["manifest.json"] = lambda path: path.write_text(text, encoding="utf-8", newline="\n")
    write_together(folder, writers)
