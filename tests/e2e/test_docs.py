"""What `pare docs` writes from the declarations: pages that are committed, manual pages, completions that work in a shell."""
import shutil
import subprocess

import pytest
from conftest import SOURCE, listing, run_pare


def test_committed_pages_are_those_of_the_program(pare, tmp_path):
    pare("docs", "--markdown", tmp_path)
    for folder in ("commands", "methods"):
        written, committed = listing(tmp_path / folder), listing(SOURCE / "docs" / folder)
        assert written.keys() == committed.keys(), "run `make docs`"
        for name, text in written.items():
            assert text == committed[name], f"docs/{folder}/{name} is out of date: run `make docs`"
    assert len(listing(tmp_path / "commands")) > 10


def test_every_subcommand_has_a_page_and_a_manual(pare, tmp_path):
    pare("docs", "--markdown", tmp_path, "--man", tmp_path / "man")
    listed = [line.split()[0] for line in pare("--help").out.split("Subcommands:")[1].splitlines() if line.startswith("  ")
              and line[2] != " "]
    assert "prune" in listed and "docs" not in listed
    for name in listed:
        page = (tmp_path / "commands" / f"{name}.md").read_text()
        manual = (tmp_path / "man" / f"pare-{name}.1").read_text()
        assert f"pare {name}" in page and manual.startswith(f".TH PARE-{name.upper()} 1")
        for flag in ("--json", "--threads"):
            assert flag.replace("-", "\\-") in manual


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_manual_pages_are_well_formed(pare, tmp_path):
    pare("docs", "--man", tmp_path)
    for page in tmp_path.iterdir():
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-K", "utf8", str(page)], capture_output=True, text=True)
        assert done.returncode == 0 and done.stderr == "", f"{page.name}: {done.stderr}"


def completed(script, words):
    """What bash offers for the last of the words."""
    code = (f"source {script}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _pare; "
            'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_commands_flags_and_values(pare, tmp_path):
    pare("docs", "--completions", tmp_path)
    script = tmp_path / "pare.bash"
    assert completed(script, ["pare", "pru"]) == ["prune"]
    assert "--sparsity" in completed(script, ["pare", "prune", "--spars"])
    assert "--sparsity" not in completed(script, ["pare", "quantize", "--s"])
    assert completed(script, ["pare", "prune", "--scope", "gl"]) == ["global"]
    assert "magnitude" in completed(script, ["pare", "prune", "--method", "mag"])


def test_nothing_to_write_is_an_error():
    result = run_pare("docs")
    assert result.code == 2 and "--markdown" in result.error
