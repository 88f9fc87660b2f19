"""Total effect of a treatment on survival: closed forms, a literal simulation, and effects that are nothing."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy import stats

from alsmodel.cohort.arrays import joint_data
from alsmodel.errors import InvalidInput
from alsmodel.inference import DomainFit, Fit
from alsmodel.inference.summary import label_of
from alsmodel.inference.total_effect import acts_on_survival, total_effect, total_effects
from alsmodel.models.domain import ArmEffect, DomainModel, Outcome
from alsmodel.models.spec import Cause, Exponential, JointModel, Treatment
from alsmodel.reports import tables
from alsmodel.study.narrative import total_words

Floats = NDArray[np.float64]

literal = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_joint.py"))))
generator = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("literal_domains.py"))))
arrays = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("domain_data.py"))))

LINE = {"intercept": 36.0, "slope": -1.0, "sd:intercept": 5.0, "sd:slope": 0.4, "corr:intercept,slope": 0.3, "sd:residual": 1.5}
DIRECT = Treatment(name="drug", source="arm", level="active", score="none")
ALONE = JointModel(outcome="score", association=(), survival=Exponential(), treatments=(DIRECT,))
TAKEN = JointModel(
    outcome="score", association=(), survival=Exponential(), treatments=(Treatment(name="x", score="none"), replace(DIRECT, name="arm")),
)  # fmt: skip


def known(spec: JointModel, **values: float | Floats) -> Fit:
    """A posterior given draw by draw, on the participants of the literal model."""
    data = joint_data(literal.cohort(), replace(spec, causes=()).selection)  # nobody there has a further cause
    size = max(np.size(value) for value in values.values())
    draws = {name: np.broadcast_to(value, (1, size)).astype(float) for name, value in (LINE | values).items()}
    facts = {"seed": 1, "knots": [0.0] * (1 + len(spec.causes)) if spec.causes else []}  # no inner knots of any hazard
    return Fit(spec=spec, data=data, x=np.zeros((1, size, 0)), draws=draws, summary=pl.DataFrame(), checks=(), provenance=facts)


def the(frame: pl.DataFrame, quantity: str, time: float, cause: str | None = None) -> dict[str, float]:
    kept = frame.filter((pl.col("quantity") == quantity) & (pl.col("time") == time) & pl.col("cause").eq_missing(pl.lit(cause)))
    return kept.row(0, named=True)


def test_a_constant_hazard_has_differences_in_closed_form_at_every_draw() -> None:
    rate, ratio = 0.05, np.exp(stats.norm(-0.5, 0.2).ppf((np.arange(100) + 0.5) / 100))
    frame = total_effect(known(ALONE, **{"log_hazard[1]": np.log(rate), "hazard:drug": np.log(ratio)}), "drug", [3.7, 10.0], 14.2)
    assert frame["quantity"].to_list() == ["survival", "survival", "restricted mean"]
    expected = {("survival", t): np.exp(-rate * ratio * t) - np.exp(-rate * t) for t in (3.7, 10.0)}
    area = (1 - np.exp(-rate * ratio * 14.2)) / (rate * ratio) - (1 - np.exp(-rate * 14.2)) / rate
    for (quantity, time), value in {**expected, ("restricted mean", 14.2): area}.items():
        row = the(frame, quantity, time)
        # Hazards are constant within cells, which have an edge at every time asked for: rounding alone.
        assert row["mean"] == pytest.approx(value.mean(), rel=1e-10)
        assert row["sd"] == pytest.approx(value.std(ddof=1), rel=1e-9)
        assert (row["lower"], row["upper"]) == pytest.approx(tuple(np.quantile(value, [0.025, 0.975])), rel=1e-9)
        assert row["treated"] - row["untreated"] == pytest.approx(row["mean"], abs=1e-12)
    assert set(frame["label"]) == {"effect"}


@pytest.mark.parametrize(("unit", "length"), [("month", 1.0), ("week", 365.25 / 12 / 7)])
def test_an_effect_that_starts_late_and_one_that_changes_act_when_they_do(unit: str, length: float) -> None:
    late = replace(ALONE, time_unit=unit, treatments=(replace(DIRECT, onset_delay_months=2.3),))
    rate, ratio = 0.05 / length, 0.4
    row = the(
        total_effect(known(late, **{"log_hazard[1]": np.log(rate), "hazard:drug": np.log(ratio)}), "drug", [9 * length]),
        "survival",
        9 * length,
    )
    assert row["treated"] == pytest.approx(np.exp(-0.05 * (2.3 + 6.7 * ratio)), rel=1e-10)
    assert row["untreated"] == pytest.approx(np.exp(-0.05 * 9), rel=1e-10)
    periods = replace(ALONE, treatments=(replace(DIRECT, hazard_periods=(4.1,)),))
    fit = known(periods, **{"log_hazard[1]": np.log(0.05), "hazard:drug[1]": 0.3, "hazard:drug[2]": -0.7})
    expected = np.exp(-0.05 * (4.1 * np.exp(0.3) + 4.9 * np.exp(-0.7)))
    assert the(total_effect(fit, "drug", [9.0]), "survival", 9.0)["treated"] == pytest.approx(expected, rel=1e-10)


def test_what_was_taken_is_put_aside_and_other_drugs_stay() -> None:
    # x is taken by some, in the middle of follow-up, before it, throughout; the arm's hazard ratio stays with those who had it.
    fit = known(TAKEN, **{"log_hazard[1]": np.log(0.05), "hazard:x": -0.8, "hazard:arm": 0.5})
    row = the(total_effect(fit, "x", [8.0]), "survival", 8.0)
    active = np.mean([p.arm == "active" for p in literal.PEOPLE])
    for world, ratio in (("treated", np.exp(-0.8)), ("untreated", 1.0)):
        expected = active * np.exp(-0.4 * ratio * np.exp(0.5)) + (1 - active) * np.exp(-0.4 * ratio)
        assert row[world] == pytest.approx(expected, rel=1e-10)
    assert row["label"] == "association"
    some = np.flatnonzero([p.arm == "active" for p in literal.PEOPLE])
    few = the(total_effect(fit, "x", [8.0], people=some), "survival", 8.0)
    assert few["untreated"] == pytest.approx(np.exp(-0.4 * np.exp(0.5)), rel=1e-10)


CAUSES = JointModel(
    outcome="score",
    survival=Exponential(),
    treatments=(Treatment(name="drug", source="arm", level="active"),),
    causes=(Cause(name="tracheostomy", events=("tracheostomy",), survival=Exponential()),),
)
TRUTH = {
    "log_hazard[1]": 0.4, "association:value": -0.12, "hazard:drug": -0.3, "theta:drug": -0.5, "psi:drug": -0.2,
    "log_hazard[1]@tracheostomy": -0.2, "association:value@tracheostomy": -0.15, "hazard:drug@tracheostomy": 0.4,
}  # fmt: skip


def simulated(treated: bool, n: int, seed: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Time of the first cause of `n` literal participants, and whether it was death; the seed makes the same people in both arms."""
    rng = np.random.default_rng(seed)
    covariance = np.array([[25.0, 0.3 * 5 * 0.4], [0.3 * 5 * 0.4, 0.16]])
    b = rng.multivariate_normal([0, 0], covariance, n)
    start = 36 + b[:, 0]
    slope = -np.exp(-0.5) + b[:, 1] * np.exp(-0.2) if treated else -1 + b[:, 1]
    times = []
    for level, alpha, direct in ((0.4, -0.12, -0.3), (-0.2, -0.15, 0.4)):
        # H(t) = e^a (e^{rt} - 1) / r, turned round.
        a, r = level + alpha * start + direct * treated, alpha * slope
        inside = 1 + r * rng.exponential(size=n) * np.exp(-a)
        times.append(np.where(inside > 0, np.log(np.maximum(inside, 1e-300)) / r, np.inf))
    return np.minimum(*times), times[0] < times[1]


