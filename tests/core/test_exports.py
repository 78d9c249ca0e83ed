"""Cells of files for spreadsheet programs."""

import pytest

from core.exports import harmless_cell


@pytest.mark.parametrize(
    "text",
    ["=cmd()", "@SUM(A1)", "+cmd|x", "-2+A1", "\t=1", "\r=1", "\n=1", "＝cmd()", "＋cmd", "－A1", "＠SUM", "+1\n=2"],
)
def test_a_cell_that_begins_like_a_formula_is_text(text):
    assert harmless_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["", "王小明", "+86 138 1234 5678", "-5", "1=1", "(0543) 338-8888", "＋８６１３８１２３４５６７８"]
)
def test_any_other_cell_stays_as_it_is_also_a_number_with_a_sign(text):
    assert harmless_cell(text) == text
