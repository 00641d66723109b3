"""The fetcher's statements."""
