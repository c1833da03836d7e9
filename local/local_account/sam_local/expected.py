"""In which order the functions are invoked with their events in an account in which nothing has run, and what each one
then answers: `outcome`, `statusCode` of a page, or the class of the error that says what is missing."""

ORDER: tuple[dict[str, str], ...] = (
    # No function of the name in the sample is there to be warmed.
    # Nothing is recorded of the change in the sample, and nothing is set for it.
    {"start_run": "started", "warm_function": "failed", "provision_function": "left"},
    {"analyze_traffic": "analysed"},
    {
        "plan_warmups": "planned",
        "plan_capacity": "planned",
        # The policy of the account knows neither this cache nor this database.
        "plan_cache_ttls": "NoSuchCache",
        "plan_index_maintenance": "NoSuchTarget",
    },
    # The question is about a change that nobody has recorded; it is asked, and its page says what it knows.
    {"check_guardrails": "checked", "request_approval": "asked"},
    {
        # Of the changes nothing is recorded.
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
    # Nothing is on trial.
    {"leave_account": "left"},
)
EXPECTED = {name: answer for stage in ORDER for name, answer in stage.items()}
