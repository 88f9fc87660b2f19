"""Group-sequential boundaries, power and inference against rpact: tests/goldens/group_sequential (script, output, versions)."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alsmodel.trials.adaptation import conditional_power
from alsmodel.trials.sequential import GroupSequential, boundaries
from alsmodel.trials.sequential_inference import repeated_intervals, repeated_p, sequential_result
from alsmodel.trials.sequential_power import drift_for_power, inflation_factor, sequential_power
from alsmodel.trials.spending import (
    BetaSpending,
    FixedFutility,
    HaybittlePeto,
    HwangShihDeCani,
    KimDeMets,
    OBrienFlemingSpending,
    PocockSpending,
    UserSpending,
    WangTsiatis,
)

REFERENCE = pl.read_csv(Path(__file__).parents[1] / "goldens" / "group_sequential" / "reference.csv", null_values="NA")
EQUAL, UNEVEN = (0.2, 0.4, 0.6, 0.8, 1.0), (0.25, 0.6, 1.0)
EFFICACY = {
    "of": WangTsiatis(delta=0.0),
    "p": WangTsiatis(delta=0.5),
    "wt25": WangTsiatis(delta=0.25),
    "hp": HaybittlePeto(),
    "asof": OBrienFlemingSpending(),
    "asp": PocockSpending(),
    "hsd-4": HwangShihDeCani(gamma=-4.0),
    "hsd1": HwangShihDeCani(gamma=1.0),
    "kd3": KimDeMets(rho=3.0),
    "kd1.5": KimDeMets(rho=1.5),
    "user": UserSpending(fractions=UNEVEN, shares=(0.08, 0.4, 1.0)),
}
BETA = {"bsOF": OBrienFlemingSpending(), "bsP": PocockSpending(), "bsHSD": HwangShihDeCani(gamma=-2.0), "bsKD": KimDeMets(rho=2.0)}
#: rpact solves each boundary to 1e-8 or so and stops short of alpha by 1e-8; its integration is good to 1e-7.
CLOSE = 1e-6


def values(case, quantity):
    rows = REFERENCE.filter((pl.col("case") == case) & (pl.col("quantity") == quantity)).sort("look")
    assert rows.height, (case, quantity)
    return rows["value"].to_numpy()


@pytest.mark.parametrize("case", [f"{kind}_{n}_{s}" for kind in EFFICACY for n in (5, 3) for s in (1, 2) if kind != "user"] + ["user_3_1"])
def test_boundaries_agree_with_rpact(case):
    kind, looks, sides = case.split("_")
    design = GroupSequential(
        fractions=EQUAL if looks == "5" else UNEVEN,
        alpha=0.025 * int(sides),
        side="one-sided" if sides == "1" else "two-sided",
        efficacy=EFFICACY[kind],
    )
    mine = boundaries(design)
    np.testing.assert_allclose(mine.upper, values(case, "upper"), rtol=0, atol=CLOSE)
    np.testing.assert_allclose(mine.alpha_spent, values(case, "alpha_spent"), rtol=0, atol=2e-8)


@pytest.mark.parametrize("looks", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", ["of", "p"])
def test_classical_constants_agree_with_rpact(kind, looks):
    fractions = (*(j / looks for j in range(1, looks)), 1.0)
    mine = boundaries(GroupSequential(fractions=fractions, alpha=0.05, side="two-sided", efficacy=EFFICACY[kind]))
    np.testing.assert_allclose(mine.upper, values(f"classical_{kind}_{looks}", "upper"), rtol=0, atol=CLOSE)


@pytest.mark.parametrize("kind", BETA)
@pytest.mark.parametrize("binding", [False, True])
def test_beta_spending_agrees_with_rpact(kind, binding):
    case = f"beta_{kind}_{'binding' if binding else 'free'}"
    futility = BetaSpending(beta=0.2, function=BETA[kind], binding=binding)
    mine = boundaries(GroupSequential(fractions=UNEVEN, futility=futility))
    np.testing.assert_allclose(mine.upper, values(case, "upper"), rtol=0, atol=CLOSE)
    np.testing.assert_allclose(mine.lower[:-1], values(case, "lower"), rtol=0, atol=CLOSE)
    np.testing.assert_allclose(mine.beta_spent, values(case, "beta_spent"), rtol=0, atol=1e-6)
    assert mine.drift**2 == pytest.approx(values(case, "shift")[0], abs=1e-5)  # a square: ten times the drift's own error


@pytest.mark.parametrize("binding", [False, True])
def test_fixed_futility_agrees_with_rpact(binding):
    design = GroupSequential(fractions=UNEVEN, efficacy=PocockSpending(), futility=FixedFutility(z=(-0.3, 0.8), binding=binding))
    case = f"fixed_{'binding' if binding else 'free'}"
    np.testing.assert_allclose(boundaries(design).upper, values(case, "upper"), rtol=0, atol=3e-6 if binding else CLOSE)


@pytest.mark.parametrize("kind", ["OF", "P", "asOF", "asP"])
def test_power_exits_and_expected_size_agree_with_rpact(kind):
    case = f"char_{kind}"
    bounds = boundaries(GroupSequential(fractions=EQUAL, efficacy=EFFICACY[kind.lower()]))
    drift = drift_for_power(bounds, 0.9)
    inflation = inflation_factor(bounds, 0.9, 0.025)
    assert drift**2 == pytest.approx(values(case, "shift")[0], abs=1e-5)
    assert inflation == pytest.approx(values(case, "inflation")[0], abs=1e-6)
    real, null = sequential_power(bounds, drift), sequential_power(bounds, 0.0)
    np.testing.assert_allclose(real.efficacy, values(case, "exit_h1"), rtol=0, atol=1e-6)
    assert real.expected_information * inflation == pytest.approx(values(case, "asn_h1")[0], abs=1e-6)
    assert null.expected_information * inflation == pytest.approx(values(case, "asn_h0")[0], abs=1e-6)


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_inference_after_stopping_agrees_with_rpact(stop):
    n, z = np.array([25.0, 60.0, 100.0]), [1.0, 1.4]
    last = (4.6, 2.9, 2.3)[stop - 1]
    design = GroupSequential(fractions=UNEVEN)
    bounds = boundaries(design, n[:stop], maximum=100.0, last=stop == 3)
    mine = sequential_result(bounds, last, maximum=100.0)
    case = f"final_{stop}"

    def theirs(quantity):
        return values(case, quantity)[stop - 1]

    # rpact's roots of these are found to about 1e-6.
    assert mine.p_value == pytest.approx(theirs("final_p"), abs=1e-7)
    assert mine.estimate == pytest.approx(theirs("estimate"), abs=5e-6)
    assert mine.low == pytest.approx(theirs("low"), abs=5e-6)
    assert mine.high == pytest.approx(theirs("high"), abs=5e-6)
    low, high = repeated_intervals(bounds, [*z[: stop - 1], last], maximum=100.0)
    np.testing.assert_allclose(low, values(case, "rci_low")[:stop], rtol=0, atol=CLOSE)
    np.testing.assert_allclose(high, values(case, "rci_high")[:stop], rtol=0, atol=CLOSE)
    p = repeated_p(design, n[:stop], [*z[: stop - 1], last], maximum=100.0)
    np.testing.assert_allclose(p, values(case, "repeated_p")[:stop], rtol=0, atol=1e-5)


def test_conditional_power_agrees_with_rpact():
    bounds = boundaries(GroupSequential(fractions=UNEVEN))
    assert conditional_power(bounds, 1, 1.5, drift=3.0) == pytest.approx(values("conditional_1", "power")[2], abs=1e-6)
    assert conditional_power(bounds, 2, 1.7, drift=3.0) == pytest.approx(values("conditional_2", "power")[2], abs=1e-6)
