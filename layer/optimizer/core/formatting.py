"""Numbers and amounts of data as people read them."""


def figure(value: float, digits: int = 3) -> str:
    """`digits` significant digits or more, never an exponent: `0.0123`, `12.3`, `12,346`."""
    if abs(value) >= 10**digits:
        return f"{value:,.0f}"
    text = f"{value:.{digits}g}"
    if "e" not in text:
        return text
    # Rounded up to a power of ten, or too small for the short form.
    return f"{float(text):,.0f}" if abs(value) >= 1 else f"{float(text):f}".rstrip("0").rstrip(".")


def data_size(size_bytes: float) -> str:
    """`917 B`, `1.23 KiB`, `12.3 MiB`; three significant digits."""
    size, units = float(size_bytes), ["GiB", "MiB", "KiB", "B"]
    while abs(size) >= 1023.5 and len(units) > 1:
        size, _ = size / 1024, units.pop()
    return f"{figure(size)} {units[-1]}"
