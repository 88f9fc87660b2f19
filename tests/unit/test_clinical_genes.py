"""Recorded genetic results and diagnoses that exclude."""

import polars as pl
import pytest

from alsmodel.clinical.genes import GENES, RESULTS, gene_name, genotype_rows, known_gene, parse_result, repeat_result
from alsmodel.clinical.mimics import MIMICS, exclusion, exclusions, mimic_of


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("SOD1", "SOD1"), ("sod-1", "SOD1"), ("C9ORF72", "C9orf72"), ("c9", "C9orf72"), ("FUS/TLS", "FUS"), ("TLS", "FUS"),
        ("TARDBP", "TARDBP"), ("TDP-43", "TARDBP"), ("TDP43", "TARDBP"), ("tdp 43", "TARDBP"), ("Ataxin-2", "ATXN2"),
        ("UNC13A", None), ("", None), ("SOD2", None),
    ],
)  # fmt: skip
def test_genes_are_found_however_they_are_written(written: str, name: str | None) -> None:
    assert gene_name(written) == name


def test_every_gene_says_what_is_positive_and_where_from() -> None:
    assert list(GENES) == ["SOD1", "C9orf72", "FUS", "TARDBP", "ATXN2"]
    for gene in GENES.values():
        assert gene.positive
        assert gene.source
        assert (gene.positive_from is not None) == (gene.kind == "repeat expansion")


# Gene, cell -> result, variant; None: no row.
RECORDED = [
    ("SOD1", "Positive", ("mutation", None)),
    ("SOD1", "yes", ("mutation", None)),
    ("SOD1", "1", ("mutation", None)),
    ("SOD1", "0", ("no mutation", None)),
    ("SOD1", "No", ("no mutation", None)),
    ("SOD1", "no mutation detected", ("no mutation", None)),
    ("SOD1", "mutation not found", ("no mutation", None)),
    ("SOD1", "wild-type", ("no mutation", None)),
    ("SOD1", "likely benign p.D91A", ("no mutation", None)),
    ("SOD1", "non-pathogenic variant", ("no mutation", None)),
    ("SOD1", "Abnormal", ("mutation", None)),
    ("SOD1", "pathogenic A4V", ("mutation", "pathogenic A4V")),
    ("SOD1", "p.Ala5Val (pathogenic)", ("mutation", "p.Ala5Val (pathogenic)")),
    ("SOD1", "A4V", ("uncertain", "A4V")),
    ("SOD1", "VUS", ("uncertain", "VUS")),
    ("SOD1", "uncertain significance, predicted pathogenic", ("uncertain", "uncertain significance, predicted pathogenic")),
    ("SOD1", "32", ("uncertain", "32")),  # a number means nothing for a gene without repeats
    ("SOD1", None, None),
    ("SOD1", "", None),
    ("SOD1", " Not  tested ", None),
    ("SOD1", "unknown", None),
    ("SOD1", "N/A", None),
    ("C9orf72", "expanded", ("mutation", None)),
    ("C9orf72", "not expanded", ("no mutation", None)),
    ("C9orf72", "intermediate", ("uncertain", "intermediate")),
    ("C9orf72", "2/8", ("no mutation", "2/8")),
    ("C9orf72", "23", ("no mutation", "23")),
    ("C9orf72", "24", ("uncertain", "24")),
    ("C9orf72", "45", ("uncertain", "45")),
    ("C9orf72", "46", ("mutation", "46")),
    ("C9orf72", ">30", ("uncertain", ">30")),
    ("C9orf72", ">145 repeats", ("mutation", ">145 repeats")),
    ("C9orf72", "<30", ("uncertain", "<30")),
    ("C9orf72", "<20", ("no mutation", "<20")),
    ("C9orf72", ">10", ("uncertain", ">10")),
    ("ATXN2", "22/22", ("no mutation", "22/22")),
    ("ATXN2", "22/29", ("uncertain", "22/29")),
    ("ATXN2", "30 CAG", ("uncertain", "30 CAG")),
    ("ATXN2", "31/22", ("mutation", "31/22")),
    ("TARDBP", "G298S", ("uncertain", "G298S")),
    ("FUS", "mutation p.R521C", ("mutation", "mutation p.R521C")),
]  # fmt: skip


