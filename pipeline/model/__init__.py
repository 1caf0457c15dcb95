"""Values and decisions: no I/O, no clock, no event loop, no logger, no metric."""
