"""A first assessment of an account: read-only, without a deployment, a tag or a write."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "application_bill": (
            "METRICS_A_RUN",
            "cost_table",
            "own_bill",
            "usual_use",
        ),
        "assessor": ("Assessor",),
        "html": ("html_page",),
        "read_only": ("ReadOnlySession",),
        "reads": ("rights_document",),
        "table": (
            "csv_text",
            "document",
        ),
        "text": ("page",),
        "worth": (
            "UnreadableAssessment",
            "Worth",
            "worth_warnings",
        ),
    },
)
