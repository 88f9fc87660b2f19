"""Exit codes say how a command ended, and errors are words, not tracebacks."""

import json

import pytest
import typer

from alsmodel.cli.guard import Exit, UsageFault, guarded
from alsmodel.errors import Fault, FitFailed, InvalidInput


def ends(error: BaseException | None, code: Exit = Exit.DONE, **options: bool) -> int:
    """Exit code of a command that raises `error`, or returns `code`."""

    def command(as_json: bool = False) -> Exit:
        """Do something."""
        if error is not None:
            raise error
        return code

    with pytest.raises(typer.Exit) as caught:
        guarded(command)(**options)
    return caught.value.exit_code


@pytest.mark.parametrize("code", list(Exit))
def test_a_returned_exit_is_the_exit_code(code: Exit) -> None:
    assert ends(None, code) == int(code)


def test_every_fault_of_invalid_input_is_printed_and_the_code_is_3(capsys: pytest.CaptureFixture[str]) -> None:
    faults = [Fault("study.toml:3", "a is wrong.", "Do b."), Fault("x.csv:2:1", "c is missing.")]
    assert ends(InvalidInput(faults)) == 3
    assert capsys.readouterr().err == "study.toml:3: error: a is wrong. Do b.\nx.csv:2:1: error: c is missing.\n"


def test_json_carries_the_faults(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(InvalidInput([Fault("study.toml:3", "a is wrong.", "Do b.")]), as_json=True) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["status"] == "invalid input"
    assert told["exit_code"] == 3
    assert told["faults"] == [{"place": "study.toml:3", "message": "a is wrong.", "remedy": "Do b."}]


def test_an_internal_error_is_one_line_and_says_how_to_see_more(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ALSMODEL_TRACEBACK", raising=False)
    assert ends(ZeroDivisionError("division by zero\nsecond line")) == 1
    assert capsys.readouterr().err.splitlines() == [
        "internal error: ZeroDivisionError: division by zero",
        "Set ALSMODEL_TRACEBACK=1 to see where it happened.",
    ]


def test_the_traceback_is_shown_on_request(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALSMODEL_TRACEBACK", "1")
    assert ends(ZeroDivisionError("division by zero")) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_failed_fit_is_no_bug_and_still_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(FitFailed("no mode was found.")) == 1
    assert capsys.readouterr().err == "error: no mode was found.\n"


def test_stopping_is_130_and_usage_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(KeyboardInterrupt()) == 130
    assert ends(UsageFault("out exists.")) == 2
    assert "error: out exists." in capsys.readouterr().err
