"""What an operator sees of a service: structured logs, metrics, health."""
