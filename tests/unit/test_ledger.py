"""Names, keys and requests: no two things share a key, nothing leaves its folder, equal hashes mean equal orders."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import (
    PROMPT,
    a_result,
    a_task,
    an_answer,
    an_end,
    an_intent,
    attempt_id,
    folder_id,
    given_up,
    make_folder,
    make_request,
    not_sent,
)
from videogen_operator import ledger, ledger_names
from videogen_operator.api.generation_status import AttemptState
from videogen_operator.ledger import Answer, Request
from videogen_operator.ledger_names import AttemptId, FolderId, NameNotAllowedError

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
REVISIONS = st.integers(min_value=1, max_value=2**31 - 1)
FILES = st.sampled_from(["", "result.json", "a1.intent.json", "a11.task.json", "dawn.mp4"])
FOLDERS = st.builds(FolderId, LABELS, LABELS, REVISIONS)
PREFIXES = st.sampled_from(["", "veo/", "a/b/"])

# ---------------------------------------------------------------- keys


@given(FOLDERS, FILES, FOLDERS, FILES, PREFIXES)
def test_two_files_never_share_a_key(one: FolderId, file: str, other: FolderId, other_file: str, prefix: str) -> None:
    same = (one, file) == (other, other_file)
    assert (one.key(prefix, file) == other.key(prefix, other_file)) is same


@given(LABELS, LABELS, LABELS, LABELS, st.integers(1, 99), st.integers(1, 99))
def test_neighbouring_names_never_share_a_folder(a: str, b: str, c: str, d: str, r: int, s: int) -> None:
    """Hyphens and digits at the seams between namespace, name and revision are the dangerous places."""
    same = (a, b, r) == (c, d, s)
    assert (FolderId(a, b, r).key("") == FolderId(c, d, s).key("")) is same


@given(FOLDERS, FILES, PREFIXES)
def test_every_key_is_inside_its_prefix_and_its_folder(folder: FolderId, file: str, prefix: str) -> None:
    key = folder.key(prefix, file)
    assert key.startswith(folder.key(prefix))
    assert key.startswith(prefix)
    assert ".." not in key.split("/")
    assert "//" not in key


@given(FOLDERS, FOLDERS, PREFIXES)
def test_no_folder_is_a_prefix_of_another(one: FolderId, other: FolderId, prefix: str) -> None:
    """A LIST of one folder must not show files of another."""
    assert one == other or not other.key(prefix).startswith(one.key(prefix))


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "A", "a.b", "a/b", "..", "a" * 64, "a b", "ä", "a\n", "a\x00", "a_b", "a\\b", "%2e"]
)
def test_a_name_that_is_no_dns_label_never_becomes_a_key(name: str) -> None:
    with pytest.raises(NameNotAllowedError):
        FolderId("films", name, 1)
    with pytest.raises(NameNotAllowedError):
        FolderId(name, "dawn", 1)


@given(st.text(alphabet=string.printable + "äé\u2028", max_size=70))
def test_a_name_is_either_refused_or_a_plain_label(name: str) -> None:
    try:
        key = FolderId("films", name, 1).key("")
    except NameNotAllowedError:
        return
    assert key == f"films/{name}/r1/"
    assert set(name) <= set(string.ascii_lowercase + string.digits + "-")


@pytest.mark.parametrize("revision", [0, -1])
def test_a_revision_is_at_least_one(revision: int) -> None:
    with pytest.raises(NameNotAllowedError):
        FolderId("films", "dawn", revision)


@given(FOLDERS, st.integers(1, 99999))
def test_an_entry_names_its_attempt_back(folder: FolderId, number: int) -> None:
    attempt = folder.attempt(number)
    assert ledger_names.parse_entry(attempt.entry) == attempt
    assert ledger_names.parse_short(attempt.short) == (folder.revision, number)
    assert len(attempt.entry) <= 160  # what a reservation holds


@given(st.text(max_size=60) | st.from_regex(r"[a-z.A-Z]{1,4}/[a-z-]{1,4}/r[0-9]{1,3}/a[0-9]{1,3}\n?", fullmatch=True))
def test_a_text_that_is_no_entry_is_none(text: str) -> None:
    found = ledger_names.parse_entry(text)
    assert found is None or found.entry == text


@pytest.mark.parametrize(
    "text", ["", "r1", "r0-a1", "r1-a0", "r1-a1 ", "r1-a1\n", "R1-a1", "r01-a1", "r1-a01", "r1-a1x"]
)
def test_a_text_that_names_no_attempt_is_none(text: str) -> None:
    assert ledger_names.parse_short(text) is None


@given(FOLDERS, st.integers(1, 99999), st.sampled_from(["intent", "task", "end", "resolved"]), PREFIXES)
def test_a_key_of_the_ledger_is_read_back(folder: FolderId, number: int, kind: str, prefix: str) -> None:
    key = folder.key(prefix, folder.attempt(number).file(kind))
    assert ledger_names.parse_key(prefix, key) == (folder, number, kind)


def test_the_commit_mark_is_read_back() -> None:
    assert ledger_names.parse_key("veo/", folder_id().key("veo/", "result.json")) == (folder_id(), None, "result")


@pytest.mark.parametrize(
    "key",
    [
        "",
        "veo/",
        "other/films/dawn/r1/result.json",
        "veo/films/dawn/r1/dawn.mp4",
        "veo/films/dawn/r1/",
        "veo/films/dawn/r0/result.json",
        "veo/films/dawn/result.json",
        "veo/films/dawn/r1/sub/result.json",
        "veo/Films/dawn/r1/result.json",
        "veo/films/dawn/r1/a0.intent.json",
        "veo/films/dawn/r1/a1.intent.json\n",
        "veo/films/dawn/r1/a1.other.json",
        "veo/films/dawn/r1/xa1.intent.json",
    ],
)
def test_a_key_that_is_not_of_the_ledger_is_none(key: str) -> None:
    assert ledger_names.parse_key("veo/", key) is None


def test_a_second_tasks_video_has_a_name_of_its_own() -> None:
    assert folder_id().video() == "dawn.mp4"
    assert folder_id().video(2) == "dawn.a2.mp4"


# ---------------------------------------------------------------- the request

OTHER_VALUES: dict[str, Any] = {
    "model": "veo-3.1-generate-preview",
    "prompt_sha256": ledger.digest("another prompt"),
    "negative_prompt_sha256": ledger.digest("text"),
    "resolution": "1080p",
    "aspect_ratio": "9:16",
    "duration_seconds": 8,
    "seed": 0,
}


def test_every_field_of_a_request_is_tried_here() -> None:
    assert set(OTHER_VALUES) == set(Request.model_fields)


@pytest.mark.parametrize("field", OTHER_VALUES)
def test_another_value_is_another_request(field: str) -> None:
    changed = make_request(**{field: OTHER_VALUES[field]})
    assert changed != make_request()
    assert changed.hash != make_request().hash


def test_a_seed_of_zero_is_not_the_absence_of_a_seed() -> None:
    assert make_request(seed=0).hash != make_request(seed=None).hash


def test_equal_requests_have_equal_hashes_after_the_wire() -> None:
    there_and_back = Request.model_validate_json(ledger.document_bytes(make_request(seed=7)))
    assert there_and_back.hash == make_request(seed=7).hash
    assert there_and_back == make_request(seed=7)


def test_the_canonical_form_does_not_change_between_versions() -> None:
    """Status and bucket hold these hashes for ever: another form would refuse every paid request as changed."""
    assert make_request().hash == "sha256:" + ledger.digest(
        '{"aspectRatio":"16:9","durationSeconds":4,"model":"veo-3.1-fast-generate-preview","promptSha256":"'
        + ledger.digest(PROMPT)
        + '","resolution":"720p"}'
    )


def test_a_derived_seed_is_the_same_for_ever() -> None:
    """A seed that moves between versions would make another video of the same manifest."""
    assert ledger.derived_seed(folder_id(), PROMPT) == 2775795882


@given(FOLDERS, st.text(max_size=30))
def test_a_derived_seed_fits_the_field(folder: FolderId, prompt: str) -> None:
    assert 0 <= ledger.derived_seed(folder, prompt) <= 4294967295
    assert ledger.derived_seed(folder, prompt) == ledger.derived_seed(folder, prompt)


def test_each_revision_is_a_new_take() -> None:
    assert len({ledger.derived_seed(folder_id(revision), PROMPT) for revision in range(1, 101)}) == 100


@pytest.mark.parametrize(
    "other", [FolderId("films", "dusk", 1), FolderId("shorts", "dawn", 1), FolderId("films", "dawn", 2)], ids=str
)
def test_another_object_has_another_seed(other: FolderId) -> None:
    assert ledger.derived_seed(other, PROMPT) != ledger.derived_seed(folder_id(), PROMPT)


# ---------------------------------------------------------------- entries and folders


@pytest.mark.parametrize("state", list(AttemptState))
def test_only_an_end_before_any_task_says_that_nothing_was_made(state: AttemptState) -> None:
    entry = make_folder(an_intent(), an_end(state=state)).entry(1)
    assert entry.nothing_made is (state in {AttemptState.NOT_SENT, AttemptState.REJECTED})


def test_a_task_outweighs_every_end() -> None:
    assert not make_folder(an_intent(), a_task(), not_sent()).entry(1).nothing_made


@pytest.mark.parametrize("answer", list(Answer))
def test_a_persons_answer_makes_nothing_certain(answer: Answer) -> None:
    assert not make_folder(an_intent(), an_answer(answer)).entry(1).nothing_made


def test_an_attempt_without_files_is_not_known_to_be_nothing() -> None:
    assert not make_folder().entry(1).nothing_made


def test_the_newest_attempt_is_the_one_with_the_highest_number() -> None:
    folder = make_folder(an_intent(9), an_intent(10), an_intent(2))
    assert folder.newest is not None
    assert folder.newest.number == 10
    assert make_folder().newest is None


def test_a_file_is_added_and_the_old_folder_is_as_it_was() -> None:
    before = make_folder(an_intent())
    after = before.with_file(1, a_task()).with_file(2, given_up(2)).with_result(a_result())
    assert before == make_folder(an_intent())
    assert after.entry(1).intent == an_intent()
    assert after.entry(1).task == a_task()
    assert after.entry(2).end == given_up(2)
    assert after.result == a_result()


def test_an_attempt_is_shown_by_its_entry() -> None:
    assert str(AttemptId(folder_id(), 3)) == attempt_id(3).entry == "films/dawn/r1/a3"
