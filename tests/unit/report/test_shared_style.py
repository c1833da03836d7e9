"""The report and the approval page share one sheet of colours and base rules."""

import re

from optimizer.approvals.page import notice
from optimizer.report import BASE_STYLE
from optimizer.report.pages import run_page

from tests.helpers import report_samples as samples

RULE = re.compile(r"^[^{}@\n]+\{[^{}]*\}", re.MULTILINE)


def test_every_page_starts_with_the_shared_sheet() -> None:
    for page in (run_page(samples.report()), notice("A notice", [])):
        assert page.partition("<style>")[2].startswith(BASE_STYLE.rstrip())


def test_no_rule_of_the_shared_sheet_is_repeated() -> None:
    shared = set(RULE.findall(BASE_STYLE))
    assert len(shared) > 15
    for page in (run_page(samples.report()), notice("A notice", [])):
        own = page.partition(BASE_STYLE.rstrip())[2].partition("</style>")[0]
        assert shared & set(RULE.findall(own)) == set()
