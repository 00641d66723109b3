"""Two-way dates as pure rules: what a date is, which one counts, whose it is, and what to do about the RMM."""
