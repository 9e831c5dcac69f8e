"""What models say of a pool's rows: computed once, kept, and scanned."""
