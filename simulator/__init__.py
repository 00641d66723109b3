"""A stand-in for the vendor's RMM: a real HTTP server with a seeded fleet, quotas, keys and faults on demand."""
