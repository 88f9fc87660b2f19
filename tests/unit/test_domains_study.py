"""A study of several outcomes from its file to its report: grammar, refusals, the run folder, the page; predictions by brute force."""

import json
import re
import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from alsmodel import reports
from alsmodel.cli.main import app
from alsmodel.errors import InvalidInput
from alsmodel.estimators.laplace import Weighted
from alsmodel.inference import DomainFit, Sampling, domain_fit
from alsmodel.inference.chains import Chains
from alsmodel.inference.checks import diagnostics
from alsmodel.inference.domain_draws import label_of, named_domain_draws, summarise_domains, unit_of
from alsmodel.inference.domain_paths import expected_score, lines_at
from alsmodel.inference.domain_predict import survival_curve, trajectory
from alsmodel.inference.refine import quadrature_check
from alsmodel.models.domain import ArmEffect, DomainModel, DomainPriors, Outcome, domains
from alsmodel.models.domain_program import domain_program
from alsmodel.models.priors import HalfNormal, Normal
from alsmodel.models.spec import JointModel, PiecewiseExponential
from alsmodel.settings import decode, dump_toml, encode
from alsmodel.settings.toml import parse_toml
from alsmodel.study import report_again, run
from alsmodel.study.domains import effects, findings
from alsmodel.study.fitted import load_fit
from alsmodel.study.loading import load
from alsmodel.study.spec import ReportPlan, Study
from alsmodel.study.synthetic import write_proact

HERE = Path(__file__).parent
literal = SimpleNamespace(**runpy.run_path(str(HERE / "literal_domains.py")))
arrays = SimpleNamespace(**runpy.run_path(str(HERE / "domain_data.py")))

DOMAIN_PAGE = HERE.parents[1] / "docs" / "methods" / "domain_model.md"

HEAD = """\
title = "Which regions fall together?"
question = "How fast does each region fall?"

[data]
format = "proact"
folder = "data"

[estimand]
population = "people enrolled"
variable = "domain scores (points) and time to death (months)"
summary = "mean slopes and their correlation"
intercurrent_events = [{ event = "death", strategy = "modelled jointly" }]
"""
MODEL = """
[[model.outcomes]]
name = "bulbar"
slope = ["onset_site"]

[[model.outcomes]]
name = "respiratory"

[model.survival]
knots = 1

[model.covariates.onset_site]
reference = "limb"
missing = "own level"

[report]
by = "onset_site"
parameter = "bulbar.slope:onset_site[bulbar]"
synthetic = true
"""


#: The example of the documentation, which is what runs here, with a prior that says why.
PAGE = re.findall(r"^```toml\n(.*?)^```", DOMAIN_PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)[0]
REASON = """
[model.priors.association_value]
mean = 0.0
sd = 0.3
reason = "a point more or less changes the hazard by a third at most"
"""


def study_of(text: str) -> Study:
    parsed = parse_toml(text)
    return decode(Study, parsed.values, where="study.toml", lines=parsed.lines)


def faults_of(text: str) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        study_of(text)
    return [str(fault) for fault in caught.value.faults]


# ---- the file


def test_a_study_file_declares_outcomes_with_and_without_a_kind() -> None:
    assert study_of(HEAD + '[model]\nkind = "domains"\n').model == DomainModel()
    study = study_of(HEAD + MODEL)
    assert isinstance(study.model, DomainModel)
    assert study.model.names == ("bulbar", "respiratory")
    assert study_of(dump_toml(encode(study))) == study
    assert isinstance(study_of(HEAD + '[model]\nevents = ["death"]\n').model, JointModel)


def test_every_wrong_setting_is_named_at_once_with_the_nearest_right_one() -> None:
    wrong = """
[model]
kind = "domains"
assocation = ["value"]
hazard = ["age"]

[[model.outcomes]]
name = "bulbar"
likelihod = "censored"

[[model.outcomes]]
name = "respiratory"
likelihood = "censord"

[model.priors]
sd_intercept = 0
"""
    told = faults_of(HEAD + wrong)
    assert [fault.split(": ")[0] for fault in told] == [f"study.toml:{line}" for line in (16, 17, 21, 25, 27)]
    for fault, words in zip(
        told, ("mean association?", "[model.survival]", "mean likelihood?", "mean 'censored'?", "above 0"), strict=True
    ):
        assert words in fault


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ('[model]\nkind = "domain"\n', "Did you mean 'domains'?"),
        ('[[model.outcomes]]\nnmae = "bulbar"\n', "model.outcomes[0].nmae is not a known setting. Did you mean name?"),
        ('[[model.outcomes]]\nname = "svc_percent"\n', 'choose likelihood = "gaussian"'),
        ('[model]\nassocation = ["value"]\n', "Did you mean association?"),
        ('[[model.outcomes]]\nname = "bulbar"\n[model.survival]\nkind = "weibull"\n', "'piecewise'"),
    ],
)
def test_what_is_told_is_of_the_model_that_was_meant(model: str, words: str) -> None:
    assert any(words in fault for fault in faults_of(HEAD + model))


