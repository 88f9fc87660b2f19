"""The virtual cohort as arrays."""

import csv
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

from alsmodel.patients import Drug, Phenotype, VirtualCohort, VirtualParticipants, simulate
from alsmodel.patients.paths import Paths, bend, event_months, weibull_mass
from alsmodel.patients.spec import DAYS_PER_MONTH
from alsmodel.patients.streams import stream_key, uniforms
from alsmodel.patients.tables import write_tables

N = 6000
PLAIN = VirtualCohort(rounding=False, clamping=False, dropout=0.0)


@pytest.fixture(scope="module")
def cohort() -> VirtualParticipants:
    return simulate(VirtualCohort(), n=N, seed=11)


@pytest.fixture(scope="module")
def plain() -> VirtualParticipants:
    return simulate(PLAIN, n=N, seed=12)


def test_slopes_and_intercepts_have_the_moments_of_the_settings(plain: VirtualParticipants) -> None:
    spec = plain.spec
    # Four SEs. The SD of the slope has an SE inflated by the heavy left tail (kurtosis about 13).
    assert abs(plain.slope.mean() - spec.slope_mean) < 4 * spec.slope_sd / np.sqrt(N)
    assert abs(plain.slope.std() - spec.slope_sd) < 4 * spec.slope_sd * np.sqrt((13 - 1) / (4 * N))
    assert abs(plain.intercept.mean() - spec.baseline_mean) < 4 * spec.intercept_sd / np.sqrt(N)
    assert abs(plain.intercept.std() - spec.intercept_sd) < 4 * spec.intercept_sd / np.sqrt(2 * N)
    r = np.corrcoef(plain.intercept, plain.slope - np.array([_slope(spec, p) for p in plain.phenotype]))[0, 1]
    assert abs(r - spec.correlation) < 4 * 1.5 / np.sqrt(N)


def _slope(spec: VirtualCohort, name: str) -> float:
    return {p.name: p.slope for p in spec.phenotypes}[name]


def test_the_observed_baseline_sd_counts_the_residual_once(plain: VirtualParticipants) -> None:
    # sqrt(6.46^2 + 1.77^2) = 6.70; SE of an SD is 6.7 / sqrt(2N).
    assert abs(plain.score[:, 0].std() - 6.7) < 4 * 6.7 / np.sqrt(2 * N)
    residual = (plain.score - plain.true_value)[~np.isnan(plain.score)]
    assert abs(residual.std() - 1.77) < 4 * 1.77 / np.sqrt(2 * residual.size)


def test_few_people_improve_unlike_with_a_normal_slope(plain: VirtualParticipants) -> None:
    normal = simulate(replace(PLAIN, slope_skew=0.0), n=N, seed=12)
    assert (plain.slope > 0).mean() < 0.03
    assert 0.06 < (normal.slope > 0).mean() < 0.12


def test_items_add_up_to_the_total_and_follow_the_phenotype(cohort: VirtualParticipants) -> None:
    made = cohort.total >= 0
    items = cohort.items[made]
    assert items.min() >= 0
    assert items.max() <= 4
    assert np.array_equal(items.sum(axis=1), cohort.total[made])
    assert np.array_equal(cohort.score[made], cohort.total[made])
    first = cohort.items[:, 0].reshape(N, 4, 3).sum(axis=2).astype(float)
    bulbar, arm = cohort.phenotype == "bulbar", cohort.phenotype == "flail arm"
    assert first[bulbar, 0].mean() < first[cohort.phenotype == "classic", 0].mean() - 2
    assert first[arm].mean(axis=0).argmin() == 1


def test_a_lower_total_never_raises_an_item(cohort: VirtualParticipants) -> None:
    a, b = cohort.items[:, 0], cohort.items[:, 1]
    fell = (cohort.total[:, 1] >= 0) & (cohort.total[:, 1] <= cohort.total[:, 0])
    assert fell.any()
    assert (b[fell] <= a[fell]).all()


def test_the_first_participants_do_not_depend_on_how_many_follow() -> None:
    few, many = simulate(VirtualCohort(), 20, seed=5), simulate(VirtualCohort(), 33, seed=5)
    for item in fields(VirtualParticipants):
        a, b = getattr(few, item.name), getattr(many, item.name)
        if isinstance(a, np.ndarray):
            assert np.array_equal(a, b[:20], equal_nan=a.dtype.kind == "f"), item.name
    other = simulate(VirtualCohort(), 20, seed=6)
    assert not np.array_equal(few.intercept, other.intercept)


def test_scores_stop_at_death_and_at_leaving(cohort: VirtualParticipants) -> None:
    made = cohort.total >= 0
    assert made[:, 0].all()
    last = np.where(made, cohort.visit_day, -np.inf).max(axis=1)
    assert (last[cohort.event] < cohort.end_day[cohort.event]).all()
    assert (last <= cohort.end_month * DAYS_PER_MONTH).all()
    assert set(cohort.end_reason) == {"death", "dropout", "administrative"}
    # "About a quarter to a third die": a setting that was chosen, so a wide band.
    assert 0.22 < cohort.event.mean() < 0.36


