"""The results folder: records of virtual trials in Parquet parts whose address says what they are.

    <folder>/<digest of scenario, settings and code>/<first replicate>-<one past the last>.parquet

A part is written under a temporary name and renamed, so whatever is there is whole. Which parts there are depends on
blocks, workers and interruptions; what they hold for a replicate does not.
"""

import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

import numpy as np
import numpy.typing as npt
import polars as pl

from alsmodel.errors import Fault, InvalidInput

#: Columns of a part: one row per replicate and analysis.
SCHEMA: dict[str, Any] = {
    "scenario": pl.String,
    "analysis": pl.String,
    "replicate": pl.Int32,
    "estimate": pl.Float64,
    "standard_error": pl.Float64,
    "df": pl.Float64,
    "statistic": pl.Float64,
    "p_value": pl.Float64,
    "z": pl.Float64,
    "bound": pl.Float64,
    "benefit": pl.Boolean,
    "failed": pl.Boolean,
    "status": pl.String,
    "participants": pl.Int32,
    "screened": pl.Int32,
    "events": pl.Int32,
    "left": pl.Int32,
    "look": pl.Int8,
    "rejected_at": pl.Int8,
    "stop": pl.String,
    "duration": pl.Float64,
    "draw": pl.Int32,
    "interim": pl.Float64,
    "intercurrent": pl.List(pl.Int32),
}

#: What each column of a part means.
COLUMNS = {
    "scenario": "digest of the scenario, its settings and the code",
    "analysis": "name of the analysis",
    "replicate": "number of the virtual trial, from 0",
    "estimate": "on the scale of the analysis",
    "standard_error": "of the estimate",
    "df": "degrees of freedom, infinite for a normal reference",
    "statistic": "test statistic",
    "p_value": "two-sided",
    "z": "on the normal scale, positive in favour of the active arm; of two stages where re-estimation says so",
    "bound": "of z for a claim where the trial ended; NaN without looks, after an early stop, and for analyses that do not decide",
    "benefit": "the estimate favours the active arm",
    "failed": "no valid result",
    "status": "how the fit ended",
    "participants": "randomised when the trial stopped, arms of other comparisons included",
    "screened": "candidates screened for them",
    "events": "events known when the trial stopped",
    "left": "participants who had left by then",
    "look": "look at which the trial stopped, counted from 1; the final analysis is the last",
    "rejected_at": "look at which a family rejected the hypothesis, 0 where it did not; -1 without looks, or outside a family",
    "stop": "efficacy, futility, or end",
    "duration": "calendar months from the first randomisation possible to the data of the last analysis",
    "draw": "posterior draw of the truth",
    "interim": "what re-estimation saw: pooled SD, pooled event rate or conditional power; NaN without a look for it",
    "intercurrent": "arm by arm: participants, and how many of them had each intercurrent event by then; empty without any",
}


@final
@dataclass(frozen=True)
class Parts:
    """Parts below one folder."""

    folder: Path

    def spans(self, digest: str) -> list[tuple[int, int]]:
        """Replicates that are there, as (start, stop) in order; parts that overlap earlier ones or cannot be read are left out."""
        found: list[tuple[int, int]] = []
        for path in sorted((self.folder / digest).glob("*-*.parquet")):
            start, stop = (int(number) for number in path.stem.split("-"))
            if (not found or start >= found[-1][1]) and _readable(path):
                found.append((start, stop))
        return found

    def missing(self, digest: str, replicates: int, block: int) -> list[tuple[int, int]]:
        """Replicates below `replicates` that are not there, cut at multiples of `block`."""
        edges = [(0, 0), *self.spans(digest), (replicates, replicates)]
        gaps = [(a[1], min(b[0], replicates)) for a, b in itertools.pairwise(edges)]
        return [
            (max(start, first), min(stop, first + block))
            for start, stop in gaps
            for first in range(start - start % block, stop, block)
            if start < stop
        ]

    def write(self, digest: str, start: int, stop: int, frame: pl.DataFrame) -> None:
        """Put one part in its place, all at once."""
        path = self.folder / digest / f"{start:08d}-{stop:08d}.parquet"
        put(path, lambda temporary: frame.write_parquet(temporary, compression="zstd"))

    def describe(self, digest: str, identity: Callable[[], dict[str, Any]], name: str) -> None:
        """Say in words what the digest stands for; `identity` is asked for only when that has not been said yet."""
        path = self.folder / digest / "scenario.json"
        if not path.exists():
            text = json.dumps({"name": name, **identity()}, indent=1, sort_keys=True) + "\n"
            put_text(path, text)

    def chunks(self, digest: str, replicates: int, size: int) -> Iterator[pl.DataFrame]:
        """Records of replicates 0 to `replicates` in chunks of exactly `size` replicates (the last may be smaller).

        The chunks do not depend on how the parts were cut, so sums over them do not either; one chunk is in memory at a time.
        """
        held: list[pl.DataFrame] = []
        done = filled = 0
        for start, stop in self.spans(digest):
            if start >= replicates:
                break
            frame = pl.read_parquet(self.folder / digest / f"{start:08d}-{stop:08d}.parquet", memory_map=False)
            last = min(stop, replicates)
            while filled < last:
                upto = min(done + size, last)
                held.append(frame.filter(pl.col("replicate").is_between(filled, upto, closed="left")))
                filled = upto
                if filled == done + size or filled == replicates:
                    yield pl.concat(held)
                    held, done = [], filled

    def records(self, digest: str, replicates: int) -> pl.DataFrame:
        """All records of replicates 0 to `replicates`, in order."""
        return pl.concat([pl.DataFrame(schema=SCHEMA), *self.chunks(digest, replicates, 10_000)])


