"""The slow sweep of dates in the store: who is in the line, and whose turn is due (migration 0004).

Postgres is the truth: a turn is announced from these tables, again where its message was lost.
"""
