"""Canonical hardware assets: their shape, and the rules by which two descriptions are of the same hardware. Pure."""
