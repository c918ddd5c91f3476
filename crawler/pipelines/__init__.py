"""From a page to a stored article, in the order in which settings.py lists them: thin adapters around pure functions."""
