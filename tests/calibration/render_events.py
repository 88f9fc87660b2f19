"""Print the table of type I errors for the pages of methods: `python -m tests.calibration.render_events`."""

import json
from pathlib import Path

RESULTS = json.loads((Path(__file__).parent / "type_one_events.json").read_text(encoding="utf-8"))


def table(rank: bool) -> str:
    """One line per analysis, one column per cell; figures more than 3 Monte Carlo SE from the level in bold."""
    cells = list(dict.fromkeys((row["n"], row["events"]) for row in RESULTS["rows"]))
    lines = ["| analysis | " + " | ".join(f"n={n}, {share:.0%} events" for n, share in cells) + " |", "|---|" + "---|" * len(cells)]
    for name in dict.fromkeys(row["analysis"] for row in RESULTS["rows"]):
        if any(word in name for word in ("rank, t", "rank, normal", "win", "net")) != rank:
            continue
        found = {(row["n"], row["events"]): row for row in RESULTS["rows"] if row["analysis"] == name}
        lines.append(f"| {name} | " + " | ".join(shown(found[cell]) if cell in found else "" for cell in cells) + " |")
    return "\n".join(lines)


def shown(row: dict) -> str:
    """The rate, in bold when off its level, with the failed fits that are counted as no rejection."""
    rate, level = row["rejected"] / row["replicates"], RESULTS["alpha"]
    off = abs(rate - level) > 3 * (level * (1 - level) / row["replicates"]) ** 0.5
    failed = f" ({row['failed']} failed)" if row["failed"] else ""
    return (f"**{rate:.4f}**" if off else f"{rate:.4f}") + failed


if __name__ == "__main__":
    print(table(rank=False), table(rank=True), sep="\n\n")
