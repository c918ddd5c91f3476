"""Pages written for the tests, what is right about them (`truth/`), what extraction makes of them (`expected/`)."""
