"""The files of Answer ALS, faults included."""

from collections.abc import Callable

import numpy as np

from alsmodel.patients.csv_text import Table, decimals
from alsmodel.patients.neurobank_layout import ENDINGS, REGIONS, Ints, Writer, controls, first_tube, lines, region_cells, spoil_scores

_EL_ESCORIAL = ("Suspected", "Possible", "Probable Laboratory Supported", "Probable", "Definite")
_GENES = {"sod1": "SOD1", "c9orf72": "C9orf72", "fus": "FUS", "tdp43": "TARDBP"}
_NOT_TESTED = {"sod1": "sod1nd", "c9orf72": "c9orfnd", "fus": "fusnd", "tdp43": "tdp43nd"}


def _table(writer: Writer, columns: str, person: Ints, visit_name: str = "Baseline") -> Table:
    table = Table(("SubjectUID", "Participant_ID", "Form_Name", "Visit_Name", *lines(columns)), len(person))
    table["SubjectUID"] = writer.ids[person]
    table["Participant_ID"] = np.array([f"CASE-{key}" for key in writer.ids[person]], dtype=object)
    table["Visit_Name"] = visit_name
    return table


def _with_controls(table: Table, n: int) -> Ints:
    """Add the rows of the controls at the end and return them."""
    extra = controls(n)
    last = table.rows
    table.duplicate(np.full(len(extra), last - 1))
    for name in table.header:
        table[name][last:] = ""
    table["SubjectUID"][last:] = extra
    table["Participant_ID"][last:] = [f"CTRL-{key}" for key in extra]
    return np.arange(last, table.rows)


def subjects(writer: Writer) -> Table:
    """Make subjects: the group of everyone, one of them a code that nobody has explained."""
    table = _table(writer, "subject_group_id", np.arange(writer.people.n))
    table["subject_group_id"] = "1"
    chosen = writer.plant("subjects", 1, np.arange(writer.people.n), {"unknown_group": 0.01, "other_disease": 0.02})
    table["subject_group_id"][chosen["unknown_group"]] = "3"
    table["subject_group_id"][chosen["other_disease"]] = "17"
    rows = _with_controls(table, writer.people.n)
    table["subject_group_id"][rows] = "5"
    return table


def demographics(writer: Writer) -> Table:
    """Make Demographics: age, or the day of birth for a fifth."""
    people = writer.people
    table = _table(writer, "Visit_Date age dob ethnic raceamin raceasn raceblk racenh racewt sex", np.arange(people.n))
    born = writer.uniform(2, people.n) < 0.2
    table["age"] = np.where(born, "", decimals(np.floor(people.age)))
    table["dob"] = np.where(born, decimals(-people.age * 365.25), "")
    table["sex"] = np.where(people.sex == "male", "1", "2")
    table["racewt"] = "1"
    table["ethnic"] = "2"
    chosen = writer.plant("Demographics", 3, np.arange(people.n), {"sex_code_unknown": 0.01, "age_impossible": 0.01})
    table["sex"][chosen["sex_code_unknown"]] = "7"
    table["age"][chosen["age_impossible"]] = "212"
    table["dob"][chosen["age_impossible"]] = ""
    rows = _with_controls(table, people.n)
    table["sex"][rows], table["age"][rows] = "2", "50"
    return table


def scores(writer: Writer) -> Table:
    """Make ALSFRS_R: a row per assessment."""
    people = writer.people
    person, visit = writer.visits()
    columns = "alsfdn alsfrs1 alsfrs2 alsfrs3 alsfrs4 alsfrs5 alsfrs5a alsfrs5b alsfrs6 alsfrs7 alsfrs8 alsfrs9 alsfrsdt alsfrsmd"
    table = _table(writer, f"{columns} alsfrsr1 alsfrsr2 alsfrsr3 alsfrsrp alsfrst", person, "Follow-up")
    items = people.items[person, visit].astype(np.int64)
    tube = people.gastrostomy[person, visit]
    for column, item in zip(lines("alsfrs1 alsfrs2 alsfrs3 alsfrs4"), range(4)):
        table[column] = decimals(items[:, item])
    table["alsfrs5a"] = np.where(tube, "", decimals(items[:, 4]))
    table["alsfrs5b"] = np.where(tube, decimals(items[:, 4]), "")
    for column, item in zip(lines("alsfrs6 alsfrs7 alsfrs8 alsfrs9 alsfrsr1 alsfrsr2 alsfrsr3"), range(5, 12)):
        table[column] = decimals(items[:, item])
    table["alsfrst"] = decimals(items.sum(axis=1))
    table["alsfrsdt"] = decimals(people.visit_day[person, visit])
    spoil_scores(
        writer,
        table,
        "ALSFRS_R",
        items,
        {"day": "alsfrsdt", "a": "alsfrs5a", "b": "alsfrs5b", "total": "alsfrst", "text": "alsfrs4", "five": "alsfrs8"},
    )
    return table


