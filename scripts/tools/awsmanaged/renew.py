"""Writes agent/internal/judge/sources/awsmanaged.txt.gz and its LICENSE from the
PyPI package that requirements.txt pins.

    python3 scripts/tools/awsmanaged/renew.py

To take newer data, change the version and the hash in requirements.txt (`pip
download --no-deps moto==VERSION`, then `pip hash`), and run it again.

The package holds AWS's managed policies as IAM gave them at their default
version (moto, Apache-2.0). The format is text, a line each:

    V package version, then the newest date in the data, with TABs between
    P path of the ARN, version, document as JSON, with TABs between; by path
"""
import ast
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

here = pathlib.Path(__file__).resolve().parent
to = here.parents[2] / "agent" / "internal" / "judge" / "sources"

with tempfile.TemporaryDirectory() as folder:
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
         "--requirement", str(here / "requirements.txt"), "--dest", folder],
        check=True,
    )
    (wheel,) = pathlib.Path(folder).glob("moto-*.whl")
    package = zipfile.ZipFile(wheel)
    source = package.read("moto/iam/aws_managed_policies.py").decode()
    (license_file,) = [n for n in package.namelist() if n.endswith("/LICENSE")]
    license_text = package.read(license_file)
    version = wheel.name.split("-")[1]

# The module is one assignment of a text; it is read, not run.
(assignment,) = [n for n in ast.parse(source).body if isinstance(n, ast.Assign)]
policies = json.loads(ast.literal_eval(assignment.value))

newest = max(p.get("UpdateDate", p["CreateDate"]) for p in policies.values())[:10]
lines = [f"V\t{version}\t{newest}"]
for name, p in sorted(policies.items(), key=lambda item: (item[1].get("Path", "/"), item[0])):
    document = json.dumps(p["Document"], separators=(",", ":"), ensure_ascii=False)
    lines.append("\t".join(["P", p.get("Path", "/") + name, p["DefaultVersionId"], document]))

packed = gzip.compress("\n".join(lines).encode(), compresslevel=9, mtime=0)
(to / "awsmanaged.txt.gz").write_bytes(packed)
(to / "LICENSE.moto").write_bytes(license_text)
print(f"{len(policies)} policies of moto {version}, the newest of {newest}: {len(packed)} bytes")
