from optimizer.guardrails.cache_ttls import CacheTtlState as CacheTtlState, cache_name as cache_name
from optimizer.guardrails.calendar import WindowWait as WindowWait, wait_for_window as wait_for_window
from optimizer.guardrails.check_all import check as check, recheck as recheck, still_allowed as still_allowed
from optimizer.guardrails.indexes import ALTERS as ALTERS, MIB as MIB, IndexState as IndexState, table_of as table_of
from optimizer.guardrails.run import (
    Account as Account,
    is_new_plan as is_new_plan,
    needs_account as needs_account,
)
from optimizer.guardrails.totals import Held as Held, raised_usd_month as raised_usd_month
from optimizer.guardrails.verdict import PASSES as PASSES, Decision as Decision, Refusal as Refusal, Verdict as Verdict
from optimizer.guardrails.warmups import WarmupState as WarmupState
