"""Write the page of the evidence on increments at looks: `python -m tests.calibration.render_increments`."""

import json
import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from alsmodel.trials.increments import Scale, Shown
from tests.calibration.increments import AGAIN, EVERY, IN_RANKS, MADE_UP, TO_LAST

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "evidence" / "increments.md"
RESULTS = json.loads((HERE / "increments.json").read_text(encoding="utf-8"))
ROWS: list[dict[str, Any]] = RESULTS["rows"]
ALPHA: float = RESULTS["alpha"]

HEAD = """# Increments at looks

Whether the boundaries of a group-sequential design, which take increments of the score for independent, keep alpha with every analysis
that may decide at looks. Written from `tests/calibration/increments.json` by `python -m tests.calibration.render_increments`; a test
fails when the two disagree, goes through the first {again} trials of every design again, and holds what the package says of an analysis
against these figures. Script, designs and seed: `tests/calibration/increments.py`.

## What was simulated

Trials of the engine under the sharp null: scores that death cuts short, skewed slopes, faster decline dies sooner, 2% leave per month, 4%
of visits missed, visits every 2 months to month 12, Poisson arrivals, two looks and the end. {replicates:,} trials in each of {cells}
designs; every analysis on the same trials; alpha {alpha:g} one-sided, O'Brien-Fleming spending. Monte Carlo SE of a type I error
{mcse:.4f}.

| column | meaning |
|---|---|
| increments | correlation of S_1 with S_2 - S_1, of S_2 - S_1 with S_3 - S_2; S_k = z_k sqrt(I_k), I_k = 1/SE² at look k (SE of it) |
| z; roots | correlation of z at the looks (1, 2), (2, 3), (1, 3), beside the roots of the ratios of mean 1/SE², which it should equal |
| beside the product | r13 - r12 r23 of the correlations of z: 0 where increments are uncorrelated on *some* scale of information |
| end alone | type I error of the final analysis by itself at {alpha:g}: what the test does without looks |
| 1/SE² | type I error with planned fractions by 1/SE² of 1,000 pilot trials (in brackets); none where 1/SE² does not rise |
| squared r | the same with squared correlations of z with that of the end, of the same pilot trials (`planned_fractions`) |
| thirds | the same with fractions of 0.33 and 0.67 |
| as it came | type I error where alpha is spent by 1/SE² of each trial (`information`), for analyses that may |

Bold: a correlation more than {far} SE from 0, a type I error above {alpha:g} + 3 Monte Carlo SE. Joint ranks are taken per participant:
in ranks 1/SE² falls as a trial grows (first control). Designs, seed, number of trials and these limits were fixed beforehand; fractions
by squared correlations were added when a trial run of 500 had shown that 1/SE² of ranks and wins does not rise as a trial goes on.
Analyses are sorted below by correlations of more than {none:g} in size, at 200 per arm (1/SE²) or beside the product (any scale), a
limit set when the figures were there.
"""

TOLD = """## What it shows

**Independent by 1/SE²: {by_information}.** Their increments are uncorrelated in trials of 200 per arm (at most {largest:.2f} in size;
those of log-rank everywhere, at most {log_rank:.2f}). In smaller trials a correlation of up to {smallest:.2f} is left where few of
those who are there at the first look have a score at the last visit: their standard error is an estimate. O'Brien-Fleming boundaries
keep alpha at planned fractions and, RMST apart, at the information that came: {worst:.4f} is the largest type I error. These analyses,
RMST apart, may spend alpha by 1/SE² (`information`). A responder analysis counts at a look those whose day of the last visit has come,
the dead and those who left among them ({responder:.2f} at 200 per arm): each look is a part of the next.

**RMST claims too often in small trials**, with looks as without them: {rmst_alone:.4f} at 50 per arm without any look, {rmst:.4f} with
looks at planned fractions; {rmst_large:.4f} at most from 100 per arm on. At the information that came it is above its limit in two
designs (up to {rmst_came:.4f}), so that it is refused `information`. What to do: enlarge, or lower alpha until an effect of nothing
among the effects of the trial shows that it is kept.

**Not independent by 1/SE²: {by_fractions}.** Everybody is compared from the first look on, so that the spread of ranks and wins hardly
changes while what is compared, the last visit in common, comes later and tells more: 1/SE² stands still or falls where z still moves,
and increments by it are correlated by as much as {joint_rank:.2f} (joint rank) and {win:.2f} (win odds). A weighted log-rank test has
other weights inside its estimate than inside its test ({weighted:.2f}; planned by 1/SE² it claims up to {weighted_error:.4f}). **On the
scale of squared correlations of z they are independent**, to within {beside:.3f}, and O'Brien-Fleming boundaries at such fractions keep
alpha: {low:.4f} to {high:.4f}. They are refused `information`. What to do is to plan by

```python
from alsmodel.trials import planned_fractions

planned_fractions(trial)  # such as (0.29, 0.64, 1.0): squared correlations of z at the looks with that of the end
```

and to give these as `fractions` of `[trial.design.sequential]`. Fractions below them are on the safe side of alpha and lose a little
power (column "thirds"); fractions far above them claim too often (third control, up to {made_up:.4f}).

**Independent on no scale: slopes of participants.** A slope of few months counts like one of many, and looks differ in how many there
are of each: with an early look the first z and the last are correlated by {slopes:.2f} more than the look between allows. The type I
error was kept here ({slopes_low:.4f} to {slopes_high:.4f}); the random slope is the analysis to decide by.

**Pocock's spending** on the same trials, at fractions of the same scales: {pocock:.4f} at most, RMST apart (in the JSON file by
design).

**Not simulated**: joint rank with imputation, reference-based analyses, max-combo. Power is not looked at here.
"""

