"""The bill of materials of what is deployed, and the question for known vulnerabilities of everything in the locks."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from typing import Any

import audit
import pytest
import sbom
from notice import artefacts
from packaging.utils import canonicalize_name

HASH = "sha256:" + "0" * 64
# What the advisory service knows, in the shape of https://google.github.io/osv.dev/post-v1-query/.
PLANTED = {
    "vulns": [
        {
            "id": "GHSA-h5c8-rqwp-cp95",
            "summary": "planted",
            "aliases": ["CVE-2024-22195"],
            "affected": [
                {
                    "package": {"name": "jinja2", "ecosystem": "PyPI"},
                    "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.1.3"}]}],
                }
            ],
        }
    ]
}


@pytest.mark.parametrize("name", artefacts())
def test_bill_of_materials_names_what_is_installed(name: str) -> None:
    """Every distribution of the requirements.txt, in the version that the tests run with, with hashes and a licence."""
    text = artefacts()[name].read_text()
    document = json.loads(sbom.as_json(sbom.bill_of_materials(name, text)))
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    found = {one["name"]: one for one in document.get("components", ())}
    assert {canonicalize_name(one) for one in found} == {
        canonicalize_name(line.partition("==")[0]) for line in text.splitlines() if line[:1].isalnum()
    }
    for one in found.values():
        assert one["version"] == metadata.version(one["name"])
        assert one["licenses"]
        assert all(hashed["alg"] == "SHA-256" and hashed["content"] in text for hashed in one["hashes"])
    assert sbom.as_json(sbom.bill_of_materials(name, text)) == json.dumps(document, indent=2) + "\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [("redis==6.0.0\n", sbom.NoHash), (f"optimizer==1 \\\n    --hash={HASH}\n", metadata.PackageNotFoundError)],
)
def test_what_cannot_be_told_is_an_error(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        sbom.bill_of_materials("layer", text)


@contextmanager
def service(answers: dict[str, Any]) -> Iterator[str]:
    """Provide the address of an advisory service on this machine; a package without an answer gets status 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = answers.get(asked["package"]["name"])
            body = json.dumps(answer).encode()
            self.send_response(404 if answer is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answers", "code", "says"),
    [
        ({"jinja2": {}, "idna": {}}, 0, "2 packages, 0 advisories"),
        ({"jinja2": PLANTED, "idna": {}}, audit.FOUND, "vulnerable: jinja2 3.1.2: CVE-2024-22195, mended 3.1.3"),
        ({"jinja2": {}}, audit.NOT_KNOWN, "not known: 404 Client Error"),
    ],
    ids=["nothing", "planted", "a package that the service refuses"],
)
def test_audit_tells_what_is_known(
    answers: dict[str, Any], code: int, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = tmp_path / "dev.lock"
    lock.write_text(f"idna==3.10 --hash={HASH}\njinja2==3.1.2 --hash={HASH}\n")
    with service(answers) as url:
        assert audit.audit([lock], url) == code
    assert says in capsys.readouterr().out


@pytest.mark.slow
def test_a_service_that_is_away_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = tmp_path / "dev.lock"
    lock.write_text(f"idna==3.10 --hash={HASH}\n")
    with service({}) as url:
        pass
    assert audit.audit([lock], url) == audit.NOT_KNOWN
    assert "not known: HTTPConnectionPool" in capsys.readouterr().out
