"""Parsing of what people and programs write: command-line values, ids in addresses and forms."""

import argparse
from datetime import date


def iso_date(text: str) -> date:
    """Return the date of a text like 2026-11-21; raise ``ArgumentTypeError`` with a sentence otherwise."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date; write it like 2026-11-21.") from None


LONGEST_ID = 18  # digits that a column of ids holds whatever they are


def as_id(text: str) -> int | None:
    """Return the id that an address or a form gives, or None for what cannot be one.

    Python refuses to read a number of more than 4300 digits, and no row has one of more than 18.
    """
    return int(text) if text.isdecimal() and len(text) <= LONGEST_ID else None
