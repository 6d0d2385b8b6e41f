"""Use cases: one file each. A handler turns a neutral request into cards and knows no platform."""
