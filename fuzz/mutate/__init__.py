"""Change inputs by their structure: bytes, lines and fields, JSON values, captures, archives, tables, graphs."""
