"""The simulated vendors behind real HTTP: for the demo, for tests, and for trying things out."""

from pipeline.sandbox.server import app, running, serve
from pipeline.sandbox.settings import Account, load, parse

__all__ = ["Account", "app", "load", "parse", "running", "serve"]
