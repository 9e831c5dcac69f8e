"""Files of all kinds: read with checks, written whole, by one process at a time."""
