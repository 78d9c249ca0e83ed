"""Parsing of command-line values."""

import argparse
from datetime import date


def iso_date(text: str) -> date:
    """Return the date of a text like 2026-11-21; raise ``ArgumentTypeError`` with a sentence otherwise."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date; write it like 2026-11-21.") from None
