"""From a page to a stored article: thin adapters around pure functions, in the order of settings.py."""
