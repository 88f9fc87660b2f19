"""The ALS genes that data name: what a positive result is, and recorded results as canonical ``genotypes`` rows.

No row means not tested or not known; it never means no mutation. What a laboratory reports as of uncertain
significance, as intermediate or as a carrier of something unnamed stays "uncertain".
"""

import re
from dataclasses import dataclass
from typing import Literal, final

import polars as pl

type Result = Literal["mutation", "no mutation", "uncertain"]

RESULTS: tuple[Result, ...] = ("mutation", "no mutation", "uncertain")


@final
@dataclass(frozen=True, kw_only=True)
class Gene:
    """One gene.

    Attributes
    ----------
    name : str
        As stored.
    protein, mechanism : str
        What it makes and how it reaches the disease.
    kind : {"variant", "repeat expansion"}
        What is looked for.
    positive : str
        What counts as "mutation".
    synonyms : tuple of str
        Other ways of writing it.
    uncertain_from, positive_from : int, optional
        Repeats of the longer allele from which a result is uncertain, or a mutation; repeat expansions only.
    source : str
        Where the statement or the limits come from.
    """

    name: str
    protein: str
    mechanism: str
    kind: Literal["variant", "repeat expansion"]
    positive: str
    synonyms: tuple[str, ...] = ()
    uncertain_from: int | None = None
    positive_from: int | None = None
    source: str


_VARIANT = "a variant that the laboratory calls pathogenic or likely pathogenic"

GENES: dict[str, Gene] = {
    gene.name: gene
    for gene in (
        Gene(
            name="SOD1",
            protein="superoxide dismutase 1",
            mechanism="toxic misfolded protein; about 2% of cases; target of tofersen, indicated for carriers only",
            kind="variant",
            positive=_VARIANT,
            synonyms=("ALS1", "superoxide dismutase 1", "Cu/Zn SOD"),
            source="tofersen: Miller et al., N Engl J Med 2022;387:1099",
        ),
        Gene(
            name="C9orf72",
            protein="C9orf72",
            mechanism="GGGGCC hexanucleotide repeat; the commonest genetic cause, shared with frontotemporal dementia",
            kind="repeat expansion",
            positive="an expansion as called by the laboratory, or more than 45 repeats",
            synonyms=("C9", "C9ORF", "FTDALS1", "chromosome 9 open reading frame 72"),
            uncertain_from=24,
            positive_from=46,
            source=(
                "limits are disputed: 24 to 30 repeats, Iacoangeli et al. 2019; 30 to 45 not pathogenic, Kaivola et al. 2019 "
                "(both as summarised by STRipy, locus C9ORF72); expansions of 45 to thousands of units: review, PMC5880162"
            ),
        ),
        Gene(
            name="FUS",
            protein="fused in sarcoma",
            mechanism="RNA-binding protein that leaves the nucleus",
            kind="variant",
            positive=_VARIANT,
            synonyms=("TLS", "FUS/TLS", "ALS6", "fused in sarcoma"),
            source="clinical vocabulary of this package",
        ),
        Gene(
            name="TARDBP",
            protein="TDP-43",
            mechanism="TDP-43 pathology is in about 95% of cases, with or without a variant of its gene",
            kind="variant",
            positive=_VARIANT,
            synonyms=("TDP-43", "TDP43", "TDP 43", "ALS10", "TAR DNA-binding protein 43"),
            source="clinical vocabulary of this package",
        ),
        Gene(
            name="ATXN2",
            protein="ataxin-2",
            mechanism="CAG repeat; alleles in the long normal range raise the risk of ALS; target of antisense treatment",
            kind="repeat expansion",
            positive="31 CAG repeats or more in the longer allele: a risk allele",
            synonyms=("ataxin-2", "ataxin 2", "SCA2"),
            uncertain_from=29,
            positive_from=31,
            source=(
                "odds ratio 2.70 at 31, 11.1 at 32, 5.8 at 33 repeats, 1.55 (0.88 to 2.73) at 30, below 1 at 25 to 28: meta-analysis "
                "PMC4939089; 31 or more as in Chio 2022, PMC9606535; risk rising from 29: Sproviero et al., Neurobiol Aging 2017"
            ),
        ),
    )
}


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


_BY_NAME = {_plain(word): gene.name for gene in GENES.values() for word in (gene.name, *gene.synonyms)}

_NOT_TESTED = re.compile(
    r"^(|-|\.|na|n/a|null|none|unknown|unk|untested|pending|missing|refused|declined"
    r"|not (tested|done|available|known|performed|applicable))$"
)
_UNCERTAIN = re.compile(
    r"\b(uncertain|vus|variants? of unknown|unclear|intermediate|inconclusive|indeterminate|equivocal|possible|probable)\b"
)
_NEGATIVE = re.compile(
    r"^(no|n|0|false|wt|wild[ -]?type)$|\b(negative|neg|normal|absent|unaffected|benign)\b|\bnon[- ]?(carrier|expanded|pathogenic)\b"
    r"|\bnot (detected|found|present|expanded|mutated|pathogenic|a carrier)\b|\bno\b.*\b(mutations?|expansions?|variants?|pathogenic)\b"
    r"|\bwild[ -]?type\b|\bwithout (mutation|expansion|variant)"
)
_POSITIVE = re.compile(
    r"^(yes|y|1|true|mut)$|\b(positive|pos|pathogenic|mutations?|mutated|mutant|carrier|expanded|expansion|detected|present|abnormal)\b"
)
# Protein and coding changes as they are written: p.Ala5Val, A4V, p.D91A, c.14C>T, G298S.
_CHANGE = re.compile(r"^(p\.)?\(?([a-z]{3}|[a-z])\d{1,4}([a-z]{3}|[a-z]|\*|fs\S*)\)?$|^c\.\S+$", re.IGNORECASE)
_REPEATS = re.compile(r"^\s*(>|≥|>=|<|~)?\s*(\d{1,5})(?:\s*[/,;]\s*(\d{1,5}))?\s*(?:\+|repeats?|cag|g4c2|units?|rpts?)?\s*$", re.IGNORECASE)


