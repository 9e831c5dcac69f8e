"""Models as mining sees them: the protocol, and readers of their files."""
