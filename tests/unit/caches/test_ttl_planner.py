"""`optimizer plan ttl` over its protocol."""

import pytest
from optimizer_cli.json_lines import UnusableRequest
from optimizer_cli.planners.ttl import answer

READS = [[float(t), f"k{t % 5}"] for t in range(100)]


def test_predict_answers_under_the_ttls_as_written():
    request = {"kind": "predict", "accesses": READS, "ttls_s": [10, 60.5], "total_accesses": 100, "sample": None}
    reply = answer(request)
    assert list(reply["hit_ratio"]) == ["10", "60.5"]
    assert reply["reachable_hit_ratio"] == pytest.approx(0.95)


def test_allocate_gives_every_namespace_a_ttl_within_bounds():
    request = {"kind": "allocate", "namespaces": {"a": READS, "b": READS[:9], "idle": []}, "memory_entries": 4}
    ttls = answer({**request, "max_ttl_s": 60, "min_ttl_s": 2})["ttl_s"]
    assert set(ttls) == {"a", "b", "idle"}
    assert all(2 <= ttl <= 60 for ttl in ttls.values())


def test_allocate_gives_smallest_ttls_for_a_tiny_budget():
    request = {"kind": "allocate", "namespaces": {"a": READS}, "memory_entries": 0.01, "max_ttl_s": 60, "min_ttl_s": 2}
    assert answer(request) == {"ttl_s": {"a": 2}}


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        ({}, "kind"),
        ({"kind": "predict", "accesses": READS}, "ttls_s"),
        ({"kind": "predict", "accesses": READS, "ttls_s": [0]}, r"ttls_s\[0\]"),
        ({"kind": "predict", "accesses": [], "ttls_s": [1]}, "accesses"),
        ({"kind": "predict", "accesses": [[1]], "ttls_s": [1]}, r"accesses\[0\]"),
        ({"kind": "predict", "accesses": READS, "ttls_s": [1], "sample": {"rate": 0.1}}, "total_accesses"),
        (
            {"kind": "predict", "accesses": READS, "ttls_s": [1], "sample": {"rate": 2}, "total_accesses": 9},
            "sample",
        ),
        ({"kind": "allocate", "namespaces": {"a": READS}, "memory_entries": -1, "max_ttl_s": 9}, "memory_entries"),
        ({"kind": "allocate", "namespaces": {"a": READS}, "memory_entries": 1, "max_ttl_s": 0.5}, "min_ttl_s"),
        ({"kind": "allocate", "namespaces": {}, "memory_entries": 1, "max_ttl_s": 5}, "namespaces"),
    ],
)
def test_unusable_request_names_the_field(request_, names):
    with pytest.raises(UnusableRequest, match=names):
        answer(request_)