#: Standard errors from 0 at which a correlation is told from none.
FAR = 4
#: Largest correlation of increments by 1/SE² that is none, in trials of 200 per arm.
NONE = 0.05
NAMES = {
    "mmrm": "MMRM",
    "ancova": "ANCOVA",
    "rmst": "RMST",
    "random_slope": "random slope",
    "log_rank": "log-rank (and Cox, whose score it is)",
    "time_to_drop": "time to a drop",
    "responder": "responders",
    "weighted_log_rank": "weighted log-rank",
    "joint_rank": "joint rank (CAFS)",
    "win": "win ratio, win odds, net benefit",
}
KINDS = {analysis.label: analysis.kind for analysis in EVERY}


def rate(row: dict[str, Any], count: int | None) -> float:
    """Share of claims."""
    return np.nan if count is None else count / row["replicates"]


def limit(row: dict[str, Any]) -> float:
    """Largest type I error that is alpha but for Monte Carlo error."""
    return ALPHA + 3 * float(np.sqrt(ALPHA * (1 - ALPHA) / row["replicates"]))


def error(row: dict[str, Any], count: int | None, fractions: list[float] | None = None) -> str:
    """A type I error, in bold above its limit, with the fractions that were planned."""
    if count is None:
        return ""
    text = f"**{rate(row, count):.4f}**" if rate(row, count) > limit(row) else f"{rate(row, count):.4f}"
    return text if fractions is None else f"{text} ({fractions[0]:.2f}, {fractions[1]:.2f})"


def increments(row: dict[str, Any]) -> str:
    """Correlations of neighbouring increments."""
    shown = []
    for r, se in list(zip(row["increments"], row["increments_se"], strict=True))[:2]:
        text = f"{r:.3f}"
        shown.append((f"**{text}**" if abs(r) > FAR * se else text) + f" ({se:.3f})")
    return ", ".join(shown)


def line(row: dict[str, Any]) -> str:
    """One line of a table."""
    failed = f" ({', '.join(map(str, row['failed']))} failed)" if any(row["failed"]) else ""
    by = [error(row, row["claims"].get(name), row["fractions"].get(name)) for name in ("information", "correlation")]
    cells = (
        row["analysis"].removeprefix("control: ") + failed,
        increments(row),
        f"{', '.join(f'{r:.2f}' for r in row['z'])}; {', '.join(f'{r:.2f}' for r in row['roots'])}",
        f"{row['left_over'][0]:.3f} ({row['left_over'][1]:.3f})",
        error(row, row["claims_one_look"]),
        *by,
        error(row, row["claims"]["thirds"]),
        error(row, row["claims_by_information"]),
    )
    return "| " + " | ".join(cells) + " |"


def table(rows: list[dict[str, Any]]) -> str:
    """Analyses of one design."""
    names = ("analysis", "increments", "z; roots", "beside the product", "end alone", "1/SE²", "squared r", "thirds", "as it came")
    return "\n".join(["| " + " | ".join(names) + " |", "|---" * len(names) + "|", *map(line, rows)])


def wrapped(text: str) -> str:
    """Paragraphs at the width of the page; tables, headings and code as they are."""
    parts = re.split(r"(```.*?```)", text, flags=re.DOTALL)
    for k in range(0, len(parts), 2):
        blocks = parts[k].split("\n\n")
        plain = [k for k, block in enumerate(blocks) if block.strip() and not block.lstrip().startswith(("|", "#"))]
        for place in plain:
            blocks[place] = "\n".join(textwrap.wrap(blocks[place], 140, break_long_words=False, break_on_hyphens=False))
        parts[k] = "\n\n".join(blocks)
    return "".join(parts)


