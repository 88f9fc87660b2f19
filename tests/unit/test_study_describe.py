"""What a cohort holds and what the package knows, as tables of counts: against counts made by hand, and without participants."""

import math
from typing import Any

import polars as pl
import pytest

from alsmodel.cohort import Cohort
from alsmodel.errors import InvalidInput
from alsmodel.study.describe import describe
from alsmodel.study.vocabulary import _TOPICS, prior_account, vocabulary_table


def made() -> Cohort:
    people = pl.DataFrame({"participant_id": ["zebra-1", "zebra-2", "zebra-3"], "last_contact_day": [100.0, 200.0, 300.0]})
    items = {f"item_{i}": [4, 4] for i in range(1, 13)} | {"item_8": [2, 4]}
    assessments = pl.DataFrame(
        {"participant_id": ["zebra-1", "zebra-2"], "day": [0.0, 5.0], "scale": ["ALSFRS-R"] * 2, "gastrostomy": [False] * 2, **items}
    )
    rows = [("zebra-1", "recorded", "definite"), ("zebra-1", "computed", "possible"), ("zebra-2", "recorded", "probable")]
    stated = pl.DataFrame(rows, schema=["participant_id", "origin", "category"], orient="row")
    return Cohort.of(
        participants=people,
        assessments=assessments,
        events=pl.DataFrame({"participant_id": ["zebra-1"], "kind": ["death"], "day": [100.0], "definition": ["death, any cause"]}),
        exposures=pl.DataFrame({"participant_id": ["zebra-1", "zebra-2"], "drug": ["riluzole"] * 2, "taken": [True, False]}),
        classifications=stated.with_columns(scheme=pl.lit("El Escorial revised"), day=pl.lit(0.0)),
        genotypes=pl.DataFrame({"participant_id": ["zebra-3"], "gene": ["SOD1"], "result": ["mutation"]}),
        provenance={"records_events": [{"kind": "death", "definition": "death, any cause"}]},
    )


def section(name: str) -> list[tuple[object, ...]]:
    (found,) = (s for s in describe(made()) if s.name == name)
    return found.rows.rows()


def test_a_description_counts_participants_and_names_none() -> None:
    assert section("tables")[0] == ("participants", 3, 3)
    assert section("drugs") == [("riluzole", 1, 1, 1, 1, "yes")]
    assert section("genes") == [("SOD1", "mutation", 1)]
    assert section("disagreements") == [("El Escorial revised", "definite", "possible", 1)]
    assert ("King's", "1", 1) in section("stages")
    assert ("King's", "0", 1) in section("stages")
    assert not any("zebra" in str(cell) for s in describe(made()) for row in s.rows.rows() for cell in row)


def test_a_description_says_which_end_points_the_source_supports() -> None:
    found = {row[0]: row[1:] for row in section("end_points")}
    assert found["death, any cause"] == (True, 1, None)
    supported, happened, reason = found["death or tracheostomy"]
    assert (supported, happened) == (False, None)
    assert "tracheostomy" in str(reason)


@pytest.mark.parametrize("topic", list(_TOPICS))
def test_every_topic_of_the_vocabulary_is_a_table_with_sources(topic: str) -> None:
    table = vocabulary_table(topic)
    assert table.height
    if topic != "rules":
        assert table["source"].null_count() == 0
    assert table[table.columns[0]].null_count() == 0


def test_a_prior_of_a_published_effect_comes_with_its_size_its_sources_and_its_warning() -> None:
    account = prior_account("centaur", "additive", 0.5, None)
    # CENTAUR: 0.42 points per month (0.03 to 0.81), 135 participants; half the evidence.
    se = (0.81 - 0.03) / (2 * 1.959964)
    assert account.record["sd"] == pytest.approx(se / 0.5**0.5, rel=1e-3)
    assert account.record["effective_sample_size"] == pytest.approx(135 / 2, rel=1e-6)
    assert any("PRO-ACT" in line and "twice" in line for line in account.lines)


def test_a_prior_of_a_hazard_ratio_is_worth_events_also_where_no_participants_were_published() -> None:
    account = prior_account("cochrane-2012-two", "total_log_hazard_ratio", 0.5, "death or tracheostomy")
    # Schoenfeld: 4 / variance, equal arms; the variance of log 0.8 from its limits 0.64 to 0.99, doubled by the discount.
    variance = (math.log(0.99 / 0.64) / (2 * 1.959964)) ** 2
    assert account.record["equivalent_events"] == pytest.approx(0.5 * 4 / variance, rel=1e-4)
    assert "Effective sample size: 161 events, equal arms" in account.lines


@pytest.mark.parametrize(
    ("key", "parameter", "said"), [("centuar", "additive", "Did you mean centaur?"), ("valor", "theta", "ratio of slopes")]
)
def test_a_prior_that_cannot_be_made_is_refused_with_words(key: str, parameter: Any, said: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        prior_account(key, parameter, 0.5, None)
    assert said in str(refusal.value)
