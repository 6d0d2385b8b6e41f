"""The outside's ways in and out, one file each, thin."""
