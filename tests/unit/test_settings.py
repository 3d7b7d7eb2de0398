"""Settings: one table, and errors that name every wrong key."""

from dataclasses import fields

import pytest

from videogen_operator.settings import Settings, SettingsError, environment_key

LEAST = {"VIDEOGEN_NAMESPACE": "videogen"}


def refusal(**environ: str) -> str:
    with pytest.raises(SettingsError) as error:
        Settings.from_env({**LEAST, **environ})
    return str(error.value)


def test_only_the_namespace_is_required() -> None:
    settings = Settings.from_env(LEAST)
    assert settings == Settings(namespace="videogen")
    assert settings.http_port == 8080
    assert settings.kubeconfig is None


def test_a_missing_namespace_is_named() -> None:
    with pytest.raises(SettingsError, match="VIDEOGEN_NAMESPACE is not set"):
        Settings.from_env({})


def test_values_have_the_type_of_their_field() -> None:
    settings = Settings.from_env({**LEAST, "VIDEOGEN_WORKERS": "3", "VIDEOGEN_WALK_SECONDS": "0.5"})
    assert (settings.workers, settings.walk_seconds) == (3, 0.5)


def test_an_empty_value_means_the_default() -> None:
    assert Settings.from_env({**LEAST, "VIDEOGEN_KUBECONFIG": "", "VIDEOGEN_WORKERS": ""}) == Settings(
        namespace="videogen"
    )


def test_a_choice_says_what_is_allowed() -> None:
    assert refusal(VIDEOGEN_LOG_LEVEL="loud") == "VIDEOGEN_LOG_LEVEL='loud': must be debug or info or warning"


@pytest.mark.parametrize("value", ["many", "0", "257", "1.5"])
def test_a_number_out_of_bounds_says_what_is_allowed(value: str) -> None:
    assert refusal(VIDEOGEN_WORKERS=value) == f"VIDEOGEN_WORKERS={value!r}: must be a whole number from 1 to 256"


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "0", "soon"])
def test_a_time_must_be_a_positive_number(value: str) -> None:
    assert "must be a number of 0.01 or more" in refusal(VIDEOGEN_WALK_SECONDS=value)


def test_an_unknown_key_is_refused_with_the_nearest_name() -> None:
    assert refusal(VIDEOGEN_WORKER="3") == "VIDEOGEN_WORKER is no setting; did you mean VIDEOGEN_WORKERS?"


def test_all_wrong_keys_are_named_at_once() -> None:
    told = refusal(VIDEOGEN_HTTP_PORT="70000", VIDEOGEN_LOG_FORMAT="xml", VIDEOGEN_ZZZ="1")
    assert all(key in told for key in ("VIDEOGEN_HTTP_PORT", "VIDEOGEN_LOG_FORMAT", "VIDEOGEN_ZZZ"))


def test_other_programs_keys_are_left_alone() -> None:
    assert Settings.from_env({**LEAST, "PATH": "/bin", "VIDEOGENERATOR": "x"}) == Settings(namespace="videogen")


def test_every_setting_is_described_and_its_default_is_within_its_bounds() -> None:
    for entry in fields(Settings):
        assert entry.metadata["doc"].endswith(".")
        if isinstance(entry.default, int | float):
            assert entry.metadata["least"] <= entry.default <= entry.metadata["most"]


def test_each_setting_can_be_set_by_its_key() -> None:
    for entry in fields(Settings):
        if isinstance(entry.default, int | float):
            changed = Settings.from_env({**LEAST, environment_key(entry.name): "7"})
            assert getattr(changed, entry.name) == 7
