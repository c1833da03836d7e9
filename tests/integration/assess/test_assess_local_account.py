"""`optimizer assess` in the local account, whose emulator and twins answer as AWS does."""

import json
from pathlib import Path

import pytest
from local_account.account import LocalAccount

from tests.helpers.documents import run


@pytest.mark.timeout(600)
def test_local_account_is_assessed_without_a_tag_or_a_deployment(account: LocalAccount, tmp_path: Path) -> None:
    done = run("optimizer assess --json", tmp_path, account.environment())
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["is_complete"]
    assert found["missing_rights"] == []
    rows = {row["name"]: row for row in found["functions"]}
    assert {target.name for target in account.fleet} <= rows.keys()
    assert found["totals"]["bill_usd_month"] > 0
    assert found["totals"]["saved_usd_month"]["estimate"] > 0
    assert any(row["findings"] for row in rows.values())
    assert found["spent"]["refused"] == {}
