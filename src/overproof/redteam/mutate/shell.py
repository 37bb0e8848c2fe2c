"""Edits of shell commands, and of values that end up in one, that the shell does not see: a POSIX one, or cmd.exe."""

from __future__ import annotations

from overproof.redteam.base import Mutators
from overproof.redteam.mutate import shell_cmd as cmd
from overproof.redteam.mutate import shell_commands as commands
from overproof.redteam.mutate import shell_words as words

MUTATORS: Mutators = {
    "empty quotes inside a word": words.empty_quotes,
    "quotes around a part of a word": words.quoted_part,
    "backslash before a letter": words.escaped_letter,
    "unset variable inside a word": words.unset_variable,
    "absent parameters inside a word": words.no_parameters,
    "line cut inside a word": words.cut_line,
    "quotes of the other kind": words.other_quotes,
    "braces around a variable's name": words.braced_name,
    "longer path": words.longer_path,
    "letter by its code": words.letter_by_code,
    "inert command in front": commands.command_in_front,
    "inert command behind": commands.command_behind,
    "branch never taken": commands.branch_never_taken,
    "function never called": commands.function_never_called,
    "unused variable": commands.unused_variable,
    "command from variables": commands.command_from_variables,
    "innocent comment": commands.comment,
    "other white space": commands.white_space,
    "white space at an operator": commands.space_at_operator,
    "other separator": commands.separator,
    "command in braces": commands.braces,
    "other substitution": commands.substitution,
    "field separator for a space": commands.field_separator,
    "cmd.exe: other case": cmd.other_case,
    "cmd.exe: caret before a letter": cmd.caret,
    "cmd.exe: delimiters in front": cmd.delimiters,
    "cmd.exe: remark behind": cmd.remark,
    "cmd.exe: inert command in front": cmd.inert_command,
}
