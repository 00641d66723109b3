"""One integration's line to its RMM, with the budget and the tokens that all replicas share through Postgres."""
