"""SQL of the write-back service."""
