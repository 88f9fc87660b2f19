"""The random-slope REML fit against a dense likelihood, and at the edges of what can be fitted."""

import numpy as np
import pytest
from scipy.optimize import minimize

from alsmodel.estimators import fit_random_slope
from alsmodel.estimators.random_slope import STATUS

MONTHS = np.array([0.0, 3.0, 6.0, 9.0, 12.0])


def make_scores(replicates, people, *, slope_sd=0.76, missing=0.15, seed=3, times=MONTHS):
    rng = np.random.default_rng(seed)
    covariance = np.array([[41.7, 0.2 * 6.46 * slope_sd], [0.2 * 6.46 * slope_sd, slope_sd**2]])
    lines = rng.multivariate_normal([35.0, -1.03], covariance, size=(replicates, people))
    arm = np.arange(people) % 2
    scores = lines[..., :1] + (lines[..., 1:] + 0.25 * arm[:, None]) * times
    scores = scores + rng.normal(0, 1.77, scores.shape)
    scores[rng.random(scores.shape) < missing] = np.nan
    return scores, arm


def dense(y, times, arm, theta):
    """Restricted log likelihood, estimate, covariance of beta, by whole-matrix algebra; the slow, literal way."""
    d, s2 = np.array([[theta[0], theta[1]], [theta[1], theta[2]]]), theta[3]
    xvx, xvy, yvy, log_det, n = np.zeros((3, 3)), np.zeros(3), 0.0, 0.0, 0
    times = np.broadcast_to(times, y.shape)
    for score, month, group in zip(y, times, arm, strict=True):
        seen = ~np.isnan(score)
        z = np.column_stack([np.ones(seen.sum()), month[seen]])
        x = np.column_stack([z, group * month[seen]])
        v = z @ d @ z.T + s2 * np.eye(seen.sum())
        inverse = np.linalg.inv(v)
        xvx += x.T @ inverse @ x
        xvy += x.T @ inverse @ score[seen]
        yvy += score[seen] @ inverse @ score[seen]
        log_det += np.linalg.slogdet(v)[1]
        n += seen.sum()
    beta = np.linalg.solve(xvx, xvy)
    value = -0.5 * (log_det + np.linalg.slogdet(xvx)[1] + yvy - beta @ xvy + (n - 3) * np.log(2 * np.pi))
    return value, beta, np.linalg.inv(xvx)


def dense_fit(y, times, arm):
    def unpack(x):
        low = np.array([[np.exp(x[0]), 0.0], [x[1], np.exp(x[2])]])
        d = low @ low.T
        return np.array([d[0, 0], d[0, 1], d[1, 1], np.exp(x[3])])

    start = np.array([np.log(6.0), 0.0, np.log(0.7), np.log(3.0)])
    best = minimize(lambda x: -dense(y, times, arm, unpack(x))[0], start, method="BFGS", options={"gtol": 1e-6})
    return unpack(best.x)


