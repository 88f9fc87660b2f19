"""Forms of signs, of genetic tests and of recorded categories."""

import polars as pl

from alsmodel.clinical import genes
from alsmodel.cohort.cells import reject_copies
from alsmodel.cohort.forms.form import Form
from alsmodel.cohort.ledger import LINE, POSITION, Ledger
from alsmodel.cohort.tables import NEURONS, REGIONS, SIDES, conform, empty

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

    The mapping's words for "gene_result" come first; other text is read by `alsmodel.clinical.genes.parse_result`, which knows
    variants and repeat lengths. "Not tested" and an empty cell have no row. A gene outside the vocabulary keeps its name. Results
    of one gene that disagree count as uncertain and are listed.
    """
    form = form.with_participants()
    frame = reject_copies(form.frame, form.ledger)
    wide = form.open_names("gene:")
    parts = [empty("genotypes")]
    for column in wide:
        gene = column.removeprefix("gene:")
        variant = f"variant:{gene}"
        said = frame.drop_nulls(column).select(
            POSITION, LINE, "participant_id", pl.lit(gene).alias("gene"), pl.col(column).alias("text"),
            (pl.col(variant) if variant in frame.columns else pl.lit(None, dtype=pl.String)).alias("variant"),
        )  # fmt: skip
        parts.append(_tests(said, form, form.written[column]))
    if wide and form.ledger.flag("nothing_recorded", frame, pl.all_horizontal(pl.col(wide).is_null())):
        frame = form.ledger.usable(frame)
    if not wide:
        if form.ledger.flag("nothing_recorded", frame, pl.col("result").is_null() | pl.col("gene").is_null()):
            frame = form.ledger.usable(frame)
        said = frame.select(POSITION, LINE, "participant_id", "gene", pl.col("result").alias("text"), "variant")
        parts.append(_tests(said, form, form.written["result"]))
    return _one_result(pl.concat(parts), form.ledger)


def _tests(said: pl.DataFrame, form: Form, written: str) -> pl.DataFrame:
    """Return results as genotypes: participant_id, gene, result, variant; what cannot be read is flagged and counts as uncertain."""
    words, spelled = form.words("gene_result"), form.words("gene")
    told = {}
    for gene, text in said.select("gene", "text").unique(maintain_order=True).iter_rows():
        name = spelled.get(gene.lower(), genes.gene_name(gene) or gene)
        result: str | None = words.get(text.strip().lower())
        variant = None
        if result is None and name in genes.GENES:
            parsed = genes.parse_result(name, text)
            result, variant = parsed if parsed else ("not tested", None)
        told[gene, text] = (name, result, variant)
    rows = [(gene, text, *found) for (gene, text), found in told.items()]
    schema = {"gene": pl.String, "text": pl.String, "_gene": pl.String, "result": pl.String, "_variant": pl.String}
    tests = said.join(pl.DataFrame(rows, schema=schema, orient="row"), on=["gene", "text"], how="left", maintain_order="left")
    form.ledger.flag("unknown_word", tests, pl.col("result").is_null(), column=written)
    tests = tests.drop_nulls("result").filter(pl.col("result") != "not tested")
    return conform("genotypes", tests.select("participant_id", gene="_gene", result="result", variant=pl.coalesce("variant", "_variant")))


def _one_result(tests: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """Keep one result per participant and gene; results that disagree become uncertain."""
    keys = ["participant_id", "gene"]
    one = tests.group_by(keys, maintain_order=True).agg(
        pl.col("result").n_unique().alias("_results"),
        pl.col("result").first(),
        pl.col("variant").drop_nulls().unique(maintain_order=True).str.join("; ").alias("variant"),
    )
    torn = one.filter(pl.col("_results") > 1)["participant_id"].unique(maintain_order=True)
    if len(torn):
        ledger.note("gene_conflict", participants=torn)
    result = pl.when(pl.col("_results") > 1).then(pl.lit("uncertain")).otherwise("result").alias("result")
    variant = pl.when(pl.col("variant") != "").then("variant").alias("variant")
    return one.select(*keys, result, variant)


def recorded_criteria(categories: pl.DataFrame) -> pl.DataFrame:
    """Return recorded El Escorial categories (participant_id, el_escorial, day) as classifications."""
    scheme, origin = pl.lit("El Escorial revised"), pl.lit("recorded")
    return conform("classifications", categories.rename({"el_escorial": "category"}).with_columns(scheme=scheme, origin=origin))
