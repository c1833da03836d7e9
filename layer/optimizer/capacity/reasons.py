"""Phrases that the reasons of several proposals share. Pure."""


def bill_words(usd_month: float) -> str:
    """Return `saves about $0.62 a month` for -0.62, and `adds about $0.62 a month` for 0.62."""
    if abs(usd_month) < 0.005:
        return "changes the bill by less than $0.01 a month"
    return f"{'saves' if usd_month < 0 else 'adds'} about ${abs(usd_month):,.2f} a month"
