"""Tests of the diagnostics layer."""
