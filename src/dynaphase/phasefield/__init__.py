"""The phase-field simulator; usable on its own, knows nothing of learning."""
