"""Both languages are complete, and every lookup in the code has its text."""

import ast
import re
import string
from pathlib import Path

import pytest
from glasstape import Direction, Method, Quantity, Score, SkillVerdict, Verdict
from glasstape_qt import i18n
from glasstape_qt.i18n import LANGUAGES, texts
from glasstape_qt.state.connection import LinkState
from glasstape_qt.views.settings.settings_dialog import PAGES
from glasstape_qt.views.shortcuts import SHORTCUTS
from glasstape_qt.views.window_actions import MENUS

SOURCES = sorted((Path(i18n.__file__).parents[1]).rglob("*.py"))


def fields(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def lookups():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "tr" and node.args:
                yield path, node


def test_both_languages_have_the_same_keys_and_placeholders():
    english, korean = texts("en"), texts("ko")
    assert english.keys() == korean.keys()
    for key, text in english.items():
        assert fields(text) == fields(korean[key]), key


def test_korean_is_korean():
    same = {
        key
        for key, text in texts("ko").items()
        if text == texts("en")[key] and re.search("[a-z]{4}", re.sub("{.*?}", "", text))
    }
    assert same <= {
        "window.title", "alert.title", "method.smoothgrad", "method.grad_cam", "settings.language_en",
    }, same  # fmt: skip


def branches(key):
    """The possible keys of a lookup: both of a conditional expression."""
    return [*branches(key.body), *branches(key.orelse)] if isinstance(key, ast.IfExp) else [key]


def test_every_lookup_has_a_text_and_fills_its_placeholders():
    known = texts("en")
    count = 0
    for path, call in lookups():
        for key in branches(call.args[0]):
            if isinstance(key, ast.Constant):
                assert key.value in known, f"{path.name}: {key.value}"
                names = {word.arg for word in call.keywords}
                if None not in names:
                    assert names == fields(known[key.value]), f"{path.name}: {key.value}"
                count += 1
            elif isinstance(key, ast.JoinedStr):
                prefix = key.values[0].value if isinstance(key.values[0], ast.Constant) else ""
                assert any(name.startswith(prefix) for name in known), f"{path.name}: {prefix}"
    assert count > 100


def test_every_key_in_the_code_has_a_text():
    """Keys that are stored first and looked up later, such as reasons of a disconnect."""
    sections = {key.partition(".")[0] for key in texts("en")}
    keys = {
        node.value
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        and re.fullmatch(rf"({'|'.join(sections)})(\.[a-z_]+)+", node.value)
    }  # fmt: skip
    assert {"link.refused", "record.failed", "trust.no_calls"} <= keys
    assert keys <= texts("en").keys() | {"crash.log"}


@pytest.mark.parametrize(
    ("table_name", "names"),
    [
        ("method", [method.value for method in Method if method is not Method.UNSPECIFIED]),
        ("score", [score.value for score in Score if score is not Score.UNSPECIFIED]),
        ("quantity", [quantity.value for quantity in Quantity]),
        ("skill.verdict", [verdict.value for verdict in SkillVerdict]),
        ("verdict", [verdict.value for verdict in Verdict]),
        ("direction", [direction.name.lower() for direction in Direction]),
        ("status", [state.value for state in LinkState]),
        ("action", [*SHORTCUTS, *(name for names in MENUS.values() for name in names)]),
        ("menu", list(MENUS)),
        ("settings.page", list(PAGES)),
        ("settings", [name for page in PAGES.values() for name in page]),
    ],
)
def test_every_named_value_has_a_text(table_name, names):
    for name in names:
        assert f"{table_name}.{name}" in texts("en")


def test_no_text_is_unused():
    text = "\n".join(path.read_text() for path in SOURCES)
    families = {call.args[0].values[0].value for _, call in lookups() if _begins_with_text(call.args[0])}
    families |= {"method.", "score."}  # looked up by table and value
    for key in texts("en"):
        assert key in text or any(key.startswith(family) for family in families), key


def _begins_with_text(key):
    return isinstance(key, ast.JoinedStr) and isinstance(key.values[0], ast.Constant)


def test_the_language_of_the_system_is_the_default(monkeypatch):
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    i18n.set_language("system")
    assert i18n.language() == "ko"
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    i18n.set_language("system")
    assert i18n.language() == "en"
    i18n.set_language("en")
    assert set(LANGUAGES) == {"en", "ko"}
