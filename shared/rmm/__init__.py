"""Client of the vendor's API (ConnectWise RMM), used by fetcher and writeback; the facts are in the API notes."""
