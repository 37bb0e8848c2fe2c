"""The normal form of parsed PowerShell: what PowerShell does not see is taken out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from overproof.redteam.oracle.powershell_host import HOSTS, LAST, SWITCHES, decoded, full_name

if TYPE_CHECKING:
    from tree_sitter import Node

Form = tuple[Any, ...]
Parse = Callable[[str], Form | None]

ALIASES: dict[str, str] = dict(
    pair.split("=", 1)
    for pair in """
    iex=invoke-expression iwr=invoke-webrequest irm=invoke-restmethod icm=invoke-command ii=invoke-item
    curl=invoke-webrequest wget=invoke-webrequest gci=get-childitem ls=get-childitem dir=get-childitem
    gc=get-content cat=get-content type=get-content gp=get-itemproperty gi=get-item gm=get-member gps=get-process
    ps=get-process gsv=get-service gwmi=get-wmiobject gal=get-alias gcm=get-command gl=get-location pwd=get-location
    sl=set-location cd=set-location chdir=set-location sc=set-content si=set-item sp=set-itemproperty
    sv=set-variable set=set-variable gv=get-variable saps=start-process start=start-process sajb=start-job
    spps=stop-process kill=stop-process sleep=start-sleep echo=write-output write=write-output ri=remove-item
    rm=remove-item del=remove-item erase=remove-item rd=remove-item rmdir=remove-item rp=remove-itemproperty
    cp=copy-item copy=copy-item cpi=copy-item mv=move-item move=move-item mi=move-item ni=new-item md=mkdir
    ren=rename-item rni=rename-item ipmo=import-module where=where-object ?=where-object foreach=foreach-object
    %=foreach-object select=select-object sort=sort-object group=group-object measure=measure-object
    ft=format-table fl=format-list fw=format-wide tee=tee-object sls=select-string ipcsv=import-csv
    epcsv=export-csv ogv=out-gridview nsn=new-pssession etsn=enter-pssession clc=clear-content cls=clear-host
    h=get-history man=help
    """.split()
)
BACKQUOTED = re.compile(r"`([^0abefnrtuv\s])")
CONSTANT = re.compile(r"[^$`]*")
CALLS = frozenset({"invokation_expression", "invocation_expression", "method_invocation"})
SEPARATORS = frozenset({"comment", "command_argument_sep", "empty_statement", ";", "\n"})


def form_of(node: Node, raw: bytes, parse: Parse) -> Form | None:
    """Return the normal form of a node; None for what has no meaning."""
    text = raw[node.start_byte : node.end_byte].decode("utf-8", "replace")
    if node.type in SEPARATORS:
        return None
    if node.type == "command":
        return command_form(node, raw, parse)
    if (leaf := leaf_form(node.type, text)) is not None:
        return leaf
    if node.child_count == 0:
        return ("word", text.lower())
    children = [form for child in node.children if (form := form_of(child, raw, parse)) is not None]
    if node.type == "additive_expression" and (joined := _joined(children)) is not None:
        return joined
    if node.type == "parenthesized_expression" and len(children) == 3 and children[1][0] == "string":
        return children[1]
    if node.type == "member_name" and len(children) == 1:
        return ("word", str(children[0][-1]).lower())
    if len(children) == 1 and node.type not in CALLS | {"program", "statement_list", "statement_block", "script_block"}:
        return children[0]
    return (node.type, *children)


def leaf_form(kind: str, text: str) -> Form | None:
    """Return the form of what is not looked into; None for all else."""
    if kind == "verbatim_string_characters":
        return ("string", text[1:-1].replace("''", "'"))
    if kind == "expandable_string_literal":
        inside = text[1:-1].replace('""', '"')
        return ("string", inside) if CONSTANT.fullmatch(inside) else ("expandable", text)
    if kind == "generic_token":
        plain = BACKQUOTED.sub(r"\1", text)
        return (
            ("string", plain) if CONSTANT.fullmatch(plain) and not re.search(r"['\"]", plain) else ("expandable", text)
        )
    if kind in ("variable", "braced_variable"):
        return ("variable", re.sub(r"[{}]", "", text).lower())
    if kind.endswith("here_string_literal") or kind.endswith("here_string_characters"):
        return ("string", text)
    if kind in ("command_name", "command_parameter", "path_command_name"):
        return ("word", BACKQUOTED.sub(r"\1", text).lower())
    if kind in ("member_name", "type_literal", "simple_name", "type_identifier") and re.fullmatch(r"[\w.\[\],]+", text):
        return ("word", text.lower())
    return None


def _joined(children: list[Form]) -> Form | None:
    """Join constant texts with a plus between them; None where they are not constant."""
    if len(children) == 3 and children[1] == ("word", "+") and children[0][0] == children[2][0] == "string":
        return ("string", children[0][1] + children[2][1])
    return None


def command_form(node: Node, raw: bytes, parse: Parse) -> Form:
    """Return the form of a command: its name as it is looked up, and its words in order."""
    operator, name, words = "", ("word", ""), []
    for child in node.children:
        if child.type == "command_invokation_operator":
            operator = raw[child.start_byte : child.end_byte].decode("utf-8", "replace")
        elif child.type in ("command_name", "command_name_expr") or child.type.startswith("path_command"):
            name = form_of(child, raw, parse) or name
        elif child.type == "command_elements":
            for element in child.children:
                form = form_of(element, raw, parse)
                # The case of what a program is given may matter to it, so that it is kept until the name is known.
                raw_text = raw[element.start_byte : element.end_byte].decode("utf-8", "replace")
                words += [] if form is None else [(form, raw_text if element.type == "command_parameter" else None)]
        elif (form := form_of(child, raw, parse)) is not None:
            words.append((form, None))
    constant = name[0] in ("word", "string")
    called = str(name[1]).lower() if constant else ""
    called = ALIASES.get(called, called)
    program = re.split(r"[\\/]", called)[-1]
    if program in HOSTS:
        return ("command", program.removesuffix(".exe"), *host_words([form for form, _ in words], parse))
    native = constant and "-" not in called
    kept = tuple(("word", spelled) if native and spelled is not None else form for form, spelled in words)
    if constant:
        return ("command", called if operator != "." else f". {called}", *kept)
    return ("command", (operator, name), *kept)


def host_words(words: list[Form], parse: Parse) -> Iterator[Form]:
    """Yield the parameters of powershell.exe by their full names, in one order, and what it runs behind them."""
    options: list[Form] = []
    at = 0
    while at < len(words):
        name = _parameter(words[at])
        if name is None or name in LAST:
            break
        if name in SWITCHES or at + 1 == len(words):
            options.append((name,))
            at += 1
            continue
        value = words[at + 1]
        inner = decoded(str(value[1])) if name == "encodedcommand" and value[0] in ("string", "word") else None
        form = parse(inner) if inner is not None else None
        options.append((name, form or _folded(value)))
        at += 2
    yield from sorted(options, key=repr)
    for index, rest in enumerate(words[at:]):
        full = _parameter(rest)
        yield ("word", full) if index == 0 and full in LAST else rest


def _parameter(form: Form) -> str | None:
    """Return the full name of one of powershell.exe's own parameters; None where it is none."""
    spelled = str(form[1]) if len(form) == 2 and form[0] in ("word", "string") else ""
    return full_name(spelled) if spelled.startswith(("-", "/")) else None


