"""The commands of `negmine`, one file each."""
