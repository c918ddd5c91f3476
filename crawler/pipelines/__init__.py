"""From a page to a stored article: thin adapters around pure functions, in the order in which settings.py lists them."""
