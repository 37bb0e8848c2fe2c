"""Hold events as Arrow tables: read them, split them, simulate them."""
