"""What people fill in: after a contact, for the team, messages to many, the care plan."""
