"""A reference-based analysis at a look takes nobody for gone whose last visit is not due: literal reading, no bias, families."""

from dataclasses import replace

import numpy as np
import pytest

from alsmodel.estimators import fit_mmrm, fit_reference_based
from alsmodel.trials import (
    MMRM,
    Decision,
    Effect,
    Holm,
    Intercurrent,
    Look,
    NamedTruth,
    ParallelDesign,
    Recruitment,
    ReferenceBased,
    Trial,
)
from alsmodel.trials.block import Task, family_looks_of, run_task
from alsmodel.trials.family_watch import family_watch
from alsmodel.trials.intercurrent import Afterwards
from alsmodel.trials.opening import open_data, z_of
from alsmodel.trials.sequential import GroupSequential
from alsmodel.trials.spending import PocockSpending
from tests.unit.looked_at import followed

REFERENCE = ("jump to reference", "copy reference", "copy increments")
#: Visits stray by up to 12 days, the last ones beyond the follow-up; many leave, some die and miss visits.
DESIGN = ParallelDesign(
    visits=(0.0, 3.0, 6.0, 9.0), duration=9.1, visit_window_days=12.0, recruitment=Recruitment(per_month=(10.0,)),
    looks=(Look(when="month", at=12.0), Look(when="month", at=15.0)), dropout_per_month=0.05, missing_visit_probability=0.05,
    sequential=GroupSequential(fractions=(0.4, 0.7, 1.0), alpha=0.1, efficacy=PocockSpending()),
)  # fmt: skip
TRIAL = Trial(
    truth=NamedTruth(hazard=(0.01,)), design=DESIGN, analyses=(ReferenceBased(),), effects=(Effect(name="slower", slowing=0.7),),
    n_per_arm=(60,), seed=23, decision=Decision(alpha=0.1, side="one-sided"),
)  # fmt: skip
RESCUE = Intercurrent(name="rescue", hazard=0.03, strategy="hypothetical", afterwards=Afterwards(slope=0.3))


def known(trial, enrolled, arm, seen, r, month, *, until=9.0, rescue=False):
    """Scores, arm, life and whether the last visit is due, of everybody in trial r who came by a calendar month."""
    visits, people = trial.design.visits.index(until) + 1, []
    for i in range(arm.shape[1]):
        start = enrolled.month[r, i]
        if start > month:
            continue
        dead = seen.event_time[r, i] if seen.event[r, i] == 1 and start + seen.event_time[r, i] <= month else np.inf
        dead = np.inf if until < 9.0 and dead > until else dead  # data cut at a month know no event after it
        came = seen.intercurrent["rescue"][r, i] if rescue else np.inf
        scores = [
            seen.scores[r, i, v] if start + seen.months[r, i, v] <= month and seen.months[r, i, v] <= came else np.nan
            for v in range(visits)
        ]
        alive = [seen.months[r, i, v] < dead for v in range(visits)]  # on the day of the visit, not the planned one
        people.append((scores, arm[r, i], alive, start + min(seen.months[r, i, visits - 1], trial.design.duration) <= month))
    scores, code, alive, due = (np.array(column) for column in zip(*people, strict=True))
    return scores[:, 0], scores[:, 1:], code, alive[:, 1:], due


def literal(first, y, arm, alive, due, strategy):
    """The MMRM of everybody, and by how much those who are due differ at the last visit if those who left are as the strategy has it.

    Participant by participant; also the number of the active arm who are taken to have left.
    """
    fit = fit_mmrm(y, arm, baseline=first)
    visits, sigma = y.shape[1], fit.visit_covariance[0]
    mu, delta, slope = (fit.coefficients[0][k * visits : (k + 1) * visits] for k in range(3))
    changes, gone = [], 0
    for i in np.flatnonzero(due):
        own = mu + slope * first[i] + delta * arm[i]
        ref = own - delta * arm[i]
        seen = [t for t in range(visits) if not np.isnan(y[i, t])]
        last, mean = seen[-1] if seen else -1, own.copy()
        if arm[i] == 1 and any(alive[i, last + 1 :]):
            gone += 1
            for t in range(visits):
                if strategy == "copy reference" or (strategy == "jump to reference" and t > last):
                    mean[t] = ref[t]
                elif t > last:
                    mean[t] = ref[t] + (own[last] - ref[last] if last >= 0 else 0.0)

        def guess(t, mean, values):
            o = sorted(values)
            if not o:
                return mean[t]
            return mean[t] + np.linalg.solve(sigma[np.ix_(o, o)], sigma[o, t]) @ (np.array([values[s] for s in o]) - mean[o])

        there = {t: y[i, t] for t in seen}
        filled = there | {t: guess(t, mean, there) for t in range(visits) if t not in there and alive[i, t]}
        end = visits - 1
        changes.append(filled.get(end, guess(end, own, filled)) - there.get(end, guess(end, own, there)))
    x = np.stack([np.ones(len(y)), arm, first], axis=1)[due]
    return fit.estimate[0] + np.linalg.lstsq(x, np.array(changes), rcond=None)[0][1], gone