def test_maximum_and_standard_error_agree_with_a_dense_likelihood():
    scores, arm = make_scores(2, 24)
    fit = fit_random_slope(scores, MONTHS, arm)
    for r in range(2):
        theta = dense_fit(scores[r], MONTHS, arm)
        value, beta, covariance = dense(scores[r], MONTHS, arm, theta)
        # BFGS stops at a gradient of 1e-6: estimates agree to about its square root relative to the curvature.
        np.testing.assert_allclose(fit.variances[r], theta, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(fit.coefficients[r, [0, 1, 2]], beta, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(fit.standard_error[r], np.sqrt(covariance[2, 2]), rtol=1e-5)
        assert fit.log_likelihood[r] == pytest.approx(value, abs=1e-7)


def test_degrees_of_freedom_agree_with_numerical_derivatives_of_the_dense_likelihood():
    scores, arm = make_scores(1, 24)
    fit = fit_random_slope(scores, MONTHS, arm)
    theta = fit.variances[0]
    scale = 1e-3 * np.array([theta[0], np.sqrt(theta[0] * theta[2]), theta[2], theta[3]])

    def at(steps):
        value, _, covariance = dense(scores[0], MONTHS, arm, theta + scale * steps)
        return value, covariance[2, 2]

    unit = np.eye(4)
    gradient = np.array([at(e)[1] - at(-e)[1] for e in unit]) / 2 / scale
    hessian = np.empty((4, 4))
    for k in range(4):
        for m in range(4):
            corners = [at(a * unit[k] + b * unit[m])[0] * a * b for a in (1, -1) for b in (1, -1)]
            hessian[k, m] = sum(corners) / 4 / scale[k] / scale[m]
    variance = at(np.zeros(4))[1]
    df = 2 * variance**2 / (gradient @ np.linalg.solve(-hessian, gradient))
    # Central differences at relative steps of 1e-3 have an error of order 1e-6 times higher derivatives.
    assert fit.df[0] == pytest.approx(df, rel=1e-4)


def test_boundary_algorithm_finds_the_same_maximum_as_scoring():
    scores, arm = make_scores(20, 30)
    plain = fit_random_slope(scores, MONTHS, arm)
    climbed = fit_random_slope(scores, MONTHS, arm, climb_first=True)
    # Both stop within 1e-6 standard errors of the same maximum.
    np.testing.assert_allclose(climbed.estimate, plain.estimate, rtol=0, atol=1e-6)
    np.testing.assert_allclose(climbed.df, plain.df, rtol=1e-5)


def test_fits_on_the_edge_are_maxima_over_valid_covariances():
    scores, arm = make_scores(60, 20, slope_sd=0.0, seed=8)
    fit = fit_random_slope(scores, MONTHS, arm)
    edge = np.flatnonzero(fit.status == STATUS.index("at boundary"))
    assert 10 < edge.size < 50  # about half of the fits without slope spread end there
    assert fit.converged.all()
    d = fit.variances
    assert (d[:, 0] * d[:, 2] - d[:, 1] ** 2 >= -1e-9).all()
    for r in edge[:2]:
        reached = dense(scores[r], MONTHS, arm, dense_fit(scores[r], MONTHS, arm))[0]
        # The dense search on the log scale stops short of the edge, so ours may only be higher.
        assert fit.log_likelihood[r] > reached - 1e-6
    assert np.isfinite(fit.df[edge]).all()


def test_scheduled_visits_and_the_same_visits_as_actual_days_agree():
    scores, arm = make_scores(3, 40)
    grouped = fit_random_slope(scores, MONTHS, arm)
    own = fit_random_slope(scores, np.tile(MONTHS, (40, 1)), arm)
    # The same sums in another order: rounding only.
    np.testing.assert_allclose(own.estimate, grouped.estimate, rtol=1e-9)
    np.testing.assert_allclose(own.df, grouped.df, rtol=1e-7)


def test_a_replicate_does_not_depend_on_its_neighbours():
    scores, arm = make_scores(6, 30)
    together = fit_random_slope(scores, MONTHS, arm)
    alone = fit_random_slope(scores[4], MONTHS, arm)
    assert alone.estimate[0] == together.estimate[4]
    assert alone.df[0] == together.df[4]


def test_estimate_moves_with_the_units():
    scores, arm = make_scores(2, 30)
    months, years = fit_random_slope(scores, MONTHS, arm), fit_random_slope(scores, MONTHS / 12, arm)
    np.testing.assert_allclose(years.estimate, 12 * months.estimate, rtol=1e-7)
    np.testing.assert_allclose(years.p_value, months.p_value, rtol=1e-6)


def test_covariates_take_both_places_and_contrasts_pick_any_term():
    scores, arm = make_scores(1, 60)
    age = np.random.default_rng(5).normal(size=60)
    scores = scores + 2.0 * age[:, None] - 0.1 * age[:, None] * MONTHS
    fit = fit_random_slope(scores, MONTHS, arm, covariates=age[:, None], covariate_names=("age",), arm_main_effect=True)
    assert fit.terms == ("intercept", "arm", "age", "slope", "slope:arm", "slope:age")
    pick = np.eye(6)[fit.terms.index("slope:age")]
    other = fit_random_slope(scores, MONTHS, arm, covariates=age[:, None], arm_main_effect=True, contrast=pick)
    assert other.estimate[0] == fit.coefficients[0, 5]


def test_participants_without_scores_are_ignored_and_single_visits_are_used():
    scores, arm = make_scores(1, 40, missing=0.0)
    scores[0, 3] = np.nan
    scores[0, 4, 1:] = np.nan
    fit = fit_random_slope(scores, MONTHS, arm)
    assert fit.participants[0] == 39
    assert fit.observations[0] == 38 * 5 + 1
    value, beta, _ = dense(np.delete(scores[0], 3, axis=0), MONTHS, np.delete(arm, 3), fit.variances[0])
    assert fit.log_likelihood[0] == pytest.approx(value, abs=1e-8)
    assert fit.estimate[0] == pytest.approx(beta[2], rel=1e-8)


@pytest.mark.parametrize("spoil", ["no scores", "one arm", "one visit"])
def test_what_cannot_be_estimated_is_a_status_and_nan(spoil):
    scores, arm = make_scores(2, 20, missing=0.0)
    if spoil == "no scores":
        scores[0] = np.nan
    elif spoil == "one arm":
        arm = np.zeros((2, 20)) + np.array([[0.0], [1.0]]) * (np.arange(20) % 2)
    else:
        scores[0, :, 1:] = np.nan
    fit = fit_random_slope(scores, MONTHS, arm)
    assert STATUS[fit.status[0]] == "not estimable"
    assert np.isnan([fit.estimate[0], fit.standard_error[0], fit.df[0], fit.p_value[0]]).all()
    assert STATUS[fit.status[1]] == "ok"


def test_shapes_that_do_not_fit_are_refused_with_both_shapes():
    scores, arm = make_scores(1, 10)
    with pytest.raises(ValueError, match=r"times has shape \(4,\).*\(1, 10, 5\)"):
        fit_random_slope(scores, MONTHS[:4], arm)
    with pytest.raises(ValueError, match="expected 10 participants"):
        fit_random_slope(scores, MONTHS, arm[:9])
    with pytest.raises(ValueError, match="missing values"):
        fit_random_slope(scores, MONTHS, arm, covariates=np.full((10, 1), np.nan))
    with pytest.raises(ValueError, match="one weight per term"):
        fit_random_slope(scores, MONTHS, arm, contrast=[1.0])


def dense_kenward_roger(y, times, arm, theta):
    """The adjusted covariance by whole matrices, term by term as Kenward and Roger (1997) write it."""
    blocks = []
    for score, month, group in zip(y, np.broadcast_to(times, y.shape), arm, strict=True):
        seen = ~np.isnan(score)
        z = np.column_stack([np.ones(seen.sum()), month[seen]])
        pieces = [np.outer(z[:, 0], z[:, 0]), z[:, :1] @ z[:, 1:].T + z[:, 1:] @ z[:, :1].T, np.outer(z[:, 1], z[:, 1])]
        pieces.append(np.eye(seen.sum()))
        inverse = np.linalg.inv(sum(t * piece for t, piece in zip(theta, pieces, strict=True)))
        blocks.append((np.column_stack([z, group * month[seen]]), inverse, pieces))
    phi = np.linalg.inv(sum(x.T @ v @ x for x, v, _ in blocks))
    p = [sum(-x.T @ v @ d[k] @ v @ x for x, v, d in blocks) for k in range(4)]
    q = [[sum(x.T @ v @ d[k] @ v @ d[m] @ v @ x for x, v, d in blocks) for m in range(4)] for k in range(4)]
    information = np.empty((4, 4))
    for k in range(4):
        for m in range(4):
            trace = sum(np.trace(v @ d[k] @ v @ d[m]) for _, v, d in blocks)
            information[k, m] = 0.5 * (trace - 2 * np.trace(phi @ q[k][m]) + np.trace(phi @ p[k] @ phi @ p[m]))
    w = np.linalg.inv(information)
    middle = sum(w[k, m] * (q[k][m] - p[k] @ phi @ p[m]) for k in range(4) for m in range(4))
    return phi + 2 * phi @ middle @ phi


def test_kenward_roger_covariance_agrees_with_whole_matrices():
    scores, arm = make_scores(2, 16)
    fit = fit_random_slope(scores, MONTHS, arm, df_method="kenward-roger")
    for r in range(2):
        # Rounding of sums taken in another order.
        np.testing.assert_allclose(fit.covariance[r], dense_kenward_roger(scores[r], MONTHS, arm, fit.variances[r]), rtol=1e-8)
    assert fit.information == "expected"
    plain = fit_random_slope(scores, MONTHS, arm, information="expected")
    np.testing.assert_array_equal(fit.df, plain.df)
    assert (fit.standard_error > plain.standard_error).all()


def test_a_participant_of_arm_minus_one_is_as_if_absent():
    scores, arm = make_scores(2, 40)
    out = np.array([3, 4, 17])
    marked = arm.copy()
    marked[out] = -1
    for times in (MONTHS, np.tile(MONTHS, (40, 1))):
        fit = fit_random_slope(scores, times, marked, df_method="kenward-roger")
        kept = times if times.ndim == 1 else np.delete(times, out, axis=0)
        other = fit_random_slope(np.delete(scores, out, axis=1), kept, np.delete(arm, out), df_method="kenward-roger")
        np.testing.assert_array_equal(fit.estimate, other.estimate)
        np.testing.assert_array_equal(fit.standard_error, other.standard_error)
        assert (fit.participants == other.participants).all()
    per_replicate = np.stack([marked, arm])
    both = fit_random_slope(scores, MONTHS, per_replicate)
    assert both.participants.tolist() == [37, 40]
    assert both.estimate[1] == fit_random_slope(scores[1], MONTHS, arm).estimate[0]
    with pytest.raises(ValueError, match="-1 to leave a participant out"):
        fit_random_slope(scores, MONTHS, arm - 2)


def test_failed_says_where_there_is_no_result():
    scores, arm = make_scores(2, 20)
    scores[1] = np.nan
    fit = fit_random_slope(scores, MONTHS, arm, df_method="kenward-roger")
    assert fit.failed.tolist() == [False, True]
    assert np.isnan(fit.p_value[1])
    with pytest.raises(ValueError, match="not known"):
        fit_random_slope(scores, MONTHS, arm, df_method="kr")


def test_scoring_reaches_for_the_boundary_algorithm_by_itself_and_returns_from_it():
    # Little slope spread, ten people: scoring runs out of the space in many fits. Those whose maximum lies inside come back "ok" after more
    # evaluations than scoring ever needs alone; those whose maximum is the edge say so. Both kinds must occur.
    scores, arm = make_scores(1000, 10, slope_sd=0.15, seed=5)
    fit = fit_random_slope(scores, MONTHS, arm)
    assert fit.converged.all()
    edge = fit.status == STATUS.index("at boundary")
    assert 200 < edge.sum() < 700
    came_back = ~edge & (fit.iterations > 25)
    assert came_back.any()
    for r in np.flatnonzero(came_back)[:2]:
        assert fit.log_likelihood[r] == pytest.approx(dense(scores[r], MONTHS, arm, fit.variances[r])[0], abs=1e-7)
        reached = dense(scores[r], MONTHS, arm, dense_fit(scores[r], MONTHS, arm))[0]
        assert fit.log_likelihood[r] > reached - 1e-6


def test_type_i_error_at_ten_per_arm_is_nominal_with_kenward_roger_and_not_with_a_normal_reference():
    scores, arm = make_scores(4000, 20, seed=12)
    scores = scores - 0.25 * arm[:, None] * MONTHS  # the sharp null
    fit = fit_random_slope(scores, MONTHS, arm, df_method="kenward-roger")
    assert not fit.failed.any()
    mcse = np.sqrt(0.05 * 0.95 / 4000)
    assert abs((fit.p_value < 0.05).mean() - 0.05) < 3 * mcse
    model_based = fit_random_slope(scores, MONTHS, arm)
    assert (np.abs(model_based.statistic) > 1.959964).mean() > 0.05 + 3 * mcse  # the negative control
