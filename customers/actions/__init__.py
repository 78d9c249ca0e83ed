"""Writes of the customer file, by what they are about."""
