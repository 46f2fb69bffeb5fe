"""Widgets and charts that several pages use."""
