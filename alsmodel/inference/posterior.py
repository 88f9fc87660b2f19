"""What every posterior has, whatever model it is of: how it was computed, whether it passed, and a folder to live in."""

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alsmodel.cohort.arrays import JointData
from alsmodel.estimators.laplace import Weighted
from alsmodel.inference.chains import route_words
from alsmodel.inference.checks import Check
from alsmodel.inference.store import read_draws, read_weighted, replacing, write_draws, write_weighted
from alsmodel.inference.summary import summary_html
from alsmodel.settings import decode, encode

if TYPE_CHECKING:
    import xarray

Floats = NDArray[np.float64]
FACTS = "fit.json"


class AbstractPosterior(ABC):
    """A posterior with everything needed to use and to judge it.

    Attributes
    ----------
    x : array, shape (chains, draws, P)
        Unconstrained draws, all of equal weight. Importance sampling gives one "chain": its draws resampled by their weights.
    draws : dict of str to array, shape (chains, draws)
        Draws by printed name.
    summary : polars.DataFrame
    checks : tuple of Check
    provenance : dict
    weighted : Weighted or None
        The weighted draws that a posterior by importance sampling was resampled from.
    """

    spec: Any
    x: Floats
    draws: dict[str, Floats]
    summary: pl.DataFrame
    checks: tuple[Check, ...]
    provenance: dict[str, Any]
    weighted: Weighted | None

    @property
    def method(self) -> str:
        """How the posterior was computed: "nuts" or "psis"."""
        return "nuts" if self.weighted is None else "psis"

    @property
    def route(self) -> str:
        """How the posterior was computed and, after a fallback, why, in a sentence."""
        return route_words(self.x, self.weighted, self.provenance.get("fallback"))

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def time_unit(self) -> str:
        """Unit of every slope and hazard."""
        return str(self.spec.time_unit)

    def flat(self, name: str) -> Floats:
        """Draws of one parameter, chains one after the other."""
        return self.draws[name].ravel()

    def to_datatree(self) -> "xarray.DataTree":
        """The draws as ArviZ takes them, to plot, to summarise or to write as zarr (`DataTree.to_zarr`).

        Returns
        -------
        xarray.DataTree
            Group ``posterior`` with a variable (chain, draw) for every printed name; a slash in a name becomes a bar. Attributes hold seed,
            versions, digests and how the draws were made. Nothing of any participant is in it: numbers imputed for one are left out.
        """
        import xarray

        kept = {name: value for name, value in self.draws.items() if not name.startswith("imputed:")}
        named = {name.replace("/", "|"): (("chain", "draw"), value) for name, value in kept.items()}
        plain = {name: value if isinstance(value, str | int | float) else json.dumps(value) for name, value in self.provenance.items()}
        chains, length = self.x.shape[:2]
        group = xarray.Dataset(named, coords={"chain": np.arange(chains), "draw": np.arange(length)}, attrs=plain)
        return xarray.DataTree.from_dict({"posterior": group})

    def save(self, folder: Path | str) -> None:
        """Write draws, data, summary and provenance to `folder`: to a temporary name first, then renamed."""
        facts = {"spec": encode(self.spec), "checks": [vars(check) for check in self.checks], "provenance": self.provenance}
        with replacing(folder) as part:
            write_draws(self.x, self.draws, part)
            self.summary.write_parquet(part / "summary.parquet")
            self._write_data(part)
            if self.weighted is not None:
                facts["weighted"] = write_weighted(self.weighted, part)
            (part / FACTS).write_text(json.dumps(facts, indent=1, sort_keys=True), encoding="utf-8")

    @abstractmethod
    def _write_data(self, folder: Path) -> None:
        """Write the arrays that were fitted."""

    def _shown(self, outcomes: str, people: JointData, width: int) -> str:
        """What a console shows of it: the state of its checks, its route and its estimates, names padded to `width`."""
        failed = [check.name for check in self.checks if not check.passed]
        state = "all checks pass" if not failed else f"checks failed: {', '.join(failed)}"
        head = f"Fit of {outcomes}: {people.people} participants, {int(people.event.sum())} events; {state}"
        rows = self.summary.select("parameter", "mean", "sd", "q2_5", "q97_5").rows()
        return "\n".join([head, self.route, *(f"  {p:<{width}} {m:>10.4g} ({s:.3g})  [{lo:.4g}, {hi:.4g}]" for p, m, s, lo, hi in rows)])

    def _repr_html_(self) -> str:
        return summary_html(self.summary)


def read_posterior[Spec](source: Path, kind: type[Spec]) -> tuple[Spec, dict[str, Any]]:
    """Return the specification that `AbstractPosterior.save` wrote, and the fields that do not depend on the data."""
    facts = json.loads((source / FACTS).read_text(encoding="utf-8"))
    x, draws = read_draws(source)
    return decode(kind, facts["spec"], where=f"{source.name}/{FACTS}"), {
        "x": x,
        "draws": draws,
        "summary": pl.read_parquet(source / "summary.parquet"),
        "checks": tuple(Check(**check) for check in facts["checks"]),
        "provenance": facts["provenance"],
        "weighted": read_weighted(source, facts.get("weighted")),
    }
