"""The demo: the whole path on soundscapes it makes itself."""

from training.demo.run_demo import run_demo

__all__ = ["run_demo"]
