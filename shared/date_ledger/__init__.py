"""The dates in the store: observations, the ledger of edits, wishes to RMMs, the switch.

All within the caller's transaction, under the lock of the asset; the rules are pure and stand in shared/dates.

Order of locks, everywhere: the asset, then its observations, edits and pushes, then the turn of an integration.
"""
