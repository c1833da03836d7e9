from optimizer.indexes.model.catalog import (
    BuildInProgress as BuildInProgress,
    Catalog as Catalog,
    CatalogServer as CatalogServer,
    Column as Column,
    Constraint as Constraint,
    Engine as Engine,
    ForeignKey as ForeignKey,
    Index as Index,
    IndexPages as IndexPages,
    KeyPart as KeyPart,
    StatementStat as StatementStat,
    Table as Table,
)
from optimizer.indexes.model.faulty_builds import why_builds_are_faulty as why_builds_are_faulty
from optimizer.indexes.model.finding import Action as Action, Finding as Finding, Kind as Kind
from optimizer.indexes.model.history import Past as Past
from optimizer.indexes.model.new_finding import (
    about_index as about_index,
    about_table as about_table,
    choose_dropped as choose_dropped,
    covered_finding as covered_finding,
    kept_beside as kept_beside,
    unused_finding as unused_finding,
)
from optimizer.indexes.model.usage import (
    IndexId as IndexId,
    IndexUsage as IndexUsage,
    UsageLimits as UsageLimits,
    UsageSnapshot as UsageSnapshot,
    judge_usage as judge_usage,
    take_snapshot as take_snapshot,
)
