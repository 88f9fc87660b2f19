"""Priors from published effects: closed forms, brute force, and what must be refused."""

import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from alsmodel.clinical.effect import PublishedEffect, log_slope_ratio
from alsmodel.clinical.events import DEATH, TRACHEOSTOMY_FREE
from alsmodel.clinical.published import EFFECTS, effect
from alsmodel.clinical.units import DAYS_PER_MONTH
from alsmodel.errors import InvalidInput
from alsmodel.kernels.published_priors import PARAMETERS, PublishedPrior, Robust, combined, double_use, published_prior

TRACHEOSTOMY = TRACHEOSTOMY_FREE.tag
WIDE = Robust(weight=0.3, sd=0.8, mean=0.1)


def prior(**changed: object) -> PublishedPrior:
    base = PublishedPrior(parameter="theta", mean=-0.3, sd=0.2, se=0.1, discount=0.25, drug="d", trials=("T",), sources=("s",), n=80)
    return dataclasses.replace(base, **changed)  # type: ignore[arg-type]


# --- the prior itself -------------------------------------------------------------------------------------------------


def test_the_discount_is_the_power_of_the_likelihood() -> None:
    # Brute force: a normal likelihood of the published estimate to the power a0, normalised numerically.
    made = published_prior(effect("centaur"), "additive", discount=0.4)
    estimate, se = 0.42, (0.81 - 0.03) / (2 * 1.959963984540054)
    x = np.linspace(-3, 4, 200_001)
    density = stats.norm.pdf(estimate, x, se) ** 0.4
    density /= np.trapezoid(density, x)
    np.testing.assert_allclose(np.exp(made.logpdf(x)), density, atol=1e-9)
    assert made.sd == pytest.approx(se / math.sqrt(0.4), rel=1e-12)


@pytest.mark.parametrize("robust", [None, WIDE])
def test_the_density_integrates_to_one_and_is_the_stated_mixture(robust: Robust | None) -> None:
    made = prior(robust=robust)
    total, _ = integrate.quad(lambda x: math.exp(made.logpdf(x)), -10, 10, points=[-0.3, 0.1], limit=200)
    assert total == pytest.approx(1, abs=1e-8)
    for x in (-2.0, -0.3, 0.0, 3.0):
        narrow, wide = stats.norm.pdf(x, -0.3, 0.2), stats.norm.pdf(x, 0.1, 0.8)
        told = narrow if robust is None else 0.7 * narrow + 0.3 * wide
        assert float(made.logpdf(x)) == pytest.approx(math.log(told), rel=1e-12)


def test_far_tails_stay_finite() -> None:
    assert np.isfinite(prior(robust=WIDE).logpdf(np.array([-1e6, 1e6]))).all()


def test_the_effective_sample_size_of_a_trial_taken_at_its_word_is_its_size() -> None:
    for key, size in (("centaur", 135), ("mci186-19", 134), ("mci186-16", 199)):
        assert published_prior(effect(key), "theta", discount=1).effective_sample_size() == pytest.approx(size)
        assert published_prior(effect(key), "theta", discount=0.25).effective_sample_size() == pytest.approx(size / 4)


def test_the_effective_sample_size_is_the_n_whose_data_double_the_information() -> None:
    # Definition, by brute force: after n observations of SD 1.5 the posterior variance is half the prior's.
    made = prior()
    found = optimize.brentq(lambda n: 1 / (1 / made.sd**2 + n / 1.5**2) - made.sd**2 / 2, 1e-3, 1e4)
    assert made.effective_sample_size(1.5) == pytest.approx(found, rel=1e-9)


def test_the_effective_sample_size_of_a_mixture_agrees_with_its_definition() -> None:
    # Brute force of E[-(log pi)''] with the second derivative by differences and adaptive quadrature.
    made, h = prior(robust=WIDE), 1e-4

    def integrand(x: float) -> float:
        bend = (made.logpdf(x + h) - 2 * made.logpdf(x) + made.logpdf(x - h)) / h**2
        return float(-bend) * math.exp(made.logpdf(x))

    information, _ = integrate.quad(integrand, -8, 8, points=[-1, -0.3, 0.1, 1], limit=400)
    assert made.effective_sample_size(1.5) == pytest.approx(information * 1.5**2, rel=1e-5)


