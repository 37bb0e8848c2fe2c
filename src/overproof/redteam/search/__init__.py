"""Ways to look for edits that change a verdict."""
