"""Where the calls through a register of a linked Thumb program may go: methods of trait objects, functions that are handed
over as arguments or kept in a table.

A register that is only ever set from constants behind the code calls one of those. Any other may hold the address of each
function whose address is anything but called: one that a vtable or another table in read-only data or data holds, or that
the code loads for something else than a call. What is followed is too much, and never too little.
"""

import dataclasses
import pathlib
import re
import struct

import program

# `ldr r4, [pc, #40]  @ 0x37ad8`: loads the constant there.
LITERAL = re.compile(r"^ldr[a-z.]*\s+(\w+),\s*\[pc.*@ 0x([0-9a-f]+)")
CALL = re.compile(r"^(?:blx|bx)\s+(\w+)")
# What writes no register that is named first, and what restores registers at the end of a function.
NO_RESULT = re.compile(r"^(str|push|pop|stm|cmp|cmn|tst|teq|b|cb|it|nop|vstr|vpush|vpop|svc|dmb|dsb|isb|udf|tb)")
WORD = re.compile(r"\.word\s+0x([0-9a-f]+)$")
NAMES = {"sb": "r9", "sl": "r10", "fp": "r11", "ip": "r12"}


@dataclasses.dataclass
class Site:
    """A call through a register."""

    address: int
    # The functions that the register can hold, where it is only set from constants.
    targets: set[int] | None


def follow_constants(functions: dict[int, program.Function]) -> None:
    """Adds the calls through registers that are only ever set from constants."""
    for function in functions.values():
        for site in look(function, functions)[0]:
            function.calls += [(site.address, target) for target in sorted(site.targets or ())]


def follow(path: str, functions: dict[int, program.Function], start: str, own: str) -> None:
    """Adds all calls through registers.

    `start` alone calls the functions whose name begins with `own` from a table: they are not called back.
    """
    taken = in_data(path, functions)
    sites: list[tuple[program.Function, Site]] = []
    for function in functions.values():
        found, loaded = look(function, functions)
        taken |= loaded
        sites += [(function, site) for site in found]
    callable_back = {address for address in taken if not functions[address].name.startswith(own)}
    for function, site in sites:
        targets = site.targets
        if targets is None:
            targets = taken if function.name == start else callable_back
        function.calls += [(site.address, target) for target in sorted(targets)]


def look(function: program.Function, functions: dict[int, program.Function]) -> tuple[list[Site], set[int]]:
    """The calls through registers of a function, and the functions whose address it loads for something else."""
    constants = {}
    literals: dict[str, set[int]] = {}
    others: set[str] = set()
    calls: list[tuple[int, str]] = []
    for address, text in function.code:
        if word := WORD.search(text):
            # The lowest bit of a function's address says that it is Thumb code.
            constants[address] = int(word[1], 16) - 1
    for address, text in function.code:
        if (call := CALL.match(text)) and call[1] != "lr":
            calls.append((address, NAMES.get(call[1], call[1])))
        elif literal := LITERAL.match(text):
            register = NAMES.get(literal[1], literal[1])
            target = constants.get(int(literal[2], 16))
            if target in functions:
                literals.setdefault(register, set()).add(target)
            else:
                others.add(register)
        elif not NO_RESULT.match(text):
            others |= results(text)
    called = {register for _, register in calls}
    # A register that is an argument, or was one, and is set nowhere is not known either.
    sites = [
        Site(address, literals[register] if register in literals and register not in others else None)
        for address, register in calls
    ]
    known = {register for register in called if register in literals and register not in others}
    loaded = {target for register, targets in literals.items() if register not in known for target in targets}
    return sites, loaded


def results(text: str) -> set[str]:
    """The registers that an instruction may set; one too many does no harm."""
    _, _, operands = text.partition(" ")
    words = re.findall(r"\b(r\d+|sb|sl|fp|ip|lr)\b", operands.split("@")[0])
    wide = text.startswith(("ldrd", "ldm", "umull", "smull", "umlal", "smlal", "strex"))
    return {NAMES.get(word, word) for word in (words if wide else words[:1])}


def in_data(path: str, functions: dict[int, program.Function]) -> set[int]:
    """The functions whose address lies in the data of a 32-bit little-endian ELF file."""
    image = pathlib.Path(path).read_bytes()
    table, size, count = struct.unpack_from("<32xI10xHH", image)[0:3]
    found = set()
    for number in range(count):
        kind, flags, _, offset, length = struct.unpack_from("<4xIIIII", image, table + number * size)
        # What is loaded (2) and is no code (4) and has contents.
        if kind == 1 and flags & 2 and not flags & 4:
            words = struct.unpack_from(f"<{length // 4}I", image, offset)
            found |= {word - 1 for word in words if word & 1 and word - 1 in functions}
    return found
