"""A settings file is either understood in full or refused with everything that is wrong in it."""

import copy
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alsmodel.errors import InvalidInput
from alsmodel.settings import decode, dump_toml, encode, load_toml
from alsmodel.settings.toml import parse_toml


@dataclass(frozen=True, kw_only=True)
class Straight:
    kind: Literal["straight"] = "straight"
    slope: float = -1.0


@dataclass(frozen=True, kw_only=True)
class Curved:
    kind: Literal["curved"] = "curved"
    slope: float = -1.0
    bend: float = 0.0

    def __post_init__(self) -> None:
        if self.bend > 1:
            raise ValueError(f"bend must be at most 1; got {self.bend}.")


@dataclass(frozen=True, kw_only=True)
class Jumping:
    kind: Literal["jumping"] = "jumping"
    slope: float = -1.0
    bend: float = 0.0
    at: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Look:
    month: float
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    title: str
    seed: int = 1
    path: Straight | Curved = field(default_factory=Straight)
    size: int | Literal["auto"] = "auto"
    looks: tuple[Look, ...] = ()
    knots: tuple[float, ...] | None = None
    named: dict[str, Straight] = field(default_factory=dict)
    file: Path | None = None
    quiet: bool = False


GOOD = """\
title = "A plan"   # with a comment
seed = 3
size = 120
knots = [
  1.0, 2.5,
]
file = "data/a.csv"

[path]
kind = "curved"
bend = 0.5

[[looks]]
month = 6

[[looks]]
month = 12.0
name = "final"

[named.first]
slope = -0.5
"""


def faults(text: str) -> list[str]:
    document = parse_toml(text, where="study.toml")
    with pytest.raises(InvalidInput) as caught:
        decode(Plan, document.values, where=document.where, lines=document.lines)
    return [str(fault) for fault in caught.value.faults]


def read(text: str) -> Plan:
    document = parse_toml(text, where="study.toml")
    return decode(Plan, document.values, where=document.where, lines=document.lines)


def test_a_good_file_becomes_frozen_dataclasses() -> None:
    plan = read(GOOD)
    assert plan.path == Curved(bend=0.5)
    assert plan.looks == (Look(month=6.0), Look(month=12.0, name="final"))
    assert plan.knots == (1.0, 2.5)
    assert plan.named == {"first": Straight(slope=-0.5)}
    assert plan.file == Path("data/a.csv")


def test_merged_settings_read_back_as_the_same_plan() -> None:
    plan = read(GOOD)
    assert read(dump_toml(encode(plan))) == plan


def test_a_misspelt_name_gives_its_line_and_the_nearest_name() -> None:
    assert faults(GOOD.replace("bend", "bnd")) == ["study.toml:11: error: path.bnd is not a known setting. Did you mean bend?"]


def test_a_name_of_another_section_is_sent_home() -> None:
    assert faults(GOOD + "bend = 0.1\n") == ["study.toml:22: error: named.first.bend is not a known setting. It belongs under [path]."]


def test_every_fault_is_reported_in_the_order_of_the_file() -> None:
    text = GOOD.replace("seed = 3", "sed = 3").replace('"A plan"', "7").replace("month = 12.0", 'month = "late"')
    text = text.replace("size = 120", "size = true")
    assert faults(text) == [
        "study.toml:1: error: title: expected text, got 7.",
        "study.toml:2: error: sed is not a known setting. Did you mean seed?",
        "study.toml:3: error: size: expected a whole number or 'auto', got true.",
        'study.toml:17: error: looks[1].month: expected a number, got the text "late".',
    ]


def test_a_wrong_kind_lists_the_kinds() -> None:
    assert faults(GOOD.replace('"curved"', '"curvd"')) == [
        "study.toml:10: error: path.kind: expected one of 'straight', 'curved', got the text \"curvd\". Did you mean 'curved'?"
    ]


def test_only_the_chosen_kind_is_talked_about() -> None:
    assert faults(GOOD.replace("bend = 0.5", "bend = 2.0")) == ["study.toml:9: error: path: bend must be at most 1; got 2.0."]
    assert faults(GOOD.replace("bend = 0.5", 'slope = "x"')) == ['study.toml:11: error: path.slope: expected a number, got the text "x".']


@dataclass(frozen=True, kw_only=True)
class Course:
    """Its default stands neither first nor last among the alternatives."""

    path: Straight | Curved | Jumping = field(default_factory=Curved)
    later: tuple[Straight | Curved, ...] = ()
    parts: tuple["Course", ...] = ()
    either: Straight | Curved | None = None


@pytest.mark.parametrize(
    ("section", "made"),
    [
        ({}, Curved()),
        ({"slope": -0.5}, Curved(slope=-0.5)),  # every alternative knows it, and the first would be a straight line
        ({"slope": -0.5, "bend": 0.1}, Curved(slope=-0.5, bend=0.1)),
        ({"at": 3.0}, Jumping(at=3.0)),  # only one knows it
        ({"kind": "straight", "slope": -0.5}, Straight(slope=-0.5)),  # what is said counts
        ({"kind": "jumping", "slope": -0.5}, Jumping(slope=-0.5)),
    ],
)
def test_a_section_that_says_no_kind_has_that_of_the_default(section: dict[str, Any], made: object) -> None:
    course = decode(Course, {"path": section, "parts": [{"path": section}]})
    assert (course.path, course.parts[0].path) == (made, made)
    assert decode(Course, encode(course)) == course


