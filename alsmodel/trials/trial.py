"""A trial to be simulated: truth, design, analyses, and the grid of scenarios."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any, final

from alsmodel.trials.analyses import LogRank, RandomSlope
from alsmodel.trials.designs import Decision, ParallelDesign
from alsmodel.trials.effects import Effect
from alsmodel.trials.truth import Truth

Analysis = RandomSlope | LogRank


@final
@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One point of the grid."""

    effect: Effect
    n_per_arm: int

    @property
    def name(self) -> str:
        return f"{self.effect.name}, {self.n_per_arm} per arm"


@final
@dataclass(frozen=True, kw_only=True)
class Trial:
    """Everything that decides the operating characteristics.

    Attributes
    ----------
    truth : NamedTruth or PosteriorTruth
        How participants decline and die.
    design : ParallelDesign
        Arms, visits, follow-up, dropout.
    analyses : tuple
        Analyses, all made on the same virtual trials.
    decision : Decision
        Alpha and side.
    n_per_arm : tuple of int
        Randomised to control, one scenario each; a smaller trial is the first part of a larger one.
    effects : tuple of Effect
        Treatment effects, one scenario each; they share their participants. Include one without effect to see the
        type I error.
    replicates : int
        Virtual trials per scenario.
    seed : int
        The same seed gives the same trials.
    name : str
        For reports; decides nothing.
    """

    truth: Truth
    design: ParallelDesign = field(default_factory=ParallelDesign)
    analyses: tuple[Analysis, ...] = (RandomSlope(), LogRank())
    decision: Decision = field(default_factory=Decision)
    n_per_arm: tuple[int, ...] = (100,)
    effects: tuple[Effect, ...] = (Effect(name="null"), Effect(name="25% slowing", slowing=0.25))
    replicates: int = 1000
    seed: int = 1
    name: str = "trial"

    def __post_init__(self) -> None:
        faults = grid_faults(self.design, self.analyses, self.n_per_arm, self.effects, self.replicates)
        if self.seed < 0:
            faults.append(f"seed must not be negative; got {self.seed}.")
        if faults:
            raise ValueError(" ".join(faults))

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The grid, effects outermost."""
        return tuple(Scenario(effect=e, n_per_arm=n) for e in self.effects for n in self.n_per_arm)

    def population_words(self) -> tuple[int, ...]:
        """Address of the participants' random streams: four words of a digest.

        It covers who the participants are, when they are seen, and dropout; not effect, sample size or analysis, so
        that scenarios which differ only in those share their participants.
        """
        key = {
            "truth": self.truth.identity(),
            "visits": self.design.visits,
            "duration": self.design.duration,
            "dropout": self.design.dropout_per_month,
            "missing": self.design.missing_visit_probability,
        }
        digest = hashlib.sha256(json.dumps(_floats(key), sort_keys=True).encode()).digest()
        return tuple(int.from_bytes(digest[4 * i : 4 * i + 4], "big") for i in range(4))

    def plain(self) -> dict[str, Any]:
        """All settings as plain values, as JSON gives them back; a posterior truth by its digest."""
        settings: dict[str, Any] = {
            "name": self.name,
            "truth": self.truth.identity(),
            "design": asdict(self.design),
            "analyses": [{"label": a.label, "measure": a.measure, **asdict(a)} for a in self.analyses],
            "decision": asdict(self.decision),
            "n_per_arm": list(self.n_per_arm),
            "effects": [asdict(effect) for effect in self.effects],
            "replicates": self.replicates,
            "seed": self.seed,
        }
        return dict(json.loads(json.dumps(settings)))


def _floats(value: Any) -> Any:
    """The same value with every number a float, so that 3 and 3.0 months are one design."""
    if isinstance(value, dict):
        return {name: _floats(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_floats(entry) for entry in value]
    return float(value) if isinstance(value, int | float) else value


def grid_faults(
    design: ParallelDesign,
    analyses: tuple[Analysis, ...],
    n_per_arm: tuple[int, ...],
    effects: tuple[Effect, ...],
    replicates: int,
) -> list[str]:
    """What makes a grid of scenarios impossible, one sentence each."""
    faults = []
    if replicates < 1:
        faults.append(f"replicates must be at least 1; got {replicates}. 1000 gives a power of 0.8 an MCSE of 0.013.")
    for name, given in (("n_per_arm", n_per_arm), ("effects", effects), ("analyses", analyses)):
        if not given:
            faults.append(f"{name} is empty; give at least one.")
    if len(set(n_per_arm)) < len(n_per_arm):
        faults.append(f"n_per_arm repeats a size: {list(n_per_arm)}.")
    for names, what in (([e.name for e in effects], "effects"), ([a.label for a in analyses], "analyses")):
        if len(set(names)) < len(names):
            faults.append(f"Two {what} share a name: {names}. Give each its own.")
    for n in n_per_arm:
        try:
            design.randomised(n)
        except ValueError as error:
            faults.append(str(error))
        else:
            if n < 4:
                faults.append(f"n_per_arm must be at least 4 for a standard error; got {n}.")
    return faults