def test_with_an_association_and_two_causes_the_total_is_that_of_200_000_literal_participants() -> None:
    n, fit = 200_000, known(CAUSES, **(TRUTH | {"sd:residual": np.ones(60)}))
    frame = total_effect(fit, "drug", [6.0, 12.0], 15.0)
    (t1, death1), (t0, death0) = simulated(True, n, 4), simulated(False, n, 4)
    pairs = {("restricted mean", 15.0, None): np.minimum(t1, 15) - np.minimum(t0, 15)}
    for time in (6.0, 12.0):
        pairs[("survival", time, None)] = (t1 > time) * 1.0 - (t0 > time)
        pairs[("cumulative incidence", time, "death")] = ((t1 <= time) & death1) * 1.0 - ((t0 <= time) & death0)
        pairs[("cumulative incidence", time, "tracheostomy")] = ((t1 <= time) & ~death1) * 1.0 - ((t0 <= time) & ~death0)
    assert frame.height == len(pairs)
    for (quantity, time, cause), difference in pairs.items():
        row = the(frame, quantity, time, cause)
        # 60 draws of 200 people each, all of the same parameters: their spread is the noise of drawing people.
        error = np.hypot(difference.std() / np.sqrt(n), row["sd"] / np.sqrt(60))
        grid = 2e-4 * (15 if quantity == "restricted mean" else 1)  # a hazard that is constant within a cell
        assert row["mean"] == pytest.approx(difference.mean(), abs=4 * error + grid), (quantity, time, cause)
        assert abs(row["mean"]) > 8 * error or cause == "tracheostomy"
    # The direct ratio alone, with the path as it was, would be another number.
    direct = total_effect(known(CAUSES, **(TRUTH | {"theta:drug": 0.0, "psi:drug": np.zeros(60)})), "drug", [12.0])
    assert the(frame, "survival", 12.0)["mean"] - the(direct, "survival", 12.0)["mean"] > 0.05


