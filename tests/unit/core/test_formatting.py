import pytest
from hypothesis import given, strategies as st
from optimizer.core.formatting import data_size, figure


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (0.01234, "0.0123"), (1.5, "1.5"), (12.345, "12.3"), (999.4, "999"), (999.9, "1,000"),
        (1234.5, "1,234"), (2310.0, "2,310"), (123456, "123,456"), (-2310, "-2,310"), (0.0000123, "0.000012"),
    ],
)  # fmt: skip
def test_a_figure_has_three_digits_or_more_and_no_exponent(value: float, text: str) -> None:
    assert figure(value) == text


@given(st.floats(-1e15, 1e15))
def test_a_figure_is_close_to_its_value_without_an_exponent(value: float) -> None:
    text = figure(value)
    assert "e" not in text
    assert float(text.replace(",", "")) == pytest.approx(value, rel=0.006, abs=1e-6)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"), (917, "917 B"), (1024, "1 KiB"), (11100, "10.8 KiB"), (1_360_000, "1.3 MiB"),
        (5 * 2**40, "5,120 GiB"), (2**20 - 1, "1 MiB"), (-2048, "-2 KiB"),
    ],
)  # fmt: skip
def test_a_data_size_has_the_unit_that_fits(size_bytes: float, text: str) -> None:
    assert data_size(size_bytes) == text