def test_a_mixture_is_worth_less_than_its_informative_part_and_more_as_the_wide_weight_shrinks() -> None:
    sizes = [prior(robust=Robust(weight=w, sd=0.8)).effective_sample_size(1.0) or 0 for w in (0.5, 0.2, 0.01, 1e-6)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] == pytest.approx(1 / 0.2**2, rel=1e-3)


def test_without_a_size_or_a_unit_no_effective_sample_size_is_told() -> None:
    assert prior(n=None).effective_sample_size() is None
    assert prior(n=None).effective_sample_size(1.0) == pytest.approx(25)


def test_equivalent_events_are_those_of_the_log_rank_test() -> None:
    # Schoenfeld 1981: Var(log HR) = 4/d with equal arms.
    made = published_prior(effect("lacomblez-100-adjusted"), "total_log_hazard_ratio", discount=1, events=TRACHEOSTOMY)
    assert made.equivalent_events() == pytest.approx(4 / made.sd**2)
    assert made.equivalent_events(2 / 3) == pytest.approx(4.5 / made.sd**2)
    assert prior().equivalent_events() is None


# --- conflict ---------------------------------------------------------------------------------------------------------


def test_the_conflict_p_value_of_a_normal_prior_in_closed_form() -> None:
    made = prior()
    assert made.conflict(-0.3, 0.1) == pytest.approx(1)
    z = 0.6 / math.hypot(0.2, 0.15)
    assert made.conflict(0.3, 0.15) == pytest.approx(2 * stats.norm.sf(z), rel=1e-12)
    assert made.conflict(-0.9, 0.15) == pytest.approx(made.conflict(0.3, 0.15), rel=1e-12)


def test_the_conflict_p_value_agrees_with_simulated_data_for_both_kinds_of_prior() -> None:
    rng = np.random.default_rng(11)
    n, se = 400_000, 0.15
    for robust in (None, WIDE):
        made = prior(robust=robust)
        wide = rng.random(n) < (0 if robust is None else robust.weight)
        truth = np.where(wide, rng.normal(0.1, 0.8, n), rng.normal(-0.3, 0.2, n))
        y = rng.normal(truth, se)

        def predictive(v: np.ndarray, made: PublishedPrior = made) -> np.ndarray:
            return sum(w * stats.norm.pdf(v, m, math.hypot(s, se)) for w, m, s in made.components)  # type: ignore[return-value]

        for seen in (-0.3, 0.0, 0.4, 1.2):
            told = float(np.mean(predictive(y) <= predictive(np.array(seen))))
            # Binomial error below 0.0008; grid error of the mixture below 0.002.
            assert made.conflict(seen, se) == pytest.approx(told, abs=0.006)


def test_conflict_p_values_are_uniform_when_prior_and_data_agree() -> None:
    rng = np.random.default_rng(3)
    made = prior()
    y = rng.normal(rng.normal(made.mean, made.sd, 4000), 0.3)
    assert stats.kstest([made.conflict(float(v), 0.3) for v in y], "uniform").pvalue > 0.001


# --- points to slopes -------------------------------------------------------------------------------------------------


