"""Rules: domain events → changes of entries. Pure but for the reading of rule files; no clock, no network."""
