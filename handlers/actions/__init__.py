"""One file a action."""
