"""A folder with what a deploy script needs of this repository, and programs that note how they were called."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

from desk import MARK

ROOT = pathlib.Path(__file__).resolve().parents[2]
WITHIN_S = 180
NOTHING = "#!/bin/sh\n"


class DeployDesk(unittest.TestCase):
    # What it needs of the repository, the first of which is the script; what the machine has; what is set.
    files = ()
    programs = {}
    variables = {}

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="kedge-deploy-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for path in (*self.files, "Makefile"):
            (self.folder / path).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / path, self.folder / path)
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        self.script(".ci/prerequisites", NOTHING)
        for name, text in self.programs.items():
            self.script(f"bin/{name}", text)
        self.notes = self.folder / "notes"
        self.notes.touch()

    def script(self, path, text):
        path = self.folder / path
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def deploy(self, *args, program=None, **variables):
        """Runs the script. Gives its code, and what it said."""
        env = {
            # Nothing of the machine but what every shell has; a cargo or sam of it must not be found.
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "NOTES": str(self.notes),
            "DESK": str(self.folder),
            # What whoever deploys may have around.
            "AIVEN_TOKEN": f"aiven-{MARK}",
            "CLOUDFLARE_API_TOKEN": f"cloudflare-{MARK}",
            "R2_SECRET_ACCESS_KEY": f"r2-{MARK}",
        }
        done = subprocess.run(
            [*(program or self.files[:1]), *args],
            env=env | self.variables | variables,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        return done.returncode, done.stdout

    def calls(self, start):
        return [line for line in self.notes.read_text().splitlines() if line.startswith(start)]

    def check_no_secret(self, said):
        """Neither in what was said nor in any file."""
        self.assertNotIn(MARK, said)
        for path in self.folder.rglob("*"):
            if path.is_file():
                self.assertNotIn(MARK, path.read_text(errors="replace"), path)
