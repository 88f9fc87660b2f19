"""Run simulation-based calibration and write the ranks: ``python -m tests.calibration.run [--row NAME] [--simulations N] [--resume]``.

Results are filed after every ten simulations, so that a run that was stopped goes on with ``--resume``; rows whose code,
specification or generator has changed since begin again.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from alsmodel.errors import FitFailed
from alsmodel.inference.domain_fit import fit_domain_data
from alsmodel.inference.fit import fit_data
from tests.calibration.controls import NAMES, row_of, run_control
from tests.calibration.rows import METHODS, RANKS, Row, arrays, of_domains, read_models, read_rows, sampling, simulate, stream
from tests.calibration.sbc import Simulation, judge, run_simulation

VERSIONS = ("numpy", "numba", "nutpie", "scipy")
EVERY = 10
REPEATED = 8


def path_of(row: str) -> Path:
    """Rank file of a row."""
    return RANKS / f"{row}.json"


def processor() -> str:
    """Name, family and model of the processor: matrix products round differently on another."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
    return ", ".join(facts[name] for name in ("model name", "cpu family", "model") if name in facts) or platform.processor()


def file_name(row: Row, method: str) -> str:
    """Name of a row's file by a method of inference."""
    return row.name if method == "auto" else f"{method}_{row.name}"


def empty(row: Row, seed: int, digests: dict[str, str]) -> dict[str, Any]:
    """A rank file before its first simulation."""
    return {
        "row": row.name, "seed": seed, "simulations": 0, "failed": [], "fallbacks": [], "divergences": 0, "digests": digests,
        "versions": {name: version(name) for name in VERSIONS}, "processor": processor(), "recovery": None, "ranks": {},
    }  # fmt: skip


def add(record: dict[str, Any], result: Simulation) -> None:
    """File one simulation; one without a fit leaves its number only."""
    record["simulations"] += 1
    record["divergences"] += result.divergences
    if result.fallback:
        record["fallbacks"].append(record["simulations"] - 1)
    if result.ranks is None:
        record["failed"].append(record["simulations"] - 1)
        return
    for name, value in result.ranks.items():
        record["ranks"].setdefault(name, []).append(value)


def save(record: dict[str, Any]) -> None:
    """Write a rank file, one line per quantity: to a temporary name first, then renamed."""
    head = {key: value for key, value in record.items() if key != "ranks"}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(values, separators=(',', ':'))}" for name, values in record["ranks"].items())
    text = json.dumps(head, indent=1)[:-2] + f',\n "ranks": {{\n{lines}\n }}\n}}\n'
    RANKS.mkdir(parents=True, exist_ok=True)
    part = path_of(record["row"]).with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.rename(path_of(record["row"]))


def load(row: str) -> dict[str, Any]:
    """Read a rank file."""
    record: dict[str, Any] = json.loads(path_of(row).read_text(encoding="utf-8"))
    return record


def recover(row: Row, seed: int, method: str = "auto") -> dict[str, Any]:
    """One fit of many participants: largest distance of a posterior mean from the truth, in posterior SDs."""
    rule = read_models()["rule"]
    data_seed, fit_seed = stream(seed, row.name + " recovery", 0).spawn(2)
    participants = rule["recovery"]["participants"]
    truth, people = simulate(row, data_seed, participants=participants)
    by = fit_domain_data if of_domains(row.model) else fit_data
    fit = by(row.spec, arrays(row, people), sampling(), seed=int(fit_seed.generate_state(1)[0]), method=method)
    away = {name: abs(fit.flat(name).mean() - value) / fit.flat(name).std(ddof=1) for name, value in truth.items()}
    worst = max(away, key=lambda name: away[name])
    return {"participants": participants, "largest": round(float(away[worst]), 2), "parameter": worst}


