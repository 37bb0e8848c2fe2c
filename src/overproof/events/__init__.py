"""Events as Arrow tables: their schema, where they are read from, how they are split, and simulated traffic."""