def history(writer: Writer) -> Table:
    """Make AALSHXFX: onset, diagnosis and check boxes of the site."""
    people = writer.people
    columns = "alsdxloc diagdt hxax hxaxnk hxaxtr hxaxtrrp hxblb hxblbsch hxblbsw hxgen hxli hxlil hxliu hxot hxotsp onsetdt"
    table = _table(writer, columns, np.arange(people.n))
    site = people.onset_site
    both = site == "limb and bulbar"
    table["hxblb"] = np.where((site == "bulbar") | both, "1", "")
    table["hxli"] = np.where((site == "limb") | both, "1", "")
    for box in ("hxax", "hxaxtr", "hxaxtrrp"):
        table[box] = np.where(site == "respiratory", "1", "")
    # A spinal onset has no box of its own.
    table["hxgen"] = np.where(site == "spine", "1", "")
    table["onsetdt"], table["diagdt"] = decimals(people.onset_day), decimals(people.diagnosis_day)
    limb = np.flatnonzero(site == "limb")
    chosen = writer.plant("AALSHXFX", 20, limb, {"onset_after_screening": 0.01, "onset_after_diagnosis": 0.01, "several_sites": 0.02})
    late, turned = chosen["onset_after_screening"], chosen["onset_after_diagnosis"]
    table["onsetdt"][late], table["diagdt"][late] = decimals(-people.onset_day[late]), ""
    table["onsetdt"][turned], table["diagdt"][turned] = decimals(people.diagnosis_day[turned]), decimals(people.onset_day[turned])
    table["hxax"][chosen["several_sites"]] = "1"
    return table


def diagnosis(writer: Writer) -> Table:
    """Make AALSDXFX: signs by region, and the category of the El Escorial criteria."""
    people = writer.people
    columns = [f"{start}{end}" for starts in REGIONS.values() for start in starts for end in ENDINGS.values()]
    table = _table(writer, " ".join(["Visit_Date alsdx1 alsdx2 alsdx3 alsdxdt elescrlr", *columns]), np.arange(people.n))
    cells = region_cells(people)
    for place, starts in enumerate(REGIONS.values()):
        for kind, end in ENDINGS.items():
            for start in starts:
                table[f"{start}{end}"] = decimals(cells[kind][:, place])
    table["elescrlr"] = np.array([str(_EL_ESCORIAL.index(word) + 1) for word in people.el_escorial], dtype=object)
    table["alsdxdt"], table["alsdx1"] = "0", "1"
    rates = {"sign_code_unknown": 0.01, "category_unknown": 0.01, "signs_without_day": 0.01}
    chosen = writer.plant("AALSDXFX", 30, np.arange(people.n), rates)
    table["blbcumn"][chosen["sign_code_unknown"]] = "3"
    table["elescrlr"][chosen["category_unknown"]] = "9"
    table["alsdxdt"][chosen["signs_without_day"]] = ""
    return table


def genes(writer: Writer) -> Table:
    """Make ALS_Gene_Mutations: self-reported results of half of the participants."""
    people = writer.people
    person = np.flatnonzero((writer.uniform(40, people.n) < 0.5) | (people.gene != ""))
    table = _table(writer, " ".join([*_GENES, *_NOT_TESTED.values(), "sod1muta", "mutot", "mutotsp"]), person)
    for column, gene in _GENES.items():
        table[column] = np.where(people.gene[person] == gene, "1", "2")
        table[_NOT_TESTED[column]] = "0"
    plain = np.flatnonzero(people.gene[person] == "")
    chosen = writer.plant("ALS_Gene_Mutations", 41, plain, {"code_unknown": 0.02, "not_tested_yet_positive": 0.02, "other_mutation": 0.03})
    table["fus"][chosen["code_unknown"]] = "3"
    table["sod1"][chosen["not_tested_yet_positive"]] = "1"
    table["sod1nd"][chosen["not_tested_yet_positive"]] = "1"
    table["mutot"][chosen["other_mutation"]] = "1"
    table["mutotsp"][chosen["other_mutation"]] = "OPTN"
    return table


