"""List the order in which the functions are invoked with their events, and their expected responses.

The account has never run anything. A response is an `outcome`, the `statusCode` of a page, or the class of the error
that names what is missing.
"""

ORDER: tuple[dict[str, str], ...] = (
    # The function in the sample does not exist, so nothing can be warmed.
    # No change of the sample is recorded, and no value is set for it.
    {
        "start_run": "started",
        "warm_function": "failed",
        "provision_function": "left",
        "read_prices": "read",
    },
    {"analyze_traffic": "analysed"},
    {
        "plan_warmups": "planned",
        "plan_capacity": "planned",
        # The policy of the account names neither this cache nor this database.
        "plan_cache_ttls": "NoSuchCache",
        "plan_index_maintenance": "UnknownDatabase",
    },
    # The approval request names an unrecorded change; it is sent, and its page shows the known facts.
    {"check_guardrails": "checked", "request_approval": "asked"},
    {
        # None of these changes is recorded.
        "change_warmups": "NoSuchChange",
        "change_capacity": "NoSuchChange",
        "change_indexes": "NoSuchChange",
        "change_cache_ttls": "NoSuchChange",
        "answer_approval": "shown",
        "render_report": "rendered",
        "publish_results": "published",
        # The link of the sample has expired.
        "show_report": "410",
    },
    # No change is under observation.
    {"leave_account": "left"},
)
EXPECTED = {name: answer for stage in ORDER for name, answer in stage.items()}
