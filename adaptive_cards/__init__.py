"""What people see: one neutral card, a renderer for each platform."""
