"""Questions: what is wrong with a backup, and why."""
