"""Repairs: what a fix is, the catalogue of them, and how their calls are followed."""