def put(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file under a temporary name of this process, and put it in its place all at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    write(temporary)
    os.replace(temporary, path)


def put_text(path: Path, text: str) -> None:
    """Put a text file in its place all at once."""
    put(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _readable(path: Path) -> bool:
    try:
        return set(pl.read_parquet_schema(path)) == set(SCHEMA)
    except (OSError, pl.exceptions.PolarsError):
        return False


def frame_of(columns: dict[str, npt.NDArray[Any]]) -> pl.DataFrame:
    """A part's records as a table."""
    # A table of counts becomes lists; the others are columns already.
    plain = {name: column.tolist() if column.ndim > 1 else column for name, column in columns.items()}
    return pl.DataFrame({name: pl.Series(name, plain[name], dtype=kind, strict=False) for name, kind in SCHEMA.items()})


def merge(target: Path | str, sources: list[Path]) -> dict[str, int]:
    """Gather the parts of several results folders into one; parts that are there already are kept.

    Parameters
    ----------
    target : path
        Made if missing.
    sources : list of path
        Results folders, for instance those of the shards of an array job.

    Returns
    -------
    dict of str to int
        ``parts`` copied, ``present`` already, ``scenarios`` in the target now.

    Raises
    ------
    InvalidInput
        When a source is no folder, or none of them holds a part.
    """
    remedy = "Give the --out folder of a sharded simulation."
    faults = [Fault(str(source), "is not a folder of results.", remedy) for source in sources if not source.is_dir()]
    # One shard may have had nothing to do; not all of them.
    if not faults and all(next(source.glob("*/*-*.parquet"), None) is None for source in sources):
        faults.append(Fault(str(sources[0]), "holds no parts of a simulation.", "Run alsmodel simulate --shard there first."))
    if faults:
        raise InvalidInput(faults)
    counts = {"parts": 0, "present": 0}
    home = Path(target)
    for source in sources:
        for path in sorted(source.glob("*/*")):
            if path.name.startswith(".") or not (path.suffix == ".json" or _readable(path)):
                continue
            there = home / path.parent.name / path.name
            known = there.exists()
            if path.suffix == ".parquet":
                counts["present" if known else "parts"] += 1
            if not known:
                put(there, partial(shutil.copyfile, path))
    return counts | {"scenarios": sum(1 for path in home.iterdir() if path.is_dir())}


def total(spans: list[tuple[int, int]], upto: int) -> int:
    """Replicates below `upto` in disjoint spans."""
    return int(sum(max(min(stop, upto) - start, 0) for start, stop in spans))


def whole(spans: list[tuple[int, int]], replicates: int) -> bool:
    """Whether replicates 0 to `replicates` are all there."""
    return total(spans, replicates) == replicates


def shard_of(start: int, block: int, shards: int) -> int:
    """Shard, from 1, that computes the block which holds replicate `start`."""
    return int(np.int64(start // block) % shards) + 1
