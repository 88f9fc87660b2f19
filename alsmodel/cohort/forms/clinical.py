"""Forms of signs, of genetic tests and of recorded categories."""

import polars as pl

from alsmodel.cohort.cells import reject_copies
from alsmodel.cohort.forms.form import Form
from alsmodel.cohort.tables import GENES, NEURONS, REGIONS, SIDES, conform, empty

_PARTS = ("region", "side", "neuron", "sign")


def read_signs(form: Form) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return motor neuron signs, and the contacts (participant, day).

    Either a row per sign, with columns for region, side, neuron, sign and state, or a column per sign mapped to
    "sign:REGION:SIDE:NEURON:SIGN" (an empty side where there is none), whose cells are states. An empty cell is no row: what
    was not recorded is not "not examined".
    """
    form = form.with_days()
    contacts = form.frame.group_by("participant_id").agg(pl.col("day").max())
    frame = reject_copies(form.frame, form.ledger)
    wide = form.open_names("sign:")
    parts = [empty("signs")]
    for column in wide:
        frame = form.known(frame, column, "state")
    if wide and form.ledger.flag("nothing_recorded", frame, pl.all_horizontal(pl.col(wide).is_null())):
        frame = form.ledger.usable(frame)
    for column in wide:
        region, side, neuron, sign = column.removeprefix("sign:").split(":")
        said = frame.drop_nulls(column).select(
            "participant_id", "day", pl.lit(region).alias("region"), pl.lit(side or None, dtype=pl.String).alias("side"),
            pl.lit(neuron).alias("neuron"), pl.lit(sign).alias("sign"), pl.col(column).alias("state"),
        )  # fmt: skip
        parts.append(conform("signs", said))
    if not wide:
        for name in ("region", "side", "neuron", "state"):
            frame = form.known(frame, name)
        lacking = pl.any_horizontal(pl.col("region", "neuron", "sign", "state").is_null())
        if form.ledger.flag("sign_incomplete", frame, lacking):
            frame = form.ledger.usable(frame)
        frame = frame.with_columns(pl.col("sign").str.to_lowercase().str.replace_all(r"[^a-z0-9]+", "_").str.strip_chars("_"))
        parts.append(conform("signs", frame))
    return pl.concat(parts), contacts


def sign_target(target: str) -> str | None:
    """Return what is wrong with a mapping's "sign:..." target, or None."""
    pieces = target.removeprefix("sign:").split(":")
    if len(pieces) != len(_PARTS):
        return "expected sign:REGION:SIDE:NEURON:SIGN, with nothing between the colons where there is no side."
    region, side, neuron, sign = pieces
    for piece, known, name in ((region, REGIONS, "region"), (neuron, NEURONS, "neuron")):
        if piece not in known:
            return f"{piece} is no {name}; known are {', '.join(known)}."
    if side and side not in SIDES:
        return f"{side} is no side; known are {', '.join(SIDES)}, or nothing."
    return None if sign else "it names no sign."


def read_genes(form: Form) -> pl.DataFrame:
    """Return genetic tests: a row per test, or a column per gene mapped to "gene:NAME" whose cells are results.

    "Not tested" and an empty cell have no row. A gene outside the vocabulary keeps its name.
    """
    form = form.with_participants()
    frame = reject_copies(form.frame, form.ledger)
    wide = form.open_names("gene:")
    parts = [empty("genotypes")]
    for column in wide:
        frame = form.known(frame, column, "gene_result")
        variant = f"variant:{column.removeprefix('gene:')}"
        said = frame.filter(pl.col(column) != "not tested").select(
            "participant_id", pl.lit(column.removeprefix("gene:")).alias("gene"), pl.col(column).alias("result"),
            (pl.col(variant) if variant in frame.columns else pl.lit(None, dtype=pl.String)).alias("variant"),
        )  # fmt: skip
        parts.append(conform("genotypes", said))
    if wide and form.ledger.flag("nothing_recorded", frame, pl.all_horizontal(pl.col(wide).is_null())):
        frame = form.ledger.usable(frame)
    if not wide:
        frame = form.known(frame, "result", "gene_result")
        if form.ledger.flag("nothing_recorded", frame, pl.col("result").is_null() | pl.col("gene").is_null()):
            frame = form.ledger.usable(frame)
        spelled = {gene.lower(): gene for gene in GENES} | form.words("gene")
        lower = pl.col("gene").str.to_lowercase()
        frame = frame.with_columns(pl.coalesce(lower.replace_strict(spelled, default=None, return_dtype=pl.String), "gene").alias("gene"))
        parts.append(conform("genotypes", frame.filter(pl.col("result") != "not tested")))
    tests = pl.concat(parts)
    return _one_result(tests)


def _one_result(tests: pl.DataFrame) -> pl.DataFrame:
    """Keep one result per participant and gene: a mutation before none, none before uncertain."""
    rank = pl.col("result").replace_strict({"mutation": 0, "no mutation": 1, "uncertain": 2}, return_dtype=pl.Int8)
    return tests.sort(rank, maintain_order=True).unique(["participant_id", "gene"], keep="first", maintain_order=True)


def recorded_criteria(categories: pl.DataFrame, days: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return recorded El Escorial categories as classifications: participant_id, el_escorial -> one row each."""
    day = days if days is not None else categories.select("participant_id", pl.lit(None, dtype=pl.Float64).alias("day"))
    rows = categories.drop_nulls("el_escorial").join(day, on="participant_id", how="left", maintain_order="left")
    return conform(
        "classifications",
        rows.select(
            "participant_id", "day", pl.lit("El Escorial revised").alias("scheme"), pl.col("el_escorial").alias("category"),
            pl.lit("recorded").alias("origin"),
        ),
    )  # fmt: skip


def first_gene(gene: pl.Expr) -> pl.Expr:
    """Return the first gene of a group in the order of the vocabulary, then by name."""
    rank = gene.replace_strict({name: i for i, name in enumerate(GENES)}, default=len(GENES), return_dtype=pl.Int64)
    return gene.sort_by(rank, gene).first()
