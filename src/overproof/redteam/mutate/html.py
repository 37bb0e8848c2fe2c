"""Edit script injections without changing what they do to a visitor: markup, URLs and scripts."""

from __future__ import annotations

from random import Random

from overproof.redteam.base import Mutator, Mutators
from overproof.redteam.mutate import html_tags, html_urls, javascript
from overproof.redteam.mutate.html_scan import scan


def _in_script(edit: javascript.Edit) -> Mutator:
    """Make an edit of scripts one of texts that hold some: in the first, in drawn order, that has a place for it."""

    def mutator(text: str, random: Random) -> str | None:
        codes = scan(text).codes
        for code in random.sample(codes, len(codes)):
            edited = edit(text[code.start : code.end], code, random)
            if edited is not None:
                return text[: code.start] + edited + text[code.end :]
        return None

    return mutator


MUTATORS: Mutators = {
    "tag in another case": html_tags.tag_case,
    "attribute in another case": html_tags.attribute_case,
    "white space between attributes": html_tags.tag_space,
    "white space round an equals sign": html_tags.equals_space,
    "other quotes round a value": html_tags.quotes,
    "inert attribute of words": html_tags.inert_attribute,
    "attributes in another order": html_tags.order,
    "character reference in a value": html_tags.reference,
    "inert markup before the first tag": html_tags.before_tag,
    "words behind": html_tags.behind,
    "words ahead": html_tags.ahead,
    "scheme in another case": html_urls.scheme_case,
    "line break in a scheme": html_urls.scheme_break,
    "characters before a scheme": html_urls.scheme_lead,
    "comment in a script": _in_script(javascript.comment),
    "white space in a script": _in_script(javascript.space),
    "empty statement": _in_script(javascript.semicolon),
    "statement of words": _in_script(javascript.statement),
    "escape in a string": _in_script(javascript.string_escape),
    "other quotes round a string": _in_script(javascript.requote),
    "string in two halves": _in_script(javascript.halves),
    "escape in a name": _in_script(javascript.name_escape),
    "number spelled otherwise": _in_script(javascript.number),
    "function reached another way": _in_script(javascript.call),
    "property in brackets": _in_script(javascript.brackets),
    "words in the last comment": _in_script(javascript.last_comment),
}
