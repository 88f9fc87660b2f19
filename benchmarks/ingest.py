"""Wall time and peak memory of reading a large PRO-ACT folder with the shell command, Parquet cohort written.

All 17 tables, 12,000 participants, at least 100,000 assessments, 2,000,000 laboratory rows and 100,000 vital-sign rows, made
by `alsmodel.patients` from a fixed seed (untimed). Ends with one JSON line. The alternative, run live, is the plainest reader
that one would write by hand: each file with `polars.read_csv`, types inferred, written to Parquet, nothing checked.

    python benchmarks/ingest.py [--keep FOLDER] [--participants N]
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SEED = 1
TARGET_SECONDS = 10.0
TARGET_MB = 1500.0
RUNS = 3

MAKE = """
import sys
from alsmodel.patients.proact import benchmark_settings, write
spec, layout = benchmark_settings()
write(spec, int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], layout=layout)
"""

PLAIN = """
import sys
from pathlib import Path
import polars as pl
source, out = Path(sys.argv[1]), Path(sys.argv[2])
out.mkdir(parents=True)
for path in sorted(source.glob("*.csv")):
    pl.read_csv(path, infer_schema_length=None, null_values=["", "NA", "-"]).write_parquet(out / f"{path.stem}.parquet")
"""

ALONE = "import json, sys; sys.path.insert(0, sys.argv[1]); import ingest; print(json.dumps(ingest.timed(sys.argv[2:])))"


def timed(command: list[str]) -> dict[str, float]:
    """Run a command: wall seconds, CPU seconds and peak memory (MB) of all children of this process."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Linux counts the peak in KiB, macOS in bytes.
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"wall_s": wall, "cpu_s": used.ru_utime + used.ru_stime, "peak_mb": peak / 1e6}


def alone(command: list[str]) -> dict[str, float]:
    """Time a command under a parent of its own, so that CPU seconds and peak memory are its own too."""
    here = str(Path(__file__).parent)
    printed = subprocess.run([sys.executable, "-c", ALONE, here, *command], check=True, capture_output=True, text=True).stdout
    result: dict[str, float] = json.loads(printed.splitlines()[-1])
    return result


def make(folder: Path, participants: int) -> dict[str, int]:
    """Write the files unless they are there; rows of each table."""
    if not (folder / "truth.json").exists():
        print(f"Writing {participants:,} synthetic participants (untimed)", file=sys.stderr)
        subprocess.run([sys.executable, "-c", MAKE, str(participants), str(SEED), str(folder)], check=True)
    rows: dict[str, int] = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["rows"]
    return rows


def digest(folder: Path) -> str:
    """SHA-256 over the names and bytes of the CSV files of a folder."""
    total = hashlib.sha256()
    for path in sorted(folder.glob("*.csv")):
        total.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def measure(source: Path, scratch: Path) -> dict[str, float]:
    """Time the command (the first run apart), the plain reader and the start-up."""
    command = [str(Path(sys.executable).with_name("alsmodel")), "ingest", str(source), "--format", "proact", "--quiet", "--out"]
    runs = [alone([*command, str(scratch / f"cohort{i}")]) for i in range(RUNS + 1)]
    best = min(runs[1:], key=lambda run: run["wall_s"])
    plain = alone([sys.executable, "-c", PLAIN, str(source), str(scratch / "plain")])
    startup = alone([sys.executable, "-c", "import alsmodel.cohort"])
    return {
        "value": round(best["wall_s"], 2),
        "peak_mb": round(max(run["peak_mb"] for run in runs)),
        "cpu_s": round(best["cpu_s"], 2),
        "first_run_s": round(runs[0]["wall_s"], 2),
        "alternative_value": round(plain["wall_s"], 2),
        "alternative_peak_mb": round(plain["peak_mb"]),
        "ratio": round(plain["wall_s"] / best["wall_s"], 2),
        "startup_cpu_s": round(startup["cpu_s"], 2),
    }


def main() -> None:
    """Make the data, time the command and print the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="folder for the files; made once and used again")
    parser.add_argument("--participants", type=int, default=12_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        source = arguments.keep or scratch / "raw"
        rows = make(source, arguments.participants)
        record = {
            "name": "ingest",
            "unit": "s",
            "target": TARGET_SECONDS,
            "target_peak_mb": TARGET_MB,
            **measure(source, scratch),
            "alternative": "polars.read_csv and write_parquet of each file, nothing checked",
            "peer": None,
            "peer_value": None,
            "peer_ratio": None,
            "settings": {"participants": arguments.participants, "seed": SEED, "rows": rows, "best_of": RUNS},
            "data_digest": digest(source),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "cache": "warm",
        }
    print(json.dumps(record))


if __name__ == "__main__":
    main()
