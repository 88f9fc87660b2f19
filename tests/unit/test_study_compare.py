"""Models compared by a study: what the file says, what becomes of it, where the result stands and what it must not tell."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from alsmodel.cli.main import app
from alsmodel.cohort.selection import Covariate
from alsmodel.errors import InvalidInput
from alsmodel.inference import Fit
from alsmodel.inference.compare import compare
from alsmodel.models import Exponential, JointModel, LatentClasses, Linear, NaturalSpline, PiecewiseExponential, Priors, Weibull
from alsmodel.models.priors import Normal
from alsmodel.reports import StudyReport, study_report
from alsmodel.settings import decode, encode
from alsmodel.settings.overlay import overlay
from alsmodel.study import Study, load, report_again, run
from alsmodel.study.alternatives import Alternative, ModelComparison, differences, models_of
from alsmodel.study.comparing import ModelsCompared
from alsmodel.study.methods import comparison_words

HEAD = """\
title = "Two models of one set"
question = "Does the current score drive the hazard?"

[data]
format = "tables"
time_unit = "month"
[data.longitudinal]
file = "visits.csv"
participant = "id"
time = "month"
outcomes = ["alsfrs_r_total"]
[data.survival]
file = "people.csv"
participant = "id"
time = "months"
event = "died"
event_values = ["true"]
event_name = "death"
definition = "death, any cause"
covariates = ["marker"]

[estimand]
population = "everyone"
variable = "ALSFRS-R total and time to death"
summary = "slope"
intercurrent_events = [{ event = "death", strategy = "modelled jointly with the score" }]

[model]
association = ["value"]
[model.survival]
kind = "exponential"

[baselines]
run = false
"""
COMPARE = """
[compare]
draws = 400

