"""One file per story, told through the front door."""
