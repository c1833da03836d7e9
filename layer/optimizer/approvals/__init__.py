"""Asking people: the question of a run, who may answer it through which link, and the page on which they do.

`question` is pure, `links` too; `ask` puts the question and `answer` takes an answer, each recording before it acts;
`web` turns requests of the function URL into pages.
"""

from optimizer.approvals.question import Approval, ApprovalStatus, Vote

__all__ = ["Approval", "ApprovalStatus", "Vote"]
