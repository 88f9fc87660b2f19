"""Arguments and options that several commands share, with one wording each."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what an earlier command made there.")]
Again = Annotated[bool, typer.Option("--force", help="Run every step again, unchanged or not.")]
StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.TOML", help="The study file.", show_default=False)]
RunOut = Annotated[Path | None, typer.Option("--out", metavar="RUN", help="Run folder; runs/<study> by default.", show_default=False)]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Processes for the trial; all cores by default.", show_default=False)]
Replicates = Annotated[
    int | None, typer.Option("--replicates", min=1, help="Virtual trials per scenario; as in the study by default.", show_default=False)
]
Executor = Annotated[str, typer.Option("--executor", metavar="local|dask", help="Processes here, or an existing dask cluster.")]
Scheduler = Annotated[str | None, typer.Option("--scheduler", metavar="ADDRESS", help="Address of the dask scheduler.", show_default=False)]
ShardOption = Annotated[
    str | None, typer.Option("--shard", metavar="I/K", help="Run every K-th block only, as task I of an array job.", show_default=False)
]
