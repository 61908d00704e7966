"""The authorization-server rules. No HTTP, no I/O of its own."""