def test_nobody_leaves_when_dropout_is_off(plain: VirtualParticipants) -> None:
    assert "dropout" not in plain.end_reason
    assert plain.score[~np.isnan(plain.score)].max() > 48


def test_only_sod1_carriers_take_tofersen(cohort: VirtualParticipants) -> None:
    taken = ~np.isnan(cohort.exposure_start[:, 2])
    assert taken.sum() > 20
    assert set(cohort.gene[taken]) == {"SOD1"}
    assert (cohort.exposure_start[taken, 2] < 0).any()
    assert (cohort.exposure_start[taken, 2] > 0).any()


def test_burdens_count_over_examined_regions(cohort: VirtualParticipants) -> None:
    assert (cohort.examined >= 1).all()
    assert (cohort.umn <= cohort.examined).all()
    assert cohort.lmn[cohort.phenotype == "PLS"].max() == 0
    assert cohort.umn[cohort.phenotype == "PMA"].max() == 0


def test_history_comes_before_baseline_in_order(cohort: VirtualParticipants) -> None:
    assert (cohort.onset_day < cohort.diagnosis_day).all()
    assert (cohort.diagnosis_day < 0).all()


@pytest.mark.parametrize("treatment", ["multiplicative", "additive"])
def test_a_drug_bends_the_line_where_it_starts(treatment: str) -> None:
    start = np.array([[5.0], [np.nan], [-3.0]])
    additive = np.array([0.4]) if treatment == "additive" else None
    ones = np.ones(3)
    paths = bend(40 * ones, -1.2 * ones, 0 * ones, start, np.array([[9.0], [np.inf], [np.inf]]), np.log([0.5]), np.zeros(1), additive, 20.0)
    slope = -0.8 if treatment == "additive" else -0.6
    got = paths.value(np.tile([-1.0, 4.0, 7.0, 12.0], (3, 1)))
    bent = [41.2, 40 - 4.8, 40 - 6 + 2 * slope, 40 - 6 + 4 * slope - 3.6]
    np.testing.assert_allclose(got[0], bent, atol=1e-12)
    np.testing.assert_allclose(got[1], 40 - 1.2 * np.array([-1, 4, 7, 12]), atol=1e-12)
    np.testing.assert_allclose(got[2], 40 + slope * np.array([-1, 4, 7, 12]), atol=1e-12)


@pytest.mark.parametrize("shape", [0.0, 1.44, 0.8])
def test_the_event_along_a_bent_path_uses_up_exactly_its_mass(shape: float) -> None:
    n, key = 60, stream_key(4)
    start = np.linspace(-5.0, 30.0, n)[:, None]
    slope = -np.linspace(0.1, 3.0, n)
    paths = bend(np.full(n, 30.0), slope, np.zeros(n), start, start + 6.0, np.log([0.4]), np.array([-0.5]), None, 60.0)
    knots = np.append(np.arange(60.0), np.inf) if shape else np.array([0.0, 3.0, 8.0, 60.0])
    levels = np.full(60, -1.5) if shape else np.array([-1.5, -1.0, -1.3])
    month = event_months(key, 7, paths.breaks, paths.start, paths.rate, paths.log_hazard, -0.09, 0.2, knots, levels, shape)
    assert np.isfinite(month).sum() > 40
    drawn = -np.log(uniforms(key, n, 7, 1)[:, 0])
    for i in range(n):
        mass = _integrate(paths, i, min(month[i], 60.0), shape, knots, levels)
        if np.isinf(month[i]):
            assert mass < drawn[i]
        else:
            # Quadrature of the test on the one side, bisection of the Weibull form on the other.
            assert mass == pytest.approx(drawn[i], rel=1e-5)


def _integrate(paths: Paths, i: int, month: float, shape: float, knots: np.ndarray, levels: np.ndarray) -> float:
    one = Paths(
        breaks=paths.breaks[i : i + 1],
        start=paths.start[i : i + 1],
        rate=paths.rate[i : i + 1],
        log_hazard=paths.log_hazard[i : i + 1],
    )

    def hazard(t: float) -> float:
        s = min(int(np.searchsorted(one.breaks[0], t, side="right")) - 1, one.rate.shape[1] - 1)
        base = np.log(shape) + (shape - 1) * np.log(t) if shape else 0.0
        base += levels[min(int(np.searchsorted(knots[1:-1], t, side="right")), levels.size - 1)]
        value = one.value(np.array([[t]]))[0, 0]
        return float(np.exp(base + one.log_hazard[0, s] - 0.09 * value + 0.2 * one.rate[0, s]))

    inner = knots[1:4] if not shape else np.array([0.01])
    edges = np.unique(np.concatenate([[0.0, month], one.breaks[0], inner]))
    edges = edges[edges <= month]
    return float(sum(integrate.quad(hazard, a, b, limit=200)[0] for a, b in pairwise(edges)))


def test_the_weibull_quadrature_is_exact_without_growth() -> None:
    assert weibull_mass(1.44, -2.0, 0.0, 0.0, 5.0) == pytest.approx(np.exp(-2.0) * 5.0**1.44, rel=1e-12)


