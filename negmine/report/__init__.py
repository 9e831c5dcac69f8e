"""A mining run as one page: what fools the model, seen and heard."""
