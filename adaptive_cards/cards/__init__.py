"""One file a card: facts in, a neutral card out. Pure."""
