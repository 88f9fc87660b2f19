"""Type I error of the analyses of scores under the sharp null, two-sided 5%, n = 100 to 400.

Trials, seed and number of replicates are those of `tests.calibration.type_one_events`: scores that death cuts short, whole points within
0 to 48, skewed slopes. Results go to `type_one_scores.json` beside this file, and are held to the same rule.

    python -m tests.calibration.type_one_scores
"""

from pathlib import Path

from alsmodel.estimators import (
    fit_ancova,
    fit_cox,
    fit_mmrm,
    fit_random_slope,
    fit_reference_based,
    fit_responder,
    fit_two_point_slope,
    responders,
    threshold_events,
)  # fmt: skip
from tests.calibration.type_one_events import BLOCK, MONTHS, SIZES, run, write

OUT = Path(__file__).parent / "type_one_scores.json"


def analyses(scores, time, event, arm, stratum, rare: bool):
    """Name and fit of every analysis; the slow ones on a part of each block."""
    quarter = slice(None, BLOCK // 4)
    yield "random slope, Satterthwaite", fit_random_slope(scores, MONTHS, arm)
    yield "random slope, Kenward-Roger", fit_random_slope(scores, MONTHS, arm, df_method="kenward-roger")
    later, first = scores[..., 1:], scores[..., 0]
    yield "MMRM, Kenward-Roger, expected", fit_mmrm(later, arm, baseline=first, information="expected")
    given = {"baseline": first[quarter], "df_method": "satterthwaite", "information": "observed"}
    yield "MMRM, Satterthwaite, observed", fit_mmrm(later[quarter], arm, **given)
    constrained = {"baseline": first[quarter], "constrained_baseline": True, "information": "expected"}
    yield "constrained MMRM (cLDA), Kenward-Roger", fit_mmrm(later[quarter], arm, **constrained)
    yield "ANCOVA of change", fit_ancova(scores, arm)
    yield "ANCOVA of change, HC3", fit_ancova(scores, arm, robust="HC3")
    yield "slopes of participants", fit_two_point_slope(scores, MONTHS, arm)
    lost = responders(scores, decline_below=12.0, dead_by_visit=(time < MONTHS[-1]) & (event > 0))
    yield "responders, Newcombe", fit_responder(lost, arm)
    yield "responders, Miettinen-Nurminen", fit_responder(lost, arm, method="miettinen-nurminen")
    dropped = threshold_events(scores, MONTHS, time, event, drop=12.0)
    yield "time to a drop of 12, Cox score", fit_cox(dropped.time, dropped.event, arm, test="score")
    alive = (time[..., None] >= MONTHS[1:]) | (event[..., None] == 0)
    few = quarter if arm.size == SIZES[0] else slice(None, BLOCK // 20)  # every participant is left out in turn
    yield "jump to reference, jackknife", fit_reference_based(later[few], arm, baseline=first[few], alive=alive[few])


if __name__ == "__main__":
    write(run(analyses, {number: (n, 0.025) for number, n in enumerate(SIZES)}), OUT)
