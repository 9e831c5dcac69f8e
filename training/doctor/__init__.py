"""Whether this installation works, and what to do where it does not.

Nothing here imports a library that may be broken: `probe` does, in a process of its own.
"""
