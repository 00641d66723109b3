"""What the data commands read and change: documents out of the tables, and waiting for what was begun."""
