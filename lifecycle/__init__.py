"""The `lifecycle` command: a thin client of the tables and events, and the stack on one machine."""
