"""The MMRM against a dense, literal REML with numerical derivatives, and at the edges of what can be fitted."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from alsmodel.estimators import fit_mmrm
from alsmodel.estimators.mmrm import STATUS

TRUE = 9.0 * 0.8 ** np.abs(np.subtract.outer(np.arange(4), np.arange(4)))


def make_scores(replicates, people, *, effect=0.0, missing=0.15, seed=3, arms=2):
    rng = np.random.default_rng(seed)
    arm = np.arange(people) % arms
    scores = 30.0 - np.arange(4) + rng.multivariate_normal(np.zeros(4), TRUE, size=(replicates, people))
    scores += effect * (arm[:, None] > 0) * np.arange(4)
    age = rng.normal(60, 8, people)
    scores += 0.1 * (age - 60)[:, None]
    scores[rng.random(scores.shape) < missing] = np.nan
    return scores, arm, age


def design(arm, age):
    """Whole design matrix (n, 4, 9): mean and arm by visit, one coefficient of age."""
    x = np.zeros((len(arm), 4, 9))
    for t in range(4):
        x[:, t, t] = 1.0
        x[:, t, 4 + t] = arm
    x[:, :, 8] = age[:, None]
    return x


def dense(y, x, sigma):
    """Restricted log likelihood, beta and its covariance, participant by participant."""
    p = x.shape[2]
    xvx, xvy, yvy, log_det, n = np.zeros((p, p)), np.zeros(p), 0.0, 0.0, 0
    for row, here in zip(y, x, strict=True):
        seen = ~np.isnan(row)
        v = sigma[np.ix_(seen, seen)]
        inverse = np.linalg.inv(v)
        xvx += here[seen].T @ inverse @ here[seen]
        xvy += here[seen].T @ inverse @ row[seen]
        yvy += row[seen] @ inverse @ row[seen]
        log_det += np.linalg.slogdet(v)[1]
        n += seen.sum()
    phi = np.linalg.inv(xvx)
    value = -0.5 * (log_det + np.linalg.slogdet(xvx)[1] + yvy - xvy @ phi @ xvy + (n - p) * np.log(2 * np.pi))
    return value, phi @ xvy, phi


def sigma_of(structure, theta):
    lag = np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    if structure == "unstructured":
        sigma = np.zeros((4, 4))
        sigma[np.triu_indices(4)] = theta
        return sigma + np.triu(sigma, 1).T
    if structure == "toeplitz":
        return theta[lag]
    if structure == "compound symmetry":
        return np.where(lag == 0, theta[0], theta[1])
    return theta[0] * theta[1] ** lag


def theta_of(structure, sigma):
    if structure == "unstructured":
        return sigma[np.triu_indices(4)]
    if structure == "toeplitz":
        return sigma[0].copy()
    if structure == "compound symmetry":
        return sigma[0, :2].copy()
    return np.array([sigma[0, 0], sigma[0, 1] / sigma[0, 0]])


def numerical(function, theta, step):
    """Gradient and Hessian by central differences; `function` may return an array."""
    m = len(theta)
    unit = np.eye(m) * step
    gradient = np.array([(function(theta + e) - function(theta - e)) / (2 * e.sum()) for e in unit])
    hessian = [[None] * m for _ in range(m)]
    for a in range(m):
        for b in range(m):
            corners = sum(i * j * function(theta + i * unit[a] + j * unit[b]) for i in (1, -1) for j in (1, -1))
            hessian[a][b] = corners / (4 * step[a] * step[b])
    return gradient, np.array(hessian)


def expected_information(y, x, structure, theta, step):
    """1/2 tr P V_k P V_l with the whole projection matrix P, V_k by differences."""
    rows = [(i, np.flatnonzero(~np.isnan(y[i]))) for i in range(len(y))]

    def whole(at):
        sigma, n = sigma_of(structure, at), sum(len(s) for _, s in rows)
        v, k = np.zeros((n, n)), 0
        for _, seen in rows:
            v[k : k + len(seen), k : k + len(seen)] = sigma[np.ix_(seen, seen)]
            k += len(seen)
        return v

    big = np.concatenate([x[i][seen] for i, seen in rows])
    inverse = np.linalg.inv(whole(theta))
    project = inverse - inverse @ big @ np.linalg.solve(big.T @ inverse @ big, big.T @ inverse)
    pv = [project @ (whole(theta + e) - whole(theta - e)) / (2 * e.sum()) for e in np.eye(len(theta)) * step]
    return 0.5 * np.array([[np.sum(a * b.T) for b in pv] for a in pv])


@pytest.mark.parametrize("structure", ["unstructured", "ar1", "compound symmetry", "toeplitz"])
def test_fit_agrees_with_dense_likelihood_and_numerical_derivatives(structure):
    scores, arm, age = make_scores(1, 40)
    x, y = design(arm, age), scores[0]
    contrast = np.eye(9)[7]
    for information in ("observed", "expected"):
        fit = fit_mmrm(scores, arm, covariates=age[:, None], covariance=structure, information=information)
        sigma = fit.visit_covariance[0]
        theta = theta_of(structure, sigma)
        np.testing.assert_allclose(sigma_of(structure, theta), sigma, rtol=1e-12)
        value, beta, phi = dense(y, x, sigma)
        # The same formulas in another order: rounding, amplified by the condition of X'V^-1X (age is not centred here).
        assert fit.log_likelihood[0] == pytest.approx(value, abs=1e-7)
        np.testing.assert_allclose(fit.coefficients[0], beta, rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(fit.covariance[0], phi, rtol=1e-6, atol=1e-8)
        step = 1e-3 * (np.abs(theta) + 0.1)
        _, curvature = numerical(lambda at: dense(y, x, sigma_of(structure, at))[0], theta, step)
        # The gradient of a maximum is small, so its own error by third derivatives must be smaller: a tenth of the step.
        slope, _ = numerical(lambda at: dense(y, x, sigma_of(structure, at))[0], theta, step / 10)
        # A maximum: the decrement is the squared distance in standard errors.
        assert slope @ np.linalg.solve(-curvature, slope) < 1e-6
        weight = np.linalg.inv(-curvature if information == "observed" else expected_information(y, x, structure, theta, step))
        by_theta, _ = numerical(lambda at: contrast @ dense(y, x, sigma_of(structure, at))[2] @ contrast, theta, step)
        variance = contrast @ phi @ contrast
        # Central differences with relative steps of 1e-3: errors of some 1e-5.
        assert fit.df[0] == pytest.approx(2 * variance**2 / (by_theta @ weight @ by_theta), rel=1e-3)
        # Kenward and Roger's matrix from derivatives of V^-1, written out with sums over participants.
        unit = np.eye(len(theta)) * step
        first = [(sigma_of(structure, theta + e) - sigma_of(structure, theta - e)) / (2 * e.sum()) for e in unit]
        _, second = numerical(lambda at: sigma_of(structure, at), theta, step)
        m = len(theta)
        s, q, curve = np.zeros((m, 9, 9)), np.zeros((m, m, 9, 9)), np.zeros((m, m, 9, 9))
        for row, here in zip(y, x, strict=True):
            seen = ~np.isnan(row)
            if not seen.any():
                continue
            block, h = np.ix_(seen, seen), here[seen]
            inverse = np.linalg.inv(sigma[block])
            for k in range(m):
                left = h.T @ inverse @ first[k][block] @ inverse
                s[k] += left @ h
                for n in range(m):
                    q[k, n] += left @ first[n][block] @ inverse @ h
                    curve[k, n] += h.T @ inverse @ second[k, n][block] @ inverse @ h
        inner = sum(weight[k, n] * (q[k, n] - s[k] @ phi @ s[n] - curve[k, n] / 4) for k in range(m) for n in range(m))
        adjusted = variance + 2 * contrast @ phi @ inner @ phi @ contrast
        assert fit.standard_error[0] == pytest.approx(np.sqrt(adjusted), rel=1e-5)
        assert fit.unadjusted_standard_error[0] == pytest.approx(np.sqrt(variance), rel=1e-6)
        # Otherwise this would test nothing; the tolerance above is 2e-5 of a variance.
        assert adjusted > variance * (1 + 5e-5)


def test_em_steps_lead_to_the_same_maximum():
    scores, arm, _ = make_scores(3, 40)
    plain, slow = fit_mmrm(scores, arm), fit_mmrm(scores, arm, em_first=8)
    assert (slow.iterations > plain.iterations).all()
    # Both stop within about 1e-5 standard errors of the covariance parameters.
    np.testing.assert_allclose(slow.estimate, plain.estimate, atol=1e-5)
    np.testing.assert_allclose(slow.df, plain.df, rtol=1e-4)


def nearly_singular(seed):
    """12 people, 3 visits with correlation 0.999, three scores of ten missing."""
    rng = np.random.default_rng(seed)
    scores = 10.0 * rng.normal(size=(12, 1)) + 0.3 * rng.normal(size=(12, 3))
    scores[rng.random(scores.shape) < 0.3] = np.nan
    return scores, np.arange(12) % 2


# The search as plain Python, where its parts can be replaced: a step that leaves the space is not halved but is an EM step.
FALLBACK = """
import json, sys
import numpy as np
from alsmodel.estimators import _mmrm_search as search, _mmrm_structure as structure, fit_mmrm
structure.parameters.py_func = structure.parameters
calls, em_step = [], search.em_step
search.em_step = lambda *given: (calls.append(1), em_step(*given))
scores, arm = np.array(json.load(sys.stdin), dtype=float), np.arange(12) % 2
found = []
for smallest in (search.SMALLEST_STEP, 0.9):
    search.SMALLEST_STEP = smallest
    for row in scores:
        calls.clear()
        fit = fit_mmrm(row, arm)
        found.append((len(calls), int(fit.status[0]), fit.estimate[0], fit.log_likelihood[0]))