def ordinary() -> dict[str, list[dict[str, Any]]]:
    """Rows by kind of analysis, without controls."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in ROWS:
        if row["analysis"] in KINDS:
            found.setdefault(KINDS[row["analysis"]], []).append(row)
    return found


def scale_of(rows: list[dict[str, Any]]) -> Scale:
    """On which scale of information increments of a kind of analysis are uncorrelated."""
    if max(abs(r) for row in rows if "200 per arm" in row["cell"] for r in row["increments"]) <= NONE:
        return "1/SE²"
    return "none" if max(abs(row["left_over"][0]) for row in rows) > NONE else "correlations"


def figures() -> dict[str, Shown]:
    """What the results show of every kind of analysis."""
    found = {}
    for kind, rows in ordinary().items():
        scale = scale_of(rows)
        name = "information" if scale == "1/SE²" else "correlation"
        errors = [rate(row, row["claims"][name]) for row in rows if name in row["claims"]]
        of = [r for row in rows for r in (row["increments"] if "200 per arm" in row["cell"] else ())]
        of = of if scale == "1/SE²" else [r for row in rows for r in row["increments"][:2]]
        came = [row for row in rows if row["claims_by_information"] is not None]
        spends = scale == "1/SE²" and all(rate(row, row["claims_by_information"]) <= limit(row) for row in came)
        found[kind] = Shown(scale, spends, round(max(of, key=abs), 2), round(min(errors), 4), round(max(errors), 4))
    return found


def told() -> str:
    """What the results show, in words."""
    by_kind, shown = ordinary(), figures()

    def of(scale: str) -> list[str]:
        return [kind for kind, each in shown.items() if each.scale == scale]

    def errors(rows: list[dict[str, Any]], *names: str) -> list[float]:
        found = [rate(row, row[name] if name in row else row["claims"].get(name)) for row in rows for name in names]
        return [each for each in found if np.isfinite(each)]

    rows = [row for kind in of("1/SE²") for row in by_kind[kind]]
    others = [row for kind in of("correlations") for row in by_kind[kind]]
    slopes, rmst, kept = by_kind["participant_slopes"], by_kind["rmst"], [row for row in rows if row not in by_kind["rmst"]]
    small = [row for row in rmst if row["cell"].endswith(", 50 per arm") and "information" in row["claims"]]
    pocock = [row["claims_pocock"]["information"] / row["replicates"] for row in kept]
    pocock += [row["claims_pocock"]["correlation"] / row["replicates"] for row in (*others, *slopes)]
    return TOLD.format(
        by_information=", ".join(NAMES[kind] for kind in of("1/SE²")),
        by_fractions=", ".join(NAMES[kind] for kind in of("correlations")),
        largest=max(abs(r) for row in rows if "200 per arm" in row["cell"] for r in row["increments"]),
        log_rank=max(abs(r) for row in by_kind["log_rank"] for r in row["increments"]),
        smallest=min(r for row in rows for r in row["increments"]),
        worst=max(errors(kept, "information", "claims_by_information")),
        rmst_alone=max(errors(small, "claims_one_look")),
        rmst=max(errors(small, "information")),
        rmst_large=max(errors([row for row in rmst if row not in small], "information")),
        rmst_came=max(errors(rmst, "claims_by_information")),
        **{kind: shown[kind].correlation for kind in ("joint_rank", "win", "responder")},
        weighted=shown["weighted_log_rank"].correlation,
        weighted_error=max(errors(by_kind["weighted_log_rank"], "information")),
        beside=max(abs(row["left_over"][0]) for row in others),
        low=min(errors(others, "correlation")),
        high=max(errors(others, "correlation")),
        made_up=max(errors([row for row in ROWS if row["analysis"] == MADE_UP], "information")),
        slopes=max(row["left_over"][0] for row in slopes),
        slopes_low=min(errors(slopes, "correlation")),
        slopes_high=max(errors(slopes, "correlation")),
        pocock=max(pocock),
    )


CONTROLS = {
    IN_RANKS: "The joint rank with 1/SE² of its estimate in ranks: it falls as a trial grows. Its z are those of the joint rank.",
    TO_LAST: "A difference in mean change up to everybody's last score: what it estimates changes with follow-up, and increments are "
    "independent on no scale.",
    MADE_UP: "z of the time to a drop with fractions 0.90 and 0.95 that nobody has measured: increments by them are correlated, and the "
    "boundaries claim too often.",
}


def render() -> str:
    """The whole page."""
    cells = list(dict.fromkeys(row["cell"] for row in ROWS))
    replicates = ROWS[0]["replicates"]
    mcse = np.sqrt(ALPHA * (1 - ALPHA) / replicates)
    parts = [
        HEAD.format(again=AGAIN, replicates=replicates, cells=len(cells), alpha=ALPHA, mcse=mcse, far=FAR, none=NONE),
        told(),
        "## The designs\n",
    ]
    for cell in cells:
        rows = [row for row in ROWS if row["cell"] == cell and row["analysis"] not in CONTROLS]
        parts.append(f"### {cell[0].upper()}{cell[1:]}\n\n{table(rows)}\n")
    parts.append("## Negative controls\n")
    for control, words in CONTROLS.items():
        rows = [{**row, "analysis": row["cell"]} for row in ROWS if row["analysis"] == control]
        parts.append(f"{words}\n\n{table(rows).replace('| analysis |', '| design |', 1)}\n")
    return wrapped("\n".join(parts))


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
