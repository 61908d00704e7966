"""Tests. Mirrors `broker/`; `flows/` holds one file per story, `real/` drives real peers."""
