"""The wheel holds all that the program needs: installed into an empty environment it starts, migrates and simulates."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built without a network."""
    out = tmp_path_factory.mktemp("dist")
    build = "import hatchling.build as b, sys; print(b.build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(out)], cwd=ROOT, check=True, capture_output=True)
    return next(out.glob("*.whl"))


def test_data_is_in_the_wheel(wheel: Path) -> None:
    """Migrations, error codes, estates and the chat page travel along; tests do not."""
    names = zipfile.ZipFile(wheel).namelist()

    for suffix in ("migrations/env.py", "_the_first_tables.py", ".tsv", "estates/contoso.yaml", "chat_page.html"):
        assert any(name.endswith(suffix) for name in names), suffix
    assert not [name for name in names if name.startswith("tests/") or name.endswith(".pyc")]


def test_it_runs_from_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    """pip install --no-deps beside the dependencies alone; --help, the catalogues and a new database work."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    site = next(home.glob("lib/python*/site-packages"))
    subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-deps", "--no-index",
         "--target", str(site), str(wheel)],
        check=True, capture_output=True,
    )  # fmt: skip
    # The dependencies, without the editable install of the working copy that stands beside them.
    (site / "dependencies.py").write_text(f"import sys; sys.path.append({sysconfig.get_path('purelib')!r})\n")
    (site / "dependencies.pth").write_text("import dependencies\n")
    env = {"PATH": os.defpath, "HOME": str(tmp_path), "LANG": "C.UTF-8"}

    def backupbot(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = "import sys; sys.argv[0] = 'backupbot'; from bot.cli import main; main()"
        return subprocess.run(
            [str(home / "bin/python"), "-c", code, *arguments],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    shown = backupbot("--help")
    assert 0 == shown.returncode, shown.stderr
    assert "serve" in shown.stdout
    where = subprocess.run(
        [str(home / "bin/python"), "-c", "import bot; print(bot.__file__)"],
        env=env, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert where.stdout.startswith(str(site))
    assert 0 == backupbot("explain", "UserErrorVmNotInDesirableState").returncode
    assert 2 == backupbot("simulate", "--estate", "nowhere").returncode
    migrated = subprocess.run(
        [str(home / "bin/python"), "-c",
         "import asyncio; from bot.store import database as d; e = d.connect('sqlite:///new.db'); asyncio.run(d.migrate(e))"],
        env=env, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert 0 == migrated.returncode, migrated.stderr
