"""The page on which one draws a facade: its network, its server, and the page as a single file."""
