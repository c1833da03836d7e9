"""The canary judgement over simulated calls of bench/canary.py, with a fixed seed."""

import importlib.util
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from optimizer.capacity.canary import calls_needed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    path = Path(__file__).parents[3] / "bench" / "canary.py"
    spec = importlib.util.spec_from_file_location("bench_canary", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def outcomes(bench: ModuleType, slower: float, calls_a_minute: float, trials: int) -> Counter[str]:
    rng = np.random.default_rng(20261121)
    case = bench.Case("", slower, calls_a_minute)
    return Counter(bench.trial(rng, case)[0] for _ in range(trials))


def test_false_alarms_stay_under_two_percent(bench: ModuleType) -> None:
    """Under two percent of a thousand changes without effect are rolled back."""
    found = outcomes(bench, 1.0, 100.0, 1000)
    assert found.total() == 1000
    assert found["kept"] > 980


def test_slow_changes_kept_stay_under_two_percent(bench: ModuleType) -> None:
    """Under two percent of the changes that are too slow are kept."""
    assert outcomes(bench, 1.15, 100.0, 300)["kept"] < 6


@pytest.mark.parametrize(("variation", "needed"), [(0.25, 50), (0.5, 203), (1.0, 811)])
def test_calls_needed_grow_with_the_square_of_variation(variation: float, needed: int) -> None:
    """The calls that a canary needs grow with the square of the variation of the durations."""
    assert round(calls_needed(variation, 1.1, 0.1)) == pytest.approx(needed, rel=0.02)