def gene_name(text: str) -> str | None:
    """Return the stored name of a gene however it is written, or None when it is none of `GENES`.

    >>> gene_name("tdp-43"), gene_name("C9ORF72"), gene_name("UNC13A")
    ('TARDBP', 'C9orf72', None)
    """
    return _BY_NAME.get(_plain(text))


def repeat_result(gene: Gene, repeats: int) -> Result:
    """Return what a repeat length of the longer allele means.

    Raises
    ------
    ValueError
        When `gene` is not known by its repeats.
    """
    if gene.uncertain_from is None or gene.positive_from is None:
        raise ValueError(f"{gene.name} is no repeat expansion.")
    if repeats >= gene.positive_from:
        return "mutation"
    return "uncertain" if repeats >= gene.uncertain_from else "no mutation"


def parse_result(gene: str, text: str | None) -> tuple[Result, str | None] | None:
    """Return what a recorded test says of `gene`: the result and the variant, or None when nobody tested or nobody knows.

    Words decide, in this order: not tested; uncertain; negative; positive. A bare protein or coding change is a mutation only where it is
    called pathogenic: without a verdict it is "uncertain". A bare number is a repeat length, except 0 and 1, which are no and yes.

    Parameters
    ----------
    gene : str
        A name of `GENES`.
    text : str or None
        The cell as recorded.

    Examples
    --------
    >>> parse_result("ATXN2", "32 repeats")
    ('mutation', '32 repeats')
    >>> parse_result("SOD1", "not tested") is None
    True
    """
    record, said = GENES[gene], " ".join((text or "").split())
    low = said.lower()
    if _NOT_TESTED.match(low):
        return None
    length = _REPEATS.match(said)
    if length and said not in {"0", "1"} and record.kind == "repeat expansion":
        return _of_repeats(record, length), said
    change = next((word for word in re.split(r"[\s,;()]+", said) if _CHANGE.match(word) and _plain(word) not in _BY_NAME), None)
    verdict = _verdict(low)
    if verdict is None:
        return ("uncertain", said)
    return verdict, said if verdict == "uncertain" or (verdict == "mutation" and change) else None


def _of_repeats(record: Gene, length: re.Match[str]) -> Result:
    sign, longest = length[1], max(int(n) for n in length.groups()[1:] if n)
    result = repeat_result(record, longest + (sign == ">") - (sign == "<"))
    if sign == "<" and result != "no mutation":
        return "uncertain"  # anything below a long allele may be short
    if sign in {">", "≥", ">="} and result == "no mutation":
        return "uncertain"  # and anything above a short one may be long
    return result


def _verdict(low: str) -> Result | None:
    if _UNCERTAIN.search(low):
        return "uncertain"
    if _NEGATIVE.search(low):
        return "no mutation"
    return "mutation" if _POSITIVE.search(low) else None


def genotype_rows(recorded: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Turn recorded results into canonical ``genotypes`` rows, and say what could not be placed.

    Parameters
    ----------
    recorded : polars.DataFrame
        participant_id, gene, text: one row per participant, gene and record, as written.

    Returns
    -------
    tuple of polars.DataFrame
        ``genotypes`` (participant_id, gene, result, variant; one row per participant and gene) and the rows left out, with ``row``
        (position in `recorded`, from 0) and ``reason``: "not tested", "gene not in the vocabulary" or "same result given before".
        Records of one gene that disagree become "uncertain".
    """
    kept: dict[tuple[str, str], tuple[Result, str | None]] = {}
    left: list[tuple[int, str, str]] = []
    for row, (who, written, text) in enumerate(recorded.select("participant_id", "gene", "text").iter_rows()):
        gene = gene_name(str(written or ""))
        parsed = parse_result(gene, text) if gene else None
        if gene is None or parsed is None:
            left.append((row, who, "not tested" if gene else "gene not in the vocabulary"))
        elif (who, gene) not in kept:
            kept[who, gene] = parsed
        elif kept[who, gene][0] == parsed[0]:
            kept[who, gene] = (parsed[0], kept[who, gene][1] or parsed[1])
            left.append((row, who, "same result given before"))
        else:
            kept[who, gene] = ("uncertain", "; ".join(v for v in (kept[who, gene][1], parsed[1]) if v) or None)
            left.append((row, who, "records disagree"))
    cells = [(who, gene, result, variant) for (who, gene), (result, variant) in kept.items()]
    types = {"participant_id": pl.String, "gene": pl.String, "result": pl.String, "variant": pl.String}
    rejected = pl.DataFrame(left, schema={"row": pl.Int64, "participant_id": pl.String, "reason": pl.String}, orient="row")
    return pl.DataFrame(cells, schema=types, orient="row"), rejected


def known_gene(genotypes: pl.DataFrame) -> pl.DataFrame:
    """Return participant_id and ``gene`` for ``participants.gene``: the genes with a mutation, joined by " + " in the order of `GENES`.

    Participants without a mutation have no row: their gene is unknown, not absent.
    """
    order = pl.Enum(list(GENES))
    carried = genotypes.filter((pl.col("result") == "mutation") & pl.col("gene").is_in(list(GENES)))
    carried = carried.with_columns(pl.col("gene").cast(order)).sort("participant_id", "gene")
    return carried.group_by("participant_id", maintain_order=True).agg(pl.col("gene").cast(pl.String).str.join(" + "))
