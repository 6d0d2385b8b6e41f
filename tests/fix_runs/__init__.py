"""Fixes from the request to their proof: the real desks, drivers and gateways against the simulated cloud."""
