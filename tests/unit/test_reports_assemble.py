"""From a fit straight to a page, the fit and its predictions standing in by their documented columns."""

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from alsmodel import inference, reports
from alsmodel.inference import prior_predictive
from alsmodel.models.priors import Priors

fake = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("fake_study.py"))))


def fit(people: int = 120) -> SimpleNamespace:
    ids = tuple(fake.cohort().participants["participant_id"].to_list()[:people])
    data = SimpleNamespace(
        participant_ids=ids,
        outcome=np.zeros(5 * people),
        event_time=np.linspace(1, 20, people),
        event=np.arange(people) % 2,
        groups={"phenotype": ("limb",) * (people - 1) + (None,)},
    )
    return SimpleNamespace(
        data=data,
        spec=SimpleNamespace(
            outcome="alsfrs_r_total",
            transform="identity",
            event_words="death or tracheostomy",
            causes=(),
            after=(),
            classes=None,
            treatments=(),
            priors=Priors(),
        ),
        summary=fake.summary(),
        draws=fake.draws(),
        checks=fake.checks(),
        passed=True,
        route="Posterior by the no-U-turn sampler, 4 chains of 500 draws.",
        time_unit="month",
        provenance={"seed": 3, "digest": "abc"},
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Predictions of a fit that does not exist; keeps what was asked of them."""
    seen: dict[str, Any] = {}

    def trajectory(fit: object, times: np.ndarray, by: str | None = None) -> pl.DataFrame:
        seen.update(times=times, by=by)
        return fake.trajectory()

    predict = SimpleNamespace(
        can_predict=lambda spec: True,
        trajectory=trajectory,
        survival_curve=lambda fit, times, by=None: fake.survival_curve(),
        score_check=lambda fit: fake.score_check(),
        event_check=lambda fit: fake.event_check(),
        prior_check=lambda spec, data: pl.DataFrame(),
    )
    monkeypatch.setattr(inference, "predict", predict, raising=False)
    monkeypatch.setattr(prior_predictive, "prior_predictive", lambda spec, data, draws, people: "7% of the paths leave the scale.")
    return seen


def test_posterior_report_takes_everything_from_fit_and_cohort(asked: dict[str, Any]) -> None:
    cohort = fake.cohort()
    html = reports.posterior(fit(), cohort, title="A fit", by="phenotype", baselines=fake.baselines(), limits=("One limit.",))
    assert asked["by"] == "phenotype"
    assert asked["times"][-1] == pytest.approx(np.quantile(np.linspace(1, 20, 120), 0.9))
    for text in ("death or tracheostomy", "limb (n = 119)", "One limit.", "Table 1.", "Cox hazard ratio", "abc", "7% of the paths"):
        assert text in html
    assert "SECRET-ID-0001" not in html


def test_posterior_report_of_a_fit_alone_says_what_is_missing(asked: dict[str, Any]) -> None:
    html = reports.posterior(fit(), title="A fit")
    assert "No cohort was described" in html
    assert asked["by"] is None
