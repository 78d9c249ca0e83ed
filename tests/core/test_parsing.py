"""Ids as addresses and forms give them."""

import pytest

from core.parsing import as_id


@pytest.mark.parametrize(
    ("text", "expected"),
    [("7", 7), ("0", 0), ("9" * 18, 10**18 - 1), ("9" * 19, None), ("9" * 5000, None)]
    + [(text, None) for text in ("", "-1", "1.0", "²", "7 ", "x")],
)
def test_an_id_is_a_number_that_a_column_can_hold(text, expected):
    assert as_id(text) == expected
