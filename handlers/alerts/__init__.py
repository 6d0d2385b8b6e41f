"""One file a alert."""
