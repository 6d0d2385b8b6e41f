"""The state of the simulated cloud and the rules by which it changes with time."""