def test_causes_and_survival_share_what_there_is() -> None:
    frame = total_effect(known(CAUSES, **(TRUTH | {"hazard:drug": np.linspace(-0.6, 0.1, 30)})), "drug", [4.0, 12.0])
    for time in (4.0, 12.0):
        rows = frame.filter((pl.col("time") == time) & (pl.col("quantity") != "restricted mean"))
        for world, whole in (("treated", 1.0), ("untreated", 1.0), ("mean", 0.0)):
            assert rows[world].sum() == pytest.approx(whole, abs=1e-12)


def test_a_treatment_that_does_nothing_changes_nothing() -> None:
    nothing = dict.fromkeys(("theta:drug", "psi:drug", "hazard:drug", "hazard:drug@tracheostomy"), 0.0)
    frame = total_effect(known(CAUSES, **(TRUTH | nothing | {"association:value": np.linspace(-0.2, 0, 20)})), "drug", [6.0], 9.0)
    # The same people in both arms: not nearly nothing, but nothing.
    assert frame.select("mean", "sd", "lower", "upper").to_numpy().any() == np.False_
    assert (frame["treated"] > 0).all()


def two(**choices: str) -> DomainFit:
    """Two outcomes of which the first alone reaches the hazard, by draws that are the truth."""
    spec = DomainModel(
        outcomes=(Outcome(name="bulbar"), Outcome(name="respiratory", weight=0.0)),
        treatment=ArmEffect(name="drug", level="active", **choices),
    )
    truth = generator.domain_truth()
    people = generator.draw_people(truth, 40, np.random.default_rng(3))
    data = arrays.outcome_arrays(people, spec.names)
    values = {"bulbar.intercept": 9.0, "bulbar.slope": -0.3, "respiratory.intercept": 11.0, "respiratory.slope": -0.2}
    values |= {f"sd:{name}.{part}": sd for name in spec.names for part, sd in (("intercept", 1.5), ("slope", 0.15), ("residual", 0.5))}
    effects = [f"{name}.{part}" for name in spec.names for part in ("intercept", "slope")]
    values |= {f"corr:{effects[j]},{effects[i]}": 0.0 for i in range(4) for j in range(i)}
    values |= {"association:value": -0.3, "log_hazard[1]": -1.0, "slope ratio:drug": 0.5, "hazard:drug": -0.2}
    return DomainFit(
        spec=spec, data=data, x=np.zeros((1, 60, 1)), draws={name: np.full((1, 60), value) for name, value in values.items()},
        summary=pl.DataFrame(), checks=(), provenance={"seed": 5, "knots": []},
    )  # fmt: skip


def test_several_outcomes_have_a_total_effect_too() -> None:
    frame = total_effect(two(), "drug", [12.0], 15.0)
    n, rng, times = 200_000, np.random.default_rng(8), []
    start, own, target = 9 + 1.5 * rng.normal(size=n), 0.15 * rng.normal(size=n), rng.exponential(size=n)
    for treated in (1.0, 0.0):
        a, r = -1.0 - 0.3 * start - 0.2 * treated, -0.3 * (-0.3 * 0.5**treated + own)
        inside = 1 + r * target * np.exp(-a)
        times.append(np.where(inside > 0, np.log(np.maximum(inside, 1e-300)) / r, np.inf))
    pairs = (("survival", 12.0, (times[0] > 12) * 1.0 - (times[1] > 12)), ("restricted mean", 15.0, np.subtract(*np.minimum(times, 15.0))))
    for quantity, time, difference in pairs:
        row = the(frame, quantity, time)
        error = np.hypot(difference.std() / np.sqrt(n), row["sd"] / np.sqrt(60))
        assert row["mean"] == pytest.approx(difference.mean(), abs=4 * error + 2e-4 * (15 if quantity == "restricted mean" else 1))
        assert row["mean"] > 8 * error


