"""Stand-in until the worker's part is merged."""
