"""Write ``docs/evidence/README.md`` from ``models.toml`` and the rank files: ``python -m tests.calibration.render``."""

from pathlib import Path
from typing import Any

from tests.calibration.controls import NAMES
from tests.calibration.literal import Mapping
from tests.calibration.rows import EVIDENCE, Row, read_models, read_rows
from tests.calibration.run import file_name, load, path_of
from tests.calibration.sbc import LOGLIK, judge

PAGE = EVIDENCE / "README.md"

TEXT = """# Evidence

What of the models has been shown to be right, and what has not. Written from [models.toml](models.toml) and [ranks/](ranks) by
`python -m tests.calibration.render`; a test fails when this page and the files disagree. The models are described in
[../methods/joint_model.md](../methods/joint_model.md) and, for several outcomes, [../methods/domain_model.md](../methods/domain_model.md).

The joint family is a product of parts, so the table holds one base model and every part swapped in once. Models of several outcomes have
a likelihood of their own and stand below it, by the same rule.

| column | what it says |
|---|---|
| density | the compiled likelihood equals a brute-force integral, written apart, and the prior is the one stated (in `make test`) |
| gradient | it equals the differenced density (both in `tests/calibration/test_density.py` and `test_density_domains.py`) |
| recovery | one fit of {recovered:,} participants: largest (posterior mean - truth) / SD over the parameters, held to {most_deviation} |
| SBC | simulation-based calibration, below |

## The table

{rows}

"current, carried": the code has changed since; the eight or nine simulations named in the file were drawn and fitted again by the
present code, and every rank of every quantity was the same, or differed by the one place that the last bit of a weight can move it (by
three at most where they were fitted again on a processor of another kind, which the file then names). Of
simulations that went by NUTS, whose chains part at the last bit, ranks were within 35 of 99 and within 12 on average, as those of two
sets of draws of one posterior are. "stale": the code, the specification or the generator has changed since; verdict and figures are
those of the code before, and nothing is claimed for the present one. "rejected" stands as it fell: no row is
run again on other seeds until it passes.

## Simulation-based calibration

Parameters are drawn from the priors, data from the parameters, and the model is fitted to the data. If code, generator and sampler all
mean the same model, the rank of the true value among {kept} thinned posterior draws is uniform, for every parameter and for the
log-likelihood (Talts and others 2018, arXiv 1804.06788). The log-likelihood is there because a model that ignores its data passes on the
parameters alone (Modrak and others, Bayesian Analysis 2025;20:461, doi 10.1214/23-BA1404; second control).

- Generator: `tests/calibration/literal.py` (with `literal_groups.py` where association or noise differ between groups), numpy only, one
  participant after the other: own clocks, event times by inverting a cumulative hazard added up over cells of 0.01 month, visits that end
  with the event, people who die before entry drawn again. Nothing is shared with the package. Several outcomes: truth by
  `tests/calibration/literal_domains.py`, participants by `tests/unit/literal_domains.py`, correlation matrices effect by effect, scores
  cut at the ends of the scale.
- Fit: by the route of `alsmodel.inference.fit.fit_data` with `method="auto"`: mode, quadrature judged, draws around the mode weighted by
  Pareto-smoothed importance sampling; where the weights fail their checks, whitened NUTS, {chains} chains of {draws} draws after {tune}
  (column "by NUTS"). The second attempt of NUTS, with more draws of the same density when chains are short of the gate, is left out.
  Several outcomes go by the same route of `alsmodel.inference.domain_fit.fit_domain_data`.
- Size: {simulations} simulations of {participants} participants per row, where `models.toml` does not say otherwise. Priors, all stated
  there, do not look at the data; where covariates are missing, the generator draws them as the imputation assumes, around the mean of
  those recorded.
  Of several outcomes the prior of residual SDs is cut below {least_residual} points (rounding to whole points alone has an SD of 0.29), in
  the truths and in the draws that are ranked.
- Rule, fixed before the first run: three tests of each quantity (chi-square over {bins} bins, mean rank, spread of the ranks). A row is
  rejected when any p-value falls below {level} / (3 x quantities), so a true row is rejected with chance {level}. More than
  {failures:.0%} of simulations without a fit also bars "proven".

With {simulations} simulations the rule finds a posterior that is shifted by 0.27 of its SD, or an SD wrong by a fifth, with even odds;
smaller errors may pass.

## By NUTS alone

The same simulations with `method="nuts"`, where they have been run.

{by_nuts}

## Negative controls

Rows broken on purpose, the base row unless a name says otherwise; the same rule must reject all but "few data". A Jacobian matters only
where data are few, so that control has 5 participants, and the right density with the same 5 stands below it. "domains censoring ignored":
data of the row `domains`, fitted with Gaussian noise as if no score had been cut at an end of its scale.

{controls}

## Beside other software

On data that is not ours, or on 300 simulated participants; limits are a quarter of a posterior SD for means and a tenth for SDs, and
Monte Carlo error. All hold in `make test` (`tests/reference`; scripts and raw outputs in `tests/goldens`).

| software | model and data | largest distance of a mean | SDs |
|---|---|---|---|
| JMbayes2, JM | joint, piecewise and Weibull; pbc2, 300 participants, valproate trial | within 0.25 to 0.35 SD | within 9% (JMbayes2) |
| rstanarm 2.21.3, `stan_jm` | joint, Weibull hazard, current value; 300 participants, 13 parameters | 0.11 SD (slope:arm) | within 10% |
| brms 2.18.0 | mixed model alone; 300 participants, 7 parameters | 0.05 SD (correlation) | within 8% |

Their priors are not this package's: stan_jm's scale with the data, brms's are wide normal ones.

## Not shown here

{missing}

## Repeating it

`make calibrate` runs everything. `python -m tests.calibration.run --row weibull --resume` goes on with one row.
`make test` repeats two simulations of one row, another each day, and compares their ranks with the file.

The analyses of simulated trials have pages of their own: [increments at looks](increments.md), and type I errors in
[the guide to trials](../methods/trial_simulation.md).
"""


