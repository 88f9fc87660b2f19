"""Every analysis that a protocol may name runs on the same virtual trials, points the right way, and leaves other arms out."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alsmodel.settings import decode, encode
from alsmodel.trials import (
    ANCOVA,
    MMRM,
    RMST,
    Cox,
    Effect,
    JointRank,
    LogRank,
    NamedTruth,
    ParallelDesign,
    RandomSlope,
    Responder,
    Trial,
    TrialSettings,
    Win,
)
from alsmodel.trials.block import Task, run_task
from alsmodel.trials.estimands import true_values

HOMES = {"mmrm": MMRM(), "ancova": ANCOVA(), "responder": Responder(threshold=5.0), "cox": Cox(), "rmst": RMST(horizon=9.0)}
HOMES |= {"joint_rank": JointRank(), "win": Win(), "random_slope": RandomSlope(df_method="kenward-roger"), "logrank": LogRank()}
STRONG = Effect(name="strong", slowing=0.9, hazard_ratio=0.2, by_arm=(0.0, 1.0))


@pytest.mark.parametrize("home", HOMES)
def test_an_analysis_points_the_right_way_and_sees_its_own_arm(home: str) -> None:
    if find_spec(f"alsmodel.estimators.{home}") is None:
        pytest.skip(f"alsmodel.estimators.{home} is not there")
    analysis = HOMES[home]
    design = ParallelDesign(visits=(0.0, 3.0, 6.0, 9.0), duration=9.0, allocation=(1, 1, 1))
    truth = NamedTruth(hazard=(0.06,))
    analyses = (analysis, replace(analysis, arm=2))
    trial = Trial(truth=truth, design=design, analyses=analyses, effects=(STRONG,), n_per_arm=(60,), seed=5)
    (got,) = run_task(Task(trial.scenarios, 0, 30))
    first, second = (np.asarray(got["analysis"] == a.label) for a in analyses)
    assert not got["failed"].any()
    assert got["benefit"][second].mean() > 0.9
    assert 0.2 < got["benefit"][first].mean() < 0.8  # arm 1 gets nothing of the effect
    assert (got["p_value"][second] < 0.05).mean() > 0.5
    assert (got["p_value"][first] < 0.05).mean() < 0.3


def test_every_analysis_has_its_words_in_a_study_file() -> None:
    section: dict[str, Any] = {"truth": {"kind": "named"}, "analyses": [encode(a) for a in HOMES.values()], "effects": [{"name": "null"}]}
    settings = decode(TrialSettings, section)
    assert settings.analyses == tuple(HOMES.values())
    with pytest.raises(ValueError, match="horizon lies beyond"):
        TrialSettings(analyses=(RMST(horizon=20.0),))


def test_true_values_of_survival_are_closed_forms_when_nothing_is_mediated(tmp_path: Path) -> None:
    truth = NamedTruth(hazard=(0.05,), association_value=0.0)
    effect = Effect(name="half", hazard_ratio=0.5)
    trial = Trial(truth=truth, analyses=(LogRank(), RMST(horizon=9.0)), effects=(effect,), n_per_arm=(10,))
    values = true_values(trial.scenarios[0], tmp_path, 100_000).values
    # 100,000 twins of each arm with 69,000 events in all: standard error of the log hazard ratio 0.008.
    assert values["log-rank"][0] == pytest.approx(np.log(0.5), abs=0.025)
    wanted = (1 - np.exp(-0.025 * 9)) / 0.025 - (1 - np.exp(-0.05 * 9)) / 0.05
    assert values["RMST to month 9"][0] == pytest.approx(wanted, abs=0.03)
    assert true_values(trial.scenarios[0], tmp_path, 100_000).values == values  # from the cache