def test_the_delta_method_agrees_with_simulated_trials() -> None:
    # Arms with correlated estimates (an adjusted analysis); d = t - c has the variance that follows.
    rng = np.random.default_rng(5)
    for correlation in (0.0, 0.6):
        t, c, se_t, se_c = -5.0, -7.5, 0.25, 0.28
        v_d = se_t**2 + se_c**2 - 2 * correlation * se_t * se_c
        mean, se = log_slope_ratio(t - c, math.sqrt(v_d), c, se_c, se_t)
        cov = [[se_t**2, correlation * se_t * se_c], [correlation * se_t * se_c, se_c**2]]
        drawn = rng.multivariate_normal([t, c], cov, 200_000)
        ratio = np.log(drawn[:, 0] / drawn[:, 1])
        assert mean == pytest.approx(math.log(t / c), rel=1e-12)
        assert se == pytest.approx(ratio.std(), rel=0.01)
        if correlation == 0:
            assert log_slope_ratio(t - c, math.sqrt(v_d), c, se_c)[1] == pytest.approx(se, rel=1e-12)


def test_the_delta_method_agrees_with_numerical_gradients() -> None:
    d, c, v_d, v_c, v_t = 2.49, -7.50, 0.76**2, 0.66**2, 0.64**2
    cov = np.array([[v_d, (v_t - v_c - v_d) / 2], [(v_t - v_c - v_d) / 2, v_c]])
    gradient = optimize.approx_fprime(np.array([d, c]), lambda v: math.log((v[1] + v[0]) / v[1]), 1e-7)
    assert log_slope_ratio(d, 0.76, c, 0.66, 0.64)[1] == pytest.approx(math.sqrt(gradient @ cov @ gradient), rel=1e-5)


# Ratio of the arms' printed changes or slopes; SE by hand: sqrt(Vt/t^2 + Vc/c^2 - 2 cov(t, c)/(t c)), cov from Vd = Vt + Vc - 2 cov.
THETAS = [("mci186-19", 5.01, 0.64, 7.50, 0.66, (3.98 - 0.99) / 3.919928), ("mci186-16", 5.70, 0.85, 6.35, 0.84, 0.78),
          ("mci186-17", 6.52, 1.78, 6.00, 1.83, 2.46), ("centaur", 1.24, 0.12, 1.66, 0.16, (0.81 - 0.03) / 3.919928)]  # fmt: skip


@pytest.mark.parametrize(("key", "t", "se_t", "c", "se_c", "se_d"), THETAS)
def test_slope_ratios_of_the_trials(key: str, t: float, se_t: float, c: float, se_c: float, se_d: float) -> None:
    made = published_prior(effect(key), "theta", discount=1)
    cov = (se_t**2 + se_c**2 - se_d**2) / 2
    assert made.mean == pytest.approx(math.log(t / c), abs=0.002)
    assert made.se == pytest.approx(math.sqrt((se_t / t) ** 2 + (se_c / c) ** 2 - 2 * cov / (t * c)), rel=0.01)


def test_points_at_a_week_become_points_per_month() -> None:
    made = published_prior(effect("mci186-19"), "additive", discount=1)
    assert made.mean == pytest.approx(2.49 / (24 * 7 / DAYS_PER_MONTH), rel=1e-12)
    assert made.sd == pytest.approx((3.98 - 0.99) / 3.919928 / (24 * 7 / DAYS_PER_MONTH), rel=1e-6)


@pytest.mark.parametrize("given", [(8.0, 1.0, -7.5, 0.6), (1.0, 1.0, 0.5, 0.6), (1.0, 0.1, -7.5, 5.0), (1.0, 0.1, -7.5, 0.6, 3.0)])
def test_no_ratio_of_slopes_without_decline_or_from_impossible_standard_errors(given: tuple[float, ...]) -> None:
    with pytest.raises(InvalidInput):
        log_slope_ratio(*given)


# --- what may inform what ---------------------------------------------------------------------------------------------


