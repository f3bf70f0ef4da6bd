"""The command line: `hilum --help`. Each module in `services/commands` adds its own command."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from importlib.util import find_spec

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
    _add_training(app)
    return app


def _add_training(app: typer.Typer) -> None:
    """Add the data scientist's commands where `training` stands beside the services; by name, for no service needs it.

    Their modules import torch and the like only when a command runs.
    """
    if find_spec("training") is None:
        return
    package = import_module("training.commands")
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
        import_module(f"training.commands.{module.name}").register(app)


def main() -> None:
    """Entry point."""
    make_app()()


if __name__ == "__main__":
    main()
