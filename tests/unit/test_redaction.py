"""Keys and prompts are taken out of every text that may be shown."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videogen_operator.redaction import Secret, scrub

PROMPT = 'A "quiet" lighthouse\nat dusk, 海鸥 & low wind'


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret("sk-very-secret")
    assert "very" not in f"{secret} {secret!r} {[secret]} {{}}".format(secret)
    assert secret.reveal() == "sk-very-secret"


def test_an_empty_secret_is_false() -> None:
    assert not Secret("")


@pytest.mark.parametrize(
    "shown",
    [
        PROMPT,
        json.dumps(PROMPT),
        json.dumps(PROMPT, ensure_ascii=False),
        repr(PROMPT),
        quote(PROMPT),
        quote_plus(PROMPT),
        " ".join(PROMPT.split()),
        PROMPT[:20],
        json.dumps(PROMPT)[:25],
    ],
)
def test_a_prompt_is_hidden_however_it_is_written(shown: str) -> None:
    assert "lighthouse" not in scrub(f"invalid prompt: {shown} was refused", [PROMPT])


def test_a_prompt_that_is_cut_at_the_end_of_a_body_is_hidden() -> None:
    assert scrub('invalid: A "quiet', [PROMPT]) == "invalid: [hidden]"


def test_the_longer_of_two_hidden_values_goes_first() -> None:
    assert scrub("long value here", ["long", "long value"]) == "[hidden] here"


def test_a_short_word_is_left_alone() -> None:
    assert scrub("the cat", ["cat"]) == "the cat"


@pytest.mark.parametrize(
    "key",
    ["sk-abcdef123456", "Bearer sk-abcdef123456", "bearer abcdefghijklmnop", "AIza" + "b" * 35, "AKIA" + "B" * 16],
)
def test_what_looks_like_a_key_is_hidden(key: str) -> None:
    assert scrub(f"wrong key {key}!") == "wrong key [hidden]!"


def test_a_token_of_three_parts_is_hidden() -> None:
    token = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b'{"alg":"x"}', b"body", b"sig"))
    assert token not in scrub(f"token {token}")


def test_words_about_a_bearer_token_stay() -> None:
    assert scrub("no bearer token") == "no bearer token"


def test_the_query_of_an_address_is_hidden() -> None:
    shown = scrub("see https://store/key?X-Amz-Signature=abc&x=1 for more")
    assert shown == "see https://store/key?[hidden] for more"


@pytest.mark.parametrize("character", ["\n", "\x1b", "\u202e", "\u2066", "\u200b", "\x85", "\ufeff", "\ud800"])
def test_control_and_direction_characters_become_a_space(character: str) -> None:
    assert scrub(f"a{character}b") == "a b"


def test_text_is_cut_at_the_limit() -> None:
    assert scrub("x" * 1000) == "x" * 299 + "…"


@given(text=st.text(max_size=400), hidden=st.lists(st.text(max_size=60), max_size=3))
def test_scrubbing_ends_in_one_line_within_the_limit(text: str, hidden: list[str]) -> None:
    shown = scrub(text, hidden, limit=100)
    assert len(shown) <= 100
    assert shown.encode().decode() == shown
    assert "\n" not in shown


@given(
    value=st.text(alphabet='abc \n"\\é海', min_size=13, max_size=60),
    before=st.text(alphabet="xyz ", max_size=40),
    after=st.text(alphabet="xyz ", max_size=40),
    keep=st.integers(13, 60),
)
def test_no_beginning_of_a_hidden_value_is_left(value: str, before: str, after: str, keep: int) -> None:
    shown = scrub(f"{before}{value[:keep]}{after}", [value], limit=1000)
    assert value[:13] not in shown
