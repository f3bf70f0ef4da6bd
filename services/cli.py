"""The command line: `hilum --help`. Each module in `services/commands` adds its own command."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import typer

from services import commands

HELP = """Hilum ranks chest radiographs by urgency. Decision support, not for primary diagnosis.

Settings are environment variables HILUM_*; docs/settings.md lists them.
"""


def make_app() -> typer.Typer:
    """The application with every command."""
    app = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)
    for module in sorted(pkgutil.iter_modules(commands.__path__), key=lambda m: m.name):
        import_module(f"{commands.__name__}.{module.name}").register(app)
    return app


def main() -> None:
    """Entry point."""
    make_app()()


if __name__ == "__main__":
    main()
