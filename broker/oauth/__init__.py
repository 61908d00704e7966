"""The authorization-server rules. No Flask, no I/O of its own."""
