"""Values that are not of the type of their setting, whatever source they come from."""

import pytest
from glasstape.cli import main
from glasstape_server.settings import Settings, load

PATHS = (
    "tokens",
    "audit_log",
    "models_dir",
    "data_dir",
    "tls_certificate",
    "tls_key",
    "tls_client_authorities",
    "cluster_authorities",
    "cluster_credentials",
)


def from_file(tmp_path, text):
    """Load a configuration file with this text."""
    file = tmp_path / "server.toml"
    file.write_text(text)
    return load({}, file)


@pytest.mark.parametrize("name", PATHS)
def test_an_empty_path_is_refused_from_every_source(tmp_path, monkeypatch, name):
    with pytest.raises(ValueError, match=rf"^settings: {name}: must not be empty \(value: ''\)"):
        load({name: ""})
    with pytest.raises(ValueError, match=rf"settings: {name}: must not be empty \(value: ''\)"):
        from_file(tmp_path, f'{name} = ""')
    monkeypatch.setenv(f"GLASSTAPE_{name.upper()}", "")
    with pytest.raises(ValueError, match=rf"{name}: must not be empty .* from GLASSTAPE_{name.upper()}\)"):
        load({})


def test_every_path_is_among_those():
    assert set(PATHS) == {
        name for name, field in Settings.model_fields.items() if "Path" in str(field.annotation)
    }


@pytest.mark.parametrize(
    "arguments",
    [["backup", "--to", ""], ["tokens", "list", "--tokens", ""], ["serve", "--config", ""],
     ["restore", "--from", ""], ["doctor", "--journal", ""], ["train", "--data", "x", "--out", ""]],
)  # fmt: skip
def test_an_empty_path_of_a_command_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert f"argument {arguments[-2]}: must not be empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line", ['data_dir = "a\\u0000b"', 'model = "\\u0000"', 'replay_rename = ["A=\\u0000"]']
)
def test_a_nul_character_is_refused(tmp_path, line):
    with pytest.raises(ValueError, match=f"settings: {line.split()[0]}: must not contain a NUL character"):
        from_file(tmp_path, line)


@pytest.mark.parametrize("name", ["port", "metrics_port", "quota_windows", "drain_seconds", "journal_keep"])
@pytest.mark.parametrize("value", ["true", "false"])
def test_true_and_false_are_no_numbers(tmp_path, name, value):
    with pytest.raises(ValueError, match=rf"settings: {name}: must be a number \(value: {value.title()}\)"):
        from_file(tmp_path, f"{name} = {value}")


@pytest.mark.parametrize("value", ["close=Last", '"x"', "5", '{"a": 1}', "", "[" * 100_000])
@pytest.mark.parametrize("name", ["replay_column", "replay_ignore_column", "replay_rename"])
def test_a_variable_that_is_no_list_is_named_with_the_form(monkeypatch, name, value):
    variable = f"GLASSTAPE_{name.upper()}"
    monkeypatch.setenv(variable, value)
    with pytest.raises(
        ValueError, match=rf'{name}: must be a list of texts, such as \["close=Last"\]'
    ) as error:
        load({})
    assert str(error.value).endswith(f", from {variable})")


def test_an_item_of_a_list_names_its_variable(monkeypatch):
    monkeypatch.setenv("GLASSTAPE_REPLAY_IGNORE_COLUMN", '["a", 1]')
    with pytest.raises(ValueError, match=r"replay_ignore_column.1: .* from GLASSTAPE_REPLAY_IGNORE_COLUMN\)"):
        load({})
    monkeypatch.setenv("GLASSTAPE_REPLAY_IGNORE_COLUMN", '["a"]')
    assert load({}).replay_ignore_column == ("a",)


@pytest.mark.parametrize(("name", "value"), [("journal_max_age", "1e300"), ("replay_speed", "1e308")])
def test_a_number_that_would_overflow_is_refused(name, value):
    with pytest.raises(ValueError, match=f"settings: {name}: .*less than or equal to"):
        load({name: value})


def test_a_configuration_that_is_no_file_is_said_to_be_none(tmp_path):
    with pytest.raises(ValueError, match=rf"^--config {tmp_path}: is a folder, expected a file$"):
        load({}, tmp_path)
    with pytest.raises(ValueError, match=r"^--config .*: no such file$"):
        load({}, tmp_path / "none.toml")


def test_a_token_file_that_is_a_folder_is_said_to_be_one(tmp_path, capsys):
    assert main(["tokens", "list", "--tokens", str(tmp_path)]) == 1
    assert f"{tmp_path}: is a folder, expected a file" in capsys.readouterr().err


@pytest.mark.parametrize(("value", "kept"), [("1", 1), (3, 3), ("2", None), ("", None), (1.0, 1)])
def test_the_number_of_replicas_may_be_a_text_as_flags_give_it(value, kept):
    if kept is None:
        with pytest.raises(ValueError, match="cluster_replicas: Input should be 1, 3 or 5"):
            load({"cluster_replicas": value})
    else:
        assert load({"cluster_replicas": value}).cluster_replicas == kept