def test_a_trial_from_a_fit_of_several_outcomes_is_refused_before_anything_runs(tmp_path: Path) -> None:
    trial = '\n[trial.truth]\nkind = "posterior"\n[trial.assurance]\nkind = "posterior"\ntreatment = "drug"\n'
    path = tmp_path / "study.toml"
    path.write_text(HEAD + MODEL.replace('by = "onset_site"', 'by = "sexx"') + trial)
    with pytest.raises(InvalidInput) as caught:
        load(path, need_data=False)
    told = [str(fault) for fault in caught.value.faults]
    assert len(told) == 3
    assert "report.by: 'sexx'" in told[0]
    assert "trial.truth.kind" in told[1]
    assert "resampled" in told[1]
    assert "trial.assurance.kind" in told[2]
    path.write_text(HEAD + MODEL + '\n[trial.truth]\nkind = "named"\n')
    load(path, need_data=False)


def test_the_model_prints_as_sentences_and_formulas() -> None:
    drug = ArmEffect(name="drug", level="active", across="pooled")
    nfl = Outcome(name="nfl_serum", likelihood="gaussian", transform="log", weight=0.0, intercept=("age",))
    text = str(DomainModel(outcomes=(*domains(slope=("onset_site",)), nfl), treatment=drug, association=("value", "slope")))
    for words in (
        "all 10 random effects of a participant may be correlated",
        "at 0 or 12 says that the true value plus normal noise lies there or beyond",
        "Residuals of log of serum neurofilament light are independent and normal.",
        "the slope differs by onset site",
        "the current value and the current slope of the sum of bulbar function, fine motor function",
        "drawn towards a common one",
        "θ_k ~ N(θ, τ²)",
        "h(t) = h0(t) exp{η z + α M(t) + α' dM(t)/dt}",
    ):
        assert words in text
    assert "nfl" not in text.split("The hazard depends")[1].split(".")[0]  # weight 0 keeps it out of the hazard


# ---- a whole run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("domains")
    write_proact(60, 3, base / "data")
    (base / "study.toml").write_text(PAGE + REASON)
    told = CliRunner().invoke(app, ["run", str(base / "study.toml"), "--out", str(base / "run"), "--workers", "1", "--json"])
    assert told.exit_code == 0, told.output
    values = json.loads(told.stdout)
    assert values["method"] == "psis"
    assert {"bulbar.slope", "corr:bulbar.slope,respiratory.slope"} <= {row["parameter"] for row in values["estimates"]}
    return base


def test_the_report_holds_every_part_and_says_what_it_leaves_out(folder: Path) -> None:
    page = (folder / "run" / "report.html").read_text(encoding="utf-8")
    for words in (
        "joint model of several outcomes and survival",
        "mean decline of bulbar function",  # the answer names the parameter that was asked for
        "falls fastest",
        "The slopes of bulbar function and respiratory function are correlated by",
        "Domain score (points) over time, by onset site.",
        "Correlations of slopes between outcomes.",
        "Share of scores at the ends of a scale.",
        "Predictive check of Respiratory function (points).",
        "Predictive check of survival without death.",
        "m_k(t) = a_k0 + a_k1 t,   k = 1..2",
        "a point more or less changes the hazard by a third at most",
        "LKJ(1)",
        "Pareto k-hat",
        "Survival without death.",
        "Dynamic prediction for single participants is not shown",
        "No trial was simulated in this study.",
        "Beyond an end of its scale a true value is the model&#39;s own",
    ):
        assert words in page, words
    people = load_fit(folder / "run" / "fit").data.base.participant_ids  # type: ignore[union-attr]
    assert not any(f">{person}<" in page for person in people)


