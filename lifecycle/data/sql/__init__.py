"""The statements of the data commands, by name."""
