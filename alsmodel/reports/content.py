"""What a study report is made of: plain values and frames, each of which may be absent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, final

import numpy as np
import polars as pl

Array = np.ndarray[Any, np.dtype[Any]]


class CheckLike(Protocol):
    """One computation check: what was found, and the limit it should keep."""

    @property
    def name(self) -> str: ...
    @property
    def passed(self) -> bool: ...
    @property
    def value(self) -> float: ...
    @property
    def limit(self) -> float: ...
    @property
    def meaning(self) -> str: ...


class BaselinesLike(Protocol):
    """Classical survival analyses of the same participants."""

    @property
    def kaplan_meier(self) -> pl.DataFrame: ...
    @property
    def cox(self) -> pl.DataFrame: ...
    @property
    def weibull_aft(self) -> pl.DataFrame: ...
    @property
    def n(self) -> int: ...
    @property
    def events(self) -> int: ...
    @property
    def notes(self) -> tuple[str, ...]: ...


class AssuranceLike(Protocol):
    """Power of a trial averaged over what is believed of its effect, as `alsmodel.trials.Assurance` holds it."""

    @property
    def table(self) -> pl.DataFrame: ...
    @property
    def strata(self) -> pl.DataFrame: ...
    @property
    def causes(self) -> pl.DataFrame: ...


@final
@dataclass(frozen=True, kw_only=True)
class Effect:
    """A treatment effect as the top of the report tells it; positive is benefit.

    Attributes
    ----------
    drug : str
        As printed at the start of a sentence.
    mean, lower, upper : float
        Posterior mean and 95% limits; fractions when `unit` is "%".
    p_any, p_meaningful : float
        Posterior probability of any benefit, and of one larger than `meaningful`; the second is None without a threshold.
    meaningful : float or None
        The pre-specified threshold, in the same scale.
    unit : str
        "%" (of a fraction) or a unit such as "points per month".
    verb, noun : str
        How benefit is said: "slowed functional decline", "slowing of decline".
    label : {"effect", "association"}
        "association" when only prevalent users inform it: never told as an effect.
    informed : bool
        False when the posterior SD is above 0.9 of the prior SD.
    success_rule : float or None
        Probability of any benefit that the study set as its success rule.
    """

    drug: str
    mean: float
    lower: float
    upper: float
    p_any: float
    p_meaningful: float | None = None
    meaningful: float | None = None
    unit: str = "%"
    verb: str = "slowed functional decline"
    noun: str = "slowing of decline"
    label: Literal["effect", "association"] = "effect"
    informed: bool = True
    success_rule: float | None = None


@final
@dataclass(frozen=True, kw_only=True)
class StudyReport:
    """Everything that one report shows; what is None or empty was not run, and the report says so.

    Attributes
    ----------
    title, question : str
        Of the study.
    byline : str
        Study name and kind of analysis, above the title.
    synthetic : bool
        Prints the banner that no participant exists.
    outcome, event, time_unit, origin : str
        Outcome with its unit; the event with its definition; the unit of all times; their origin.
    estimand : mapping of str to str, optional
        Attribute (population, treatments, variable, intercurrent events, summary measure) to its choice.
    effects : sequence of Effect
        First the one that answers the question.
    findings : sequence of str
        Plain sentences on what was estimated; the answer when there is no treatment.
    participants, visits, events : int, optional
        In the fit.
    participant_flow : polars.DataFrame, optional
        ``step``, ``n``, ``excluded``, ``reason``.
    file_flow : polars.DataFrame, optional
        ``file``, ``read``, ``kept``, ``repaired``, ``rejected``, ``set_aside`` (rows).
    table_one : polars.DataFrame, optional
        As `alsmodel.reports.table_one` gives it.
    model_words, model_formulas, prior_words : sequence of str
        Sentences; formulas as plain text; what the priors alone expect.
    summary : polars.DataFrame, optional
        ``parameter``, ``label``, ``unit``, ``mean``, ``sd``, ``q2_5``, ``median``, ``q97_5``, ``r_hat``, ``ess_bulk``,
        ``ess_tail``, ``prior``, ``prior_sd``, ``informed``.
    draws : mapping of str to array (chain, draw), optional
        For traces and densities.
    checks : sequence of CheckLike
    route : str
        How the posterior was computed, in a sentence.
    passed : bool, optional
        False prints "provisional" at the top. None: no fit was made.
    comparison : polars.DataFrame, optional
        One row a model, the best first: ``model``, ``differs``, ``elpd``, ``difference`` and ``standard_error``, the same two of scores
        (``_scores``) and of events (``_events``) alone, ``high_k`` (null where nothing was weighted), ``passed``.
    comparison_words, comparison_warnings : sequence of str
        How models were compared and what came of it; what of it cannot be trusted. Words without `comparison` say that it was asked for.
    group_effects : polars.DataFrame, optional
        ``panel``, ``label``, ``mean``, ``lower``, ``upper``, ``reference``, ``informed``, and optionally ``n``; a forest.
    trajectories : polars.DataFrame, optional
        ``group``, ``time``, ``mean``, ``lower``, ``upper``, ``p_alive``; optionally ``panel``, and ``outcome``: its label with its unit,
        for a figure each.
    outcomes : mapping of str to polars.DataFrame
        Of several outcomes: caption to a table as it is printed, one row an outcome, whose first column is ``outcome``.
    survival : polars.DataFrame, optional
        ``group``, ``time``, ``mean``, ``lower``, ``upper``.
    incidence, states : polars.DataFrame, optional
        Of several causes: ``group``, ``cause`` or ``state``, ``time``, ``mean``, ``lower``, ``upper``, ``observed``, ``observed_lower``,
        ``observed_upper`` (Aalen-Johansen).
    classes, class_trajectories, class_survival : polars.DataFrame, optional
        Of latent classes: the table of `alsmodel.inference.classes.class_table`; as `trajectories` and `survival`, a group for each class.
    group_sizes : mapping of str to int
        Participants per group of the trajectories.
    grouped_by : str
        What the groups are: "phenotype", say.
    baselines : BaselinesLike, optional
    score_check, event_check, prior_check : polars.DataFrame, optional
        The first optionally with ``outcome``, its label with its unit, for a figure each.
    end_check : polars.DataFrame, optional
        Share of scores at each end of a scale: ``outcome``, ``end``, ``n``, ``observed``, ``predicted``, ``lower``, ``upper``.
    left_out : sequence of str
        Sentences on what this kind of report does not hold.
    identification : polars.DataFrame, optional
        ``drug``, ``randomised``, ``within_person``, ``prevalent`` (participants), ``label``, ``informed``; optionally ``start_unknown``.
    priors_beside_data : polars.DataFrame, optional
        As `alsmodel.inference.borrowing.beside_data` gives it: ``label``, ``prior``, ``estimate``, ``se``, ``worth``, ``conflict``,
        ``weights``.
    start_limits : polars.DataFrame, optional
        Parameters with unknown days of starting a drug at either limit: ``label``, ``unit``, ``earliest`` and ``latest``, each with
        ``_lower`` and ``_upper``, ``shift``.
    total_effects : polars.DataFrame, optional
        Everybody treated against nobody, as `alsmodel.inference.total_effect` gives it: ``treatment``, ``label``, ``quantity``, ``cause``,
        ``time``, ``treated``, ``untreated``, ``mean``, ``lower``, ``upper``.
    operating_characteristics : polars.DataFrame, optional
        One row per scenario and analysis, with ``power`` and ``mcse``.
    family : polars.DataFrame, optional
        One row per scenario when the hypotheses share alpha: ``at_least_one``, ``all``, ``family_wise_error``, each with its ``_mcse``.
    by_look : polars.DataFrame, optional
        One row per scenario, hypothesis and look of a family that is tested at looks: ``by_then``, the share rejected by that look.
    assurance : AssuranceLike, optional
        Power averaged over what is believed of the effect, power along it, and how trials end.
    assurance_words : sequence of str
        What is believed of the effect, in sentences; without `assurance` the report says that it was not computed.
    intercurrent : polars.DataFrame, optional
        One row per scenario, intercurrent event and arm: ``mean_number`` of participants and ``share`` of the arm.
    trial_words : sequence of str
        The simulated design in sentences.
    effect_label : str
        What the effect of the operating characteristics is, with its unit.
    reproducibility : mapping of str to str, optional
        Command, digests, seed, versions.
    limits : sequence of str
    """

    title: str
    question: str
    byline: str = ""
    synthetic: bool = False
    outcome: str = "ALSFRS-R total (points)"
    event: str = "death"
    time_unit: str = "month"
    origin: str = "baseline"
    estimand: Mapping[str, str] | None = None
    effects: Sequence[Effect] = ()
    findings: Sequence[str] = ()
    participants: int | None = None
    visits: int | None = None
    events: int | None = None
    participant_flow: pl.DataFrame | None = None
    file_flow: pl.DataFrame | None = None
    table_one: pl.DataFrame | None = None
    model_words: Sequence[str] = ()
    prior_words: Sequence[str] = ()
    model_formulas: Sequence[str] = ()
    summary: pl.DataFrame | None = None
    draws: Mapping[str, Array] | None = None
    checks: Sequence[CheckLike] = ()
    passed: bool | None = None
    route: str = ""
    comparison: pl.DataFrame | None = None
    comparison_words: Sequence[str] = ()
    comparison_warnings: Sequence[str] = ()
    group_effects: pl.DataFrame | None = None
    trajectories: pl.DataFrame | None = None
    outcomes: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    survival: pl.DataFrame | None = None
    incidence: pl.DataFrame | None = None
    states: pl.DataFrame | None = None
    classes: pl.DataFrame | None = None
    class_trajectories: pl.DataFrame | None = None
    class_survival: pl.DataFrame | None = None
    group_sizes: Mapping[str, int] = field(default_factory=dict)
    grouped_by: str = "phenotype"
    baselines: BaselinesLike | None = None
    score_check: pl.DataFrame | None = None
    event_check: pl.DataFrame | None = None
    prior_check: pl.DataFrame | None = None
    end_check: pl.DataFrame | None = None
    left_out: Sequence[str] = ()
    identification: pl.DataFrame | None = None
    priors_beside_data: pl.DataFrame | None = None
    start_limits: pl.DataFrame | None = None
    total_effects: pl.DataFrame | None = None
    operating_characteristics: pl.DataFrame | None = None
    family: pl.DataFrame | None = None
    by_look: pl.DataFrame | None = None
    assurance: AssuranceLike | None = None
    assurance_words: Sequence[str] = ()
    intercurrent: pl.DataFrame | None = None
    trial_words: Sequence[str] = ()
    effect_label: str = "Effect"
    reproducibility: Mapping[str, str] | None = None
    limits: Sequence[str] = ()