def deaths(writer: Writer) -> Table:
    """Make Mortality: a row per death."""
    people = writer.people
    person = np.flatnonzero(people.event)
    table = _table(writer, "aut autdt diedcaus dieddt icd10cm", person)
    table["dieddt"] = decimals(people.end_day[person])
    table["diedcaus"] = "respiratory failure"
    twice = np.flatnonzero((people.total[person] >= 0).sum(axis=1) > 1)
    chosen = writer.plant("Mortality", 50, twice, {"day_missing": 0.03, "before_last_visit": 0.03})
    table["dieddt"][chosen["day_missing"]] = ""
    table["dieddt"][chosen["before_last_visit"]] = "1"
    return table


def capacity(writer: Writer) -> Table:
    """Make Vital_Capacity: slow vital capacity of everyone, forced of a third."""
    people = writer.people
    person, visit = writer.visits()
    table = _table(writer, "Visit_Date fvcl1 fvcl2 fvcl3 fvcp1 fvcp2 fvcp3 svcdt svcl1 svcl2 svcl3 svcp1 svcp2 svcp3 vcpos vctyp", person)
    best = people.vital_capacity[person, visit]
    forced = (writer.uniform(60, people.n) < 1 / 3)[person]
    for trial, part in ((1, 0.97), (2, 1.0), (3, 0.95)):
        table[f"svcp{trial}"] = decimals(best * part, 1)
        table[f"svcl{trial}"] = decimals(best * part * 0.04, 2)
        table[f"fvcp{trial}"] = np.where(forced, decimals(best * part, 1), "")
    table["svcdt"] = decimals(people.visit_day[person, visit])
    chosen = writer.plant("Vital_Capacity", 61, np.arange(table.rows), {"day_missing": 0.01, "percent_impossible": 0.01})
    table["svcdt"][chosen["day_missing"]] = ""
    table["svcp2"][chosen["percent_impossible"]] = "1000"
    return table


def vital_signs(writer: Writer) -> Table:
    """Make Vital_Signs: weight in pounds (1) for half, in kilograms (2) for the others; height at the first visit."""
    people = writer.people
    person, visit = writer.visits()
    table = _table(writer, "Visit_Date bmi bpdias bpsys height heightu hr rr temp tempu vsdt weight weightu", person)
    pounds = (writer.uniform(70, people.n) < 0.5)[person]
    weight = people.weight_kg[person, visit]
    table["weight"] = decimals(np.where(pounds, weight / 0.45359237, weight), 1)
    table["weightu"] = np.where(pounds, "1", "2")
    first = visit == 0
    table["height"] = np.where(first, decimals(people.height_cm[person] / 2.54, 2), "")
    table["heightu"] = np.where(first, "1", "")
    table["vsdt"] = decimals(people.visit_day[person, visit])
    chosen = writer.plant("Vital_Signs", 71, np.flatnonzero(~first), {"unit_missing": 0.01, "day_missing": 0.01})
    table["weightu"][chosen["unit_missing"]] = ""
    table["vsdt"][chosen["day_missing"]] = ""
    return table


def medications(writer: Writer) -> Table:
    """Make the medications log: the drugs of the simulation, and a vitamin for everyone."""
    people = writer.people
    person, drug = np.nonzero(~np.isnan(people.exposure_start))
    everyone = np.concatenate([person, np.arange(people.n)])
    table = _table(writer, "invdrg med meddose medenddt medfreq medrte medstdt medu", everyone)
    names = np.array([d.name.upper() for d in people.spec.drugs], dtype=object)
    table["med"][: person.size] = names[drug]
    table["med"][person.size :] = "vitamin D"
    stop = people.exposure_stop[person, drug]
    table["medstdt"][: person.size] = decimals(people.exposure_start[person, drug])
    table["medenddt"][: person.size] = decimals(np.where(np.isinf(stop), np.nan, stop))
    table["medu"], table["medfreq"] = "2", "2"
    return table


def feeding_tubes(writer: Writer) -> Table:
    """Make Feeding_Tube_Placement: the placements, and recommendations that came to nothing."""
    person, day = first_tube(writer.people)
    others = np.setdiff1d(np.arange(writer.people.n), person)[:5]
    table = _table(writer, "ftpaccdt ftpadmdt ftpdchdt ftpelctv ftprecdt ftptyp", np.concatenate([person, others]))
    table["ftpadmdt"][: person.size] = decimals(day)
    table["ftprecdt"] = "3"
    writer.planted["Feeding_Tube_Placement.recommended_only"] = int(others.size)
    return table


