"""`python -m pipeline.sandbox --port 0 --config accounts.json`."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.sandbox import load, serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pipeline.sandbox", description="Simulated calendar vendors.")
    parser.add_argument("--config", type=Path, required=True, help="accounts, as JSON")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    options = parser.parse_args()
    accounts, seed = load(options.config)
    serve(accounts, options.host, options.port, seed, lambda url: print(f"sandbox listening on {url}", flush=True))


if __name__ == "__main__":
    main()
