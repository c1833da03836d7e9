"""Measure hourly forecasts one day ahead, rolling: weighted absolute percentage error and coverage of the 0.9 quantile.

    python bench/forecast.py TRACES

TRACES holds the hourly_* series and series.json. Every local midnight the 24 hours ahead are forecast from at most 63
days before, beside the same hour of the last week and of the last day.
"""

import argparse
import csv
import gzip
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from optimizer.traffic.forecast.hours import forecast_hours

HISTORY = 63 * 24
FIRST = 28 * 24
GOALS = {"hourly_wikipedia": 0.050, "hourly_nyc_taxi": 0.10}
COVERAGE = (0.88, 0.92)


def main() -> int:
    """Forecast, print, and return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", type=Path)
    traces = parser.parse_args().traces
    facts = json.loads((traces / "series.json").read_text())
    missed = 0
    for path in sorted(traces.glob("hourly_*.csv.gz")):
        name = path.name.removesuffix(".csv.gz")
        error, coverage, references = rolling(*_read(path), facts[name]["timezone"])
        goal = GOALS.get(name)
        missed += goal is not None and (error > goal or not COVERAGE[0] <= coverage <= COVERAGE[1])
        wanted = "no goal" if goal is None else f"goal {goal:.1%}, coverage {COVERAGE[0]} to {COVERAGE[1]}"
        print(f"{name:20} error {error:.2%}, 0.9 quantile covers {coverage:.3f} ({wanted}); ", end="")
        print(f"last week {references[7]:.2%}, yesterday {references[1]:.2%}")
    return 1 if missed else 0


def rolling(start: datetime, hours: np.ndarray, time_zone: str) -> tuple[float, float, dict[int, float]]:
    """Return error, coverage, and the errors of the same hour so many days earlier."""
    forecasts, quantiles, came = [], [], []
    earlier: dict[int, list[np.ndarray]] = {1: [], 7: []}
    for index in range(FIRST, len(hours) - 23):
        now = start + timedelta(hours=index)
        if now.astimezone(ZoneInfo(time_zone)).hour != 0:
            continue
        made = forecast_hours(hours[max(0, index - HISTORY) : index], now, time_zone)
        forecasts.append(made.expected)
        quantiles.append(made.quantile)
        came.append(hours[index : index + 24])
        for days, lagged in earlier.items():
            lagged.append(hours[index - 24 * days : index - 24 * days + 24])
    actual = np.concatenate(came)
    known = ~np.isnan(actual)
    coverage = float((actual <= np.concatenate(quantiles))[known].mean())
    references = {days: _error(actual, np.concatenate(lagged)) for days, lagged in earlier.items()}
    return _error(actual, np.concatenate(forecasts)), coverage, references


def _error(actual: np.ndarray, forecast: np.ndarray) -> float:
    known = ~(np.isnan(actual) | np.isnan(forecast))
    return float(np.abs(actual - forecast)[known].sum() / actual[known].sum())


def _read(path: Path) -> tuple[datetime, np.ndarray]:
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    start = datetime.fromisoformat(rows[0]["timestamp"]).astimezone(UTC)
    return start, np.array([float(row["invocations"]) if row["invocations"] else np.nan for row in rows])


if __name__ == "__main__":
    sys.exit(main())
