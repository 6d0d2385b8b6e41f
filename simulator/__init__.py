"""A simulated Azure for demonstrations and tests; start with `simulator.server`, which names the public surface."""
