"""Send the approval request of a run: a link to each approver, on a topic that nobody else gets."""

from collections.abc import Sequence
from dataclasses import dataclass

from optimizer.approvals.links import ApprovalLink
from optimizer.approvals.message import approval_message, unreached_message
from optimizer.approvals.topics import NO_TOPIC, topic_of, unreached
from optimizer.aws import LinkSigner
from optimizer.core import ANYONE, Approval, StoredChange
from optimizer.report import Channels, mail_once, publish_once, put_event_once
from optimizer.store import RunStore


@dataclass(frozen=True, slots=True)
class RequestSender:
    """Sends links, or commands where there is no page. `base_url` is the function URL of the page, empty without one.

    `topics` is the beginning of the approvers' topic ARNs.
    """

    channels: Channels
    store: RunStore
    signer: LinkSigner
    base_url: str
    topics: str
    stack: str = ""

    def __call__(self, approval: Approval, approvers: Sequence[str]) -> None:
        """Send each approver a link, and tell people whom none could reach and how these respond.

        A link of one approver goes to the approver's own topic alone. If the policy names no approvers, the link is for
        everybody who gets the messages for people.
        """
        named = [approver for approver in approvers if approver != ANYONE]
        lost = unreached(self.channels.sns, self.topics, named)
        changes = self.store.changes(approval.changes)
        if approvers:
            # One event a request, whoever its links are for.
            message = approval_message(approval, ANYONE, "", changes, self.stack)
            put_event_once(self.channels, self.store, f"{self._about(approval, '')}#EVENT", message, approval.asked_at)
        for approver in approvers:
            self._send(approval, approver, changes, has_topic=lost.get(approver) != NO_TOPIC)
        if lost:
            message = unreached_message(approval, lost, changes, self.stack)
            mail_once(self.channels, self.store, self._about(approval, ""), message, approval.asked_at)

    def _send(self, approval: Approval, approver: str, changes: Sequence[StoredChange], *, has_topic: bool) -> None:
        link = ApprovalLink(approval.run_id, approver, approval.expires_at, approval.digest)
        url = link.url(self.base_url, self.signer.sign(link)) if has_topic and self.base_url else ""
        channels = self.channels
        if approver != ANYONE:
            channels = channels.of_one_approver(topic_of(self.topics, approver))
        message = approval_message(approval, approver, url, changes, self.stack)
        about = self._about(approval, approver)
        publish_once(channels, self.store, about, message, approval.asked_at, mail=has_topic, event=False)

    @staticmethod
    def _about(approval: Approval, approver: str) -> str:
        # A run that waits anew sends newer links, and each is a message of its own.
        return f"APPROVAL#{approval.run_id}#{approver}#{int(approval.expires_at.timestamp())}"
