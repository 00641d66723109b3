"""The documentation, and the program that generates the parts of it that come from the code."""
