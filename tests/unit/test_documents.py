"""Every file that README and docs link to, and every picture that they show, is in the repository."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r'\]\(([^)\s]+)\)|src="([^"]+)"')


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_links_to_is_there(document):
    targets = [a or b for a, b in LINK.findall(document.read_text(encoding="utf-8"))]
    files = [target.split("#")[0] for target in targets if "://" not in target and not target.startswith("#")]
    missing = [file for file in files if not (document.parent / file).exists()]
    assert missing == []


def test_the_documents_do_link():
    assert sum(len(LINK.findall(document.read_text(encoding="utf-8"))) for document in DOCUMENTS) > 20
