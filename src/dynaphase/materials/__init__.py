"""Material systems: composition and temperature in, phases and parameters out."""
