"""Around a crawl: its row in the database, its progress on the terminal."""
