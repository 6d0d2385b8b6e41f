"""The words of the trade: standard library only, no clock, no store, no network."""
