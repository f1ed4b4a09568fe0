"""Phase-field models, one a file."""
