"""Wall time and peak memory of `alsmodel ingest` and `alsmodel validate` on 100,000 participants and 1,000,000 assessments.

PRO-ACT's own files, all tables, made by `alsmodel.patients` from a fixed seed (untimed): two laboratory rows per visit, all
other tables at their usual coverage. `ingest` writes the cohort as Parquet; `validate` reads the files again and writes the
page and the issue tables. The value is the wall time of both together, each in a process of its own. Ends with one JSON line.

    python benchmarks/ingest_large.py [--keep FOLDER]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ingest import SEED, alone, digest

PARTICIPANTS = 100_000
LABS_PER_VISIT = 2
MONTHS_APART = 1.3
TARGET_SECONDS = 60.0
TARGET_MB = 4000.0

MAKE = """
import sys
from alsmodel.patients.proact import benchmark_settings, write
spec, layout = benchmark_settings(labs_per_visit=int(sys.argv[4]), months_apart=float(sys.argv[5]))
write(spec, int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], layout=layout)
"""


def make(folder: Path) -> dict[str, int]:
    """Write the files unless they are there; rows of each table."""
    if not (folder / "truth.json").exists():
        print(f"Writing {PARTICIPANTS:,} synthetic participants (untimed)", file=sys.stderr)
        numbers = [str(PARTICIPANTS), str(SEED), str(folder), str(LABS_PER_VISIT), str(MONTHS_APART)]
        subprocess.run([sys.executable, "-c", MAKE, *numbers], check=True)
    rows: dict[str, int] = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["rows"]
    return rows


def main() -> None:
    """Make the data, time both commands and print the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="folder for the files; made once and used again")
    arguments = parser.parse_args()
    alsmodel = str(Path(sys.executable).with_name("alsmodel"))
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        source = arguments.keep or scratch / "raw"
        rows = make(source)
        ingest = alone([alsmodel, "ingest", str(source), "--format", "proact", "--quiet", "--out", str(scratch / "cohort")])
        validate = alone([alsmodel, "validate", str(source), "--format", "proact", "--quiet", "--out", str(scratch / "account")])
        page = (scratch / "account" / "validation.html").stat().st_size
        record = {
            "name": "ingest-large",
            "unit": "s",
            "value": round(ingest["wall_s"] + validate["wall_s"], 2),
            "target": TARGET_SECONDS,
            "peak_mb": round(max(ingest["peak_mb"], validate["peak_mb"])),
            "target_peak_mb": TARGET_MB,
            "ingest_s": round(ingest["wall_s"], 2),
            "validate_s": round(validate["wall_s"], 2),
            "cpu_s": round(ingest["cpu_s"] + validate["cpu_s"], 2),
            "page_kb": round(page / 1000),
            "settings": {"participants": PARTICIPANTS, "seed": SEED, "rows": rows},
            "data_digest": digest(source),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "cache": "warm",
        }
    print(json.dumps(record))


if __name__ == "__main__":
    main()
