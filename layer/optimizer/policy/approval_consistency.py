"""What is wrong with who is asked although each field of it is right alone."""

from collections.abc import Iterator, Mapping
from typing import Any

from optimizer.core import short
from optimizer.policy.errors import PolicyError


def of_approvals(document: Mapping[str, Any]) -> Iterator[PolicyError]:
    """The errors. A field of the wrong type is the schema's to report."""
    approvals = document.get("approvals")
    if not isinstance(approvals, dict):
        return
    approvers, needed = approvals.get("approvers", []), approvals.get("needed", 1)
    if not isinstance(approvers, list):
        return
    seen: set[str] = set()
    for n, approver in enumerate(approvers):
        name = approver.get("name") if isinstance(approver, dict) else None
        if not isinstance(name, str):
            continue
        # Names that differ in case only would be two people to a filter policy and one to a reader.
        if name.casefold() in seen:
            yield PolicyError(f"approvals.approvers[{n}].name", f"{short(name)} is listed twice.")
        seen.add(name.casefold())
    # Without approvers one link goes to everybody, and who used it twice cannot be told.
    most = len(approvers) or 1
    if isinstance(needed, (int, float)) and not isinstance(needed, bool) and needed > most:
        listed = f"the {len(approvers)} that are listed" if approvers else "1, because no approvers are listed"
        yield PolicyError("approvals.needed", f"{short(needed)} is more than {listed}.")