@pytest.mark.parametrize("strategy", REFERENCE)
@pytest.mark.parametrize(("until", "rescue"), [(None, False), (6.0, False), (None, True)])
def test_a_look_read_participant_by_participant(strategy, until, rescue):
    analysis = ReferenceBased(strategy=strategy, until=until)
    trial = replace(TRIAL, analyses=(analysis,), intercurrent=(RESCUE,) if rescue else ())
    enrolled, arm, seen, _ = followed(trial, 3)
    month = np.array([14.0, 15.5, 17.0])
    data = open_data(trial, enrolled, arm, seen, month).data
    found, again = analysis.analyse(data), analysis.analyse(data.take(np.array([2])))
    for r in range(3):
        first, y, code, alive, due = known(trial, enrolled, arm, seen, r, month[r], until=until or 9.0, rescue=rescue)
        wanted, gone = literal(first, y, code, alive, due, strategy)
        assert found.estimate[r] == pytest.approx(wanted, abs=1e-7)  # both to the convergence of REML
        assert 20 < due.sum() < len(due) - 10
        assert gone > 3
        fit = fit_reference_based(y, code, baseline=first, alive=alive, due=due, strategy=strategy)
        assert (fit.by_reference[0], fit.participants[0], fit.df[0]) == (gone, len(due), len(due) - 3)
    assert again.estimate[0] == found.estimate[2]


def test_the_standard_error_leaves_out_each_in_turn():
    enrolled, arm, seen, _ = followed(TRIAL, 1)
    first, y, code, alive, due = known(TRIAL, enrolled, arm, seen, 0, 14.0)
    found = fit_reference_based(y, code, baseline=first, alive=alive, due=due)
    each = [np.arange(len(y)) != i for i in range(len(y))]
    out = np.array([literal(first[k], y[k], code[k], alive[k], due[k], "jump to reference")[0] for k in each])
    error = np.sqrt((len(y) - 1) / len(y) * ((out - out.mean()) ** 2).sum())
    assert found.standard_error[0] == pytest.approx(error, rel=1e-5)


def test_random_imputations_are_those_of_a_trial_of_the_due():
    enrolled, arm, seen, _ = followed(TRIAL, 1)
    first, y, code, alive, due = known(TRIAL, enrolled, arm, seen, 0, 15.0)
    analysis = ReferenceBased(variance="rubin", imputations=6)
    found = analysis.analyse(open_data(TRIAL, enrolled, arm, seen, np.array([15.0])).data)
    alone = fit_reference_based(y[due], code[due], baseline=first[due], alive=alive[due], variance="rubin", imputations=6)
    assert (found.estimate[0], found.standard_error[0]) == (alone.estimate[0], alone.standard_error[0])
    assert alone.participants[0] < len(due)


def test_missing_at_random_nothing_hangs_on_the_day_of_the_last_visit():
    trial = replace(TRIAL, design=replace(DESIGN, visit_window_days=0.0))
    enrolled, arm, seen, _ = followed(trial, 3)
    data = open_data(trial, enrolled, arm, seen, np.full(3, 14.0)).data
    assert not data.due[:, :, -1][data.arm >= 0].all()
    analysis = ReferenceBased(strategy="missing at random")
    found, free = analysis.analyse(data), analysis.analyse(replace(data, due=None))
    np.testing.assert_array_equal(found.estimate, free.estimate)
    np.testing.assert_allclose(found.estimate, MMRM().analyse(data).estimate, atol=1e-7)  # both to the convergence of REML


@pytest.mark.parametrize("variance", ["jackknife", "rubin"])
def test_at_the_end_everybody_is_due_and_nothing_changes_to_the_bit(variance):
    enrolled, arm, seen, end = followed(TRIAL, 4)
    opened, last = (open_data(TRIAL, enrolled, arm, seen, month).data for month in (end, None))
    assert (seen.months[:, :, -1] == DESIGN.duration).any()
    assert last.due is None
    dead = (last.event[:, :, None] == 1) & (last.actual[:, :, 1:] >= last.event_time[:, :, None])
    for strategy in (*REFERENCE, "missing at random"):
        analysis = ReferenceBased(strategy=strategy, variance=variance, imputations=4)
        here, there = analysis.analyse(opened), analysis.analyse(last)
        plain = fit_reference_based(
            last.scores[:, :, 1:], arm, baseline=last.scores[:, :, 0], alive=~dead, strategy=strategy, variance=variance, imputations=4
        )
        for name in ("estimate", "standard_error", "p_value"):
            np.testing.assert_array_equal(getattr(here, name), getattr(there, name))
            np.testing.assert_array_equal(getattr(there, name), getattr(plain, name))
        assert not plain.failed.any()


