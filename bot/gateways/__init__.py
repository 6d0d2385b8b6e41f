"""Azure behind the ports of :mod:`domain.ports`: the SDK, its wiring, its errors and what its answers mean."""
