"""True values of rank, win, responder and Cox analyses: closed forms, all pairs by hand, and what trials estimate."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from alsmodel.trials import (
    MMRM,
    RMST,
    Afterwards,
    BaselineCovariate,
    Cox,
    Effect,
    Intercurrent,
    JointRank,
    LogRank,
    NamedTruth,
    ParallelDesign,
    Phenotype,
    Population,
    PosteriorTruth,
    Recruitment,
    ReferenceBased,
    Responder,
    Trial,
    Win,
    simulate,
)
from alsmodel.trials import estimands as estimands_module
from alsmodel.trials.block import TWIN_STREAM, trial_keys
from alsmodel.trials.estimands import true_values
from alsmodel.trials.functionals import functional_of
from alsmodel.trials.world import enrol, observe

# Events and scores that know nothing of each other, so that everything has a closed form.
TRUTH = NamedTruth(hazard=(0.05,), association_value=0.0, slope_skew=0.0)
DESIGN = ParallelDesign(visits=(0.0, 4.0, 8.0), duration=10.0, dropout_per_month=0.0, missing_visit_probability=0.0)
EFFECT = Effect(name="both", slowing=0.4, hazard_ratio=0.5)
RANKS = (Win(), Win(scale="win odds"), Win(scale="net benefit"), JointRank())
TRIAL = Trial(truth=TRUTH, design=DESIGN, analyses=(*RANKS, Responder(threshold=6.0)), effects=(EFFECT,), n_per_arm=(120,), seed=8)
TWINS = 100_000


def closed_win() -> tuple[float, float]:
    """P(an active participant wins) and loses: exponential deaths up to 10 months, then normal changes at month 8."""
    rate = 0.05 + 0.025
    alive = np.exp(-rate * 10)
    spread = np.hypot(TRUTH.slope_sd * 8, np.sqrt(2) * TRUTH.residual_sd)
    better = norm.cdf(0.4 * 1.03 * 8 / (np.sqrt(2) * spread))
    return 0.05 / rate * (1 - alive) + alive * better, 0.025 / rate * (1 - alive) + alive * (1 - better)


def test_wins_ranks_and_responders_have_their_closed_forms(tmp_path: Path) -> None:
    found = true_values(TRIAL.scenarios[0], tmp_path, TWINS)
    won, lost = closed_win()
    wanted = {
        "win ratio": np.log(won / lost),
        "win odds": np.log(won / lost),  # continuous outcomes: no ties
        "net benefit": won - lost,
        "joint rank": 240 * (won - 0.5),
    }
    spread = np.hypot(TRUTH.slope_sd * 8, np.sqrt(2) * TRUTH.residual_sd)
    shares = [np.exp(-h * 8) * norm.cdf((6 - 8 * 1.03 * f) / spread) for h, f in ((0.05, 1.0), (0.025, 0.6))]
    wanted["responder, fewer than 6 points lost"] = shares[1] - shares[0]
    assert set(found.values) == set(wanted)
    for label, value in wanted.items():
        error = found.error(label)
        # The SE of four blocks of 25,000 twins has 3 degrees of freedom: 8 of them are one false alarm in 250; and it is small.
        assert error is not None
        assert abs(found.values[label][0] - value) < 8 * error, label
        assert error < 0.02 * abs(value), label


def test_pairs_are_counted_as_by_hand_with_strata_and_without_the_own_twin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimands_module, "AT_ONCE", 60)
    population = Population(phenotypes=(Phenotype(name="limb", share=0.6), Phenotype(name="bulbar", share=0.4, slope=-0.6, log_hazard=0.8)))
    design = replace(DESIGN, recruitment=Recruitment(per_month=(20.0,), sites=3))
    analyses = (Win(scale="net benefit"), Win(scale="net benefit", strata=("phenotype", "site")))
    trial = replace(TRIAL, population=population, design=design, analyses=analyses)
    found = true_values(trial.scenarios[0], tmp_path, 60).values
    keys = trial_keys(trial, 0, 1, TWIN_STREAM)
    enrolled = enrol(replace(trial, design=DESIGN, analyses=analyses[:1]), keys, 60)
    control, active = (observe(DESIGN, population, enrolled, EFFECT, np.full((1, 60), a), keys, twins=True) for a in (0, 1))
    signs = np.zeros((60, 60))
    for i in range(60):
        for j in range(60):
            d1, d0 = bool(active.event[0, i]), bool(control.event[0, j])
            t1, t0 = active.event_time[0, i], control.event_time[0, j]
            if (d1 and t1 < t0) or (d0 and t0 < t1):
                signs[i, j] = 1.0 if t1 > t0 else -1.0
            else:
                a, c = active.scores[0, i], control.scores[0, j]
                signs[i, j] = np.sign((a[2] - a[0]) - (c[2] - c[0]))
    np.fill_diagonal(signs, 0.0)
    assert found["net benefit"][0] == pytest.approx(signs.sum() / (60 * 59), abs=1e-12)
    group = enrolled.group[0]
    layers = [(group == g).sum() for g in (0, 1)]
    wanted = sum(signs[np.ix_(group == g, group == g)].sum() / (m - 1) for g, m in enumerate(layers)) / 60
    assert found["net benefit, stratified by phenotype and site"][0] == pytest.approx(wanted, abs=1e-12)


def test_the_sharp_null_has_true_values_of_exactly_zero(tmp_path: Path) -> None:
    trial = replace(TRIAL, truth=NamedTruth(), effects=(Effect(name="null"),))
    found = true_values(trial.scenarios[0], tmp_path, 25_000)
    assert all(value[0] == 0.0 for value in found.values.values())
    assert found.error("win ratio") is None  # one block says nothing about the error


def test_trials_without_dropout_estimate_the_true_values_and_their_intervals_cover_them() -> None:
    # Deaths hang on the trajectory: no coefficient of the generator says what these are.
    trial = replace(TRIAL, truth=NamedTruth(hazard=(0.03,)), analyses=(*TRIAL.analyses, Cox(), LogRank()), replicates=250)
    table = simulate(trial, twins=TWINS).table
    for row in table.iter_rows(named=True):
        # 3.5 standard errors of 250 trials and of the twins; 2% of the value for the small-sample bias of ratios, ranks and the one-step
        # log hazard ratio, which aims at the Cox limit and is nearer to zero.
        room = 3.5 * np.hypot(row["bias_mcse"], row["true_value_mcse"]) + (0.1 if row["analysis"] == "log-rank" else 0.02) * abs(
            row["true_value"]
        )
        assert abs(row["bias"]) < room, row["analysis"]
        assert abs(row["coverage"] - 0.95) < 3.5 * np.sqrt(0.05 * 0.95 / 250), row["analysis"]
    cox = table.row(by_predicate=pl.col("analysis") == "Cox", named=True)
    # Negative control: the generator's direct coefficient is no true value, and the same check finds out.
    assert abs(cox["mean_estimate"] - np.log(0.5)) > 3.5 * np.hypot(cox["bias_mcse"], cox["true_value_mcse"]) + 0.02 * abs(np.log(0.5))


def test_a_cox_limit_follows_the_analysis_and_the_allocation(tmp_path: Path) -> None:
    covariate = BaselineCovariate(name="risk", log_hazard=1.0)
    trial = Trial(
        truth=TRUTH,
        population=Population(covariates=(covariate,)),
        design=DESIGN,
        analyses=(Cox(), Cox(covariates=("risk",)), Cox(strata=("risk > 0",)), RMST(horizon=9.0)),
        effects=(Effect(name="half", hazard_ratio=0.5),),
        n_per_arm=(10,),
    )
    found = true_values(trial.scenarios[0], tmp_path, TWINS).values
    # Given the covariate hazards are proportional with ratio 0.5; left out, the limit is nearer to none. SE about 0.006.
    assert found["Cox, adjusted for risk"][0] == pytest.approx(np.log(0.5), abs=0.025)
    assert found["Cox"][0] > np.log(0.5) + 0.05
    assert found["Cox"][0] > found["Cox, stratified by risk > 0"][0] > found["Cox, adjusted for risk"][0]
    # The same score equation by the general route, one stratum at a time, without covariates.
    late = (Effect(name="late", hazard_ratio_periods=((0.0, 1.0), (5.0, 0.3))),)
    even = replace(trial, truth=NamedTruth(hazard=(0.15,)), effects=late, analyses=(Cox(),))
    uneven = replace(even, design=replace(DESIGN, allocation=(1, 4)))
    limits = [true_values(t.scenarios[0], tmp_path, TWINS).values["Cox"][0] for t in (even, uneven)]
    assert abs(limits[1] - limits[0]) > 0.005


LEAVING = Trial(
    truth=replace(TRUTH, hazard=(1e-9,)),
    design=ParallelDesign(visits=(0.0, 3.0, 6.0, 9.0), duration=9.0, dropout_per_month=0.06, missing_visit_probability=0.0),
    analyses=tuple(ReferenceBased(strategy=s) for s in ("jump to reference", "copy increments", "copy reference")),
    effects=(Effect(name="slower", points_per_month=0.6),),
    n_per_arm=(60,),
    seed=12,
)


def test_leaving_by_reference_has_its_closed_forms(tmp_path: Path) -> None:
    found = true_values(LEAVING.scenarios[0], tmp_path, 200_000)
    months, rate = np.array([0.0, 3.0, 6.0, 9.0]), -np.log(1 - 0.06)
    stays = np.exp(-rate * 9)
    # Who leaves between two visits was last seen at the first of them.
    leaves = np.exp(-rate * months[:-1]) - np.exp(-rate * months[1:])
    truth = LEAVING.truth
    assert isinstance(truth, NamedTruth)
    own = np.array([[truth.intercept_sd**2, 0.0], [0.0, truth.slope_sd**2]])
    own[0, 1] = own[1, 0] = truth.correlation * truth.intercept_sd * truth.slope_sd
    design = np.column_stack([np.ones(4), months])
    whole = design @ own @ design.T + truth.residual_sd**2 * np.eye(4)
    given = whole[1:, 1:] - np.outer(whole[1:, 0], whole[0, 1:]) / whole[0, 0]
    gained = 0.6 * months
    goes_on = [0.0] + [given[2, :d] @ np.linalg.solve(given[:d, :d], gained[1 : d + 1]) for d in (1, 2)]
    wanted = [stays * gained[3], stays * gained[3] + leaves @ gained[:3], stays * gained[3] + leaves @ np.array(goes_on)]
    for analysis, value in zip(LEAVING.analyses, wanted, strict=True):
        error = found.error(analysis.label)
        assert error is not None
        assert abs(found.values[analysis.label][0] - value) < 5 * error, analysis.label
        assert error < 0.02
    # Where slopes differ, a deviation grows: copy reference keeps more than copy increments.
    assert wanted[0] < wanted[1] < wanted[2]


def test_trials_estimate_the_values_by_reference_and_the_one_at_random_is_found_out() -> None:
    trial = replace(LEAVING, analyses=(*LEAVING.analyses, MMRM()), n_per_arm=(40,), replicates=70)
    *by_reference, mmrm = simulate(trial, twins=TWINS).table.iter_rows(named=True)
    for row in by_reference:
        assert abs(row["bias"]) < 3.5 * np.hypot(row["bias_mcse"], row["true_value_mcse"]), row["analysis"]
        assert abs(row["coverage"] - 0.95) < 3.5 * np.sqrt(0.05 * 0.95 / 70), row["analysis"]
    # Negative control: had nobody left is another question, and its answer lies far from jump to reference.
    assert mmrm["mean_estimate"] - by_reference[0]["true_value"] > 3.5 * mmrm["bias_mcse"]


def test_a_hypothetical_event_is_imputed_by_reference_as_leaving_is(tmp_path: Path) -> None:
    rate = -np.log(1 - 0.06)
    rescue = Intercurrent(name="rescue", hazard=rate, afterwards=Afterwards(slope=1.0), strategy="hypothetical")
    staying = replace(LEAVING.design, dropout_per_month=0.0)
    rescued = replace(LEAVING, design=staying, intercurrent=(rescue,))
    policy = replace(rescued, intercurrent=(replace(rescue, strategy="treatment policy"),))
    one, two, other = (true_values(t.scenarios[0], tmp_path, 200_000) for t in (LEAVING, rescued, policy))
    for label, value in one.values.items():
        # At the same constant rate, who is rescued is imputed as who leaves, whatever the rescue does to them.
        error = np.hypot(one.error(label) or 0.0, two.error(label) or 0.0)
        assert abs(two.values[label][0] - value[0]) < 5 * error, label
        assert other.values[label][0] > value[0] + 0.5, label  # under treatment policy nobody is imputed
    trial = replace(rescued, design=replace(staying, dropout_per_month=0.02), n_per_arm=(40,), replicates=60)
    for row in simulate(trial, twins=TWINS).table.iter_rows(named=True):
        assert abs(row["bias"]) < 3.5 * np.hypot(row["bias_mcse"], row["true_value_mcse"]), row["analysis"]


def test_who_leaves_belongs_to_the_value_by_reference_alone(tmp_path: Path) -> None:
    assert functional_of(ReferenceBased(strategy="missing at random")) is functional_of(MMRM())
    more = replace(LEAVING, design=replace(LEAVING.design, dropout_per_month=0.2), analyses=(*LEAVING.analyses, MMRM()))
    few = replace(more, design=LEAVING.design)
    one, two = (true_values(t.scenarios[0], tmp_path, 25_000).values for t in (few, more))
    assert one["MMRM"][0] == two["MMRM"][0]
    assert all(two[a.label][0] < one[a.label][0] - 0.5 for a in LEAVING.analyses)
    # Nobody leaves: everything is the difference of the paths.
    none = replace(more, design=replace(LEAVING.design, dropout_per_month=0.0))
    values = true_values(none.scenarios[0], tmp_path, 25_000).values
    assert all(value[0] == pytest.approx(5.4, abs=1e-9) for value in values.values())
    # A death that is known takes the place of leaving, and nobody is imputed past it.
    dying = replace(few, truth=replace(TRUTH, hazard=(0.1,)), analyses=LEAVING.analyses[:1])
    told = replace(dying, design=replace(dying.design, vital_status_after_leaving=True))
    hidden, known = (true_values(t.scenarios[0], tmp_path, 25_000).values for t in (dying, told))
    assert known["MMRM, jump to reference, jackknife"][0] > hidden["MMRM, jump to reference, jackknife"][0] + 0.1


def posterior(hazards: np.ndarray, slopes: np.ndarray, people: int = 6, association: float = 0.0) -> PosteriorTruth:
    draws = hazards.size
    return PosteriorTruth(
        intercept=np.full((draws, people), 36.0),
        slope=slopes[:, None] * np.ones(people),
        log_hazard=np.zeros((draws, people)),
        random_cholesky=np.tile(np.diag([6.0, 0.76]), (draws, 1, 1)),
        residual_sd=np.full(draws, 1.77),
        knots=np.array([0.0, 12.0]),
        log_baseline_hazard=np.log(hazards)[:, None] - association * 36.0,
        association_value=np.full(draws, association),
        association_slope=np.zeros(draws),
    )


def test_every_posterior_draw_has_its_own_true_values(tmp_path: Path) -> None:
    hazards, slopes = np.array([0.02, 0.05, 0.12]), np.array([-0.6, -1.0, -1.5])
    analyses = (*RANKS, Responder(threshold=6.0), Cox(), RMST(horizon=9.0))
    trial = replace(TRIAL, truth=posterior(hazards, slopes), analyses=analyses)
    found = true_values(trial.scenarios[0], tmp_path, 150_000)
    spread = np.hypot(0.76 * 8, np.sqrt(2) * 1.77)
    better = norm.cdf(-0.4 * slopes * 8 / (np.sqrt(2) * spread))
    alive = np.exp(-1.5 * hazards * 10)
    won, lost = (1 - alive) / 1.5 + alive * better, (1 - alive) / 3 + alive * (1 - better)
    shares = [np.exp(-r * hazards * 8) * norm.cdf((6 + 8 * slopes * f) / spread) for r, f in ((1.0, 1.0), (0.5, 0.6))]
    wanted = {
        "win ratio": np.log(won / lost),
        "net benefit": won - lost,
        "joint rank": 240 * (won - 0.5),
        "responder, fewer than 6 points lost": shares[1] - shares[0],
        "Cox": np.full(3, np.log(0.5)),
        "RMST to month 9": (1 - np.exp(-0.5 * hazards * 9)) / (0.5 * hazards) - (1 - np.exp(-hazards * 9)) / hazards,
    }
    assert set(wanted) < set(found.values)
    for label, values in wanted.items():
        errors = found.errors[label]
        # 50,000 twins a draw in some 16 batches: 5 standard errors, and they are small.
        assert (np.abs(found.values[label] - values) < 5 * errors).all(), label
        assert (errors < 0.05 * np.abs(values) + 0.005).all(), label
        assert found.error(label) == pytest.approx(np.sqrt((errors**2).sum()) / 3)
        # Each trial is held against the value of its own draw.
        assert found.of(label, np.array([2, 0])).tolist() == found.values[label][[2, 0]].tolist()


def test_trials_from_a_posterior_estimate_the_values_of_their_draws() -> None:
    rng = np.random.default_rng(2)
    truth = posterior(rng.uniform(0.01, 0.08, 30), rng.uniform(-1.5, -0.6, 30), association=-0.08)
    analyses = (Win(scale="net benefit"), Responder(threshold=6.0), Cox(), RMST(horizon=9.0))
    table = simulate(replace(TRIAL, truth=truth, analyses=analyses, replicates=300), twins=TWINS).table
    for row in table.iter_rows(named=True):
        room = 3.5 * np.hypot(row["bias_mcse"], row["true_value_mcse"]) + 0.02 * abs(row["true_value"])
        assert abs(row["bias"]) < room, row["analysis"]
        assert abs(row["coverage"] - 0.95) < 3.5 * np.sqrt(0.05 * 0.95 / 300), row["analysis"]
    # Negative control: the generator's coefficient is no true value under an association.
    cox = table.row(by_predicate=pl.col("analysis") == "Cox", named=True)
    assert cox["true_value"] < np.log(0.5) - 3 * cox["true_value_mcse"]
