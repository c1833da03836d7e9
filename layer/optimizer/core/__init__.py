"""The records and small helpers that every room knows: the change, the approval request, pings, JSON, formatting."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.core.approval import ANYONE as ANYONE
    from optimizer.core.approval import LONGEST_NAME as LONGEST_NAME
    from optimizer.core.approval import LONGEST_REASON as LONGEST_REASON
    from optimizer.core.approval import AnswerRefused as AnswerRefused
    from optimizer.core.approval import Approval as Approval
    from optimizer.core.approval import ApprovalStatus as ApprovalStatus
    from optimizer.core.approval import DifferentPlan as DifferentPlan
    from optimizer.core.approval import NotAsked as NotAsked
    from optimizer.core.approval import Vote as Vote
    from optimizer.core.approval import approvers_named as approvers_named
    from optimizer.core.canonical_json import plain as plain
    from optimizer.core.change import FINAL as FINAL
    from optimizer.core.change import Change as Change
    from optimizer.core.change import Effect as Effect
    from optimizer.core.change import Interval as Interval
    from optimizer.core.change import MalformedChange as MalformedChange
    from optimizer.core.change import NoChange as NoChange
    from optimizer.core.change import Risk as Risk
    from optimizer.core.change import Status as Status
    from optimizer.core.change import Tuner as Tuner
    from optimizer.core.change import function_name as function_name
    from optimizer.core.change import id_prefix as id_prefix
    from optimizer.core.clock import minute_of as minute_of
    from optimizer.core.clock import moment_of as moment_of
    from optimizer.core.errors import OptimizerError as OptimizerError
    from optimizer.core.field_paths import join as join
    from optimizer.core.field_paths import join_path as join_path
    from optimizer.core.field_paths import printable_name as printable_name
    from optimizer.core.field_paths import short as short
    from optimizer.core.formatting import data_size as data_size
    from optimizer.core.formatting import figure as figure
    from optimizer.core.ping import MAX_HOLD_MS as MAX_HOLD_MS
    from optimizer.core.ping import Answer as Answer
    from optimizer.core.ping import NotAWarmupAnswer as NotAWarmupAnswer
    from optimizer.core.ping import Ping as Ping
    from optimizer.core.ping import Warmed as Warmed
    from optimizer.core.ping import Warmup as Warmup
    from optimizer.core.ping import ping_payload as ping_payload
    from optimizer.core.ping import read_answer as read_answer
    from optimizer.core.recorded_change import Judged as Judged
    from optimizer.core.recorded_change import StoredChange as StoredChange
    from optimizer.core.resources import FunctionTarget as FunctionTarget
    from optimizer.core.resources import is_asked as is_asked
    from optimizer.core.signatures import decode_signature as decode_signature
    from optimizer.core.signatures import encode_signature as encode_signature
else:
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
            ),
            "canonical_json": ("plain",),
            "change": (
                "Change",
                "Effect",
                "FINAL",
                "Interval",
                "MalformedChange",
                "NoChange",
                "Risk",
                "Status",
                "Tuner",
                "function_name",
                "id_prefix",
            ),
            "clock": (
                "minute_of",
                "moment_of",
            ),
            "errors": ("OptimizerError",),
            "field_paths": (
                "join",
                "join_path",
                "printable_name",
                "short",
            ),
            "formatting": (
                "data_size",
                "figure",
            ),
            "ping": (
                "Answer",
                "MAX_HOLD_MS",
                "NotAWarmupAnswer",
                "Ping",
                "Warmed",
                "Warmup",
                "ping_payload",
                "read_answer",
            ),
            "recorded_change": (
                "Judged",
                "StoredChange",
            ),
            "resources": (
                "FunctionTarget",
                "is_asked",
            ),
            "signatures": (
                "decode_signature",
                "encode_signature",
            ),
        },
    )
