from optimizer.core.approval import (
    ANYONE as ANYONE,
    LONGEST_NAME as LONGEST_NAME,
    LONGEST_REASON as LONGEST_REASON,
    AnswerRefused as AnswerRefused,
    Approval as Approval,
    ApprovalStatus as ApprovalStatus,
    DifferentPlan as DifferentPlan,
    NotAsked as NotAsked,
    Vote as Vote,
    approvers_named as approvers_named,
    quote_words as quote_words,
)
from optimizer.core.canonical_json import plain as plain
from optimizer.core.change import (
    FINAL as FINAL,
    Change as Change,
    Effect as Effect,
    Interval as Interval,
    Judged as Judged,
    NoChange as NoChange,
    Rejection as Rejection,
    Risk as Risk,
    Status as Status,
    StoredChange as StoredChange,
    under_observation as under_observation,
)
from optimizer.core.clock import minute_of as minute_of, moment_of as moment_of
from optimizer.core.errors import MalformedChange as MalformedChange, OptimizerError as OptimizerError
from optimizer.core.field_paths import (
    child_path as child_path,
    join_path as join_path,
    printable_name as printable_name,
    short_json as short_json,
)
from optimizer.core.formatting import data_size as data_size, figure as figure
from optimizer.core.ping import (
    KEEP_FREE as KEEP_FREE,
    MAX_HOLD_MS as MAX_HOLD_MS,
    Answer as Answer,
    InvalidWarmup as InvalidWarmup,
    NotAWarmupAnswer as NotAWarmupAnswer,
    Ping as Ping,
    Warmed as Warmed,
    Warmup as Warmup,
    ping_payload as ping_payload,
    read_answer as read_answer,
)
from optimizer.core.printable_text import harmless as harmless, printable as printable
from optimizer.core.replaced import Replaced as Replaced
from optimizer.core.resources import (
    FunctionTarget as FunctionTarget,
    asked_tuners as asked_tuners,
    function_name as function_name,
    is_asked as is_asked,
)
from optimizer.core.signatures import decode_signature as decode_signature, encode_signature as encode_signature
from optimizer.core.tuners import (
    CONFIGURATION as CONFIGURATION,
    FUNCTION_TUNERS as FUNCTION_TUNERS,
    Tuner as Tuner,
    id_prefix as id_prefix,
    observed_together as observed_together,
)
from optimizer.core.warm_layer import is_wrapped as is_wrapped, ping_advice as ping_advice
from optimizer.core.ways import (
    Option as Option,
    Way as Way,
    best_way as best_way,
    cheapest_amount as cheapest_amount,
    cheapest_that_keeps as cheapest_that_keeps,
)
