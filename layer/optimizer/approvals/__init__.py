"""The approval request of a run: its links, its mail, its page, and the responses to it."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "direct": (
            "direct_step",
            "respond_directly",
            "show_approval_request",
        ),
        "expire": ("expire_approval_request",),
        "http": (
            "PageServices",
            "failure_response",
            "respond_to_page_request",
        ),
        "links": ("is_approver",),
        "request_approval": ("send_approval_request",),
        "send": ("RequestSender",),
        "tell_people": ("tell_answers",),
        "tell_run": (
            "people_teller",
            "run_teller",
        ),
        "topics": (
            "NOT_CONFIRMED",
            "NO_TOPIC",
            "approver_of",
            "approver_topics",
            "delete_topics",
            "existing_topics",
            "is_not_found",
            "topic_of",
            "unreached",
        ),
    },
)
