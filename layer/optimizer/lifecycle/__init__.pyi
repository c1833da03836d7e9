from optimizer.lifecycle.handler import Setting as Setting, handle as handle
from optimizer.lifecycle.hooks import (
    Applied as Applied,
    Blocked as Blocked,
    End as End,
    Failed as Failed,
    Finished as Finished,
    Hooks as Hooks,
    Keep as Keep,
    Look as Look,
    LookAgain as LookAgain,
    Observation as Observation,
    Outdated as Outdated,
    Pending as Pending,
    Ready as Ready,
    RollBack as RollBack,
    RolledBack as RolledBack,
    WatchOn as WatchOn,
    rest_until as rest_until,
)
from optimizer.lifecycle.lifecycle import FIELDS as FIELDS, Lifecycle as Lifecycle
from optimizer.lifecycle.progress import (
    ChangeProgress as ChangeProgress,
    Recorder as Recorder,
    document_of as document_of,
)
