"""fetcher: pages an RMM's devices within the shared request budget and hands them on, one page a message."""
