"""Published effects of riluzole, edaravone, tofersen and AMX0035, trial by trial, as records.

Every figure was read in the source named or in a text that transcribes it (`grade` says which); a figure that could not be found
is None and nothing stands in for it.
"""

from dataclasses import asdict, fields
from functools import partial

import polars as pl

from alsmodel.clinical.effect import PublishedEffect
from alsmodel.clinical.events import COMPOSITE_CENTAUR, DEATH, TRACHEOSTOMY_FREE

_LACOMBLEZ = "Lacomblez et al., Lancet 1996;347:1425"
_COCHRANE = "Miller et al., Cochrane Database Syst Rev 2012, CD001447"
_CENTAUR_17 = "Paganoni et al., N Engl J Med 2020;383:919, table 2"
_HEALEY_C = "Berry et al., CNM-Au8 in the HEALEY platform trial, JAMA 2025, supplement"
_VALOR_52 = "Biogen notice of 3 June 2022, 52 weeks of VALOR and its open-label extension"
_CENTAUR_WHO = "definite ALS, up to 18 months"
_JNNP = "Paganoni et al., J Neurol Neurosurg Psychiatry 2022;93:871"
_AAN = "PHOENIX, NCT05021536, presented at the American Academy of Neurology 2024"
_NOT_RANDOMISED = "Not randomised: an association, never an effect. Credible limits."
_ARM_SE = "Standard errors of the arms not found; without the control arm's no slope ratio follows."
_IV = "60 mg intravenous in cycles v placebo"
_MG100 = "100 mg/day v placebo"

_riluzole = partial(PublishedEffect, drug="riluzole")
_edaravone = partial(PublishedEffect, drug="edaravone")
_tofersen = partial(PublishedEffect, drug="tofersen")
_amx0035 = partial(PublishedEffect, drug="AMX0035")

