from optimizer.indexes.postgresql.generic_plan import (
    explain_generically as explain_generically,
    is_planned as is_planned,
    run_one as run_one,
)
from optimizer.indexes.postgresql.plans import total_cost as total_cost
from optimizer.indexes.postgresql.reader import read_only_snapshot as read_only_snapshot, read_roles as read_roles