def _folded(form: Form) -> Form:
    """Return a parameter's value without its case: those of powershell.exe itself have none."""
    return ("string", str(form[1]).lower()) if form[0] in ("string", "word") else form


def without_inert(form: Form) -> Form:
    """Leave out statements without effect: constants that nothing reads, branches that are never taken."""
    return _without(form, repr(form).lower())


def _without(form: Form, whole: str) -> Form:
    """Leave out of a part of a form what has no effect in the whole."""
    kept = [part for part in form if not (isinstance(part, tuple) and _inert(part, whole))]
    return tuple(_without(part, whole) if isinstance(part, tuple) else part for part in kept)


def _inert(form: Form, whole: str) -> bool:
    """Tell whether a statement has no effect."""
    if form[:1] == ("assignment_expression",) and len(form) == 4 and form[1][:1] == ("variable",):
        name = str(form[1][1])
        return form[3][:1] == ("string",) and (name == "$null" or whole.count(name[1:]) == 1)
    return form[:1] == ("if_statement",) and len(form) == 6 and form[3] == ("variable", "$false")


def command_names(form: Form) -> list[str] | None:
    """Return the sorted names of all commands; None where one is computed."""
    names: list[str] = []
    for part in walk(form):
        if part[:1] == ("command",):
            if not isinstance(part[1], str):
                return None
            names.append(part[1])
    return sorted(names)


def does_something(form: Form) -> bool:
    """Tell whether a text runs a command with words, or one whose name is a command's, or calls a method."""
    for part in walk(form):
        if part[:1] == ("command",) and (len(part) > 2 or re.search(r"-|\.(?:exe|ps1)$", str(part[1]))):
            return True
        if part[:1] and part[0] in CALLS:
            return True
    return False


def walk(form: Form) -> Iterator[Form]:
    """Yield a form and all within it."""
    yield form
    for part in form:
        if isinstance(part, tuple):
            yield from walk(part)
