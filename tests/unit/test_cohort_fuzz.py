"""Damaged files: either a cohort whose counts add up or InvalidInput, and never another exception."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alsmodel.cohort import read
from alsmodel.errors import InvalidInput
from alsmodel.patients import VirtualCohort, proact

SPLICES = [b"", b",", b'"', b"\n", b"\r\n", b";", b"\t", b" ", b"-", b"NA", b"9999-12-30", b"\xef\xbb\xbf", b"\x00", b"\x81"]
SPLICES += [b"\xe9", "ü".encode(), b"1e400", b"nan", b"1,200", b"-1", b"5", b"<5", b"Yes", b",,,,,,,,", b"\n\n\n", b'""', b"2.5"]

edits = st.lists(st.tuples(st.integers(0, 16), st.floats(0, 1), st.integers(0, 40), st.sampled_from(SPLICES)), min_size=1, max_size=6)

PLAIN: dict[str, Any] = {
    "time_unit": "month",
    "longitudinal": {"file": "long.csv", "participant": "id", "time": "t", "outcomes": ["y"]},
    "survival": {
        "file": "surv.csv",
        "participant": "id",
        "time": "end",
        "event": "status",
        "event_values": [1],
        "covariates": ["age"],
        "participants": {"sex": "sex", "age": "age"},
    },
}
PLAIN_FILES = {
    "long.csv": b"id,t,y\n1,0,40\n1,3.5,38\n2,0,35\n2,2,NA\n10,0,30\n",
    "surv.csv": b"id,end,status,age,sex\n1,12,0,60,M\n2,5.5,1,50,F\n10,8,1,70,F\n",
}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = proact.write(VirtualCohort(), 12, 5, tmp_path_factory.mktemp("pristine"))
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.csv"))}


def damaged(files: dict[str, bytes], changes: list[tuple[int, float, int, bytes]]) -> dict[str, bytes]:
    result = dict(files)
    for which, where, length, splice in changes:
        name = sorted(files)[which % len(files)]
        data = result[name]
        start = int(where * len(data))
        result[name] = data[:start] + splice + data[start + length :]
    return result


def survives(reading: Callable[[], Any]) -> None:
    try:
        cohort = reading()
    except InvalidInput:
        return
    parts = cohort.flow.select(pl.sum_horizontal("kept", "repaired", "rejected", "set_aside")).to_series()
    assert parts.to_list() == cohort.flow["read"].to_list()
    assert len(cohort.digest) == 64


ROUNDS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)


@ROUNDS
@given(changes=edits)
def test_a_damaged_proact_folder_is_read_or_refused(
    pristine: dict[str, bytes], tmp_path: Path, changes: list[tuple[int, float, int, bytes]]
) -> None:
    for name, data in damaged(pristine, changes).items():
        (tmp_path / name).write_bytes(data)
    survives(lambda: read(tmp_path, "proact"))


@settings(ROUNDS, max_examples=80)
@given(changes=edits)
def test_damaged_plain_tables_are_read_or_refused(tmp_path: Path, changes: list[tuple[int, float, int, bytes]]) -> None:
    for name, data in damaged(PLAIN_FILES, changes).items():
        (tmp_path / name).write_bytes(data)
    survives(lambda: read(tmp_path, "tables", PLAIN))