def run_row(
    row: Row, simulations: int, seed: int, digests: dict[str, str], *, resume: bool, method: str = "auto", workers: int = 1
) -> dict[str, Any]:
    """Run or continue one row; `digests` as they were when the code was loaded. Processes change nothing but the time it takes."""
    name = file_name(row, method)
    record = empty(row, seed, digests) | {"row": name}
    if resume and path_of(name).is_file():
        before = load(name)
        if (before["digests"], before["seed"]) == (record["digests"], seed):
            record = before
    start = time.monotonic()
    left = range(record["simulations"], simulations)
    quiet = partial(np.seterr, all="ignore")
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=quiet) as pool:
        simulate_one = partial(run_simulation, row, seed=seed, method=method)
        results = pool.map(simulate_one, left) if workers > 1 else map(simulate_one, left)
        for number, result in zip(left, results, strict=True):
            add(record, result)
            if (number + 1) % EVERY == 0 or number + 1 == simulations:
                save(record)
                print(f"{name}: {number + 1} of {simulations}, {time.monotonic() - start:.0f} s", flush=True)
    if record["recovery"] is None and record["simulations"] >= simulations:
        try:
            record["recovery"] = recover(row, seed, method)
        except FitFailed as failure:
            record["recovery"] = {"failed": str(failure)}
        save(record)
    return record


def run_controls(
    rows: dict[str, Row], names: Sequence[str], simulations: int, seed: int, digests: dict[str, dict[str, str]], *, resume: bool
) -> None:
    """Break the model on purpose; the rule must reject every one."""
    for name in names:
        row, own = rows[row_of(name)], digests[row_of(name)]
        record = empty(row, seed, own) | {"row": name}
        if resume and path_of(name).is_file() and (load(name)["digests"], load(name)["simulations"]) == (own, simulations):
            continue
        for result in run_control(name, row, simulations, seed):
            add(record, result)
        save(record)
        print(describe(record), flush=True)


def describe(record: dict[str, Any]) -> str:
    """Verdict in one line."""
    verdict = judge(record["ranks"], read_models()["rule"])
    outcome = "compatible with uniform" if verdict.passed else "rejected"
    return f"{record['row']}: {outcome}; p {verdict}; {len(record['failed'])} failures, {record['divergences']} divergences" + (
        f", {len(record['fallbacks'])} by NUTS, their weights failing the checks" if record.get("fallbacks") else ""
    )


def check(row: Row, numbers: Sequence[int], method: str = "auto", *, same_bits: bool = True) -> Iterator[str]:
    """Simulate some numbers again; yields what differs from the committed ranks.

    On the processor of the file, ranks must be the same. On another, rounding may send the sampler another way, and ranks may
    differ as those of two independent sets of draws do: by less than 35 (five SDs), and by less than 12 on average. So may those of
    chains by NUTS where the density's last bits are not those of the file (not `same_bits`, or a row that was carried over); of weighted
    draws, resampling may then take a neighbour, which moves a rank by one. To carry ranks over on another processor, those of weighted
    draws must be within three places: of a neighbour for the code, and of as much for the processor and for each time before.
    """
    record = load(file_name(row, method))
    at_home, chained = record["processor"] == processor(), set(record.get("fallbacks", ()))
    for number in numbers:
        made = run_simulation(row, number, record["seed"], method=method)
        again = made.ranks
        if made.fallback != (number in chained) and at_home:
            yield f"{row.name}, simulation {number}: another way from the weights to the posterior than on file"
        if (again is None) != (number in record["failed"]):
            yield f"{row.name}, simulation {number}: fitted only once in two attempts"
        if again is None or number in record["failed"]:
            continue
        place = number - sum(failed < number for failed in record["failed"])
        away = {name: abs(again[name] - values[place]) for name, values in record["ranks"].items()}
        apart = 0 if same_bits and not record.get("carried") else 35 if number in chained or method == "nuts" else 1
        elsewhere = 3 if not same_bits and apart == 1 else 35
        if max(away.values()) > (apart if at_home else elsewhere) or sum(away.values()) / len(away) > 12:
            yield f"{row.name}, simulation {number}: ranks differ from those on file by {away}"


