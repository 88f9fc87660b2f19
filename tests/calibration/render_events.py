"""Print the table of type I errors for the pages of methods: `python -m tests.calibration.render_events`."""

import json
from pathlib import Path

RESULTS, SCORES = (
    json.loads((Path(__file__).parent / f"type_one_{name}.json").read_text(encoding="utf-8")) for name in ("events", "scores")
)


RANKS = ("rank, t", "rank, normal", "win", "net")


def table(rows: list[dict]) -> str:
    """One line per analysis, one column per cell; figures more than 3 Monte Carlo SE from the level in bold."""
    cells = list(dict.fromkeys((row["n"], row["events"]) for row in rows))
    lines = ["| analysis | " + " | ".join(f"n={n}, {share:.0%} events" for n, share in cells) + " |", "|---|" + "---|" * len(cells)]
    for name in dict.fromkeys(row["analysis"] for row in rows):
        found = {(row["n"], row["events"]): row for row in rows if row["analysis"] == name}
        lines.append(f"| {name} | " + " | ".join(shown(found[cell]) if cell in found else "" for cell in cells) + " |")
    return "\n".join(lines)


def shown(row: dict) -> str:
    """The rate, in bold when off its level, with the failed fits that are counted as no rejection."""
    rate, level = row["rejected"] / row["replicates"], RESULTS["alpha"]
    off = abs(rate - level) > 3 * (level * (1 - level) / row["replicates"]) ** 0.5
    failed = f" ({row['failed']} failed)" if row["failed"] else ""
    return (f"**{rate:.4f}**" if off else f"{rate:.4f}") + failed


if __name__ == "__main__":
    ranks = [row for row in RESULTS["rows"] if any(word in row["analysis"] for word in RANKS)]
    print(table([row for row in RESULTS["rows"] if row not in ranks]), table(ranks), table(SCORES["rows"]), sep="\n\n")
