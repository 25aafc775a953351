"""Names and texts made to break out of where they are put."""

from __future__ import annotations

from hypothesis import strategies as st

NASTY = (
    "plain",
    "O'Brien",
    'say "hi"',
    "a]b[c",
    "['x']",
    "back\\slash",
    "ends\\",
    "new\nline",
    "cr\r\nlf",
    "tab\t",
    "semi;colon",
    "pi|pe",
    "quer<|y",
    "'] ; .drop table T //",
    "'])//",
    "h@'x'",
    "```",
    "ends in a tick`",
    "`begins with one",
    "~~~",
    "// comment",
    "with (isDisabled=true)",
    "table",
    "over",
    "where",
    "1day",
    "2026",
    "time(1h)",
    " leading and trailing ",
    "ünïcödé",
    "日本語",
    "😀 emoji",
    "zero\u200bwidth",
    "line\u2028separator",
    "next\u0085line",
    "nul\x00l",
    "bom\ufeff",
    "x" * 1024,
    "'" * 1024,
    "$system",
    "{curly}",
    "%s ${var}",
)

names = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40),
    st.lists(
        st.sampled_from(["'", '"', "\\", "]", "[", "<|", "|", ";", "\n", "@", "h", "`", "a", " "]),
        min_size=1,
        max_size=12,
    ).map("".join),
)
texts = names
