"""Fitted arrays on disk: Parquet for columns, JSON for the rest; read back bit for bit."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.cohort.exposed import ExposureCount
from alsmodel.estimators.laplace import Weighted

Floats = NDArray[np.float64]
_PEOPLE = ("entry_time", "event_time", "event", "onset_shift", "cause", "later_time", "later_event", "free_until", "since_onset")
_VISITS = ("visit_person", "visit_time", "outcome")
_INTERVALS = ("exposure_person", "exposure_drug", "exposure_start", "exposure_stop")


@contextmanager
def replacing(folder: Path | str) -> Iterator[Path]:
    """Give a folder under a temporary name to write into, and put it in place of `folder` when all is written."""
    target = Path(folder)
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    yield part
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)


def write_draws(x: Floats, draws: dict[str, Floats], folder: Path) -> None:
    """Write unconstrained draws (chains, draws, P) and draws by name (chains, draws) into an existing folder."""
    chains, length, size = x.shape
    index = {"chain": np.repeat(np.arange(chains), length), "draw": np.tile(np.arange(length), chains)}
    pl.DataFrame(index | {f"x[{k}]": x[..., k].ravel() for k in range(size)}).write_parquet(folder / "unconstrained.parquet")
    pl.DataFrame(index | {name: value.ravel() for name, value in draws.items()}).write_parquet(folder / "draws.parquet")


def read_draws(folder: Path) -> tuple[Floats, dict[str, Floats]]:
    """Read what `write_draws` wrote."""
    flat, named = pl.read_parquet(folder / "unconstrained.parquet"), pl.read_parquet(folder / "draws.parquet")
    chains = flat["chain"].n_unique()
    shape = (chains, flat.height // chains)
    x = np.ascontiguousarray(flat.drop("chain", "draw").to_numpy().reshape(*shape, -1))
    return x, {name: named[name].to_numpy().reshape(shape) for name in named.columns if name not in ("chain", "draw")}


def write_weighted(weighted: Weighted, folder: Path) -> dict[str, float]:
    """Write weighted draws into an existing folder; returns the facts that `read_weighted` takes beside it."""
    columns = {f"x[{k}]": weighted.x[:, k] for k in range(weighted.x.shape[1])} | {"log_weight": weighted.log_weight}
    pl.DataFrame(columns).write_parquet(folder / "weighted.parquet")
    return {"k_hat": weighted.k_hat, "ess": weighted.ess}


def read_weighted(folder: Path, facts: dict[str, float] | None) -> Weighted | None:
    """Read what `write_weighted` wrote; None where no draws were weighted."""
    if facts is None:
        return None
    frame = pl.read_parquet(folder / "weighted.parquet")
    x = np.ascontiguousarray(frame.drop("log_weight").to_numpy())
    return Weighted(x=x, log_weight=np.array(frame["log_weight"].to_numpy()), **facts)


def write_data(data: JointData, folder: Path) -> None:
    """Write the arrays of `data` into an existing folder."""
    people = {"participant_id": list(data.participant_ids)} | {name: getattr(data, name) for name in _PEOPLE}
    people |= {f"column:{name}": column for name, column in data.columns.items()}
    people |= {f"missing:{name}": column for name, column in data.missing.items()}
    people |= {f"group:{name}": list(column) for name, column in data.groups.items()}
    pl.DataFrame(people).write_parquet(folder / "people.parquet")
    pl.DataFrame({name: getattr(data, name) for name in _VISITS}).write_parquet(folder / "visits.parquet")
    pl.DataFrame({name: getattr(data, name) for name in _INTERVALS}).write_parquet(folder / "intervals.parquet")
    data.steps.write_parquet(folder / "steps.parquet")
    plain = {name: getattr(data, name) for name in ("time_unit", "outcome_name", "transform", "upper")}
    facts = {**plain, "terms": {k: list(v) for k, v in data.terms.items()}, "exposures": [vars(e) for e in data.exposures]}
    (folder / "data.json").write_text(json.dumps(facts, indent=1, sort_keys=True), encoding="utf-8")


def read_data(folder: Path) -> JointData:
    """Read what `write_data` wrote."""
    facts = json.loads((folder / "data.json").read_text(encoding="utf-8"))
    people, visits = pl.read_parquet(folder / "people.parquet"), pl.read_parquet(folder / "visits.parquet")
    intervals = pl.read_parquet(folder / "intervals.parquet")

    def array(frame: pl.DataFrame, name: str) -> np.ndarray:
        return np.array(frame[name].to_numpy())

    def part(prefix: str) -> dict[str, str]:
        return {name.removeprefix(prefix): name for name in people.columns if name.startswith(prefix)}

    known = {field.name for field in fields(ExposureCount)}
    frames = ((people, _PEOPLE), (visits, _VISITS), (intervals, _INTERVALS))
    # What is absent was written before several causes could be told apart; `JointData` knows what that means.
    arrays: dict[str, Any] = {name: array(frame, name) for frame, names in frames for name in names if name in frame.columns}
    return JointData(
        participant_ids=tuple(people["participant_id"].to_list()),
        time_unit=facts["time_unit"],
        outcome_name=facts["outcome_name"],
        transform=facts["transform"],
        upper=facts["upper"],
        **arrays,
        columns={name: array(people, column) for name, column in part("column:").items()},
        missing={name: array(people, column) for name, column in part("missing:").items()},
        groups={name: tuple(people[column].to_list()) for name, column in part("group:").items()},
        terms={name: tuple(columns) for name, columns in facts["terms"].items()},
        exposures=tuple(ExposureCount(**{k: v for k, v in e.items() if k in known}) for e in facts["exposures"]),
        steps=pl.read_parquet(folder / "steps.parquet"),
    )
