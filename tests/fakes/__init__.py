"""Fakes: classes of the same Protocols as the real thing, for tests of everything above the outside."""
