"""Staff's simple text: paragraphs, line breaks and links, in HTML and as plain text."""

from campaigns.rendering import liquid, markup
from campaigns.rendering.markup import Links


def html(source: str, **inserts: object) -> str:
    links = Links(known={"links.portal": "https://kantis.fi/"})
    template = liquid.compiled(markup.as_html(source, links), html=True)
    return markup.tidied(liquid.written(template, {**inserts, "_to": links.targets(str)}))


def plain(source: str, **inserts: object) -> str:
    links = Links(known={"links.portal": "https://kantis.fi/"})
    template = liquid.compiled(markup.as_text(source, links))
    return liquid.written(template, {**inserts, "_to": links.targets(str)})


def test_blank_lines_part_paragraphs_and_line_ends_break_lines() -> None:
    assert html("One\r\ntwo\n \nThree & <four>") == "<p>One<br>two</p><p>Three &amp; &lt;four&gt;</p>"


def test_links_have_words_or_stand_alone() -> None:
    source = "See [our shop](https://shop.fi/?a=1&b=2), or https://shop.fi/b."
    assert html(source) == (
        '<p>See <a href="https://shop.fi/?a=1&amp;b=2">our shop</a>, '
        'or <a href="https://shop.fi/b">https://shop.fi/b</a>.</p>'
    )
    assert plain(source) == "See our shop: https://shop.fi/?a=1&b=2, or https://shop.fi/b."


def test_our_own_pages_are_links_wherever_they_stand() -> None:
    pages = {"portal": "https://kantis.fi/", "unsubscribe": "https://kantis.fi/u/1/"}
    assert html("See {{ links.portal }}.", links=pages) == (
        '<p>See <a href="https://kantis.fi/">https://kantis.fi/</a>.</p>'
    )
    assert plain("See {{ links.portal }} {{ links.unsubscribe }}", links=pages) == (
        "See https://kantis.fi/ https://kantis.fi/u/1/"
    )
    links = Links(known={"links.portal": "https://kantis.fi/"})
    markup.as_text("See {{ links.portal }} {{ links.unsubscribe }} {{ member.first_name }}", links)
    assert links.urls == ["https://kantis.fi/"]


def test_only_addresses_that_lead_somewhere_become_links() -> None:
    assert "<a" not in html("[x](javascript:alert(1)) [y](/home) [z](data:text/html,x)")


def test_an_insert_as_an_address_cannot_run_a_script() -> None:
    assert html("[x]({{ event.url }})", event={"url": "java\nscript:alert(1)"}) == '<p><a href="">x</a></p>'
    assert html("[x]({{ event.url }})", event={"url": 'https://a.fi/"><b>'}) == (
        '<p><a href="https://a.fi/&#34;&gt;&lt;b&gt;">x</a></p>'
    )


def test_a_member_s_facts_never_become_links_or_paragraphs() -> None:
    source = "Hi {{ name }}"
    assert (
        html(source, name="[x](https://evil.example)\n\n<p>")
        == "<p>Hi [x](https://evil.example)\n\n&lt;p&gt;</p>"
    )


def test_addresses_without_inserts_are_numbered_once() -> None:
    links = Links(known={"links.portal": "https://kantis.fi/"})
    source = "[a](https://a.fi) [b](https://a.fi) [c](https://c.fi/{{ member.card_number }}) [d]({{ links.portal }})"
    markup.as_html(source, links)
    markup.as_text(source, links)
    assert links.urls == ["https://a.fi", "https://kantis.fi/"]


def test_lines_of_tags_alone_leave_nothing_behind() -> None:
    source = "Yours:\n{% for one in all %}\n{{ one }}\n{% endfor %}\n\n{% if no %}\nNever\n{% endif %}\n\nBye"
    assert html(source, all=["a", "b"]) == "<p>Yours:<br>a<br>b</p><p>Bye</p>"


def test_characters_that_stand_for_our_own_places_are_taken_out() -> None:
    assert html("a\ue0000\ue001b{{ x }}", x="!") == "<p>a0b!</p>"
