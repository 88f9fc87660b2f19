"""Numbers as people read them, and the sentences at the top of a report."""

import math
import re

import polars as pl

from alsmodel.reports.content import Effect, StudyReport

SMALL_CELL = 5


def number(value: object, digits: int = 3) -> str:
    """A number with about `digits` significant digits, a true minus and thousands separators; "–" when absent."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if not isinstance(value, float):
        return str(value)
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if value == 0:
        return "0"
    if size >= 1e6 or size < 1e-4:
        text = f"{value:.{digits - 1}e}"
    else:
        decimals = max(digits - 1 - math.floor(math.log10(size)), 0)
        text = f"{value:,.{min(decimals, 4)}f}"
    return text.replace("-", "−")


def compared(value: float | None) -> str:
    """A number fine enough to be held against a limit: 1.013 against 1.01."""
    return "–" if value is None else f"{value:.4g}".replace("-", "−")


def percent(fraction: float | None, digits: int = 0) -> str:
    """A fraction as a percentage; "–" when absent."""
    return "–" if fraction is None or math.isnan(fraction) else f"{100 * fraction:.{digits}f}%".replace("-", "−")


def count(n: int, *, small: bool = False) -> str:
    """A count of people; 1 to 4 as "<5" unless `small`."""
    return f"<{SMALL_CELL}" if not small and 0 < n < SMALL_CELL else f"{n:,}"


def magnitude(value: float, unit: str) -> str:
    """A value in its unit: a fraction as percent when `unit` is "%"."""
    return percent(value) if unit == "%" else f"{number(value, 2)} {unit}"


def span(lower: float, upper: float, unit: str) -> str:
    """Two limits and their unit once."""
    if unit == "%":
        return f"{100 * lower:.0f} to {100 * upper:.0f}%".replace("-", "−")
    return f"{number(lower, 2)} to {number(upper, 2)} {unit}"


def chances(p: float) -> str:
    """A probability as chances in 100."""
    if p > 0.99:
        return "more than 99 chances in 100"
    if p < 0.01:
        return "less than 1 chance in 100"
    n = round(100 * p)
    return "1 chance in 100" if n == 1 else f"{n} chances in 100"


def certainty(p: float) -> str:
    """How a probability of benefit is said."""
    for floor, words in ((0.99, "almost certainly"), (0.95, "very probably"), (0.8, "probably"), (0.5, "possibly")):
        if p >= floor:
            return words
    return "probably not" if p > 0.05 else "almost certainly not"


def plural(n: int, word: str) -> str:
    """A count and its noun."""
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"


def readable(term: str) -> str:
    """``phenotype[bulbar]`` as "phenotype: bulbar"."""
    return re.sub(r"\[(.+)\]$", r": \1", term)


def typeset(text: str) -> str:
    """True minus signs before numbers."""
    return re.sub(r"(?<![\w.-])-(?=[\d.])", "−", text)


def headline(content: StudyReport) -> tuple[str, str]:
    """The first sentence of the answer: what is printed strong, and what follows it."""
    if not content.effects:
        said = [
            *content.findings,
            *power_sentences(content),
            *assurance_sentences(content),
            "This study describes; it compares no treatment.",
        ]
        return typeset(said[0]), ""
    effect = content.effects[0]
    plausible = f", with values from {span(effect.lower, effect.upper, effect.unit)} all plausible (95% credible interval)."
    if not effect.informed:
        return (
            f"These data do not tell whether {effect.drug} {effect.verb}.",
            f" The posterior is hardly narrower than the prior: {span(effect.lower, effect.upper, effect.unit)} (95% credible interval).",
        )
    if effect.label == "association":
        return (
            f"People taking {effect.drug} differed by {magnitude(effect.mean, effect.unit)} in {effect.noun}",
            f"{plausible} This is an association: nobody was assigned the treatment, so other differences may explain it.",
        )
    words = certainty(effect.p_any)
    drug = effect.drug[:1].upper() + effect.drug[1:]
    if effect.p_any >= 0.5:
        return f"{drug} {words} {effect.verb}, by about {magnitude(effect.mean, effect.unit)}", plausible
    return f"{drug} has {words} {effect.verb}: the estimate is {magnitude(effect.mean, effect.unit)}", plausible


def answer(content: StudyReport) -> list[str]:
    """The paragraphs of the plain-language answer after its first sentence."""
    paragraphs = [_probabilities(effect) for effect in content.effects[:1] if effect.informed]
    for other in content.effects[1:]:
        name = "association, not effect" if other.label == "association" else other.label
        known = "" if other.informed else "; not informed by these data"
        paragraphs.append(
            f"{other.drug[:1].upper() + other.drug[1:]}: {other.noun} {magnitude(other.mean, other.unit)} "
            f"({span(other.lower, other.upper, other.unit)}), {chances(other.p_any)} that it is above zero ({name}{known})."
        )
    return paragraphs


def further_findings(content: StudyReport) -> list[str]:
    """Further findings, as a list below the answer; the first is its headline when there is no treatment."""
    said = [*content.findings, *power_sentences(content), *assurance_sentences(content)]
    return [typeset(text) for text in (said if content.effects else said[1:])]


def claimed(frame: pl.DataFrame) -> pl.DataFrame:
    """Operating characteristics with the power that counts: after adjustment where the hypotheses share alpha."""
    if "adjusted_power" not in frame.columns:
        return frame
    return frame.with_columns(power=pl.coalesce("adjusted_power", "power"), mcse=pl.coalesce("adjusted_mcse", "mcse"))


def power_sentences(content: StudyReport) -> list[str]:
    """The smallest simulated size with 80% power, for each analysis and effect; effects that never have it go unnamed."""
    if content.operating_characteristics is None:
        return []
    frame = claimed(content.operating_characteristics)
    sentences = []
    for (analysis, effect), part in frame.group_by("analysis", "effect", maintain_order=True):
        enough = part.filter(pl.col("power") >= 0.8).sort("n_per_arm").head(1)
        for row in enough.iter_rows(named=True):
            shown = f"{effect:g}" if isinstance(effect, float) else str(effect)
            sentences.append(
                f"{row['n_per_arm']:,} participants per arm are the fewest simulated with 80% power: {analysis}, "
                f"{content.effect_label.lower()} {shown}, power {percent(row['power'])} "
                f"(MCSE {100 * row['mcse']:.1f} percentage points)."
            )
    if not sentences and frame.height:
        best = frame.sort("power", maintain_order=True).row(-1, named=True)
        sentences.append(f"No simulated design reached 80% power; the highest was {percent(best['power'])}, {best['analysis']}.")
    return sentences


def assurance_sentences(content: StudyReport) -> list[str]:
    """The size and analysis with the highest assurance, and how likely a benefit is at all."""
    if content.assurance is None or content.assurance.table.is_empty():
        return []
    best = content.assurance.table.sort("assurance", maintain_order=True).row(-1, named=True)
    return [
        f"Averaged over what is believed of the effect, a trial with {best['n_per_arm']:,} participants per arm succeeds with probability "
        f"{percent(best['assurance'])} (MCSE {100 * best['mcse']:.1f} percentage points), {best['analysis']}; the probability that the "
        f"effect is beneficial at all is {percent(best['true_benefit'])}."
    ]


def _probabilities(effect: Effect) -> str:
    subject = "that the difference is above zero" if effect.label == "association" else "of any benefit"
    text = f"There {_are(effect.p_any)} {chances(effect.p_any)} {subject}"
    if effect.p_meaningful is not None and effect.meaningful is not None:
        above = magnitude(effect.meaningful, effect.unit)
        text += f", and {chances(effect.p_meaningful)} of a meaningful one, above the pre-specified {above}"
    text += "."
    if effect.success_rule is not None:
        met = "was met" if effect.p_any >= effect.success_rule else "was not met"
        text += f" The success rule, a probability of benefit of at least {percent(effect.success_rule, 1)}, {met}."
    return text


def _are(p: float) -> str:
    return "is" if chances(p).startswith(("1 ", "less than 1 ")) else "are"


def figures_strip(content: StudyReport) -> list[tuple[str, str, str]]:
    """Key figures: name, value, remark. The computation comes last and is added by the page."""
    strip: list[tuple[str, str, str]] = []
    if content.participants is not None:
        parts = [plural(n, word) for n, word in ((content.visits, "visit"), (content.events, "event")) if n is not None]
        strip.append(("Participants", number(content.participants), " · ".join(parts)))
    if content.effects:
        effect = content.effects[0]
        name = effect.noun[:1].upper() + effect.noun[1:]
        remark = f"95% CrI {span(effect.lower, effect.upper, effect.unit)}"
        strip.append((name, magnitude(effect.mean, effect.unit), remark))
        rule = "no success rule set" if effect.success_rule is None else f"success rule: ≥ {percent(effect.success_rule, 1)}"
        strip.append(("P(any benefit)" if effect.label == "effect" else "P(above zero)", percent(effect.p_any), rule))
        if effect.p_meaningful is not None and effect.meaningful is not None:
            above = magnitude(effect.meaningful, effect.unit)
            strip.append((f"P(more than {above})", percent(effect.p_meaningful), "meaningful-effect threshold"))
    elif content.summary is not None:
        strip += _estimates(content.summary)
    return strip


def _estimates(summary: pl.DataFrame) -> list[tuple[str, str, str]]:
    wanted = (
        "slope", "sd:slope", "d50", "dx", "association:value", "association:slope", "association:area", "association:shared:slope",
    )  # fmt: skip
    chosen = summary.filter(pl.col("parameter").is_in(wanted)).head(3)
    if not set(chosen["parameter"]) & {"slope", "d50"}:  # of several outcomes
        chosen = summary.filter(pl.col("parameter").str.ends_with(".slope") & ~pl.col("parameter").str.contains(":")).head(3)
    return [
        (row["label"], number(row["mean"]), f"{row['unit']}; 95% CrI {number(row['q2_5'])} to {number(row['q97_5'])}")
        for row in chosen.iter_rows(named=True)
    ]
