"""What two services must agree on: events, topology, errors, settings, store, secrets, quota."""
