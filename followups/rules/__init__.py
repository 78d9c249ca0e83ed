"""Rules of the working day: outcomes and what follows, hours and retries, grouping, targets; pure functions."""