def test_without_a_default_the_names_tell_the_kind_as_before() -> None:
    course = decode(Course, {"later": [{"bend": 0.1}, {"slope": 2.0}], "either": {"bend": 0.2}})
    assert course.later == (Curved(bend=0.1), Straight(slope=2.0))
    assert course.either == Curved(bend=0.2)


@dataclass(frozen=True, kw_only=True)
class Lines:
    path: Straight | Curved | Jumping = field(default_factory=Straight)
    size: int = 1


def test_a_section_that_might_be_of_two_kinds_is_refused_with_its_line_and_with_all_other_faults() -> None:
    document = parse_toml("size = 'x'\n[path]\nbend = 0.5\n", where="study.toml")
    with pytest.raises(InvalidInput) as caught:
        decode(Lines, document.values, where=document.where, lines=document.lines)
    assert [str(fault) for fault in caught.value.faults] == [
        'study.toml:1: error: size: expected a whole number, got the text "x".',
        'study.toml:2: error: path does not say its kind, and bend is known to kind = "curved" and kind = "jumping". '
        'Add kind = "curved" or "jumping".',
    ]
    assert decode(Lines, {"path": {"bend": 0.5, "at": 2.0}}).path == Jumping(bend=0.5, at=2.0)


def test_an_absent_setting_is_named() -> None:
    assert faults("seed = 3\n[[looks]]\nname = 'x'\n") == [
        "study.toml: error: title is needed and absent. Add title = ...",
        "study.toml:2: error: looks[0].month is needed and absent. Add month = ...",
    ]


def test_nan_is_no_number() -> None:
    assert faults(GOOD.replace("bend = 0.5", "bend = nan")) == ["study.toml:11: error: path.bend: expected a number, got nan."]


def test_none_with_another_default_is_refused_rather_than_lost() -> None:
    @dataclass(frozen=True)
    class Odd:
        limit: float | None = 3.0

    with pytest.raises(ValueError, match="TOML cannot say so"):
        encode(Odd(limit=None))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"title = \n", "study.toml:1:9: error: not valid TOML: Invalid value."),
        (b"a = 1\na = 2\n", "study.toml:2:6: error: not valid TOML: Cannot overwrite a value."),
        (b"title = 'x", "study.toml:1: error: not valid TOML: Expected"),
        (b"title = '\xff'", "expected UTF-8 text; byte 9 is not. Save the file as UTF-8."),
        (b"a = " + b"[" * 100_000, "not readable as TOML"),
        (b"a = " + b"9" * 5_000, "not readable as TOML"),
    ],
)
def test_text_that_is_not_toml_is_refused_with_line_and_column(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        load_toml(path)
    assert expected in str(caught.value)


def test_an_absent_file_and_a_folder_are_invalid_input(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.toml"):
        with pytest.raises(InvalidInput):
            load_toml(path)


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    document = load_toml(path)
    assert decode(Plan, document.values) == read(GOOD)
    assert document.lines[("path", "bend")] == 11


def test_lines_survive_strings_that_look_like_structure() -> None:
    text = 'a = """\n[no]\nb = 1\n"""\nc = "# [" # ]\nd.e = { f = [1,\n 2], g = "}" }\n[[x.y]]\nz = 1\n[[x.y]]\n"q r" = 2\n'
    lines = parse_toml(text).lines
    assert lines[("c",)] == 5
    assert lines[("d", "e")] == 6
    assert lines[("x", "y", 0, "z")] == 9
    assert lines[("x", "y", 1, "q r")] == 11
    assert ("b",) not in lines


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """The good file with one to four values replaced, removed, renamed or added."""
    values = copy.deepcopy(parse_toml(GOOD).values)
    for _ in range(draw(st.integers(1, 4))):
        here: Any = values
        while True:
            children = [c for c in (here.values() if isinstance(here, dict) else here) if isinstance(c, dict | list) and c]
            if not children or draw(st.booleans()):
                break
            here = draw(st.sampled_from(children))
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        if not keys:
            continue
        key = draw(st.sampled_from(keys))
        action = draw(st.sampled_from(["replace", "remove", "add"]))
        if action == "replace":
            here[key] = draw(PLAIN)
        elif action == "remove":
            del here[key]
        elif isinstance(here, dict):
            here[draw(st.text(max_size=6))] = draw(PLAIN)
        else:
            here.append(draw(PLAIN))
    return values


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_any_mutation_is_understood_or_refused_as_invalid_input(values: dict[str, Any]) -> None:
    with suppress(InvalidInput):
        plan = decode(Plan, values)
        assert decode(Plan, encode(plan)) == plan


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab=[]{}\",.\n# 1'", max_size=60))
def test_any_text_is_toml_or_invalid_input(text: str) -> None:
    with suppress(InvalidInput):
        parse_toml(text)


TOMLABLE = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), TOMLABLE, max_size=4))
def test_written_toml_reads_back_as_the_same_values(values: dict[str, Any]) -> None:
    assert parse_toml(dump_toml(values, header="settings\nof a test")).values == values
