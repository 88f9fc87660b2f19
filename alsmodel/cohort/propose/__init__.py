"""Looks at the columns of files of any layout and proposes a mapping, which their owner then completes."""

from alsmodel.cohort.propose.proposal import Proposal, propose

__all__ = ["Proposal", "propose"]
