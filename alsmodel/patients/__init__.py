"""Virtual participants: joint trajectories and events, written as arrays or in PRO-ACT's file layout."""

from alsmodel.patients.participants import VirtualParticipants, simulate
from alsmodel.patients.spec import Drug, Phenotype, VirtualCohort

__all__ = ["Drug", "Phenotype", "VirtualCohort", "VirtualParticipants", "simulate"]