def test_a_second_run_reuses_every_step_and_the_settings_run_as_a_study(folder: Path) -> None:
    before = (folder / "run" / "report.html").read_bytes()
    assert report_again(folder / "run").report is not None
    assert (folder / "run" / "report.html").read_bytes() == before
    again = run(folder / "run" / "settings.toml", folder / "run", until="fit")
    assert again.reused == ("cohort", "fit")
    assert again.failed == ()


def test_the_saved_fit_reads_back_equal(folder: Path, tmp_path: Path) -> None:
    fit = load_fit(folder / "run" / "fit")
    assert isinstance(fit, DomainFit)
    assert fit.passed
    assert fit.route.startswith("Posterior by importance sampling")
    fit.save(tmp_path / "fit")
    again = DomainFit.load(tmp_path / "fit")
    assert (again.spec, again.checks, again.provenance, again.route) == (fit.spec, fit.checks, fit.provenance, fit.route)
    assert again.summary.equals(fit.summary)
    assert again.weighted is not None
    assert fit.weighted is not None
    np.testing.assert_array_equal(again.weighted.x, fit.weighted.x)
    np.testing.assert_array_equal(again.x, fit.x)
    for name in ("row_person", "row_outcome", "row_time", "row_value"):
        np.testing.assert_array_equal(getattr(again.data, name), getattr(fit.data, name))
    assert set(fit.summary["reason"]) >= {"weak, in units of the data", "a point more or less changes the hazard by a third at most"}
    assert "bulbar.slope" in fit._repr_html_()


def test_resampled_draws_agree_with_the_weighted_ones(folder: Path) -> None:
    fit = load_fit(folder / "run" / "fit")
    rows = {row["parameter"]: row for row in fit.summary.iter_rows(named=True)}
    worth = fit.weighted.ess if fit.weighted else 0.0
    for name in ("bulbar.slope", "association:value", "corr:bulbar.slope,respiratory.slope"):
        # Both have the error of `worth` draws and share most of it: five standard errors are generous.
        assert abs(fit.flat(name).mean() - rows[name]["mean"]) < 5 * rows[name]["sd"] / np.sqrt(worth)


def test_a_page_can_be_made_of_the_fit_alone(folder: Path) -> None:
    page = reports.posterior(load_fit(folder / "run" / "fit"), title="A fit of two", by="onset_site")
    assert "A fit of two" in page
    assert "No cohort was described" in page
    assert "Mean line of every outcome" in page


def test_what_the_cohort_lacks_is_told_at_the_line_of_its_outcome(folder: Path) -> None:
    wrong = folder / "wrong.toml"
    wrong.write_text((HEAD + MODEL).replace('name = "respiratory"', 'name = "respiratry"\nlower = 0\nupper = 12'))
    with pytest.raises(InvalidInput, match=r"wrong\.toml:19: error: model\.outcomes\.respiratry\.name: No measurement is called"):
        run(wrong, folder / "wrong")


def test_a_parameter_that_the_model_has_not_is_answered_with_the_nearest(folder: Path) -> None:
    study = load(folder / "study.toml").study
    asked = replace(study, report=ReportPlan(parameter="bulbar.slop"))
    first, *_ = findings(asked, load_fit(folder / "run" / "fit"), None)  # type: ignore[arg-type]
    assert first == "The study asks for 'bulbar.slop', which is no parameter of its model. Did you mean bulbar.slope?"


# ---- predictions


KNOTS = PiecewiseExponential(knots=(6.0, 12.0), covariates=("x",))
TWO = DomainModel(
    outcomes=tuple(Outcome(name=name, intercept=("x",), slope=("x",)) for name in ("bulbar", "respiratory")),
    survival=KNOTS,
    association=("value", "slope"),
)


def two_truth() -> dict[str, Any]:
    truth = literal.domain_truth()
    keep = [0, 1, 6, 7]
    truth |= {key: truth[key][[0, 3]] for key in ("lower", "upper", "weights", "start", "start_x", "slope", "slope_x", "sigma")}
    return truth | {"covariance": truth["covariance"][np.ix_(keep, keep)], "alpha": np.array([-0.15, -0.8])}


@pytest.fixture(scope="module")
def known() -> DomainFit:
    """A posterior that is the truth itself, so that only the prediction can be wrong."""
    truth = two_truth()
    data = arrays.outcome_arrays(literal.draw_people(truth, 200, np.random.default_rng(3)), TWO.names)
    data = replace(data, base=replace(data.base, groups={"side": tuple("ab"[int(x)] for x in data.base.columns["x"])}))
    values = arrays.named_truth(truth, TWO)
    draws = {name: np.full((1, 200), value) for name, value in values.items()}
    return DomainFit(
        spec=TWO, data=data, x=np.zeros((1, 200, 1)), draws=draws, summary=pl.DataFrame(), checks=(),
        provenance={"seed": 5, "knots": [6.0, 12.0]},
    )  # fmt: skip


