"""Commands for whoever installs the bot: ``roles``, ``doctor``, ``docs``."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.console import note

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
SIGNS = {"ok": "✔ ok     ", "warning": "▲ warning", "error": "✖ error  "}


def add(app: typer.Typer) -> None:
    """Add the commands."""
    roles = typer.Typer(help="Azure custom roles with exactly the permissions that are needed.", no_args_is_help=True)
    roles.command("reader")(roles_reader)
    roles.command("operator")(roles_operator)
    roles.command("key-vault")(roles_key_vault)
    app.add_typer(roles, name="roles")
    manifest = typer.Typer(help="What Slack and Teams are told of this bot.", no_args_is_help=True)
    manifest.command("slack")(manifest_slack)
    manifest.command("teams")(manifest_teams)
    app.add_typer(manifest, name="manifest")
    app.command()(doctor)
    app.command(hidden=True)(docs)


def _print(record: Any) -> None:  # noqa: ANN401
    print(json.dumps(record, indent=2, ensure_ascii=False))  # noqa: T201


Scopes = Annotated[list[str] | None, typer.Option("--scope", help="Where the role may be assigned; may be repeated.")]


def roles_reader(scope: Scopes = None) -> None:
    """The role of the identity that looks; make it with: az role definition create --role-definition @file."""
    from diagnostics import registry as checks
    from fixes import registry as fixes
    from fixes.roles import reader_role

    _print(reader_role(checks.discover().values(), fixes.discover().values(), scopes=scope or ()))


def roles_operator(
    fix: Annotated[list[str] | None, typer.Option("--fix", help="Only this fix; may be repeated.")] = None,
    principal: Annotated[
        list[str] | None, typer.Option("--principal", help="Object id that roles may be granted to; for the condition.")
    ] = None,
    role: Annotated[
        list[str] | None, typer.Option("--role", help="GUID of a custom role that fixes may grant.")
    ] = None,
    scope: Scopes = None,
) -> None:
    """The role of the identity that does approved fixes, and the condition for its assignment."""
    from bot.cli import settings
    from bot.doctor import enabled
    from domain.errors import NotFound, RequestError
    from fixes import registry
    from fixes.roles import assignment_condition, operator_role

    catalogue = registry.discover()
    unknown = [one for one in fix or () if one not in catalogue]
    if unknown:
        raise NotFound(f"There is no fix {', '.join(unknown)}. Fixes: {', '.join(catalogue)}.")
    chosen = tuple(catalogue[one] for one in fix) if fix else enabled(settings(), catalogue)
    _print(operator_role(chosen, scopes=scope or ()))
    try:
        condition = assignment_condition(chosen, principal or (), extra_roles=role or ())
    except ValueError as error:
        if principal:
            raise RequestError(str(error)) from error
        note(
            "These fixes grant roles. Assign this role only with a condition: run again with --principal <object id of the "
            "Backup Management Service> and --role <GUID of your key vault role>, and put what is printed here into "
            "az role assignment create --condition … --condition-version 2.0."
        )
        return
    if condition:
        note("Assign it with this condition (az role assignment create --condition … --condition-version 2.0):")
        note(condition)


def roles_key_vault(scope: Scopes = None) -> None:
    """The role that the fix grant_key_vault_access grants: reads and backs up keys and secrets, and no more."""
    from fixes.roles import key_vault_role

    _print(key_vault_role(scopes=scope or ()))


Out = Annotated[Path | None, typer.Option("--out", help="The folder to write into; without it Slack's is printed.")]


def manifest_slack(out: Out = None) -> None:
    """The Slack app's manifest: over HTTP with BACKUPBOT_PUBLIC_URL, else for Socket Mode."""
    from bot.cli import settings
    from bot.manifest import slack_manifest
    from handlers.router import build

    made = slack_manifest(build().commands, public_url=settings().public_url)
    if out is None:
        _print(made)
        return
    out.mkdir(parents=True, exist_ok=True)
    (out / "slack-manifest.json").write_text(json.dumps(made, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    note(f"wrote {out / 'slack-manifest.json'}")


def manifest_teams(out: Out = None) -> None:
    """The Teams app's package: a zip with manifest and icons, to be uploaded in the Teams admin centre."""
    from bot.cli import settings
    from bot.manifest import teams_package
    from domain.errors import SettingsError
    from handlers.router import build

    known = settings()
    if not known.teams_app_id:
        raise SettingsError(["TEAMS_APP_ID: needed, since the package names the bot"])
    folder = out or Path()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "backupbot-teams.zip"
    path.write_bytes(teams_package(build().commands, app_id=known.teams_app_id, public_url=known.public_url))
    note(f"wrote {path}")


def doctor(*, as_json: AsJson = False) -> None:
    """Settings, tokens, permissions and consents, approvers, routes: each with its remedy."""
    import asyncio

    from bot.cli import settings
    from bot.doctor import examine

    lines = asyncio.run(examine(settings()))
    if as_json:
        _print([line.record() for line in lines])
    else:
        for line in lines:
            print(f"{SIGNS[line.level]}  {line.what}" + (f"\n             → {line.remedy}" if line.remedy else ""))  # noqa: T201
    raise typer.Exit(1 if any(line.level == "error" for line in lines) else 0)


def docs(out: Annotated[Path, typer.Option("--out", help="The folder to write into.")] = Path("docs")) -> None:
    """Write the generated pages: the runbook, the checks, the fixes, the commands."""
    from bot.pages import pages

    out.mkdir(parents=True, exist_ok=True)
    for name, content in pages().items():
        (out / name).write_text(content, encoding="utf-8")
        note(f"wrote {out / name}")
