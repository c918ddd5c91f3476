"""How the block model is trained. Run by hand; data by path, nothing of others is kept here."""
