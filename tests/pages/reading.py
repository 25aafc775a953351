"""A page as a parser reads it: elements by class, and their text."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "input", "br", "img", "link", "line"}


class Element:
    def __init__(self, tag, attributes, parent):
        self.tag, self.attributes, self.parent, self.children = tag, dict(attributes), parent, []

    def walk(self):
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child.walk()

    def all(self, tag=None, cls=None):
        return [
            one
            for one in self.walk()
            if (tag is None or one.tag == tag) and (cls is None or cls in (one.attributes.get("class") or "").split())
        ]

    @property
    def raw(self):
        return "".join(one if isinstance(one, str) else one.raw for one in self.children)

    @property
    def text(self):
        return " ".join(self.raw.split())


class Reader(HTMLParser):
    """Builds elements, and fails on an end tag that closes nothing."""

    def __init__(self, page):
        super().__init__()
        self.root = self.at = Element("", (), None)
        self.feed(page)
        assert self.at is self.root, f"{self.at.tag} is not closed"

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(set(names)) == len(names), f"{tag} says an attribute twice"
        made = Element(tag, attributes, self.at)
        self.at.children.append(made)
        if tag not in VOID:
            self.at = made

    def handle_startendtag(self, tag, attributes):
        self.at.children.append(Element(tag, attributes, self.at))

    def handle_endtag(self, tag):
        assert self.at.tag == tag, f"</{tag}> closes <{self.at.tag}>"
        self.at = self.at.parent

    def handle_data(self, data):
        self.at.children.append(data)


def read(page):
    """The page's elements; AssertionError if they do not nest."""
    return Reader(page).root


def titles(root):
    """The headings of the entries, as people read them."""
    return [card.all("h3")[0].text for card in root.all("li", "card")]
