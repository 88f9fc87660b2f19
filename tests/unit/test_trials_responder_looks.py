"""A responder analysis at a look counts those whose day of the visit has come: literal reading, no bias, families."""

from dataclasses import replace

import numpy as np
import pytest

from alsmodel.estimators.responder import fit_responder, responders
from alsmodel.trials import (
    ANCOVA,
    Decision,
    Effect,
    Holm,
    Intercurrent,
    Look,
    NamedTruth,
    ParallelDesign,
    Recruitment,
    Responder,
    Trial,
    planned_information,
)
from alsmodel.trials.block import Task, family_looks_of, run_task
from alsmodel.trials.family_watch import family_watch
from alsmodel.trials.intercurrent import Afterwards
from alsmodel.trials.opening import open_data, z_of
from alsmodel.trials.sequential import GroupSequential
from alsmodel.trials.spending import PocockSpending
from tests.unit.looked_at import followed

LOOKS = (Look(when="month", at=11.0), Look(when="month", at=14.0))
#: Visits stray by up to 12 days, the last ones beyond the follow-up; many die, leave, and miss visits.
DESIGN = ParallelDesign(
    visits=(0.0, 3.0, 6.0, 9.0), duration=9.1, visit_window_days=12.0, recruitment=Recruitment(per_month=(10.0,)), looks=LOOKS,
    dropout_per_month=0.03, missing_visit_probability=0.1,
    sequential=GroupSequential(fractions=(0.3, 0.6, 1.0), alpha=0.1, efficacy=PocockSpending()),
)  # fmt: skip
EFFECT = Effect(name="slower", slowing=0.5, hazard_ratio=0.6)
TRIAL = Trial(
    truth=NamedTruth(hazard=(0.03,)), design=DESIGN, analyses=(Responder(),), effects=(EFFECT,), n_per_arm=(60,), seed=19,
    decision=Decision(alpha=0.1, side="one-sided"),
)  # fmt: skip
RESCUE = Intercurrent(name="rescue", hazard=0.05, strategy="composite", afterwards=Afterwards(slope=0.3))


def literal(trial, enrolled, arm, seen, r, month, *, threshold=6.0, until=9.0, rescue=None):
    """Responders and those counted of control and active arm in trial r, by what is known of each participant at a calendar month."""
    last = trial.design.visits.index(until)
    counts = np.zeros((2, 2), dtype=int)
    why = dict.fromkeys(("not due", "gone and not due", "dead", "left", "missed", "seen"), 0)
    for i in range(arm.shape[1]):
        start = enrolled.month[r, i]
        if start > month:
            continue
        day = start + min(seen.months[r, i, last], trial.design.duration)
        dead = seen.event[r, i] == 1 and start + seen.event_time[r, i] <= month
        left = start + seen.left[r, i] <= month
        if day > month:
            why["gone and not due" if dead or left else "not due"] += 1
            continue
        came = seen.intercurrent["rescue"][r, i] if rescue else np.inf
        came = np.inf if until < 9.0 and came > until else came  # data cut at a month know no event after it
        score = seen.scores[r, i, last]
        if rescue and seen.months[r, i, last] > came:
            before = [seen.scores[r, i, v] for v in range(last + 1) if seen.months[r, i, v] <= came]
            score = [s for s in before if np.isfinite(s)][-1] if rescue == "while on treatment" else np.nan
        why["seen" if np.isfinite(score) else "dead" if dead else "left" if left else "missed"] += 1
        counts[arm[r, i]] += np.isfinite(score) and seen.scores[r, i, 0] - score < threshold, 1
    return counts, why


@pytest.mark.parametrize("rescue", [None, "composite", "while on treatment"])
@pytest.mark.parametrize("until", [None, 6.0])
def test_a_look_read_participant_by_participant(rescue, until):
    strategies = {} if rescue is None else {"rescue": rescue}
    analysis = Responder(until=until, strategies=strategies)
    trial = replace(TRIAL, analyses=(analysis,), intercurrent=(RESCUE,) if rescue else ())
    enrolled, arm, seen, _ = followed(trial, 6)
    month = np.array([10.0, 11.0, 12.0, 13.0, 14.0, 15.0])
    data = open_data(trial, enrolled, arm, seen, month).data
    found = analysis.analyse(data)
    again = analysis.analyse(data.take(np.array([4, 1])))
    total = dict.fromkeys(("not due", "gone and not due", "dead", "left", "missed", "seen"), 0)
    for r in range(6):
        counts, why = literal(trial, enrolled, arm, seen, r, month[r], until=until or 9.0, rescue=rescue)
        total = {name: total[name] + why[name] for name in total}
        (x0, n0), (x1, n1) = counts
        assert found.estimate[r] == pytest.approx(x1 / n1 - x0 / n0, abs=1e-12)
        error = np.sqrt(x0 * (n0 - x0) / n0**3 + x1 * (n1 - x1) / n1**3)
        assert found.standard_error[r] == pytest.approx(error, abs=1e-12)  # of as many as were counted
    np.testing.assert_array_equal(again.estimate, found.estimate[[4, 1]])
    assert min(total["not due"], total["gone and not due"], total["dead"], total["left"], total["seen"]) > 5
    assert total["missed"] > 0


