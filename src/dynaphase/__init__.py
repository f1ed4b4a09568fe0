"""DynaPhase."""
