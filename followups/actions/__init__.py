"""Writes of the care engine, by what they are about."""
