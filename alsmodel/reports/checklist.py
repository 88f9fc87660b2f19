"""Reporting items and the section that covers each; conformity with no guideline is claimed."""

from collections.abc import Mapping
from typing import Final

# Item, who asks for it, section, and the attribute of the content that must be there (none: always there).
ITEMS: Final = (
    ("Plain-language answer with interval and probabilities", "BARG 3", "summary", None),
    ("Goal and estimand, with death and ventilation named", "ICH E9(R1)", "question", "estimand"),
    ("Flow of participants, exclusions and reasons", "CONSORT, STROBE", "who", "participant_flow"),
    ("Table 1 with missing counts, no baseline p-values", "CONSORT, STROBE", "who", "table_one"),
    ("Likelihood, hierarchy and priors in words and formally", "BARG 1B–D", "model", "summary"),
    ("Prior predictive check", "BARG 1E", "model", "prior_check"),
    ("What identifies each treatment's coefficient", "–", "effects", "identification"),
    ("Effects by subgroup, shrinkage stated", "CONSORT", "effects", "group_effects"),
    ("Software, versions, sampler, seeds", "BARG 2A", "reproduce", "reproducibility"),
    ("ESS for every parameter, and R-hat where chains were run", "BARG 2B–C", "computation", "summary"),
    (
        "Divergences, energy and traces, or k-hat and ESS of weights",
        "Bayesian workflow",
        "computation",
        "checks",
    ),
    ("Predictive check of the score, per visit", "BARG, Bayesian workflow", "model-fit", "score_check"),
    ("Predictive check of the event", "BARG, Bayesian workflow", "model-fit", "event_check"),
    ("Classical analyses beside the Bayesian one", "–", "survival", "baselines"),
    ("Power with Monte Carlo error; failures counted", "ICH E20 (draft)", "trial", "operating_characteristics"),
    ("Limits", "CONSORT", "limits", "limits"),
    ("Command, configuration and data digests", "BARG 6", "reproduce", "reproducibility"),
    ("Sensitivity to priors and missingness", "BARG 5, ICH E9(R1)", "", None),
    ("Model comparison", "Bayesian workflow", "comparison", "comparison"),
)


def checklist(content: object, places: Mapping[str, str]) -> list[tuple[str, str, str, str]]:
    """Item, source, id of its section ("" when not covered), and what the link says.

    Parameters
    ----------
    content : StudyReport
    places : mapping of str to str
        Number and title per section id.
    """
    rows = []
    for item, source, section, attribute in ITEMS:
        value = None if attribute is None else getattr(content, attribute)
        empty = attribute is not None and (value is None or (isinstance(value, list | tuple | dict) and not value))
        covered = section in places and not empty
        rows.append((item, source, section if covered else "", places[section] if covered else "not in this report"))
    return rows
