"""Models of several outcomes from specification to saved fit; what is refused; known truth, and the naive Gaussian that misses it."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from alsmodel.cohort import Cohort
from alsmodel.cohort.outcome_arrays import outcome_data
from alsmodel.cohort.selection import Covariate
from alsmodel.errors import FitFailed, InvalidInput
from alsmodel.inference import Sampling
from alsmodel.inference.domain_fit import DomainFit, fit_domain_data, prepare_domains
from alsmodel.inference.mode import Density, Mode, find_mode
from alsmodel.models.domain import ArmEffect, DomainModel, DomainPriors, Outcome, domains
from alsmodel.models.domain_program import domain_program
from alsmodel.models.spec import Normal, PiecewiseExponential
from alsmodel.settings import decode, dump_toml, encode

HERE = Path(__file__).parent
literal = SimpleNamespace(**runpy.run_path(str(HERE / "literal_domains.py")))
arrays = SimpleNamespace(**runpy.run_path(str(HERE / "domain_data.py")))
KNOTS = PiecewiseExponential(knots=(6.0, 12.0), covariates=("x",))
TOTAL = DomainModel(outcomes=(Outcome(name="alsfrs_r_total", intercept=("x",), slope=("x",)),), survival=KNOTS)


def cohort(at_bound: float = 0.3) -> Cohort:
    rng = np.random.default_rng(1)
    ids = [f"P{i:02d}" for i in range(20)]
    rows = [(p, d, n, float(rng.integers(3, 11))) for p in ids for d in (0.0, 90.0, 180.0) for n in ("bulbar", "fine_motor")]
    rows = [(p, d, n, 12.0 if n == "bulbar" and rng.uniform() < at_bound else v) for p, d, n, v in rows]
    rows += [(p, 400.0, "bulbar", 5.0) for p in ids[:2]]  # after the event of the first
    return Cohort.of(
        participants=pl.DataFrame({"participant_id": ids, "age": [60.0 + i for i in range(19)] + [None], "last_contact_day": [500.0] * 20}),
        measurements=pl.DataFrame(rows, schema=["participant_id", "day", "name", "value"], orient="row"),
        events=pl.DataFrame({"participant_id": ids[:1], "day": [365.0], "kind": ["death"], "definition": ["as recorded"]}),
    )


TWO = DomainModel(outcomes=(Outcome(name="bulbar"), Outcome(name="fine_motor")))


def test_a_specification_goes_to_toml_and_back() -> None:
    spec = replace(
        TWO,
        outcomes=(*domains(slope=("onset_site",)), Outcome(name="nfl", likelihood="gaussian", transform="log", weight=0.0)),
        treatment=ArmEffect(name="drug", level="active", across="pooled"),
        covariates={"onset_site": Covariate(missing="own level")},
        priors=DomainPriors(theta=Normal(mean=-0.1, sd=0.3), correlation=2.0),
    )
    import tomllib

    assert decode(DomainModel, tomllib.loads(dump_toml(encode(spec))), where="test") == spec


def test_what_cannot_be_is_refused_with_everything_at_once() -> None:
    with pytest.raises(ValueError, match=r"listed twice.*every weight is 0.*lists a term twice"):
        DomainModel(outcomes=(Outcome(name="bulbar", weight=0.0),) * 2, association=("value", "value"))
    with pytest.raises(ValueError, match="the scale of this outcome is not known"):
        Outcome(name="svc")
    with pytest.raises(ValueError, match="used twice"):
        Outcome(name="bulbar", slope=("delta_frs",))
    with pytest.raises(ValueError, match="one outcome alone"):
        DomainModel(outcomes=(Outcome(name="bulbar", likelihood="student"), Outcome(name="fine_motor")))
    with pytest.raises(ValueError, match="may not both be outcomes"):
        DomainModel(outcomes=(Outcome(name="bulbar"), Outcome(name="alsfrs_r_total")))


def test_gaussian_noise_is_refused_above_fifteen_percent_unless_overridden_by_name() -> None:
    gaussian = tuple(replace(o, likelihood="gaussian") for o in TWO.outcomes)
    with pytest.raises(InvalidInput, match="refused above 15%"):
        outcome_data(cohort(), TWO.selection, gaussian, gaussian_at_bounds=False)
    assert outcome_data(cohort(), TWO.selection, gaussian, gaussian_at_bounds=True).names == ("bulbar", "fine_motor")
    outcome_data(cohort(0.05), TWO.selection, gaussian, gaussian_at_bounds=False)
    outcome_data(cohort(), TWO.selection, TWO.outcomes, gaussian_at_bounds=False)


def test_rows_are_sorted_and_end_with_the_event() -> None:
    data = outcome_data(cohort(), TWO.selection, TWO.outcomes, gaussian_at_bounds=False)
    assert data.people == 20
    assert data.row_value.size == 20 * 6 + 1  # the score after the death is left out, that of the living kept
    assert (np.diff(data.row_person * 2 + data.row_outcome) >= 0).all()


def test_covariates_that_need_imputing_and_outcomes_that_are_not_there_are_refused() -> None:
    spec = replace(TWO, survival=PiecewiseExponential(covariates=("age",)))
    with pytest.raises(InvalidInput, match="imputed"):
        outcome_data(cohort(), spec.selection, spec.outcomes, gaussian_at_bounds=False)
    with pytest.raises(InvalidInput, match=r"(?s)gross_motor.*respiratory"):
        outcome_data(cohort(), domains_only().selection, domains_only().outcomes, gaussian_at_bounds=False)


def domains_only() -> DomainModel:
    return DomainModel()


@pytest.fixture(scope="module")
def total_fit() -> DomainFit:
    people = literal.draw_people(literal.total_truth(start=42.0), 100, np.random.default_rng(7))
    data = arrays.outcome_arrays(people, TOTAL.names)
    return fit_domain_data(TOTAL, data, Sampling(chains=2, draws=300, tune=150, cores=1), seed=1)


def test_a_censored_total_score_is_fitted_and_its_truth_found(total_fit: DomainFit) -> None:
    values = arrays.named_truth(literal.total_truth(start=42.0), TOTAL)
    rows = {row["parameter"]: row for row in total_fit.summary.iter_rows(named=True)}
    away = {name: abs(rows[name]["mean"] - value) / rows[name]["sd"] for name, value in values.items()}
    assert max(away.values()) < 3.7, away  # one in 200 seeds for 15 parameters
    assert {check.name: check.passed for check in total_fit.checks}["quadrature, shift of the mode"]
    assert rows["alsfrs_r_total.slope"]["unit"] == "points/month"


def test_where_few_nodes_are_too_rough_a_way_up_the_finest_rule_climbs(monkeypatch: pytest.MonkeyPatch) -> None:
    people = literal.draw_people(literal.total_truth(start=42.0), 40, np.random.default_rng(9))
    data = arrays.outcome_arrays(people, TOTAL.names)
    _, _, plain, _ = prepare_domains(TOTAL, data)
    climbed = []

    def fails_at_first(density: Density, start: np.ndarray) -> Mode:
        climbed.append(density)
        if len(climbed) == 1:
            raise FitFailed("as on a density that is too rough")
        return find_mode(density, start)

    monkeypatch.setattr("alsmodel.inference.domain_fit.find_mode", fails_at_first)
    spec, made, mode, check = prepare_domains(TOTAL, data)
    assert len(climbed) == 2
    assert spec == TOTAL  # the posterior is still that of the first rule
    assert climbed[1](plain.at)[0] != climbed[0](plain.at)[0] == made.density(plain.at)[0]
    assert check.passed
    sd = np.sqrt(np.square(plain.scale).sum(axis=1))
    assert (np.abs(mode.at - plain.at) < 0.05 * sd).all()


def test_a_fit_is_saved_and_read_back_equal(total_fit: DomainFit, tmp_path: Path) -> None:
    total_fit.save(tmp_path / "fit")
    again = DomainFit.load(tmp_path / "fit")
    assert again.spec == total_fit.spec
    assert again.checks == total_fit.checks
    np.testing.assert_array_equal(again.x, total_fit.x)
    assert again.summary.equals(total_fit.summary)
    x = total_fit.x[0, 0]
    np.testing.assert_array_equal(again.program.loglik(x), total_fit.program.loglik(x))
    assert again.correlations().height == 1


def at_the_mode(spec: DomainModel, people: list[dict[str, object]]) -> dict[str, tuple[float, float]]:
    made = domain_program(spec, arrays.outcome_arrays(people, spec.names))
    mode = find_mode(made.density, made.start)
    sd = np.sqrt(np.square(mode.scale).sum(axis=1))
    return {name: (float(a), float(b)) for name, a, b in zip(made.labels, mode.at, sd, strict=True)}


def test_the_truth_is_found_behind_the_ceiling_and_a_naive_gaussian_misses_it() -> None:
    truth = literal.domain_truth()
    keep = [0, 1, 6, 7]  # bulbar and respiratory: a third and two thirds of scores at 12
    truth |= {key: truth[key][[0, 3]] for key in ("lower", "upper", "weights", "start", "start_x", "slope", "slope_x", "sigma")}
    truth |= {"covariance": truth["covariance"][np.ix_(keep, keep)], "alpha": np.array([-0.15, 0.0])}
    people = literal.draw_people(truth, 400, np.random.default_rng(8))
    outcomes = tuple(Outcome(name=name, intercept=("x",), slope=("x",)) for name in ("bulbar", "respiratory"))
    spec = DomainModel(outcomes=outcomes, survival=KNOTS)
    values = arrays.named_truth(truth, spec)
    wanted = {name: values[name] for name in ("bulbar.slope", "bulbar.slope:x", "respiratory.slope", "respiratory.intercept")}
    wanted |= {f"sd:{name}": np.log(values[f"sd:{name}"]) for name in ("bulbar.slope", "respiratory.intercept", "respiratory.residual")}

    def away(found: dict[str, tuple[float, float]]) -> dict[str, float]:
        return {name: abs(found[name][0] - value) / found[name][1] for name, value in wanted.items()}

    right = away(at_the_mode(spec, people))
    naive = away(at_the_mode(replace(spec, outcomes=tuple(replace(o, likelihood="gaussian") for o in outcomes)), people))
    assert max(right.values()) < 3.5, right
    # Slopes towards zero and SDs too small, by many of its own SDs: the control that must fail.
    assert naive["respiratory.slope"] > 8
    assert naive["respiratory.intercept"] > 8
    assert naive["sd:respiratory.intercept"] > 8
