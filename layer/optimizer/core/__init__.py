"""The records and small helpers that every room knows: the change, the approval request, pings, JSON, formatting."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "approval": (
            "ANYONE",
            "AnswerRefused",
            "Approval",
            "ApprovalStatus",
            "DifferentPlan",
            "LONGEST_NAME",
            "LONGEST_REASON",
            "NotAsked",
            "Vote",
            "approvers_named",
            "quote_words",
        ),
        "canonical_json": ("plain",),
        "change": (
            "Change",
            "Effect",
            "FINAL",
            "Interval",
            "Judged",
            "NoChange",
            "Rejection",
            "Risk",
            "Status",
            "StoredChange",
            "under_observation",
        ),
        "clock": (
            "minute_of",
            "moment_of",
        ),
        "errors": (
            "MalformedChange",
            "OptimizerError",
        ),
        "field_paths": (
            "child_path",
            "join_path",
            "printable_name",
            "short_json",
        ),
        "formatting": (
            "data_size",
            "figure",
        ),
        "ping": (
            "Answer",
            "InvalidWarmup",
            "KEEP_FREE",
            "MAX_HOLD_MS",
            "NotAWarmupAnswer",
            "Ping",
            "Warmed",
            "Warmup",
            "ping_payload",
            "read_answer",
        ),
        "printable_text": (
            "harmless",
            "printable",
        ),
        "replaced": ("Replaced",),
        "resources": (
            "FunctionTarget",
            "asked_tuners",
            "function_name",
            "is_asked",
        ),
        "signatures": (
            "decode_signature",
            "encode_signature",
        ),
        "tuners": (
            "CONFIGURATION",
            "FUNCTION_TUNERS",
            "Tuner",
            "id_prefix",
            "observed_together",
        ),
        "warm_layer": (
            "is_wrapped",
            "ping_advice",
        ),
        "ways": (
            "Option",
            "Way",
            "best_way",
            "cheapest_amount",
            "cheapest_that_keeps",
        ),
    },
)