def test_exactly_these_effects_inform_exactly_these_parameters() -> None:
    # Every effect against every parameter, with its own end point and no association: the whole table of what passes.
    passed = set()
    for e, parameter in itertools.product(EFFECTS, PARAMETERS):
        try:
            published_prior(e, parameter, discount=1, events=e.events, association=())  # type: ignore[arg-type]
        except InvalidInput:
            continue
        passed.add((e.key, parameter))
    hazards = ("lacomblez-100-unadjusted", "lacomblez-100-adjusted", "lacomblez-50-adjusted", "lacomblez-200-adjusted",
               "cochrane-2012-two", "cochrane-2012-three")  # fmt: skip
    points = ("mci186-16", "mci186-19", "mci186-17", "valor", "centaur", "centaur-week-24", "phoenix")
    ratios = ("mci186-16", "mci186-19", "mci186-17", "centaur")
    assert passed == {
        *itertools.product(hazards, ("total_log_hazard_ratio", "direct")),
        *itertools.product(points, ("additive",)),
        *itertools.product(ratios, ("theta",)),
    }


@pytest.mark.parametrize("e", [e for e in EFFECTS if e.scale == "hazard ratio"], ids=lambda e: e.key)
@pytest.mark.parametrize("parameter", ["theta", "additive"])
def test_a_hazard_ratio_never_becomes_a_slope(e: PublishedEffect, parameter: str) -> None:
    with pytest.raises(InvalidInput, match=f"A hazard ratio does not estimate {parameter}"):
        published_prior(e, parameter, discount=1, events=e.events, association=())  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["mci186-19", "centaur"])
def test_a_difference_in_function_never_becomes_a_hazard_ratio(key: str) -> None:
    for parameter in ("direct", "total_log_hazard_ratio"):
        with pytest.raises(InvalidInput, match="does not estimate"):
            published_prior(effect(key), parameter, discount=1)  # type: ignore[arg-type]


def test_a_published_hazard_ratio_is_not_the_direct_effect_beside_an_association() -> None:
    riluzole = effect("cochrane-2012-three")
    with pytest.raises(InvalidInput, match="contains what runs through function"):
        published_prior(riluzole, "direct", discount=1, events=TRACHEOSTOMY)
    alone = published_prior(riluzole, "direct", discount=1, events=TRACHEOSTOMY, association=())
    assert alone.mean == pytest.approx(math.log(0.84))


@pytest.mark.parametrize("hazard", ["clock", "DRR"])
def test_a_ratio_of_slopes_is_no_ratio_of_slopes_and_hazards(hazard: str) -> None:
    with pytest.raises(InvalidInput, match="at once"):
        published_prior(effect("centaur"), "theta", discount=1, hazard=hazard)
    assert published_prior(effect("centaur"), "theta", discount=1, hazard="ratio").mean < 0


@pytest.mark.parametrize("events", [None, DEATH.tag])
def test_a_hazard_ratio_of_another_end_point_is_refused(events: str | None) -> None:
    with pytest.raises(InvalidInput, match='is of "death or tracheostomy"'):
        published_prior(effect("cochrane-2012-three"), "total_log_hazard_ratio", discount=1, events=events)


def test_associations_among_users_and_delayed_starts_are_no_effects() -> None:
    with pytest.raises(InvalidInput, match="prevalent users"):
        published_prior(effect("healey-c-edaravone"), "theta", discount=1)
    with pytest.raises(InvalidInput, match="early v delayed start"):
        published_prior(effect("valor-52-death"), "total_log_hazard_ratio", discount=1, events=DEATH.tag)


