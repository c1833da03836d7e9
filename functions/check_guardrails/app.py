"""CheckGuardrails: hold all proposals of a run, together, to the policy."""

from datetime import UTC, datetime
from typing import Any

from optimizer import aws
from optimizer.documents import Documents, NoSuchDocument
from optimizer.environment import Environment
from optimizer.guardrails.plan import make_plan, read_account, read_proposals, record_plan
from optimizer.guardrails.verdict import Decision
from optimizer.policy.model import Policy
from optimizer.runs import RunStore


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, check_guardrails."""
    run_id, now = event["run_id"], datetime.now(UTC)
    environment = Environment.read()
    documents = Documents(aws.client("s3"), environment.bucket)
    store = RunStore(aws.client("dynamodb"), environment.table)
    plan_key = f"runs/{run_id}/plan.json"
    try:
        # Checking again must not judge at another time of day: a plan that is written stays.
        plan = documents.read(plan_key)
    except NoSuchDocument:
        policy = Policy.from_document(documents.read(f"runs/{run_id}/policy.json"))
        run = store.run(run_id)
        proposals = read_proposals(documents, run_id, run["tuners"])
        account = read_account(aws.client("lambda"), store, proposals, run["targets"])
        plan = make_plan(run_id, proposals, policy, account, now).document()
        documents.write(plan_key, plan)
    record_plan(store, plan, now)
    return {"outcome": "checked", "run_id": run_id, "plan_key": plan_key, **_summary(plan)}


def _summary(plan: dict[str, Any]) -> dict[str, Any]:
    def ids(decision: Decision) -> list[dict[str, str]]:
        return [
            {"change_id": item["change"]["id"], "tuner": item["change"]["tuner"]}
            for item in plan["proposals"]
            if item["verdict"] == decision
        ]

    return {
        "digest": plan["digest"],
        "automatic": ids(Decision.AUTOMATIC),
        "ask": ids(Decision.ASK),
        "recommended": len(ids(Decision.RECOMMENDED)),
        "refused": len(ids(Decision.REFUSED)),
    }
