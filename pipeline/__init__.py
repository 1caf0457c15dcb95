"""Calends keeps people's calendars in step with what a business knows."""

__version__ = "0.1.0"
