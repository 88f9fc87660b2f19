"""Compile everything once, by running a very small study from its synthetic data to its report."""

import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from alsmodel.settings import dump_toml
from alsmodel.settings.cache import forget_old_code
from alsmodel.study.pipeline import run
from alsmodel.study.progress import Progress, Silent
from alsmodel.study.synthetic import write_proact

#: Small, but with every kernel that the usual study runs.
TINY: dict[str, Any] = {
    "title": "Warm-up",
    "question": "Does everything compile?",
    "data": {"format": "proact", "folder": "data"},
    "estimand": {
        "population": "synthetic participants",
        "variable": "ALSFRS-R total and death",
        "summary": "none",
        "intercurrent_events": [{"event": "death", "strategy": "modelled jointly"}],
    },
    "model": {
        "decline": {"covariates": ["onset_site"]},
        "survival": {"covariates": ["age"]},
        "treatments": [{"name": "riluzole", "unknown": "unexposed"}],
        "covariates": {"onset_site": {"missing": "own level"}, "age": {"centre": 60, "scale": 10}},
    },
    "sampling": {"chains": 2, "tune": 100, "draws": 100},
    "trial": {
        "n_per_arm": [20],
        "replicates": 4,
        "analyses": [
            {"kind": "random_slope"},
            {"kind": "random_slope", "df_method": "kenward-roger"},
            *({"kind": kind} for kind in ("mmrm", "ancova", "responder", "log_rank", "cox", "rmst", "joint_rank", "win")),
        ],
    },
    "report": {"by": "onset_site", "synthetic": True},
}
#: The same data by the model of several outcomes, whose kernels are others.
TINY_DOMAINS: dict[str, Any] = {name: TINY[name] for name in ("title", "question", "data", "estimand", "sampling")} | {
    "model": {"kind": "domains", "outcomes": [{"name": "bulbar"}, {"name": "respiratory"}], "survival": {"knots": 1}},
    "fit": {"method": "psis"},
}


def warm(progress: Progress | None = None, *, participants: int = 120) -> float:
    """Run the whole path once in a temporary folder and throw the result away; forget code of earlier versions.

    The kernels of the trial are compiled by a process of their own, beside those of the fits: about as long.

    Returns
    -------
    float
        Seconds it took.
    """
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(1, mp_context=get_context("spawn")) as aside:
        base = Path(folder)
        write_proact(participants, 1, base / "data")
        whole, trial = base / "warmup.toml", base / "trial.toml"
        one = TINY["trial"] | {"analyses": TINY["trial"]["analyses"][:1]}  # the others are compiled by the trial that runs aside
        whole.write_text(dump_toml(TINY | {"trial": one}), encoding="utf-8")
        trial.write_text(dump_toml(TINY | {"trial": TINY["trial"] | {"truth": {"kind": "named"}}}), encoding="utf-8")
        domains = base / "domains.toml"
        domains.write_text(dump_toml(TINY_DOMAINS), encoding="utf-8")
        other = aside.submit(_simulate, trial, base / "aside")
        quiet = _Quiet(progress or Silent())
        run(whole, base / "run", until="fit", progress=quiet)
        run(domains, base / "domains", until="fit", progress=quiet)
        other.result()
        run(whole, base / "run", progress=quiet)
    forget_old_code()
    return time.perf_counter() - start


def _simulate(study: Path, out: Path) -> None:
    run(study, out, until="trial")


class _Quiet:
    """Passes stages on, and keeps sentences about a throw-away study, and that it compiles, to itself."""

    def __init__(self, listener: Progress) -> None:
        self.stage = listener.stage

    def say(self, text: str) -> None:
        """Ignore the sentence."""

    def note(self, text: str) -> None:
        """Ignore the note: compiling is what is asked for."""
