"""Bookkeeping of a sync run: who asked, whether it is complete, its balance sheet, and the vanished devices."""
