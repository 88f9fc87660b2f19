"""The same analyses side by side: alsmodel, statsmodels, lifelines, and lme4, nlme and survival where R is there; fits per CPU second.

Runs the live comparisons of `lmm.py` and `survival.py` and puts them into one table; the last line is one JSON object.

    python benchmarks/peers.py [--replicates 500]
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def lines_of(script: str, *options: str) -> list[dict]:
    """What a benchmark prints, one object per line."""
    done = subprocess.run([sys.executable, str(HERE / script), *options], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{script} failed:\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def peers_of(line: dict) -> dict[str, float]:
    """Fits per CPU second of everybody else, run live just now."""
    found = {}
    if line.get("alternative") and line.get("alternative_value"):
        found[line["alternative"].split(",")[0].split(" ")[0]] = line["alternative_value"]
    found |= {name.removesuffix(" (live)"): value for name, value in line.get("peers", {}).items() if name.endswith("(live)")}
    if at := re.search(r"R survival (\d+)/s", line["settings"]):
        found["survival"] = float(at[1])
    return found


def main() -> None:
    """Print the table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=500)
    chosen = parser.parse_args()
    rows = [(line, peers_of(line)) for line in lines_of("lmm.py", "--replicates", str(chosen.replicates)) + lines_of("survival.py")]
    rows = [(line, peers) for line, peers in rows if peers]
    names = list(dict.fromkeys(name for _, peers in rows for name in peers))
    width = max(len(line["name"]) for line, _ in rows)
    print(f"{'fits per CPU second, one core':{width}}  {'alsmodel':>10}" + "".join(f"  {name:>12}" for name in names))
    for line, peers in rows:
        shown = "".join(f"  {peers[name]:>12,.1f}" if name in peers else f"  {'':>12}" for name in names)
        print(f"{line['name']:{width}}  {line['value']:>10,}{shown}")
    smallest = min(line["value"] / max(peers.values()) for line, peers in rows)
    result = {
        "name": "side by side",
        "value": round(smallest, 1),
        "unit": "times the fits per CPU second of the quickest peer, the smallest over the analyses",
        "target": None,
        "peers": names,
        "rows": [{"name": line["name"], "alsmodel": line["value"], **peers} for line, peers in rows],
        "cores": 1,
        "cache": "warm" if all(line.get("cache") == "warm" for line, _ in rows) else "cold",
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
