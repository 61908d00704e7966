"""Coverage-guided fuzzing, outside the gate."""