[[compare.alternatives]]
name = "no association"
[compare.alternatives.model]
association = []
"""
SECRET = "SECRET-ID-77"


def write_people(folder: Path, *, people: int = 90) -> None:
    """Invented people whose hazard follows their current score; two of them have no marker."""
    rng = np.random.default_rng(5)
    planned = np.arange(0.0, 13.0, 2.0)
    level, slope = rng.normal(36, 5, people), rng.normal(-1.0, 0.6, people)
    end, died = np.full(people, 13.0), np.zeros(people, bool)
    for i in range(people):
        for t in np.arange(0, 13, 0.05):
            if rng.random() < 0.05 * np.exp(2.3 - 0.16 * (level[i] + slope[i] * t)):
                end[i], died[i] = t + 0.05, True
                break
    person, visit = np.nonzero(planned < end[:, None])
    score = level[person] + slope[person] * planned[visit] + rng.normal(0, 1.5, person.size)
    ids = np.array([SECRET, *(f"P{i}" for i in range(1, people))])
    pl.DataFrame({"id": ids[person], "month": planned[visit], "alsfrs_r_total": np.clip(score, 0, 48).round(1)}).write_csv(
        folder / "visits.csv"
    )
    marker = [None, None, *rng.normal(0, 1, people - 2).round(2).tolist()]
    pl.DataFrame({"id": ids, "months": end.round(3), "died": died, "marker": marker}).write_csv(folder / "people.csv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("compared")
    write_people(base)
    (base / "study.toml").write_text(HEAD + COMPARE)
    return base


def call(*arguments: str | Path) -> tuple[int, dict[str, Any], str]:
    told = CliRunner().invoke(app, [*(str(argument) for argument in arguments), "--json"])
    return told.exit_code, json.loads(told.stdout), told.stderr


@pytest.fixture(scope="module")
def ran(folder: Path) -> dict[str, Any]:
    code, values, errors = call("compare", folder / "study.toml", "--out", folder / "run")
    assert code in (0, 4), errors
    return values


def test_the_table_is_that_of_the_fits_and_the_right_model_wins(folder: Path, ran: dict[str, Any]) -> None:
    fits = {"the study's model": Fit.load(folder / "run" / "fit"), "no association": Fit.load(folder / "run" / "fit-no-association")}
    assert fits["no association"].spec.association == ()
    assert fits["no association"].spec.survival == Exponential()
    own = compare(fits, 400)
    rows = pl.DataFrame(ran["models_compared"])
    assert rows.select(own.columns).to_dicts() == own.to_dicts()
    assert rows["model"].to_list() == ["the study's model", "no association"]
    # What the association explains is the events, by more than chance.
    assert rows["difference_events"][1] < -2 * rows["standard_error_events"][1] < 0
    assert abs(rows["difference_scores"][1]) < 4
    for one in ("", "_scores", "_events"):
        assert rows[f"difference{one}"][1] == pytest.approx(rows[f"elpd{one}"][1] - rows[f"elpd{one}"][0])
    kept = ModelsCompared.load(folder / "run" / "compare")
    assert kept.table.to_dicts() == ran["models_compared"]
    assert (kept.participants, kept.left_out, kept.method) == (90, 0, "marginal")


def test_every_fit_is_a_step_of_its_own_that_is_reused(folder: Path, ran: dict[str, Any]) -> None:
    again = call("compare", folder / "study.toml", "--out", folder / "run")[1]
    assert again["reused"] == ["cohort", "fit", "compare"]
    assert again["models_compared"] == ran["models_compared"]
    other = folder / "other.toml"
    other.write_text((folder / "study.toml").read_text().replace("draws = 400", "draws = 300"))
    assert call("compare", other, "--out", folder / "run")[1]["reused"] == ["cohort", "fit", "fit-no-association"]
    call("compare", folder / "study.toml", "--out", folder / "run")


def test_the_report_shows_the_comparison_and_nobodys_number(folder: Path, ran: dict[str, Any]) -> None:
    outcome = run(folder / "study.toml", folder / "run")
    assert outcome.reused == ("cohort", "fit", "compare")
    assert outcome.report is not None
    page = outcome.report.read_text(encoding="utf-8")
    section = page[page.index('<section id="comparison"') :].partition("</section>")[0]
    assert "no association" in section
    assert "above all the events given the scores" in section
    assert "Expected log density" in section
    assert SECRET not in page


def test_a_report_written_again_shows_the_comparison_of_its_settings_alone(
    folder: Path, ran: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def results(*arguments: Any) -> Any:
        return arguments[5]

    monkeypatch.setattr("alsmodel.study.pipeline._finish", results)  # what would be shown, without drawing it
    again: Any = report_again(folder / "run")
    assert again["compare"].table.to_dicts() == ran["models_compared"]
    settings = folder / "run" / "settings.toml"
    kept = settings.read_text()
    settings.write_text(kept.replace("draws = 400", "draws = 500"))
    again = report_again(folder / "run")
    settings.write_text(kept)
    assert again["compare"] is None
    page = study_report(StudyReport(title="t", question="q", comparison_words=comparison_words(load(folder / "study.toml").study)))
    assert "alsmodel compare computes it" in page
    assert '<section id="comparison"' not in page


def test_merged_settings_name_the_same_models(folder: Path, ran: dict[str, Any]) -> None:
    written, own = load(folder / "run" / "settings.toml").study, load(folder / "study.toml").study
    assert written.compare == own.compare
    assert encode(decode(Study, encode(own))) == encode(own)


def test_participants_whom_one_model_cannot_take_are_left_out_of_all(folder: Path, ran: dict[str, Any]) -> None:
    marker = '[[compare.alternatives]]\nname = "marker"\n[compare.alternatives.model.survival]\ncovariates = ["marker"]\n'
    marker += '[compare.alternatives.model.covariates]\nmarker = { missing = "complete-case" }\n'
    path = folder / "marker.toml"
    path.write_text(HEAD + "[fit]\nmethod = 'psis'\n[compare]\ndraws = 200\n" + marker)
    code, _, errors = call("compare", path, "--out", folder / "marked")
    assert code in (0, 4), errors
    kept = ModelsCompared.load(folder / "marked" / "compare")
    assert (kept.participants, kept.left_out) == (88, 2)
    fits = [Fit.load(folder / "marked" / f"fit-{name}") for name in ("the-study-s-model", "marker")]
    assert fits[0].data.participant_ids == fits[1].data.participant_ids
    assert SECRET not in fits[0].data.participant_ids
    assert any("<5 participants who lack" in sentence for sentence in kept.words)


def test_refits_by_folds_name_the_same_winner(folder: Path, ran: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "folds.toml"
    path.write_text(HEAD + "[fit]\nmethod = 'psis'\n" + COMPARE.replace("draws = 400", 'method = "kfold"\nfolds = 2'))
    code, values, errors = call("compare", path, "--out", folder / "folded")
    assert code in (0, 4), errors
    rows = pl.DataFrame(values["models_compared"])
    assert rows["model"].to_list() == ["the study's model", "no association"]
    assert rows["high_k"].to_list() == [None, None]
    weighted = pl.DataFrame(ran["models_compared"])
    # Each asks for the same 90 densities; halves of the data know less than all but one of them.
    assert rows["elpd"].to_list() == pytest.approx(weighted["elpd"].to_list(), rel=0.02)
    expected = pl.read_parquet(folder / "folded" / "folds-no-association" / "expected.parquet")
    assert expected.columns == ["scores", "events"]
    assert float(expected["scores"].sum() + expected["events"].sum()) == pytest.approx(rows["elpd"][1])
    # A run that was stopped between two models goes on after the first.
    (folder / "folded" / "compare" / "models.parquet").unlink()

    def never(*arguments: object, **options: object) -> None:
        raise AssertionError("refitted")

    monkeypatch.setattr("alsmodel.study.comparing.fit_folds", never)
    again = call("compare", path, "--out", folder / "folded")[1]
    assert again["reused"] == ["cohort", "fit", "folds-the-study-s-model", "folds-no-association"]
    assert again["models_compared"] == values["models_compared"]


BASE = JointModel(
    decline=Linear(by="onset_site", covariates=("age",)), survival=PiecewiseExponential(knots=4, covariates=("age",)),
    covariates={"age": Covariate(centre=60.0)}, priors=Priors(slope=Normal(mean=-1.0, sd=0.5)),
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "made"),
    [
        ({"survival": {"kind": "exponential"}}, replace(BASE, survival=Exponential(covariates=("age",)))),  # knots go, covariates stay
        ({"survival": {"kind": "weibull", "covariates": []}}, replace(BASE, survival=Weibull())),
        ({"survival": {"knots": 2}}, replace(BASE, survival=PiecewiseExponential(knots=2, covariates=("age",)))),
        ({"survival": {"kind": "piecewise", "knots": 2}}, replace(BASE, survival=PiecewiseExponential(knots=2, covariates=("age",)))),
        ({"association": ["slope"]}, replace(BASE, association=("slope",))),
        ({"association": [], "classes": {"number": 2}}, replace(BASE, association=(), classes=LatentClasses(number=2))),
        ({"decline": {"kind": "natural-spline"}}, replace(BASE, decline=NaturalSpline(by="onset_site", covariates=("age",)))),
        ({"covariates": {"age": {"scale": 10.0}}}, replace(BASE, covariates={"age": Covariate(centre=60.0, scale=10.0)})),
        ({"priors": {"direct": {"mean": 0.0, "sd": 0.1}}}, replace(
            BASE, priors=Priors(slope=Normal(mean=-1.0, sd=0.5), direct=Normal(mean=0.0, sd=0.1)),
        )),
        # A covariate that is used no more needs nothing said about how it enters.
        ({"decline": {"covariates": []}, "survival": {"covariates": []}}, JointModel(
            decline=Linear(by="onset_site"), survival=PiecewiseExponential(knots=4), priors=BASE.priors,
        )),
    ],
)  # fmt: skip
def test_an_alternative_is_the_studys_model_but_for_what_it_says(changes: dict[str, Any], made: JointModel) -> None:
    assert models_of(BASE, ModelComparison(alternatives=(Alternative(name="x", model=changes),)))["x"] == made
    assert differences(BASE, made, changes)


def test_a_model_laid_over_itself_is_itself() -> None:
    assert decode(JointModel, overlay(BASE, {})) == BASE
    assert decode(JointModel, overlay(BASE, encode(BASE))) == BASE


def test_a_prior_alone_is_told_by_its_setting() -> None:
    changes = {"priors": {"slope": {"sd": 2.0}}}
    other = models_of(BASE, ModelComparison(alternatives=(Alternative(name="x", model=changes),)))["x"]
    assert differences(BASE, other, changes) == ["priors.slope.sd = 2.0"]


def faults_of(folder: Path, text: str) -> list[str]:
    path = folder / "wrong.toml"
    path.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        load(path)
    return [str(fault) for fault in caught.value.faults]


def alternative(name: str, inside: str) -> str:
    return f'[[compare.alternatives]]\nname = "{name}"\n{inside}\n'


def test_everything_wrong_with_alternatives_is_told_at_once_with_its_line(folder: Path) -> None:
    text = HEAD.replace('title = "', 'titel = "') + "[compare]\n"
    text += alternative("a", '[compare.alternatives.model.survival]\nkind = "weibul"')
    text += alternative("b", '[compare.alternatives.model]\noutcome = "svc_percent"')
    text += alternative("c", '[compare.alternatives.model]\nassocation = ["slope"]')
    text += alternative("d", '[compare.alternatives.model]\nassociation = ["value"]')
    text += alternative("e", '[compare.alternatives.model.survival]\nkind = "weibull"\nat = -1.0')
    text += alternative("f", '[[compare.alternatives.model.causes]]\nname = "dropout"\nevents = ["dropout"]')
    text += alternative("g", '[compare.alternatives.model]\npopulation = "incident"')
    wrong = [fault for fault in faults_of(folder, text) if "compare." in fault]
    lines = text.splitlines()
    expected = {
        'kind = "weibul"': "compare.alternatives[0], 'a': model.survival.kind: expected one of",
        "outcome =": "compare.alternatives[1].model.outcome may not differ",
        "assocation =": "compare.alternatives[2], 'c': model.assocation is not a known setting. Did you mean association?",
        'name = "d"': "compare.alternatives[3], 'd', is the same model as \"the study's model\"",
        "at = -1.0": "compare.alternatives[4], 'e': model.survival: at is a time after zero",
        "[[compare.alternatives.model.causes]]": "compare.alternatives[5].model.causes must have the same names and events",
        'population = "incident"': "compare.alternatives[6].model.population may not differ",
    }
    assert len(wrong) == len(expected)
    for fault, (line, words) in zip(wrong, expected.items(), strict=True):
        place = int(fault.split(":")[1])
        # A check of a whole section is told at the section's first line.
        assert any(text_line.startswith(line) for text_line in lines[place - 2 : place + 2]), (fault, lines[place - 1])
        assert words in fault
    assert any("titel is not a known setting" in fault for fault in faults_of(folder, text))


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("[compare]\n", "at least one other model"),
        ("[compare]\nmethod = 'loo'\n" + alternative("x", "model = { association = [] }"), "'marginal', 'kfold'"),
        (
            "[compare]\nfolds = 1\ndraws = 5\n" + alternative("x", "model = { association = [] }"),
            "folds must be at least 2; got 1. draws must",
        ),
        ("[compare]\n" + alternative("x", "model = {}"), "changes nothing"),
        ("[compare]\n" + alternative("...", "model = { association = [] }"), "letters or digits"),
        ("[compare]\n" + 2 * alternative("x", "model = { association = [] }"), "two models are called 'x'"),
        ("[compare]\n" + alternative("The study's model", "model = { association = [] }"), "could not be told apart"),
    ],
)
def test_a_comparison_that_makes_no_sense_is_refused(folder: Path, section: str, words: str) -> None:
    assert any(words in fault for fault in faults_of(folder, HEAD + section))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("[model]\nkind = 'domains'\n[[model.outcomes]]\nname = 'alsfrs_r_total'\n", "of several outcomes"),
        ("[model]\npopulation = 'incident'\n", "enrolled"),
    ],
)
def test_models_whose_likelihood_does_not_come_apart_are_refused_before_any_work(folder: Path, model: str, words: str) -> None:
    head, _, _ = HEAD.partition("[model]")
    assert any(words in fault for fault in faults_of(folder, head + model + COMPARE))


def test_a_study_without_alternatives_has_nothing_to_compare(folder: Path) -> None:
    path = folder / "plain.toml"
    path.write_text(HEAD)
    told = CliRunner().invoke(app, ["compare", str(path), "--out", str(folder / "none")])
    assert told.exit_code == 3
    assert "Add a [compare] section" in told.stderr
    assert not (folder / "none").exists()


def test_more_folds_than_people_are_refused_at_their_line(folder: Path, ran: dict[str, Any]) -> None:
    path = folder / "many.toml"
    path.write_text(HEAD + COMPARE.replace("draws = 400", 'method = "kfold"\nfolds = 91'))
    told = CliRunner().invoke(app, ["compare", str(path), "--out", str(folder / "run")])
    assert told.exit_code == 3
    line = path.read_text().splitlines().index("folds = 91") + 1
    assert f"many.toml:{line}: error: compare.folds: 91 folds are more than the 90 participants." in told.stderr


def test_check_lists_the_models(folder: Path) -> None:
    _, values, _ = call("check", folder / "study.toml")
    assert list(values["compared"]) == ["no association"]
    assert "does not enter the hazard" in values["compared"]["no association"][0]
    told = CliRunner().invoke(app, ["check", str(folder / "study.toml")])
    assert "Compared with 'no association': " in told.stdout


def compared(**changes: Any) -> ModelsCompared:
    row = {"elpd": -10.0, "elpd_scores": -6.0, "elpd_events": -4.0, "high_k": 0, "passed": True, "differs": ""}
    parts = {f"{name}{part}": 0.0 for name in ("difference", "standard_error") for part in ("", "_scores", "_events")}
    rows = [{"model": "a", **row, **parts}, {"model": "b", **row, **parts, **changes}]
    return ModelsCompared(table=pl.DataFrame(rows), method="marginal", folds=10, participants=50, events=20, visits=200)


@pytest.mark.parametrize(
    ("difference", "error", "told"),
    [
        (-3.9, 0.1, "do not tell"),  # small differences have standard errors that are too low
        (-9.0, 4.6, "do not tell"),
        (-9.0, 4.4, "A predicts better than b"),
    ],
)
def test_only_a_difference_beyond_chance_is_called_one(difference: float, error: float, told: str) -> None:
    found = compared(difference=difference, standard_error=error, difference_scores=difference)
    assert told in found.words[-1]


def test_weights_and_fits_that_cannot_be_trusted_are_said(tmp_path: Path) -> None:
    assert compared().warnings == ()
    found = compared(high_k=3, passed=False)
    assert found.warnings[0] == "the fit of b, which is compared, did not pass its checks"
    assert '<5 under b; compare by refits, method = "kfold"' in found.warnings[1]
    page = study_report(
        StudyReport(title="t", question="q", comparison=found.table, comparison_words=found.words, comparison_warnings=found.warnings)
    )
    assert "Not to be trusted yet" in page
    assert "Participants with unreliable weights" in page
    found.save(tmp_path / "kept")
    assert ModelsCompared.load(tmp_path / "kept").warnings == found.warnings
