"""Tests of the fixes, over a pretended Azure."""