def test_one_who_is_not_due_hardly_changes_the_end():
    # The correction by those who are due is the whole of it when all are: no leap where the last but one comes to the last visit.
    enrolled, arm, seen, _ = followed(replace(TRIAL, n_per_arm=(150,)), 1)
    data = open_data(TRIAL, enrolled, arm, seen, None).data
    due = np.ones(arm.shape, dtype=bool)
    due[0, np.flatnonzero(np.isnan(data.scores[0, :, -1]))[0]] = False
    given = {"baseline": data.scores[:, :, 0], "strategy": "jump to reference"}
    whole = fit_reference_based(data.scores[:, :, 1:], arm, **given)
    nearly = fit_reference_based(data.scores[:, :, 1:], arm, due=due, **given)
    # One of 150 who left moves the mean of the arm by at most what they gain, some 7 points, / 150.
    assert 0 < abs(nearly.estimate[0] - whole.estimate[0]) < 0.06


def test_a_look_estimates_what_the_end_does():
    trials = 150
    enrolled, arm, seen, _ = followed(TRIAL, trials)
    data = open_data(TRIAL, enrolled, arm, seen, np.full(trials, 14.0)).data
    last = TRIAL.analyses[0].analyse(open_data(TRIAL, enrolled, arm, seen, None).data)

    def off(found):
        """Mean difference from the end in Monte Carlo standard errors."""
        apart = (found.estimate - last.estimate)[~np.isnan(found.estimate)]
        return apart.mean() / apart.std(ddof=1) * np.sqrt(apart.size), apart.size

    found = TRIAL.analyses[0].analyse(data)
    bias, size = off(found)
    assert size > 0.95 * trials
    assert abs(bias) < 3.5
    # Negative controls: who is not due has left, and nobody who is not due leaves.
    assert off(TRIAL.analyses[0].analyse(replace(data, due=None)))[0] < -10
    dead = (data.event[:, :, None] == 1) & (data.months[1:] >= data.event_time[:, :, None])
    stays = fit_reference_based(data.scores[:, :, 1:], data.arm, baseline=data.scores[:, :, 0], alive=~dead & data.due[:, :, 1:])
    assert off(stays)[0] > 5
    # The standard error is that over repeated trials; the error of an SD of 150 is 6%.
    assert 0.8 < np.nanmean(found.standard_error) / np.nanstd(found.estimate, ddof=1) < 1.25


def test_where_too_few_are_due_there_is_no_result():
    enrolled, arm, seen, _ = followed(TRIAL, 2)
    data = open_data(TRIAL, enrolled, arm, seen, np.full(2, 8.0)).data
    for variance in ("jackknife", "rubin"):
        found = ReferenceBased(variance=variance, imputations=4).analyse(data)
        assert found.status.tolist() == ["too few have come to the day of the last visit"] * 2
        assert np.isnan(found.estimate).all()
        assert np.isnan(z_of(found)).all()
    with pytest.raises(ValueError, match=r"due has shape \(3,\); expected \(120,\)"):
        fit_reference_based(data.scores[0, :, 1:], arm[0], baseline=data.scores[0, :, 0], due=[True, False, True])


def test_trials_that_stop_and_members_of_a_family_count_alike():
    family = (ReferenceBased(), ReferenceBased(strategy="copy increments"))
    trial = replace(TRIAL, analyses=family, multiplicity=Holm())
    enrolled, arm, seen, _ = followed(trial, 3)
    looked = 0
    for at in family_looks_of(trial.scenarios[0], enrolled, arm, seen, family_watch(trial.scenarios[0], 3)):
        for r in np.flatnonzero(at.running):
            facts = known(trial, enrolled, arm, seen, r, at.opened.month[r])
            for analysis in family:
                found = at.results[analysis.label]
                if not found.failed[r]:
                    assert found.estimate[r] == pytest.approx(literal(*facts, analysis.strategy)[0], abs=1e-7)
                    looked += not facts[-1].all()
    assert looked > 4
    enrolled, arm, seen, _ = followed(TRIAL, 12)
    (records,) = run_task(Task(TRIAL.scenarios, 0, 12))
    early = np.flatnonzero(records["stop"] == "efficacy")
    assert early.size > 2
    for r in early:
        wanted, _ = literal(*known(TRIAL, enrolled, arm, seen, r, records["duration"][r]), "jump to reference")
        assert records["estimate"][r] == pytest.approx(wanted, abs=1e-7)


def test_with_nobody_imputed_by_reference_it_is_the_mmrm_however_far_visits_stray() -> None:
    """Every score counts, also one before a death that comes before the planned day of its visit."""
    plain = replace(TRIAL.design, sequential=None, looks=(), visit_window_days=40.0)
    trial = replace(TRIAL, design=plain, truth=NamedTruth(hazard=(0.06,)))
    enrolled, arm, seen, _ = followed(trial, 6)
    data = open_data(trial, enrolled, arm, seen, None).data
    before = (seen.event[:, :, None] == 1) & np.isfinite(seen.scores) & (np.array(plain.visits) >= seen.event_time[:, :, None])
    assert before.any()  # some die between a visit and its planned day
    found = ReferenceBased(strategy="missing at random").analyse(data)
    expected = MMRM().analyse(data)
    np.testing.assert_allclose(found.estimate, expected.estimate, rtol=0, atol=1e-5)
