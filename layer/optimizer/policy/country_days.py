"""Public holidays of countries, from the package `holidays`.

Only the command and start_run have the package, and load it if a calendar names a country: it is large and slow to
load. start_run replaces countries by their days, so that no other Lambda needs it.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

from optimizer.policy.model import Calendar, Policy

# A history has nine weeks. A timetable of provisioned concurrency keeps the days ahead that its planner knew.
_PAST, _AHEAD = timedelta(days=70), timedelta(days=2 * 366)


def unknown_place(country: str, region: str | None) -> tuple[str, str] | None:
    """Return the field, `country` or `region`, whose place has no known holidays, and the reason; None if both do."""
    import holidays

    regions = holidays.list_supported_countries(include_aliases=True).get(country)
    if regions is None:
        return "country", f'"{country}" has no known holidays; use an ISO 3166 code such as DE, and days for others.'
    if region is not None and region not in regions:
        known = f"known: {', '.join(sorted(regions))}" if regions else "no parts of it are known"
        return "region", f'"{region}" is not a part of {country}; {known}.'
    return None


def with_country_days(policy: Policy, today: date, past: timedelta = _PAST) -> Policy:
    """Return the policy with each calendar's country replaced by its holidays around a day."""
    calendars: Mapping[str, Calendar] = {
        name: _resolved(calendar, today - past, today + _AHEAD) for name, calendar in policy.calendars.items()
    }
    return replace(policy, calendars=calendars) if calendars != policy.calendars else policy


def _resolved(calendar: Calendar, first: date, last: date) -> Calendar:
    if calendar.country is None:
        return calendar
    import holidays

    years = range(first.year, last.year + 1)
    public = holidays.country_holidays(calendar.country, subdiv=calendar.region, years=years)
    days = {day for day in public if first <= day <= last} - set(calendar.working_days)
    return replace(calendar, country=None, region=None, days=tuple(sorted(days | set(calendar.days))))