def test_the_cumulative_hazard_is_that_of_the_literal_generator(known: DomainFit) -> None:
    truth, rng = two_truth(), np.random.default_rng(4)
    people, times = np.arange(7), np.array([0.0, 2.0, 6.0, 9.5, 12.0, 20.0])
    line = rng.normal([10, -0.3, 9, 0.0], [3, 0.3, 3, 0.01], size=(3, 7, 4))
    line[0, 0, [1, 3]] = 0.0  # a flat projection, where the rate is zero
    lines = lines_at(TWO, known.data, known.draws, np.array([6.0, 12.0]), np.arange(3), people, line)
    found = lines.cumulative(times)
    for d in range(3):
        for p in people:
            x = float(known.data.base.columns["x"][p])
            s0, s1 = line[d, p, ::2].sum(), line[d, p, 1::2].sum()
            exact = [float(literal.cumulative(truth, x, (np.array(s0), np.array(s1)), np.array(t))) for t in times]
            np.testing.assert_allclose(found[d, p], exact, rtol=1e-10)


def test_the_mean_recorded_score_is_that_of_clipped_noise() -> None:
    rng = np.random.default_rng(6)
    value, noise = np.array([-3.0, 0.2, 6.0, 11.5, 16.0]), rng.normal(size=(400_000, 1))
    for low, high in ((0.0, 12.0), (None, 12.0), (0.0, None), (None, None)):
        clipped = np.clip(value + 1.3 * noise, -np.inf if low is None else low, np.inf if high is None else high).mean(axis=0)
        # 400,000 draws: a standard error of 0.002
        np.testing.assert_allclose(expected_score(value, np.full(5, 1.3), low, high), clipped, atol=0.01)


def test_population_curves_agree_with_brute_force(known: DomainFit) -> None:
    truth, rng, n = two_truth(), np.random.default_rng(8), 100_000
    times = np.array([0.0, 5.0, 10.0, 16.0])
    survival = survival_curve(known, times, by="side")
    paths = trajectory(known, times, by="side")
    root = np.linalg.cholesky(truth["covariance"])
    for x, group in ((0.0, "a"), (1.0, "b")):
        line = literal.prior_mean(truth, x) + rng.normal(size=(n, 4)) @ root.T
        projection = (line[:, ::2].sum(axis=1), line[:, 1::2].sum(axis=1))
        mine = survival.filter(pl.col("group") == group)
        for t, predicted in zip(times, mine["mean"], strict=True):
            alive = np.exp(-literal.cumulative(truth, x, projection, np.array(t)))
            assert predicted == pytest.approx(alive.mean(), abs=0.008)  # 200 x 200 people: SE below 0.002
            for k, name in enumerate(TWO.names):
                value = line[:, 2 * k] + line[:, 2 * k + 1] * t + truth["sigma"][k] * rng.normal(size=n)
                score = np.clip(value, truth["lower"][k], truth["upper"][k])
                row = paths.filter((pl.col("group") == group) & (pl.col("outcome") == name) & (pl.col("time") == t)).row(0, named=True)
                assert row["mean"] == pytest.approx((score * alive).sum() / alive.sum(), abs=0.08)  # SE below 0.02
                assert row["p_alive"] == pytest.approx(alive.mean(), abs=0.008)


# ---- a treatment, names of everything, and the way taken


def treated(across: str, **more: Any) -> tuple[DomainModel, Any]:
    spec = replace(TWO, treatment=ArmEffect(name="drug", level="active", across=across), **more)  # type: ignore[arg-type]
    data = arrays.outcome_arrays(literal.draw_people(two_truth(), 12, np.random.default_rng(1)), spec.names)
    arm = tuple("active" if i % 2 else "placebo" for i in range(12))
    active = np.flatnonzero(np.array(arm) == "active")
    return spec, replace(data, base=replace(data.base, groups={"arm": arm}, exposure_person=active))


