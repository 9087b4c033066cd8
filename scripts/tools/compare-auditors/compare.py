#!/usr/bin/env python3
"""Judges the policies of policies/ with agent audit-policy, cloudsplaining and
parliament, and writes the tables of docs/{en,es}/auditor-compared.md.

    scripts/tools/compare-auditors/compare.py [--check | --where]

The two other tools are installed, pinned with hashes, into an environment of
their own in the cache; nothing of them is linked or shipped. policies/tricky.tsv
says of each policy which verdict is right, and what is tricky about it. With
--check nothing is written, and a table that is out of date is an error. A
verdict of ours that is not the right one is an error in any case. --where
installs the two tools and prints the folder of their programs.
"""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
QUESTION = ["--principal", "arn:aws:iam::111122223333:user/buzon/vm-01",
            "--bucket", "acme-uploads", "--prefix", "uploads/vm-01/"]

WORDS = {
    "en": {
        "head": ["policy", "what is tricky", "`agent audit-policy`", "cloudsplaining", "… `--flag-all-risky-actions`", "parliament"],
        "nothing": "–",
        "refused": "can't read it",
        "sums": ["of the policies that", "", "`agent audit-policy`", "cloudsplaining", "… `--flag-all-risky-actions`", "parliament"],
        "violation": "can do more than write, found", "write-only": "can only write, left alone",
        "no-access": "can't write, found", "malformed": "are malformed, found",
    },
    "es": {
        "head": ["política", "lo engañoso", "`agent audit-policy`", "cloudsplaining", "… `--flag-all-risky-actions`", "parliament"],
        "nothing": "–",
        "refused": "no puede leerla",
        "sums": ["de las políticas que", "", "`agent audit-policy`", "cloudsplaining", "… `--flag-all-risky-actions`", "parliament"],
        "violation": "pueden más que escribir, encontradas", "write-only": "solo pueden escribir, dejadas en paz",
        "no-access": "no pueden escribir, encontradas", "malformed": "están mal formadas, encontradas",
    },
}


def cases():
    """The lines of tricky.tsv: file, right verdict, and a line in each language."""
    for line in (HERE / "policies/tricky.tsv").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            yield line.split("\t")


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(os.environ.get("BUZON_CACHE") or pathlib.Path(base, "buzon"))


def environment():
    """The Python of an environment that holds the two tools; made once."""
    wanted = (HERE / "requirements.txt").read_bytes()
    folder = cache() / ("auditors-" + hashlib.sha256(wanted).hexdigest()[:12])
    python = folder / "bin/python"
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                        "--require-hashes", "--only-binary", ":all:", "-r", HERE / "requirements.txt"], check=True)
        (folder / "complete").touch()
    return python


def ours(files):
    """The verdict of agent audit-policy on each file, and the rules that it finds broken."""
    with tempfile.TemporaryDirectory() as folder:
        agent = pathlib.Path(folder, "agent")
        subprocess.run(["go", "build", "-o", agent, "./agent"], cwd=ROOT, check=True)
        out = {}
        for file in files:
            run = subprocess.run([agent, "audit-policy", "--identity-policy", HERE / "policies" / file, *QUESTION,
                                  "--config", os.devnull, "--format", "json"], capture_output=True, text=True, check=False)
            if run.returncode == 2:
                place = re.search(r":(\d+:\d+): ", run.stderr)
                out[file] = ("malformed", [place.group(1)] if place else [])
                continue
            principal = json.loads(run.stdout)["principals"][0]
            out[file] = (principal["verdict"], [f["rule"] for f in principal["findings"]])
        return out


def theirs(files):
    """What the other tools find in each file. Runs inside their environment."""
    import contextlib
    import logging

    import parliament
    from cloudsplaining.scan.policy_document import PolicyDocument

    logging.disable(logging.CRITICAL)
    out = {}
    for file in files:
        text = (HERE / "policies" / file).read_text(encoding="utf-8")
        found = {}
        for name, all_risky in (("cloudsplaining", False), ("risky", True)):
            try:
                with contextlib.redirect_stdout(sys.stderr):
                    document = PolicyDocument(json.loads(text), flag_conditional_statements=all_risky,
                                              flag_resource_arn_statements=all_risky)
                    kinds = {
                        "PrivilegeEscalation": document.allows_privilege_escalation,
                        "ResourceExposure": document.permissions_management_without_constraints,
                        "DataExfiltration": document.allows_data_exfiltration_actions,
                        "CredentialsExposure": document.credentials_exposure,
                        "ServiceWildcard": document.service_wildcard,
                        "InfrastructureModification": document.infrastructure_modification,
                    }
                found[name] = [kind for kind, hits in kinds.items() if hits]
            except Exception:  # whatever it does with a policy that it can't read
                found[name] = None
        try:
            with contextlib.redirect_stdout(sys.stderr):
                policy = parliament.analyze_policy_string(text, include_community_auditors=True)
            found["parliament"] = sorted({finding.issue for finding in policy.findings})
        except Exception:
            found["parliament"] = None
        out[file] = found
    json.dump(out, sys.stdout)


def tables(lang, verdicts, others):
    words = WORDS[lang]
    names = ("cloudsplaining", "risky", "parliament")

    def row(cells):
        return "| " + " | ".join(cells) + " |"

    def show(found):
        if found is None:
            return words["refused"]
        return ", ".join(found) or words["nothing"]

    long = [row(words["head"]), row(["---"] * 6)]
    sums = {kind: [0, 0, 0, 0, 0] for kind in ("violation", "write-only", "no-access", "malformed")}
    for file, right, english, spanish in cases():
        verdict, rules = verdicts[file]
        found = [others[file][name] for name in names]
        long.append(row([file.removesuffix(".json"), english if lang == "en" else spanish,
                         f"**{verdict}**" + (": " + ", ".join(rules) if rules else ""), *map(show, found)]))
        count = sums[right]
        count[0] += 1
        count[1] += verdict == right
        for i, hits in enumerate(found):
            # A finding of any kind counts as found, and none as left alone.
            count[2 + i] += (hits == []) if right == "write-only" else (hits != [])
    short = [row(words["sums"]), row(["---"] + ["---:"] * 5)]
    for kind, count in sums.items():
        short.append(row([words[kind], *map(str, count)]))
    return {"sums": "\n".join(short), "policies": "\n".join(long)}


def main():
    files = [case[0] for case in cases()]
    if sys.argv[1:] == ["--inside"]:
        theirs(files)
        return 0
    if sys.argv[1:] == ["--where"]:
        print(environment().parent)
        return 0
    if sys.argv[1:] not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    inside = subprocess.run([environment(), __file__, "--inside"], stdout=subprocess.PIPE, check=True)
    verdicts, others = ours(files), json.loads(inside.stdout)
    bad = 0
    for file, right, *_ in cases():
        if verdicts[file][0] != right:
            print(f"{file}: {verdicts[file][0]} instead of {right}", file=sys.stderr)
            bad = 1
    for lang in WORDS:
        page = ROOT / "docs" / lang / "auditor-compared.md"
        old = new = page.read_text(encoding="utf-8")
        for name, table in tables(lang, verdicts, others).items():
            new = re.sub(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", lambda m: m[1] + table + "\n" + m[2], new, flags=re.S)
        if new == old:
            continue
        if sys.argv[1:]:
            print(f"{page.relative_to(ROOT)} is out of date: run {pathlib.Path(__file__).name}", file=sys.stderr)
            bad = 1
        else:
            page.write_text(new, encoding="utf-8")
    return bad


if __name__ == "__main__":
    sys.exit(main())
