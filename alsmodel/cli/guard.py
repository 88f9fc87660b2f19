"""Exit codes, and errors in words: what a user gave wrong is listed in full, and never as a traceback."""

import functools
import os
import sys
import traceback
from collections.abc import Callable
from enum import IntEnum
from typing import Any

import typer

from alsmodel.cli.output import Output
from alsmodel.errors import AlsmodelError, InvalidInput


class Exit(IntEnum):
    """How a command ended."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    INVALID_INPUT = 3
    CHECK_FAILED = 4
    STOPPED = 130


class UsageFault(Exception):
    """The command was called in a way that cannot be followed, such as onto a folder that is already there."""


def guarded(command: Callable[..., Exit]) -> Callable[..., None]:
    """Turn what `command` returns or raises into an exit code and, for errors, into words on stderr."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        output = Output(as_json=bool(options.get("as_json")), quiet=True)
        try:
            code = command(*arguments, **options)
        except InvalidInput as error:
            code = Exit.INVALID_INPUT
            _explain(output, code, [str(fault) for fault in error.faults], faults=[vars(fault) for fault in error.faults])
        except UsageFault as error:
            code = Exit.USAGE
            _explain(output, code, [f"error: {error}"])
        except KeyboardInterrupt:
            code = Exit.STOPPED
            _explain(output, code, ["stopped. What was finished is kept; the same command goes on from there."])
        except (typer.Exit, typer.Abort):
            raise
        except BrokenPipeError:
            # The reader, such as `head`, has seen enough; nothing more can be written, not even at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = Exit.DONE
        except Exception as error:
            code = Exit.INTERNAL
            _explain(output, code, _internal(error))
        raise typer.Exit(int(code))

    run.__annotations__["return"] = None
    return run


def _explain(output: Output, code: Exit, lines: list[str], **details: Any) -> None:
    print("\n".join(lines), file=sys.stderr, flush=True)
    output.result(status=code.name.lower().replace("_", " "), exit_code=int(code), messages=lines, **details)


def _internal(error: Exception) -> list[str]:
    if os.environ.get("ALSMODEL_TRACEBACK"):
        traceback.print_exc()
        return [f"internal error: {type(error).__name__}"]
    if isinstance(error, OSError) and error.filename is not None:
        return [f"error: {error.filename}: {error.strerror}"]
    first = (str(error) or "no message").splitlines()[0]
    if type(error).__module__.startswith("polars"):
        # Its messages may quote cells, which are participants' data.
        first = "a table could not be computed"
    if isinstance(error, AlsmodelError):
        return [f"error: {first}"]
    return [f"internal error: {type(error).__name__}: {first}", "Set ALSMODEL_TRACEBACK=1 to see where it happened."]
