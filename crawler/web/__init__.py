"""What people look at: the page inspector, in a terminal and as a page of its own."""
