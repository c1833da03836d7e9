"""Queues and streams that call functions: nobody waits for the cold starts of their consumers."""

from collections import defaultdict
from collections.abc import Sequence

from optimizer.aws import LambdaClient
from optimizer.store import Documents, EventSources, listed_event_sources, write_event_sources

_OFF = frozenset({"Disabled", "Disabling", "Deleting"})


def event_sources_of_run(lambda_: "LambdaClient", documents: Documents, run_id: str) -> EventSources:
    """Return what `read_event_sources` does, as a batch of this run listed it, or list it for the batches to come.

    The listing grows with the account, and so does the number of batches: one listing for each would take a share of
    Lambda's quota that grows with their product."""
    listed = listed_event_sources(documents, run_id)
    if listed is None:
        listed = read_event_sources(lambda_)
        write_event_sources(documents, run_id, listed)
    return listed


def read_event_sources(lambda_: "LambdaClient") -> EventSources:
    """Return the queues and streams by the ARN that they call, which ends with an alias or version where it has one.

    One listing of the account answers for all functions; those that are switched off are left out."""
    found: dict[str, list[str]] = defaultdict(list)
    for page in lambda_.get_paginator("list_event_source_mappings").paginate():
        for mapping in page["EventSourceMappings"]:
            if mapping.get("State") not in _OFF:
                found[mapping["FunctionArn"]].append(mapping.get("EventSourceArn") or "a Kafka cluster")
    return found


def why_nobody_waits(sources: EventSources, function_arn: str, qualifiers: Sequence[str]) -> str:
    """Return why nobody waits for the function behind these qualifiers (alias and version); empty if people may."""
    called_by = [source for qualifier in qualifiers for source in sources.get(f"{function_arn}:{qualifier}", ())]
    if not called_by:
        return ""
    more = f" and {len(called_by) - 1} more" if len(called_by) > 1 else ""
    return (
        f"a queue or stream calls it ({called_by[0]}{more}), so nobody waits for its cold starts; if people call it, "
        "too, name it in warmups.include_consumers"
    )
