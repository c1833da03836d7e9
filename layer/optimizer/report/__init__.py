"""Messages and pages for people: the report of a run, the outcome of a change, the review of a quarter."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "approved": ("publish_approval",),
        "charts": ("bars",),
        "collect": (
            "publish_change",
            "publish_run",
        ),
        "commands": (
            "command_for",
            "report_command",
        ),
        "describe": ("change_phrase",),
        "http": ("respond_to_report_request",),
        "lines": (
            "Line",
            "line",
        ),
        "links": (
            "ReportLink",
            "signed_url",
        ),
        "message": ("Message",),
        "pages": ("page_environment",),
        "publish": (
            "Channels",
            "mail_once",
            "publish_once",
            "put_event_once",
        ),
        "review.publish": ("publish_review",),
        "style": ("BASE_STYLE",),
        "text": ("last_message",),
        "wording": (
            "count",
            "dollars",
            "reason",
            "saves_or_costs",
            "sentence",
            "status_words",
        ),
        "write_pages": ("render_part",),
    },
)