def carry(row: Row, digests: dict[str, str], method: str = "auto") -> str:
    """Take ranks over to code that has changed without changing any of them; returns what was found, in one line.

    Only where model and settings are those of the file. `REPEATED` simulations, evenly spread over the
    series, and the first that NUTS took over are run by the present code on data of the present generator. Every rank of every quantity
    must be as filed, but for what the last bits of the density do (see `check`). The file then says so under "carried".
    """
    name = file_name(row, method)
    if not path_of(name).is_file():
        return f"{name}: not run yet"
    record = load(name)
    if record["digests"] == digests:
        return f"{name}: of the present code"
    if record["digests"]["spec"] != digests["spec"]:
        return f"{name}: cannot be carried over, since the model or its settings have changed"
    numbers = sorted({*np.linspace(0, record["simulations"] - 1, REPEATED).astype(int).tolist(), *record["fallbacks"][:1]})
    if differences := list(check(row, numbers, method, same_bits=False)):
        return f"{name}: not carried over; {differences[0]}"
    before = {"from": record["digests"]["code"], "generator": record["digests"]["generator"], "repeated": numbers}
    if record["processor"] != processor():
        before["processor"] = processor()
    record["carried"] = [*record.get("carried", []), before]
    save(record | {"digests": digests})
    return f"{name}: carried over, {len(numbers)} simulations repeated"


def one_thread() -> None:
    """Start again with matrix products on one thread, whose rounding would otherwise depend on the number of threads."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    if any(os.environ.get(name) != "1" for name in names):
        command = [sys.executable, "-m", "tests.calibration.run", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, **dict.fromkeys(names, "1")})


def main() -> None:
    """Command line."""
    rule = read_models()["rule"]
    parser = argparse.ArgumentParser(prog="python -m tests.calibration.run", description="Simulation-based calibration.")
    parser.add_argument("--row", action="append", help="only this row or negative control; may be repeated; 'controls' for all of these")
    parser.add_argument("--simulations", type=int, default=rule["simulations"])
    parser.add_argument("--workers", type=int, default=1, help="processes that share the simulations of a row")
    parser.add_argument("--resume", action="store_true", help="keep simulations on file where nothing has changed")
    parser.add_argument("--check", type=int, nargs="+", metavar="NUMBER", help="repeat these simulations and compare; writes nothing")
    parser.add_argument(
        "--carry", action="store_true", help="repeat some simulations; where every rank is as filed, file it for the present code"
    )
    parser.add_argument("--method", choices=METHODS, default="auto", help="how posteriors are computed; ranks of each are filed apart")
    arguments = parser.parse_args()
    rows = read_rows()
    chosen = arguments.row or ["controls", *rows]
    if unknown := set(chosen) - {*rows, *NAMES, "controls"}:
        parser.error(f"no row is called {', '.join(sorted(unknown))}; there are {', '.join((*rows, *NAMES))} and controls")
    one_thread()
    np.seterr(all="ignore")
    if arguments.check:
        differences = [line for name in chosen if name in rows for line in check(rows[name], arguments.check, arguments.method)]
        raise SystemExit("\n".join(differences) if differences else 0)
    method = arguments.method
    digests = {name: rows[name].digests_by(method) for name in rows}
    if arguments.carry:
        for name in chosen:
            if name in rows:
                print(carry(rows[name], digests[name], method), flush=True)
        return
    for name in chosen:
        if name not in rows and method == "auto":
            some = NAMES if name == "controls" else [name]
            run_controls(rows, some, arguments.simulations, rule["seed"], digests, resume=arguments.resume)
        elif name in rows:
            record = run_row(
                rows[name],
                arguments.simulations,
                rule["seed"],
                digests[name],
                resume=arguments.resume,
                method=method,
                workers=arguments.workers,
            )
            print(describe(record), flush=True)


if __name__ == "__main__":
    main()