def tracheostomies(writer: Writer) -> Table:
    """Make Tracheostomy: one participant in fifty, on day 30."""
    table = _table(writer, "admsndt dschgdt trachrsn trchdt trchrcdt", np.arange(0, writer.people.n, 50))
    table["trchdt"], table["trchrcdt"] = "30", "10"
    return table


def ventilation(writer: Writer) -> Table:
    """Make Permanent_Assisted_Ventilation: yes, no, and not known, in turn."""
    person = np.arange(0, writer.people.n, 20)
    table = _table(writer, "pavdt pavyn", person)
    table["pavyn"] = np.array(["1", "2", "90"], dtype=object)[np.arange(person.size) % 3]
    table["pavdt"] = np.where(table["pavyn"] == "1", "40", "")
    return table


def niv(writer: Writer) -> Table:
    """Make NIV_Log: one participant in ten, from day 20."""
    table = _table(writer, "nivcont nivstpdt nivstrdt nivusdur nivusg", np.arange(0, writer.people.n, 10))
    table["nivstrdt"], table["nivusdur"] = "20", "8"
    return table


def family(writer: Writer) -> Table:
    """Make Family_History_Log: a relative with ALS of those with a family history, a relative with arthritis of the others."""
    people = writer.people
    table = _table(writer, "Visit_Date famrel fhals fharth fhgnc9 fhgnsod1", np.arange(people.n))
    table["famrel"] = "1"
    table["fhals"] = np.where(people.family_history, "1", "0")
    table["fharth"] = np.where(people.family_history, "", "1")
    return table


def chemistry(writer: Writer) -> Table:
    """Make Auxiliary_Chemistry_Labs: creatinine, and a test by name for one in ten."""
    people = writer.people
    table = _table(writer, "Visit_Date accreuni accrrslt crenorm labdn labdt uot1rslt uot1test uot1unit", np.arange(people.n))
    table["accrrslt"], table["accreuni"], table["labdt"] = "0.7", "mg/dL", "0"
    tenth = np.arange(0, people.n, 10)
    for column, cell in (("uot1rslt", "140"), ("uot1test", "Sodium"), ("uot1unit", "mmol/L")):
        table[column][tenth] = cell
    chosen = writer.plant("Auxiliary_Chemistry_Labs", 80, np.arange(people.n), {"limit": 0.02, "result_text": 0.02})
    table["accrrslt"][chosen["limit"]] = "<0.2"
    table["accrrslt"][chosen["result_text"]] = "hemolysed"
    return table


def grip(writer: Writer) -> Table:
    """Make Grip_Strength_Testing: two trials a hand at day 0."""
    table = _table(writer, "Visit_Date grpdtper grpstat lgrpt1 lgrpt2 rgrpt1 rgrpt2", np.arange(writer.people.n))
    table["grpdtper"] = "0"
    for column, cell in (("lgrpt1", "20"), ("lgrpt2", "21"), ("rgrpt1", "22"), ("rgrpt2", "23")):
        table[column] = cell
    return table


def samples(writer: Writer) -> Table:
    """Make Plasma_Sample: a file for which the canonical tables have no place."""
    table = _table(writer, "Visit_Date aliqcnt plspnk srpldt", np.arange(writer.people.n))
    table["srpldt"] = "0"
    return table


FILES: dict[str, Callable[[Writer], Table]] = {
    "subjects": subjects,
    "Demographics": demographics,
    "ALSFRS_R": scores,
    "AALSHXFX": history,
    "AALSDXFX": diagnosis,
    "ALS_Gene_Mutations": genes,
    "Mortality": deaths,
    "Vital_Capacity": capacity,
    "Vital_Signs": vital_signs,
    "ANSWER_ALS_Medications_Log": medications,
    "Feeding_Tube_Placement": feeding_tubes,
    "Tracheostomy": tracheostomies,
    "Permanent_Assisted_Ventilation": ventilation,
    "NIV_Log": niv,
    "Family_History_Log": family,
    "Auxiliary_Chemistry_Labs": chemistry,
    "Grip_Strength_Testing": grip,
    "Plasma_Sample": samples,
}
"""File -> what makes it."""