def test_every_reason_is_given_at_once() -> None:
    with pytest.raises(InvalidInput) as refused:
        published_prior(effect("bensimon-2002"), "direct", discount=0)
    assert len(refused.value.faults) == 4
    with pytest.raises(InvalidInput, match="No parameter is called"):
        published_prior(effect("centaur"), "slope", discount=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("discount", [0.0, -0.5, 1.1, math.nan])
def test_a_discount_outside_its_range_is_refused(discount: float) -> None:
    with pytest.raises(InvalidInput, match="discount"):
        published_prior(effect("centaur"), "theta", discount=discount)


@pytest.mark.parametrize(("weight", "sd"), [(0, 1), (1, 1), (0.5, 0), (math.nan, 1)])
def test_a_wide_component_needs_a_weight_and_a_width(weight: float, sd: float) -> None:
    with pytest.raises(ValueError, match="weight"):
        Robust(weight=weight, sd=sd)


# --- several trials, and the same trial twice ----------------------------------------------------------------------------


def test_priors_of_different_trials_combine_as_their_densities_multiply() -> None:
    parts = [published_prior(effect(key), "theta", discount=a) for key, a in (("mci186-16", 1.0), ("mci186-19", 0.5), ("mci186-17", 0.8))]
    whole = combined(parts)
    x = np.linspace(-2, 2, 4001)
    product = np.exp(sum(p.logpdf(x) for p in parts))
    product /= np.trapezoid(product, x)
    np.testing.assert_allclose(np.exp(whole.logpdf(x)), product, rtol=1e-8, atol=1e-12)
    assert whole.trials == ("MCI186-16", "MCI186-19", "MCI186-17")
    assert whole.n == 199 + 134 + 25
    assert 0.5 < whole.discount < 1
    assert whole.sd == pytest.approx(whole.se / math.sqrt(whole.discount), rel=1e-12)


def test_a_trial_never_counts_twice() -> None:
    doses = [
        published_prior(effect(f"lacomblez-{dose}-adjusted"), "total_log_hazard_ratio", discount=1, events=TRACHEOSTOMY)
        for dose in (50, 100)
    ]
    with pytest.raises(InvalidInput, match="Lacomblez 1996 would count twice"):
        combined(doses)
    review = published_prior(effect("cochrane-2012-two"), "total_log_hazard_ratio", discount=1, events=TRACHEOSTOMY)
    with pytest.raises(InvalidInput, match="would count twice"):
        combined([review, doses[0]])


def test_different_drugs_or_parameters_do_not_combine() -> None:
    with pytest.raises(InvalidInput, match="different parameters or drugs"):
        combined([published_prior(effect("centaur"), "theta", discount=1), published_prior(effect("mci186-19"), "theta", discount=1)])
    with pytest.raises(InvalidInput):
        combined([])


def test_double_use_is_flagged_and_never_excluded_when_trials_are_hidden() -> None:
    made = published_prior(effect("centaur"), "theta", discount=1)
    hidden = double_use(made, "PRO-ACT", None)
    assert hidden.status == "cannot be excluded"
    assert "CENTAUR" in hidden.sentence
    assert "PRO-ACT" in hidden.sentence
    assert double_use(made, "pool", ["PHOENIX", "CENTAUR"]).status == "certain"
    assert double_use(made, "pool", ["PHOENIX", "CENTAUR"]).trials == ("CENTAUR",)
    assert double_use(made, "a register", []).status == "excluded"


def test_a_prior_prints_its_trials_discount_and_size() -> None:
    assert str(published_prior(effect("mci186-19"), "theta", discount=0.5)) == (
        "theta of edaravone ~ N(-0.403, 0.185^2) (a0 = 0.5, worth 67 of 134 participants; MCI186-19)"
    )
    assert "mixed with N(0.1, 0.8^2) at 0.3" in str(prior(robust=WIDE))
    assert "worth" not in str(prior(n=None))


def test_the_worked_cases_of_the_page() -> None:
    page = Path(__file__).parents[2] / "docs" / "clinical" / "treatments_and_events.md"
    if not page.is_file():
        pytest.skip("installed without the checkout")
    table = page.read_text(encoding="utf-8").split("| effect | parameter | mean |")[1].split("\n\n")[0].splitlines()[2:]
    assert len(table) == 7
    for line in table:
        key, parameter, mean, se, sd, size = (cell.strip() for cell in line.strip("|").split("|"))
        made = published_prior(effect(key), parameter, discount=0.5, events=effect(key).events)  # type: ignore[arg-type]
        assert [f"{v:.3f}" for v in (made.mean, made.se, made.sd)] == [mean, se, sd]
        worth = made.effective_sample_size()
        if worth is not None:
            assert size == f"{worth:.0f} of {made.n} participants"