@pytest.mark.parametrize("across", ["common", "pooled", "separate"])
def test_every_parameter_has_a_name_in_words_a_unit_and_a_reason(across: str) -> None:
    priors = DomainPriors(
        sd_slope=HalfNormal(scale=0.4, reason="slopes differ little"),
        sd_residual=1.5,
        spread=HalfNormal(scale=0.1, reason="one disease"),
        theta=Normal(mean=0.0, sd=0.2, reason="earlier trials"),
    )
    spec, data = treated(across, residual_by_arm=True, priors=priors)
    made = domain_program(spec, data)
    rng = np.random.default_rng(2)
    x = made.start + 0.1 * rng.normal(size=(1, 100, made.size))
    draws = named_domain_draws(spec, made, x)
    summary = summarise_domains(spec, made, draws, diagnostics(np.stack(list(draws.values()), axis=-1)))
    assert summary["label"].n_unique() == summary.height
    reasons = dict(summary.select("parameter", "reason").rows())
    derived = ("slope ratio:", "corr:")
    assert all(reason for name, reason in reasons.items() if not name.startswith(derived))
    assert reasons["sd:bulbar.slope"] == "slopes differ little"
    assert reasons["sd:bulbar.residual[active]"] == "set for this study"
    assert reasons["theta:drug" if across != "separate" else "theta:drug,bulbar"] == "earlier trials"
    if across == "pooled":
        assert reasons["sd:theta:drug"] == "one disease"
    assert label_of("sd:bulbar.residual[active]", spec) == "Bulbar function: residual SD, active"
    assert label_of("bulbar.slope:x", spec) == "Bulbar function: x on mean slope"
    assert label_of("hazard:drug", spec) == "drug: direct log hazard ratio"
    assert unit_of("bulbar.slope", spec) == "points/month"
    # The effect is the gain in the ratio of slopes, of all or of each.
    fit = DomainFit(spec=spec, data=data, x=x, draws=draws, summary=summary, checks=(), provenance={})
    study = replace(study_of(HEAD + MODEL), model=spec, report=ReportPlan(meaningful=0.1, success=0.9))
    found = effects(study, fit)
    assert len(found) == {"common": 1, "pooled": 3, "separate": 2}[across]
    ratio = draws["slope ratio:drug,respiratory" if across != "common" else "slope ratio:drug"]
    assert found[-1].mean == pytest.approx(1 - ratio.mean())
    assert found[-1].p_meaningful == pytest.approx((1 - ratio > 0.1).mean())


def test_draws_that_carry_too_much_weight_are_given_up_for_nuts_or_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    def bad(made: Any, mode: Any, **options: Any) -> Weighted:
        x = mode.at + 0.01 * np.random.default_rng(1).normal(size=(64, mode.at.size))
        return Weighted(x=x, log_weight=np.full(64, -np.log(64)), k_hat=2.0, ess=3.0)

    def chains(density: Any, mode: Any, sampling: Any, named: Any, *, further: Any, **options: Any) -> Chains:
        x = mode.at + 0.01 * np.random.default_rng(1).normal(size=(2, 50, mode.at.size))
        draws = named(x)
        measured = diagnostics(np.stack(list(draws.values()), axis=-1))
        drawn: Any = SimpleNamespace(x=x, steps=np.ones(3))
        return Chains(drawn=drawn, draws=draws, measured=measured, checks=further, settings=sampling)

    monkeypatch.setattr(domain_fit, "weigh", bad)
    monkeypatch.setattr(domain_fit, "judged_chains", chains)
    spec = replace(TWO, association=("value",))
    data = arrays.outcome_arrays(literal.draw_people(two_truth(), 40, np.random.default_rng(3)), TWO.names)
    at = domain_program(spec, data).start  # nobody needs the mode here
    ready = (spec, domain_program(spec, data), SimpleNamespace(at=at, scale=np.eye(at.size)), quadrature_check(0.0))
    monkeypatch.setattr(domain_fit, "prepare_domains", lambda *arguments: ready)
    taken = domain_fit.fit_domain_data(spec, data, Sampling(), seed=1)
    assert taken.method == "nuts"
    assert "since importance sampling did not pass its checks: Pareto k-hat 2" in taken.route
    marked = domain_fit.fit_domain_data(spec, data, Sampling(), seed=1, method="psis")
    assert (marked.method, marked.passed) == ("psis", False)
    assert "fallback" not in domain_fit.fit_domain_data(spec, data, Sampling(), seed=1, method="nuts").provenance
    with pytest.raises(ValueError, match="method must be"):
        domain_fit.fit_domain_data(spec, data, Sampling(), seed=1, method="laplace")  # type: ignore[arg-type]