def test_the_count_is_of_those_whose_day_has_come():
    enrolled, arm, seen, _ = followed(TRIAL, 3)
    month = np.array([10.0, 12.0, 14.0])
    data = open_data(TRIAL, enrolled, arm, seen, month).data
    fit = fit_responder(np.where(data.due[:, :, -1], responders(data.scores, decline_below=6.0), np.nan), data.arm)
    wanted = [literal(TRIAL, enrolled, arm, seen, r, month[r])[0][:, 1].sum() for r in range(3)]
    assert fit.participants.tolist() == wanted
    assert 0 < wanted[0] < wanted[1] < wanted[2] < arm.shape[1]


def test_at_the_end_everybody_is_due_and_nothing_changes_to_the_bit():
    enrolled, arm, seen, end = followed(TRIAL, 40)
    opened, last = (open_data(TRIAL, enrolled, arm, seen, month).data for month in (end, None))
    assert (seen.months[:, :, -1] == DESIGN.duration).any()  # a visit that strays to the last day is due when follow-up is over
    assert last.due is None
    assert opened.due.all()
    here, there, plain = TRIAL.analyses[0].analyse(opened), TRIAL.analyses[0].analyse(last), fit_responder(
        responders(last.scores, decline_below=6.0), arm
    )  # fmt: skip
    for name in ("estimate", "standard_error", "p_value"):
        np.testing.assert_array_equal(getattr(here, name), getattr(there, name))
        np.testing.assert_array_equal(getattr(there, name), getattr(plain, name))
    assert (plain.participants == arm.shape[1]).all()


def test_where_nobody_is_due_there_is_no_result():
    enrolled, arm, seen, _ = followed(TRIAL, 2)
    data = open_data(TRIAL, enrolled, arm, seen, np.full(2, 8.0)).data
    assert (data.arm >= 0).sum(axis=1).min() > 30
    found = TRIAL.analyses[0].analyse(data)
    assert found.failed.all()
    assert found.status.tolist() == ["not estimable"] * 2
    assert np.isnan(found.estimate).all()
    assert np.isnan(z_of(found)).all()  # no claim, and no futility


def test_trials_that_stop_report_what_was_counted_at_that_look():
    enrolled, arm, seen, _ = followed(TRIAL, 60)
    (records,) = run_task(Task(TRIAL.scenarios, 0, 60))
    early = np.flatnonzero(records["stop"] == "efficacy")
    assert 5 < early.size < 55
    for r in early:
        ((x0, n0), (x1, n1)), _ = literal(TRIAL, enrolled, arm, seen, r, records["duration"][r])
        assert records["estimate"][r] == pytest.approx(x1 / n1 - x0 / n0, abs=1e-12)


def test_members_of_a_family_count_alike():
    family = (Responder(), Responder(threshold=9.0), ANCOVA())
    trial = replace(TRIAL, analyses=family, multiplicity=Holm())
    enrolled, arm, seen, _ = followed(trial, 4)
    looked = 0
    for at in family_looks_of(trial.scenarios[0], enrolled, arm, seen, family_watch(trial.scenarios[0], 4)):
        for r in np.flatnonzero(at.running):
            for analysis in family[:2]:
                ((x0, n0), (x1, n1)), _ = literal(trial, enrolled, arm, seen, r, at.opened.month[r], threshold=analysis.threshold)
                assert at.results[analysis.label].estimate[r] == pytest.approx(x1 / n1 - x0 / n0, abs=1e-12)
                looked += 1
    assert looked > 6


def test_a_look_estimates_what_the_end_does():
    trials = 600
    enrolled, arm, seen, _ = followed(TRIAL, trials)
    month = np.full(trials, 13.0)
    data = open_data(TRIAL, enrolled, arm, seen, month).data
    last = TRIAL.analyses[0].analyse(open_data(TRIAL, enrolled, arm, seen, None).data).estimate
    error = TRIAL.analyses[0].analyse(data).estimate.std() / np.sqrt(trials)
    assert TRIAL.analyses[0].analyse(data).estimate.mean() == pytest.approx(last.mean(), abs=3.5 * error)
    # Negative controls: the living who are not due as no response, and only the dead and gone among those not due.
    gone = (data.event == 1) | (enrolled.month + seen.left <= month[:, None])
    for due in (None, data.due | gone[:, :, None]):
        other = TRIAL.analyses[0].analyse(replace(data, due=due)).estimate.mean()
        assert other < last.mean() - 7 * error


def test_planned_information_leaves_out_trials_whose_shares_are_all_0_or_1():
    tiny = replace(TRIAL, design=replace(DESIGN, looks=(), sequential=None), n_per_arm=(4,), effects=(Effect(name="null"),))
    assert 0 < planned_information(tiny, replicates=60) < 100
