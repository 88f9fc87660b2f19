"""The files of ALL ALS, faults included: ASSESS (AS) with every simulated participant, PREVENT (PR) with carriers beside them."""

from collections.abc import Callable
from functools import partial

import numpy as np

from alsmodel.patients.csv_text import Table, decimals
from alsmodel.patients.neurobank_layout import Ints, Writer, first_tube, lines, spoil_scores

#: Days of a carrier's visits, and of the first symptom of those who become ill.
CARRIER_DAYS = (0, 365)
ONSET_DAY = 500
_GENE_CODES = {"C9orf72": "1", "SOD1": "2", "FUS": "14", "TARDBP": "27"}


def carriers(n: int) -> Ints:
    """Return the numbers of the carriers that stand beside n participants; their keys begin with CARRIER."""
    return np.arange(max(3, n // 10))


def _table(writer: Writer, columns: str, person: Ints, arm: str = "AS") -> Table:
    table = Table(("SubjectUID", "internal_subject_id", *lines(columns)), len(person))
    table["SubjectUID"] = writer.ids[person] if arm == "AS" else np.array([f"CARRIER{k:04d}" for k in person], dtype=object)
    return table


def _demographics(writer: Writer, arm: str) -> Table:
    """Make ASSEDEMOG or PREVDEMOG; 1 is female, height in inches is 2."""
    people = writer.people
    person = np.arange(people.n) if arm == "AS" else carriers(people.n)
    table = _table(writer, "dmyn dmdat brthdat sex height vsorresu aian_race black_race white_race zipcode", person, arm)
    table["dmdat"] = writer.when(person, np.zeros(person.size))
    table["brthdat"] = writer.when(person, -np.round(people.age[person] * 365.25))
    table["sex"] = np.where(people.sex[person] == "female", "1", "2")
    table["height"], table["vsorresu"] = decimals(people.height_cm[person] / 2.54, 2), "2"
    table["white_race"] = "1"
    if arm == "AS":
        chosen = writer.plant("AS_ASSEDEMOG", 1, person, {"sex_unknown": 0.02, "sex_intersex": 0.01, "birth_unreadable": 0.01})
        table["sex"][chosen["sex_unknown"]] = "90"
        table["sex"][chosen["sex_intersex"]] = "3"
        table["brthdat"][chosen["birth_unreadable"]] = "long ago"
    return table


def scores(writer: Writer) -> Table:
    """Make ASSEALSFRSR: a row per assessment; the faults spare the first of each participant, which is day 0."""
    people = writer.people
    person, visit = writer.visits()
    order = "speech saliva swallow hndwrit hygiene bedcloth walking stairs dyspnea ortho respins"
    columns = [f"{item}_ftorres" for item in lines(order)]
    table = _table(writer, " ".join(["ftdat ftadmin ftresp", *columns, "gastro_ftorres utenwog_ftorres utenwg_ftorres fttotal"]), person)
    items = people.items[person, visit].astype(np.int64)
    for column, item in zip(columns, (0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11)):
        table[column] = decimals(items[:, item])
    tube = people.gastrostomy[person, visit]
    table["gastro_ftorres"] = np.where(tube, "1", "2")
    table["utenwog_ftorres"] = np.where(tube, "", decimals(items[:, 4]))
    table["utenwg_ftorres"] = np.where(tube, decimals(items[:, 4]), "")
    table["fttotal"] = decimals(items.sum(axis=1))
    table["ftdat"] = writer.when(person, people.visit_day[person, visit])
    table["ftadmin"], table["ftresp"] = "2", "1"
    names = {
        "day": "ftdat",
        "a": "utenwog_ftorres",
        "b": "utenwg_ftorres",
        "total": "fttotal",
        "text": "hndwrit_ftorres",
        "five": "walking_ftorres",
    }
    spoil_scores(writer, table, "AS_ASSEALSFRSR", items, names, np.flatnonzero(visit > 0))
    return table


def history(writer: Writer) -> Table:
    """Make ASSEALSHIST: onset, diagnosis, boxes of the site, family history."""
    people = writer.people
    person = np.arange(people.n)
    table = _table(writer, "mhstat mhdat mhoccur mhstdat limb_mhloc bulb_mhloc axia_mhloc resp_mhloc gen_mhloc mhevdtyp_diagnosis", person)
    both = people.onset_site == "limb and bulbar"
    boxes = {"limb_mhloc": "limb", "bulb_mhloc": "bulbar", "resp_mhloc": "respiratory", "gen_mhloc": "spine"}
    for box, site in boxes.items():
        table[box] = np.where((people.onset_site == site) | (both & (site in ("limb", "bulbar"))), "1", "")
    table["mhstdat"] = writer.when(person, people.onset_day)
    table["mhevdtyp_diagnosis"] = writer.when(person, people.diagnosis_day)
    table["mhoccur"] = np.where(people.family_history, "1", np.where(person % 2 == 0, "2", "90"))
    chosen = writer.plant("AS_ASSEALSHIST", 20, person, {"onset_by_month": 0.0 if writer.relative else 0.03})
    month = chosen["onset_by_month"]
    table["mhstdat"][month] = [cell[:7] for cell in table["mhstdat"][month]]
    return table


def _vital_signs(writer: Writer, arm: str) -> Table:
    """Make ASSEVITSIGN or PREVVITSIGN: weight in pounds (2) for one in three, in kilograms (1) for the others."""
    people = writer.people
    columns = "vsdat weight_vsorres weight_vsorresu pulse_vsorres sysbp_vsorres diabp_vsorres"
    if arm == "AS":
        person, visit = writer.visits()
        day, weight = people.visit_day[person, visit], people.weight_kg[person, visit]
    else:
        person = np.repeat(carriers(people.n), len(CARRIER_DAYS))
        day, weight = np.tile(CARRIER_DAYS, person.size // len(CARRIER_DAYS)), np.full(person.size, 70.0)
    table = _table(writer, columns, person, arm)
    pounds = person % 3 == 0
    table["weight_vsorres"] = decimals(np.where(pounds, weight / 0.45359237, weight), 1)
    table["weight_vsorresu"] = np.where(pounds, "2", "1")
    table["vsdat"] = writer.when(person, day)
    return table


def capacity(writer: Writer) -> Table:
    """Make ASSEVC: slow (1) and forced (2) vital capacity in turn, by participant."""
    people = writer.people
    person, visit = writer.visits()
    table = _table(writer, "reattmpt redat svctest svc_t1_reorres svc_t2_reorres svc_t3_reorres vcpp_reorres source", person)
    percent = people.vital_capacity[person, visit]
    table["vcpp_reorres"] = decimals(percent, 1)
    for trial, part in ((1, 0.97), (2, 1.0), (3, 0.95)):
        table[f"svc_t{trial}_reorres"] = decimals(percent * part * 0.04, 2)
    table["svctest"] = np.where(person % 2 == 0, "1", "2")
    table["redat"] = writer.when(person, people.visit_day[person, visit])
    chosen = writer.plant("AS_ASSEVC", 30, np.arange(table.rows), {"test_unknown": 0.01})
    table["svctest"][chosen["test_unknown"]] = "3"
    return table


def devices(writer: Writer) -> Table:
    """Make ASSEKEYDEV: feeding tubes (1), tracheostomies (5), a pacing system (8); the questions of the form for the others."""
    people = writer.people
    person, day = first_tube(people)
    opened = np.arange(0, people.n, 50)
    asked = np.setdiff1d(np.arange(people.n), person)
    everyone = np.concatenate([person, opened, [1], asked])
    table = _table(writer, "pryn ft niv trach dps prspid prtrt prstdat prongo", everyone)
    logged = person.size + opened.size + 1
    table["prtrt"][:logged] = np.repeat(np.array(["1", "5", "8"], dtype=object), [person.size, opened.size, 1])
    days = np.concatenate([day, np.full(opened.size, 30.0), [40.0], np.full(asked.size, np.nan)])
    table["prstdat"] = writer.when(everyone, days)
    for question in ("ft", "trach"):
        table[question][logged:] = "2"
    table["niv"][logged:] = np.where(asked % 10 == 3, "1", np.where(asked % 10 == 4, "90", "2"))
    return table


def ends(writer: Writer) -> Table:
    """Make ASSEPARTFINDI: deaths (5), consent withdrawn (7) by those who left."""
    people = writer.people
    person = np.flatnonzero(people.event | (people.end_reason == "dropout"))
    table = _table(writer, "dsend dsstdat dsdecod dsterm", person)
    table["dsdecod"] = np.where(people.event[person], "5", "7")
    table["dsstdat"] = writer.when(person, people.end_day[person])
    return table


def carriers_ends(writer: Writer) -> Table:
    """Make PREVPARTFINDIS: one died (7), one completed because of symptoms (5)."""
    person = np.array([0, 1])
    table = _table(writer, "dsend dsstdat dsdecod", person, "PR")
    table["dsdecod"] = np.array(["7", "5"], dtype=object)
    table["dsstdat"] = writer.when(person, np.full(2, 700.0))
    return table


def conversions(writer: Writer) -> Table:
    """Make PREVPHENOCONVER: the second carrier becomes ill, the others do not."""
    person = carriers(writer.people.n)
    table = _table(writer, "pcstat pcdat clin_phen alsondat alsdiagdat alssite ftdondat ftddiagdat describe", person, "PR")
    ill = person == 1
    table["pcstat"] = np.where(ill, "1", "2")
    for column, day in (("pcdat", 600.0), ("alsondat", float(ONSET_DAY)), ("alsdiagdat", 590.0)):
        table[column] = writer.when(person, np.where(ill, day, np.nan))
    table["alssite"] = np.where(ill, "1", "")
    return table


def _genes(writer: Writer, arm: str) -> Table:
    """Make ASSEPRALSGENTST or PREVPRALSGENTST: a pathogenic variant (1) of those with a gene, a doubtful one (3) of one carrier."""
    people = writer.people
    person = np.flatnonzero(people.gene != "") if arm == "AS" else carriers(people.n)
    table = _table(writer, "pralsgt_stat gene_spid gene_name prochg lbclass", person, arm)
    table["gene_name"] = "1"
    if arm == "AS":
        table["gene_name"] = np.array([_GENE_CODES.get(gene, "99") for gene in people.gene[person]], dtype=object)
    table["lbclass"] = "1"
    if arm == "PR":
        table["lbclass"][2:3] = "3"
    return table


def medications(writer: Writer) -> Table:
    """Make ASSECONMD: the drugs of the simulation."""
    people = writer.people
    person, drug = np.nonzero(~np.isnan(people.exposure_start))
    table = _table(writer, "cmperf cmyn cmspid cmtrt cmdose cmdosu cmdosfrq cmroute cmstdat cmongo cmendat", person)
    table["cmtrt"] = np.array([d.name for d in people.spec.drugs], dtype=object)[drug]
    stop = people.exposure_stop[person, drug]
    table["cmstdat"] = writer.when(person, people.exposure_start[person, drug])
    table["cmendat"] = writer.when(person, np.where(np.isinf(stop), np.nan, stop))
    table["cmdosu"], table["cmdosfrq"], table["cmroute"] = "1", "2", "1"
    return table


def samples(writer: Writer) -> Table:
    """Make PREVCSFCO: a view for which the canonical tables have no place."""
    table = _table(writer, "beyn bestat bestdat coval", carriers(writer.people.n), "PR")
    table["beyn"] = "2"
    return table


FILES: dict[str, Callable[[Writer], Table]] = {
    "AS_ASSEDEMOG": partial(_demographics, arm="AS"),
    "AS_ASSEALSFRSR": scores,
    "AS_ASSEALSHIST": history,
    "AS_ASSEVITSIGN": partial(_vital_signs, arm="AS"),
    "AS_ASSEVC": capacity,
    "AS_ASSEKEYDEV": devices,
    "AS_ASSEPARTFINDI": ends,
    "AS_ASSEPRALSGENTST": partial(_genes, arm="AS"),
    "AS_ASSECONMD": medications,
    "PR_PREVDEMOG": partial(_demographics, arm="PR"),
    "PR_PREVVITSIGN": partial(_vital_signs, arm="PR"),
    "PR_PREVPARTFINDIS": carriers_ends,
    "PR_PREVPHENOCONVER": conversions,
    "PR_PREVPRALSGENTST": partial(_genes, arm="PR"),
    "PR_PREVCSFCO": samples,
}
"""View -> what makes it."""