@pytest.mark.parametrize(("gene", "text", "expected"), RECORDED)
def test_recorded_results(gene: str, text: str | None, expected: tuple[str, str | None] | None) -> None:
    assert parse_result(gene, text) == expected


def test_repeat_limits_of_ataxin_2() -> None:
    # Source: meta-analysis PMC4939089, odds ratios 1.55 (0.88 to 2.73) at 30 and 2.70 (1.47 to 4.93) at 31 repeats.
    assert [repeat_result(GENES["ATXN2"], n) for n in (28, 29, 30, 31, 33)] == [
        "no mutation", "uncertain", "uncertain", "mutation", "mutation",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="no repeat expansion"):
        repeat_result(GENES["SOD1"], 30)


def recorded(*rows: tuple[str, str | None, str | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"participant_id": pl.String, "gene": pl.String, "text": pl.String}, orient="row")


def test_every_record_becomes_a_row_or_is_left_out_with_a_reason() -> None:
    table = recorded(
        ("A", "SOD1", "positive"),
        ("A", "C9ORF72", "negative"),
        ("B", "SOD1", "not tested"),
        ("B", "UNC13A", "C/C"),
        ("C", "TDP-43", "negative"),
        ("C", "TARDBP", "neg"),
        ("D", "SOD1", "negative"),
        ("D", "SOD1", "pathogenic D90A"),
        ("E", None, "positive"),
    )
    rows, left = genotype_rows(table)
    assert rows.rows() == [
        ("A", "SOD1", "mutation", None),
        ("A", "C9orf72", "no mutation", None),
        ("C", "TARDBP", "no mutation", None),
        ("D", "SOD1", "uncertain", "pathogenic D90A"),
    ]
    assert left.rows() == [
        (2, "B", "not tested"),
        (3, "B", "gene not in the vocabulary"),
        (5, "C", "same result given before"),
        (7, "D", "records disagree"),
        (8, "E", "gene not in the vocabulary"),
    ]
    assert rows.height + left.height == table.height
    assert set(rows["result"]) <= set(RESULTS)


def test_the_known_gene_is_what_was_found_and_not_what_was_not() -> None:
    rows, _ = genotype_rows(
        recorded(("A", "C9", "yes"), ("A", "SOD1", "pathogenic A4V"), ("B", "SOD1", "no"), ("C", "FUS", "VUS"), ("D", "TDP43", "pos"))
    )
    assert known_gene(rows).rows() == [("A", "SOD1 + C9orf72"), ("D", "TARDBP")]


def test_nothing_recorded_is_no_error() -> None:
    rows, left = genotype_rows(recorded())
    assert (rows.height, left.height, known_gene(rows).height) == (0, 0, 0)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Spinal muscular atrophy type III", "spinal muscular atrophy"),
        ("SMA", "spinal muscular atrophy"),
        ("Kennedy's disease", "Kennedy disease"),
        ("SBMA", "Kennedy disease"),
        ("spinal and bulbar muscular atrophy", "Kennedy disease"),
        ("Post-polio syndrome", "post-polio syndrome"),
        ("postpolio", "post-polio syndrome"),
        ("multifocal motor neuropathy with conduction block", "multifocal motor neuropathy"),
        ("MMN", "multifocal motor neuropathy"),
        ("length-dependent axonal polyneuropathy", "length-dependent neuropathy"),
        ("progressive muscular atrophy", None),
        ("ALS", None),
        ("Kennedy disease excluded", None),
        ("family history of SMA", None),
        ("primary lateral sclerosis", None),
        (None, None),
        ("plasma exchange", None),
    ],
)
def test_mimics_are_told_from_the_diagnosis(text: str | None, name: str | None) -> None:
    found = mimic_of(text)
    assert (found.name if found else None) == name


def test_an_exclusion_gives_its_reason() -> None:
    assert {mimic.name for mimic in MIMICS} == {
        "spinal muscular atrophy", "Kennedy disease", "post-polio syndrome", "multifocal motor neuropathy", "length-dependent neuropathy",
    }  # fmt: skip
    assert exclusion("Kennedy") == "Kennedy disease: CAG repeat in the androgen receptor gene: spinal and bulbar muscular atrophy"
    table = pl.DataFrame({"participant_id": ["A", "A", "B", "C"], "text": ["ALS", "SMA", "classic ALS", None]})
    assert exclusions(table).rows() == [("A", exclusion("SMA"))]
