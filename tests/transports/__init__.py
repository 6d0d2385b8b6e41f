"""Tests of the chat transports over real HTTP."""
