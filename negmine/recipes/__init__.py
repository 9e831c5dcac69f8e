"""Recipes: sound described, not stored; what it is certified free of; how it is rendered."""
