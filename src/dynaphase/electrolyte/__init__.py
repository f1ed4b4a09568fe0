"""Solid electrolytes on the phase-field engine: microstructures, furnace, lithium, interphases, conduction."""
