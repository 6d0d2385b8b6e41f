"""Tests of commands and buttons."""