def test_death_does_not_depend_on_the_slope_when_the_hazard_does_not() -> None:
    """Negative control: no association, no phenotype or age effect on the hazard."""
    free = tuple(replace(p, log_hazard=0.0) for p in VirtualCohort().phenotypes)
    null = replace(PLAIN, association_value=0.0, age_log_hazard=0.0, phenotypes=free, log_baseline_hazard=(-3.9,) * 3)
    people = simulate(null, n=N, seed=3)
    tau = stats.kendalltau(people.slope, people.end_month).statistic
    # SE of a null Kendall correlation is (2/3) / sqrt(N).
    assert abs(tau) < 4 * (2 / 3) / np.sqrt(N)
    with_link = simulate(replace(null, association_value=-0.08, log_baseline_hazard=(-1.4,) * 3), n=N, seed=3)
    assert stats.kendalltau(with_link.slope, with_link.end_month).statistic > 10 * (2 / 3) / np.sqrt(N)


def test_a_null_arm_changes_nothing_and_an_effect_changes_only_its_arm() -> None:
    null = simulate(PLAIN, n=200, seed=9)
    treated = simulate(replace(PLAIN, arm_log_slope_ratio=float(np.log(0.7))), n=200, seed=9)
    placebo = null.arm == 0
    assert np.array_equal(null.score[placebo], treated.score[placebo], equal_nan=True)
    assert np.array_equal(null.slope, treated.slope)
    gain = treated.true_value[~placebo, 3] - null.true_value[~placebo, 3]
    assert np.nanmean(gain) > 1.0


def test_generators_differ_in_who_gains() -> None:
    effect = {"arm_log_slope_ratio": float(np.log(0.7)), "drugs": ()}
    gains = {}
    for treatment in ("multiplicative", "additive"):
        spec = replace(PLAIN, treatment=treatment, **effect)
        null = simulate(replace(spec, arm_log_slope_ratio=0.0), n=300, seed=9)
        people = simulate(spec, n=300, seed=9)
        gains[treatment] = ((people.true_value - null.true_value)[people.arm == 1, 1], null.slope[people.arm == 1])
    gain, slope = gains["multiplicative"]
    seen = ~np.isnan(gain)
    assert np.corrcoef(gain[seen], slope[seen])[0, 1] < -0.9
    gain = gains["additive"][0]
    month = people.visit_day[people.arm == 1, 1] / DAYS_PER_MONTH
    np.testing.assert_allclose(gain[~np.isnan(gain)], (0.3 * 1.03 * month)[~np.isnan(gain)], atol=1e-9)


def test_truth_names_the_parameters_that_generated_the_data(plain: VirtualParticipants) -> None:
    truth = plain.truth["parameters"]
    assert truth["association:value"] == -0.08
    spec = plain.spec
    mean = truth["slope"] + sum(p.share * truth.get(f"slope:phenotype[{p.name}]", 0.0) for p in spec.phenotypes)
    assert mean == pytest.approx(spec.slope_mean, abs=1e-12)
    limb, bulbar = plain.slope[plain.onset_site == "limb"], plain.slope[plain.onset_site == "bulbar"]
    se = np.sqrt(limb.var() / limb.size + bulbar.var() / bulbar.size)
    assert abs(bulbar.mean() - limb.mean() - truth["slope:onset_site[bulbar]"]) < 4 * se


def test_impossible_settings_are_refused_together() -> None:
    with pytest.raises(ValueError, match=r"shares must sum to 1.*residual_sd must be above 0") as failure:
        VirtualCohort(phenotypes=(Phenotype(name="only", share=0.5),), residual_sd=0.0, correlation=1.0)
    assert "correlation" in str(failure.value)
    with pytest.raises(ValueError, match="n >= 1"):
        simulate(VirtualCohort(), n=0, seed=1)


def test_a_cohort_of_one_phenotype_and_no_drugs_runs() -> None:
    spec = VirtualCohort(phenotypes=(Phenotype(name="only", share=1.0),), drugs=(), hazard="weibull")
    people = simulate(spec, n=30, seed=1)
    assert people.exposure_start.shape == (30, 0)
    one = replace(spec, drugs=(Drug(name="riluzole", baseline_share=1.0, stop_share=0.0),))
    assert (simulate(one, n=30, seed=1).exposure_start < 0).all()


def test_plain_tables_hold_the_arrays(tmp_path: Path) -> None:
    people = simulate(PLAIN, n=25, seed=2)
    write_tables(PLAIN, n=25, seed=2, folder=tmp_path)
    long = list(csv.DictReader((tmp_path / "long.csv").read_text(encoding="utf-8").splitlines()))
    surv = list(csv.DictReader((tmp_path / "surv.csv").read_text(encoding="utf-8").splitlines()))
    assert [float(row["alsfrs_r_total"]) for row in long] == people.score[~np.isnan(people.score)].tolist()
    assert [float(row["month"]) for row in surv] == people.end_month.tolist()
    assert sum(int(row["death"]) for row in surv) == people.event.sum()
