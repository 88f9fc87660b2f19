"""One study from its file to its report: every step, the run folder, and what can be reused."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alsmodel.study.analysis import AnalysedTrial, analyse
    from alsmodel.study.loading import LoadedStudy, load
    from alsmodel.study.pipeline import Outcome, assure, report_again, run
    from alsmodel.study.questions import Sought, seek, tell
    from alsmodel.study.shards import merge_shards
    from alsmodel.study.spec import Estimand, Study

__all__ = [
    "AnalysedTrial",
    "Estimand",
    "LoadedStudy",
    "Outcome",
    "Sought",
    "Study",
    "analyse",
    "assure",
    "load",
    "merge_shards",
    "report_again",
    "run",
    "seek",
    "tell",
]

_HOMES = {
    "AnalysedTrial": "analysis",
    "analyse": "analysis",
    "assure": "pipeline",
    "Estimand": "spec",
    "LoadedStudy": "loading",
    "Study": "spec",
    "load": "loading",
    "merge_shards": "shards",
    "Outcome": "pipeline",
    "report_again": "pipeline",
    "run": "pipeline",
    "seek": "questions",
    "Sought": "questions",
    "tell": "questions",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
