"""Numbers and data sizes as people read them."""


def figure(value: float, digits: int = 3) -> str:
    """Return the number with at least `digits` significant digits and no exponent: `0.0123`, `12.3`, `12,346`."""
    if abs(value) >= 10**digits:
        return f"{value:,.0f}"
    text = f"{value:.{digits}g}"
    if "e" not in text:
        return text
    # The short form has an exponent when it rounds up to a power of ten, or when the value is very small.
    return f"{float(text):,.0f}" if abs(value) >= 1 else f"{float(text):f}".rstrip("0").rstrip(".")


def data_size(size_bytes: float) -> str:
    """Return the size with three significant digits: `917 B`, `1.23 KiB`, `12.3 MiB`."""
    size, units = float(size_bytes), ["GiB", "MiB", "KiB", "B"]
    while abs(size) >= 1023.5 and len(units) > 1:
        size, _ = size / 1024, units.pop()
    return f"{figure(size)} {units[-1]}"
