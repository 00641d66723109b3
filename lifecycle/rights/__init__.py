"""Who may do what in a deployment: a Postgres role and a broker user for each program (docs/adr/0030).

`lifecycle up` has none of it: there one user owns everything.
"""
