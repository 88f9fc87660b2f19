"""Tables on the console: a number is whole or folded away with its row, never cut short."""

import pytest

from alsmodel.cli.output import Output, pace

FILES = ["v_NB_IATI_Permanent_Assisted_Ventilation_of_everybody.csv", "all files"]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_counts_stay_whole_beside_long_names_of_files(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    rows = [[FILES[0], 3, 2, 0, 1, 0], [FILES[1], 1_847_123, 1_398_456, 295, 34, 120]]
    Output().table("Rows", ["file", "read", "kept", "repaired", "rejected", "set aside"], rows)
    shown = capsys.readouterr().out
    assert {"1,847,123", "1,398,456", "repaired", "rejected", "295"} <= set(shown.split())
    folded = "".join(line.split()[0] for line in shown.splitlines() if line.strip() and not line.strip().startswith(("Rows", "file", "─")))
    assert FILES[0] in folded


def test_keys_stay_whole_where_a_long_text_can_fold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    Output().table("Effects", ["key", "effect"], [["lacomblez-100-unadjusted", "riluzole against placebo, all participants " * 3]])
    assert "lacomblez-100-unadjusted" in capsys.readouterr().out.split()


@pytest.mark.parametrize("width", [70, 80, 200])
def test_a_long_name_leaves_room_for_the_text_beside_it(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    effects = ["30% slower after 2 months, fewer deaths early", "none at all, and nothing else"]
    rows = [["log-rank, stratified by phenotype", effect, 60, 0.646, 0.021, 10_000, 0] for effect in effects]
    Output().table("Power", ["analysis", "effect", "per arm", "power", "MCSE", "replicates", "failed"], rows)
    shown = capsys.readouterr().out
    assert "effect" in shown
    assert {"0.646", "10,000", "slower", "deaths", "nothing"} <= set(shown.split())


def test_pace_is_work_per_second_and_the_time_left() -> None:
    assert pace(1000, 4000, 10) == ", 100 per s, 0:40 left"
    assert pace(30, 3600, 60) == ", 0.5 per s, 2:00:00 left"
    assert pace(0, 10, 3) == pace(5, 5, 0) == ""


def test_a_stage_on_a_terminal_shows_its_pace_and_not_what_was_there_before(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from rich.console import Console

    clock = iter([100.0, 102.0])
    monkeypatch.setattr("alsmodel.cli.output.time.monotonic", lambda: next(clock))
    seen = io.StringIO()
    output = Output()
    output._progress_console = Console(file=seen, force_terminal=True, width=120, highlight=False)
    with output.stage("Simulating") as advance:
        advance(600, 1000)
        monkeypatch.setattr("alsmodel.cli.output.time.monotonic", lambda: 102.0)
        advance(800, 1000)
    assert "800 of 1,000, 100 per s, 0:02 left" in seen.getvalue()


def test_no_digit_is_lost_however_narrow_the_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    heads = [f"a long head of column {k}" for k in range(8)]
    Output().table("Power", ["analysis", *heads], [["random slope, actual days, arm 2", *(k + 0.125 for k in range(8))]])
    printed = capsys.readouterr().out
    assert all(f"{k}.125" in printed for k in range(8))
    assert max(map(len, printed.splitlines())) > 40


def test_a_log_gets_a_line_every_half_minute(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 1.0, 20.0, 31.0, 45.0, 70.0])
    monkeypatch.setattr("alsmodel.cli.output.time.monotonic", lambda: next(clock))
    with Output().stage("Simulating the trial") as advance:
        for done in (0, 200, 400, 600, 800):
            advance(done, 1000)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "Simulating the trial: 400 of 1,000, 13 per s, 0:45 left",
        "Simulating the trial: 800 of 1,000, 12 per s, 0:17 left",
    ]


def test_compiling_is_told_once_and_apart_from_results(capsys: pytest.CaptureFixture[str]) -> None:
    from numba import njit

    from alsmodel.study.progress import COMPILING, Silent, working

    def compile_two() -> None:
        for number in (1.0, 1):
            njit(lambda x: x + 1)(number)

    with working(Output(), "Simulating"):
        compile_two()
    shown = capsys.readouterr()
    assert (shown.out, " ".join(shown.err.split())) == ("", COMPILING)
    with working(Output(), "Simulating"):  # nothing to compile, nothing to tell
        pass
    with working(Output(quiet=True), "Simulating"):
        compile_two()
    with working(Silent(), "Simulating"):
        compile_two()
    compile_two()
    assert capsys.readouterr().err == ""
