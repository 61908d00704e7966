"""Plain frozen data that answers questions about itself. Imports the standard library only."""
