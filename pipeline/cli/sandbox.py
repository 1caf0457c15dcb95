"""`calends sandbox`: the simulated vendors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import USAGE, give_up
from pipeline.sandbox import Account, load, serve
from pipeline.sandbox.hosted import Hosted

DEMO = (
    Account("acme-ecal", "ecal", {"api_key": "demo-key", "api_secret": "demo-secret"}),
    Account(
        "acme-calreply",
        "calreply",
        {
            "account_code": "acme",
            "client_id": "demo-id",
            "client_secret": "demo-secret",
            "api": "rokt",
            "protected": ["acme-members"],
        },
    ),
    Account("acme-apptoto", "apptoto", {"user": "demo-user", "api_key": "demo-key", "calendars": ["Acme"]}),
    Account("acme-pages", "add_to_calendar_pro", {"api_key": "demo-key", "groups": ["acme-group"]}),
)
"""One account of each vendor, among them those that configs/calends.yaml expects."""

Accounts = Annotated[Path | None, typer.Option("--config", "-c", help="Accounts as JSON, in the place of the demo's.")]


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 8900,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    config: Accounts = None,
) -> None:
    """Simulate the calendar vendors, as strict as their documents, with a page that shows every calendar."""
    accounts, seed = _accounts(config) if config else (list(DEMO), 0)

    def ready(url: str) -> None:
        typer.echo(f"sandbox listening on {url}")
        for account in accounts:
            typer.echo(f"  {account.vendor}: base_url {url}/{account.vendor}/{account.name}")

    try:
        serve(accounts, host, port, seed, ready)
    except OSError as error:
        give_up(f"{host}:{port} cannot be listened on: {error.strerror or error}")


def _accounts(config: Path) -> tuple[list[Account], int]:
    """As the file has them; each is tried, so that what its vendor's simulator cannot take is told now."""
    try:
        accounts, seed = load(config)
        for account in accounts:
            Hosted(account, seed, now=0.0)
    except OSError as error:
        give_up(f"{config}: {error.strerror}", USAGE)
    except (ValueError, TypeError) as error:
        give_up(f"{config}: {error}", USAGE)
    return accounts, seed
