"""The trainer's commands and their options."""