#: Every published effect, by drug and then as the trials came.
# fmt: off
EFFECTS: tuple[PublishedEffect, ...] = (
    _riluzole(
        key="bensimon-1994-12m", trial="Bensimon 1994", contrast=_MG100,
        population="age 20-75, FVC above 60%, up to 5 years; strata bulbar and limb onset", n_treated=77, n_control=78,
        end_point="alive without tracheostomy at 12 months: 57/77 v 45/78", events=TRACHEOSTOMY_FREE.tag,
        scale="difference in proportion free of the event", estimate=57 / 77 - 45 / 78, p=0.014, p_of_estimate=False, treated=57 / 77,
        control=45 / 78, follow_up="12 months", source="Bensimon et al., N Engl J Med 1994;330:585", doi="10.1056/NEJM199403033300901",
        note="The US label gives log-rank p = 0.12 as planned and Wilcoxon p = 0.05.",
    ),
    _riluzole(
        key="lacomblez-100-unadjusted", trial="Lacomblez 1996", contrast="100 mg/day v placebo, unadjusted",
        population="probable or definite ALS, under 5 years, age 18-75, FVC 60% or more", n_treated=236, n_control=242,
        end_point="survival without tracheostomy, 18 months", events=TRACHEOSTOMY_FREE.tag, scale="hazard ratio", estimate=0.79,
        p=0.076, follow_up="median 18 months", source=_LACOMBLEZ, doi="10.1016/S0140-6736(96)91680-3",
        note="Printed as risk; adjusted by Cox's model. Arm sizes from the counts and percentages alive without tracheostomy.",
    ),
    _riluzole(
        key="lacomblez-100-adjusted", trial="Lacomblez 1996", contrast="100 mg/day v placebo, adjusted",
        population="probable or definite ALS, under 5 years, age 18-75, FVC 60% or more", n_treated=236, n_control=242,
        end_point="survival without tracheostomy, 18 months", events=TRACHEOSTOMY_FREE.tag, scale="hazard ratio", estimate=0.65,
        p=0.002, follow_up="median 18 months", source=_LACOMBLEZ, doi="10.1016/S0140-6736(96)91680-3",
        note="Printed as risk; adjusted by Cox's model. Arm sizes from the counts and percentages alive without tracheostomy.",
    ),
    _riluzole(
        key="lacomblez-50-adjusted", trial="Lacomblez 1996", contrast="50 mg/day v placebo, adjusted",
        population="probable or definite ALS, under 5 years, age 18-75, FVC 60% or more", n_treated=237, n_control=242,
        end_point="survival without tracheostomy, 18 months", events=TRACHEOSTOMY_FREE.tag, scale="hazard ratio", estimate=0.76, p=0.04,
        follow_up="median 18 months", source=_LACOMBLEZ, doi="10.1016/S0140-6736(96)91680-3",
        note="Printed as risk; adjusted by Cox's model. Arm sizes from the counts and percentages alive without tracheostomy.",
    ),
    _riluzole(
        key="lacomblez-200-adjusted", trial="Lacomblez 1996", contrast="200 mg/day v placebo, adjusted",
        population="probable or definite ALS, under 5 years, age 18-75, FVC 60% or more", n_treated=244, n_control=242,
        end_point="survival without tracheostomy, 18 months", events=TRACHEOSTOMY_FREE.tag, scale="hazard ratio", estimate=0.61,
        p=0.0004, follow_up="median 18 months", source=_LACOMBLEZ, doi="10.1016/S0140-6736(96)91680-3",
        note="Printed as risk; adjusted by Cox's model. Arm sizes from the counts and percentages alive without tracheostomy.",
    ),
    _riluzole(
        key="bensimon-2002", trial="Bensimon 2002", contrast=_MG100,
        population="over 75 years, or FVC under 60%, or over 5 years; 168 randomised", end_point="survival without tracheostomy",
        events=TRACHEOSTOMY_FREE.tag, scale="hazard ratio", p=0.93, follow_up="18 months",
        source="Bensimon et al., J Neurol 2002;249:609", doi="10.1007/s004150200071", note="No difference; no estimate found.",
    ),
    _riluzole(
        key="cochrane-2012-two", trial="Cochrane 2012, first two trials", trials=("Bensimon 1994", "Lacomblez 1996"), contrast=_MG100,
        population="the first two trials, alike in their participants", end_point="survival without tracheostomy",
        events=TRACHEOSTOMY_FREE.tag, scale="hazard ratio", estimate=0.8, low=0.64, high=0.99, follow_up="all times", source=_COCHRANE,
        doi="10.1002/14651858.CD001447.pub3",
    ),
    _riluzole(
        key="cochrane-2012-three", trial="Cochrane 2012, three trials", trials=("Bensimon 1994", "Lacomblez 1996", "Bensimon 2002"),
        contrast=_MG100, population="three trials, older and more seriously affected participants included; 1,282 participants",
        end_point="survival without tracheostomy", events=TRACHEOSTOMY_FREE.tag, scale="hazard ratio", estimate=0.84, low=0.698,
        high=0.997, p=0.046, follow_up="all times", source=_COCHRANE, doi="10.1002/14651858.CD001447.pub3",
        note="The review's summary table prints 0.83 (0.70 to 1.00).",
    ),
    _riluzole(
        key="healey-c-riluzole", trial="HEALEY Regimen C", contrast="users v others at baseline", design="prevalent users",
        population="participants of Regimen C and shared controls", end_point="rate of ALSFRS-R decline to week 24",
        scale="slope ratio", estimate=1.03, low=0.854, high=1.22, follow_up="24 weeks", source=_HEALEY_C, doi="10.1001/jama.2024.27643",
        grade="secondary", note=_NOT_RANDOMISED,
    ),
    _edaravone(
        key="mci186-16", trial="MCI186-16", contrast=_IV, population="after 12 weeks of observation", n_treated=100, n_control=99,
        end_point="ALSFRS-R change to week 24", weeks=24, scale="difference in ALSFRS-R points", estimate=0.65, se=0.78, p=0.411,
        treated=-5.7, treated_se=0.85, control=-6.35, control_se=0.84, follow_up="24 weeks",
        source="Abe et al., Amyotroph Lateral Scler Frontotemporal Degener 2014;15:610", doi="10.3109/21678421.2014.959024",
    ),
    _edaravone(
        key="mci186-19", trial="MCI186-19", contrast=_IV,
        population="every item 2 or more, FVC 80% or more, definite or probable, up to 2 years, progress in 12 weeks before within limits",
        n_treated=68, n_control=66, end_point="ALSFRS-R change to week 24", weeks=24, scale="difference in ALSFRS-R points",
        estimate=2.49, low=0.99, high=3.98, p=0.0013, treated=-5.01, treated_se=0.64, control=-7.5, control_se=0.66,
        follow_up="24 weeks", source="Writing Group, Lancet Neurol 2017;16:505; limits from the US label of Radicava, table 2",
        doi="10.1016/S1474-4422(17)30115-1", note="Last observation carried forward; at least 3 cycles needed.",
    ),
    _edaravone(
        key="mci186-17", trial="MCI186-17", contrast=_IV,
        population="Japan severity grade 3, FVC 60% or more, up to 3 years, loss of 1-4 points in 12 weeks before", n_treated=13,
        n_control=12, end_point="ALSFRS-R change to week 24", weeks=24, scale="difference in ALSFRS-R points", estimate=-0.52, se=2.46,
        p=0.835, treated=-6.52, treated_se=1.78, control=-6.0, control_se=1.83, follow_up="24 weeks",
        source="Writing Group, Amyotroph Lateral Scler Frontotemporal Degener 2017;18(S1)", doi="10.1080/21678421.2017.1361441",
    ),
    _edaravone(
        key="mci186-19-week-48", trial="MCI186-19 open-label extension", trials=("MCI186-19",),
        contrast="edaravone for 48 weeks v placebo for 24 then edaravone", design="randomised, early v delayed start",
        population="as MCI186-19; 65 and 58 entered the extension", n_treated=65, n_control=58, end_point="ALSFRS-R change to week 48",
        weeks=48, scale="difference in ALSFRS-R points", estimate=4.17, se=1.4, p=0.0037, follow_up="48 weeks",
        source="Takei et al., Amyotroph Lateral Scler Frontotemporal Degener 2017;18(S1):64", doi="10.1080/21678421.2017.1365372",
        note="Post hoc.",
    ),
    _edaravone(
        key="adore", trial="ADORE", contrast="100 mg/day by mouth (FAB122) v placebo",
        population="age 18-80, definite to possible, up to 24 months, SVC 70% or more, 0.35-1.5 points/month before", n_treated=205,
        n_control=97, end_point="ALSFRS-R change to week 48", weeks=48, scale="difference in ALSFRS-R points", estimate=-0.4,
        treated=-11.2, control=-10.8, follow_up="48 weeks, to 72", source="NCT05178810, registered results", grade="label or register",
        note="Difference of the two printed changes; standard errors and p not found.",
    ),
    _edaravone(
        key="healey-c-edaravone", trial="HEALEY Regimen C", contrast="users v others at baseline", design="prevalent users",
        population="participants of Regimen C and shared controls", end_point="rate of ALSFRS-R decline to week 24",
        scale="slope ratio", estimate=1.13, low=0.949, high=1.344, follow_up="24 weeks", source=_HEALEY_C,
        doi="10.1001/jama.2024.27643", grade="secondary", note=_NOT_RANDOMISED,
    ),
    _tofersen(
        key="valor", trial="VALOR", contrast="100 mg intrathecal, 8 doses in 24 weeks, v placebo",
        population="SOD1 mutation, the 60 expected to progress faster", end_point="ALSFRS-R change to week 28", weeks=28,
        scale="difference in ALSFRS-R points", estimate=1.2, low=-3.2, high=5.5, p=0.97, p_of_estimate=False, treated=-6.98,
        control=-8.14, follow_up="28 weeks", source="Miller et al., N Engl J Med 2022;387:1099", doi="10.1056/NEJMoa2204705",
        note=_ARM_SE,
    ),
    _tofersen(
        key="valor-52-pv", trial="VALOR and open-label extension", trials=("VALOR",),
        contrast="tofersen from the start v about 6 months later", design="randomised, early v delayed start",
        population="SOD1 mutation, all randomised", n_treated=72, n_control=36, end_point="death or permanent ventilation",
        events="death or permanent ventilation", scale="hazard ratio", estimate=0.36, low=0.137, high=0.941, follow_up="52 weeks",
        source=_VALOR_52, grade="sponsor",
        note="Medians not reached. The final analysis of about 3 years (JAMA Neurol 2025) found no significant difference.",
    ),
    _tofersen(
        key="valor-52-death", trial="VALOR and open-label extension", trials=("VALOR",),
        contrast="tofersen from the start v about 6 months later", design="randomised, early v delayed start",
        population="SOD1 mutation, all randomised", n_treated=72, n_control=36, end_point="death", events=DEATH.tag,
        scale="hazard ratio", estimate=0.27, low=0.084, high=0.89, follow_up="52 weeks", source=_VALOR_52, grade="sponsor",
        note="Medians not reached. The final analysis of about 3 years (JAMA Neurol 2025) found no significant difference.",
    ),
    _amx0035(
        key="centaur", trial="CENTAUR", contrast="AMX0035 v placebo", population=_CENTAUR_WHO, n_treated=87, n_control=48,
        end_point="rate of ALSFRS-R decline to week 24", scale="difference in ALSFRS-R points/month", estimate=0.42, low=0.03,
        high=0.81, p=0.03, treated=-1.24, treated_se=0.12, control=-1.66, control_se=0.16, follow_up="24 weeks", source=_CENTAUR_17,
        doi="10.1056/NEJMoa1916945",
    ),
    _amx0035(
        key="centaur-week-24", trial="CENTAUR", contrast="AMX0035 v placebo", population=_CENTAUR_WHO, n_treated=87, n_control=48,
        end_point="ALSFRS-R at week 24", weeks=24, scale="difference in ALSFRS-R points", estimate=2.32, low=0.18, high=4.47,
        follow_up="24 weeks", source=_CENTAUR_17, doi="10.1056/NEJMoa1916945", note="The same data as the rate of decline.",
    ),
    _amx0035(
        key="centaur-death", trial="CENTAUR and open-label extension", trials=("CENTAUR",),
        contrast="AMX0035 from the start v 24 weeks later or never", design="randomised, early v delayed start",
        population="definite ALS, up to 18 months; vital status of 135 of 137", n_treated=89, n_control=48, end_point="death",
        events=DEATH.tag, scale="hazard ratio", estimate=0.56, low=0.34, high=0.92, p=0.023, follow_up="up to 35 months",
        source="Paganoni et al., Muscle Nerve 2021;63:31", doi="10.1002/mus.27091",
    ),
    _amx0035(
        key="centaur-pav", trial="CENTAUR and open-label extension", trials=("CENTAUR",),
        contrast="AMX0035 from the start v 24 weeks later or never", design="randomised, early v delayed start",
        population="definite ALS, up to 18 months; vital status of 135 of 137", n_treated=87, n_control=48,
        end_point="death, tracheostomy or PAV", events=COMPOSITE_CENTAUR.tag, scale="hazard ratio", estimate=0.51, low=0.32, high=0.84,
        p=0.007, follow_up="up to 35 months", source=_JNNP, doi="10.1136/jnnp-2022-329024",
    ),
    _amx0035(
        key="centaur-any", trial="CENTAUR and open-label extension", trials=("CENTAUR",),
        contrast="AMX0035 from the start v 24 weeks later or never", design="randomised, early v delayed start",
        population="definite ALS, up to 18 months; vital status of 135 of 137", n_treated=87, n_control=48,
        end_point="death, tracheostomy, PAV or first hospitalisation", events="death, tracheostomy, PAV or first hospitalisation",
        scale="hazard ratio", estimate=0.53, low=0.35, high=0.81, p=0.003, follow_up="up to 35 months", source=_JNNP,
        doi="10.1136/jnnp-2022-329024",
    ),
    _amx0035(
        key="phoenix", trial="PHOENIX", contrast="AMX0035 v placebo",
        population="definite or probable, under 24 months, SVC 55% or more; 664 randomised 3:2", end_point="ALSFRS-R change to week 48",
        weeks=48, scale="difference in ALSFRS-R points", estimate=0.343, p=0.667, treated=-14.98, control=-15.32, follow_up="48 weeks",
        source=_AAN, grade="conference", note=_ARM_SE,
    ),
    _amx0035(
        key="phoenix-like-centaur", trial="PHOENIX", contrast="AMX0035 v placebo", population="the quarter who met CENTAUR's criteria",
        end_point="ALSFRS-R change to week 48", weeks=48, scale="difference in ALSFRS-R points", estimate=2.01, follow_up="48 weeks",
        source=_AAN, grade="conference", note="Subgroup; no uncertainty found.",
    ),
)
# fmt: on


def effect(key: str) -> PublishedEffect:
    """Return the published effect of that key.

    Raises
    ------
    KeyError
        When there is none.
    """
    return {e.key: e for e in EFFECTS}[key]


def effects_table() -> pl.DataFrame:
    """Return the published effects, one row each: every attribute, and the standard error with where it comes from."""
    kinds = {"str": pl.String, "int | None": pl.Int64, "float | None": pl.Float64, "bool": pl.Boolean}
    schema = {f.name: kinds.get(str(f.type).replace("<class '", "").replace("'>", ""), pl.String) for f in fields(PublishedEffect)}
    rows = []
    for e in EFFECTS:
        found = e.standard_error
        row = asdict(e) | {"trials": "; ".join(e.trials)}
        rows.append(row | {"standard_error": found[0] if found else None, "standard_error_from": found[1] if found else None})
    return pl.DataFrame(rows, schema=schema | {"standard_error": pl.Float64, "standard_error_from": pl.String})
