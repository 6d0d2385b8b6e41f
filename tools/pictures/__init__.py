"""Pictures of the main cards for the documentation."""