def standing(row: Row, rule: Mapping) -> tuple[str, str]:
    """Recovery and SBC as the files show them: "proven", "rejected", "partial", "not run"; "stale" when the code has changed since."""
    if not path_of(row.name).is_file():
        return "not run", "not run"
    record = load(row.name)
    if record["digests"] != row.digests:
        return "stale", "stale"
    return verdicts(record, rule)


def verdicts(record: dict[str, Any], rule: Mapping) -> tuple[str, str]:
    """Recovery and SBC of the code that the file was made with."""
    recovery, recovered = record["recovery"], "not run"
    if recovery is not None:
        recovered = "proven" if recovery.get("largest", float("inf")) <= rule["recovery"]["most_deviation"] else "rejected"
    if record["simulations"] < rule["simulations"]:
        return recovered, "partial"
    sound = judge(record["ranks"], rule).passed and len(record["failed"]) <= rule["most_failures"] * record["simulations"]
    return recovered, "proven" if sound else "rejected"


def _line(row: Row, rule: Mapping, method: str = "auto") -> str:
    cells = [f"`{row.name}`", row.part, "tested", "tested"] if method == "auto" else [f"`{row.name}`"]
    if not path_of(file_name(row, method)).is_file():
        return _cells([*cells, "not run", "not run", "", "", "", ""])
    record = load(file_name(row, method))
    recovered, sbc = verdicts(record, rule)
    fresh = "stale" if record["digests"] != row.digests_by(method) else "current, carried" if "carried" in record else "current"
    recovery = record["recovery"]
    shown = "not run" if recovery is None else f"{recovered} ({recovery.get('largest', 'no fit')}, {recovery.get('parameter', '')})"
    counts = [str(len(record["failed"])), str(len(record["fallbacks"])) if method == "auto" else str(record["divergences"])]
    return _cells([*cells, shown, f"{sbc}, {fresh}", str(record["simulations"]), _smallest(record, rule), *counts])


def _smallest(record: dict[str, Any], rule: Mapping) -> str:
    return str(judge(record["ranks"], rule))


def _cells(values: list[str]) -> str:
    return "| " + " | ".join(values) + " |"


def _table(head: list[str], lines: list[str]) -> str:
    return "\n".join([_cells(head), "|" + "---|" * len(head), *lines])


def _control(name: str, rule: Mapping) -> str:
    title = name.removeprefix("control_").replace("_", " ")
    if not path_of(name).is_file():
        return _cells([title, "not run", "", "", ""])
    record = load(name)
    outcome = "accepted" if judge(record["ranks"], rule).passed else "rejected"
    plain = {key: values for key, values in record["ranks"].items() if key != LOGLIK}
    return _cells([title, outcome, str(record["simulations"]), _smallest(record, rule), _smallest(record | {"ranks": plain}, rule)])


def render() -> str:
    """The page."""
    models, rows = read_models(), read_rows()
    rule = models["rule"]
    head = ["row", "model", "density", "gradient", "recovery", "SBC", "simulations", "smallest p", "failed fits", "by NUTS"]
    nuts_head = ["row", "recovery", "SBC", "simulations", "smallest p", "failed fits", "divergences"]
    by_nuts = [_line(row, rule, "nuts") for row in rows.values() if path_of(file_name(row, "nuts")).is_file()]
    control_head = ["control", "verdict", "simulations", "smallest p", "smallest p without the log-likelihood"]
    left = [f"`{name}`" for name, row in rows.items() if row.sbc != "proven"]
    missing = [f"- SBC, by the present code, of {', '.join(left)}."] if left else []
    missing += [f"- {item}" for item in models["not_shown"]]
    return TEXT.format(
        rows=_table(head, [_line(row, rule) for row in rows.values()]),
        controls=_table(control_head, [_control(name, rule) for name in NAMES]),
        by_nuts=_table(nuts_head, by_nuts),
        missing="\n".join(missing),
        recovered=rule["recovery"]["participants"],
        most_deviation=rule["recovery"]["most_deviation"],
        kept=rule["kept_draws"],
        participants=models["design"]["participants"],
        least_residual=models["domains"]["design"]["least_residual"],
        simulations=rule["simulations"],
        bins=rule["bins"],
        level=rule["level"],
        failures=rule["most_failures"],
        **rule["sampling"],
    )


def main(page: Path = PAGE) -> None:
    """Write the page."""
    page.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
