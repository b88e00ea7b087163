"""Staff's Liquid: what it can do is bounded, what it cannot do is said with its line."""

from collections.abc import Iterator

import pytest
from django.utils import translation
from pytest_django import Settings

from campaigns.rendering import liquid
from campaigns.rendering.liquid import BadLiquid

GROWN = "{% assign s = 'aaaaaaaaaa' %}{% for i in (1..9) %}{% assign s = s | append: s %}{% endfor %}"


@pytest.fixture(autouse=True)
def english(settings: Settings) -> Iterator[None]:
    settings.LANGUAGE_CODE = "en"
    with translation.override("en"):
        yield


def given(source: str, *, html: bool = False, **inserts: object) -> str:
    return liquid.written(liquid.compiled(source, html=html), inserts)


def refused(source: str, **inserts: object) -> str:
    with pytest.raises(BadLiquid) as caught:
        given(source, **inserts)
    return str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in (1..100000000) %}x{% endfor %}",
        "{% for i in (1..900) %}x{% endfor %}{% for i in (1..900) %}x{% endfor %}",
        "{% for i in (1..40) %}{% for j in (1..40) %}x{% endfor %}{% endfor %}",
        "{% assign s = 'aaaaaaaaaa' %}{% for i in (1..50) %}{% assign s = s | append: s %}{% endfor %}",
        f"{GROWN}{{{{ s | replace: 'a', s }}}}",
        "{{ (1..100000000) | join: 'x' }}",
        "{{ (1..100000000) | reverse | first }}",
        "{% assign n = 99999999 %}{% for i in (1..900) %}{% assign n = n | times: n %}{% endfor %}",
        "{% for i in (1..900) %}{{ big }}{% endfor %}",
    ],
)
def test_endless_work_ends_in_a_bounded_error(source: str) -> None:
    assert "too much work" in refused(source, big="x" * 1000)


@pytest.mark.parametrize(
    "source",
    [
        "{{ member.__class__ }}",
        "{{ member.__class__.__mro__[1] }}",
        "{{ points.real }}",
        "{{ member['items'] }}",
    ],
)
def test_attributes_of_values_are_not_there(source: str) -> None:
    assert given(source, member={"first_name": "Aino"}, points=3) == ""


@pytest.mark.parametrize(
    "tag", ["include 'a'", "render 'a'", "tablerow i in x", "liquid echo 1", "echo 1", "nope"]
)
def test_a_tag_that_is_not_offered_is_named_with_its_line(tag: str) -> None:
    assert refused(f"One\n\n{{% {tag} %}}").startswith("Line 3: ")
    assert tag.split()[0] in refused(f"{{% {tag} %}}")


def test_raw_text_is_refused() -> None:
    assert refused("One\n{% raw %}{{ <b> }}{% endraw %}") == "Line 2: The tag “raw” cannot be used here."


def test_an_unknown_filter_is_named_with_its_line() -> None:
    assert refused("One\n{{ x | base64_decode }}") == "Line 2: There is no filter “base64_decode”."


def test_what_is_not_closed_is_told_with_its_line() -> None:
    assert refused("One\nTwo\n{{ member.first_name").startswith("Line 3: ")
    assert refused("One\n{% if x %}\nTwo").startswith("Line 3: ")


def test_a_filter_that_cannot_work_is_a_bounded_error() -> None:
    assert "divided_by" in refused("{{ 5 | divided_by: 0 }}")


def test_an_insert_that_is_not_there_is_empty() -> None:
    assert given("Hi {{ nobody.first_name }}{{ nothing | upcase }}!") == "Hi !"


def test_default_stands_in_for_an_empty_value() -> None:
    assert given("{{ name | default: 'friend' }}", name="") == "friend"


@pytest.mark.parametrize(
    "source", ["{{ n }}", "{{ n | upcase }}", "{{ n | append: '' }}", "{{ n | split: ',' }}"]
)
def test_html_escapes_whatever_a_filter_leaves(source: str) -> None:
    assert "<" not in given(source, html=True, n="<b>a</b>,c")


def test_what_was_escaped_cannot_be_taken_apart_again() -> None:
    source = (
        "{% capture c %}{{ n }}{% endcapture %}{{ c | replace: '&lt;', '<' }}{{ c | split: ';' | join: ';' }}"
    )
    assert "<" not in given(source, html=True, n="<script>")


def test_plain_text_is_not_escaped() -> None:
    assert given("{{ n }}", n="Aino & <co>") == "Aino & <co>"
