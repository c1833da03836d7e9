"""Asking people: the approval request, its links, its page, and their responses."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.approvals.links import ApprovalLink as ApprovalLink
    from optimizer.approvals.request_approval import ask as ask
    from optimizer.approvals.request_approval import expire as expire
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "links": ("ApprovalLink",),
            "request_approval": (
                "ask",
                "expire",
            ),
        },
    )
