"""Cox and Weibull AFT against likelihoods written out here and maximised by scipy."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy.optimize import minimize

from alsmodel import baselines
from alsmodel.errors import InvalidInput


@pytest.fixture(scope="module")
def cohort() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(20)
    n = 250
    x = rng.normal(size=n)
    arm = np.where(rng.random(n) < 0.4, "active", "placebo")
    end = 20 * np.exp(-0.4 * x + 0.3 * (arm == "active")) * rng.weibull(1.4, n)
    stop = rng.uniform(4, 30, n)
    # Whole months, so that there are ties.
    return {"end": np.ceil(np.minimum(end, stop)), "event": (end <= stop).astype(int), "x": x, "arm": arm}


def test_exponential_limit_gives_events_over_follow_up_as_rate() -> None:
    # Closed form with shape 1: rate = events / follow-up. The Weibull scale is near its inverse when the data
    # are exponential; 4000 people leave a relative SE of about 2%.
    rng = np.random.default_rng(3)
    end, stop = rng.exponential(12.0, 4000), rng.uniform(6, 24, 4000)
    follow_up, event = np.minimum(end, stop), end <= stop
    table = baselines.fit(follow_up, event).weibull_aft
    scale, shape = table["time_ratio"].to_list()
    assert shape == pytest.approx(1.0, abs=0.06)
    assert scale == pytest.approx(follow_up.sum() / event.sum(), rel=0.05)


@pytest.mark.parametrize("truncated", [False, True])
def test_weibull_aft_maximises_its_likelihood(cohort: dict[str, np.ndarray], truncated: bool) -> None:
    entry = 0.5 * cohort["end"] * (cohort["x"] > 0) if truncated else None
    active = (cohort["arm"] == "active").astype(float)

    def minus_log_likelihood(p: np.ndarray) -> float:
        shape = np.exp(p[3])
        log_scale = p[0] + p[1] * cohort["x"] + p[2] * active
        log_t = np.log(cohort["end"])
        hazard = p[3] - log_scale + (shape - 1) * (log_t - log_scale)
        start = 0.0 if entry is None else (entry / np.exp(log_scale)) ** shape
        cumulative = np.exp(shape * (log_t - log_scale)) - start
        return float(-(cohort["event"] * hazard - cumulative).sum())

    best = minimize(minus_log_likelihood, np.array([3.0, 0, 0, 0]), method="BFGS", options={"gtol": 1e-5}).x
    table = baselines.fit(
        cohort["end"],
        cohort["event"],
        {"x": cohort["x"], "arm": cohort["arm"]},
        entry_time=entry,
    ).weibull_aft
    assert table["term"].to_list() == ["x", "arm[active]", "(scale)", "(shape)"]
    # Two optimisers stop at slightly different points: 2e-4 is a hundredth of the smallest standard error.
    np.testing.assert_allclose(table["log_time_ratio"], best[[1, 2, 0, 3]], atol=2e-4)
    shape = table["time_ratio"][3]
    np.testing.assert_allclose(table["hr"][:2], np.exp(-shape * table["log_time_ratio"][:2].to_numpy()))


def test_cox_maximises_the_efron_partial_likelihood(cohort: dict[str, np.ndarray]) -> None:
    end, event, x = cohort["end"], cohort["event"], cohort["x"]

    def minus_log_likelihood(p: np.ndarray) -> float:
        eta, total = p[0] * x, 0.0
        for t in np.unique(end[event == 1]):
            dead = (end == t) & (event == 1)
            at_risk, tied = np.exp(eta[end >= t]).sum(), np.exp(eta[dead]).sum()
            steps = np.arange(dead.sum()) / dead.sum()
            total += eta[dead].sum() - np.log(at_risk - steps * tied).sum()
        return -total

    best = minimize(minus_log_likelihood, np.zeros(1), method="BFGS").x
    row = baselines.fit(end, event, {"x": x}).cox.row(0, named=True)
    assert row["log_hr"] == pytest.approx(best[0], abs=1e-5)
    assert row["hr"] == pytest.approx(np.exp(row["log_hr"]), rel=1e-12)
    assert row["lower"] == pytest.approx(np.exp(row["log_hr"] - 1.959963984540054 * row["se"]), rel=1e-9)


def test_missing_covariates_are_refused_with_counts(cohort: dict[str, np.ndarray]) -> None:
    holes = np.where(cohort["x"] > 1, np.nan, cohort["x"])
    labels = cohort["arm"].astype(object)
    labels[:3] = None
    with pytest.raises(InvalidInput) as caught:
        baselines.fit(cohort["end"], cohort["event"], {"x": holes, "arm": labels})
    n_x = int((cohort["x"] > 1).sum())
    assert [str(f).split(" participants")[0] for f in caught.value.faults] == [
        f"covariates.x: error: {n_x} of 250",
        "covariates.arm: error: 3 of 250",
    ]


def test_complete_case_is_a_choice_that_is_counted(cohort: dict[str, np.ndarray]) -> None:
    holes = np.where(np.arange(250) < 10, np.nan, cohort["x"])
    result = baselines.fit(cohort["end"], cohort["event"], {"x": holes}, missing="complete-case")
    alone = baselines.fit(cohort["end"][10:], cohort["event"][10:], {"x": cohort["x"][10:]})
    assert (result.n, result.n_regression) == (250, 240)
    assert result.missing.rows() == [("x", 10)]
    assert result.notes == ("Cox and AFT are complete-case: 10 of 250 participants left out (missing: x 10).",)
    assert_frame_equal(result.cox, alone.cox)


def test_library_warnings_become_notes_that_name_the_covariate(cohort: dict[str, np.ndarray]) -> None:
    result = baselines.fit(cohort["end"], cohort["event"], {"separator": cohort["event"].astype(float)})
    assert any(note.startswith("Cox: Column separator have very low variance") for note in result.notes)


def test_reference_level_can_be_named_and_must_exist(cohort: dict[str, np.ndarray]) -> None:
    columns = {"arm": cohort["arm"]}
    result = baselines.fit(cohort["end"], cohort["event"], columns, reference={"arm": "active"})
    assert result.cox["term"].to_list() == ["arm[placebo]"]
    with pytest.raises(InvalidInput, match="no participant has this level"):
        baselines.fit(cohort["end"], cohort["event"], columns, reference={"arm": "sham"})


def test_what_cannot_be_run_is_said() -> None:
    time = np.array([1.0, 2.0, 0.0])
    nobody = baselines.fit(time, np.zeros(3), {"x": np.array([1.0, 2.0, 3.0])})
    assert nobody.cox.is_empty()
    assert nobody.notes == (
        "Cox and AFT leave out 1 of 3 participants whose follow-up ends at time zero.",
        "Cox and AFT were not run: no event among the participants that they could use.",
    )
    constant = baselines.fit(time[:2], np.ones(2), {"x": np.ones(2)})
    assert constant.notes[:2] == (
        "Cox and AFT leave out columns that do not vary: x.",
        "Cox was not run: there are no covariates.",
    )


def test_saved_baselines_come_back_the_same(cohort: dict[str, np.ndarray], tmp_path: Path) -> None:
    result = baselines.fit(cohort["end"], cohort["event"], {"x": cohort["x"]}, {"arm": cohort["arm"]})
    result.save(tmp_path / "baselines")
    again = baselines.Baselines.load(tmp_path / "baselines")
    for name, value in vars(result).items():
        other = getattr(again, name)
        if isinstance(value, pl.DataFrame):
            assert_frame_equal(value, other)
        else:
            assert value == other
    assert sorted(p.name for p in (tmp_path / "baselines").iterdir())[0] == "baselines.json"
