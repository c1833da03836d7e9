"""A link to a report opens that run's pages until it expires, and nothing else."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import boto3
import pytest
from optimizer.aws import LinkSigner
from optimizer.report.links import ReportLink, parse, signed_url
from optimizer.store.documents import Documents

from tests.helpers.own_account import load_handler, own_account, sample_event

PAGE = b"<!doctype html><title>a report</title>"


class Reports:
    """Two runs with a report each, and the function that shows them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        s3: Any = boto3.client("s3")
        documents = Documents(s3, "optimizer")
        for run in ("monday", "tuesday"):
            for key in ("report/index.html", "report/functions/orders.html", "report.json"):
                documents.write_bytes(f"runs/{run}/{key}", PAGE, "text/html")
            documents.write_bytes(f"runs/{run}/policy.json", b"secret", "application/json")
        kms: Any = boto3.client("kms")
        keys = [
            kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"] for _ in "ab"
        ]
        self.ours, self.other = (LinkSigner(kms, key) for key in keys)
        monkeypatch.setenv("OPTIMIZER_REPORT_KEY", keys[0])
        self._module: ModuleType = load_handler("show_report")

    def path(self, run: str = "monday", hours: float = 1, signer: LinkSigner | None = None) -> str:
        expires_at = int((datetime.now(UTC) + timedelta(hours=hours)).timestamp())
        link = ReportLink(run, expires_at)
        url = signed_url("https://reports.example/", link, (signer or self.ours).sign(link))
        return url.removeprefix("https://reports.example")

    def ask(self, path: str, method: str = "GET") -> dict[str, Any]:
        event = sample_event("show_report")
        event |= {"rawPath": path, "requestContext": {"http": {"method": method}}}
        answer: dict[str, Any] = self._module.handler(event, None)
        return answer


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reports]:
    with own_account(monkeypatch):
        yield Reports(monkeypatch)


def test_link_opens_every_page_of_its_run(reports: Reports) -> None:
    path = reports.path()
    for file in ("index.html", "functions/orders.html", "report.json"):
        answer = reports.ask(path.replace("index.html", file))
        assert (answer["statusCode"], answer["body"]) == (200, PAGE.decode())
    assert answer["headers"]["Content-Type"] == "application/json"
    assert reports.ask(path, "HEAD")["body"] == ""


@pytest.mark.parametrize("run", ["1.2", "release+2", "it's(done)=1@!", "Prüfung-3", "x" * 80])
@pytest.mark.parametrize("arrives", [str, unquote], ids=["quoted", "decoded"])
def test_link_opens_a_run_of_any_name(reports: Reports, run: str, arrives: Callable[[str], str]) -> None:
    """Step Functions allows more in names than letters; no source says whether the path of a request arrives quoted."""
    Documents(boto3.client("s3"), "optimizer").write_bytes(f"runs/{run}/report/index.html", PAGE, "text/html")
    path = reports.path(run)
    assert path.isascii()
    assert path.count("/") == 3
    answer = reports.ask(arrives(path))
    assert (answer["statusCode"], answer["body"]) == (200, PAGE.decode())


@pytest.mark.parametrize("run", ["a%2Fb", "..%2Fmonday", "a%20b", "%00", "%25", "x" * 81])
def test_name_that_no_run_can_have_is_not_found(reports: Reports, run: str) -> None:
    assert reports.ask(reports.path().replace("/monday/", f"/{run}/"))["statusCode"] == 404


def test_page_loads_nothing_and_is_not_cached(reports: Reports) -> None:
    headers = reports.ask(reports.path())["headers"]
    assert headers["Content-Security-Policy"].startswith("default-src 'none';")
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("private, no-store", "no-referrer")


def test_expired_link_says_so(reports: Reports) -> None:
    answer = reports.ask(reports.path(hours=-0.01))
    assert answer["statusCode"] == 410
    assert "has expired" in answer["body"]


def test_link_opens_no_other_run(reports: Reports) -> None:
    assert reports.ask(reports.path().replace("/monday/", "/tuesday/"))["statusCode"] == 403


def test_link_with_a_later_end_is_not_valid(reports: Reports) -> None:
    path = reports.path()
    expires = path.split("/")[2].partition(".")[0]
    assert reports.ask(path.replace(expires, str(int(expires) + 86_400)))["statusCode"] == 403


def test_signature_of_another_key_is_not_valid(reports: Reports) -> None:
    assert reports.ask(reports.path(signer=reports.other))["statusCode"] == 403


@pytest.mark.parametrize(
    "file",
    [
        "../policy.json",
        "policy.json",
        "..%2Fpolicy.json",
        "functions/../../policy.json",
        "functions/none.html",
        "",
        "a/b.html",
    ],
)
def test_link_opens_no_file_outside_the_report(reports: Reports, file: str) -> None:
    answer = reports.ask(reports.path().replace("index.html", file))
    assert answer["statusCode"] == 404
    assert "secret" not in answer["body"]


@pytest.mark.parametrize("path", ["/", "", "/monday/index.html", "/<script>/1.x/index.html", "/" + "a" * 10_000])
def test_malformed_path_is_not_found(reports: Reports, path: str) -> None:
    assert parse(path) is None
    answer = reports.ask(path)
    assert answer["statusCode"] == 404
    assert "<script>" not in answer["body"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_only_get_and_head_are_allowed(reports: Reports, method: str) -> None:
    assert reports.ask(reports.path(), method)["statusCode"] == 405
