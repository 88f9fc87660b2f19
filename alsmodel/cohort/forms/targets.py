"""What a mapping may say where it is open: names after "value:", "covariate:" and the like, and the words of a vocabulary."""

import difflib
import re
from collections.abc import Iterator, Mapping
from functools import cache

from alsmodel.clinical.alsfrs import DOMAINS
from alsmodel.cohort.forms.clinical import sign_target
from alsmodel.cohort.forms.kinds import KINDS, is_known
from alsmodel.cohort.forms.mapping import FormMap
from alsmodel.cohort.schema_files import load_vocabulary
from alsmodel.cohort.tables import GENE_RESULTS, GENES, NEURONS, ONSET_SITES, REGIONS, SEXES, SIDES, SIGN_STATES, Participants

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:%+-]*")
_COMPUTED = ("alsfrs_r_total", "alsfrs_total", *DOMAINS)

#: Names of words whose canonical words the tables fix.
_FIXED = {
    "sex": SEXES,
    "onset_site": ONSET_SITES,
    "state": SIGN_STATES,
    "neuron": NEURONS,
    "region": REGIONS,
    "side": SIDES,
    "gene_result": (*GENE_RESULTS, "not tested"),
    "item": tuple(name for name in (*KINDS["assessments"].knows,) if name.startswith("item_")),
}
#: Names of words whose canonical words are the author's choice; those of any other name are the package's own.
_FREE = ("arm", "matrix", "analyte", "el_escorial", "strength_unit", "gene", "phenotype", "mode", "respondent")


def open_target(form: FormMap, target: str) -> str | None:
    """Return what is wrong with a target of a form, or None."""
    prefix, _, name = target.partition(":")
    if prefix == "sign":
        return sign_target(target)
    if prefix == "gene":
        spelled = {gene.lower(): gene for gene in GENES}.get(name.lower(), name)
        return None if spelled == name else f"the vocabulary spells it {spelled}."
    if prefix == "variant":
        return None if f"gene:{name}" in form.columns.values() else f"needs a column for gene:{name} in the same form."
    if prefix not in ("value", "covariate"):
        return None
    if not _NAME.fullmatch(name):
        return "expected a name of letters, digits and _ . : % + - that begins with a letter."
    if prefix == "value" and name in _COMPUTED:
        return "is computed from the items; map a stored total to total_48 or total_40 in a form of kind assessments."
    if prefix == "covariate" and (name in Participants.columns() or is_known("participants", name)):
        return f"is a fact of participants with a place of its own; see {name} in the kinds participants and history."
    return None


def word_faults(words: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield where in `words` (name, then word), message and remedy of each word that nothing can be made of."""
    for name, meanings in words.items():
        if name not in _known_names():
            close = difflib.get_close_matches(name, _known_names(), n=1, cutoff=0.6)
            remedy = f"Did you mean {close[0]}?" if close else f"Known are {', '.join(_known_names())}."
            yield (name,), f"words.{name}: no column is translated by words of this name.", remedy
        for word, meaning in meanings.items():
            canonical = _canonical(name)
            if canonical and meaning not in canonical:
                known = ", ".join(canonical)
                close = difflib.get_close_matches(meaning.lower(), canonical, n=1, cutoff=0.6)
                remedy = f"Did you mean {close[0]}?" if close else ""
                yield (name, word), f"words.{name}: {meaning!r} is none of the canonical words {known}.", remedy


def _canonical(name: str) -> tuple[str, ...]:
    """Return the canonical words of `name`, none where they are the author's choice."""
    if name in _FIXED:
        return _FIXED[name]
    return () if name in _FREE else tuple(dict.fromkeys(load_vocabulary()["words"].get(name, {}).values()))


@cache
def _known_names() -> tuple[str, ...]:
    return tuple(sorted({*_FIXED, *_FREE, *load_vocabulary()["words"]}))
