"""Tables for people: nothing in them runs, no participant is in them, and they are written whole or not at all."""

import csv
import hashlib
import io
import os
import re
import stat
import unicodedata
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alsmodel.cohort import Cohort
from alsmodel.cohort.export import ISSUE_COLUMNS, csv_writer, issue_table, spreadsheet_safe, write_csv, write_together
from alsmodel.cohort.keys import KEY_FILE, new_key, participant_keys, read_key, write_key
from alsmodel.cohort.tables import conform
from alsmodel.errors import InvalidInput

STARTERS = "=+-@＝＋－＠−"
LEADS = ["", " ", "\t", "\r", "\n", "\u00a0", "\ufeff", "\u200b", "  \t"]
texts = st.one_of(
    st.text(max_size=12),
    st.builds("{}{}{}".format, st.sampled_from(LEADS), st.sampled_from(STARTERS), st.text(max_size=6)),
    st.builds("{};{}{}".format, st.text(max_size=4), st.sampled_from(LEADS), st.sampled_from(STARTERS)),
)


def first_visible(text: str) -> str:
    """The first character that is neither blank nor invisible; an independent reading of the rule."""
    return next((c for c in text if not c.isspace() and unicodedata.category(c)[0] not in "CZ"), "")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("\rx", "'\rx"),
        ("  =1", "'  =1"),
        ("＝1", "'＝1"),
        ("＋1", "'＋1"),
        ("－1", "'－1"),
        ("＠x", "'＠x"),
        ("−1", "'−1"),
        ("\ufeff=1", "'\ufeff=1"),
        ("a;=1", "a;'=1"),
        ('"=1', '"=1'),
        ("a-b", "a-b"),
        ("1+1", "1+1"),
        ("a@b", "a@b"),
        ("'=1", "'=1"),
        ("", ""),
        (None, None),
    ],
)
def test_text_is_escaped_only_where_it_could_run(cell: str | None, expected: str | None) -> None:
    assert spreadsheet_safe(pl.DataFrame({"a": [cell]}, schema={"a": pl.String}))["a"].to_list() == [expected]


@given(cells=st.lists(texts, min_size=1, max_size=6))
def test_no_written_cell_begins_like_a_formula_whatever_the_delimiter(cells: list[str]) -> None:
    cells = [cell.replace("\x00", "").encode("utf-8", "ignore").decode() for cell in cells]
    told = spreadsheet_safe(pl.DataFrame({"a": cells, "b": [-1.5] * len(cells)})).write_csv()
    rows = list(csv.reader(io.StringIO(told, newline="")))[1:]
    assert len(rows) == len(cells)
    for (text, number), cell in zip(rows, cells, strict=True):
        assert text[:1] not in ("\t", "\r", "\n")
        assert all(first_visible(part) not in tuple(STARTERS) for part in re.split(r"[;\t\r\n]", text))
        # Only apostrophes were added, so nothing that was recorded is lost.
        assert text.replace("'", "") == cell.replace("'", "")
        assert number == "-1.5"


def test_numbers_dates_and_truth_values_stay_what_they_are(tmp_path: Path) -> None:
    frame = pl.DataFrame({"i": [-1, 2], "f": [-0.5, 1e-9], "b": [True, None], "d": [None, None]}, schema_overrides={"d": pl.Date})
    write_csv(frame, tmp_path / "a.csv")
    assert spreadsheet_safe(frame).equals(frame)
    assert (tmp_path / "a.csv").read_text() == "i,f,b,d\n-1,-0.5,true,\n2,1e-9,,\n"


def test_categories_and_column_names_are_text_too() -> None:
    frame = pl.DataFrame({"=cmd": ["-a"], "n": [1]}, schema_overrides={"=cmd": pl.Enum(["-a"])})
    assert spreadsheet_safe(frame).to_dict(as_series=False) == {"'=cmd": ["'-a"], "n": [1]}


def test_a_failing_file_leaves_all_older_ones(tmp_path: Path) -> None:
    old = {"a.csv": "old a", "b.csv": "old b"}
    for name, text in old.items():
        (tmp_path / name).write_text(text)

    def broken(path: Path) -> None:
        path.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_together(tmp_path, {"a.csv": csv_writer(pl.DataFrame({"x": [1]})), "b.csv": broken})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == old
    write_together(tmp_path, {"a.csv": csv_writer(pl.DataFrame({"x": [1]}))})
    assert (tmp_path / "a.csv").read_text() == "x\n1\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv"]


def test_written_files_are_as_readable_as_any_file_of_their_maker(tmp_path: Path) -> None:
    write_csv(pl.DataFrame({"x": [1]}), tmp_path / "a.csv")
    (tmp_path / "b").write_text("")
    assert (tmp_path / "a.csv").stat().st_mode == (tmp_path / "b").stat().st_mode


def hmac_by_hand(key: bytes, message: bytes) -> str:
    """RFC 2104, section 2, for a key not longer than a block of 64 bytes."""
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in padded) + inner).hexdigest()


def test_participant_keys_are_hmacs_and_repeat() -> None:
    key = new_key()
    ids = pl.Series(["7", "ü,2", None, "7", ""])
    expected = [None if name is None else "p" + hmac_by_hand(key, name.encode())[:16] for name in ids]
    assert participant_keys(ids, key).to_list() == expected
    assert participant_keys(ids, new_key())[0] != expected[0]
    assert participant_keys(pl.Series([], dtype=pl.String), key).to_list() == []


def test_key_matches_the_published_vector() -> None:
    # RFC 4231, test case 2: key "Jefe", data "what do ya want for nothing?".
    (made,) = participant_keys(pl.Series(["what do ya want for nothing?"]), b"Jefe")
    assert made == "p5bdcc146bf60754e"


def test_a_key_file_is_private_and_read_back(tmp_path: Path) -> None:
    assert read_key(tmp_path) is None
    key = new_key()
    write_key(tmp_path, key)
    assert read_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_key(tmp_path, new_key())


@pytest.mark.parametrize("content", [b"\n", b"12ab", b"zz" * 32, b"00" * 31, b"\xff\xfe"])
def test_a_spoilt_key_is_invalid_input_and_not_shown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(InvalidInput, match="is no key") as caught:
        read_key(tmp_path)
    assert content.decode("latin-1") not in str(caught.value)


def test_the_issue_table_names_no_participant_and_no_cell_unless_asked() -> None:
    issue = {"severity": "error", "rule": "not_a_number", "file": "a.csv", "row": 2, "column": "x", "action": "repaired", "detail": "text"}
    issues = conform("issues", pl.DataFrame([issue | {"participant_id": "SECRET-1", "value": "SECRET-2"}]))
    cohort = Cohort.of(issues=issues)
    plain = issue_table(cohort.issues, bytes(32))
    assert tuple(plain.columns) == ISSUE_COLUMNS
    assert "SECRET" not in plain.write_csv()
    shown = issue_table(cohort.issues, bytes(32), with_values=True)
    assert shown.columns == [*ISSUE_COLUMNS, "value"]
    assert shown["value"].to_list() == ["SECRET-2"]
    assert "SECRET-1" not in shown.write_csv()


def test_files_appear_in_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    write_csv(pl.DataFrame({"x": ["=1"]}), tmp_path / "deep" / "a.csv")
    assert (tmp_path / "deep" / "a.csv").read_text() == "x\n'=1\n"
    assert os.listdir(tmp_path / "deep") == ["a.csv"]
