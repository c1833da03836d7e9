"""Plans the changes of one database: reads its catalog, checks each finding on the writer, writes the proposals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from optimizer.core import Change, NoChange, OptimizerError, Tuner, under_observation
from optimizer.guardrails import ALTERS
from optimizer.indexes.change.server import DatabaseServer, Job, State
from optimizer.indexes.detect import detect_findings
from optimizer.indexes.model import Catalog, Finding, Past, take_snapshot
from optimizer.indexes.postgresql.bloat import bloat_shares
from optimizer.indexes.propose import DatabaseFacts, action_for, job_for, propose, target_for
from optimizer.policy import Database, Indexes, Policy
from optimizer.store import ActingRecords, Documents, NoSuchDocument, Proposals, RunStore


class UnknownDatabase(OptimizerError, LookupError):
    """The policy of the run contains no database of this name."""


def find_database(policy: Policy, name: str) -> Database:
    """Return the database of the policy that has this name; raise UnknownDatabase."""
    for database in policy.indexes.databases:
        if database.name == name:
            return database
    raise UnknownDatabase(f"the policy of the run contains no database {name!r}")


@dataclass(frozen=True, slots=True)
class Planner:
    """The planner of one database; `read` returns the catalogs of all nodes, the writer first."""

    store: RunStore
    records: ActingRecords
    documents: Documents
    server: DatabaseServer
    database: Database
    read: Callable[[], Sequence[Catalog]]
    limits: Indexes

    def plan(self, run_id: str, now: datetime) -> Proposals:
        """Return the proposals, and the reasons for findings without one; store the history for later runs."""
        key = f"history/indexes/{self.database.name}.json"
        past = self._past(key, run_id)
        nodes = self.read()
        findings = detect_findings(nodes, self.limits, past.snapshots, past.bloat)
        cooling, observed = self._cooling(findings, now), self._observed(findings, now)
        proposals, known = Proposals(), set[str]()
        for finding in findings:
            proposal = self._propose(run_id, finding, cooling, observed)
            if isinstance(proposal, Change):
                if proposal.id in known:
                    continue
                known.add(proposal.id)
            proposals.add(proposal)
        proposals.write(self.documents, run_id, f"indexes-{self.database.name}")
        snapshots = [take_snapshot(node) for node in nodes]
        self.documents.write(key, past.with_run(run_id, snapshots, bloat_shares(nodes[0], nodes[0].pages)))
        return proposals

    def _propose(
        self, run_id: str, finding: Finding, cooling: dict[str, datetime], observed: dict[str, str]
    ) -> Change | NoChange:
        name, action = self.database.name, action_for(finding)
        table = f"{name}/{finding.schema}.{finding.table}"
        if action in ALTERS and table in cooling:
            until = f"{cooling[table]:%Y-%m-%d %H:%M %Z}"
            reason = f"{finding.reason} An index of this table was changed recently; its cool-down ends on {until}."
            return NoChange(run_id, Tuner.INDEXES, target_for(name, finding), reason)
        if action in ALTERS and table in observed:
            reason = f"{finding.reason} {observed[table]}"
            return NoChange(run_id, Tuner.INDEXES, target_for(name, finding), reason)
        live = cover = None
        own = False
        if action:
            index = "" if action == "create_index" else finding.index or ""
            live = self.server.look(finding.schema, finding.table, index, job_for(finding))
            if finding.covered_by:
                cover = self.server.look(finding.schema, finding.table, finding.covered_by, Job.ANALYZE)
            own = action == "drop_leftover" and self._is_own(live)
        return propose(run_id, name, finding, DatabaseFacts(live, cover, own=own))

    def _is_own(self, live: State | None) -> bool:
        return live is not None and self.records.began(self.database.name, live.shape, live.table_oid or 0)

    def _observed(self, findings: Sequence[Finding], now: datetime) -> dict[str, str]:
        """Return why a table is not changed: an earlier change of its indexes is still under observation."""
        found = self.store.under_observation(sorted(self._tables(findings)), (Tuner.INDEXES,), now)
        return {table: under_observation(earlier) for (table, _), earlier in found.items()}

    def _tables(self, findings: Sequence[Finding]) -> set[str]:
        return {f"{self.database.name}/{finding.schema}.{finding.table}" for finding in findings}

    def _cooling(self, findings: Sequence[Finding], now: datetime) -> dict[str, datetime]:
        tables = self._tables(findings)
        found = self.store.cool_downs(sorted(tables), Tuner.INDEXES)
        return {table: until for table, until in found.items() if now < until}

    def _past(self, key: str, run_id: str) -> Past:
        try:
            return Past.read(self.documents.read(key), run_id)
        except NoSuchDocument:
            return Past()