print(json.dumps(found))
"""


def test_em_steps_when_a_scoring_step_leaves_the_space():
    scores, arm = np.stack([nearly_singular(seed)[0] for seed in (5, 9, 22)]), np.arange(12) % 2
    given = json.dumps([[[None if np.isnan(x) else x for x in row] for row in each] for each in scores.tolist()])
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", FALLBACK], input=given, capture_output=True, text=True, check=True, env=environment)
    found = json.loads(done.stdout)
    compiled = fit_mmrm(scores, arm)
    assert not compiled.failed.any()
    for k in range(3):
        (halved, _, *plain), (stepped, status, *em) = found[k], found[3 + k]
        # The halved steps are enough as a rule; here the fallback must have been used, and have led to the same maximum.
        assert halved == 0
        assert (stepped > 0, STATUS[status]) == (True, "ok")
        # Stops within some 1e-4 standard errors of the covariances, which are wide with 12 people.
        np.testing.assert_allclose(em, plain, rtol=2e-4)
        np.testing.assert_allclose(em[1], plain[1], atol=1e-6)
        np.testing.assert_allclose([compiled.estimate[k], compiled.log_likelihood[k]], plain, rtol=1e-6)


def test_level_of_a_small_trial():
    rng = np.random.default_rng(29)
    arm = np.arange(60) % 2
    scores = rng.multivariate_normal(np.zeros(4), TRUE, size=(4000, 60))
    scores[rng.random(scores.shape) < 0.15] = np.nan
    fit = fit_mmrm(scores, arm)
    assert not fit.failed.any()
    # 0.05 with 4 Monte Carlo standard errors of 4,000 replicates, 0.0034 each.
    assert abs((fit.p_value < 0.05).mean() - 0.05) < 0.0138
    # Negative control: taking the scores of a participant as independent must miss the level at the mean of the visits.
    wrong = fit_mmrm(scores, arm, visit=[0.25] * 4)
    assert abs((wrong.p_value < 0.05).mean() - 0.05) < 0.0138
    naive = wrong.estimate / np.sqrt(4.0 * np.nanvar(scores, axis=(1, 2)) / (~np.isnan(scores)).sum(axis=(1, 2)))
    assert (np.abs(naive) > 1.96).mean() > 0.15


def test_complete_data_give_the_t_test_of_the_visit():
    scores, arm, _ = make_scores(2, 30, missing=0.0)
    fit = fit_mmrm(scores, arm)
    last = scores[:, :, -1]
    # Closed form: with complete data the unstructured MMRM is a two-sample t test at each visit, n - 2 df.
    difference = last[:, arm == 1].mean(axis=1) - last[:, arm == 0].mean(axis=1)
    pooled = 0.5 * (last[:, arm == 1].var(axis=1, ddof=1) + last[:, arm == 0].var(axis=1, ddof=1))
    np.testing.assert_allclose(fit.estimate, difference, rtol=1e-9)
    np.testing.assert_allclose(fit.standard_error, np.sqrt(pooled * 2 / 15), rtol=1e-6)
    np.testing.assert_allclose(fit.df, 28.0, rtol=1e-5)


def test_arms_visits_and_weights_are_contrasts_of_the_same_coefficients():
    scores, arm, _ = make_scores(1, 60, arms=3)
    fit = fit_mmrm(scores, arm, contrast=2, visit=1, by_visit=True)
    beta = dict(zip(fit.terms, fit.coefficients[0], strict=True))
    assert fit.estimate[0] == pytest.approx(beta["arm_2:visit_2"])
    assert fit.differences.estimate[0, 1, 1] == pytest.approx(fit.estimate[0])
    assert fit.differences.standard_error[0, 1, 1] == pytest.approx(fit.standard_error[0])
    assert fit.differences.df[0, 1, 1] == pytest.approx(fit.df[0])
    assert fit.means.estimate[0, 2, 1] == pytest.approx(beta["visit_2"] + beta["arm_2:visit_2"])
    other = fit_mmrm(scores, arm, contrast=[-1.0, 0.5, 0.5], visit=[0.0, 0.0, 0.5, 0.5])
    wanted = sum(0.25 * beta[f"arm_{a}:visit_{v}"] for a in (1, 2) for v in (3, 4))
    assert other.estimate[0] == pytest.approx(wanted, rel=1e-6)


def test_means_are_at_the_mean_of_the_covariates():
    scores, arm, age = make_scores(1, 50)
    fit = fit_mmrm(scores, arm, covariates=age[:, None], covariate_names=("age",), by_visit=True)
    beta = dict(zip(fit.terms, fit.coefficients[0], strict=True))
    seen = ~np.isnan(scores[0]).all(axis=1)
    assert fit.means.estimate[0, 0, 3] == pytest.approx(beta["visit_4"] + beta["age"] * age[seen].mean(), rel=1e-9)


def test_constrained_baseline_is_an_outcome_without_arm_effect():
    scores, arm, _ = make_scores(1, 40)
    fit = fit_mmrm(scores[:, :, 1:], arm, baseline=scores[:, :, 0], constrained_baseline=True)
    assert fit.terms == ("baseline", "visit_1", "visit_2", "visit_3", "arm_1:visit_1", "arm_1:visit_2", "arm_1:visit_3")
    x = np.delete(design(arm, np.zeros(40)), [4, 8], axis=2)
    value, beta, _ = dense(scores[0], x, fit.visit_covariance[0])
    assert fit.log_likelihood[0] == pytest.approx(value, abs=1e-7)
    np.testing.assert_allclose(fit.coefficients[0], beta, rtol=1e-7, atol=1e-8)


def test_a_left_out_participant_changes_nothing():
    scores, arm, _ = make_scores(2, 40)
    out = arm.copy()
    out[5:9] = -1
    fit, kept = fit_mmrm(scores, out), fit_mmrm(np.delete(scores, range(5, 9), axis=1), np.delete(arm, range(5, 9)))
    np.testing.assert_array_equal(fit.estimate, kept.estimate)
    np.testing.assert_array_equal(fit.df, kept.df)


def test_a_replicate_does_not_depend_on_its_neighbours():
    scores, arm, _ = make_scores(4, 30)
    together, alone = fit_mmrm(scores, arm), fit_mmrm(scores[2], arm)
    assert (alone.estimate[0], alone.df[0]) == (together.estimate[2], together.df[2])


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        ("nobody", "no scores of an arm at a visit"),
        ("empty visit", "no scores of an arm at a visit"),
        ("one arm", "no scores of an arm at a visit"),
        ("few", "too few participants"),
        ("never together", "not estimable"),
    ],
)
def test_what_cannot_be_fitted_is_a_status_and_nan(spoil, word):
    scores, arm, _ = make_scores(2, 30, missing=0.0)
    arm = np.tile(arm, (2, 1))
    if spoil == "nobody":
        scores[0] = np.nan
    elif spoil == "empty visit":
        scores[0, :, 2] = np.nan
    elif spoil == "one arm":
        arm[0] = 0
    elif spoil == "few":
        arm[0, 5:] = -1
    else:
        scores[0, :15, 1] = np.nan
        scores[0, 15:, 2] = np.nan
    fit = fit_mmrm(scores, arm, by_visit=True)
    assert [STATUS[s] for s in fit.status] == [word, "ok"]
    assert fit.failed.tolist() == [True, False]
    assert np.isnan([fit.estimate[0], fit.standard_error[0], fit.df[0], fit.p_value[0]]).all()
    assert np.isnan(fit.means.estimate[0]).all()


def test_faults_come_all_at_once():
    scores, arm, _ = make_scores(1, 10)
    with pytest.raises(ValueError, match=r"covariance is 'ar\(1\)'.*expected 10 participants.*missing values"):
        fit_mmrm(scores, arm[:9], covariates=np.full((10, 1), np.nan), covariance="ar(1)")
    with pytest.raises(ValueError, match="baseline is needed"):
        fit_mmrm(scores, arm, constrained_baseline=True)
    with pytest.raises(ValueError, match="active arms are 1 to 1"):
        fit_mmrm(scores, arm, contrast=2)


def test_recovers_the_effect_and_keeps_its_level():
    scores, arm, age = make_scores(400, 40, effect=0.5, seed=11)
    # The ages are the same in all replicates, so their imbalance between the arms must be adjusted for.
    fit = fit_mmrm(scores, arm, covariates=age[:, None])
    assert not fit.failed.any()
    error = fit.estimate - 1.5
    # 4 Monte Carlo standard errors of a mean over 400 replicates.
    assert abs(error.mean()) < 4 * error.std() / 20
    covered = np.abs(error) < 2.02 * fit.standard_error
    assert 0.91 < covered.mean() < 0.985
    # Negative control: an effect at another visit is not the one estimated.
    other = fit_mmrm(scores, arm, covariates=age[:, None], visit=1).estimate
    assert abs(other.mean() - 1.5) > 10 * other.std() / 20
