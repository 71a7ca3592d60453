"""No name, id, birthday or place reaches a message, a traceback, a log or the terminal."""

from __future__ import annotations

import importlib
import logging
import re
import traceback

import pytest

import cardionets_core as cn
from cardionets_core.errors import CardionetsError

MAKERS = ("cardiosoft", "muse", "aecg", "philips")
ANYTHING = r"(?s).*"


def reader(name: str):
    return importlib.import_module(f"cardionets_formats.{name}")


def told_about(read_bytes, content: bytes) -> str:
    """Message and traceback of a refusal, or nothing if the content is read."""
    try:
        read_bytes(content, "record 7")
    except CardionetsError as error:
        return "".join(traceback.format_exception(error))
    return ""


def leaked(made_up, text: str) -> list[str]:
    return [secret for secret in made_up.SECRETS if secret.lower() in text.lower()]


def test_the_secrets_are_in_every_made_up_file(made_up):
    for name in MAKERS:
        content = made_up.MAKERS[name]().decode("utf-16" if name == "philips" else "latin-1")
        planted = leaked(made_up, content)
        assert {made_up.FAMILY, made_up.GIVEN, made_up.PATIENT_ID, made_up.PLACE} <= set(planted)


@pytest.mark.parametrize("name", MAKERS)
def test_no_secret_is_in_any_message_traceback_log_or_print(
    made_up, mutating, name, caplog, capsys
):
    caplog.set_level(logging.DEBUG)
    content = made_up.MAKERS[name]()
    messages = set()
    for mutated in mutating.mutations(content, 120, 13, ANYTHING):
        told = told_about(reader(name).read_bytes, mutated)
        messages.add(told.splitlines()[-1] if told else "")
        assert leaked(made_up, told) == []
    assert len(messages) > 10
    assert caplog.text == ""
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", MAKERS)
def test_secrets_in_the_fields_of_the_signal_are_not_quoted(made_up, mutating, name):
    document = mutating.document_of(made_up.MAKERS[name](), mutating.SIGNAL[name], inside=True)
    refused = 0
    for kind, group in ((document.leaves, 3), (document.attributes, 2)):
        # Of each kind of field the first and the last: one may be a lead, the other the time.
        for match in [matches[place] for matches in kind for place in (0, -1)]:
            text = document.without(*match.span(group), f"{made_up.FAMILY} 19610203")
            told = told_about(reader(name).read_bytes, text.encode(document.encoding))
            refused += bool(told)
            assert leaked(made_up, told) == []
    assert refused > 4


@pytest.mark.parametrize("name", MAKERS)
def test_no_record_carries_a_secret(made_up, name):
    record = reader(name).read_bytes(made_up.MAKERS[name](), "r")
    fields = (record.leads, record.derived_leads, record.acquired_at, record.sampling_rate_hz)
    assert leaked(made_up, repr(fields)) == []


@pytest.mark.parametrize("name", MAKERS)
def test_a_file_name_that_holds_an_id_is_not_in_the_message(made_up, name, tmp_path):
    folder = tmp_path / made_up.PATIENT_ID
    folder.mkdir()
    path = folder / f"{made_up.FAMILY}_{made_up.GIVEN}.xml"
    path.write_bytes(made_up.MAKERS[name]()[:-200])
    for read in (reader(name).read, cn.read_ecg):
        with pytest.raises(CardionetsError) as caught:
            read(path)
        assert leaked(made_up, str(caught.value)) == []
        assert str(tmp_path) not in str(caught.value)


def test_an_entity_that_names_a_secret_is_not_quoted(made_up):
    secret = made_up.FAMILY
    for start in (f'<!DOCTYPE RestingECG [<!ENTITY e "{secret}">]>', ""):
        content = f"{start}<RestingECG>&{secret};</RestingECG>".encode()
        with pytest.raises(CardionetsError) as caught:
            reader("muse").read_bytes(content, "r")
        told = "".join(traceback.format_exception(caught.value))
        assert leaked(made_up, re.sub(r"File .*", "", told)) == []