def test_all_treatments_that_can_change_survival_are_told_and_no_others() -> None:
    values = {"log_hazard[1]": np.log(0.05), "hazard:x": np.zeros(3), "hazard:arm": 0.0}
    found = total_effects(known(TAKEN, **values), 12.0)
    assert found is not None
    assert found.select("treatment", "quantity", "time").rows() == [
        (name, quantity, time)
        for name in ("x", "arm")
        for quantity, time in (("survival", 6.0), ("survival", 12.0), ("restricted mean", 12.0))
    ]
    still = replace(ALONE, treatments=(replace(DIRECT, score="clock", hazard="none"),))
    assert not acts_on_survival(known(still, **{"log_hazard[1]": np.zeros(3)}), "drug")
    assert total_effects(known(still, **{"log_hazard[1]": np.zeros(3)}), 12.0) is None
    assert acts_on_survival(known(replace(still, association=("value",)), **{"log_hazard[1]": np.zeros(3)}), "drug")
    carriers = replace(TAKEN, treatments=(Treatment(name="x", score="none", eligible="sod1", ineligible="exclude"),))
    assert total_effects(known_without(carriers), 12.0) is None


def known_without(spec: JointModel) -> Fit:
    """A posterior whose data do not hold what its drug asks of a gene."""
    return replace(known(TAKEN, **{"log_hazard[1]": np.zeros(3), "hazard:x": 0.0}), spec=spec)


def test_what_cannot_be_compared_is_refused_in_a_sentence() -> None:
    fit = known(ALONE, **{"log_hazard[1]": np.zeros(3), "hazard:drug": 0.0})
    with pytest.raises(InvalidInput, match=r"called 'riluzole'.*It has drug"):
        total_effect(fit, "riluzole", [6.0])
    with pytest.raises(InvalidInput, match="0 or later"):
        total_effect(fit, "drug", [-1.0, 6.0])
    with pytest.raises(InvalidInput, match="needs a horizon above 0"):
        total_effect(fit, "drug", [])
    with pytest.raises(InvalidInput, match="places among the 6 fitted"):
        total_effect(fit, "drug", [6.0], people=np.array([6]))
    with pytest.raises(InvalidInput, match="as enrolled"):
        total_effect(replace(fit, spec=replace(ALONE, population="incident")), "drug", [6.0])
    carriers = known_without(replace(TAKEN, treatments=(Treatment(name="x", score="none", eligible="sod1"),)))
    with pytest.raises(InvalidInput, match="carriers of a SOD1 mutation alone"):
        total_effect(carriers, "x", [6.0])
    assert total_effect(carriers, "x", [6.0], people=np.array([0, 2])).height == 2


def test_the_report_tells_direct_and_total_apart_and_calls_an_association_so() -> None:
    fit = known(TAKEN, **{"log_hazard[1]": np.log(0.05), "hazard:x": np.full(40, -0.8), "hazard:arm": 0.5})
    summary = pl.DataFrame(
        [
            {
                "parameter": name,
                "label": label_of(name, TAKEN),
                "mean": value,
                "q2_5": value - 0.1,
                "q97_5": value + 0.1,
                "informed": value > 0,
            }
            for name, value in (("hazard:x", -0.8), ("hazard:arm", 0.5), ("hazard:arm_circumference", 7.0))
        ]
    )
    summary = summary.with_columns(informed=pl.col("mean") > 0)
    totals = total_effects(fit, 12.0)
    assert totals is not None
    told = {(row[0], row[1]): row[2:] for row in tables.total_effects(totals, summary, "month", "death").rows}
    lines = (
        "direct log hazard ratio",
        "without death at 6 months",
        "without death at 12 months",
        "mean months without death, of the first 12",
    )
    assert list(told) == [(name, line) for name in ("x", "arm") for line in lines]
    assert told["x", lines[0]] == ["–", "–", "−0.800 (−0.900 to −0.700)", "direct association, not informed by these data"]
    assert told["arm", lines[0]][3] == "direct effect"
    assert {told["arm", line][3] for line in lines[1:]} == {"total effect"}
    active = np.mean([p.arm == "active" for p in literal.PEOPLE])
    treated, untreated = (active * np.exp(-0.6 * r * np.exp(0.5)) + (1 - active) * np.exp(-0.6 * r) for r in (np.exp(-0.8), 1.0))
    gain = f"{100 * (treated - untreated):.1f}"
    assert told["x", lines[2]] == [
        f"{treated:.1%}", f"{untreated:.1%}", f"{gain} ({gain} to {gain}) percentage points", "total association",
    ]  # fmt: skip
    # Of the two only the one that was assigned is told in a sentence.
    study = SimpleNamespace(model=TAKEN)
    (sentence,) = total_words(study, totals)
    assert sentence.startswith("In all, with arm ")
    loss = 100 * the(totals.filter(pl.col("treatment") == "arm"), "survival", 12.0)["mean"]
    assert f"a difference of {loss:.1f} percentage points (95% credible interval {loss:.1f} to {loss:.1f})" in sentence
    assert total_words(study, None) == []
