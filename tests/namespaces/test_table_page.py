from pathlib import Path

from registry.namespaces.table_page import page

PAGE = Path(__file__).parents[2] / "docs" / "access-table.md"


def test_the_page_shows_the_table_as_it_is() -> None:
    assert PAGE.read_text() == page()
